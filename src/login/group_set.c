/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups of a user, found upwards: first the groups that have the user, then the groups that have these, level by
 * level. DNs as the LDAP server wrote them, each once, so that loops end. The set records how far it got, and continues
 * from there for the next line; it is kept in the transaction, and in the cache.
 *
 * Bounds: AS_GROUP_CLAUSES_MAX in a search, AS_GROUPS_MAX groups, AS_GROUP_SEARCHES_MAX searches, the deadline.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "core/text.h"

typedef struct as_set_group {
    const char *dn;
    int level; /* 0: it has the user */
} as_set_group;

struct as_group_set {
    struct as_group_set *next;
    as_cache_key key;
    const char *const *seeds;   /* groups that it begins with in place of the user; NULL: with the user */
    apr_array_header_t *groups; /* as_set_group, by level */
    apr_hash_t *known;          /* by normal form, exactly */
    int levels;                 /* number of levels searched */
    int searches;               /* number of searches made */
    bool complete;              /* nothing is above, or the depth is reached */
    bool referred;              /* a part of the directory is elsewhere, and was not searched */
    apr_time_t born;
};

/* ---- the cache ---- */

static bool add(as_group_set *set, const char *dn, int level, apr_pool_t *pool)
{
    char normal[AS_DN_MAX];
    as_set_group *group;
    const char *key;

    if (!as_dn_normalize_exactly(dn, strlen(dn), normal)) {
        return false;
    }
    if (!apr_hash_get(set->known, normal, APR_HASH_KEY_STRING)) {
        key = apr_pstrdup(pool, normal);
        group = apr_array_push(set->groups);
        group->dn = apr_pstrdup(pool, dn);
        group->level = level;
        apr_hash_set(set->known, key, APR_HASH_KEY_STRING, key);
    }
    return true;
}

/* Texts: levels and searches, "complete", "referred" or both, then each group's level, a space and its DN. */
enum { SET_LEVELS, SET_SEARCHES, SET_COMPLETE, SET_GROUPS };

static void keep(const as_authorizing *of, as_group_set *set)
{
    const char **texts = apr_pcalloc(of->pool, ((size_t)set->groups->nelts + SET_GROUPS) * sizeof(*texts));
    const as_kept_texts kept = {.texts = texts, .count = set->groups->nelts + SET_GROUPS, .born = set->born};
    int i;

    texts[SET_LEVELS] = apr_itoa(of->pool, set->levels);
    texts[SET_SEARCHES] = apr_itoa(of->pool, set->searches);
    texts[SET_COMPLETE] =
        apr_pstrcat(of->pool, set->complete ? "complete " : "", set->referred ? "referred" : "", NULL);
    for (i = 0; i < set->groups->nelts; i++) {
        const as_set_group *group = &APR_ARRAY_IDX(set->groups, i, as_set_group);

        texts[SET_GROUPS + i] = apr_psprintf(of->pool, "%d %s", group->level, group->dn);
    }
    as_texts_put(of, &set->key, &kept);
}

static void clear(as_group_set *set, apr_pool_t *pool)
{
    set->groups = apr_array_make(pool, 16, sizeof(as_set_group));
    set->known = apr_hash_make(pool);
    set->levels = set->searches = 0;
    set->complete = set->referred = false;
    set->born = apr_time_now();
}

static bool recall(const as_authorizing *of, as_group_set *set)
{
    as_kept_texts kept;
    int i;

    if (!as_texts_get(of, &set->key, &kept) || kept.count < SET_GROUPS) {
        return false;
    }
    for (i = 0; i < kept.count; i++) {
        const char *text = kept.texts[i], *space = i >= SET_GROUPS ? strchr(text, ' ') : text;

        if (!space || (i >= SET_GROUPS && !add(set, space + 1, (int)apr_atoi64(text), of->pool))) {
            return false;
        }
    }
    set->levels = (int)apr_atoi64(kept.texts[SET_LEVELS]);
    set->searches = (int)apr_atoi64(kept.texts[SET_SEARCHES]);
    set->complete = strstr(kept.texts[SET_COMPLETE], "complete") != NULL;
    set->referred = strstr(kept.texts[SET_COMPLETE], "referred") != NULL;
    set->born = kept.born;
    return true;
}

static as_group_set *get_set(as_authorizing *of, as_cache_key key)
{
    struct as_authorized *kept = as_authorized_get(of->memo);
    as_group_set *set;

    for (set = kept->sets; set; set = set->next) {
        if (as_key_is_same(&set->key, &key)) {
            return set;
        }
    }
    set = apr_pcalloc(of->pool, sizeof(*set));
    set->key = key;
    clear(set, of->pool);
    if (!recall(of, set)) {
        clear(set, of->pool);
    }
    set->next = kept->sets;
    kept->sets = set;
    return set;
}

as_group_set *as_group_set_get(as_authorizing *of, const as_group_line *line)
{
    const char *what =
        apr_pstrcat(of->pool, "groups below ", line->everywhere ? "all" : line->base, " for ", as_member_get_value(of),
                    " by ", as_group_settings_make_name(of->params->groups, of->pool), NULL);

    return get_set(of, as_authorize_make_key(of, what, of->params->entry->dn));
}

as_group_set *as_group_set_get_above(as_authorizing *of, const as_group_line *line, const char *const *groups)
{
    const char *what = apr_pstrcat(of->pool, "groups below ", line->everywhere ? "all" : line->base, " by ",
                                   as_group_settings_make_name(of->params->groups, of->pool), NULL);
    const char *const *group;
    as_group_set *set;

    for (group = groups; *group; group++) {
        what = apr_pstrcat(of->pool, what, " above ", *group, NULL);
    }
    set = get_set(of, as_authorize_make_key(of, what, ""));
    set->seeds = groups;
    return set;
}

/* ---- its content ---- */

static bool has_name(const as_group_set *set, const char *dn)
{
    char normal[AS_DN_MAX];

    return as_dn_normalize_exactly(dn, strlen(dn), normal) && apr_hash_get(set->known, normal, APR_HASH_KEY_STRING);
}

bool as_group_set_has(const as_group_set *set, const as_group_line *line)
{
    return has_name(set, line->dn) || (line->facts.described && line->facts.exists && has_name(set, line->facts.dn));
}

bool as_group_set_is_complete(const as_group_set *set)
{
    return set->complete && !set->referred;
}

apr_time_t as_group_set_get_time(const as_group_set *set)
{
    return set->born;
}

/* ---- upwards ---- */

/* Returns the members by which the next level is searched. */
static apr_array_header_t *list_members_of_level(const as_authorizing *of, const as_group_set *set)
{
    apr_array_header_t *members = apr_array_make(of->pool, 16, sizeof(const char *));
    int i;

    for (i = 0; set->levels == 0 && set->seeds && set->seeds[i]; i++) {
        APR_ARRAY_PUSH(members, const char *) = set->seeds[i];
    }
    if (set->levels == 0 && !set->seeds) {
        APR_ARRAY_PUSH(members, const char *) = as_member_get_value(of);
    }
    for (i = 0; set->levels > 0 && i < set->groups->nelts; i++) {
        const as_set_group *group = &APR_ARRAY_IDX(set->groups, i, as_set_group);

        if (group->level == set->levels - 1) {
            APR_ARRAY_PUSH(members, const char *) = group->dn;
        }
    }
    return members;
}

static void say_bound(as_authorizing *of, const char *bound)
{
    as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED, bound);
    of->answer->bounded = true;
}

/* One search. False: the answer is given. */
static bool search(as_authorizing *of, as_group_set *set, const as_group_level *level, bool may_be_hidden)
{
    const char *const *found;
    int count, i;

    if (set->searches == AS_GROUP_SEARCHES_MAX) {
        say_bound(of,
                  apr_psprintf(of->pool, "the user's groups are not found with %d searches", AS_GROUP_SEARCHES_MAX));
        return false;
    }
    set->searches++;
    if (!as_group_search(&of->searches, level, &found, &count, &of->reply)) {
        if (may_be_hidden && of->reply.failure == AS_FAILURE_NONE && of->reply.code == AS_LDAP_NO_SUCH_OBJECT) {
            return true;
        }
        as_say_reply(of);
        return false;
    }
    set->referred = set->referred || of->reply.referral;
    for (i = 0; i < count; i++) {
        if (!add(set, found[i], set->levels, of->pool)) {
            as_say_unknown(of, AS_OUTCOME_UNKNOWN_RESULT, "the directory sent a DN that cannot be read");
            return false;
        }
    }
    if (set->groups->nelts > AS_GROUPS_MAX) {
        say_bound(of, apr_psprintf(of->pool, "the user is in more than %d groups", AS_GROUPS_MAX));
        return false;
    }
    return true;
}

/* One level, in as many searches as its clauses need. False: the answer is given. */
static bool search_below(as_authorizing *of, as_group_set *set, const apr_array_header_t *members, const char *base,
                         bool may_be_hidden)
{
    const as_group_settings *groups = of->params->groups;
    as_group_level level = {.base = base,
                            .classes = groups->subgroup_classes,
                            .attributes =
                                set->levels == 0 && !set->seeds ? groups->attributes : groups->subgroup_attributes,
                            .limit = AS_GROUPS_MAX + 1};
    const int attributes = as_text_count(level.attributes);
    const int most = attributes > 0 && attributes <= AS_GROUP_CLAUSES_MAX ? AS_GROUP_CLAUSES_MAX / attributes : 1;
    int from;

    for (from = 0; from < members->nelts; from += most) {
        level.values = (const char *const *)members->elts + from;
        level.value_count = members->nelts - from < most ? members->nelts - from : most;
        if (!search(of, set, &level, may_be_hidden)) {
            return false;
        }
    }
    return true;
}

/* The same, in one naming context or in all. */
static bool search_level(as_authorizing *of, as_group_set *set, const as_group_line *line)
{
    const apr_array_header_t *members = list_members_of_level(of, set);
    const int before = set->groups->nelts;
    const char *const *context;

    for (context = line->server.contexts; line->everywhere && *context; context++) {
        if (!search_below(of, set, members, *context, true)) {
            return false;
        }
    }
    if (!line->everywhere && !search_below(of, set, members, line->base, false)) {
        return false;
    }
    set->levels++;
    set->complete = set->groups->nelts == before || set->levels > of->params->groups->max_depth;
    return true;
}

/* Drops a set that was cut within a level, which would lack groups forever: the next use starts it anew. */
static void drop(as_authorizing *of, as_group_set *set)
{
    clear(set, of->pool);
}

/* Active Directory refers to its DNS zones and configuration in every answer. */
static void say_referred(as_authorizing *of, const as_group_line *line)
{
    static const char reason[] = "a part of the directory is on other servers, and groups were not looked for there";

    if (line->server.is_ad) {
        as_say_no_unsafe(of, reason);
    } else {
        as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED, reason);
    }
}

void as_decide_upwards(as_authorizing *of, as_group_line *line, as_group_set *set)
{
    bool went_on = false;

    if (set->born < of->born) {
        of->born = set->born;
    }
    while (!as_group_set_has(set, line) && !set->complete) {
        if (!search_level(of, set, line)) {
            drop(of, set);
            return;
        }
        went_on = true;
    }
    if (went_on) {
        keep(of, set);
    }
    if (as_group_set_has(set, line)) {
        as_say_yes(of,
                   apr_psprintf(of->pool, "found upwards within %d level%s", set->levels, set->levels == 1 ? "" : "s"));
    } else if (set->referred) {
        say_referred(of, line);
    } else {
        as_say_no(of, apr_psprintf(of->pool, "not among the %d groups of the user, to a depth of %d",
                                   set->groups->nelts, set->levels - 1));
        of->answer->unproven = !line->server.is_ad;
    }
}
