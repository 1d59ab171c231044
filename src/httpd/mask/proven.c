/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthStatusMask All: which answers of a login it hides, and who is told an outage all the same.
 */
#include "mask.h"

#include "../runtime/runtime.h"

#include <apr_strings.h>

/* Of all processes; NULL: there is no memory for them, or nothing is masked. */
static as_proofs *proofs;

int as_proven_post_config(server_rec *s)
{
    void *kept;
    bool is_new;
    apr_status_t status =
        as_persistent_memory(s, "mod_authstatus-proofs", AS_PROOFS_LAYOUT, as_proofs_size(), &kept, &is_new);

    if (status != APR_SUCCESS || (is_new && !as_proofs_begin(kept))) {
        AS_LOG_SERVER(0150, status, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    proofs = kept;
    return OK;
}

static bool masks_all(const as_section *section)
{
    return section->mask && section->mask->word == AS_MASK_ALL;
}

void as_mask_credentials(const request_rec *r, as_context *context, const char *user, const char *password)
{
    if (proofs && masks_all(as_section_of(r))) {
        const server_rec *s = r->server;
        const char *scope = apr_psprintf(r->pool, "%s:%u", s->server_hostname ? s->server_hostname : "", s->port);
        context->proof = as_proof_of(proofs, scope, user, password);
    }
}

void as_mask_proven(const as_section *section, const as_context *context)
{
    if (masks_all(section)) {
        as_proofs_add(proofs, context->proof);
    }
}

void as_mask_weigh(const as_context *context, const as_finding *finding, as_policy *policy)
{
    const as_transaction *transaction = context->transaction;
    const as_class of = as_outcome_describe(finding->outcome)->of;

    if (policy->mask != AS_MASK_ALL || policy->plain) {
        return;
    }
    if (of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED) {
        policy->proven_here = as_proofs_has(proofs, context->proof) ||
                              (transaction->decided && !transaction->verdict.status); /* the login before */
    }
}

/* Statuses by which only a protected place answers: a challenge, a refusal, a throttle, a login page, an outage of what
 * would know. A malformed request (400) and a method that is not allowed (405) are none. */
static bool is_of_login(int status)
{
    return status == HTTP_UNAUTHORIZED || status == HTTP_PROXY_AUTHENTICATION_REQUIRED || status == HTTP_FORBIDDEN ||
           status == HTTP_TOO_MANY_REQUESTS || ap_is_HTTP_REDIRECT(status) || ap_is_HTTP_SERVER_ERROR(status);
}

int as_mask_login_status(request_rec *r, as_context *context, int status)
{
    const as_policy policy = as_section_policy(as_section_of(r), r);
    const as_verdict verdict = {.status = status, .masked = true};
    as_finding finding;

    if (policy.mask != AS_MASK_ALL || policy.plain || !is_of_login(status)) {
        return status;
    }
    if (!context->transaction->decided) {
        finding = context->found ? context->finding
                                 : as_finding_of(ap_is_HTTP_SERVER_ERROR(status) ? AS_OUTCOME_UNKNOWN_RESULT
                                                                                 : AS_OUTCOME_NO_CREDENTIALS);
        as_decide_as_is(r, context, &finding, status);
    }
    return as_mask_decided(r, context, &verdict);
}
