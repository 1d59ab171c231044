/* SPDX-License-Identifier: Apache-2.0
 *
 * A module for tests of httpd's authentication hooks: counts each hook of its own in a header of the answer, and does
 * what its directive says.
 *
 *     ProbeDo PLACE ACTION
 *
 * PLACE: header-parser, access-checker, fixups (each knows `ask` alone), access-outer, access-first, ..., authn-outer,
 * authn-first, authn-middle, authn-last, authz-first. `outer` stands in front of mod_authstatus, the others behind it;
 * `first` in front of mod_auth_basic, `last` behind it. ACTION: decline, grant (as the user "probe"), deny (401),
 * forbid (403), user (sets r->user and declines), header (replaces Authorization by ProbeHeader and declines), ask
 * (whether httpd needs a login here: X-Asked), chain (runs the phase's hooks itself and returns what they return).
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>
#include <apr_strings.h>
#include <string.h>

#define PLACES(X)                                                                                                      \
    X(access_outer, "access-outer", APR_HOOK_REALLY_FIRST - 1, check_access_ex, ap_run_access_checker_ex)              \
    X(access_first, "access-first", APR_HOOK_FIRST, check_access_ex, ap_run_access_checker_ex)                         \
    X(access_last, "access-last", APR_HOOK_LAST, check_access_ex, ap_run_access_checker_ex)                            \
    X(authn_outer, "authn-outer", APR_HOOK_REALLY_FIRST - 1, check_authn, ap_run_check_user_id)                        \
    X(authn_first, "authn-first", APR_HOOK_FIRST, check_authn, ap_run_check_user_id)                                   \
    X(authn_middle, "authn-middle", APR_HOOK_MIDDLE, check_authn, ap_run_check_user_id)                                \
    X(authn_last, "authn-last", APR_HOOK_LAST, check_authn, ap_run_check_user_id)                                      \
    X(authz_first, "authz-first", APR_HOOK_FIRST, check_authz, ap_run_auth_checker)

typedef struct probe_config {
    apr_table_t *actions;
    const char *header;
} probe_config;

module AP_MODULE_DECLARE_DATA probe_module;

static void *create(apr_pool_t *pool, char *path)
{
    probe_config *config = apr_pcalloc(pool, sizeof(*config));

    (void)path;
    config->actions = apr_table_make(pool, 4);
    return config;
}

static void *merge(apr_pool_t *pool, void *outer_config, void *inner_config)
{
    probe_config *outer = outer_config, *inner = inner_config, *merged = apr_pcalloc(pool, sizeof(*merged));

    merged->actions = apr_table_overlay(pool, inner->actions, outer->actions);
    merged->header = inner->header ? inner->header : outer->header;
    return merged;
}

static const char *set_action(cmd_parms *cmd, void *config, const char *place, const char *action)
{
    (void)cmd;
    apr_table_set(((probe_config *)config)->actions, place, action);
    return NULL;
}

static const char *set_header(cmd_parms *cmd, void *config, const char *header)
{
    (void)cmd;
    ((probe_config *)config)->header = header;
    return NULL;
}

static int probe(request_rec *r, const char *place, int (*run)(request_rec *))
{
    const probe_config *config = ap_get_module_config(r->per_dir_config, &probe_module);
    const char *action = apr_table_get(config->actions, place), *name = apr_pstrcat(r->pool, "X-Ran-", place, NULL),
               *before = apr_table_get(r->err_headers_out, name);

    apr_table_set(r->err_headers_out, name, apr_itoa(r->pool, before ? atoi(before) + 1 : 1));
    if (!action || !strcmp(action, "decline")) {
        return DECLINED;
    }
    if (!strcmp(action, "grant")) {
        r->user = apr_pstrdup(r->pool, "probe");
        r->ap_auth_type = apr_pstrdup(r->pool, "Probe");
        return OK;
    }
    if (!strcmp(action, "deny")) {
        return HTTP_UNAUTHORIZED;
    }
    if (!strcmp(action, "forbid")) {
        return HTTP_FORBIDDEN;
    }
    if (!strcmp(action, "user")) {
        r->user = apr_pstrdup(r->pool, "probe");
    } else if (!strcmp(action, "header")) {
        apr_table_set(r->headers_in, "Authorization", config->header);
    } else if (!strcmp(action, "chain") && !apr_table_get(r->notes, "probe-chain")) {
        int status;

        apr_table_set(r->notes, "probe-chain", "1");
        status = run(r);
        apr_table_unset(r->notes, "probe-chain");
        return status;
    }
    return DECLINED;
}

#define DEFINE(name, place, order, hook, run)                                                                          \
    static int name(request_rec *r)                                                                                    \
    {                                                                                                                  \
        return probe(r, place, run);                                                                                   \
    }
PLACES(DEFINE)

/* Does httpd say that a login is needed here? */
static void ask(request_rec *r, const char *place)
{
    const probe_config *config = ap_get_module_config(r->per_dir_config, &probe_module);
    const char *action = apr_table_get(config->actions, place);

    if (action && !strcmp(action, "ask") && !apr_table_get(r->notes, "probe-ask")) {
        apr_table_set(r->notes, "probe-ask", "1");
        apr_table_set(r->err_headers_out, "X-Asked", ap_some_authn_required(r) ? "yes" : "no");
        apr_table_unset(r->notes, "probe-ask");
    }
}

static int header_parser(request_rec *r)
{
    ask(r, "header-parser");
    return DECLINED;
}

/* As mod_authz_svn does. */
static int access_checker(request_rec *r)
{
    ask(r, "access-checker");
    return DECLINED;
}

static int fixups(request_rec *r)
{
    ask(r, "fixups");
    apr_table_setn(r->err_headers_out, "X-User", r->user ? r->user : "-");
    apr_table_setn(r->err_headers_out, "X-Type", r->ap_auth_type ? r->ap_auth_type : "-");
    return DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
#define REGISTER(name, place, order, hook, run) ap_hook_##hook(name, NULL, NULL, order, AP_AUTH_INTERNAL_PER_CONF);
    PLACES(REGISTER)
    ap_hook_header_parser(header_parser, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_access(access_checker, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec directives[] = {
    AP_INIT_TAKE2("ProbeDo", set_action, NULL, ACCESS_CONF | RSRC_CONF, "a place and an action"),
    AP_INIT_TAKE1("ProbeHeader", set_header, NULL, ACCESS_CONF | RSRC_CONF, "an Authorization header"),
    {NULL, {NULL}, NULL, 0, 0, NULL},
};

AP_DECLARE_MODULE(probe) = {STANDARD20_MODULE_STUFF, create, merge, NULL, NULL, directives, register_hooks,
                            AP_MODULE_FLAG_NONE};
