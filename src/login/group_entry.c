/* SPDX-License-Identifier: Apache-2.0
 *
 * One group: its facts, and whether the user is a direct member. Used by group.c and group_ad.c.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "core/text.h"

/* The most names of an entry that are compared. */
#define NAMES_MAX 8

bool as_is_in(const char *const *dns, int count, const char *dn)
{
    char normal[AS_DN_MAX], other[AS_DN_MAX];
    int i;

    for (i = 0; i < count && as_dn_normalize_exactly(dn, strlen(dn), normal); i++) {
        if (as_dn_normalize_exactly(dns[i], strlen(dns[i]), other) && !strcmp(other, normal)) {
            return true;
        }
    }
    return false;
}

/* ---- facts ---- */

bool as_group_is_alias(const as_group_facts *facts)
{
    const char *const *class = facts->classes;

    while (class && *class && apr_cstr_casecmp(*class, "alias") != 0) {
        class ++;
    }
    return class && *class;
}

bool as_group_facts_get(as_authorizing *of, as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;

    /* In Active Directory the SID decides. */
    if (!line->facts.described || (line->server.is_ad && !line->facts.fresh)) {
        as_group_facts facts;

        if (!as_group_describe(&of->searches, line->dn, groups->attributes, &facts, &of->reply)) {
            as_say_reply(of);
            return false;
        }
        facts.comparable = line->facts.comparable;
        line->facts = facts;
    }
    if (!line->facts.exists) {
        as_say_missing(of, line->dn);
        return false;
    }
    if (as_group_is_alias(&line->facts)) {
        as_say_no_unsafe(of, apr_pstrcat(of->pool, line->dn, AS_REASON_ALIAS, NULL));
        return false;
    }
    return true;
}

bool as_group_may_nest(const as_authorizing *of, const as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;
    const char *const *class, *const *wanted;

    for (class = line->facts.classes; groups->max_depth > 0 && class && *class; class ++) {
        for (wanted = groups->subgroup_classes; wanted && *wanted; wanted++) {
            if (apr_cstr_casecmp(*class, *wanted) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The user's name as the directory writes it: of several, the one that was sent. The name that was sent may be another
 * spelling of it ("ANN", full-width letters), which an attribute that is compared exactly does not have. NULL: the
 * entry does not show it. */
static const char *get_name(const as_entry *entry)
{
    const as_values values = entry->values ? entry->values[0] : NULL;
    as_values value;

    for (value = values; value && *value; value++) {
        if (apr_cstr_casecmp(*value, entry->user) == 0) {
            return *value;
        }
    }
    return values && values[0] && !values[1] ? values[0] : NULL;
}

const char *as_member_get_value(const as_authorizing *of)
{
    const as_entry *entry = of->params->entry;
    const char *name = get_name(entry);

    return of->params->groups->attribute_is_dn ? entry->dn : name ? name : entry->user;
}

/* Compares one of the entry's names with each attribute of the group. Returns false if the answer is given. */
static bool compare_name(as_authorizing *of, const as_group_line *line, const char *name, bool *is)
{
    const char *const *attributes = of->params->groups->attributes;
    const char *values[AS_GROUP_ATTRIBUTES_MAX] = {NULL};
    int codes[AS_GROUP_ATTRIBUTES_MAX] = {0}, count = 0;
    as_compare compare = {.dn = line->dn, .attributes = attributes, .values = values, .codes = codes};

    while (count < AS_GROUP_ATTRIBUTES_MAX && attributes[count]) {
        values[count++] = name;
    }
    compare.count = count;
    if (!as_group_compare(&of->compares, &compare, &of->reply)) {
        as_say_reply(of);
        return false;
    }
    while (count > 0 && codes[count - 1] != AS_LDAP_COMPARE_TRUE) {
        count--;
    }
    *is = count > 0;
    return true;
}

bool as_member_may_have_other_name(as_authorizing *of, const as_group_line *line, bool *may)
{
    const as_values names = of->params->entry->values ? of->params->entry->values[0] : NULL;
    const char *name = as_member_get_value(of);
    int i;

    *may = false;
    for (i = 0; names && names[i] && !*may; i++) {
        if (!strcmp(names[i], name)) {
            continue;
        }
        if (i >= NAMES_MAX || as_group_may_nest(of, line)) {
            *may = true;
        } else if (!compare_name(of, line, names[i], may)) {
            return false;
        }
    }
    return true;
}

bool as_member_value_is_sure(const as_authorizing *of)
{
    return of->params->groups->attribute_is_dn || get_name(of->params->entry);
}

/* ---- direct members ---- */

/* Returns whether a result code of a compare is a no rather than an error. */
static bool is_no(int code)
{
    return code == AS_LDAP_COMPARE_FALSE || code == AS_LDAP_NO_SUCH_ATTRIBUTE || code == AS_LDAP_UNDEFINED_TYPE ||
           code == AS_LDAP_INAPPROPRIATE_MATCHING || code == AS_LDAP_INVALID_SYNTAX;
}

static bool has_code(const int *codes, int count, int code)
{
    int i;

    for (i = 0; i < count; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

/* Returns whether every present attribute was compared. */
static bool are_answers(const int *codes, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (!is_no(codes[i]) && codes[i] != AS_LDAP_COMPARE_TRUE) {
            return false;
        }
    }
    return true;
}

/* Returns whether at most one attribute has values. Of several, a search for the presence of any may have found one
 * that the account may search, and a search for a member does not find the others. */
static bool has_one_attribute(const int *codes, int count)
{
    int with_values = 0, i;

    for (i = 0; i < count; i++) {
        with_values += codes[i] == AS_LDAP_COMPARE_TRUE || codes[i] == AS_LDAP_COMPARE_FALSE;
    }
    return with_values <= 1;
}

/* Notes that a "no" may be taken from a set of groups. */
static void note_comparable(as_authorizing *of, as_group_line *line, const int *codes, int count)
{
    if (has_one_attribute(codes, count)) {
        line->facts.comparable = true;
        as_group_note_comparable(&of->compares, line->dn, of->params->groups->attributes);
    }
}

static as_direct judge(as_authorizing *of, as_group_line *line, const int *codes, int count)
{
    const bool are = are_answers(codes, count);

    if (has_code(codes, count, AS_LDAP_COMPARE_TRUE)) {
        if (are) {
            note_comparable(of, line, codes, count);
        }
        as_say_yes(of, "direct");
        return AS_DIRECT_ANSWERED;
    }
    if (has_code(codes, count, AS_LDAP_NO_SUCH_OBJECT)) {
        as_say_missing(of, line->dn);
        return AS_DIRECT_ANSWERED;
    }
    if (has_code(codes, count, AS_LDAP_INVALID_DN) && of->params->requirement->by_expression) {
        as_say_no_unsafe(of, apr_pstrcat(of->pool, "the directory reports that this is not a DN: ", line->dn, NULL));
        return AS_DIRECT_ANSWERED;
    }
    if (!are) {
        as_say_reply(of);
        return AS_DIRECT_ANSWERED;
    }
    if (!has_code(codes, count, AS_LDAP_COMPARE_FALSE)) {
        return has_code(codes, count, AS_LDAP_NO_SUCH_ATTRIBUTE) ? AS_DIRECT_NO_ATTRIBUTE : AS_DIRECT_UNDEFINED;
    }
    note_comparable(of, line, codes, count);
    return AS_DIRECT_FALSE;
}

as_direct as_compare_direct(as_authorizing *of, as_group_line *line)
{
    const as_group_settings *groups = of->params->groups;
    const char *values[AS_GROUP_ATTRIBUTES_MAX] = {NULL};
    int codes[AS_GROUP_ATTRIBUTES_MAX] = {0}, count = as_text_count(groups->attributes), i;
    const as_compare compare = {
        .dn = line->dn, .attributes = groups->attributes, .values = values, .count = count, .codes = codes};

    if (count == 0 || count > AS_GROUP_ATTRIBUTES_MAX) {
        as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED,
                       apr_psprintf(of->pool, "AuthLDAPGroupAttribute names %d attributes, not 1 to %d", count,
                                    AS_GROUP_ATTRIBUTES_MAX));
        return AS_DIRECT_ANSWERED;
    }
    for (i = 0; i < count; i++) {
        values[i] = as_member_get_value(of);
    }
    if (!as_group_compare(&of->compares, &compare, &of->reply)) {
        as_say_reply(of);
        return AS_DIRECT_ANSWERED;
    }
    return judge(of, line, codes, count);
}
