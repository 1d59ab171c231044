/* SPDX-License-Identifier: Apache-2.0
 *
 * What the person reads: one plain sentence in place of httpd's own text for the status, or application/problem+json
 * (RFC 9457) for a client that prefers it. An ErrorDocument of the administrator wins over both, and a masked answer is
 * left to httpd.
 */
#include "private.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#define FILTER_NAME "AUTHSTATUS_BODY"
#define PROBLEM_JSON "application/problem+json"

static ap_filter_rec_t *filter_handle;

/* ---- which of the two (RFC 9110 12.5.1) ---- */

/* The weight of a media range, in thousandths; 1000 where it has none or none that can be read. */
static int weight_of(const char *parameters)
{
    const char *q = ap_strcasestr(parameters, "q=");
    int thousandths = 0, scale = 1000;

    if (!q || (q[2] != '0' && q[2] != '1')) {
        return 1000;
    }
    thousandths = (q[2] - '0') * 1000;
    if (q[3] == '.') {
        for (q += 4; apr_isdigit(*q) && scale > 1; q++) {
            scale /= 10;
            thousandths += (*q - '0') * scale;
        }
    }
    return thousandths > 1000 ? 1000 : thousandths;
}

static bool prefers_json(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");
    int json = 0, html = 0;

    while (accept && *accept) {
        char *range = ap_get_token(r->pool, &accept, 1);
        char *parameters = strchr(range, ';');
        apr_size_t length = parameters ? (apr_size_t)(parameters - range) : strlen(range);
        int weight = parameters ? weight_of(parameters) : 1000;

        while (length && apr_isspace(range[length - 1])) {
            length--;
        }
        range = apr_pstrmemdup(r->pool, range, length);
        if (!ap_cstr_casecmp(range, PROBLEM_JSON) || !ap_cstr_casecmp(range, "application/json")) {
            json = weight > json ? weight : json;
        } else if (!ap_cstr_casecmp(range, "text/html") || !ap_cstr_casecmp(range, "text/*")) {
            html = weight > html ? weight : html;
        }
        if (*accept == ',') {
            accept++;
        }
    }
    return json > html;
}

/* ---- the two ---- */

/* Names of outcomes and our sentences need no escaping in JSON or HTML; URLs were checked when they were configured. */
static const char *json(const request_rec *r, const as_exchange *exchange)
{
    const as_outcome_info *shown = as_outcome_describe(exchange->verdict.shown);
    const char *help = exchange->help ? apr_psprintf(r->pool, ",\n  \"help\": \"%s\"", exchange->help) : "";

    return apr_psprintf(r->pool,
                        "{\n  \"type\": \"urn:x-authstatus:%s\",\n  \"title\": \"%s\",\n  \"status\": %d,\n"
                        "  \"outcome\": \"%s\"%s\n}\n",
                        shown->name, shown->sentence, r->status, shown->name, help);
}

static const char *html(request_rec *r, const as_exchange *exchange)
{
    const char *line = ap_get_status_line(r->status);
    const char *help = exchange->help ? ap_escape_html(r->pool, exchange->help) : NULL;

    return apr_pstrcat(r->pool,
                       "<!DOCTYPE html>\n<html lang=\"en\"><head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
                       line, "</title>\n</head><body>\n<h1>", line + 4, "</h1>\n<p>",
                       as_outcome_describe(exchange->verdict.shown)->sentence, "</p>\n", help ? "<p><a href=\"" : "",
                       help ? help : "", help ? "\">Get help with this</a></p>\n" : "", ap_psignature("<hr>\n", r),
                       "</body></html>\n", NULL);
}

/* ---- the filter ---- */

/* Replaces the whole of the page that httpd makes. Everything is in the first brigade but what is flushed; of what
 * comes later nothing goes on. */
static apr_status_t replace_body(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    const as_exchange *exchange = as_exchange_peek(r);
    conn_rec *connection = r->connection;
    const bool as_json = prefers_json(r);
    const char *text = as_json ? json(r, exchange) : html(r, exchange);
    apr_size_t length = strlen(text);

    if (filter->ctx) {
        apr_brigade_cleanup(brigade);
        return APR_SUCCESS;
    }
    filter->ctx = r;
    apr_brigade_cleanup(brigade);
    ap_set_content_type(r, as_json ? PROBLEM_JSON : "text/html; charset=utf-8");
    ap_set_content_length(r, (apr_off_t)length);
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_pool_create(text, length, r->pool, connection->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(connection->bucket_alloc));
    return ap_pass_brigade(filter->next, brigade);
}

void as_body_register_filter(void)
{
    filter_handle = ap_register_output_filter(FILTER_NAME, replace_body, NULL, AP_FTYPE_RESOURCE);
}

void as_body_insert_filter(request_rec *r)
{
    const as_exchange *exchange = as_exchange_peek(r);
    int status = r->status == HTTP_PROXY_AUTHENTICATION_REQUIRED ? HTTP_UNAUTHORIZED : r->status;

    if (!exchange || !exchange->decided || exchange->verdict.masked || exchange->verdict.status != status ||
        !as_section_is_on(as_section_of(r)) || ap_response_code_string(r, ap_index_of_response(r->status))) {
        return;
    }
    ap_add_output_filter_handle(filter_handle, NULL, r, r->connection);
}
