/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes answers. A line without an answer is unknown, with an outcome that shows who must act.
 */
#include "authorize_private.h"

#include <apr_strings.h>

static void say(as_authorizing *of, as_ternary answer, as_outcome outcome, const char *reason, const char *evidence)
{
    as_authorization *to = of->answer;

    to->answer = answer;
    to->unsafe_to_negate = to->missing = to->bounded = to->elsewhere = to->unproven = to->ends_login = false;
    to->finding = as_finding_make(outcome);
    to->finding.proven = answer == AS_YES;
    to->reason = reason;
    to->evidence = evidence;
    to->wait = 0;
}

void as_say_yes(as_authorizing *of, const char *evidence)
{
    say(of, AS_YES, AS_OUTCOME_GRANTED, "", evidence);
}

void as_say_no(as_authorizing *of, const char *evidence)
{
    say(of, AS_NO, AS_OUTCOME_NOT_AUTHORIZED, "", evidence);
}

void as_say_no_unproven(as_authorizing *of, const char *evidence)
{
    as_say_no(of, evidence);
    of->answer->unproven = true;
}

void as_say_no_unsafe(as_authorizing *of, const char *reason)
{
    say(of, AS_NO, AS_OUTCOME_NOT_AUTHORIZED, reason, "");
    of->answer->unsafe_to_negate = true;
}

void as_say_missing(as_authorizing *of, const char *dn)
{
    as_say_no_unsafe(of, apr_pstrcat(of->pool, dn, " does not exist", NULL));
    of->answer->missing = true;
}

void as_say_unknown(as_authorizing *of, as_outcome outcome, const char *reason)
{
    say(of, AS_UNKNOWN, outcome, reason, "");
}

/* Returns whether the user's own bind was refused, for CompareAsUser or SearchAsUser: such a refusal is not the
 * reason why a line of Require has no answer. */
static bool is_about_user(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_USER_BIND;
}

as_finding as_finding_make_for_operation(const as_reply *reply)
{
    as_reply plain = *reply;
    as_finding finding;

    plain.entries = 0;
    plain.dn = NULL;
    finding = as_outcome_find(&plain);
    finding.proven = false;
    finding.expires_in = finding.grace_logins = -1;
    if (reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH && reply->code == AS_LDAP_SIZE_LIMIT) {
        finding.outcome = AS_OUTCOME_UNKNOWN_RESULT;
        return finding;
    }
    switch (as_outcome_describe(finding.outcome)->of) {
    case AS_CLASS_UNAVAILABLE:
        break;
    case AS_CLASS_MISCONFIGURED:
        /* The account lacks the right to search or compare, not to bind. */
        if (finding.outcome == AS_OUTCOME_SERVICE_ACCOUNT_REFUSED && reply->step == AS_STEP_SEARCH) {
            finding.outcome = AS_OUTCOME_DIRECTORY_MISCONFIGURED;
        }
        break;
    case AS_CLASS_GRANTED:
    case AS_CLASS_UNAUTHENTICATED:
    case AS_CLASS_REFUSED:
    case AS_CLASS_FORBIDDEN:
    case AS_CLASS_THROTTLED:
    case AS_CLASS_COUNT:
        finding.outcome = is_about_user(reply) ? AS_OUTCOME_DIRECTORY_MISCONFIGURED : AS_OUTCOME_UNKNOWN_RESULT;
        break;
    }
    return finding;
}

const char *as_reason_get_for_operation(const as_reply *reply, apr_pool_t *pool)
{
    if (reply->failure != AS_FAILURE_NONE) {
        return reply->reason;
    }
    if (is_about_user(reply)) {
        return apr_pstrcat(pool, "the bind as the user was refused ", reply->diagnostic, NULL);
    }
    return reply->diagnostic;
}

void as_say_reply(as_authorizing *of)
{
    const as_finding finding = as_finding_make_for_operation(&of->reply);

    as_say_unknown(of, finding.outcome, as_reason_get_for_operation(&of->reply, of->pool));
    of->answer->finding = finding;
    of->answer->wait = of->reply.retry_after;
}
