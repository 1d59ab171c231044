/* SPDX-License-Identifier: Apache-2.0
 *
 * A search whose filter lost a part would match the wrong entries. Where it has no memory for a part of a filter,
 * libldap (2.5 and 2.6) omits that part and sends the rest: so each search is checked before it is sent.
 *
 *     LDAPMessage ::= SEQUENCE { messageID INTEGER, searchRequest [APPLICATION 3] SEQUENCE {      RFC 4511 4.5.1
 *         baseObject, scope, derefAliases, sizeLimit, timeLimit, typesOnly, filter Filter, ... } }
 *     Filter ::= CHOICE { and [0], or [1], not [2], and others, which contain no filters }
 */
#include "ldap_private.h"

#include <string.h>

#define TAG_SEARCH 0x63
#define TAG_AND 0xa0
#define TAG_NOT 0xa2
#define FIELDS_BEFORE 6
#define DEEPEST 100

typedef struct ber {
    const unsigned char *at;
    size_t left;
} ber;

/* Reads the next element, of definite length (RFC 4511 5.1). */
static bool take(ber *from, unsigned char *tag, ber *contents)
{
    size_t length, octets = 0, i;

    if (from->left < 2) {
        return false;
    }
    *tag = from->at[0];
    length = from->at[1];
    if (length >= 0x80) {
        octets = length & 0x7fU;
        length = 0;
        for (i = 0; octets <= 4 && i < octets && i + 2 < from->left; i++) {
            length = length << 8 | from->at[2 + i];
        }
    }
    if (octets > 4 || from->left - 2 < octets || from->left - 2 - octets < length) {
        return false;
    }
    contents->at = from->at + 2 + octets;
    contents->left = length;
    from->at = contents->at + length;
    from->left -= 2 + octets + length;
    return true;
}

/* Counts the tests of an encoded filter other than and, or, not. Returns false for a malformed filter. */
static bool count_encoded(ber filters, int depth, size_t *tests)
{
    unsigned char tag;
    ber contents;

    while (filters.left > 0) {
        if (depth > DEEPEST || !take(&filters, &tag, &contents)) {
            return false;
        }
        if (tag < TAG_AND || tag > TAG_NOT) {
            ++*tests;
        } else if (!count_encoded(contents, depth + 1, tests)) {
            return false;
        }
    }
    return true;
}

/* Counts the tests in the text of a filter, RFC 4515 3, where libldap also accepts a backslash before a parenthesis
 * in a value. */
static size_t count_written(const char *filter)
{
    size_t tests = 0;

    if (*filter != '(') {
        return 1;
    }
    for (; *filter; filter++) {
        if (*filter == '\\' && filter[1]) {
            filter++;
        } else if (*filter == '(') {
            filter += 1 + strspn(filter + 1, " ");
            tests += !strchr("&|!", *filter);
            filter--;
        }
    }
    return tests;
}

bool as_filter_is_whole(const unsigned char *message, size_t length, const char *filter)
{
    ber all = {message, length}, sequence, request, contents, filters;
    unsigned char tag;
    size_t tests = 0;
    int i;

    if (!take(&all, &tag, &sequence) || !take(&sequence, &tag, &contents) || !take(&sequence, &tag, &request) ||
        tag != TAG_SEARCH) {
        return false;
    }
    for (i = 0; i < FIELDS_BEFORE; i++) {
        if (!take(&request, &tag, &contents)) {
            return false;
        }
    }
    filters.at = request.at;
    if (!take(&request, &tag, &contents)) {
        return false;
    }
    filters.left = (size_t)(request.at - filters.at);
    return count_encoded(filters, 0, &tests) && tests == count_written(filter);
}
