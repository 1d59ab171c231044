/* SPDX-License-Identifier: Apache-2.0
 *
 * The hooks: each runs the hooks behind it in its own chain, collects the results of all other modules, and returns
 * the verdict. If another module runs the chain itself, it calls our hook again; a bit in the context makes it
 * decline.
 */
#include "request.h"

#include "../mask/mask.h"
#include "../runtime/runtime.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "authstatus/credentials.h"

static bool is_passed(const as_context *context, as_phase phase)
{
    return (context->running & (unsigned)phase) != 0;
}

static int decide(request_rec *r, as_context *context, as_outcome outcome)
{
    const as_finding finding = as_finding_make(outcome);

    return as_decide(r, context, &finding, 0);
}

/* Decides by the provider's finding, with the wait that the directory requires. */
static int decide_found(request_rec *r, as_context *context)
{
    return as_decide(r, context, &context->finding, context->answer ? context->answer->wait : 0);
}

static const as_answer *choose_answer_of_doubt(const as_context *context, const as_authorization *doubt)
{
    as_answer *answer = apr_pcalloc(context->transaction->pool, sizeof(*answer));

    answer->finding = doubt->finding;
    /* a "no" that must not be negated, but was */
    if (doubt->answer != AS_UNKNOWN) {
        answer->finding = as_finding_make(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    }
    answer->server = doubt->server;
    answer->reason = doubt->reason;
    answer->wait = doubt->wait;
    answer->fingerprint = doubt->fingerprint;
    return answer;
}

/* Decides by lines of Require in doubt: their directory's answer is the request's. */
static int decide_doubt(request_rec *r, as_context *context, const as_authorization *doubt)
{
    context->answer = choose_answer_of_doubt(context, doubt);
    context->reason = NULL;
    return as_decide(r, context, &context->answer->finding, context->answer->wait);
}

/* ---- access: refused without a login ---- */

/* httpd's own access phase comes after this hook; a subrequest has no such hook. */
AS_HOT int as_hook_header_parser(request_rec *r)
{
    if (as_section_is_on(as_section_get(r))) {
        as_context_get(r)->access_ahead = true;
    }
    return DECLINED;
}

/* The first and the last of httpd's access_checker hooks count the runs in progress. A refusal ends a run early. */
int as_hook_access_begin(request_rec *r)
{
    if (as_section_is_on(as_section_get(r))) {
        as_context_get(r)->access_depth++;
        as_mask_count_access(r, 1);
    }
    return DECLINED;
}

int as_hook_access_end(request_rec *r)
{
    as_context *context = as_context_peek(r);

    if (context && context->access_depth > 0) {
        context->access_depth--;
        as_mask_count_access(r, -1);
    }
    return DECLINED;
}

/* Returns whether httpd's access phase is the caller. A module may call ap_some_authn_required within the phase,
 * before it or after it: that function ignores force_authn. Returns false in ambiguous cases. */
static bool is_access_phase(request_rec *r, const as_context *context)
{
    if (context->access_done || !(context->access_ahead || r->main)) {
        return false;
    }
    return context->access_depth == 0 || (context->access_depth == 1 && ap_satisfies(r) == SATISFY_ANY);
}

/* Returns the outcome of a denial. A certificate may have identified the user (mod_ssl's SSLUserName). */
static as_outcome find_denial(const request_rec *r)
{
    return r->user && as_section_get(r)->requires ? AS_OUTCOME_NOT_AUTHORIZED : AS_OUTCOME_ACCESS_DENIED;
}

static AS_HOT AS_RARELY int check_access(request_rec *r)
{
    as_context *context = as_context_get(r);
    const as_authorization *doubt;
    int status;

    if (is_passed(context, AS_PHASE_ACCESS)) {
        return DECLINED;
    }
    context->needs_login = false;
    status = as_require_run(r, context, AS_PHASE_ACCESS, &doubt);
    if (doubt) {
        return decide_doubt(r, context, doubt);
    }
    if (status == DECLINED && is_access_phase(r, context)) {
        /* With DECLINED httpd would run all of the hooks again. With OK it still checks whether a login is needed
         * (as_hook_force_authn). */
        context->access_done = context->needs_login = true;
        return OK;
    }
    if (status == OK && r->user) {
        as_decide_stale(r, context);
    }
    return status == HTTP_FORBIDDEN ? decide(r, context, find_denial(r))
                                    : as_mask_choose_login_status(r, context, status);
}

AS_HOT int as_hook_access(request_rec *r)
{
    return as_section_is_on(as_section_get(r)) ? check_access(r) : DECLINED;
}

AS_HOT int as_hook_force_authn(request_rec *r)
{
    as_context *context = as_context_peek(r);

    if (!context || !context->needs_login) {
        return DECLINED;
    }
    context->needs_login = false;
    return OK;
}

/* ---- authentication ---- */

static bool has_auth_type(request_rec *r, const char *type)
{
    const char *configured = ap_auth_type(r);

    return configured && !ap_cstr_casecmp(configured, type);
}

/* Judges a header of the Basic scheme that no provider could read, before mod_auth_basic takes its readable part for
 * a user. The provider judges the content of the credentials: a password file may have names that are not UTF-8.
 * Other schemes belong to other modules. */
static bool judge_unreadable(request_rec *r, as_outcome *outcome)
{
    const char *header = as_authorization_get_header(r);
    apr_size_t size;

    if (!header || !has_auth_type(r, "Basic") || strncasecmp(header, "Basic", 5) ||
        (header[5] && !apr_isspace(header[5]))) {
        return false;
    }
    size = strlen(header) + 1;
    *outcome = as_credentials_find(header, apr_palloc(r->pool, size), size);
    return *outcome != AS_OUTCOME_GRANTED;
}

/* Returns whether credentials were sent in the required scheme. A module that read them has set r->user. */
static bool has_credentials(request_rec *r)
{
    const char *header = as_authorization_get_header(r), *type = ap_auth_type(r);
    apr_size_t length = type ? strlen(type) : 0;

    return r->user || (header && length && !strncasecmp(header, type, length) && header[length] == ' ');
}

static bool is_found(const as_context *context, as_class of)
{
    return context->found && as_outcome_describe(context->finding.outcome)->of == of;
}

/* Makes the verdict after an authentication that ended with `status`. */
static int judge_authn(request_rec *r, as_context *context, int status)
{
    const bool granted = is_found(context, AS_CLASS_GRANTED);

    if (context->final) {
        /* Final, whatever another module made of it (AuthBasicAuthoritative Off). */
        return decide_found(r, context);
    }
    if (status == OK) {
        return granted ? decide_found(r, context) : decide(r, context, AS_OUTCOME_GRANTED);
    }
    if (granted) {
        /* Another module continues after a login in its own way: a redirect, or a login handler's 200. */
        as_decide_as_is(r, context, &context->finding, 0);
        return status;
    }
    if (ap_is_HTTP_REDIRECT(status) && (!context->found || is_found(context, AS_CLASS_UNAUTHENTICATED))) {
        /* Another module requests a login by a page of its own. The page cannot repair other failures. */
        if (context->found) {
            as_decide_as_is(r, context, &context->finding, status);
        }
        return as_mask_choose_login_status(r, context, status);
    }
    if (context->found) {
        apr_table_unset(r->headers_out, "Location");
        return decide_found(r, context);
    }
    if (status == HTTP_UNAUTHORIZED) {
        return decide(r, context, has_credentials(r) ? AS_OUTCOME_DENIED : AS_OUTCOME_NO_CREDENTIALS);
    }
    return status == HTTP_FORBIDDEN ? decide(r, context, AS_OUTCOME_ACCESS_DENIED)
                                    : as_mask_choose_login_status(r, context, status);
}

/* Runs the other modules' hooks of a login, and counts it. mod_auth_form may have let the user in by another provider's
 * word: that is the last one. Returns the hooks' status. */
static int run_login(request_rec *r, as_context *context, as_phase phase)
{
    int status;

    as_login_begin(&context->transaction->memo);
    status = as_chain_run(r, context, phase);
    if (context->found && !context->final && !is_found(context, AS_CLASS_GRANTED) &&
        as_form_login_was_granted(r, phase, status)) {
        context->finding = as_finding_make(AS_OUTCOME_GRANTED);
        context->answer = NULL;
        context->directory = NULL;
        context->reason = NULL;
    }
    as_provider_settle(r, context, phase == AS_PHASE_AUTHN && status == OK);
    return status;
}

/* Logs that no module answered a login, and returns the status of that. With DECLINED httpd would run the chain once
 * more, to the same end. */
static int refuse_unanswered(request_rec *r)
{
    AS_LOG_REQUEST(0070, 0, r, ap_auth_type(r) ? ap_auth_type(r) : "is not set", r->uri);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Counts a login where AuthStatus is Off: once, after all providers. The answer is the other modules'. */
static int run_login_when_off(request_rec *r, as_phase phase)
{
    const as_login *login = as_process_get_login();
    as_context *context;
    int status;

    if (!login || !login->throttles || !ap_auth_type(r)) {
        return DECLINED;
    }
    context = as_context_get(r);
    if (is_passed(context, phase)) {
        return DECLINED;
    }
    status = run_login(r, context, phase);
    as_provider_delay(r, context, status == OK || is_found(context, AS_CLASS_GRANTED));
    return phase == AS_PHASE_AUTHN && status == DECLINED ? refuse_unanswered(r) : status;
}

bool as_request_is_unreadable(request_rec *r)
{
    as_outcome outcome;

    return as_section_is_on(as_section_get(r)) && judge_unreadable(r, &outcome);
}

int as_request_authenticate(request_rec *r, as_context *context)
{
    int status;

    if (!as_mask_login_was_made(r, context, &status)) {
        as_mask_begin_login(r, context);
        status = run_login(r, context, AS_PHASE_AUTHN);
        as_mask_end_login(r, context, status);
    }
    return status;
}

/* Ends the authentication: the chain ended with `status`. */
static int end_authn(request_rec *r, as_context *context, int status)
{
    as_login_memo *memo = &context->transaction->memo;
    const as_timing timing = memo->timing;
    const bool granted = status == OK || is_found(context, AS_CLASS_GRANTED);
    /* Without a user (no AuthType, or None) httpd itself would answer 500 next. */
    const bool unanswered = (status == DECLINED || (status == OK && !r->user)) && !context->found;

    status =
        unanswered ? as_mask_choose_login_status(r, context, refuse_unanswered(r)) : judge_authn(r, context, status);
    /* The mask may have logged in for another pass. */
    memo->timing = timing;
    as_provider_delay(r, context, granted);
    return status;
}

AS_HOT int as_hook_authn(request_rec *r)
{
    const char *header;
    as_context *context;
    as_outcome outcome;
    int status;

    if (!as_section_is_on(as_section_get(r))) {
        return run_login_when_off(r, AS_PHASE_AUTHN);
    }
    context = as_context_get(r);
    if (is_passed(context, AS_PHASE_AUTHN)) {
        return DECLINED;
    }
    switch (as_lookaside_find_login(r, context, &status)) {
    case AS_LOOKED_AND_FOUND:
        return OK;
    case AS_LOOKED_OTHERWISE:
        as_provider_settle(r, context, status == OK);
        return end_authn(r, context, status);
    case AS_LOOKED_IN_VAIN:
        break;
    }
    if (judge_unreadable(r, &outcome)) {
        return decide(r, context, outcome);
    }
    header = as_authorization_get_header(r);
    status = as_request_authenticate(r, context);
    if (status == OK && header) {
        as_lookaside_learn(r, context, header);
    }
    return end_authn(r, context, status);
}

/* mod_auth_form's login handler authenticates in the handler phase. */
int as_hook_handler(request_rec *r)
{
    as_context *context;
    int status;

    if (strcmp(r->handler, "form-login-handler")) {
        return DECLINED;
    }
    if (!as_section_is_on(as_section_get(r))) {
        return run_login_when_off(r, AS_PHASE_HANDLER);
    }
    context = as_context_get(r);
    if (is_passed(context, AS_PHASE_HANDLER)) {
        return DECLINED;
    }
    status = run_login(r, context, AS_PHASE_HANDLER);
    if (status == OK && context->found && !context->final && !is_found(context, AS_CLASS_GRANTED)) {
        /* mod_auth_form declined (AuthFormAuthoritative Off), and another handler answered: a login granted there ends
         * with HTTP_OK. */
        as_decide_as_is(r, context, &context->finding, HTTP_OK);
    } else if (context->found) {
        status = judge_authn(r, context, status);
    }
    as_provider_delay(r, context, is_found(context, AS_CLASS_GRANTED));
    return status;
}

/* ---- authorization: the user is known ---- */

/* Chooses httpd's status of a login that is refused, or that cannot be decided. */
static int choose_status_when_off(const as_authorization *doubt)
{
    const as_class of = as_outcome_describe(doubt->finding.outcome)->of;

    return of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED ? HTTP_UNAUTHORIZED : HTTP_INTERNAL_SERVER_ERROR;
}

/* Authorizes where AuthStatus is Off: our Require lines with httpd's statuses. */
static int authorize_when_off(request_rec *r, as_context *context)
{
    const as_authorization *doubt;
    int status = as_require_run(r, context, AS_PHASE_AUTHZ, &doubt);

    if (doubt) {
        const as_answer *answer = context->answer = choose_answer_of_doubt(context, doubt);
        const as_verdict verdict = {.status = choose_status_when_off(doubt), .shown = answer->finding.outcome};

        context->reason = NULL;
        as_log_outcome(r, context, &answer->finding, &verdict);
        if (verdict.status == HTTP_UNAUTHORIZED) {
            ap_note_auth_failure(r);
        }
        return verdict.status;
    }
    return status;
}

AS_HOT int as_hook_authz(request_rec *r)
{
    const as_section *section = as_section_get(r);
    const as_authorization *doubt;
    as_context *context;
    int status;

    if (!as_section_is_on(section) && !as_require_is_ours(section)) {
        return DECLINED;
    }
    context = as_context_get(r);
    if (is_passed(context, AS_PHASE_AUTHZ)) {
        return DECLINED;
    }
    if (!as_section_is_on(section)) {
        return authorize_when_off(r, context);
    }
    status = as_require_run(r, context, AS_PHASE_AUTHZ, &doubt);
    if (doubt) {
        return decide_doubt(r, context, doubt);
    }
    if (status == OK) {
        as_decide_stale(r, context);
        return OK;
    }
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN) {
        return decide(r, context, AS_OUTCOME_NOT_AUTHORIZED);
    }
    return as_mask_choose_login_status(r, context, status);
}

/* ---- fixups: variables of the application ---- */

static AS_HOT AS_RARELY int publish(request_rec *r)
{
    const as_transaction *transaction = as_transaction_peek(r);

    if (transaction && (transaction->decided || transaction->group)) {
        as_publish_variables(r, transaction);
    }
    return DECLINED;
}

AS_HOT int as_hook_fixups(request_rec *r)
{
    return !r->main && as_transaction_may_exist(r) ? publish(r) : DECLINED;
}

/* ---- the end ---- */

/* Publishes notes on the request that ended the transaction. A 403 from after our hooks (file permissions, a
 * handler, mod_access_compat) is an outcome like any other. */
static AS_HOT AS_RARELY int log_outcome(request_rec *r)
{
    const as_transaction *transaction = as_transaction_peek(r);
    const request_rec *last = r;

    if (transaction && transaction->memo.counted && as_process_get_login()) {
        as_login_finish(as_process_get_login(), &as_transaction_peek(r)->memo);
    }
    if (r->status == HTTP_FORBIDDEN && as_section_is_on(as_section_get(r)) &&
        !(transaction && transaction->decided && transaction->verdict.status)) {
        const as_finding finding = as_finding_make(AS_OUTCOME_ACCESS_DENIED);
        as_decide_as_is(r, as_context_get(r), &finding, r->status);
        transaction = as_transaction_peek(r);
    }
    if (!transaction || !(transaction->decided || transaction->truth)) {
        return DECLINED;
    }
    while (last->next) {
        last = last->next;
    }
    as_publish_notes(r, transaction);
    if (last != r) {
        as_publish_notes(last, transaction);
    }
    return DECLINED;
}

AS_HOT int as_hook_log(request_rec *r)
{
    return r->status == HTTP_FORBIDDEN || as_transaction_may_exist(r) ? log_outcome(r) : DECLINED;
}
