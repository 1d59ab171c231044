/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses: RFC 9110 15, RFC 6585 4.
 */
#include "authstatus/verdict.h"

#include "hot.h"

#define HTTP_GOES_ON 0
#define HTTP_UNAUTHORIZED 401
#define HTTP_FORBIDDEN 403
#define HTTP_NOT_FOUND 404
#define HTTP_TOO_MANY_REQUESTS 429
#define HTTP_SERVICE_UNAVAILABLE 503

bool as_verdict_takes_status(int status)
{
    static const int statuses[] = {401, 403, 404, 410, 429, 451, 500, 502, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] == status) {
            return true;
        }
    }
    return false;
}

/* Returns true for outcomes that the request alone decides: they disclose nothing about any account. */
static bool is_about_request(as_outcome outcome)
{
    return outcome == AS_OUTCOME_NO_CREDENTIALS || outcome == AS_OUTCOME_MALFORMED_CREDENTIALS ||
           outcome == AS_OUTCOME_EMPTY_PASSWORD;
}

/* Returns true if the answer must be the one for a wrong password. */
static bool is_hidden(const as_finding *finding, as_disclose disclose)
{
    if (!as_outcome_is_about_account(finding->outcome) || disclose == AS_DISCLOSE_ALWAYS) {
        return false;
    }
    return disclose == AS_DISCLOSE_NEVER || !(finding->proven || is_about_request(finding->outcome));
}

/* Returns the status of AuthStatusMap for the outcome, else for its class, else the default. Grants cannot be
 * mapped. */
static int map_status(as_outcome outcome, const as_policy *policy)
{
    as_class class_id = as_outcome_describe(outcome)->of;
    if (class_id == AS_CLASS_GRANTED) {
        return HTTP_GOES_ON;
    }
    if (policy->status[outcome] != 0) {
        return policy->status[outcome];
    }
    if (policy->class_status[class_id] != 0) {
        return policy->class_status[class_id];
    }
    return as_class_describe(class_id)->status;
}

static bool is_outage(as_class of)
{
    return of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED;
}

/* Returns whether an answer with `status` is masked. AuthStatusMap never makes a masked answer visible: an answer
 * that Forbidden masks by its class stays masked under any status, except a refused account under 401, which
 * Forbidden shows anyway. */
static bool is_masked(as_class of, int status, const as_policy *policy)
{
    if (status == HTTP_NOT_FOUND) {
        return true;
    }
    if (policy->plain || policy->mask == AS_MASK_OFF || status == HTTP_GOES_ON) {
        return false;
    }
    if (policy->mask == AS_MASK_ALL) {
        return !(policy->proven_here && is_outage(of));
    }
    return status == HTTP_FORBIDDEN || of == AS_CLASS_FORBIDDEN ||
           (of == AS_CLASS_REFUSED && status != HTTP_UNAUTHORIZED);
}

/* Returns the seconds for Retry-After (RFC 9110 10.2.3), for any outcome mapped to the status. For 429 the value is
 * never 0. */
static long choose_retry_after(int status, const as_policy *policy, long wait)
{
    if (status == HTTP_TOO_MANY_REQUESTS) {
        return wait > 0 ? wait : 1;
    }
    if (status == HTTP_SERVICE_UNAVAILABLE) {
        return wait > 0 ? wait : policy->retry_after;
    }
    return -1;
}

as_verdict as_verdict_make(const as_finding *finding, const as_policy *policy, long wait)
{
    bool hidden = is_hidden(finding, policy->disclose);
    as_verdict verdict = {.shown = hidden ? AS_OUTCOME_WRONG_PASSWORD : finding->outcome};
    verdict.status = map_status(verdict.shown, policy);
    if (hidden && policy->disclose == AS_DISCLOSE_NEVER) {
        verdict.status = HTTP_UNAUTHORIZED;
    }
    verdict.challenge = verdict.status == HTTP_UNAUTHORIZED;
    verdict.masked = is_masked(as_outcome_describe(verdict.shown)->of, verdict.status, policy);
    verdict.disclosed = !hidden && !verdict.masked;
    verdict.retry_after = choose_retry_after(verdict.status, policy, hidden ? 0 : wait);
    return verdict;
}

AS_HOT as_verdict as_verdict_make_for_grant(as_outcome outcome)
{
    as_verdict verdict = {.status = HTTP_GOES_ON, .disclosed = true, .shown = outcome, .retry_after = -1};
    return verdict;
}
