/* SPDX-License-Identifier: Apache-2.0
 *
 * Security identifiers in binary (MS-DTYP 2.4.2.2): revision, number of sub-authorities, six octets of authority, and
 * the sub-authorities of four octets each, least significant first.
 */
#include "authstatus/sid.h"

#include <string.h>

#include "authstatus/dn.h"
#include "text.h"

#define HEAD 8
#define SUB_AUTHORITIES_MAX 15
/* S-1-5-21-x-y-z-rid: the SID of a domain has four numbers, the SID of an account or group in it has five. */
#define DOMAIN_MEMBER 5
#define NOT_UNIQUE 21

static size_t count_sub_authorities(const as_sid *sid)
{
    return sid->octets[1];
}

bool as_sid_read(const unsigned char *octets, size_t length, as_sid *sid)
{
    sid->length = 0;
    if (!octets || length < HEAD + 4 || length > AS_SID_MAX || octets[0] != 1 || octets[1] > SUB_AUTHORITIES_MAX ||
        length != HEAD + 4 * (size_t)octets[1]) {
        return false;
    }
    memcpy(sid->octets, octets, length);
    sid->length = length;
    return true;
}

/* Reads a decimal number of 32 bits that is greater than 0. */
static bool read_number(const char *text, uint32_t *number)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; as_text_is_digit(text[i]) && value <= UINT32_MAX; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = (uint32_t)value;
    return i > 0 && text[i] == '\0' && value > 0 && value <= UINT32_MAX;
}

bool as_sid_make_primary_group(const as_sid *user, const char *primary_group_id, as_sid *group)
{
    static const unsigned char nt[] = {0, 0, 0, 0, 0, 5, NOT_UNIQUE, 0, 0, 0};
    uint32_t number;
    size_t i;

    group->length = 0;
    if (user->length == 0 || count_sub_authorities(user) != DOMAIN_MEMBER ||
        memcmp(user->octets + 2, nt, sizeof(nt)) != 0 || !primary_group_id || !read_number(primary_group_id, &number)) {
        return false;
    }
    *group = *user;
    for (i = 0; i < 4; i++) {
        group->octets[group->length - 4 + i] = (unsigned char)(number >> (8 * i));
    }
    return true;
}

/* Returns whether a text has `words` somewhere, in any case. */
static bool has_words(const char *text, const char *words)
{
    for (; *text; text++) {
        size_t i = 0;

        while (words[i] && as_text_convert_to_lower(text[i]) == words[i]) {
            i++;
        }
        if (!words[i]) {
            return true;
        }
    }
    return false;
}

bool as_sid_is_of_builtin(const char *name)
{
    char normal[AS_DN_MAX];

    return has_words(name, "s-1-5-32-") || has_words(name, "/builtin/") ||
           (as_dn_normalize(name, strlen(name), normal, NULL) && strstr(normal, ",cn=builtin,dc="));
}

bool as_sid_is_same(const as_sid *a, const as_sid *b)
{
    return a->length > 0 && a->length == b->length && memcmp(a->octets, b->octets, a->length) == 0;
}

void as_sid_write(const as_sid *sid, char text[AS_SID_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < sid->length; i++) {
        text[2 * i] = digits[sid->octets[i] >> 4];
        text[2 * i + 1] = digits[sid->octets[i] & 15];
    }
    text[2 * sid->length] = '\0';
}

bool as_sid_parse(const char *text, as_sid *sid)
{
    unsigned char octets[AS_SID_MAX];
    size_t length = 0;

    sid->length = 0;
    while (text[0] != '\0' && length < AS_SID_MAX) {
        int high = as_text_get_hex_value(text[0]), low = high < 0 ? -1 : as_text_get_hex_value(text[1]);

        if (low < 0) {
            return false;
        }
        octets[length++] = (unsigned char)(high * 16 + low);
        text += 2;
    }
    return text[0] == '\0' && as_sid_read(octets, length, sid);
}
