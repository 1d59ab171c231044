/* SPDX-License-Identifier: Apache-2.0
 *
 * draft-behera-ldap-password-policy-11 6.2, implicit tags, in the BER of RFC 4511 5.1 (definite lengths only):
 *
 *     PasswordPolicyResponseValue ::= SEQUENCE {                           30
 *         warning [0] CHOICE {                                             a0
 *             timeBeforeExpiration [0] INTEGER (0 .. maxInt),              80
 *             graceAuthNsRemaining [1] INTEGER (0 .. maxInt) } OPTIONAL,   81
 *         error   [1] ENUMERATED { passwordExpired (0) ... } OPTIONAL }    81
 */
#include "authstatus/ppolicy.h"

#include <string.h>

#include "text.h"

#define TAG_SEQUENCE 0x30
#define TAG_WARNING 0xa0
#define TAG_TIME_BEFORE_EXPIRATION 0x80
#define TAG_GRACE_LOGINS 0x81
#define TAG_ERROR 0x81

#define MAX_INT 2147483647L /* RFC 4511 4.1.1 */

/* Octets that are not consumed yet. */
typedef struct ber {
    const unsigned char *at;
    size_t left;
} ber;

/* Reads length octets (X.690 8.1.3): short, or long with one to four octets, which may be zeros: 389 DS sends 84 00
 * 00 00 03. LDAP does not use the indefinite form (80). */
static bool take_length(ber *from, size_t *length)
{
    if (from->left == 0) {
        return false;
    }
    unsigned char first = *from->at++;
    from->left--;
    if (first < 0x80) {
        *length = first;
        return true;
    }
    size_t octets = first & 0x7fU;
    if (octets < 1 || octets > 4 || octets > from->left) {
        return false;
    }
    *length = 0;
    for (size_t i = 0; i < octets; i++) {
        *length = *length << 8 | from->at[i];
    }
    from->at += octets;
    from->left -= octets;
    return true;
}

/* Reads the next element if it has this tag and lies wholly within `from`. */
static bool take(ber *from, unsigned char tag, ber *contents)
{
    ber rest = *from;
    size_t length;
    if (rest.left == 0 || *rest.at != tag) {
        return false;
    }
    rest.at++;
    rest.left--;
    if (!take_length(&rest, &length) || length > rest.left) {
        return false;
    }
    *contents = (ber){rest.at, length};
    *from = (ber){rest.at + length, rest.left - length};
    return true;
}

/* Reads an INTEGER (0 .. maxInt) or ENUMERATED of one to four octets that is not negative. */
static bool take_number(ber *from, unsigned char tag, long max, long *number)
{
    ber contents;
    if (!take(from, tag, &contents) || contents.left < 1 || contents.left > 4 || (contents.at[0] & 0x80U) != 0) {
        return false;
    }
    unsigned long value = 0;
    for (size_t i = 0; i < contents.left; i++) {
        value = value << 8 | contents.at[i];
    }
    *number = (long)value;
    return *number <= max;
}

static bool take_warning(ber *from, as_ppolicy *out)
{
    ber choice;
    if (!take(from, TAG_WARNING, &choice)) {
        return false;
    }
    const bool is_grace = choice.left > 0 && *choice.at == TAG_GRACE_LOGINS;
    return take_number(&choice, is_grace ? TAG_GRACE_LOGINS : TAG_TIME_BEFORE_EXPIRATION, MAX_INT,
                       is_grace ? &out->grace_logins : &out->expires_in) &&
           choice.left == 0;
}

bool as_ppolicy_parse(const unsigned char *value, size_t length, as_ppolicy *out)
{
    as_ppolicy found = *out;
    found.expires_in = -1;
    found.grace_logins = -1;
    found.error = AS_PPOLICY_NO_ERROR;

    ber all = {value, value == NULL ? 0 : length};
    ber sequence;
    if (!take(&all, TAG_SEQUENCE, &sequence) || all.left != 0) {
        return false;
    }
    if (sequence.left > 0 && *sequence.at == TAG_WARNING && !take_warning(&sequence, &found)) {
        return false;
    }
    if (sequence.left > 0) {
        long error;
        if (!take_number(&sequence, TAG_ERROR, AS_PPOLICY_PASSWORD_TOO_LONG, &error)) {
            return false;
        }
        found.error = (as_ppolicy_error)error;
    }
    if (sequence.left != 0) {
        return false;
    }
    *out = found;
    return true;
}

/* Parses Netscape's "password expiring" (draft-vchu-ldap-pwd-policy-00 3): seconds in decimal digits. */
static bool parse_seconds(const unsigned char *value, size_t length, long *seconds)
{
    long number = 0;
    if (value == NULL || length == 0) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!as_text_is_digit((char)value[i])) {
            return false;
        }
        long digit = value[i] - '0';
        if (number > (MAX_INT - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *seconds = number;
    return true;
}

as_ppolicy as_ppolicy_read(const as_control *controls, size_t count)
{
    as_ppolicy read = {.expires_in = -1, .grace_logins = -1, .error = AS_PPOLICY_NO_ERROR};
    bool expiring = false;
    long seconds = -1;

    for (size_t i = 0; i < count; i++) {
        const as_control *control = &controls[i];
        if (strcmp(control->oid, AS_OID_PPOLICY) == 0) {
            read.contradictory |= read.present || !as_ppolicy_parse(control->value, control->length, &read);
            read.present = true;
        } else if (strcmp(control->oid, AS_OID_NETSCAPE_EXPIRED) == 0) {
            read.contradictory |= read.netscape_expired;
            read.netscape_expired = true;
        } else if (strcmp(control->oid, AS_OID_NETSCAPE_EXPIRING) == 0) {
            read.contradictory |= expiring || !parse_seconds(control->value, control->length, &seconds);
            expiring = true;
        }
    }
    /* 389 DS sends the time in both controls; the specified control has precedence. */
    if (read.expires_in < 0) {
        read.expires_in = seconds;
    }
    return read;
}

const char *as_ppolicy_describe_error(as_ppolicy_error error)
{
    static const char *const words[] = {"the password has expired",
                                        "the account is locked",
                                        "the password must be changed, as somebody else set it",
                                        "the password may not be changed",
                                        "the old password must be sent with a change",
                                        "the password is too simple",
                                        "the password is too short",
                                        "the password is too young to be changed",
                                        "the password was used before",
                                        "the password is too long"};

    return error >= 0 && (size_t)error < sizeof(words) / sizeof(words[0]) ? words[error] : NULL;
}
