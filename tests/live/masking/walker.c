/* SPDX-License-Identifier: Apache-2.0
 *
 * A module for tests of the mask: counts how often a request is walked, and leaves its trace in each place in which a
 * module may leave one. What it finds there at the beginning of a walk goes into a header of the answer, X-Walker;
 * how often a request was walked goes into the error log, at the end.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <apr_strings.h>
#include <string.h>

module AP_MODULE_DECLARE_DATA walker_module;

#define NAME "walker"

static apr_status_t pass_on(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    return ap_pass_brigade(filter->next, brigade);
}

static apr_status_t read_on(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t octets)
{
    return ap_get_brigade(filter->next, brigade, mode, block, octets);
}

static int has_filter(const ap_filter_t *filter)
{
    while (filter && strcmp(filter->frec->name, NAME)) {
        filter = filter->next;
    }
    return filter != NULL;
}

static const char *found(request_rec *r)
{
    void *data = NULL;

    apr_pool_userdata_get(&data, NAME, r->pool);
    return apr_psprintf(
        r->pool, "pool=%d notes=%d config=%d env=%d in=%d out=%d err=%d output=%d input=%d args=%d", data != NULL,
        apr_table_get(r->notes, NAME) != NULL, ap_get_module_config(r->request_config, &walker_module) != NULL,
        apr_table_get(r->subprocess_env, NAME) != NULL, apr_table_get(r->headers_in, NAME) != NULL,
        apr_table_get(r->headers_out, NAME) != NULL, apr_table_get(r->err_headers_out, NAME) != NULL,
        has_filter(r->output_filters), has_filter(r->input_filters), r->args && strstr(r->args, NAME) ? 1 : 0);
}

static void leave(request_rec *r)
{
    apr_pool_userdata_set(NAME, NAME, NULL, r->pool);
    ap_set_module_config(r->request_config, &walker_module, (void *)NAME);
    apr_table_setn(r->notes, NAME, NAME);
    apr_table_setn(r->subprocess_env, NAME, NAME);
    apr_table_setn(r->headers_in, NAME, NAME);
    apr_table_setn(r->headers_out, NAME, NAME);
    apr_table_setn(r->err_headers_out, NAME, NAME);
    ap_add_output_filter(NAME, NULL, r, r->connection);
    ap_add_input_filter(NAME, NULL, r, r->connection);
    r->args = apr_pstrcat(r->pool, r->args ? r->args : "", "&" NAME, NULL);
}

static int begin(request_rec *r)
{
    const char *walks = apr_table_get(r->connection->notes, NAME);

    if (!r->prev) {
        const char *state = found(r);
        leave(r);
        apr_table_setn(r->err_headers_out, "X-Walker", state);
        apr_table_set(r->connection->notes, NAME, apr_itoa(r->pool, walks ? atoi(walks) + 1 : 1));
    }
    return DECLINED;
}

static int end(request_rec *r)
{
    const char *walks = apr_table_get(r->connection->notes, NAME);

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server, "walks=%s of %s", walks ? walks : "0", r->unparsed_uri);
    apr_table_unset(r->connection->notes, NAME);
    return DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    /* In front of and behind what other filters of a request there are. */
    ap_register_output_filter(NAME, pass_on, NULL, AP_FTYPE_PROTOCOL + 3);
    ap_register_input_filter(NAME, read_on, NULL, AP_FTYPE_PROTOCOL + 3);
    ap_hook_translate_name(begin, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(end, NULL, NULL, APR_HOOK_LAST);
}

AP_DECLARE_MODULE(walker) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
                             AP_MODULE_FLAG_NONE};
