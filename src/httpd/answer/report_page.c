/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler `authstatus-report`: the counters as a page, as JSON and for Prometheus; and the same figures in
 * mod_status. It names no user.
 */
#include "answer.h"
#include "../config/sections.h"

#include <stdlib.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>

/* ---- protection ---- */

/* Returns whether the page is open to all. Runs `Require` for a stranger, without a name and from an unused address
 * (RFC 5737), in a copy of the request: other modules do not show from outside that they require a login or an
 * address. Protection by other means than Require counts as none. */
static bool is_open_to_strangers(request_rec *r)
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};
    request_rec stranger = *r;
    apr_pool_t *pool = r->pool;

    if (apr_sockaddr_info_get(&stranger.useragent_addr, "192.0.2.1", APR_INET, 0, 0, pool) != APR_SUCCESS) {
        return true;
    }
    stranger.useragent_ip = apr_pstrdup(pool, "192.0.2.1");
    stranger.useragent_host = apr_pstrdup(pool, "stranger.invalid"); /* RFC 6761 6.4; no lookup is made */
    stranger.user = stranger.ap_auth_type = NULL;
    stranger.headers_in = apr_table_make(pool, 1);
    stranger.headers_out = apr_table_copy(pool, r->headers_out);
    stranger.err_headers_out = apr_table_copy(pool, r->err_headers_out);
    stranger.subprocess_env = apr_table_make(pool, 1);
    stranger.notes = apr_table_make(pool, 1);
    stranger.main = stranger.prev = NULL;
    stranger.log = &quiet;
    stranger.request_config = ap_create_request_config(pool);
    as_context_get(&stranger)->running = AS_PHASE_ACCESS; /* no outcome is counted */
    return ap_run_access_checker_ex(&stranger) == OK;
}

/* ---- the page ---- */

static int send_text(request_rec *r, const char *type, const char *text)
{
    const apr_size_t length = strlen(text);

    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)length);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    ap_rwrite(text, (int)length, r);
    return OK;
}

/* Bounds of the interval of reloading, in seconds. */
#define REFRESH_LEAST 5
#define REFRESH_MOST 3600

/* Returns the seconds of "?refresh=30", within their bounds; 0 for another query. */
static int read_refresh(const request_rec *r)
{
    const char *text = r->args && !strncmp(r->args, "refresh=", 8) ? r->args + 8 : "";
    const size_t digits = strspn(text, "0123456789");
    long seconds;

    if (!digits || text[digits]) {
        return 0;
    }
    seconds = digits > 6 ? REFRESH_MOST : strtol(text, NULL, 10);
    return (int)(seconds < REFRESH_LEAST ? REFRESH_LEAST : seconds > REFRESH_MOST ? REFRESH_MOST : seconds);
}

/* Returns whether the query is that format. Prometheus can only send "metrics=". */
static bool is_query_for(const request_rec *r, const char *form)
{
    const size_t length = strlen(form);

    return r->args && !strncmp(r->args, form, length) && (!r->args[length] || !strcmp(r->args + length, "="));
}

int as_report_handler(request_rec *r)
{
    as_figures figures;
    int refresh;

    if (!r->handler || strcmp(r->handler, AS_REPORT_HANDLER)) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (is_open_to_strangers(r)) {
        AS_LOG_REQUEST(0090, 0, r);
        return HTTP_FORBIDDEN;
    }
    ap_discard_request_body(r);
    figures = as_figures_read(r->pool);
    as_sampler_sample(r->pool);
    if (is_query_for(r, "json")) {
        return send_text(r, "application/json", as_report_make_json(r->pool, &figures));
    }
    if (is_query_for(r, "metrics")) {
        return send_text(r, "text/plain; version=0.0.4; charset=utf-8", as_report_make_metrics(r->pool, &figures));
    }
    refresh = read_refresh(r);
    if (refresh) {
        apr_table_setn(r->headers_out, "Refresh", apr_itoa(r->pool, refresh));
    }
    return send_text(r, "text/html; charset=utf-8", as_report_make_html(r, &figures, refresh));
}

/* ---- mod_status ---- */

static void add_short(request_rec *r, const as_figures *figures)
{
    int i;

    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        ap_rprintf(r, "Authstatus[%s]: %" APR_UINT64_T_FMT "\n", as_outcome_describe((as_outcome)i)->name,
                   figures->outcomes[i]);
    }
    for (i = 0; i < AS_COUNTER_COUNT; i++) {
        ap_rprintf(r, "Authstatus[%s]: %" APR_UINT64_T_FMT "\n", as_counter_get_name((as_counter)i),
                   figures->counts[i]);
    }
    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);
        ap_rprintf(r,
                   "AuthstatusServer[%d]Name: %s\nAuthstatusServer[%d]Questions: %" APR_UINT64_T_FMT
                   "\nAuthstatusServer[%d]Sessions: %d\nAuthstatusServer[%d]LatencyUs: %" APR_TIME_T_FMT
                   "\nAuthstatusServer[%d]CircuitOpen: %d\n",
                   i, server->server, i, server->questions, i, server->sessions, i, server->latency, i,
                   server->circuit_open);
    }
}

static void add_long(request_rec *r, const as_figures *figures, bool extended)
{
    const char *separator = "";
    int i;

    ap_rprintf(r, "<hr>\n<h2>mod_authstatus</h2>\n<p>Since %s:", as_report_format_time(r->pool, figures->since));
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        if (figures->outcomes[i]) {
            ap_rprintf(r, "%s %s %" APR_UINT64_T_FMT, separator, as_outcome_describe((as_outcome)i)->name,
                       figures->outcomes[i]);
            separator = ",";
        }
    }
    ap_rputs(*separator ? "</p>\n" : " nothing yet</p>\n", r);
    if (!extended) {
        return;
    }
    ap_rputs("<ul>\n", r);
    for (i = 0; i < AS_COUNTER_COUNT; i++) {
        ap_rprintf(r, "<li>%s: %" APR_UINT64_T_FMT "</li>\n", as_counter_get_help((as_counter)i), figures->counts[i]);
    }
    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);
        ap_rprintf(r, "<li>%s: %s; questions: %" APR_UINT64_T_FMT ", sessions: %d, latency: %s</li>\n",
                   ap_escape_html(r->pool, server->server), as_describe_ldap_server(r->pool, server, figures->now),
                   server->questions, server->sessions, as_describe_latency(r->pool, server));
    }
    ap_rputs("</ul>\n", r);
}

static int add_to_status(request_rec *r, int flags)
{
    const as_figures figures = as_figures_read(r->pool);

    if (flags & AP_STATUS_SHORT) {
        add_short(r, &figures);
    } else {
        add_long(r, &figures, (flags & AP_STATUS_EXTENDED) != 0);
    }
    return OK;
}

void as_report_register_status(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, add_to_status, NULL, NULL, APR_HOOK_MIDDLE);
}

/* ---- start-up ---- */

/* Warns of an open report page as far as known at start-up: the handler checks each request again. */
static void warn_where_open(apr_pool_t *pool, server_rec *main_server, server_rec *s)
{
    const apr_array_header_t *refs = as_sections_list(pool, main_server, s);
    int i;

    for (i = 0; i < refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(refs, i, const as_section_ref *);
        const apr_array_header_t *chain = as_sections_make_chain(pool, refs, ref);

        const char *handler = as_sections_find_handler(pool, chain);

        if (!ref->inherited && handler && !strcmp(handler, AS_REPORT_HANDLER) &&
            !as_sections_have_require(pool, chain)) {
            AS_LOG_SERVER(0091, 0, s, as_section_make_name(pool, ref), as_section_describe_source(pool, ref));
        }
    }
}

int as_report_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    server_rec *each;
    apr_status_t status = as_server_stats_post_config(pconf, as_configured_get_servers());

    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0092, status, s);
    }
    status = as_sampler_post_config(s);
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0230, status, s);
    }
    for (each = s; each; each = each->next) {
        warn_where_open(ptemp, s, each);
    }
    return OK;
}
