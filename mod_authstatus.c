/* SPDX-License-Identifier: Apache-2.0
 *
 * mod_authstatus: each outcome of an authentication gets the status that HTTP defines for it.
 *
 * The module record, and every hook with its place in the order and the reason for it. Wiring only.
 */
#define AUTHSTATUS_FRONT_DOOR
#include "src/httpd/answer/answer.h"
#include "src/httpd/mask/mask.h"

#include <ap_provider.h>
#include <http_core.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

module AP_MODULE_DECLARE_DATA authstatus_module;
extern module as_this_module __attribute__((alias("authstatus_module")));

static const char *authstatus_outcome(request_rec *r)
{
    const as_transaction *transaction = as_transaction_peek(r);

    if (transaction && transaction->truth) {
        transaction = transaction->truth;
    }
    return transaction && transaction->decided ? as_outcome_describe(transaction->finding.outcome)->name : NULL;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    as_settings_serve(false);
    as_configured_begin(pconf);
    as_notices_pre_config(pconf);
    as_require_register(pconf);
    /* In the first generation no module has changed libldap's options yet: mod_ldap does so in post_config. */
    as_directories_keep_defaults(ap_pglobal);
    return as_socache_pre_config(pconf);
}

/* Returns whether the request has a handler whose name begins so. Called for each request: other names are not worth a
 * call. */
static inline bool has_initial(const request_rec *r, char initial)
{
    return r->handler && r->handler[0] == initial;
}

/* Answers pages of our own, by SetHandler. */
static AS_RARELY int answer_own_page(request_rec *r)
{
    int status;

    if (strncmp(r->handler, "authstatus-", strlen("authstatus-"))) {
        return DECLINED;
    }
    status = as_report_handler(r);
    return status == DECLINED ? as_relogin_handler(r) : status;
}

static int handle_own_page(request_rec *r)
{
    return has_initial(r, 'a') ? answer_own_page(r) : DECLINED;
}

/* Handles pages of our own, and the login of mod_auth_form (form-login-handler). */
static inline int handle_by_name(request_rec *r)
{
    return has_initial(r, 'f') ? as_hook_handler(r) : handle_own_page(r);
}

static AS_RARELY int handle_masked(request_rec *r, as_mask *mask)
{
    const int status = as_mask_handler(r, mask);

    return status == DECLINED ? handle_by_name(r) : status;
}

/* The same, after what comes before all handlers. */
static AS_HOT int handle(request_rec *r)
{
    as_mask *mask = as_mask_peek(r);

    return mask && as_mask_may_handle(r, mask) ? handle_masked(r, mask) : handle_by_name(r);
}

/* Returns whether another module has a hook in access_checker: one that calls ap_some_authn_required (mod_access_compat
 * does) must be distinguished from httpd's own access phase. */
static bool has_access_checkers(void)
{
    const apr_array_header_t *hooks = ap_hook_get_access_checker();

    return hooks && hooks->nelts > 0;
}

/* Hooks for requests that can match a section with directives of ours. Each of the first runs the hooks behind it
 * itself, before all others, and decides last by their results. */
static void register_request_hooks(void)
{
    ap_hook_check_access_ex(as_hook_access, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(as_hook_authn, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(as_hook_authz, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    /* Before mod_cache, which is REALLY_FIRST and registered earlier: it would serve what it has kept of a hidden URL.
     */
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_REALLY_FIRST - 10);
    /* These detect httpd's own access phase, and let it continue to the login. */
    ap_hook_header_parser(as_hook_header_parser, NULL, NULL, APR_HOOK_REALLY_LAST);
    if (has_access_checkers()) {
        ap_hook_check_access(as_hook_access_begin, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
        ap_hook_check_access(as_hook_access_end, NULL, NULL, APR_HOOK_REALLY_LAST, AP_AUTH_INTERNAL_PER_CONF);
    }
    ap_hook_force_authn(as_hook_force_authn, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Nearest to httpd's own page: filters of other modules see our page. */
    ap_hook_insert_error_filter(as_error_body_insert_filter, NULL, NULL, APR_HOOK_FIRST);
    /* After authentication, before mod_headers and the handlers read the variables. */
    ap_hook_fixups(as_hook_fixups, NULL, NULL, APR_HOOK_FIRST);
    /* Before mod_log_config writes the line that the notes are for. */
    ap_hook_log_transaction(as_hook_log, NULL, NULL, APR_HOOK_FIRST);
}

/* Returns whether another module has a hook in post_perdir_config. */
static bool has_post_perdir(void)
{
    const apr_array_header_t *hooks = ap_hook_get_post_perdir_config();

    return hooks && hooks->nelts > 0;
}

/* Registers the hooks of masking: they take the request when no module has a quick answer (an internal redirect, which
 * skips quick handlers: before its name is translated), check it again when its section is known and when it is
 * allowed, and handle it alone. The filter comes after those of all others. */
static void register_mask_hooks(void)
{
    ap_hook_quick_handler(as_mask_quick_handler, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_translate_name(as_mask_translate, NULL, NULL, APR_HOOK_REALLY_FIRST - 10);
    if (has_post_perdir()) {
        ap_hook_post_perdir_config(as_mask_post_perdir, NULL, NULL, APR_HOOK_REALLY_FIRST);
    } else {
        /* The next phase, which httpd runs anyway: where nothing comes between, it is the same. */
        ap_hook_header_parser(as_mask_post_perdir, NULL, NULL, APR_HOOK_REALLY_FIRST - 10);
    }
    ap_hook_type_checker(as_mask_type_checker, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(as_mask_insert_error_filters, NULL, NULL, APR_HOOK_REALLY_LAST);
}

/* Called when the configuration has been read. A server that only loads the module runs none of the request hooks,
 * and one that masks nothing none of the mask's. httpd has already sorted all hooks of modules in the configuration;
 * these are sorted once more. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *before = apr_hook_debug_current;

    if (as_effect_check_config(pconf, plog, ptemp, s) != OK || as_require_check_config(ptemp, s) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_hook_debug_current = authstatus_module.name;
    if (as_is_in_use(ptemp, s)) {
        register_request_hooks();
    } else {
        ap_hook_handler(handle_own_page, NULL, NULL, APR_HOOK_MIDDLE);
    }
    if (as_mask_is_configured(s)) {
        register_mask_hooks();
    }
    apr_hook_debug_current = before;
    apr_hook_sort_all();
    return OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int status;

    (void)plog;
    /* httpd reads its configuration twice; the first time only to check it. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (!as_directories_prepare(ptemp)) {
        AS_LOG_SERVER(0098, APR_ENOMEM, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    as_notices_post_config(ptemp, s);
    if (as_log_post_config(s) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = as_process_post_config(pconf, s);
    if (status == OK) {
        status = as_socache_post_config(pconf, ptemp, s);
    }
    return status == OK ? as_report_post_config(pconf, ptemp, s) : status;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    as_settings_serve(true);
    as_merges_child_init(as_pool_choose_for_life(pool));
    as_interned_child_init(pool);
    as_chain_child_init(as_pool_choose_for_life(pool), as_hook_access, as_hook_authn, as_hook_authz, handle);
    as_evaluation_child_init();
    as_lookaside_child_init(as_pool_choose_for_life(pool));
    if (!as_process_child_init(pool, s)) {
        /* another child replaces it */
        AS_LOG_SERVER(0097, APR_ENOMEM, s);
        exit(APEXIT_CHILDSICK);
    }
    as_server_stats_child_init(pool);
}

static void register_hooks(apr_pool_t *pool)
{
    /* Before the configuration is read and after every LoadModule: `Require` looks up its providers while reading. */
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_LAST);
    /* Also in httpd -t. */
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* When virtual hosts have their sections. */
    ap_hook_post_config(as_mask_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    /* In the parent, besides the MPM's own housekeeping. */
    ap_hook_monitor(as_sampler_sample_in_monitor, NULL, NULL, APR_HOOK_MIDDLE);

    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, AS_PROVIDER, AUTHN_PROVIDER_VERSION, &as_provider,
                              AP_AUTH_INTERNAL_PER_CONF);

    as_mask_register_filters();
    as_error_body_register_filter();

    /* The figures in mod_status, where that is loaded. */
    as_report_register_status();
    /* After httpd's own lists (-S, -M). */
    ap_hook_test_config(as_dump_test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(as_dump_json_test_config, NULL, NULL, APR_HOOK_MIDDLE);

    APR_REGISTER_OPTIONAL_FN(authstatus_outcome);
}

AP_DECLARE_MODULE(authstatus) = {STANDARD20_MODULE_STUFF, as_section_create, as_section_merge, as_server_create,
                                 as_server_merge,         as_directives,     register_hooks,   AP_MODULE_FLAG_NONE};
