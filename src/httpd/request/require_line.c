/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses `Require ldap-*`: a line that is wrong for every request stops the start-up.
 */
#include "require.h"

#include "../config/arguments.h"
#include "../config/sections.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>

/* Returns whether a text contains no expression: its value is the same for every request. */
static bool is_constant(const char *text)
{
    for (; *text; text++) {
        if ((text[0] == '%' && text[1] == '{') || (text[0] == '$' && text[1] >= '0' && text[1] <= '9')) {
            return false;
        }
    }
    return true;
}

/* Returns the value of a constant. httpd's own reader removes backslashes; it needs no request for that. */
static const char *read_constant(cmd_parms *cmd, const ap_expr_info_t *expression)
{
    request_rec *r = apr_pcalloc(cmd->temp_pool, sizeof(*r));
    const char *error = NULL, *value;

    r->pool = cmd->pool;
    r->server = cmd->server;
    value = ap_expr_str_exec(r, expression, &error);
    return error || !value ? "" : value;
}

/* Reads the first word as mod_authz_core does: it may stand in quotes. */
static bool has_not(const ap_directive_t *directive, apr_pool_t *pool)
{
    const char *arguments = directive->args;

    return !ap_cstr_casecmp(ap_getword_conf(pool, &arguments), "not");
}

/* Returns whether a yes of this line refuses, by the containers around it; unknown for a line in AuthzProviderAlias. */
static bool is_negated(const ap_directive_t *directive, apr_pool_t *pool)
{
    bool negated = directive && has_not(directive, pool);

    for (; directive; directive = directive->parent) {
        negated ^= !ap_cstr_casecmp(directive->directive, "<RequireNone");
    }
    return negated;
}

/* Does the line stand within a negation, or where it is not known whether it does? */
static bool may_refuse(const ap_directive_t *directive, apr_pool_t *pool)
{
    for (; directive; directive = directive->parent) {
        if (is_negated(directive, pool) || !ap_cstr_casecmp(directive->directive, "<AuthzProviderAlias")) {
            return true;
        }
    }
    return false;
}

/* Marks the section of the line. */
static void mark_section(cmd_parms *cmd, as_requirement_kind kind)
{
    as_section *section = cmd->context ? ap_get_module_config(cmd->context, &authstatus_module) : NULL;

    if (!section && cmd->context) {
        section = as_section_create(cmd->pool, cmd->path);
        ap_set_module_config(cmd->context, &authstatus_module, section);
    }
    if (section) {
        section->requires |= AS_REQUIRES_LINES | (kind == AS_REQUIRE_GROUP ? AS_REQUIRES_GROUPS : 0) |
                             (kind == AS_REQUIRE_SEARCH ? AS_REQUIRES_SEARCHES : 0);
    }
}

/* Returns a sentence about a constant, with advice for the most likely reason. */
static const char *find_problem(cmd_parms *cmd, const as_require_line *line, const char *text)
{
    const char *problem = as_requirement_check(&line->requirement, cmd->temp_pool), *advice = "";

    if (!problem) {
        return NULL;
    }
    if (strchr(text, '\\')) {
        advice = "; httpd's expressions take one backslash away, so double the backslash";
    } else if (*text == '"' && (line->kind == AS_REQUIRE_FILTER || line->kind == AS_REQUIRE_SEARCH)) {
        advice = "; quotes are part of the filter here, so write it without";
    } else if (as_argument_is_quote(text)) {
        advice = "; the typographic quotes are part of it, so write it without";
    }
    return apr_psprintf(cmd->pool, "Require %s: %s%s", as_require_get_name(line->kind), problem, advice);
}

/* A wrong line where this module answers it. It was parsed with mod_authnz_ldap loaded, so that only the whole
 * configuration shows who answers. */
typedef struct as_wrong_line {
    ap_conf_vector_t *section;
    const char *problem;
} as_wrong_line;

static apr_array_header_t *wrong_lines; /* of this reading of the configuration */

/* mod_authnz_ldap's providers; NULL where it is not loaded. Set before the configuration is read. */
static const authz_provider *theirs[AS_REQUIREMENT_COUNT];

void as_require_lines_begin(apr_pool_t *pconf)
{
    int i;

    wrong_lines = apr_array_make(pconf, 4, sizeof(as_wrong_line));
    for (i = 0; i < AS_REQUIREMENT_COUNT; i++) {
        theirs[i] = ap_lookup_provider(AUTHZ_PROVIDER_GROUP, as_require_get_name((as_requirement_kind)i),
                                       AUTHZ_PROVIDER_VERSION);
    }
}

const authz_provider *as_require_get_theirs(as_requirement_kind kind)
{
    return theirs[kind];
}

bool as_require_is_ours(const as_section *section)
{
    return section->requires && (as_section_is_on(section) || !theirs[AS_REQUIRE_GROUP]);
}

static void note_wrong_line(const cmd_parms *cmd, const char *problem)
{
    as_wrong_line *wrong;

    /* A line of a request's own .htaccess is unknown when evaluated. */
    if (wrong_lines && cmd->pool == wrong_lines->pool) {
        wrong = apr_array_push(wrong_lines);
        wrong->section = cmd->context;
        wrong->problem = problem;
    }
}

static const char *find_problem_in(const ap_conf_vector_t *section)
{
    int i;

    for (i = 0; wrong_lines && i < wrong_lines->nelts; i++) {
        const as_wrong_line *wrong = &APR_ARRAY_IDX(wrong_lines, i, as_wrong_line);

        if (wrong->section == section) {
            return wrong->problem;
        }
    }
    return NULL;
}

int as_require_check_config(apr_pool_t *ptemp, server_rec *s)
{
    server_rec *each;
    int i;

    for (each = s; each && wrong_lines && wrong_lines->nelts; each = each->next) {
        const apr_array_header_t *refs = as_sections_list(ptemp, s, each);

        for (i = 0; i < refs->nelts; i++) {
            const as_section_ref *ref = APR_ARRAY_IDX(refs, i, const as_section_ref *);
            const char *problem = ref->vector ? find_problem_in(ref->vector) : NULL;

            if (problem && as_section_is_on(as_sections_merge_chain(ptemp, as_sections_make_chain(ptemp, refs, ref)))) {
                AS_LOG_SERVER(0110, 0, each, problem);
                return HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }
    return OK;
}

/* Returns whether AuthStatus is On in the section itself. Inherited settings are known only after the start-up. */
static bool is_on_here(const cmd_parms *cmd)
{
    const as_section *section = cmd->context ? ap_get_module_config(cmd->context, &authstatus_module) : NULL;

    return section && as_section_is_on(section);
}

const char *as_require_parse(cmd_parms *cmd, as_requirement_kind kind, const char *text, const void **parsed)
{
    as_require_line *line = apr_pcalloc(cmd->pool, sizeof(*line));
    const char *error = NULL;

    *parsed = line;
    line->kind = kind;
    line->negated = is_negated(cmd->directive, cmd->temp_pool);
    line->may_refuse = may_refuse(cmd->directive, cmd->temp_pool);
    line->stays = cmd->pool == cmd->server->process->pconf;
    mark_section(cmd, kind);
    if (theirs[kind] && theirs[kind]->parse_require_line) {
        error = theirs[kind]->parse_require_line(cmd, text, &line->theirs);
        if (error) {
            return error;
        }
    }
    line->expression = ap_expr_parse_cmd(cmd, text, AP_EXPR_FLAG_STRING_RESULT | AP_EXPR_FLAG_DONT_VARY, &error, NULL);
    if (error) {
        return apr_psprintf(cmd->temp_pool, "Require %s: the expression \"%.200s\" does not parse: %s",
                            as_require_get_name(kind), text, error);
    }
    if (!is_constant(text)) {
        return NULL;
    }
    as_requirement_parse(cmd->pool, kind, read_constant(cmd, line->expression), &line->requirement);
    line->requirement.name = as_requirement_make_name(&line->requirement, cmd->pool);
    line->expression = NULL;
    line->problem = find_problem(cmd, line, text);
    if (line->problem && theirs[kind] && !is_on_here(cmd)) {
        note_wrong_line(cmd, line->problem);
        return NULL;
    }
    return line->problem;
}
