/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes texts safe for a terminal.
 */
#include "sections.h"

#include <apr_strings.h>

#include "core/text.h"

/* Returns the octets of the character at `at` if it controls a terminal (C0, DEL, C1) or the direction of writing;
 * else 0. */
static int measure_control(const unsigned char *at)
{
    if (as_text_is_control((char)at[0])) {
        return 1;
    }
    if ((at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f) || (at[0] == 0xd8 && at[1] == 0x9c)) {
        return 2;
    }
    if (at[0] == 0xe2 && ((at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
                          (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9))) {
        return 3;
    }
    return 0;
}

/* Writes such characters as \xNN: names come from directories, and are printed on a terminal. */
const char *as_escape_unprintable(apr_pool_t *pool, const char *text)
{
    char *safe = apr_palloc(pool, 4 * strlen(text) + 1), *to = safe;
    int control = 0;

    for (; *text; text++) {
        control = control > 0 ? control : measure_control((const unsigned char *)text);
        if (control > 0) {
            to += apr_snprintf(to, 5, "\\x%02x", (unsigned char)*text);
            control--;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return safe;
}
