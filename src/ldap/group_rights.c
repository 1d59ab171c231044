/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds groups that an account may see, but whose members it may not search: a search for a member does not find them,
 * and reports no error. They are the groups that a search for the presence of members does not find, less the empty
 * ones: a compare distinguishes these.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

static const char *const no_attributes[] = {LDAP_NO_ATTRS, NULL};

/* (|(name=a)(name=b)...), or with a presence of each name. NULL without memory. */
static const char *make_any_filter(const char *name, const char *const *texts, apr_pool_t *pool)
{
    const char *filter = "(|";

    for (; *texts; texts++) {
        const char *text = name ? as_group_escape(*texts, pool) : *texts;

        if (!text) {
            return NULL;
        }
        filter = apr_pstrcat(pool, filter, "(", name ? name : text, "=", name ? text : "*", ")", NULL);
    }
    return apr_pstrcat(pool, filter, ")", NULL);
}

/* False: no answer. NULL in *found: there are more than are looked at, or the server sends no more. */
static bool find(as_group_query *query, const char *base, const char *filter, apr_array_header_t **found,
                 as_reply *reply)
{
    const as_search search = {.base = base,
                              .scope = LDAP_SCOPE_SUBTREE,
                              .filter = filter,
                              .attributes = no_attributes,
                              .limit = AS_GROUP_RIGHTS_MAX + 1,
                              .found = apr_array_make(query->pool, 16, sizeof(as_found))};
    const as_operation operation = {.search = &search};

    *found = NULL;
    as_operation_run(query, &operation, reply);
    if (reply->failure != AS_FAILURE_NONE || reply->step != AS_STEP_SEARCH) {
        return false;
    }
    if (reply->code == LDAP_SUCCESS && search.found->nelts <= AS_GROUP_RIGHTS_MAX) {
        *found = search.found;
    }
    return reply->code == LDAP_SUCCESS || reply->code == LDAP_SIZELIMIT_EXCEEDED ||
           reply->code == LDAP_ADMINLIMIT_EXCEEDED || reply->code == LDAP_NO_SUCH_OBJECT;
}

/* Returns whether a compare says that the attribute has no values, or none that could be a member. One that a search
 * for any value does not find, and that has values to compare, may not be searched (RFC 4511 4.10). */
static bool is_empty(int code)
{
    return code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_UNDEFINED_TYPE || code == LDAP_INAPPROPRIATE_MATCHING ||
           code == LDAP_INVALID_SYNTAX;
}

/* Finds out whether the members of a group may not be searched, though it has some or may have. */
static bool is_hidden(as_group_query *query, const char *dn, const char *const *attributes, bool *is, as_reply *reply)
{
    const char *values[AS_GROUP_ATTRIBUTES_MAX];
    int codes[AS_GROUP_ATTRIBUTES_MAX] = {0}, count, i;

    *is = false;
    for (count = 0; count < AS_GROUP_ATTRIBUTES_MAX && attributes[count]; count++) {
        values[count] = dn;
    }
    if (!as_group_compare(query, dn, attributes, values, count, codes, reply)) {
        return false;
    }
    for (i = 0; i < count; i++) {
        *is = *is || !is_empty(codes[i]);
    }
    return true;
}

/* Those of `all` that are not among `seen`, and not empty. */
static bool pick(as_group_query *query, const apr_array_header_t *all, const apr_array_header_t *seen,
                 const char *const *attributes, apr_array_header_t *hidden, as_reply *reply)
{
    apr_hash_t *names = apr_hash_make(query->pool);
    int i;

    for (i = 0; i < seen->nelts; i++) {
        apr_hash_set(names, APR_ARRAY_IDX(seen, i, as_found).dn, APR_HASH_KEY_STRING, "");
    }
    for (i = 0; i < all->nelts; i++) {
        const char *dn = APR_ARRAY_IDX(all, i, as_found).dn;
        bool is = false;

        if (!apr_hash_get(names, dn, APR_HASH_KEY_STRING) && !is_hidden(query, dn, attributes, &is, reply)) {
            return false;
        }
        if (is) {
            APR_ARRAY_PUSH(hidden, const char *) = dn;
        }
    }
    return true;
}

static const char *make_key(const as_group_query *query, const char *base, const char *filter)
{
    return apr_pstrcat(query->pool, "hidden\n", query->user ? query->user->dn : "", "\n", base, "\n", filter, NULL);
}

bool as_group_find_hidden(as_group_query *query, const char *base, const char *const *classes,
                          const char *const *attributes, const char *const **hidden, as_reply *reply)
{
    const char *of_class = make_any_filter("objectClass", classes, query->pool),
               *has_member = make_any_filter(NULL, attributes, query->pool);
    apr_array_header_t *all, *seen, *found = apr_array_make(query->pool, 4, sizeof(const char *));
    const char *filter, *key;
    as_group_facts facts;

    as_reply_clear(reply);
    if (!of_class || !has_member) {
        as_reply_fail(reply, AS_STEP_SEARCH, AS_FAILURE_LOCAL, "no memory");
        return false;
    }
    filter = apr_pstrcat(query->pool, "(&", of_class, has_member, ")", NULL);
    key = make_key(query, base, filter);
    as_facts_get(query->entered->facts, key, &facts, query->pool);
    if (facts.described) {
        *hidden = facts.classes;
        return true;
    }
    if (!find(query, base, of_class, &all, reply) || (all && !find(query, base, filter, &seen, reply)) ||
        (all && seen && !pick(query, all, seen, attributes, found, reply))) {
        return false;
    }
    APR_ARRAY_PUSH(found, const char *) = NULL;
    *hidden = (const char *const *)found->elts;
    memset(&facts, 0, sizeof(facts));
    facts.exists = true;
    facts.dn = base;
    facts.classes = *hidden;
    as_facts_note_described(query->entered->facts, key, &facts);
    return true;
}
