/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a phase of authorization, lines of `Require ldap-*` that are in doubt included (three_values.h).
 *
 * mod_authz_core does not show its tree of lines, so the hooks behind ours are run once for each combination of values
 * that is tried. Its own lines in the log (AH01631: a user was refused) are held back meanwhile; a true refusal is run
 * once more, with these lines alone.
 */
#include "require.h"

#include <limits.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

/* ---- the log during a run ---- */

static int authz_core_index(void)
{
    const module *core = ap_find_linked_module("mod_authz_core.c");

    return core ? core->module_index : -1;
}

static const struct ap_logconf *log_in_force(const request_rec *r)
{
    return r->log ? r->log : r->connection->log ? r->connection->log : &r->server->log;
}

/* Of the first run: all speak, but for mod_authz_core. */
static void hold_back_core(request_rec *r)
{
    struct ap_logconf *log = ap_new_log_config(r->pool, log_in_force(r));
    const int index = authz_core_index();

    if (index >= 0) {
        ap_set_module_loglevel(r->pool, log, index, APLOG_EMERG);
        r->log = log;
    }
}

/* Of trials: nobody speaks. */
static void silence(request_rec *r)
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};

    r->log = &quiet;
}

/* Of the last run: mod_authz_core alone speaks; the others have spoken. */
static void let_core_speak(request_rec *r, const as_evaluation *evaluation)
{
    struct ap_logconf *log = ap_new_log_config(r->pool, NULL);
    const int index = authz_core_index();

    log->level = APLOG_EMERG;
    r->log = evaluation->log;
    if (index >= 0) {
        ap_set_module_loglevel(r->pool, log, index, ap_get_request_module_loglevel(r, index));
    }
    r->log = log;
}

static bool core_speaks_of_everything(request_rec *r, const as_evaluation *evaluation)
{
    const int index = authz_core_index();

    r->log = evaluation->log;
    return index >= 0 && ap_get_request_module_loglevel(r, index) >= APLOG_DEBUG;
}

/* ---- what a run leaves behind ---- */

static void remember_tables(const request_rec *r, as_evaluation *evaluation)
{
#define AS_TABLE(table) evaluation->table = apr_table_copy(r->pool, r->table);
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
    /* mod_authz_core's note of the line that it asks at this moment. */
    apr_table_unset(evaluation->notes, AUTHZ_PROVIDER_NAME_NOTE);
}

static void take_back(request_rec *r, as_evaluation *evaluation)
{
#define AS_TABLE(table) r->table = apr_table_copy(r->pool, evaluation->table);
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
    evaluation->granting = NULL;
}

/* ---- a line ---- */

/* An outage goes before a misconfiguration. */
static int severity_of(const as_authorization *authorization)
{
    return as_outcome_describe(authorization->finding.outcome)->of == AS_CLASS_UNAVAILABLE;
}

static bool value_in_doubt(const request_rec *r, as_evaluation *evaluation, const as_authorization *authorization)
{
    if (evaluation->last) {
        return false;
    }
    if (!evaluation->trials) {
        evaluation->trials = apr_pcalloc(r->pool, sizeof(*evaluation->trials));
        as_trials_next(evaluation->trials);
        remember_tables(r, evaluation);
    }
    return as_trials_get_value(evaluation->trials, authorization,
                               authorization->answer == AS_UNKNOWN ? AS_DOUBT_UNKNOWN : AS_DOUBT_NEGATION,
                               severity_of(authorization));
}

authz_status as_evaluation_tell(request_rec *r, as_context *context, const as_answered *answered)
{
    as_evaluation *evaluation = context->evaluation;
    const as_authorization *authorization = answered->authorization;

    if (authorization->answer == AS_YES) {
        if (evaluation && !answered->line->negated) {
            evaluation->granting = answered;
        }
        return AUTHZ_GRANTED;
    }
    if (authorization->answer == AS_NO && !authorization->unsafe_to_negate) {
        return AUTHZ_DENIED;
    }
    if (!evaluation) {
        /* Asked by a module outside of the phase: an error is neither granted nor negated. */
        return AUTHZ_GENERAL_ERROR;
    }
    return value_in_doubt(r, evaluation, authorization) ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

/* ---- the runs ---- */

static as_trial_result result_of(int status)
{
    return status == OK                                              ? AS_TRIAL_GRANTED
           : status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN ? AS_TRIAL_REFUSED
                                                                     : AS_TRIAL_OTHER;
}

/* More lines in doubt than can be tried, and none to name. */
static const as_authorization *nameless_doubt(const request_rec *r)
{
    as_authorization *doubt = apr_pcalloc(r->pool, sizeof(*doubt));

    doubt->answer = AS_UNKNOWN;
    doubt->finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
    doubt->reason = "too many Require lines are in doubt";
    doubt->evidence = doubt->fingerprint = "";
    return doubt;
}

static int run_last(request_rec *r, as_context *context, as_phase phase, as_trial_result expected)
{
    int status;

    context->evaluation->last = true;
    let_core_speak(r, context->evaluation);
    status = as_chain_run(r, context, phase);
    /* Lines of other modules may depend on the time. */
    return result_of(status) == expected ? status : HTTP_INTERNAL_SERVER_ERROR;
}

/* Tries the lines in doubt, after a first run that met one. */
static int try_doubts(request_rec *r, as_context *context, as_phase phase, int status, const as_authorization **doubt)
{
    as_evaluation *evaluation = context->evaluation;
    bool declined = status == DECLINED;
    as_trial_result result;
    const void *question;

    as_trials_add_result(evaluation->trials, result_of(status));
    while (as_trials_next(evaluation->trials)) {
        take_back(r, evaluation);
        silence(r);
        status = as_chain_run(r, context, phase);
        declined = declined || status == DECLINED;
        as_trials_add_result(evaluation->trials, result_of(status));
    }
    take_back(r, evaluation);
    if (as_trials_decide(evaluation->trials, &result, &question)) {
        return run_last(r, context, phase, result);
    }
    if (phase == AS_PHASE_ACCESS && declined) {
        /* It depends on a login, too: authorization decides when there is one. */
        return DECLINED;
    }
    *doubt = question ? question : nameless_doubt(r);
    return HTTP_SERVICE_UNAVAILABLE;
}

static int evaluate(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt)
{
    const as_evaluation *evaluation = context->evaluation;
    int status;

    hold_back_core(r);
    status = as_chain_run(r, context, phase);
    if (evaluation->trials) {
        return try_doubts(r, context, phase, status, doubt);
    }
    if (result_of(status) == AS_TRIAL_REFUSED || core_speaks_of_everything(r, evaluation)) {
        let_core_speak(r, evaluation);
        as_chain_run(r, context, phase);
    }
    return status;
}

/* ---- after a grant ---- */

/* Publishes AUTHORIZE_<attribute> of the entry that the granting line was asked about. */
static void publish_attributes(request_rec *r, const as_answered *granting)
{
    const char *prefix = granting->section->authorize_prefix ? granting->section->authorize_prefix : AUTHZ_PREFIX;

    if (granting->entry) {
        as_publish_attributes(r, prefix, granting->entry->directory->settings, granting->entry->values);
    }
}

static void publish_grant(request_rec *r, as_context *context, const as_answered *granting)
{
    if (granting) {
        publish_attributes(r, granting);
    }
    if (!r->main && as_section_is_on(as_section_of(r))) {
        context->transaction->group = granting && granting->line->kind == AS_REQUIRE_GROUP
                                          ? apr_pstrdup(context->transaction->pool, granting->requirement.text)
                                          : NULL;
    }
}

/* ---- entry point ---- */

/* Before a login only lines of ldap-search are answered; the others too where the access phase knows the user
 * (mod_ssl's SSLUserName). */
static bool concerns(const request_rec *r, as_phase phase)
{
    const as_section *section = as_section_of(r);

    return as_require_is_ours(section) &&
           (phase != AS_PHASE_ACCESS || r->user || section->requires & AS_REQUIRES_SEARCHES);
}

int as_require_run(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt)
{
    as_evaluation *evaluation;
    int status;

    *doubt = NULL;
    if (!concerns(r, phase)) {
        return as_chain_run(r, context, phase);
    }
    evaluation = context->evaluation = apr_pcalloc(r->pool, sizeof(*evaluation));
    evaluation->log = r->log;
    status = evaluate(r, context, phase, doubt);
    r->log = evaluation->log;
    context->evaluation = NULL;
    if (status == OK) {
        publish_grant(r, context, evaluation->granting);
    }
    return status;
}
