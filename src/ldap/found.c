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
static int find_index(const as_search *search, const struct berval *name, bool *is_part)
{
    const char *options = memchr(name->bv_val, ';', name->bv_len);
    const size_t length = options ? (size_t)(options - name->bv_val) : name->bv_len;
    int i;

    *is_part = name->bv_len - length >= 7 && strncasecmp(name->bv_val + length, ";range=", 7) == 0;
    for (i = 0; i < search->attribute_count; i++) {
        const char *wanted = search->attributes[i];

        if (strlen(wanted) == length && strncasecmp(wanted, name->bv_val, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* Copies values, except those that are too long. */
static void add_values(apr_array_header_t *to, const struct berval *values, apr_pool_t *pool, bool *is_part)
{
    for (; values && values->bv_val; values++) {
        as_found_value *copy;

        if (values->bv_len > AS_MAX_VALUE) {
            *is_part = true;
            continue;
        }
        copy = apr_array_push(to);
        copy->octets = apr_pstrmemdup(pool, values->bv_val, values->bv_len);
        copy->length = values->bv_len;
    }
}

/* Reads the attributes of an entry in one pass: a search for each name would take the square of their number, which is
 * the server's choice. Returns false where one is unreadable. */
static bool read_attributes(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool,
                            as_found_values *found, apr_array_header_t **arrays)
{
    BerElement *ber = NULL;
    struct berval dn, name, *values = NULL;
    int code = ldap_get_dn_ber(ld, entry, &ber, &dn);

    while (code == LDAP_SUCCESS) {
        bool is_part;
        int index;

        code = ldap_get_attribute_ber(ld, entry, ber, &name, &values);
        if (code != LDAP_SUCCESS || !name.bv_val) {
            break;
        }
        index = find_index(search, &name, &is_part);
        if (index >= 0) {
            found[index].is_part |= is_part;
            add_values(arrays[index], values, pool, &found[index].is_part);
        }
        ber_memfree(values);
        values = NULL;
    }
    ber_free(ber, 0);
    return code == LDAP_SUCCESS;
}

static bool add_attributes(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_found *found)
{
    apr_array_header_t **arrays = apr_pcalloc(pool, ((size_t)search->attribute_count + 1) * sizeof(*arrays));
    bool is_read;
    int i;

    for (i = 0; i < search->attribute_count; i++) {
        arrays[i] = apr_array_make(pool, 4, sizeof(as_found_value));
    }
    is_read = read_attributes(ld, entry, search, pool, found->attributes, arrays);
    for (i = 0; i < search->attribute_count; i++) {
        found->attributes[i].values = (const as_found_value *)arrays[i]->elts;
        found->attributes[i].count = arrays[i]->nelts;
    }
    return is_read;
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
    if (!add_attributes(ld, entry, search, pool, found)) {
        return false;
    }
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
