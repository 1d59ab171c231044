/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS about lines of `Require ldap-*`: the module that answers each, and doubts about it.
 */
#include "dump.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "authstatus/dn.h"
#include "authstatus/require_line.h"

/* One line as written. */
typedef struct as_written_line {
    as_requirement_kind kind;
    const char *arguments;
    bool negated; /* by itself, or by <RequireNone> */
    bool not ;    /* by itself */
} as_written_line;

static bool is(const char *word, const char *name)
{
    return !ap_cstr_casecmp(word, name);
}

/* Reads the arguments of Require. Returns false for another module's line. */
static bool read_line(apr_pool_t *pool, const ap_directive_t *directive, as_written_line *line)
{
    const char *rest = directive->args, *name = ap_getword_conf(pool, &rest);

    line->not = is(name, "not");
    if (line->not ) {
        name = ap_getword_conf(pool, &rest);
    }
    line->arguments = rest;
    return as_require_find_by_name(name, &line->kind);
}

/* ---- doubts ---- */

/* Returns whether a text has a single backslash, which httpd's expressions remove. */
static bool has_single_backslash(const char *text)
{
    for (; *text; text++) {
        if (text[0] == '\\' && text[1] != '\\') {
            return true;
        }
        text += text[0] == '\\';
    }
    return false;
}

/* Returns whether a second DN begins after a space without a comma. */
static bool has_two_names(const char *text)
{
    const char *space = text, *word;

    while ((space = strchr(space, ' ')) != NULL) {
        for (word = space; *word == ' '; word++) {
        }
        if (space > text && !strchr(",+=\\", space[-1]) && apr_isalpha(*word)) {
            const size_t length = strcspn(word, "=, ");
            if (word[length] == '=' && strchr(word, ',')) {
                return true;
            }
        }
        space = word;
    }
    return false;
}

/* Does it have an expression that nothing escapes (httpd's function ldap)? */
static bool has_raw_expression(const char *text)
{
    while ((text = strstr(text, "%{")) != NULL) {
        text += 2;
        if (ap_cstr_casecmpn(text, "ldap:", 5)) {
            return true;
        }
        text = strchr(text, '}') ? strchr(text, '}') : text;
    }
    return false;
}

/* Warns of what a line may not say as it is meant. */
static void warn_of_line(as_dump *dump, const as_written_line *line)
{
    const bool is_name = line->kind == AS_REQUIRE_GROUP || line->kind == AS_REQUIRE_DN;
    const bool is_text = line->kind != AS_REQUIRE_USER && line->kind != AS_REQUIRE_ATTRIBUTE;

    if (line->kind == AS_REQUIRE_GROUP && line->arguments[0] == '"') {
        as_dump_warn(dump,
                     "the DN is in quotes: mod_authnz_ldap lets nobody in by it, this module takes the quotes off");
    }
    if (line->kind == AS_REQUIRE_FILTER && line->arguments[0] == '(') {
        as_dump_warn(dump, "the filter is in parentheses: mod_authnz_ldap lets nobody in by it, this module does");
    }
    if (line->kind == AS_REQUIRE_SEARCH && line->arguments[0] && strchr("&|!", line->arguments[0])) {
        as_dump_warn(dump, "the filter is not in parentheses: mod_authnz_ldap lets nobody in by it, this module does");
    }
    if (line->kind == AS_REQUIRE_SEARCH && strstr(line->arguments, "REMOTE_USER")) {
        as_dump_warn(dump, "ldap-search is decided before any login: REMOTE_USER is empty then");
    }
    if (is_name && has_two_names(line->arguments)) {
        as_dump_warn(dump, "the rest of the line is one DN; write a second one on a line of its own");
    }
    if (is_text && has_single_backslash(line->arguments)) {
        as_dump_warn(dump, "httpd's expressions take a single backslash away: double it");
    }
    if (is_text && has_raw_expression(line->arguments)) {
        as_dump_warn(dump, "what an expression brings is taken as part of the DN or filter, commas and parentheses "
                           "too: write %{ldap:%{...}} where it is a value");
    }
    if (line->kind == AS_REQUIRE_GROUP && line->negated && !dump->section->url) {
        as_dump_warn(dump, "without AuthLDAPURL the group is looked for where each login was found: in no naming "
                           "context of that directory it bans nobody, so look at the spelling of the DN's end");
    }
}

/* ---- the section ---- */

/* Does AuthBasicProvider name an AuthnProviderAlias? */
static bool has_alias(as_dump *dump)
{
    static const char *const known[] = {"authstatus", "file", "dbm", "dbd", "anon", "ldap", "socache", NULL};
    const char *providers = as_dump_argument(dump, "AuthBasicProvider"), *word;
    const char *const *name;

    while (providers && *providers) {
        word = ap_getword_conf(dump->pool, &providers);
        for (name = known; *name && !is(word, *name); name++) {
        }
        if (!*name) {
            return true;
        }
    }
    return false;
}

/* Returns whether a login here may come from an AuthnProviderAlias, which has a directory of its own. */
static bool may_have_alias(as_dump *dump)
{
    return has_alias(dump) || as_dump_argument(dump, "AuthFormProvider") != NULL;
}

/* Returns whether the URL suggests Active Directory, by its attributes. */
static bool seems_active_directory(const as_section *section)
{
    const char *attribute = section->url ? section->url->parsed.attributes[0] : "";

    return is(attribute, "sAMAccountName") || is(attribute, "userPrincipalName");
}

static bool takes_class_group(const as_section *section)
{
    int i;

    for (i = 0; section->subgroup_classes && i < section->subgroup_classes->count; i++) {
        if (is(section->subgroup_classes->names[i], "group")) {
            return true;
        }
    }
    return false;
}

/* ---- what mod_authnz_ldap refuses, and this module does not ---- */

/* Returns whether a DN is written otherwise than directories write theirs. */
static bool is_spelled_freely(const char *text)
{
    char normal[AS_DN_MAX];

    return as_dn_normalize_exactly(text, strlen(text), normal) && strcmp(text, normal) != 0;
}

/* Returns whether the section has settings of the directory of its own, and its URL from outside. */
static bool has_inherited_url(const as_dump *dump)
{
    bool has_own = false;
    int i;

    for (i = 0; i < dump->pieces->nelts; i++) {
        const ap_directive_t *directive = APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *)->first;

        for (; directive; directive = directive->next) {
            if (is(directive->directive, "AuthLDAPURL")) {
                return false;
            }
            has_own = has_own || as_directive_begins_with(directive, "AuthLDAP");
        }
    }
    return has_own && dump->section->url != NULL;
}

static void say_differences(as_dump *dump, bool groups)
{
    const as_section *section = dump->section;

    if (has_inherited_url(dump)) {
        as_dump_say(dump, "differs",
                    "what this section does not set of AuthLDAP* it has from outside; with "
                    "mod_authnz_ldap it has nothing from there, and lets nobody in");
    }
    if (groups && seems_active_directory(section) && section->groups != AS_GROUPS_MEMBER) {
        as_dump_say(dump, "differs",
                    takes_class_group(section)
                        ? "on Active Directory the primary group counts, and groups within groups however deep they "
                          "are; with mod_authnz_ldap no primary group, and AuthLDAPMaxSubGroupDepth levels"
                        : "on Active Directory the primary group counts; with mod_authnz_ldap it does not");
    }
}

static void warn_of_section(as_dump *dump, bool groups)
{
    const as_section *section = dump->section;

    if (!section->url && !may_have_alias(dump)) {
        as_dump_warn(dump,
                     "Require ldap-* without AuthLDAPURL, and no AuthnProviderAlias that a login could come from");
    }
    if (section->url && has_alias(dump)) {
        as_dump_warn(dump, "logins may come from an AuthnProviderAlias, and the lines query this section's "
                           "AuthLDAPURL, about the entry that the alias found");
    }
    if (groups && section->groups != AS_GROUPS_MEMBER_OF) {
        as_dump_warn_of_group_attributes(dump);
    }
    if (groups && section->groups == AS_GROUPS_MEMBER_OF) {
        as_dump_warn(dump,
                     "AuthStatusGroups MemberOf: an account that may write memberOf of an entry may let that user in; "
                     "where the directory does not maintain memberOf, nobody is in any group");
    }
    if (groups && seems_active_directory(section) && !takes_class_group(section)) {
        as_dump_warn(dump, "on Active Directory groups within groups do not count here: AuthLDAPSubGroupClass has no "
                           "`group`");
    }
}

/* ---- all lines ---- */

static void say_line(as_dump *dump, const as_written_line *line)
{
    const bool theirs = !as_section_is_on(dump->section) && ap_find_linked_module("mod_authnz_ldap.c");

    as_dump_say(dump, "require",
                apr_psprintf(dump->pool, "%s%s %s: answered by %s", line->not ? "not " : "",
                             as_require_get_name(line->kind), line->arguments,
                             theirs ? "mod_authnz_ldap" : "mod_authstatus"));
    as_dump_warn_of_words(dump, as_require_get_name(line->kind), line->arguments);
    if (!theirs) {
        warn_of_line(dump, line);
        if (line->kind == AS_REQUIRE_DN && is_spelled_freely(line->arguments)) {
            as_dump_say(dump, "differs",
                        "the DN counts however it is spelled; with mod_authnz_ldap, unless "
                        "AuthLDAPCompareDNOnServer is On, as it is written here alone");
        }
    }
}

/* Warns of lines of other modules: `Require group` with a DN, which was mod_auth_ldap's in httpd 2.0. */
static void warn_of_other_line(as_dump *dump, const char *arguments)
{
    const char *name = ap_getword_conf(dump->pool, &arguments);

    if (is(name, "not")) {
        name = ap_getword_conf(dump->pool, &arguments);
    }
    as_dump_warn_of_words(dump, name, arguments);
    if (is(name, "group") && strchr(arguments, '=')) {
        as_dump_warn(dump,
                     "Require group is mod_authz_groupfile's, and reads AuthGroupFile; a group of the directory is "
                     "Require ldap-group and its DN");
    }
}

/* Lines in containers stand in the section itself. */
static unsigned say_lines(as_dump *dump, const ap_directive_t *directive, bool negated)
{
    unsigned found = 0;
    as_written_line line;

    for (; directive; directive = directive->next) {
        if (as_directive_may_contain_require(directive)) {
            found |= say_lines(dump, directive->first_child, negated || is(directive->directive, "<RequireNone"));
        } else if (is(directive->directive, "Require")) {
            if (!read_line(dump->pool, directive, &line)) {
                warn_of_other_line(dump, directive->args);
                continue;
            }
            line.negated = line.not || negated;
            say_line(dump, &line);
            found |= AS_REQUIRES_LINES | (line.kind == AS_REQUIRE_GROUP ? AS_REQUIRES_GROUPS : 0);
        }
    }
    return found;
}

void as_dump_requirements(as_dump *dump)
{
    const as_section_ref *instead;
    unsigned found = 0;
    int i;

    for (i = 0; i < dump->pieces->nelts; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *);

        if (as_dump_is_in_force(dump, piece, &instead)) {
            found |= say_lines(dump, piece->first, false);
        }
    }

    if (found && (as_section_is_on(dump->section) || !ap_find_linked_module("mod_authnz_ldap.c"))) {
        say_differences(dump, (found & AS_REQUIRES_GROUPS) != 0);
        warn_of_section(dump, (found & AS_REQUIRES_GROUPS) != 0);
    }
}
