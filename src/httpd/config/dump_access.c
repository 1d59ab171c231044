/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS about lines of Require, of any module, of which one lets in more than its neighbours say.
 * mod_authz_core grants by any line of a section, unless they stand in <RequireAll>, and grants every method that
 * <Limit> does not name.
 */
#include "dump.h"

#include <apr_strings.h>

static bool is(const char *word, const char *name)
{
    return !ap_cstr_casecmp(word, name);
}

/* Returns whether a directive is Require with this name as its first word, and this second word (NULL: any). */
static bool is_line(apr_pool_t *pool, const ap_directive_t *directive, const char *name, const char *word)
{
    const char *rest = directive->args;

    return is(directive->directive, "Require") && is(ap_getword_conf(pool, &rest), name) &&
           (!word || is(ap_getword_conf(pool, &rest), word));
}

/* Returns whether a line grants some of those who sign in. */
static bool is_of_users(apr_pool_t *pool, const ap_directive_t *directive)
{
    static const char *const names[] = {"user",  "ldap-user",   "ldap-group", "ldap-dn",   "ldap-attribute",
                                        "group", "ldap-filter", "dbd-group",  "dbm-group", NULL};
    const char *const *name;

    for (name = names; *name && !is_line(pool, directive, *name, NULL); name++) {
    }
    return *name != NULL;
}

/* Warns of lines of one container of which one is enough. `first`: the first directive in it. */
static void warn_of_lines(as_dump *dump, const ap_directive_t *first)
{
    const ap_directive_t *all_granted = NULL, *valid_user = NULL, *named = NULL, *directive;

    for (directive = first; directive; directive = directive->next) {
        all_granted = is_line(dump->pool, directive, "all", "granted") ? directive : all_granted;
        valid_user = is_line(dump->pool, directive, "valid-user", NULL) ? directive : valid_user;
        named = is_of_users(dump->pool, directive) ? directive : named;
    }
    if (all_granted && (valid_user || named)) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "one line of Require is enough: Require all granted (%s:%d) lets everybody in "
                                        "without a login; leave it out",
                                        all_granted->filename, all_granted->line_num));
    } else if (valid_user && named) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "one line of Require is enough: Require valid-user (%s:%d) lets in everybody "
                                        "who signs in, whatever Require %.200s says; leave it out",
                                        valid_user->filename, valid_user->line_num, named->args));
    }
}

/* Warns of a section and of the containers in it. <RequireNone> grants nobody. */
static void warn_of_containers(as_dump *dump, const ap_directive_t *first, bool is_any)
{
    const ap_directive_t *directive;

    if (is_any) {
        warn_of_lines(dump, first);
    }
    for (directive = first; directive; directive = directive->next) {
        if (is(directive->directive, "<RequireAll") || is(directive->directive, "<RequireAny") ||
            as_directive_begins_with(directive, "<Limit")) {
            warn_of_containers(dump, directive->first_child, !is(directive->directive, "<RequireAll"));
        }
    }
}

/* Returns whether a line of Require, other than `all`, stands somewhere in a section but not within <Limit>. */
static bool has_line(apr_pool_t *pool, const ap_directive_t *directive)
{
    for (; directive; directive = directive->next) {
        if ((is(directive->directive, "Require") && !is_line(pool, directive, "all", NULL)) ||
            (!is(directive->directive, "<Limit") && has_line(pool, directive->first_child))) {
            return true;
        }
    }
    return false;
}

/* Warns of <Limit> that protects reading, where nothing protects the methods that it does not name. */
static void warn_of_limit(as_dump *dump, const as_section_ref *piece)
{
    const ap_directive_t *directive;

    for (directive = piece->first; directive; directive = directive->next) {
        if (is(directive->directive, "<Limit") && ap_find_token(dump->pool, directive->args, "GET") &&
            has_line(dump->pool, directive->first_child)) {
            as_dump_warn(dump, apr_psprintf(dump->pool,
                                            "Require stands in <Limit %s (%s:%d), so that methods which are not named "
                                            "there need no login; write it outside of <Limit>",
                                            directive->args, directive->filename, directive->line_num));
            return;
        }
    }
}

/* Warns of lines that those of a later section replace. `instead`: NULL: it has AuthMerging Off and no lines. */
static void warn_of_replaced(as_dump *dump, const as_section_ref *piece, const as_section_ref *instead)
{
    const ap_directive_t *line = as_section_find_directive(piece, "Require", NULL);

    if (!line) {
        return;
    }
    as_dump_warn(dump, apr_psprintf(dump->pool, "Require %.200s (%s:%d) has no effect: %s", line->args, line->filename,
                                    line->line_num,
                                    instead ? apr_psprintf(dump->pool,
                                                           "%s (%s) applies later and has lines of its own, which "
                                                           "replace it; write AuthMerging Or there, or all lines in "
                                                           "one section",
                                                           as_section_make_name(dump->pool, instead),
                                                           as_section_describe_source(dump->pool, instead))
                                            : "AuthMerging Off in a section that applies later removes it"));
}

void as_dump_warn_of_access(as_dump *dump)
{
    const as_section_ref *instead;
    bool protected_elsewhere = false;
    int i;

    for (i = 0; i < dump->pieces->nelts; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *);

        if (as_dump_is_in_force(dump, piece, &instead)) {
            warn_of_containers(dump, piece->first, true);
            protected_elsewhere = protected_elsewhere || has_line(dump->pool, piece->first);
        } else {
            warn_of_replaced(dump, piece, instead);
        }
    }
    for (i = 0; i < dump->pieces->nelts && !protected_elsewhere; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *);

        if (as_dump_is_in_force(dump, piece, &instead)) {
            warn_of_limit(dump, piece);
        }
    }
}
