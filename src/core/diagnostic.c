/* SPDX-License-Identifier: Apache-2.0
 *
 * Phrases match at the beginning of words, anywhere in the text. All phrases are ASCII, so octets above 0x7f, NUL and
 * control characters match nothing.
 */
#include "authstatus/diagnostic.h"

#include "text.h"

#define LONGEST_TEXT 4096
#define LARGEST_AD_NUMBER 0x7fffffffL
#define LARGEST_NDS_NUMBER 999999L

typedef struct phrase {
    const char *words; /* lower case */
    as_dialect dialect;
} phrase;

static const phrase phrases[] = {
    /* 389 DS: ldap/servers/slapd/pw_mgmt.c, pw.c and plugins/acctpolicy */
    {"password expired!", AS_DIALECT_389_EXPIRED},
    {"account inactivated", AS_DIALECT_389_INACTIVATED},
    {"account inactivity limit exceeded", AS_DIALECT_389_IDLE},
    {"exceed password retry limit", AS_DIALECT_389_RETRY_LIMIT},
    {"tpr checking", AS_DIALECT_389_TPR},
    /* OpenLDAP: "unwilling to perform simple authentication", "confidentiality required";
     * 389 DS: "Operation requires a secure connection", "Unauthenticated binds are not allowed";
     * AD: "The server requires binds to turn on integrity checking if SSL\TLS are not already active",
     *     "a successful bind must be completed on the connection", "Error initializing SSL/TLS";
     * Samba for the same: "Operation unavailable without authentication" */
    {"tls", AS_DIALECT_TRANSPORT},
    {"starttls", AS_DIALECT_TRANSPORT},
    {"ssl", AS_DIALECT_TRANSPORT},
    {"confidentiality", AS_DIALECT_TRANSPORT},
    {"encryption", AS_DIALECT_TRANSPORT},
    {"secure connection", AS_DIALECT_TRANSPORT},
    {"simple authentication", AS_DIALECT_TRANSPORT},
    {"without authentication", AS_DIALECT_TRANSPORT},
    {"bind", AS_DIALECT_TRANSPORT},
};

static bool matches(const char *text, size_t length, const char *words)
{
    size_t i = 0;
    while (i < length && words[i] != '\0' && as_text_convert_to_lower(text[i]) == words[i]) {
        i++;
    }
    return words[i] == '\0';
}

/* Returns the offset after the first match of `words` at or after `from`; 0 if there is no match. */
static size_t find_behind(const char *text, size_t length, size_t from, const char *words)
{
    for (size_t at = from; at < length; at++) {
        bool word_begins = at == 0 || !as_text_is_alnum(text[at - 1]);
        if (word_begins && matches(text + at, length - at, words)) {
            while (*words++ != '\0') {
                at++;
            }
            return at;
        }
    }
    return 0;
}

/* Reads blank *blank 1*HEXDIG, followed by neither a letter, a digit nor a blank: "data 52e, v3839" has AD's number,
 * "data abc was lost" is prose. */
static bool read_ad_number(const char *text, size_t length, size_t at, long *number)
{
    size_t first = at;
    while (first < length && as_text_is_blank(text[first])) {
        first++;
    }
    size_t end = first;
    long value = 0;
    for (int digit; end < length && (digit = as_text_get_hex_value(text[end])) >= 0; end++) {
        if (value > LARGEST_AD_NUMBER >> 4) {
            return false;
        }
        value = value << 4 | digit;
    }
    *number = value;
    bool ends = end == length || !(as_text_is_alnum(text[end]) || as_text_is_blank(text[end]));
    return first > at && end > first && ends;
}

/* Finds `data <hex>` as in "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e,
 * v1db1". The text around it differs between versions. "data 0" occurs in texts about other subjects. */
static bool find_ad_number(const char *text, size_t length, long *number)
{
    size_t at = 0;
    while ((at = find_behind(text, length, at, "data")) != 0) {
        if (read_ad_number(text, length, at, number) && *number != 0) {
            return true;
        }
    }
    return false;
}

/* Reads "(-" 1*DIGIT ")". */
static bool read_nds_number(const char *text, size_t length, long *number)
{
    size_t at = 2;
    long value = 0;
    if (length < 2 || text[0] != '(' || text[1] != '-') {
        return false;
    }
    for (; at < length && as_text_is_digit(text[at]); at++) {
        value = value * 10 + (text[at] - '0');
        if (value > LARGEST_NDS_NUMBER) {
            return false;
        }
    }
    *number = -value;
    return value > 0 && at < length && text[at] == ')';
}

/* Finds the number in "NDS error: failed authentication (-669)". */
static bool find_nds_number(const char *text, size_t length, long *number)
{
    size_t at = find_behind(text, length, 0, "nds error:");
    if (at == 0) {
        return false;
    }
    for (; at < length; at++) {
        if (read_nds_number(text + at, length - at, number)) {
            return true;
        }
    }
    return false;
}

static as_dialect find_phrase(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (find_behind(text, length, 0, phrases[i].words) != 0) {
            return phrases[i].dialect;
        }
    }
    return AS_DIALECT_NONE;
}

/* Returns how many octets of a text are read: the limit cuts no word and no number. */
static size_t limit_length(const char *text, size_t length)
{
    if (length <= LONGEST_TEXT) {
        return length;
    }
    length = LONGEST_TEXT;
    while (length > 0 && as_text_is_alnum(text[length])) {
        length--;
    }
    return length;
}

as_diagnostic as_diagnostic_read(const char *text, size_t length)
{
    long number = 0;
    length = limit_length(text, length);
    if (find_ad_number(text, length, &number)) {
        return (as_diagnostic){AS_DIALECT_AD, number};
    }
    if (find_nds_number(text, length, &number)) {
        return (as_diagnostic){AS_DIALECT_NDS, number};
    }
    return (as_diagnostic){find_phrase(text, length), 0};
}
