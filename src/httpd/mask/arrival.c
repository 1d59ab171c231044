/* SPDX-License-Identifier: Apache-2.0
 *
 * A request arrives at a virtual host that masks: it is prepared for a second pass, or is found to lead elsewhere.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_request.h>

/* The cost of each request to a virtual host that masks: one allocation. */
typedef struct as_own {
    as_context context;
    as_transaction transaction;
    as_mask mask;
} as_own;

/* No constant: a compiler clears a struct word by word, slower than memset does. */
static apr_size_t size_of_own;

void as_arrival_post_config(void)
{
    size_of_own = sizeof(as_own);
}

/* Makes the request one that may be masked. `before`: its transaction, if it is the target of a redirect. */
static as_context *make_own(request_rec *r, as_own *own, const as_transaction **before)
{
    as_context *context;

    memset(own, 0, size_of_own);
    context = as_context_make(r, &own->context, &own->transaction);
    context->mask = &own->mask;
    /* Nothing is decided yet when a client's own request arrives. */
    *before = r->prev ? apr_pmemdup(r->pool, context->transaction, sizeof(*context->transaction)) : NULL;
    return context;
}

/* Ends a request after its first pass, which ended with `status`. */
static int end_first_pass(request_rec *r, as_context *context, const as_snapshot *arrived, const as_transaction *before,
                          int status)
{
    if (status != OK || context->mask->swallowed || context->masked) {
        status = as_mask_judge(r, context, status);
    }
    if (!context->masked) {
        context->mask->way = AS_PASS_DONE;
        return status;
    }
    return as_pass_answer_as_missing(r, context, arrived, before);
}

static int handle(request_rec *r, as_context *context, const as_snapshot *arrived, const as_transaction *before)
{
    if (as_pass_ends_as_missing(r) && as_server_has_mask(as_server_get(r->server))) {
        as_pass_walk_as_others(r, context, arrived, before);
    }
    return ap_invoke_handler(r);
}

static int run_passes(request_rec *r, as_context *context, const as_snapshot *arrived, const as_transaction *before)
{
    const int status = ap_process_request_internal(r);

    return end_first_pass(r, context, arrived, before, status == OK ? handle(r, context, arrived, before) : status);
}

static RARELY int go_own_way(request_rec *r)
{
    as_own *own = apr_palloc(r->pool, size_of_own + as_snapshot_compute_size(r));
    as_snapshot *arrived = (as_snapshot *)(own + 1);
    const as_transaction *before;
    as_context *context = make_own(r, own, &before);

    as_snapshot_take(r, arrived);
    return run_passes(r, context, arrived, before);
}

/* ---- requests that lead to no section that masks ---- */

/* Starts a request again that came to a section that masks all the same. */
static RARELY int start_again(request_rec *r, const as_elsewhere *one)
{
    as_own *own = apr_palloc(r->pool, size_of_own + as_snapshot_compute_size(r));
    const as_transaction *known = as_transaction_peek(r), *before;
    as_snapshot *arrived = (as_snapshot *)(own + 1);
    as_context *context;
    int status;

    as_snapshot_take_late(r, one, arrived);
    if (as_snapshot_begin(r, arrived, true) != APR_SUCCESS) {
        return HTTP_NOT_FOUND;
    }
    context = make_own(r, own, &before);
    context->transaction->pool = context->transaction->memo.pool = as_snapshot_get_pool(arrived);
    if (known) {
        context->transaction->memo = known->memo;
    }
    as_snapshot_set_context(arrived, context);
    status = run_passes(r, context, arrived, before);
    as_snapshot_end(r, arrived);
    return status;
}

/* Handles a request that ends as missing as one does that was masked, for their time. */
static RARELY int handle_missing(request_rec *r, const as_elsewhere *one)
{
    as_own *own = apr_palloc(r->pool, size_of_own + as_snapshot_compute_size(r));
    as_snapshot *arrived = (as_snapshot *)(own + 1);
    const as_transaction *before;
    as_context *context = make_own(r, own, &before);

    context->mask->walked = context->mask->allowed = true;
    as_snapshot_take_late(r, one, arrived);
    as_snapshot_set_context(arrived, context);
    return end_first_pass(r, context, arrived, before, handle(r, context, arrived, before));
}

/* Returns whether a request ends at a file or a directory, as most do. */
static bool is_there(const request_rec *r)
{
    return r->finfo.filetype != APR_NOFILE && !(r->path_info && *r->path_info);
}

static int go_elsewhere(request_rec *r)
{
    as_elsewhere one;
    int status;

    as_elsewhere_begin(&one, r);
    status = ap_process_request_internal(r);
    if (status == OK && !as_elsewhere_was_left(r) && !one.led_astray) {
        if (!is_there(r) && as_pass_ends_as_missing(r) && as_server_has_mask(as_server_get(r->server))) {
            as_elsewhere_end(&one);
            return handle_missing(r, &one);
        }
        one.handling = true;
        status = ap_invoke_handler(r);
        /* A page may include what is hidden. */
        one.led_astray = one.led_astray && (status == HTTP_FORBIDDEN || status == HTTP_NOT_FOUND);
    } else if (status == HTTP_FORBIDDEN || status == HTTP_UNAUTHORIZED) {
        one.led_astray = one.led_astray || as_mask_is_placed(r);
    }
    as_elsewhere_end(&one);
    return one.led_astray ? start_again(r, &one) : status;
}

/* Runs as httpd's last quick handler: if no other module has answered, it does what httpd would do next, and checks the
 * result before the client sees it. */
int as_mask_quick_handler(request_rec *r, int lookup)
{
    const as_server *server = as_server_get(r->server);

    /* Most requests of a server that masks nothing, or maps no 403, end here. */
    if (lookup || r->main || server->masks <= AS_REACH_NONE) {
        return DECLINED;
    }
    return as_elsewhere_is(r, server->masked_paths) ? go_elsewhere(r) : go_own_way(r);
}
