/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a phase of authorization, including lines of `Require ldap-*` in doubt (three_values.h).
 *
 * mod_authz_core does not show its tree of lines, so the hooks behind ours are run once for each combination of values
 * that is tried. Its own lines in the log (AH01631: a user was refused) are suppressed meanwhile; a final refusal is
 * run once more, with these lines alone.
 */
#include "require.h"

#include <limits.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

/* ---- the log during a run ---- */

/* Of mod_authz_core, in this process; -1: it is not loaded. */
static int core_index = -1;

void as_evaluation_child_init(void)
{
    const module *core = ap_find_linked_module("mod_authz_core.c");

    core_index = core ? core->module_index : -1;
}

static const struct ap_logconf *get_log(const request_rec *r)
{
    return r->log ? r->log : r->connection->log ? r->connection->log : &r->server->log;
}

/* Of the first run: all speak, but for mod_authz_core. */
static void silence_core(request_rec *r)
{
    struct ap_logconf *log = ap_new_log_config(r->pool, get_log(r));

    if (core_index >= 0) {
        ap_set_module_loglevel(r->pool, log, core_index, APLOG_EMERG);
        r->log = log;
    }
}

/* Suppresses all lines in trial runs. */
static void silence(request_rec *r)
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};

    r->log = &quiet;
}

/* Of the last run: mod_authz_core alone speaks; the others have spoken. */
static void open_log_for_core(request_rec *r, const as_evaluation *evaluation)
{
    struct ap_logconf *log = ap_new_log_config(r->pool, NULL);

    log->level = APLOG_EMERG;
    r->log = evaluation->log;
    if (core_index >= 0) {
        ap_set_module_loglevel(r->pool, log, core_index, ap_get_request_module_loglevel(r, core_index));
    }
    r->log = log;
}

/* Restores the log that the evaluation replaced. Returns whether mod_authz_core logs each line of Require to it. */
static bool does_core_log_everything(request_rec *r, const as_evaluation *evaluation)
{
    r->log = evaluation->log;
    return core_index >= 0 && ap_get_request_module_loglevel(r, core_index) >= APLOG_DEBUG;
}

/* ---- side effects of a run ---- */

static void save_tables(const request_rec *r, as_evaluation *evaluation)
{
#define AS_TABLE(table) evaluation->table = apr_table_copy(r->pool, r->table);
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
    /* mod_authz_core's note of the line that it evaluates */
    apr_table_unset(evaluation->notes, AUTHZ_PROVIDER_NAME_NOTE);
}

static void restore_tables(request_rec *r, as_evaluation *evaluation)
{
#define AS_TABLE(table) r->table = apr_table_copy(r->pool, evaluation->table);
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
    evaluation->granting = NULL;
}

/* ---- a line ---- */

/* An outage goes before a misconfiguration. */
static int get_severity(const as_authorization *authorization)
{
    return as_outcome_describe(authorization->finding.outcome)->of == AS_CLASS_UNAVAILABLE;
}

/* A line in AuthzProviderAlias, or within two negations, is not known to lead one way. */
static as_way_of_yes get_way(const as_require_line *line)
{
    return !line->may_refuse ? AS_YES_RAISES : line->negated ? AS_YES_LOWERS : AS_YES_EITHER;
}

static bool get_value_in_doubt(const request_rec *r, as_evaluation *evaluation, const as_answered *answered)
{
    const as_authorization *authorization = answered->authorization;

    if (evaluation->last) {
        return false;
    }
    if (!evaluation->trials) {
        evaluation->trials = apr_pcalloc(r->pool, sizeof(*evaluation->trials));
        as_trials_begin_next(evaluation->trials);
        save_tables(r, evaluation);
    }
    return as_trials_get_value(evaluation->trials, authorization,
                               authorization->answer == AS_UNKNOWN ? AS_DOUBT_UNKNOWN : AS_DOUBT_NEGATION,
                               get_way(answered->line), get_severity(authorization));
}

authz_status as_evaluation_choose_status(request_rec *r, as_context *context, const as_answered *answered)
{
    as_evaluation *evaluation = context->evaluation;
    const as_authorization *authorization = answered->authorization;

    if (authorization->answer == AS_YES) {
        if (evaluation && !answered->line->negated) {
            evaluation->granting = answered;
        }
        return AUTHZ_GRANTED;
    }
    if (authorization->answer == AS_NO && !(authorization->unsafe_to_negate && answered->line->may_refuse)) {
        return AUTHZ_DENIED;
    }
    if (!evaluation) {
        /* Called by a module outside of the phase: an error is neither granted nor negated. */
        return AUTHZ_GENERAL_ERROR;
    }
    return get_value_in_doubt(r, evaluation, answered) ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

/* ---- the runs ---- */

static as_trial_result get_result(int status)
{
    return status == OK                                              ? AS_TRIAL_GRANTED
           : status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN ? AS_TRIAL_REFUSED
                                                                     : AS_TRIAL_OTHER;
}

/* More lines in doubt than can be tried, and none to name. */
static const as_authorization *make_nameless_doubt(const request_rec *r)
{
    as_authorization *doubt = apr_pcalloc(r->pool, sizeof(*doubt));

    doubt->answer = AS_UNKNOWN;
    doubt->finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
    doubt->reason = "too many Require lines are in doubt";
    doubt->evidence = doubt->fingerprint = "";
    return doubt;
}

/* The user's own bind for one of the lines was refused: the login has ended, whatever the others say. NULL: none was.
 */
static const as_authorization *find_ended_login(const as_evaluation *evaluation)
{
    const as_answered *answered = evaluation->answered;

    while (answered && !answered->authorization->ends_login) {
        answered = answered->next;
    }
    return answered ? answered->authorization : NULL;
}

static int run_last(request_rec *r, as_context *context, as_phase phase, as_trial_result expected)
{
    int status;

    context->evaluation->last = true;
    open_log_for_core(r, context->evaluation);
    status = as_chain_run(r, context, phase);
    /* Lines of other modules may depend on the time. */
    return get_result(status) == expected ? status : HTTP_INTERNAL_SERVER_ERROR;
}

/* Tries the lines in doubt, after a first run that evaluated one. */
static int try_doubts(request_rec *r, as_context *context, as_phase phase, int status, const as_authorization **doubt)
{
    as_evaluation *evaluation = context->evaluation;
    bool declined = status == DECLINED;
    as_trial_result result;
    const void *question;

    as_trials_add_result(evaluation->trials, get_result(status));
    while (!find_ended_login(evaluation) && as_trials_begin_next(evaluation->trials)) {
        restore_tables(r, evaluation);
        silence(r);
        status = as_chain_run(r, context, phase);
        declined = declined || status == DECLINED;
        as_trials_add_result(evaluation->trials, get_result(status));
    }
    restore_tables(r, evaluation);
    *doubt = find_ended_login(evaluation);
    if (*doubt) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (as_trials_decide(evaluation->trials, &result, &question)) {
        return run_last(r, context, phase, result);
    }
    if (phase == AS_PHASE_ACCESS && declined) {
        /* The result depends on a login, too: authorization decides after it. */
        return DECLINED;
    }
    *doubt = question ? question : make_nameless_doubt(r);
    return HTTP_SERVICE_UNAVAILABLE;
}

static int evaluate(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt)
{
    const as_evaluation *evaluation = context->evaluation;
    int status;

    silence_core(r);
    status = as_chain_run(r, context, phase);
    if (evaluation->trials) {
        return try_doubts(r, context, phase, status, doubt);
    }
    if (get_result(status) == AS_TRIAL_REFUSED || does_core_log_everything(r, evaluation)) {
        open_log_for_core(r, evaluation);
        as_chain_run(r, context, phase);
    }
    return status;
}

/* ---- after a grant ---- */

/* Publishes AUTHORIZE_<attribute> of the entry of the granting line. */
static void publish_attributes(request_rec *r, const as_context *context, const as_answered *granting)
{
    const char *prefix = granting->section->authorize_prefix ? granting->section->authorize_prefix : AUTHZ_PREFIX;

    if (granting->known && context->header_login) {
        as_lookaside_publish(r, prefix, context->directory->settings, context->header_login);
    } else if (granting->entry) {
        as_publish_attributes(r, prefix, granting->entry->directory->settings, granting->entry->values);
    }
}

static void publish_grant(request_rec *r, as_context *context, const as_answered *granting)
{
    if (granting) {
        publish_attributes(r, context, granting);
    }
    if (!r->main && as_section_is_on(as_section_get(r))) {
        context->transaction->group = granting && granting->line->kind == AS_REQUIRE_GROUP
                                          ? apr_pstrdup(context->transaction->pool, granting->requirement.text)
                                          : NULL;
    }
}

/* ---- entry point ---- */

/* Before a login only lines of ldap-search are answered; the others too where the access phase knows the user
 * (mod_ssl's SSLUserName). */
static bool is_concerned(const request_rec *r, as_phase phase)
{
    const as_section *section = as_section_get(r);

    return section->requires && as_require_is_ours(section) &&
           (phase != AS_PHASE_ACCESS || r->user || section->requires & AS_REQUIRES_SEARCHES);
}

/* The same where lines of ours are evaluated. */
static AS_RARELY int run_lines(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt)
{
    as_evaluation *evaluation = context->evaluation = apr_pcalloc(r->pool, sizeof(*evaluation));
    int status;

    evaluation->log = r->log;
    status = evaluate(r, context, phase, doubt);
    r->log = evaluation->log;
    context->evaluation = NULL;
    if (status == OK) {
        publish_grant(r, context, evaluation->granting);
    }
    return status;
}

AS_HOT int as_require_run(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt)
{
    *doubt = NULL;
    return is_concerned(r, phase) ? run_lines(r, context, phase, doubt) : as_chain_run(r, context, phase);
}
