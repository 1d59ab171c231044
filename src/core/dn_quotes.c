/* SPDX-License-Identifier: Apache-2.0
 *
 * Quotes around the values of a distinguished name: older texts allowed them (RFC 2253 4), and directories read them.
 */
#include "authstatus/dn.h"

#include <string.h>

typedef struct writer {
    char *at;
    size_t used; /* AS_DN_MAX: it is full */
} writer;

static void put(writer *to, char octet)
{
    if (to->used < AS_DN_MAX) {
        to->at[to->used++] = octet;
    }
}

/* Returns whether there is nothing but spaces since the last "=". */
static bool is_value_ahead(const writer *to)
{
    size_t at = to->used;

    while (at > 0 && to->at[at - 1] == ' ') {
        at--;
    }
    return at > 0 && to->at[at - 1] == '=';
}

bool as_dn_unquote(const char *text, size_t length, char *plain)
{
    writer to = {.at = plain};
    bool quoted = false;
    size_t i;

    for (i = 0; i < length; i++) {
        if (text[i] == '"' && (quoted || is_value_ahead(&to))) {
            quoted = !quoted;
            continue;
        }
        if (text[i] == '\\' && i + 1 < length) {
            put(&to, text[i++]);
        } else if (quoted && text[i] != '\0' && strchr("+,;<>=#", text[i])) {
            put(&to, '\\');
        }
        put(&to, text[i]);
    }
    plain[to.used < AS_DN_MAX ? to.used : 0] = '\0';
    return !quoted && to.used < AS_DN_MAX;
}
