/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters: one hides a handler's own refusal from the client, one a page that a module sends in the midst of a login,
 * one keeps every 404 out of caches, and two take the place of all others in a pass that only walks.
 */
#include "passes.h"

#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

static ap_filter_rec_t *swallow, *no_store, *withhold, *discard, *login_page;

/* Returns a status sent as a bucket, by a handler that detects the error late, or by httpd for a body that it cannot
 * read; 0: there is none. */
static int find_error(const apr_bucket_brigade *brigade)
{
    apr_bucket *bucket;

    for (bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (AP_BUCKET_IS_ERROR(bucket)) {
            return ((ap_bucket_error *)bucket->data)->status;
        }
    }
    return 0;
}

static int find_status(const request_rec *r, const apr_bucket_brigade *brigade)
{
    const int error = find_error(brigade);

    return error ? error : r->status;
}

/* Passes a handler's output on, without this filter. */
static inline apr_status_t pass_on(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    ap_filter_t *next = filter->next;

    if (filter->r->output_filters == filter) {
        filter->r->output_filters = next;
    } else {
        ap_remove_output_filter(filter);
    }
    return ap_pass_brigade(next, brigade);
}

/* Handles a refusal, a 404, and what follows a refusal that was hidden. */
static AS_RARELY apr_status_t swallow_error(ap_filter_t *filter, apr_bucket_brigade *brigade, int status)
{
    request_rec *r = filter->r;
    as_mask *mask = filter->ctx;

    if (mask->pass == AS_PASS_FIRST && !mask->suppressed_status && status != HTTP_OK &&
        as_mask_must_hide(r, as_context_get(r), status)) {
        mask->suppressed_status = status;
    }
    if (mask->suppressed_status) {
        apr_brigade_cleanup(brigade);
        return APR_SUCCESS;
    }
    if (status == HTTP_NOT_FOUND && as_server_has_mask(as_server_get(r->server))) {
        ap_add_output_filter_handle(no_store, NULL, r, r->connection);
    }
    return pass_on(filter, brigade);
}

/* The first filter: sees a handler's output before any of it is sent. Hides a refusal that must be masked; a 404
 * gets the other filter. */
static apr_status_t swallow_filter(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    const as_mask *mask = filter->ctx;
    request_rec *r = filter->r;
    ap_filter_t *next = filter->next;
    const int status = find_status(r, brigade);

    if (status != HTTP_OK || mask->suppressed_status || r->output_filters != filter) {
        return swallow_error(filter, brigade, status);
    }
    r->output_filters = next;
    return ap_pass_brigade(next, brigade);
}

/* A module may answer in the midst of a login (a page of mod_lua): only a protected resource answers so. */
static AS_RARELY apr_status_t login_page_filter(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    const as_context *context = as_context_peek(filter->r);
    const int error = find_error(brigade);

    if (!as_mask_hides_login(filter->r) || (error && !as_mask_is_of_login(error))) {
        return pass_on(filter, brigade);
    }
    context->mask->suppressed_status = HTTP_UNAUTHORIZED;
    apr_brigade_cleanup(brigade);
    return APR_SUCCESS;
}

/* RFC 9110 15.5.5: a 404 is cacheable, and a cache would serve it to authorized clients. */
static apr_status_t no_store_filter(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;

    if (r->status == HTTP_NOT_FOUND) {
        apr_table_unset(r->err_headers_out, "Cache-Control");
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    }
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

static apr_status_t withhold_filter(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                                    apr_read_type_e block, apr_off_t octets)
{
    (void)mode;
    (void)block;
    (void)octets;
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(filter->c->bucket_alloc));
    return APR_SUCCESS;
}

/* A TRACE is answered in the midst of a walk. */
static apr_status_t discard_filter(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    (void)filter;
    return apr_brigade_cleanup(brigade);
}

static ap_filter_t *insert_once(request_rec *r, ap_filter_rec_t *kind)
{
    ap_filter_t *filter = apr_pcalloc(r->pool, sizeof(*filter));

    filter->frec = kind;
    filter->r = r;
    filter->c = r->connection;
    return filter;
}

void as_mask_isolate(request_rec *r)
{
    r->input_filters = r->proto_input_filters = insert_once(r, withhold);
    r->output_filters = r->proto_output_filters = insert_once(r, discard);
}

int as_mask_run_muted(request_rec *r, int (*run)(request_rec *r))
{
    ap_filter_t *heard = r->connection->output_filters;
    int status;

    r->connection->output_filters = insert_once(r, discard);
    status = run(r);
    r->connection->output_filters = heard;
    return status;
}

void as_mask_guard_login(request_rec *r)
{
    ap_filter_t *first = insert_once(r, login_page);

    first->next = r->output_filters;
    r->output_filters = first;
}

void as_mask_release_login(request_rec *r)
{
    ap_filter_t *filter = r->output_filters;

    while (filter && filter->frec != login_page) {
        filter = filter->next;
    }
    if (filter) {
        ap_remove_output_filter(filter);
    }
}

void as_mask_register_filters(void)
{
    login_page = ap_register_output_filter("AUTHSTATUS_LOGIN_PAGE", login_page_filter, NULL, AP_FTYPE_RESOURCE - 1);
    withhold = ap_register_input_filter("AUTHSTATUS_WITHHOLD", withhold_filter, NULL, AP_FTYPE_PROTOCOL);
    discard = ap_register_output_filter("AUTHSTATUS_DISCARD", discard_filter, NULL, AP_FTYPE_PROTOCOL);
    swallow = ap_register_output_filter("AUTHSTATUS_MASK", swallow_filter, NULL, AP_FTYPE_RESOURCE - 1);
    /* After all filters that set headers, before the one that sends them. */
    no_store = ap_register_output_filter("AUTHSTATUS_NO_STORE", no_store_filter, NULL, AP_FTYPE_PROTOCOL - 1);
}

int as_mask_invoke_handler(request_rec *r, as_mask *mask)
{
    const ap_filter_t first = {.frec = swallow, .ctx = mask, .next = r->output_filters, .r = r, .c = r->connection};

    /* Before all others; ap_add_output_filter would search for that position. */
    mask->swallow = first;
    r->output_filters = &mask->swallow;
    mask->kept_before = r->kept_body;
    mask->handling = true;
    return ap_invoke_handler(r);
}

void as_mask_insert_error_filters(request_rec *r)
{
    if (as_server_has_mask(as_server_get(r->server))) {
        ap_add_output_filter_handle(no_store, NULL, r, r->connection);
    }
}
