/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides the status that a hook returns for a finding: policy, verdict, log, headers, mask.
 */
#include "request.h"

#include "../mask/mask.h"
#include "../runtime/runtime.h"

#include <apr_strings.h>

static as_verdict make_verdict(request_rec *r, const as_context *context, const as_section *section,
                               const as_finding *finding, long wait)
{
    as_policy policy;

    if (as_outcome_describe(finding->outcome)->of == AS_CLASS_GRANTED) {
        if (finding->outcome != AS_OUTCOME_GRANTED_STALE) {
            as_mask_record_proven(section, context);
        }
        return as_verdict_make_for_grant(finding->outcome);
    }
    policy = as_section_get_policy(section, r);
    as_mask_weigh(context, finding, &policy);
    return as_verdict_make(finding, &policy, wait);
}

/* Records the decision in the transaction. */
static void record(as_transaction *transaction, const as_finding *finding, const as_verdict *verdict)
{
    transaction->decided = true;
    transaction->finding = *finding;
    transaction->verdict = *verdict;
    if (!transaction->truth) {
        as_counters_count_outcome(as_process_get_counters(), finding->outcome);
    }
}

int as_decide(request_rec *r, as_context *context, const as_finding *finding, long wait)
{
    as_transaction *transaction = context->transaction;
    const as_section *section = as_section_get(r);
    const as_verdict verdict = make_verdict(r, context, section, finding, wait);

    as_log_outcome(r, context, finding, &verdict);
    if (r->main) {
        /* Only httpd reads this answer: a subrequest's headers and outcome are never sent. */
        return as_mask_choose_status(r, context, &verdict);
    }
    if (as_transaction_is_refused(transaction)) {
        /* The headers must not reveal the failure of an error page. */
        as_challenge_restore(r, transaction->challenges);
        return as_mask_choose_status(r, context, &verdict);
    }
    record(transaction, finding, &verdict);
    transaction->help = as_section_find_help(section, verdict.shown);
    transaction->group = NULL;
    if (!verdict.status) {
        return OK;
    }
    transaction->challenges = as_challenge_set(r, verdict.challenge, as_section_get_dialog(section, r));
    if (verdict.retry_after >= 0) {
        apr_table_setn(r->err_headers_out, "Retry-After", apr_ltoa(transaction->pool, verdict.retry_after));
    }
    if (verdict.status == HTTP_GONE || verdict.status == HTTP_UNAVAILABLE_FOR_LEGAL_REASONS) {
        /* RFC 9110 15.1: cacheable by default, but valid for one user only. */
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    }
    as_publish_variables(r, transaction);
    return as_mask_choose_status(r, context, &verdict);
}

AS_HOT void as_decide_quiet_grant(request_rec *r, as_context *context, const as_finding *finding, int64_t now)
{
    as_transaction *transaction = context->transaction;

    transaction->decided = true;
    transaction->finding = *finding;
    transaction->verdict = as_verdict_make_for_grant(finding->outcome);
    transaction->help = as_section_find_help(as_section_get(r), finding->outcome);
    as_counters_count_cached_outcome(as_process_get_counters(), finding->outcome, now);
}

AS_HOT void as_decide_stale(request_rec *r, as_context *context)
{
    as_transaction *transaction = context->transaction;
    const as_answer *stale = transaction->memo.stale;
    as_finding finding;
    as_verdict verdict;

    if (!stale || r->main || !transaction->decided || transaction->verdict.status ||
        transaction->finding.outcome == AS_OUTCOME_GRANTED_STALE) {
        return;
    }
    finding = transaction->finding;
    finding.outcome = AS_OUTCOME_GRANTED_STALE;
    verdict = as_verdict_make_for_grant(finding.outcome);
    context->answer = stale;
    as_log_outcome(r, context, &finding, &verdict);
    /* The login was counted, and require_stale counts the line. */
    transaction->finding = finding;
    transaction->verdict = verdict;
    transaction->help = as_section_find_help(as_section_get(r), finding.outcome);
}

void as_decide_as_is(request_rec *r, const as_context *context, const as_finding *finding, int status)
{
    const as_verdict verdict = {.status = status, .shown = finding->outcome, .retry_after = -1};

    as_log_outcome(r, context, finding, &verdict);
    if (!r->main && !as_transaction_is_refused(context->transaction)) {
        record(context->transaction, finding, &verdict);
    }
}
