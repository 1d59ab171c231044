/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries about groups: their requests, and the useful part of the answers.
 */
#include "ldap_private.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "authstatus/dn.h"
#include "core/text.h"

/* MS-ADTS 3.1.1.3.4.3.1 (LDAP_CAP_ACTIVE_DIRECTORY_OID), 2.2.12 (groupType) */
#define OID_ACTIVE_DIRECTORY "1.2.840.113556.1.4.800"
#define GROUP_TYPE_SECURITY 0x80000000U
#define GROUP_TYPE_UNIVERSAL 0x00000008U

#define ANY "(objectClass=*)"

const char *const as_no_attributes[] = {LDAP_NO_ATTRS, NULL};

/* ---- one search ---- */

static as_search make_base_search(const as_group_query *query, const char *dn, const char *filter,
                                  const char *const *attributes)
{
    as_search search = {.base = dn,
                        .scope = LDAP_SCOPE_BASE,
                        .filter = filter,
                        .attributes = attributes,
                        .attribute_count = as_text_count(attributes),
                        .limit = 2,
                        .found = apr_array_make(query->pool, 1, sizeof(as_found))};

    return search;
}

static bool has_answer(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH;
}

/* Makes a base search. *found is the entry, NULL if there is none, or it does not match. */
static bool look_at(as_group_query *query, const as_search *search, const as_found **found, as_reply *reply)
{
    const as_operation operation = {.search = search};

    *found = NULL;
    as_operation_run(query, &operation, reply);
    if (!has_answer(reply) || (reply->code != LDAP_SUCCESS && reply->code != LDAP_NO_SUCH_OBJECT)) {
        return false;
    }
    if (reply->code == LDAP_SUCCESS && search->found->nelts > 0) {
        *found = &APR_ARRAY_IDX(search->found, 0, as_found);
    }
    return true;
}

const char *as_group_escape(const char *value, apr_pool_t *pool)
{
    struct berval plain = {strlen(value), (char *)(intptr_t)value}, escaped = {0, NULL};
    const char *copy;

    if (plain.bv_len == 0) {
        return "";
    }
    if (ldap_bv2escaped_filter_value(&plain, &escaped) != 0) {
        return NULL;
    }
    copy = apr_pstrmemdup(pool, escaped.bv_val, escaped.bv_len);
    if (escaped.bv_val != plain.bv_val) {
        ber_memfree(escaped.bv_val);
    }
    return copy;
}

/* ---- the server ---- */

static const char *const *normalize_contexts(const as_found_values *values, apr_pool_t *pool)
{
    const char **contexts = apr_pcalloc(pool, ((size_t)values->count + 1) * sizeof(*contexts));
    char normal[AS_DN_MAX];
    int i, count = 0;

    for (i = 0; i < values->count; i++) {
        if (as_dn_normalize(values->values[i].octets, values->values[i].length, normal, NULL)) {
            contexts[count++] = apr_pstrdup(pool, normal);
        }
    }
    return contexts;
}

static bool has_value(const as_found_values *values, const char *wanted)
{
    int i;

    for (i = 0; i < values->count; i++) {
        if (strcmp(values->values[i].octets, wanted) == 0) {
            return true;
        }
    }
    return false;
}

bool as_group_get_server(as_group_query *query, as_server_facts *facts, as_reply *reply)
{
    static const char *const attributes[] = {"supportedCapabilities", "namingContexts", NULL};
    static const char *const none[] = {NULL};
    const as_search search = make_base_search(query, "", ANY, attributes);
    const as_found *found;

    as_reply_clear(reply);
    if (as_facts_get_server(query->entered->facts, facts, query->pool)) {
        return true;
    }
    facts->is_ad = false;
    facts->contexts = none;
    if (!look_at(query, &search, &found, reply)) {
        /* An unreadable rootDSE reports nothing. */
        return has_answer(reply) && (reply->code == LDAP_INSUFFICIENT_ACCESS || reply->code == LDAP_INAPPROPRIATE_AUTH);
    }
    if (found) {
        facts->is_ad = has_value(&found->attributes[0], OID_ACTIVE_DIRECTORY);
        facts->contexts = normalize_contexts(&found->attributes[1], query->pool);
    }
    as_facts_put_server(query->entered->facts, facts);
    return true;
}

/* ---- one group ---- */

const char *as_group_make_viewer_key(const as_group_query *query)
{
    return apr_psprintf(query->pool, "%d\n%s\n", query->entered->settings->deref, query->user ? query->user->dn : "");
}

/* Makes the key of a fact: a group, the attributes of its members, and who sees it. */
static const char *make_key(const as_group_query *query, const char *dn, const char *const *attributes)
{
    const char *key = apr_pstrcat(query->pool, as_group_make_viewer_key(query), dn, NULL);

    for (; attributes && *attributes; attributes++) {
        key = apr_pstrcat(query->pool, key, "\n", *attributes, NULL);
    }
    return key;
}

void as_group_get_facts(const as_group_query *query, const char *dn, const char *const *attributes,
                        as_group_facts *facts)
{
    as_facts_get(query->entered->facts, make_key(query, dn, attributes), facts, query->pool);
}

void as_group_note_comparable(const as_group_query *query, const char *dn, const char *const *attributes)
{
    as_facts_note_comparable(query->entered->facts, make_key(query, dn, attributes));
}

/* Makes a filter for the presence of any of the attributes. */
static const char *make_presence_filter(const char *const *attributes, apr_pool_t *pool)
{
    const char *filter = "(|";

    for (; *attributes; attributes++) {
        filter = apr_pstrcat(pool, filter, "(", *attributes, "=*)", NULL);
    }
    return apr_pstrcat(pool, filter, ")", NULL);
}

static void describe(const as_found *found, apr_pool_t *pool, as_group_facts *facts)
{
    const as_found_values *sid = &found->attributes[1];
    const char *type = as_found_get_first_text(&found->attributes[2]);
    int count;

    facts->exists = true;
    facts->dn = found->dn;
    facts->classes = as_found_get_texts(&found->attributes[0], pool, &count);
    facts->has_type = type != NULL;
    facts->is_security_group = type && ((uint32_t)apr_atoi64(type) & GROUP_TYPE_SECURITY);
    facts->is_universal_group = type && ((uint32_t)apr_atoi64(type) & GROUP_TYPE_UNIVERSAL);
    if (sid->count == 1) {
        as_sid_read((const unsigned char *)sid->values[0].octets, sid->values[0].length, &facts->sid);
    }
}

bool as_group_describe(as_group_query *query, const char *dn, const char *const *attributes, as_group_facts *facts,
                       as_reply *reply)
{
    static const char *const wanted[] = {"objectClass", "objectSid", "groupType", NULL};
    as_search search = make_base_search(query, dn, ANY, wanted);
    const as_found *found = NULL;

    memset(facts, 0, sizeof(*facts));
    if (attributes) {
        search.filter = make_presence_filter(attributes, query->pool);
        if (!look_at(query, &search, &found, reply)) {
            return false;
        }
        facts->searchable = found != NULL;
        search.filter = ANY;
    }
    if (!found && !(attributes && reply->code == LDAP_NO_SUCH_OBJECT) && !look_at(query, &search, &found, reply)) {
        return false;
    }
    facts->described = facts->fresh = true;
    if (found) {
        describe(found, query->pool, facts);
        as_facts_note_described(query->entered->facts, make_key(query, dn, attributes), facts);
    }
    return true;
}

bool as_group_compare(as_group_query *query, const as_compare *compare, as_reply *reply)
{
    const as_operation operation = {.compare = compare};

    as_operation_run(query, &operation, reply);
    return has_answer(reply) && !as_reply_is_outage(reply);
}

/* ---- upwards ---- */

static void add_clauses(apr_array_header_t *parts, const char *const *attributes, const char *value)
{
    for (; *attributes; attributes++) {
        APR_ARRAY_PUSH(parts, const char *) = "(";
        APR_ARRAY_PUSH(parts, const char *) = *attributes;
        APR_ARRAY_PUSH(parts, const char *) = "=";
        APR_ARRAY_PUSH(parts, const char *) = value;
        APR_ARRAY_PUSH(parts, const char *) = ")";
    }
}

/* Makes (&(|(objectClass=a)(objectClass=b))(|(member=x)(uniqueMember=x)...)); NULL without memory. */
static const char *level_filter(const as_group_level *level, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 64, sizeof(const char *));
    static const char *const object_class[] = {"objectClass", NULL};
    int i;

    APR_ARRAY_PUSH(parts, const char *) = "(&(|";
    for (i = 0; level->classes[i]; i++) {
        const char *class = as_group_escape(level->classes[i], pool);

        if (!class) {
            return NULL;
        }
        add_clauses(parts, object_class, class);
    }
    APR_ARRAY_PUSH(parts, const char *) = ")(|";
    for (i = 0; i < level->value_count; i++) {
        const char *value = as_group_escape(level->values[i], pool);

        if (!value) {
            return NULL;
        }
        add_clauses(parts, level->attributes, value);
    }
    APR_ARRAY_PUSH(parts, const char *) = "))";
    return apr_array_pstrcat(pool, parts, '\0');
}

bool as_group_search(as_group_query *query, const as_group_level *level, const char *const **groups, int *count,
                     as_reply *reply)
{
    const as_search search = {.base = level->base,
                              .scope = LDAP_SCOPE_SUBTREE,
                              .filter = level_filter(level, query->pool),
                              .attributes = as_no_attributes,
                              .limit = level->limit + 1,
                              .found = apr_array_make(query->pool, 16, sizeof(as_found))};
    const as_operation operation = {.search = &search};
    const char **dns;
    int i;

    *groups = NULL;
    *count = 0;
    if (!search.filter) {
        as_reply_clear(reply);
        as_reply_fail(reply, AS_STEP_SEARCH, AS_FAILURE_LOCAL, "no memory");
        return false;
    }
    as_operation_run(query, &operation, reply);
    if (!has_answer(reply) || (reply->code != LDAP_SUCCESS &&
                               !(reply->code == LDAP_SIZELIMIT_EXCEEDED && search.found->nelts > level->limit))) {
        return false;
    }
    dns = apr_pcalloc(query->pool, ((size_t)search.found->nelts + 1) * sizeof(*dns));
    for (i = 0; i < search.found->nelts; i++) {
        dns[i] = APR_ARRAY_IDX(search.found, i, as_found).dn;
    }
    *groups = dns;
    *count = search.found->nelts;
    return true;
}

/* ---- Active Directory, and memberOf ---- */

/* What one user has seen is stored like facts of groups. */
bool as_group_was_member_of_seen(const as_group_query *query, as_viewer viewer)
{
    as_group_facts seen;

    if (viewer != AS_VIEWER_USER) {
        return as_facts_has_seen_member_of(query->entered->facts, viewer);
    }
    as_facts_get(query->entered->facts, make_key(query, "memberOf", NULL), &seen, query->pool);
    return seen.comparable;
}

void as_group_note_member_of(const as_group_query *query, as_viewer viewer)
{
    if (viewer != AS_VIEWER_USER) {
        as_facts_note_member_of(query->entered->facts, viewer);
    } else {
        as_facts_note_comparable(query->entered->facts, make_key(query, "memberOf", NULL));
    }
}

/* An entry is stored like facts of groups: no group has such a DN. */
static const char *make_key_of_entry(const as_group_query *query, const char *user_dn)
{
    return make_key(query, apr_pstrcat(query->pool, "unreadable entry ", user_dn, NULL), NULL);
}

bool as_group_have_ad_ways_failed(const as_group_query *query, const char *user_dn)
{
    as_group_facts facts;

    as_facts_get(query->entered->facts, make_key_of_entry(query, user_dn), &facts, query->pool);
    return facts.comparable || as_facts_have_ad_ways_failed(query->entered->facts);
}

void as_group_note_ad_ways_failed(const as_group_query *query, const char *user_dn)
{
    if (user_dn) {
        as_facts_note_comparable(query->entered->facts, make_key_of_entry(query, user_dn));
    } else {
        as_facts_note_ad_ways_failed(query->entered->facts);
    }
}

bool as_group_get_membership(as_group_query *query, const char *user_dn, as_membership *membership, as_reply *reply)
{
    const as_search search = make_base_search(query, user_dn, ANY, as_membership_attributes);
    static const char *const none[] = {NULL};
    const as_found *found;

    memset(membership, 0, sizeof(*membership));
    membership->groups = none;
    if (!look_at(query, &search, &found, reply)) {
        return false;
    }
    if (found) {
        as_membership_read(found->attributes, query->pool, membership);
    }
    membership->viewer = query->user ? AS_VIEWER_USER : AS_VIEWER_SERVICE;
    return true;
}

bool as_group_test_chain(as_group_query *query, const char *user_dn, const char *group_dn, bool *is, as_reply *reply)
{
    const char *value = as_group_escape(group_dn, query->pool);

    *is = false;
    return as_group_test_filter(
        query, user_dn, apr_pstrcat(query->pool, "(memberOf:" AS_RULE_IN_CHAIN ":=", value ? value : "(", ")", NULL),
        is, reply);
}

bool as_group_get_tokens(as_group_query *query, const char *user_dn, const as_sid **sids, int *count, as_reply *reply)
{
    static const char *const attributes[] = {"tokenGroups", NULL};
    const as_search search = make_base_search(query, user_dn, ANY, attributes);
    const as_found *found;
    as_sid *read;
    int i;

    *sids = NULL;
    *count = 0;
    if (!look_at(query, &search, &found, reply)) {
        return false;
    }
    if (!found || found->attributes[0].is_part) {
        return true;
    }
    read = apr_pcalloc(query->pool, ((size_t)found->attributes[0].count + 1) * sizeof(*read));
    for (i = 0; i < found->attributes[0].count; i++) {
        const as_found_value *value = &found->attributes[0].values[i];

        if (!as_sid_read((const unsigned char *)value->octets, value->length, &read[i])) {
            return true; /* an unreadable value may be the wanted one: trust none */
        }
    }
    *sids = read;
    *count = found->attributes[0].count;
    return true;
}

bool as_group_get_allowed_attributes(as_group_query *query, const char *dn, const char *const **names, int *count,
                                     as_reply *reply)
{
    static const char *const attributes[] = {"allowedAttributes", NULL};
    const as_search search = make_base_search(query, dn, ANY, attributes);
    const as_found *found;

    *names = NULL;
    *count = 0;
    if (!look_at(query, &search, &found, reply)) {
        return false;
    }
    if (found && !found->attributes[0].is_part) {
        *names = as_found_get_texts(&found->attributes[0], query->pool, count);
    }
    return true;
}

/* ---- other lines ---- */

bool as_group_test_filter(as_group_query *query, const char *dn, const char *filter, bool *does, as_reply *reply)
{
    const as_search search = make_base_search(query, dn, filter, as_no_attributes);
    const as_found *found;

    *does = false;
    if (!look_at(query, &search, &found, reply)) {
        return false;
    }
    *does = found != NULL;
    return true;
}

bool as_group_count_entries(as_group_query *query, const char *filter, int *entries, as_reply *reply)
{
    const as_directory_settings *settings = query->entered->settings;
    const as_search search = {.base = settings->base,
                              .scope = settings->scope,
                              .filter = filter,
                              .attributes = as_no_attributes,
                              .limit = 2,
                              .found = apr_array_make(query->pool, 2, sizeof(as_found))};
    const as_operation operation = {.search = &search};

    *entries = 0;
    as_operation_run(query, &operation, reply);
    if (!has_answer(reply) || (reply->code != LDAP_SUCCESS && reply->code != LDAP_SIZELIMIT_EXCEEDED)) {
        return false;
    }
    *entries = search.found->nelts > 1 || reply->code == LDAP_SIZELIMIT_EXCEEDED ? 2 : search.found->nelts;
    return true;
}
