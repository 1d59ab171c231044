/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the hooks of other modules behind ours, for our hook of the same name. httpd has already run the hooks before
 * ours.
 */
#include "request.h"

#include <http_config.h>
#include <http_request.h>

/* Hooks of one chain, in their order. */
typedef struct chain {
    as_chain_hook **first, **end;
} chain;

/* The hooks behind ours, by as_phase. Set before a process's threads start: a chain stays as it is while it serves. */
static chain chains[AS_PHASE_HANDLER + 1];
/* mod_auth_basic's hook among those of authentication, if it is behind ours; else NULL. */
static as_chain_hook **basic;

/* Lists the hooks of a chain behind `own`: each of these chains is httpd's RUN_FIRST. A chain without any hook is NULL.
 */
#define AS_CHAIN(hook)                                                                                                 \
    static chain list_##hook(apr_pool_t *pool, as_chain_hook *own)                                                     \
    {                                                                                                                  \
        const apr_array_header_t *hooks = ap_hook_get_##hook();                                                        \
        const int count = hooks ? hooks->nelts : 0;                                                                    \
        chain of;                                                                                                      \
        int i = 0;                                                                                                     \
                                                                                                                       \
        of.first = of.end = apr_palloc(pool, (apr_size_t)(count + 1) * sizeof(*of.end));                               \
        while (i < count && APR_ARRAY_IDX(hooks, i, ap_LINK_##hook##_t).pFunc != own) {                                \
            i++;                                                                                                       \
        }                                                                                                              \
        for (i++; i < count; i++) {                                                                                    \
            *of.end++ = APR_ARRAY_IDX(hooks, i, ap_LINK_##hook##_t).pFunc;                                             \
        }                                                                                                              \
        return of;                                                                                                     \
    }

AS_CHAIN(access_checker_ex)
AS_CHAIN(check_user_id)
AS_CHAIN(auth_checker)
AS_CHAIN(handler)

static void find_basic(const chain *authn)
{
    const apr_array_header_t *hooks = ap_hook_get_check_user_id();
    const apr_size_t behind = (apr_size_t)(authn->end - authn->first);
    apr_size_t i;

    basic = NULL;
    for (i = behind; i > 0; i--) {
        const char *module_name = APR_ARRAY_IDX(hooks, hooks->nelts - (int)i, ap_LINK_check_user_id_t).szName;

        if (!basic && module_name && !strcmp(module_name, "mod_auth_basic.c")) {
            basic = authn->end - i;
        }
    }
}

void as_chain_child_init(apr_pool_t *pool, as_chain_hook *access, as_chain_hook *authn, as_chain_hook *authz,
                         as_chain_hook *handler)
{
    chains[AS_PHASE_ACCESS] = list_access_checker_ex(pool, access);
    chains[AS_PHASE_AUTHN] = list_check_user_id(pool, authn);
    chains[AS_PHASE_AUTHZ] = list_auth_checker(pool, authz);
    chains[AS_PHASE_HANDLER] = list_handler(pool, handler);
    find_basic(&chains[AS_PHASE_AUTHN]);
}

/* Runs hooks until one does not decline. */
static inline int run(request_rec *r, as_context *context, as_phase phase, as_chain_hook **hook, as_chain_hook **end)
{
    int status = DECLINED;

    context->running |= (unsigned)phase;
    for (; hook < end && status == DECLINED; hook++) {
        status = (*hook)(r);
    }
    context->running &= ~(unsigned)phase;
    return status;
}

AS_HOT int as_chain_run(request_rec *r, as_context *context, as_phase phase)
{
    return run(r, context, phase, chains[phase].first, chains[phase].end);
}

bool as_chain_has_basic(void)
{
    return basic != NULL;
}

AS_HOT bool as_chain_has_more_before_basic(void)
{
    return chains[AS_PHASE_AUTHN].first < basic;
}

int as_chain_run_to_basic(request_rec *r, as_context *context)
{
    return run(r, context, AS_PHASE_AUTHN, chains[AS_PHASE_AUTHN].first, basic);
}

int as_chain_run_from_basic(request_rec *r, as_context *context)
{
    return run(r, context, AS_PHASE_AUTHN, basic, chains[AS_PHASE_AUTHN].end);
}
