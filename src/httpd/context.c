/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a request, and of the exchange that it is part of.
 */
#include "private.h"

#include <http_request.h>

/* The client's own request: subrequests lead to it through `main`, internal redirects through `prev`. */
static const request_rec *client_request(const request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

as_context *as_context_peek(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &authstatus_module);
}

static as_context *make(const request_rec *r, as_exchange *exchange)
{
    as_context *context = apr_pcalloc(r->pool, sizeof(*context));

    context->exchange = exchange;
    ap_set_module_config(r->request_config, &authstatus_module, context);
    return context;
}

as_context *as_context_of(request_rec *r)
{
    as_context *context = as_context_peek(r);
    const request_rec *first;

    if (context) {
        return context;
    }
    first = client_request(r);
    context = as_context_peek(first);
    if (!context) {
        as_exchange *exchange = apr_pcalloc(first->pool, sizeof(*exchange));
        exchange->pool = first->pool;
        context = make(first, exchange);
    }
    return first == r ? context : make(r, context->exchange);
}

as_exchange *as_exchange_peek(const request_rec *r)
{
    const as_context *context = as_context_peek(client_request(r));

    return context ? context->exchange : NULL;
}
