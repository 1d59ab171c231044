/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a request enters the mask: its first pass is processed here, and checked before the client sees its answer.
 */
#include "passes.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* Returns whether the first pass found nothing, on a server that masks: such a request takes as long as a masked one.
 */
static bool must_delay(const request_rec *r)
{
    return !r->proxyreq && as_passes_is_nothing(r, r->finfo.filetype, r->path_info) &&
           as_server_has_mask(as_server_get(r->server));
}

/* Delays what is missing before httpd's own handler reads its body. Another handler may have an answer, and takes its
 * own time. Returns whether it did. */
static bool delay_default(request_rec *r, const as_snapshot *arrived, const as_transaction *before)
{
    const bool delays = as_mask_is_default(r) && must_delay(r);

    if (delays) {
        as_passes_walk_unused(r, arrived, before);
    }
    return delays;
}

/* The same where another handler has reported that there is nothing: before httpd sends that answer. */
static void delay_reported(request_rec *r, const as_snapshot *arrived, const as_transaction *before, int status)
{
    if ((status == HTTP_NOT_FOUND || status == HTTP_METHOD_NOT_ALLOWED) && must_delay(r)) {
        as_passes_walk_unused(r, arrived, before);
    }
}

/* Judges a first pass that may have been refused, and answers. */
static AS_RARELY int judge(request_rec *r, const as_snapshot *arrived, const as_transaction *before, int status,
                           bool delayed)
{
    as_context *context = as_context_get(r);

    status = as_mask_judge(r, context, status);
    if (context->masked) {
        return as_passes_answer(r, context, arrived, before);
    }
    if (context->mask->handling && !delayed) {
        delay_reported(r, arrived, before, status);
    }
    context->mask->pass = AS_PASS_DONE;
    return status;
}

/* Processes a request that has arrived; `before`: its transaction by then, NULL: new. */
static inline int process_request(request_rec *r, as_snapshot *arrived, const as_transaction *before)
{
    as_mask *mask = &as_snapshot_get_own(arrived)->mask;
    const as_context *context;
    int status = ap_process_request_internal(r);
    bool delayed;

    if (status != OK) {
        return judge(r, arrived, before, status, false);
    }
    delayed = as_passes_may_be_missing(r) && delay_default(r, arrived, before);
    status = as_mask_invoke_handler(r, mask);
    context = as_context_peek(r);
    if (status != OK || mask->suppressed_status || (context && context->masked)) {
        return judge(r, arrived, before, status, delayed);
    }
    mask->pass = AS_PASS_DONE;
    return OK;
}

/* Returns the state of the masking of a request that has arrived. */
static inline as_mask *begin_mask(as_snapshot *arrived)
{
    as_mask *mask = &as_snapshot_get_own(arrived)->mask;

    memset(mask, 0, offsetof(as_mask, finfo));
    return mask;
}

/* The same for a request of a transaction that has begun. `late`: httpd has begun to process the request, which begins
 * once more. */
static AS_RARELY int process_redirect(request_rec *r, bool late)
{
    as_snapshot *arrived = late ? as_snapshot_make_late(r) : as_snapshot_make(r);
    as_context *context = as_context_get(r);
    const as_transaction *before = apr_pmemdup(r->pool, context->transaction, sizeof(*context->transaction));
    int status;

    context->mask = begin_mask(arrived);
    if (late && as_snapshot_begin(r, arrived, AS_PASS_CONNECTED) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = process_request(r, arrived, before);
    as_snapshot_end(r, arrived);
    return status;
}

/* The same for a client's own request: nothing is decided when it arrives, and its context is made only where it is
 * needed. */
static inline int process_client_request(request_rec *r)
{
    as_snapshot *arrived = as_snapshot_make(r);
    as_mask *mask = begin_mask(arrived);

    as_context_prepare(r, &as_snapshot_get_own(arrived)->client, mask);
    return process_request(r, arrived, NULL);
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
    int status;

    if (!r->prev || r->main || !as_server_must_watch(as_server_get(r->server))) {
        return DECLINED;
    }
    if (as_mask_peek(r)) {
        return DECLINED;
    }
    status = process_redirect(r, true);
    /* With OK httpd would go on. */
    return status == OK ? DONE : status;
}
