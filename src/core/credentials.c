/* SPDX-License-Identifier: Apache-2.0
 *
 *     credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]      RFC 9110 11.4
 *     Basic:        token68 = base64( user-id ":" password )            RFC 7617 2
 *     user-id and password are UTF-8 without CTL (RFC 5234 B.1); the first colon divides them.
 */
#include "authstatus/credentials.h"

#include <string.h>

#include "text.h"

/* Overwrites a buffer through a volatile pointer, so that the compiler cannot remove the writes as dead stores. */
static void wipe(char *buffer, size_t size)
{
    volatile char *at = buffer;
    while (size-- > 0) {
        *at++ = '\0';
    }
}

/* Returns the value of a base64 digit (RFC 4648 4), -1 for any other octet. */
static int decode_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (as_text_is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static const char *skip_blanks(const char *at)
{
    while (as_text_is_blank(*at)) {
        at++;
    }
    return at;
}

/* Returns the credentials after the scheme name; NULL if the scheme is not Basic or nothing follows it. */
static const char *find_basic_value(const char *header)
{
    static const char scheme[] = "basic";
    const char *at = skip_blanks(header);
    for (size_t i = 0; scheme[i] != '\0'; i++, at++) {
        if (as_text_convert_to_lower(*at) != scheme[i]) {
            return NULL;
        }
    }
    const char *value = skip_blanks(at);
    return (value == at || *value == '\0') ? NULL : value;
}

/* Returns whether `at` ends a base64 value: no padding or the padding that completes the last group of four, then
 * blanks. */
static bool is_padding(const char *at, size_t digits)
{
    size_t pads = 0;
    while (*at == '=') {
        at++;
        pads++;
    }
    return (pads == 0 || pads == (4 - digits % 4) % 4) && *skip_blanks(at) == '\0';
}

/* Decodes base64 and sets *length to the number of octets written. Excess bits of the last digit must be zero (RFC
 * 4648 3.5). */
static bool decode_base64(const char *text, char *buffer, size_t size, size_t *length)
{
    unsigned pending = 0;
    unsigned bits = 0;
    size_t digits = 0;
    *length = 0;
    for (int value; (value = decode_digit(text[digits])) >= 0; digits++) {
        pending = pending << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            if (*length == size) {
                return false;
            }
            bits -= 8;
            buffer[(*length)++] = (char)(pending >> bits);
            pending &= (1U << bits) - 1;
        }
    }
    return digits % 4 != 1 && pending == 0 && is_padding(text + digits, digits);
}

static bool is_continuation(unsigned char octet)
{
    return (octet & 0xc0U) == 0x80;
}

/* Returns the number of octets of the well-formed character at `at` (RFC 3629 4), 0 if there is none. NUL ends `at`. */
static size_t measure_character(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] < 0xc2 || at[0] > 0xf4 || !is_continuation(at[1])) {
        return 0;
    }
    if (at[0] < 0xe0) {
        return 2;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || !is_continuation(at[2])) {
        return 0;
    }
    if (at[0] < 0xf0) {
        return 3;
    }
    if ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f) || !is_continuation(at[3])) {
        return 0;
    }
    return 4;
}

static bool is_readable(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t length = measure_character(at);
        if (length == 0 || as_text_is_control((char)*at)) {
            return false;
        }
        at += length;
    }
    return true;
}

bool as_credentials_is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        size_t length = measure_character(at);

        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* Returns whether a directory takes so many octets: what is too long for it ends the connection, as an outage would. */
static bool is_short(const char *text)
{
    return strnlen(text, AS_CREDENTIAL_MAX + 1) <= AS_CREDENTIAL_MAX;
}

as_outcome as_credentials_check(const char *user, const char *password)
{
    if (user == NULL || *user == '\0' || !is_short(user) || !is_readable(user)) {
        return AS_OUTCOME_MALFORMED_CREDENTIALS;
    }
    if (password == NULL || *password == '\0') {
        return AS_OUTCOME_EMPTY_PASSWORD;
    }
    return is_short(password) && is_readable(password) ? AS_OUTCOME_GRANTED : AS_OUTCOME_MALFORMED_CREDENTIALS;
}

/* Decodes the value and finds the colon; one octet of the buffer is reserved for the NUL. *length: of the decoded
 * octets. */
static bool divide(const char *value, char *buffer, size_t size, size_t *length, char **colon)
{
    if (size == 0 || !decode_base64(value, buffer, size - 1, length)) {
        return false;
    }
    buffer[*length] = '\0';
    *colon = memchr(buffer, ':', *length);
    return *colon != NULL;
}

as_outcome as_credentials_read(const char *header, char *buffer, size_t size, const char **user, const char **password)
{
    *user = NULL;
    *password = NULL;
    const char *value = header == NULL ? NULL : find_basic_value(header);
    if (value == NULL) {
        return AS_OUTCOME_NO_CREDENTIALS;
    }
    char *colon = NULL;
    size_t length = 0;
    as_outcome outcome = AS_OUTCOME_MALFORMED_CREDENTIALS;
    if (divide(value, buffer, size, &length, &colon) && strlen(buffer) == length) {
        *colon = '\0';
        outcome = as_credentials_check(buffer, colon + 1);
    }
    if (outcome != AS_OUTCOME_GRANTED) {
        wipe(buffer, size);
        return outcome;
    }
    *user = buffer;
    *password = colon + 1;
    return AS_OUTCOME_GRANTED;
}

as_outcome as_credentials_find(const char *header, char *buffer, size_t size)
{
    const char *value = header == NULL ? NULL : find_basic_value(header);
    char *colon = NULL;
    size_t length = 0;
    bool found = value != NULL && divide(value, buffer, size, &length, &colon);
    wipe(buffer, size);
    if (value == NULL) {
        return AS_OUTCOME_NO_CREDENTIALS;
    }
    return found ? AS_OUTCOME_GRANTED : AS_OUTCOME_MALFORMED_CREDENTIALS;
}

bool as_credentials_is_canonical(const char *header)
{
    static const char scheme[] = "Basic ";
    if (strncmp(header, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *at = header + sizeof scheme - 1;
    size_t digits = 0;
    while (decode_digit(at[digits]) >= 0) {
        digits++;
    }
    /* For each incomplete group: its padding, and the bits of the last digit that exceed whole octets. */
    static const struct {
        const char *padding;
        int beyond;
    } ends[] = {{"", 0}, {NULL, 0}, {"==", 15}, {"=", 3}};
    const char *padding = ends[digits % 4].padding;
    return digits > 0 && padding && strcmp(at + digits, padding) == 0 &&
           (decode_digit(at[digits - 1]) & ends[digits % 4].beyond) == 0;
}
