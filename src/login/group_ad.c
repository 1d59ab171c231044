/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups named in the user's own entry: memberOf, and Active Directory's further ways. The members of a group are
 * never read. A missing or unreadable attribute is no "no".
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_strings.h>

static bool is_member_of(const as_user_groups *user, const char *dn)
{
    return as_is_in(user->membership.groups, user->membership.group_count, dn);
}

/* Does each value read as a name, of which another spelling is none of the group's? */
static bool are_read(const as_user_groups *user, const char *dn)
{
    char normal[AS_DN_MAX], other[AS_DN_MAX];
    int i;

    for (i = 0; i < user->membership.group_count; i++) {
        const char *name = user->membership.groups[i];

        if (!as_dn_normalize(name, strlen(name), other, NULL) || !as_dn_normalize(dn, strlen(dn), normal, NULL) ||
            !strcmp(other, normal)) {
            return false;
        }
    }
    return true;
}

/* Elsewhere than in Active Directory attributes of these names may be anybody's. */
static bool is_primary_group(const as_user_groups *user, const as_group_line *line)
{
    return line->server.is_ad && as_sid_is_same(&user->membership.primary_group, &line->facts.sid);
}

/* Decides by the facts about user and group. Returns true if the answer is given, false if there is no direct
 * membership. */
static bool decide_directly(as_authorizing *of, as_group_line *line, const as_user_groups *user)
{
    if (is_member_of(user, line->dn)) {
        as_say_yes(of, "by memberOf");
        return true;
    }
    if (!as_group_facts_get(of, line)) {
        return true;
    }
    if (is_member_of(user, line->facts.dn)) {
        as_say_yes(of, "by memberOf");
        return true;
    }
    if (is_primary_group(user, line)) {
        as_say_yes(of, "the primary group");
        return true;
    }
    return false;
}

/* ---- AuthStatusGroups MemberOf ---- */

/* Says that memberOf lacks the group. What is known of the group may be an hour old: a negation asks once more. */
static void say_not_in_member_of(as_authorizing *of, const as_group_line *line, const as_user_groups *user)
{
    const as_membership *membership = &user->membership;

    if (line->server.is_ad && membership->primary_group.length == 0) {
        as_say_no_unsafe(of, "not in memberOf, and the primary group could not be read");
    } else if (membership->group_count == 0 && !as_group_was_member_of_seen(&of->searches, membership->viewer)) {
        as_say_no_unsafe(of, "memberOf is empty, and this account has seen it in no entry of this directory: it may be "
                             "unreadable");
    } else {
        as_say_no_unproven(of, membership->group_count == 0 ? "memberOf is empty" : "not in memberOf");
    }
}

static void compare_value(as_authorizing *of, const as_group_line *line, const as_user_groups *user)
{
    const char *value = as_group_escape(line->facts.dn, of->pool);
    bool does = false;

    if (!value || !as_group_test_filter(&of->searches, user->dn, apr_pstrcat(of->pool, "(memberOf=", value, ")", NULL),
                                        &does, &of->reply)) {
        as_say_reply(of);
    } else if (does) {
        as_say_yes(of, "by memberOf");
    } else {
        say_not_in_member_of(of, line, user);
    }
}

void as_decide_by_member_of(as_authorizing *of, as_group_line *line)
{
    as_user_groups *user = as_user_groups_get(of);

    if (!as_user_membership_get(of, user) || decide_directly(of, line, user)) {
        return;
    }
    if (!user->membership.whole || !are_read(user, line->facts.dn)) {
        compare_value(of, line, user);
    } else {
        say_not_in_member_of(of, line, user);
    }
}

/* ---- Active Directory ---- */

typedef enum as_way {
    AS_WAY_ANSWERED,
    AS_WAY_NOT_FOUND,
    AS_WAY_FAILED,    /* the server does not know the way */
    AS_WAY_UNREADABLE /* the entry does not show enough, or is gone: that of another may */
} as_way;

/* Returns false: the members decide. */
static bool give_up(as_authorizing *of, as_way way)
{
    as_group_note_ad_ways_failed(&of->searches, way == AS_WAY_FAILED ? NULL : of->params->entry->dn);
    return false;
}

static as_way search_in_chain(as_authorizing *of, const as_group_line *line, as_user_groups *user)
{
    bool is = false;

    user->queried_in_chain = true;
    if (!as_group_test_chain(&of->searches, user->dn, line->facts.dn, &is, &of->reply)) {
        if (of->reply.failure == AS_FAILURE_NONE && of->reply.code == AS_LDAP_UNAVAILABLE_EXTENSION) {
            return AS_WAY_FAILED;
        }
        as_say_reply(of);
        return AS_WAY_ANSWERED;
    }
    if (is) {
        as_say_yes(of, "nested");
        return AS_WAY_ANSWERED;
    }
    return AS_WAY_NOT_FOUND;
}

static bool has_token(const as_user_groups *user, const as_group_line *line)
{
    int i = 0;

    while (i < user->token_count && !as_sid_is_same(&user->tokens[i], &line->facts.sid)) {
        i++;
    }
    return i < user->token_count;
}

static as_way query_tokens(as_authorizing *of, const as_group_line *line, as_user_groups *user)
{
    if (!as_user_tokens_get(of, user)) {
        return AS_WAY_ANSWERED;
    }
    if (user->token_count == 0) {
        return AS_WAY_UNREADABLE;
    }
    if (has_token(user, line)) {
        as_say_yes(of, "by tokenGroups");
    } else {
        as_say_no(of, "not in tokenGroups");
    }
    return AS_WAY_ANSWERED;
}

/* Decides about a security group. The rule also finds distribution groups, which tokenGroups lacks, and is cheaper
 * for a hit; only tokenGroups has the primary group and the groups above it, but none above a distribution group. The
 * further lines of a transaction are decided by tokenGroups alone; the rule proves their "no". */
static as_way decide_security_group(as_authorizing *of, const as_group_line *line, as_user_groups *user)
{
    const bool is_further = user->queried_in_chain;
    const bool has = as_user_tokens_are_known(of, user) && has_token(user, line);
    as_way way = has || is_further ? AS_WAY_NOT_FOUND : search_in_chain(of, line, user);

    if (way == AS_WAY_NOT_FOUND) {
        way = query_tokens(of, line, user);
    }
    if (way == AS_WAY_ANSWERED && is_further && of->answer->answer == AS_NO) {
        of->answer->unproven = true;
    }
    return way;
}

/* The rule does not find a group by the user's primary one, and no distribution group is in tokenGroups. */
static as_way decide_other_group(as_authorizing *of, const as_group_line *line, as_user_groups *user)
{
    as_way way = search_in_chain(of, line, user);

    if (way == AS_WAY_NOT_FOUND) {
        as_say_no_unproven(of, "not nested");
        way = AS_WAY_ANSWERED;
    }
    return way;
}

/* Compares the group itself where it is uncertain that memberOf lacks the group: the attribute is missing and may be
 * unreadable. Returns true if the answer is given. */
static bool is_decided_by_group(as_authorizing *of, as_group_line *line, const as_user_groups *user)
{
    return !(user->membership.whole && user->membership.group_count > 0 && are_read(user, line->facts.dn)) &&
           as_compare_direct(of, line) == AS_DIRECT_ANSWERED;
}

bool as_decide_by_ad(as_authorizing *of, as_group_line *line)
{
    as_user_groups *user = as_user_groups_get(of);
    as_way way;

    if (!as_user_membership_get(of, user)) {
        return true;
    }
    if (user->membership.primary_group.length == 0) {
        /* With a SID, primaryGroupID is unreadable; without one the entry was removed, or is no account. */
        return user->membership.sid.length > 0 ? give_up(of, AS_WAY_UNREADABLE) : false;
    }
    if (decide_directly(of, line, user)) {
        return true;
    }
    if (line->facts.is_security_group && line->facts.sid.length == 0) {
        return false;
    }
    if (!as_group_may_nest(of, line)) {
        if (!is_decided_by_group(of, line, user)) {
            as_say_no(of, "not in memberOf");
        }
        return true;
    }
    if (line->facts.is_security_group) {
        way = decide_security_group(of, line, user);
    } else if (is_decided_by_group(of, line, user)) {
        way = AS_WAY_ANSWERED;
    } else {
        way = decide_other_group(of, line, user);
    }
    return way == AS_WAY_ANSWERED || give_up(of, way);
}

/* ---- proof ---- */

/* Nor is a security group in tokenGroups that has the user by a distribution group. */
static void prove_security_group(as_authorizing *of, const as_group_line *line)
{
    bool is = false;

    if (!as_group_test_chain(&of->searches, of->params->entry->dn, line->facts.dn, &is, &of->reply)) {
        as_say_reply(of);
    } else if (is) {
        as_say_yes(of, "nested");
    } else {
        as_say_no(of, of->to_prove->evidence);
    }
}

/* The rule does not follow the primary group. */
static void prove_distribution_group(as_authorizing *of, const as_group_line *line)
{
    as_user_groups *user = as_user_groups_get(of);
    const char *group = as_group_escape(line->facts.dn, of->pool);
    char sid[AS_SID_TEXT_MAX];
    bool does = false;

    if (!as_user_membership_get(of, user)) {
        return;
    }
    as_sid_write(&user->membership.primary_group, sid);
    if (!group || !*sid) {
        as_say_no_unsafe(of, "not nested, and the primary group could not be read");
    } else if (!as_group_test_filter(&of->searches, apr_pstrcat(of->pool, "<SID=", sid, ">", NULL),
                                     apr_pstrcat(of->pool, "(!(memberOf:" AS_RULE_IN_CHAIN ":=", group, "))", NULL),
                                     &does, &of->reply)) {
        as_say_reply(of);
    } else if (does) {
        as_say_no(of, "not nested, nor is the primary group");
    } else {
        as_say_no_unsafe(of, "the primary group is within it, or cannot be read");
    }
}

void as_prove_by_ad(as_authorizing *of, const as_group_line *line)
{
    if (line->facts.is_security_group) {
        prove_security_group(of, line);
    } else {
        prove_distribution_group(of, line);
    }
}
