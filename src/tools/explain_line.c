/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of a line of a configuration.
 */
#include "explain.h"

#include <string.h>

#include "core/text.h"

char *explain_read_word(char **at)
{
    char *from = *at + strspn(*at, " \t"), *to, *start;
    char quote = *from == '"' || *from == '\'' ? *from++ : '\0';

    if (!*from && !quote) {
        return NULL;
    }
    for (start = to = from; *from && (quote ? *from != quote : !as_text_is_blank(*from)); from++) {
        if (*from == '\\' && (from[1] == '\\' || (quote && from[1] == quote))) {
            from++;
        }
        *to++ = *from;
    }
    *at = *from ? from + 1 : from;
    *to = '\0';
    return start;
}
