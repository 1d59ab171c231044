/* SPDX-License-Identifier: Apache-2.0
 *
 * ldap-group: chooses the way to the answer, and takes the first steps of the way by members.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "core/text.h"

/* ---- DNs ---- */

static const char *normalize(const char *dn, apr_pool_t *pool)
{
    char normal[AS_DN_MAX];

    return as_dn_normalize(dn, strlen(dn), normal, NULL) ? apr_pstrdup(pool, normal) : NULL;
}

/* Returns whether this is a global catalogue, which has more than the contexts that it names (MS-ADTS 3.1.1.1.14). */
static bool is_global_catalog(const as_ldap_server *server)
{
    return server->port == 3268 || server->port == 3269;
}

/* Any of the servers may have answered. */
static bool has_global_catalog(const as_directory_settings *settings)
{
    int i = 0;

    while (i < settings->server_count && !is_global_catalog(&settings->servers[i])) {
        i++;
    }
    return i < settings->server_count;
}

/* Returns the naming context of the group: the longest match of those that the server names. NULL: none. */
static const char *find_context(const as_group_line *line)
{
    const char *const *context, *longest = NULL;

    for (context = line->server.contexts; *context; context++) {
        if (as_dn_is_within(line->normal, *context) && (!longest || strlen(*context) > strlen(longest))) {
            longest = *context;
        }
    }
    return longest;
}

/* Finds the base of searches for groups. Returns false if the group is in no part of this directory. Only ASCII
 * names can be proven different as text from names written by another. */
static bool find_base(as_authorizing *of, as_group_line *line)
{
    const as_directory_settings *settings = of->params->directory->settings;
    const char *base = normalize(settings->base, of->pool);

    line->base = find_context(line);
    if (line->base) {
        return true;
    }
    if (base && as_dn_is_within(line->normal, base)) {
        line->base = settings->base;
        return true;
    }
    return !line->server.contexts[0] || is_global_catalog(&settings->servers[0]) || !as_text_is_ascii(line->normal);
}

/* ---- by members ---- */

static bool is_same_list(const char *const *one, const char *const *other)
{
    while (*one && *other && !apr_cstr_casecmp(*one, *other)) {
        one++;
        other++;
    }
    return !*one && !*other;
}

/* Do groups within a group stand in other attributes than users? */
static bool has_own_subgroup_attributes(const as_authorizing *of)
{
    return !is_same_list(of->params->groups->attributes, of->params->groups->subgroup_attributes);
}

/* Returns whether a complete set without the group proves a no: only if the searches of the set must have found the
 * group. */
static bool may_say_no(const as_authorizing *of, const as_group_line *line)
{
    return line->facts.described && line->facts.exists && line->facts.searchable && line->facts.comparable &&
           as_group_may_nest(of, line);
}

static bool decide_by_set(as_authorizing *of, const as_group_line *line, const as_group_set *set)
{
    bool has = set && as_group_set_has(set, line);

    if (!has && (!set || !as_group_set_is_complete(set) || !may_say_no(of, line))) {
        return false;
    }
    if (as_group_set_get_time(set) < of->born) {
        of->born = as_group_set_get_time(set);
    }
    if (has) {
        as_say_yes(of, "in the groups of the user");
    } else {
        as_say_no(of, "not among the groups of the user");
        of->answer->unproven = !line->server.is_ad;
    }
    return true;
}

static void say_not_searchable(as_authorizing *of, const as_group_line *line)
{
    as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED,
                   apr_pstrcat(of->pool, "the members of ", line->dn,
                               " may be compared but not searched for, so groups within it are not found", NULL));
}

/* A compare does not follow an alias (RFC 4511 4.10), and a search may: compares the members of the group itself.
 * Returns false if the answer is given. */
static bool follow_alias(as_authorizing *of, as_group_line *line, as_direct *direct)
{
    if (!as_group_facts_get(of, line)) {
        return false;
    }
    if (!as_dn_is_surely_same(line->facts.dn, line->dn)) {
        line->dn = line->facts.dn;
        *direct = as_compare_direct(of, line);
    }
    return *direct != AS_DIRECT_ANSWERED;
}

static void decide_by_member(as_authorizing *of, as_group_line *line)
{
    as_group_set *set = line->base ? as_group_set_get(of, line) : NULL;
    as_direct direct;

    if (decide_by_set(of, line, set)) {
        return;
    }
    direct = as_compare_direct(of, line);
    if (direct == AS_DIRECT_ANSWERED || (direct == AS_DIRECT_NO_ATTRIBUTE && !follow_alias(of, line, &direct))) {
        return;
    }
    line->undefined = direct == AS_DIRECT_UNDEFINED;
    if (of->params->groups->max_depth == 0) {
        as_say_no(of, "no direct member");
        return;
    }
    if (direct == AS_DIRECT_FALSE && !line->facts.searchable && as_group_may_nest(of, line)) {
        /* It has members, perhaps since it was looked at: then it is to be looked at again. OpenLDAP 2.6 finds no
         * dynamic group by the presence of members, ever; what can have no groups within it needs no search. */
        line->facts.described = false;
    }
    if (!as_group_facts_get(of, line)) {
        return;
    }
    if (!as_group_may_nest(of, line)) {
        as_say_no(of, "no direct member");
    } else if (!line->facts.searchable && direct != AS_DIRECT_FALSE && !has_own_subgroup_attributes(of)) {
        as_say_no(of, "a group without members");
    } else if (!line->facts.searchable && direct == AS_DIRECT_FALSE) {
        say_not_searchable(of, line);
    } else if (!line->base) {
        as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED,
                       "the rootDSE names no namingContexts that the group is in");
    } else {
        as_decide_upwards(of, line, set);
    }
}

/* ---- which way ---- */

/* Returns whether only the default attributes are configured: memberOf and the like correspond to `member` alone. */
static bool are_usual_attributes(const char *const *attributes)
{
    bool has_member = false;

    for (; *attributes; attributes++) {
        if (apr_cstr_casecmp(*attributes, "member") == 0) {
            has_member = true;
        } else if (apr_cstr_casecmp(*attributes, "uniqueMember") != 0) {
            return false;
        }
    }
    return has_member;
}

static bool uses_ad_ways(const as_authorizing *of, const as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;

    return groups->mode == AS_GROUPS_AUTO && line->server.is_ad && groups->attribute_is_dn &&
           are_usual_attributes(groups->attributes) &&
           !as_group_have_ad_ways_failed(&of->searches, of->params->entry->dn);
}

/* Answers from what is known without a query. Returns false if the answer is given. */
static bool begin(as_authorizing *of, as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;

    line->dn = of->params->requirement->text;
    line->normal = normalize(line->dn, of->pool);
    if (!line->normal) {
        as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED, "the group's DN cannot be read");
        return false;
    }
    if (!as_group_get_server(&of->searches, &line->server, &of->reply)) {
        as_say_reply(of);
        return false;
    }
    if (!find_base(of, line)) {
        as_say_no(of, "in no naming context of this directory");
        of->answer->elsewhere = true;
        return false;
    }
    as_group_get_facts(&of->searches, line->dn, groups->attributes, &line->facts);
    if (of->compares.user != of->searches.user) {
        as_group_facts compared;

        as_group_get_facts(&of->compares, line->dn, groups->attributes, &compared);
        line->facts.comparable = compared.comparable;
    }
    return true;
}

/* Makes a "no" unsafe where the group has another name of the entry: its owner may have written that there, to log in
 * by it. */
static void mark_unsafe_by_names(as_authorizing *of, const as_group_line *line)
{
    bool may = false;

    if (as_member_may_have_other_name(of, line, &may) && may) {
        as_say_no_unsafe(of, "the entry has several names, of which the group has or may have another");
    }
}

/* Makes a "no" unsafe that is none for what could not be seen on the way by members. */
static void mark_unsafe_by_members(as_authorizing *of, const as_group_line *line)
{
    if (of->answer->answer != AS_NO || of->answer->unsafe_to_negate) {
        return;
    }
    if (line->server.is_ad) {
        /* Members of an Active Directory's primary group stand nowhere in the group. */
        as_say_no_unsafe(of, "not among the members, but who has the group as his primary one is not there");
    } else if (line->undefined) {
        as_say_no_unsafe(of, "no attribute of AuthLDAPGroupAttribute can be compared with a member in this directory");
    } else if (!as_member_value_is_sure(of)) {
        as_say_no_unsafe(of, "the entry does not show how the directory writes the typed name");
    } else if (!of->params->groups->attribute_is_dn) {
        mark_unsafe_by_names(of, line);
    }
}

/* A global catalogue knows the members of universal groups alone, but for those of its own domain. */
static void mark_unsafe_by_catalog(as_authorizing *of, const as_group_line *line)
{
    if (of->answer->answer == AS_NO && !of->answer->unsafe_to_negate && line->server.is_ad &&
        has_global_catalog(of->params->directory->settings) && !line->facts.is_universal_group) {
        as_say_no_unsafe(of, "a global catalogue need not know the members of a group that is not universal");
    }
}

void as_decide_group(as_authorizing *of)
{
    as_group_line line = {.dn = NULL};

    if (!begin(of, &line)) {
        return;
    }
    if (of->params->groups->mode == AS_GROUPS_MEMBER_OF) {
        as_decide_by_member_of(of, &line);
    } else if (!uses_ad_ways(of, &line) || !as_decide_by_ad(of, &line)) {
        decide_by_member(of, &line);
        mark_unsafe_by_members(of, &line);
    }
    mark_unsafe_by_catalog(of, &line);
}

/* ---- proof ---- */

/* Adds the groups below `base` whose values of some attributes this account may not search. Beyond the bounds a hidden
 * group may be among those that were not looked at: the "no" is unsafe to negate. False: the answer is given. */
static bool add_hidden(as_authorizing *of, const char *base, const char *const *attributes, apr_array_header_t *hidden)
{
    const char *const *found;

    if (!as_group_find_hidden(&of->searches, base, of->params->groups->subgroup_classes, attributes, &found,
                              &of->reply)) {
        as_say_reply(of);
        return false;
    }
    if (!found) {
        as_say_no_unsafe(of, apr_psprintf(of->pool,
                                          "groups that this account may not look into cannot be found: %s has more "
                                          "than %d groups, more than %d without members, or more than the server sends "
                                          "(size limit)",
                                          *base ? base : "the directory", AS_GROUP_RIGHTS_MAX, AS_GROUP_EMPTY_MAX));
        of->answer->bounded = true;
        return false;
    }
    for (; *found; found++) {
        APR_ARRAY_PUSH(hidden, const char *) = *found;
    }
    return true;
}

/* The groups that this account may not look into, where groups were looked for. NULL: the answer is given. */
static const char *const *find_hidden(as_authorizing *of, const as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;
    const char *const one[] = {line->base, NULL}, *const * base;
    apr_array_header_t *hidden = apr_array_make(of->pool, 4, sizeof(const char *));

    for (base = line->everywhere ? line->server.contexts : one; *base; base++) {
        /* Users are found by one list of attributes, groups by the other. */
        if (!add_hidden(of, *base, groups->attributes, hidden) ||
            (has_own_subgroup_attributes(of) && !add_hidden(of, *base, groups->subgroup_attributes, hidden))) {
            return NULL;
        }
    }
    APR_ARRAY_PUSH(hidden, const char *) = NULL;
    return (const char *const *)hidden->elts;
}

/* Returns whether this group is one of the hidden: it has members in an attribute that may not be searched. */
static bool is_hidden(const as_authorizing *of, const as_group_line *line, const char *const *hidden)
{
    for (; *hidden; hidden++) {
        const char *normal = normalize(*hidden, of->pool);

        if ((line->facts.dn && !strcmp(*hidden, line->facts.dn)) || !normal || !strcmp(normal, line->normal)) {
            return true;
        }
    }
    return false;
}

/* The user may be in a group that was not found, and that one in this. */
static void prove_without_hidden(as_authorizing *of, as_group_line *line)
{
    const char *const *hidden = find_hidden(of, line);

    if (!hidden || !*hidden) {
        return;
    }
    if (is_hidden(of, line, hidden)) {
        as_say_no_unsafe(of,
                         apr_pstrcat(of->pool, "it has members that this account may not search: ", line->dn, NULL));
        return;
    }
    as_decide_upwards(of, line, as_group_set_get_above(of, line, hidden));
    if (of->answer->answer == AS_YES) {
        as_say_no_unsafe(of, apr_pstrcat(of->pool, "a group within it has members that this account may not search: ",
                                         *hidden, hidden[1] ? " or another" : "", NULL));
    }
}

/* The server need not maintain memberOf for every class of groups (uniqueMember): the group's own members are compared
 * where this account may. */
static void prove_by_member(as_authorizing *of, as_group_line *line)
{
    const as_direct direct = line->server.is_ad ? AS_DIRECT_FALSE : as_compare_direct(of, line);

    if (direct != AS_DIRECT_ANSWERED ||
        (of->answer->answer == AS_UNKNOWN &&
         as_outcome_describe(of->answer->finding.outcome)->of != AS_CLASS_UNAVAILABLE)) {
        as_say_no(of, of->to_prove->evidence);
    }
}

/* The direct members were compared, and the groups of the group's own naming context are known. */
void as_prove_group(as_authorizing *of)
{
    as_group_line line = {.dn = NULL};

    if (!begin(of, &line)) {
        return;
    }
    line.facts.described = line.facts.fresh;
    if (!as_group_facts_get(of, &line)) {
        return;
    }
    if (of->params->groups->mode == AS_GROUPS_MEMBER_OF) {
        prove_by_member(of, &line);
        return;
    }
    if (line.server.is_ad) {
        as_prove_by_ad(of, &line);
        return;
    }
    line.everywhere = line.server.contexts[0] && line.server.contexts[1];
    as_decide_upwards(of, &line, as_group_set_get(of, &line));
    if (of->answer->answer == AS_NO && !of->answer->unsafe_to_negate) {
        prove_without_hidden(of, &line);
    }
}
