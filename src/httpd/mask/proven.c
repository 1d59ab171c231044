/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts that are masked; under AuthStatusMask All, the clients to which an outage is disclosed.
 */
#include "passes.h"

#include "../runtime/runtime.h"

/* Of all processes; NULL: no shared memory, or nothing is masked. */
static as_proofs *proofs;

int as_proven_post_config(server_rec *s)
{
    void *kept;
    bool is_new;
    apr_status_t status =
        as_persistent_memory_get(s, "mod_authstatus-proofs", AS_PROOFS_LAYOUT, as_proofs_get_size(), &kept, &is_new);

    if (status != APR_SUCCESS || (is_new && !as_proofs_begin(kept))) {
        AS_LOG_SERVER(0150, status, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    proofs = kept;
    return OK;
}

static bool is_masking_all(const as_section *section)
{
    return section->mask && section->mask->word == AS_MASK_ALL;
}

void as_mask_note_credentials(const request_rec *r, as_context *context, const char *user, const char *password)
{
    if (proofs && is_masking_all(as_section_get(r))) {
        context->proof = as_proof_make(proofs, as_server_make_scope(r->server, r->pool), user, password);
    }
}

void as_mask_record_proven(const as_section *section, const as_context *context)
{
    if (is_masking_all(section)) {
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

int as_mask_choose_status(request_rec *r, as_context *context, const as_verdict *verdict)
{
    as_mask *of_main = r->main ? as_mask_peek(r->main) : NULL;

    if (!verdict->masked) {
        return verdict->status ? verdict->status : OK;
    }
    if (!r->main) {
        context->masked = true;
        return verdict->status;
    }
    if (of_main) {
        of_main->hidden_subrequest = true;
        if (of_main->handling) {
            /* A page that lists others: hidden entries are missing in a listing that shows forbidden ones too. */
            return HTTP_NOT_FOUND;
        }
    }
    /* A directory whose index is refused is refused, not listed. */
    return HTTP_FORBIDDEN;
}
