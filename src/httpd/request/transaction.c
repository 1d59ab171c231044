/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a request and of its transaction; and all resets of it.
 */
#include "request.h"

#include <http_request.h>

/* Returns the client's own request: subrequests lead to it through `main`, internal redirects through `prev`. */
static const request_rec *find_client_request(const request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

static as_context *make(const request_rec *r, as_transaction *transaction)
{
    as_context *context = apr_pcalloc(r->pool, sizeof(*context));

    context->transaction = transaction;
    ap_set_module_config(r->request_config, &authstatus_module, context);
    return context;
}

/* Read at each use: what a compiler makes of a constant size (rep stos) is slower than memset. */
static const volatile apr_size_t of_state = sizeof(as_client_state);

static AS_HOT as_context *make_of_client(const request_rec *first)
{
    as_mask *mask = as_mask_peek(first);
    /* as_context_prepare */
    as_client_state *state = ap_get_module_config(first->request_config, &as_this_module);
    const apr_size_t size_of_state = of_state;

    state = memset(state ? state : apr_palloc(first->pool, size_of_state), 0, size_of_state);
    state->transaction.pool = state->transaction.memo.pool = first->pool;
    state->context.transaction = &state->transaction;
    state->context.mask = mask;
    ap_set_module_config(first->request_config, &as_this_module, state);
    return &state->context;
}

AS_HOT as_context *as_context_create(request_rec *r)
{
    const request_rec *first;
    as_context *context;

    if (!r->main && !r->prev) {
        return make_of_client(r);
    }
    first = find_client_request(r);
    context = as_context_peek(first);
    if (!context) {
        context = make_of_client(first);
    }
    return make(r, context->transaction);
}

as_transaction *as_transaction_find(const request_rec *r)
{
    const as_context *context = as_context_peek(find_client_request(r));

    return context ? context->transaction : NULL;
}

void as_transaction_reset(as_transaction *transaction, const as_transaction *arrival, const as_transaction *truth)
{
#define AGAIN_KEEP(name)
#define AGAIN_ARRIVAL(name) transaction->name = arrival->name;
#define AGAIN_TRUTH(name) transaction->name = truth;
#define AS_TRANSACTION_MEMBER(type, name, second_pass) AGAIN_##second_pass(name)
#include "state.def"
}

void as_context_reset(as_context *context)
{
    as_context fresh = {.transaction = NULL};

#undef AGAIN_KEEP
#define AGAIN_KEEP(name) fresh.name = context->name;
#define AGAIN_FRESH(name)
#define AS_CONTEXT_MEMBER(type, name, second_pass, reused_login) AGAIN_##second_pass(name)
#include "state.def"
    *context = fresh;
}

void as_context_reuse_login(as_context *context, const as_context *login)
{
#define REUSE_PASS(name)
#define REUSE_LOGIN(name) context->name = login->name;
#define AS_CONTEXT_MEMBER(type, name, second_pass, reused_login) REUSE_##reused_login(name)
#include "state.def"
}

bool as_transaction_is_refused(const as_transaction *transaction)
{
    return transaction->decided && transaction->verdict.status;
}

const char *as_authorization_get_header(const request_rec *r)
{
    return apr_table_get(r->headers_in, r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authorization" : "Authorization");
}
