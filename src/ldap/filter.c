/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters as libldap takes them. A search whose filter lost a part would match the wrong entries. Where it has no
 * memory for a part of a filter, libldap (2.5 and 2.6) omits that part and sends the rest: so each search is checked
 * before it is sent.
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

/* Counts the tests of an encoded filter other than and, or, not. Returns false for a malformed filter. */
static bool count_encoded(as_ber filters, int depth, size_t *tests)
{
    unsigned char tag;
    as_ber contents;

    while (filters.left > 0) {
        if (depth > DEEPEST || !as_ber_take(&filters, &tag, &contents)) {
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

bool as_filter_is_valid(const char *filter)
{
    LDAP *ld = NULL;
    struct berval encoded = {0, NULL};
    bool is = false;

    /* A control's value contains the same filter, and needs no connection. */
    if (*filter && ldap_create(&ld) == LDAP_SUCCESS) {
        is = ldap_create_assertion_control_value(ld, (char *)(intptr_t)filter, &encoded) == LDAP_SUCCESS;
        ber_memfree(encoded.bv_val);
        ldap_unbind_ext(ld, NULL, NULL);
    }
    return is;
}

bool as_filter_is_whole(const unsigned char *message, size_t length, const char *filter)
{
    as_ber all = {message, length}, sequence, request, contents, filters;
    unsigned char tag;
    size_t tests = 0;
    int i;

    if (!as_ber_take(&all, &tag, &sequence) || !as_ber_take(&sequence, &tag, &contents) ||
        !as_ber_take(&sequence, &tag, &request) || tag != TAG_SEARCH) {
        return false;
    }
    for (i = 0; i < FIELDS_BEFORE; i++) {
        if (!as_ber_take(&request, &tag, &contents)) {
            return false;
        }
    }
    filters.at = request.at;
    if (!as_ber_take(&request, &tag, &contents)) {
        return false;
    }
    filters.left = (size_t)(request.at - filters.at);
    return count_encoded(filters, 0, &tests) && tests == count_written(filter);
}
