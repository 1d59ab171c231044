/* SPDX-License-Identifier: Apache-2.0
 *
 * Error bodies: one plain sentence in place of httpd's own text for the status, or application/problem+json (RFC 9457)
 * for a client that prefers it. An ErrorDocument of the administrator has precedence, and httpd makes masked answers.
 */
#include "answer.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#define FILTER_NAME "AUTHSTATUS_BODY"
#define PROBLEM_JSON "application/problem+json"

static ap_filter_rec_t *filter_handle;

/* ---- the media type (RFC 9110 12.5.1) ---- */

/* A media type that could be sent, with the client's preference. */
typedef struct as_candidate {
    const char *type;
    int weight;   /* in thousandths, of the most specific range that matches */
    int specific; /* 0: no range matches; 1: any type; 2: any of this kind; 3: this one */
} as_candidate;

/* Reads the next media range of the field, with its weight. Returns false at the end. ap_get_token stops before a
 * semicolon as well as before a comma. */
static bool read_next_range(apr_pool_t *pool, const char **field, const char **range, int *weight)
{
    *field += strspn(*field, ", \t");
    if (!**field) {
        return false;
    }
    *range = ap_get_token(pool, field, 0);
    *weight = 1000;
    while (**field == ';') {
        const char *parameter;

        ++*field;
        parameter = ap_get_token(pool, field, 1);
        if (!strncasecmp(parameter, "q=", 2)) {
            *weight = as_qvalue_read(parameter + 2);
        }
    }
    *field += strcspn(*field, ",");
    return true;
}

static void weigh(as_candidate *candidate, const char *range, int weight)
{
    const size_t kind = strcspn(candidate->type, "/") + 1;
    int specific = 0;

    if (!ap_cstr_casecmp(range, candidate->type)) {
        specific = 3;
    } else if (!ap_cstr_casecmpn(range, candidate->type, kind) && !strcmp(range + kind, "*")) {
        specific = 2;
    } else if (!strcmp(range, "*/*")) {
        specific = 1;
    }
    if (specific > candidate->specific || (specific && specific == candidate->specific && weight > candidate->weight)) {
        candidate->specific = specific;
        candidate->weight = weight;
    }
}

static bool is_preferred(const as_candidate *candidate, const as_candidate *other)
{
    if (candidate->weight != other->weight) {
        return candidate->weight > other->weight;
    }
    return candidate->weight > 0 && candidate->specific > other->specific;
}

/* Returns whether the client prefers JSON. Of equal weights the one that the client names has precedence:
 * "application/json, any" is a script's. A client that names neither gets the page. */
static bool prefers_json(request_rec *r)
{
    const char *field = apr_table_get(r->headers_in, "Accept"), *range;
    as_candidate page = {"text/html", 0, 0}, problem = {PROBLEM_JSON, 0, 0}, plain = {"application/json", 0, 0};
    int weight;

    while (field && read_next_range(r->pool, &field, &range, &weight)) {
        weigh(&page, range, weight);
        weigh(&problem, range, weight);
        weigh(&plain, range, weight);
    }
    return is_preferred(&problem, &page) || is_preferred(&plain, &page);
}

/* ---- the two bodies ---- */

/* Makes the JSON body. Names of outcomes and our sentences need no escaping in JSON or HTML; a URL does. */
static const char *make_json(const request_rec *r, const as_language *language, const as_transaction *transaction)
{
    const as_outcome shown = transaction->verdict.shown;
    const char *name = as_outcome_describe(shown)->name;
    const char *help =
        transaction->help
            ? apr_pstrcat(r->pool, ",\n  \"help\": ", as_write_json_string(r->pool, transaction->help), NULL)
            : "";

    return apr_psprintf(r->pool,
                        "{\n  \"type\": \"urn:x-authstatus:%s\",\n  \"title\": \"%s\",\n  \"status\": %d,\n"
                        "  \"outcome\": \"%s\"%s\n}\n",
                        name, as_language_get_sentence(language, shown), r->status, name, help);
}

/* Returns the text of the link of AuthStatusHelp; a link to the page for signing in anew has a text of its own. */
static as_phrase choose_help_phrase(request_rec *r, const char *url)
{
    apr_table_t *headers = r->headers_in;
    request_rec *there;
    as_phrase phrase = AS_PHRASE_HELP;

    if (*url == '/') {
        /* the subrequest has no credentials */
        r->headers_in = apr_table_copy(r->pool, headers);
        apr_table_unset(r->headers_in, "Authorization");
        apr_table_unset(r->headers_in, "Proxy-Authorization");
        there = ap_sub_req_lookup_uri(apr_pstrmemdup(r->pool, url, strcspn(url, "?#")), r, NULL);
        if (there->handler && !strcmp(there->handler, AS_RELOGIN_HANDLER)) {
            phrase = AS_PHRASE_SWITCH;
        }
        ap_destroy_sub_req(there);
        r->headers_in = headers;
    }
    return phrase;
}

static const char *make_html(request_rec *r, const as_language *language, const as_transaction *transaction)
{
    const as_outcome shown = transaction->verdict.shown;
    const as_class of = as_outcome_describe(shown)->of;
    const char *help = transaction->help, *ways = "";

    if (help) {
        ways = apr_pstrcat(r->pool, "<p class=\"ways\">",
                           as_page_make_button(r->pool, help,
                                               as_language_get_phrase(language, choose_help_phrase(r, help)),
                                               AS_BUTTON_MAIN),
                           "</p>\n", NULL);
    }
    return as_page_make(r, language, as_language_get_phrase(language, as_phrase_find_title(of)), r->status,
                        apr_pstrcat(r->pool, "<p>", as_language_get_sentence(language, shown), "</p>\n<p class=\"do\">",
                                    as_language_get_phrase(language, as_phrase_find_advice(of)), "</p>\n", ways, NULL));
}

/* ---- the filter ---- */

/* Replaces the whole page that httpd makes. The first brigade has everything unless it was flushed; later data is
 * dropped. */
static apr_status_t replace_body(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    const as_transaction *transaction = as_transaction_peek(r);
    conn_rec *connection = r->connection;
    const as_language *language;
    const char *text;
    apr_size_t length;
    bool as_json;

    apr_brigade_cleanup(brigade);
    if (filter->ctx) {
        return APR_SUCCESS;
    }
    filter->ctx = r;
    as_json = prefers_json(r);
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    language = as_page_choose_language(r);
    text = as_json ? make_json(r, language, transaction) : make_html(r, language, transaction);
    length = strlen(text);
    ap_set_content_type(r, as_json ? PROBLEM_JSON : "text/html; charset=utf-8");
    ap_set_content_length(r, (apr_off_t)length);
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_pool_create(text, length, r->pool, connection->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(connection->bucket_alloc));
    return ap_pass_brigade(filter->next, brigade);
}

void as_error_body_register_filter(void)
{
    filter_handle = ap_register_output_filter(FILTER_NAME, replace_body, NULL, AP_FTYPE_RESOURCE);
}

void as_error_body_insert_filter(request_rec *r)
{
    const as_transaction *transaction = as_transaction_peek(r);
    int status = r->status == HTTP_PROXY_AUTHENTICATION_REQUIRED ? HTTP_UNAUTHORIZED : r->status;

    if (!transaction || !transaction->decided || transaction->verdict.masked || transaction->verdict.status != status ||
        !as_section_is_on(as_section_get(r)) || ap_response_code_string(r, ap_index_of_response(r->status))) {
        return;
    }
    ap_add_output_filter_handle(filter_handle, NULL, r, r->connection);
}
