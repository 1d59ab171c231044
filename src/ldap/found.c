/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of a search with all values of their attributes, binary ones too, copied and bounded.
 */
#include "ldap_private.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

/* Returns the index of the attribute `name`, or of the attribute that it is a range of ("memberOf;range=0-1499");
 * -1: not requested. */
static int find_index(const as_search *search, const char *name, bool *is_part)
{
    size_t length = strcspn(name, ";");
    int i;

    *is_part = strncasecmp(name + length, ";range=", 7) == 0;
    for (i = 0; i < search->attribute_count; i++) {
        const char *wanted = search->attributes[i];

        if (strlen(wanted) == length && strncasecmp(wanted, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

static void add_values(as_found_values *to, struct berval **values, apr_pool_t *pool)
{
    int count = ldap_count_values_len(values), i;
    as_found_value *copies = apr_pcalloc(pool, ((size_t)to->count + (size_t)count) * sizeof(*copies) + 1);

    if (to->count > 0) {
        memcpy(copies, to->values, (size_t)to->count * sizeof(*copies));
    }
    to->values = copies;
    for (i = 0; i < count; i++) {
        if (values[i]->bv_len > AS_MAX_VALUE) {
            to->is_part = true;
            continue;
        }
        copies[to->count].octets = apr_pstrmemdup(pool, values[i]->bv_val, values[i]->bv_len);
        copies[to->count++].length = values[i]->bv_len;
    }
}

static void add_attributes(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_found *found)
{
    BerElement *ber = NULL;
    char *name = ldap_first_attribute(ld, entry, &ber);

    while (name) {
        bool is_part;
        int index = find_index(search, name, &is_part);

        if (index >= 0) {
            struct berval **values = ldap_get_values_len(ld, entry, name);

            found->attributes[index].is_part |= is_part;
            add_values(&found->attributes[index], values, pool);
            ldap_value_free_len(values);
        }
        ldap_memfree(name);
        name = ldap_next_attribute(ld, entry, ber);
    }
    ber_free(ber, 0);
}

bool as_found_add(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_reply *reply)
{
    char *dn = ldap_get_dn(ld, entry);
    as_found *found;

    if (!dn || strlen(dn) > AS_MAX_VALUE) {
        ldap_memfree(dn);
        return false;
    }
    found = apr_array_push(search->found);
    found->dn = apr_pstrdup(pool, dn);
    found->attributes = apr_pcalloc(pool, ((size_t)search->attribute_count + 1) * sizeof(*found->attributes));
    ldap_memfree(dn);
    add_attributes(ld, entry, search, pool, found);
    reply->entries = search->found->nelts > 1 ? 2 : 1;
    return true;
}

const char *const *as_found_get_texts(const as_found_values *values, apr_pool_t *pool, int *count)
{
    const char **texts = apr_pcalloc(pool, ((size_t)values->count + 1) * sizeof(*texts));
    int i;

    *count = 0;
    for (i = 0; i < values->count; i++) {
        if (strlen(values->values[i].octets) == values->values[i].length) {
            texts[(*count)++] = values->values[i].octets;
        }
    }
    return texts;
}

const char *as_found_get_first_text(const as_found_values *values)
{
    return values->count > 0 && strlen(values->values[0].octets) == values->values[0].length ? values->values[0].octets
                                                                                             : NULL;
}
