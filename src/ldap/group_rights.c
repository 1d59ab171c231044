/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds groups that an account may see, but whose members it may not search: a search for a member does not find them,
 * and reports no error. They are the groups that a search for the presence of members does not find, less the empty
 * ones: a compare distinguishes these. A group may have members in two attributes, of which one may be searched: to
 * what may not be searched, presence and its negation are both undefined (RFC 4511 4.5.1.7).
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "core/text.h"

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

/* Makes (|(a=*)(!(a=*)))(|(b=*)(!(b=*)))...: true of an entry all of whose attributes may be searched. */
static const char *make_known_filter(const char *const *attributes, apr_pool_t *pool)
{
    const char *filter = "";

    for (; *attributes; attributes++) {
        filter = apr_pstrcat(pool, filter, "(|(", *attributes, "=*)(!(", *attributes, "=*)))", NULL);
    }
    return filter;
}

/* Finds entries. Returns false without an answer. *found is NULL if there are more than AS_GROUP_RIGHTS_MAX, or the
 * server sends no more. */
static bool find(as_group_query *query, const char *base, const char *filter, apr_array_header_t **found,
                 as_reply *reply)
{
    const as_search search = {.base = base,
                              .scope = LDAP_SCOPE_SUBTREE,
                              .filter = filter,
                              .attributes = as_no_attributes,
                              .limit = AS_GROUP_RIGHTS_MAX + 1,
                              .found = apr_array_make(query->pool, 16, sizeof(as_found))};
    const as_operation operation = {.search = &search};

    *found = NULL;
    as_operation_run(query, &operation, reply);
    if (reply->failure != AS_FAILURE_NONE || reply->step != AS_STEP_SEARCH) {
        return false;
    }
    if (reply->code == LDAP_NO_SUCH_OBJECT ||
        (reply->code == LDAP_SUCCESS && search.found->nelts <= AS_GROUP_RIGHTS_MAX)) {
        *found = search.found;
        return true;
    }
    return reply->code == LDAP_SUCCESS || reply->code == LDAP_SIZELIMIT_EXCEEDED ||
           reply->code == LDAP_ADMINLIMIT_EXCEEDED;
}

/* Returns whether a compare says that the attribute has no values, or none that could be a member. One that a search
 * for any value does not find, and that has values to compare, may not be searched (RFC 4511 4.10). */
static bool is_empty(int code)
{
    return code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_UNDEFINED_TYPE || code == LDAP_INAPPROPRIATE_MATCHING ||
           code == LDAP_INVALID_SYNTAX;
}

/* Compares each of the groups, with each attribute, in one round trip. Adds those whose members may not be searched,
 * though they have some or may have. */
static bool compare_batch(as_group_query *query, const char *const *groups, int group_count,
                          const char *const *attributes, apr_array_header_t *hidden, as_reply *reply)
{
    const int attribute_count = as_text_count(attributes);
    const char *dns[AS_GROUP_ATTRIBUTES_MAX], *names[AS_GROUP_ATTRIBUTES_MAX];
    int codes[AS_GROUP_ATTRIBUTES_MAX] = {0}, count = 0, group, i;
    /* No group is within itself: its own DN is a value that no search can have found. */
    const as_compare compare = {
        .dns = dns, .attributes = names, .values = dns, .count = group_count * attribute_count, .codes = codes};
    const as_operation operation = {.compare = &compare};

    for (group = 0; group < group_count; group++) {
        for (i = 0; i < attribute_count; i++) {
            dns[count] = groups[group];
            names[count++] = attributes[i];
        }
    }
    as_operation_run(query, &operation, reply);
    if (reply->failure != AS_FAILURE_NONE || reply->step != AS_STEP_SEARCH || as_reply_is_outage(reply)) {
        return false;
    }
    for (group = 0; group < group_count; group++) {
        bool is = false;

        for (i = 0; i < attribute_count; i++) {
            is = is || !is_empty(codes[group * attribute_count + i]);
        }
        if (is) {
            APR_ARRAY_PUSH(hidden, const char *) = groups[group];
        }
    }
    return true;
}

/* Compares the groups, as many at once as may be. Returns false without an answer. */
static bool compare_all(as_group_query *query, const apr_array_header_t *groups, const char *const *attributes,
                        apr_array_header_t *hidden, as_reply *reply)
{
    const int count = as_text_count(attributes), most = count > 0 ? AS_GROUP_ATTRIBUTES_MAX / count : groups->nelts;
    int from;

    for (from = 0; count > 0 && from < groups->nelts; from += most) {
        const int left = groups->nelts - from;

        if (!compare_batch(query, (const char *const *)groups->elts + from, left < most ? left : most, attributes,
                           hidden, reply)) {
            return false;
        }
    }
    return true;
}

/* Returns those of `all` that are not among `seen`. */
static apr_array_header_t *find_rest(const apr_array_header_t *all, const apr_array_header_t *seen, apr_pool_t *pool)
{
    apr_array_header_t *rest = apr_array_make(pool, 4, sizeof(const char *));
    apr_hash_t *names = apr_hash_make(pool);
    int i;

    for (i = 0; i < seen->nelts; i++) {
        apr_hash_set(names, APR_ARRAY_IDX(seen, i, as_found).dn, APR_HASH_KEY_STRING, "");
    }
    for (i = 0; i < all->nelts; i++) {
        const char *dn = APR_ARRAY_IDX(all, i, as_found).dn;

        if (!apr_hash_get(names, dn, APR_HASH_KEY_STRING)) {
            APR_ARRAY_PUSH(rest, const char *) = dn;
        }
    }
    return rest;
}

static const char *make_key(const as_group_query *query, const char *base, const char *filter)
{
    return apr_pstrcat(query->pool, "hidden\n", as_group_make_viewer_key(query), base, "\n", filter, NULL);
}

/* The groups of a base, and those of them whose members may be searched. */
typedef struct as_rights_search {
    const char *base, *of_class, *searchable; /* filters */
    const char *const *attributes;            /* of members */
} as_rights_search;

/* Finds out, by queries. Returns false without an answer. *found is NULL beyond the bounds. */
static bool query_hidden(as_group_query *query, const as_rights_search *search, apr_array_header_t **found,
                         as_reply *reply)
{
    apr_array_header_t *all, *seen = NULL, *rest, *hidden = apr_array_make(query->pool, 4, sizeof(const char *));

    *found = NULL;
    if (!find(query, search->base, search->of_class, &all, reply) ||
        (all && !find(query, search->base, search->searchable, &seen, reply))) {
        return false;
    }
    rest = seen ? find_rest(all, seen, query->pool) : NULL;
    if (!rest || rest->nelts > AS_GROUP_EMPTY_MAX ||
        (rest->nelts > 0 && as_text_count(search->attributes) > AS_GROUP_ATTRIBUTES_MAX)) {
        return true;
    }
    *found = hidden;
    return compare_all(query, rest, search->attributes, hidden, reply);
}

bool as_group_find_hidden(as_group_query *query, const char *base, const char *const *classes,
                          const char *const *attributes, const char *const **hidden, as_reply *reply)
{
    const char *of_class = make_any_filter("objectClass", classes, query->pool),
               *has_member = make_any_filter(NULL, attributes, query->pool);
    apr_array_header_t *found;
    const char *filter, *key;
    as_group_facts facts;

    as_reply_clear(reply);
    if (!of_class || !has_member) {
        as_reply_fail(reply, AS_STEP_SEARCH, AS_FAILURE_LOCAL, "no memory");
        return false;
    }
    filter =
        apr_pstrcat(query->pool, "(&", of_class, has_member, make_known_filter(attributes, query->pool), ")", NULL);
    key = make_key(query, base, filter);
    as_facts_get(query->entered->facts, key, &facts, query->pool);
    if (facts.described) {
        *hidden = facts.exists ? facts.classes : NULL;
        return true;
    }
    if (!query_hidden(query, &(as_rights_search){base, of_class, filter, attributes}, &found, reply)) {
        return false;
    }
    memset(&facts, 0, sizeof(facts));
    facts.exists = found != NULL;
    found = found ? found : apr_array_make(query->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(found, const char *) = NULL;
    facts.dn = base;
    facts.classes = (const char *const *)found->elts;
    as_facts_note_described(query->entered->facts, key, &facts);
    *hidden = facts.exists ? facts.classes : NULL;
    return true;
}
