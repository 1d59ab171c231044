/* SPDX-License-Identifier: Apache-2.0
 *
 * assert_within: a number lies between two others, both included. cmocka 2 has another name for this than cmocka 1.
 * Included after cmocka.h.
 */
#ifndef AUTHSTATUS_TESTS_WITHIN_H
#define AUTHSTATUS_TESTS_WITHIN_H

#include <inttypes.h>

#define assert_within(number, least, most)                                                                             \
    do {                                                                                                               \
        const intmax_t within_ = (intmax_t)(number);                                                                   \
        if (within_ < (intmax_t)(least) || within_ > (intmax_t)(most)) {                                               \
            fail_msg("%s is %" PRIdMAX ", not within %s to %s", #number, within_, #least, #most);                      \
        }                                                                                                              \
    } while (0)

#endif
