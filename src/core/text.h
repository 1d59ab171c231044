/* SPDX-License-Identifier: Apache-2.0
 *
 * ASCII in every locale: <ctype.h> is not for octets that come from a network.
 */
#ifndef AUTHSTATUS_CORE_TEXT_H
#define AUTHSTATUS_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

static inline bool as_text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool as_text_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline char as_text_convert_to_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c - 'A' + 'a') : c;
}

static inline bool as_text_is_alnum(char c)
{
    char lower = as_text_convert_to_lower(c);
    return as_text_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

/* Control characters of ASCII (RFC 5234 B.1). */
static inline bool as_text_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Returns the value of a hexadecimal digit, -1 for any other octet. */
static inline int as_text_get_hex_value(char c)
{
    char lower = as_text_convert_to_lower(c);
    if (as_text_is_digit(c)) {
        return c - '0';
    }
    return (lower >= 'a' && lower <= 'f') ? lower - 'a' + 10 : -1;
}

/* Returns true for two strings that are equal except for the case of their letters. */
static inline bool as_text_is_equal(const char *a, const char *b)
{
    while (*a != '\0' && as_text_convert_to_lower(*a) == as_text_convert_to_lower(*b)) {
        a++;
        b++;
    }
    return as_text_convert_to_lower(*a) == as_text_convert_to_lower(*b);
}

/* Returns whether a text of this length is `lower`, which is in lower case, except for the case of its letters. */
static inline bool as_text_is_lower(const char *text, size_t length, const char *lower)
{
    size_t i;

    for (i = 0; i < length && as_text_convert_to_lower(text[i]) == lower[i]; i++) {
    }
    return i == length && lower[i] == '\0';
}

/* Returns whether a text has printable ASCII characters alone. */
static inline bool as_text_is_ascii(const char *text)
{
    while (*text >= ' ' && *text <= '~') {
        text++;
    }
    return *text == '\0';
}

/* Returns the number of texts in a list that NULL ends; NULL is an empty list. */
static inline int as_text_count(const char *const *texts)
{
    int count = 0;

    while (texts && texts[count]) {
        count++;
    }
    return count;
}

#endif
