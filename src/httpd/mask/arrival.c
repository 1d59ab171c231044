/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a request enters the mask: its first pass is processed here, and checked before the client sees its answer.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* No constant: a compiler clears a struct word by word, slower than memset does. */
static apr_size_t size_of_own;

void as_entry_post_config(void)
{
    size_of_own = sizeof(as_own);
}

/* Judges a first pass that may have been refused, and answers. */
static AS_RARELY int judge(request_rec *r, as_context *context, const as_snapshot *arrived,
                           const as_transaction *before, int status)
{
    status = as_mask_judge(r, context, status);
    if (context->masked) {
        return as_passes_answer(r, context, arrived, before);
    }
    context->mask->pass = AS_PASS_DONE;
    as_snapshot_end(r, arrived);
    return status;
}

/* Processes a request that has arrived; `before`: its transaction by then, NULL: new. */
static inline int process_request(request_rec *r, as_context *context, const as_snapshot *arrived,
                                  const as_transaction *before)
{
    int status = ap_process_request_internal(r);

    if (status == OK) {
        if (as_passes_may_be_missing(r)) {
            as_passes_walk_unused(r, context, arrived, before);
        }
        status = ap_invoke_handler(r);
    }
    if (status != OK || context->mask->suppressed_status || context->masked) {
        return judge(r, context, arrived, before, status);
    }
    context->mask->pass = AS_PASS_DONE;
    as_snapshot_end(r, arrived);
    return status;
}

/* The same for a request of a transaction that has begun. `late`: httpd has begun to process the request, which begins
 * once more. */
static AS_RARELY int process_redirect(request_rec *r, bool late)
{
    as_snapshot *arrived = apr_palloc(r->pool, as_snapshot_compute_size(r));
    as_context *context = as_context_get(r);
    const as_transaction *before = apr_pmemdup(r->pool, context->transaction, sizeof(*context->transaction));

    context->mask = apr_pcalloc(r->pool, sizeof(*context->mask));
    if (late) {
        as_snapshot_take_late(r, arrived);
        if (as_snapshot_begin(r, arrived, AS_PASS_CONNECTED) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    } else {
        as_snapshot_take(r, arrived);
    }
    return process_request(r, context, arrived, before);
}

/* The same for a client's own request: nothing is decided when it arrives. */
static int process_client_request(request_rec *r)
{
    /* One allocation, with the snapshot behind it. */
    as_own *own = memset(apr_palloc(r->pool, size_of_own + as_snapshot_compute_size(r)), 0, size_of_own);
    as_context *context = as_context_make(r, &own->context, &own->transaction);
    as_snapshot *arrived = (as_snapshot *)(own + 1);

    context->mask = &own->mask;
    as_snapshot_take(r, arrived);
    return process_request(r, context, arrived, NULL);
}

/* Runs as httpd's last quick handler: if no other module has answered, it does what httpd would do next, and checks the
 * result before the client sees it. */
int as_mask_quick_handler(request_rec *r, int lookup)
{
    if (lookup || r->main || !as_server_must_watch(as_server_get(r->server))) {
        return DECLINED;
    }
    return r->prev ? process_redirect(r, false) : process_client_request(r);
}

/* Runs as httpd's first translate_name hook. An internal redirect by a script (its Location is a path of this server),
 * by mod_actions, mod_asis and others (ap_internal_redirect_handler) comes here without a quick handler. */
int as_mask_translate(request_rec *r)
{
    const as_context *context;
    int status;

    if (!r->prev || r->main || !as_server_must_watch(as_server_get(r->server))) {
        return DECLINED;
    }
    context = as_context_peek(r);
    if (context && context->mask) {
        return DECLINED;
    }
    status = process_redirect(r, true);
    /* With OK httpd would go on. */
    return status == OK ? DONE : status;
}
