/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the hooks of other modules behind ours, for our hook of the same name. httpd has already run the hooks before
 * ours.
 */
#include "request.h"

#include <limits.h>

#include <http_config.h>
#include <http_request.h>

/* Indexes of the hooks behind ours in each chain. Set before a process's threads start. */
static int access_from, authn_from, authz_from, handler_from;
/* Index of mod_auth_basic's hook, if it is behind ours; else -1. */
static int basic_at = -1;

/* Runs the hooks from `from` to before `to`, until one does not decline: each of these chains is httpd's RUN_FIRST.
 * Also finds the chain, which stays as it is while a process serves, and the hook behind `own`. A chain without any
 * hook is NULL. */
#define AS_CHAIN(hook)                                                                                                 \
    static const ap_LINK_##hook##_t *first_##hook;                                                                     \
    static int count_of_##hook;                                                                                        \
    static inline int run_##hook(request_rec *r, int from, int to)                                                     \
    {                                                                                                                  \
        const int end = to < count_of_##hook ? to : count_of_##hook;                                                   \
        int i, status = DECLINED;                                                                                      \
                                                                                                                       \
        for (i = from; i < end && status == DECLINED; i++) {                                                           \
            status = first_##hook[i].pFunc(r);                                                                         \
        }                                                                                                              \
        return status;                                                                                                 \
    }                                                                                                                  \
    static int behind_##hook(ap_HOOK_##hook##_t *own)                                                                  \
    {                                                                                                                  \
        const apr_array_header_t *hooks = ap_hook_get_##hook();                                                        \
        int i = 0;                                                                                                     \
                                                                                                                       \
        first_##hook = hooks ? (const ap_LINK_##hook##_t *)(const void *)hooks->elts : NULL;                           \
        count_of_##hook = hooks ? hooks->nelts : 0;                                                                    \
        while (hooks && i < hooks->nelts && APR_ARRAY_IDX(hooks, i, ap_LINK_##hook##_t).pFunc != own) {                \
            i++;                                                                                                       \
        }                                                                                                              \
        return i + 1;                                                                                                  \
    }

AS_CHAIN(access_checker_ex)
AS_CHAIN(check_user_id)
AS_CHAIN(auth_checker)
AS_CHAIN(handler)

static void find_basic(void)
{
    const apr_array_header_t *hooks = ap_hook_get_check_user_id();
    int i;

    basic_at = -1;
    for (i = authn_from; hooks && i < hooks->nelts && basic_at < 0; i++) {
        const char *module_name = APR_ARRAY_IDX(hooks, i, ap_LINK_check_user_id_t).szName;

        if (module_name && !strcmp(module_name, "mod_auth_basic.c")) {
            basic_at = i;
        }
    }
}

void as_chain_child_init(as_chain_hook *access, as_chain_hook *authn, as_chain_hook *authz, as_chain_hook *handler)
{
    access_from = behind_access_checker_ex(access);
    authn_from = behind_check_user_id(authn);
    authz_from = behind_auth_checker(authz);
    handler_from = behind_handler(handler);
    find_basic();
}

int as_chain_run(request_rec *r, as_context *context, as_phase phase)
{
    int status = DECLINED;

    context->running |= (unsigned)phase;
    switch (phase) {
    case AS_PHASE_ACCESS:
        status = run_access_checker_ex(r, access_from, INT_MAX);
        break;
    case AS_PHASE_AUTHN:
        status = run_check_user_id(r, authn_from, INT_MAX);
        break;
    case AS_PHASE_AUTHZ:
        status = run_auth_checker(r, authz_from, INT_MAX);
        break;
    case AS_PHASE_HANDLER:
        status = run_handler(r, handler_from, INT_MAX);
        break;
    }
    context->running &= ~(unsigned)phase;
    return status;
}

bool as_chain_has_basic(void)
{
    return basic_at >= 0;
}

bool as_chain_has_more_before_basic(void)
{
    return authn_from < basic_at;
}

int as_chain_run_to_basic(request_rec *r, as_context *context)
{
    int status;

    context->running |= AS_PHASE_AUTHN;
    status = run_check_user_id(r, authn_from, basic_at);
    context->running &= ~(unsigned)AS_PHASE_AUTHN;
    return status;
}

int as_chain_run_from_basic(request_rec *r, as_context *context)
{
    int status;

    context->running |= AS_PHASE_AUTHN;
    status = run_check_user_id(r, basic_at, INT_MAX);
    context->running &= ~(unsigned)AS_PHASE_AUTHN;
    return status;
}
