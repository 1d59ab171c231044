/* SPDX-License-Identifier: Apache-2.0
 *
 * Times of a monotonic clock: microseconds of CLOCK_MONOTONIC. Every deadline is one of them, from the first query of
 * a transaction to the last wait for a server. as_mono_read (authstatus/ldap.h) reads the clock.
 */
#ifndef AUTHSTATUS_MONO_H
#define AUTHSTATUS_MONO_H

#include <stdint.h>

typedef int64_t as_mono;
#define AS_MONO_SECOND INT64_C(1000000)

#endif
