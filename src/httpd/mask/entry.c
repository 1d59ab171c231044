/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a request enters the mask: its first pass is processed here, and checked before the client sees its answer.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* The cost of each request to a virtual host that masks: one allocation. */
typedef struct as_own {
    as_context context;
    as_transaction transaction;
    as_mask mask;
} as_own;

/* No constant: a compiler clears a struct word by word, slower than memset does. */
static apr_size_t size_of_own;

void as_entry_post_config(void)
{
    size_of_own = sizeof(as_own);
}

/* Most requests to a virtual host that masks are not masked. What the others need is in functions of its own, whose
 * stack frames those do not make. */
#define RARELY __attribute__((noinline))

static inline as_own *make_own(request_rec *r)
{
    as_own *own = apr_palloc(r->pool, size_of_own + as_snapshot_compute_size(r));

    return memset(own, 0, size_of_own);
}

static as_snapshot *get_snapshot(as_own *own)
{
    return (as_snapshot *)(own + 1);
}

/* Judges a first pass that may have been refused, and answers. */
static RARELY int judge(request_rec *r, as_own *own, as_context *context, const as_transaction *before, int status)
{
    status = as_mask_judge(r, context, status);
    if (context->masked) {
        return as_passes_answer(r, context, get_snapshot(own), before);
    }
    own->mask.pass = AS_PASS_DONE;
    as_snapshot_end(r, get_snapshot(own));
    return status;
}

/* Processes a request that has arrived; `before`: its transaction by then, NULL: new. */
static inline int process_request(request_rec *r, as_own *own, as_context *context, const as_transaction *before)
{
    int status = ap_process_request_internal(r);

    if (status == OK) {
        if (as_passes_may_be_missing(r)) {
            as_passes_walk_unused(r, context, get_snapshot(own), before);
        }
        status = ap_invoke_handler(r);
    }
    if (status != OK || own->mask.suppressed_status || context->masked) {
        return judge(r, own, context, before, status);
    }
    own->mask.pass = AS_PASS_DONE;
    as_snapshot_end(r, get_snapshot(own));
    return status;
}

/* The same for a request of a transaction that has begun. `late`: httpd has begun to process the request, which begins
 * once more. */
static RARELY int process_redirect(request_rec *r, bool late)
{
    as_own *own = make_own(r);
    as_context *context = as_context_make(r, &own->context, &own->transaction);
    const as_transaction *before = apr_pmemdup(r->pool, context->transaction, sizeof(*context->transaction));

    context->mask = &own->mask;
    if (late) {
        as_snapshot_take_late(r, get_snapshot(own));
        if (as_snapshot_begin(r, get_snapshot(own), AS_PASS_CONNECTED) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    } else {
        as_snapshot_take(r, get_snapshot(own));
    }
    return process_request(r, own, context, before);
}

/* The same for a client's own request: nothing is decided when it arrives. */
static int process_client_request(request_rec *r)
{
    as_own *own = make_own(r);
    as_context *context = as_context_make(r, &own->context, &own->transaction);

    context->mask = &own->mask;
    as_snapshot_take(r, get_snapshot(own));
    return process_request(r, own, context, NULL);
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
