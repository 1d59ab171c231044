/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs the outcome of a request: the one place for the error log, the application, the access log and the client.
 */
#include "request.h"

#include "../runtime/runtime.h"
#include "authstatus/outages.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define LOGGED_USER_MAX 128
#define LOGGED_REASON_MAX 256

/* Of all processes; NULL: no shared memory, and each failed request is logged. */
static as_outages *outages;

const char *as_log_escape(apr_pool_t *pool, const char *text, apr_size_t most)
{
    apr_size_t length = strlen(text);
    char *clean, *octet;

    clean =
        apr_pstrcat(pool, apr_pstrmemdup(pool, text, length > most ? most : length), length > most ? "..." : "", NULL);
    for (octet = clean; *octet; octet++) {
        if (apr_iscntrl(*octet) || *octet == '"') {
            *octet = '?';
        }
    }
    return clean;
}

static int convert_level(as_level level)
{
    switch (level) {
    case AS_LEVEL_debug:
        return APLOG_DEBUG;
    case AS_LEVEL_info:
        return APLOG_INFO;
    case AS_LEVEL_warn:
        return APLOG_WARNING;
    case AS_LEVEL_err:
        break;
    }
    return APLOG_ERR;
}

/* Returns whether the administrator must act on the failure: then the reason is useful, and no user's secret. */
static bool is_administrators(const as_finding *finding)
{
    const as_class of = as_outcome_describe(finding->outcome)->of;

    return of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED;
}

/* Returns the results and costs of the lines of Require ldap-*. */
static const char *describe_authorization(request_rec *r, const as_context *context)
{
    const as_authorize_sums sums = as_authorize_add_up(&context->transaction->memo);
    const as_operations *operations = &sums.operations;
    const char *text = "", *costs = "";

    if (context->entry_problem) {
        text = apr_pstrcat(r->pool, text, ", ", context->entry_problem, NULL);
    }
    if (sums.groups) {
        text = apr_psprintf(r->pool, "%s, in none of %d group%s", text, sums.groups, sums.groups == 1 ? "" : "s");
    }
    if (operations->compares) {
        costs = apr_psprintf(r->pool, "%d compare%s", operations->compares, operations->compares == 1 ? "" : "s");
    }
    if (operations->searches) {
        costs = apr_psprintf(r->pool, "%s%s%d search%s", costs, *costs ? " and " : "", operations->searches,
                             operations->searches == 1 ? "" : "es");
    }
    return *costs ? apr_psprintf(r->pool, "%s, %s in %" APR_TIME_T_FMT " ms", text, costs,
                                 apr_time_as_msec(operations->took))
                  : text;
}

/* Returns the evidence of a stale answer: its age, and why the directory could not be queried. */
static const char *describe_stale(request_rec *r, const as_answer *answer)
{
    return apr_psprintf(r->pool, ", cached %" APR_TIME_T_FMT " s ago, %s, \"%s\"", apr_time_sec(answer->age),
                        as_outcome_describe(answer->outage)->name,
                        as_log_escape(r->pool, answer->reason, LOGGED_REASON_MAX));
}

/* Returns the evidence as parts of a sentence: user, code, server, reason. */
static const char *describe_evidence(request_rec *r, const as_context *context, const as_finding *finding)
{
    const char *user = context->login ? context->login : r->user;
    const char *code = as_ldap_code_format(r->pool, finding), *text = "";
    const bool is_login = as_outcome_describe(finding->outcome)->of != AS_CLASS_FORBIDDEN;
    const as_answer *answer = is_login ? context->answer : NULL;

    if (user) {
        text = apr_pstrcat(r->pool, text, ", user \"", as_log_escape(r->pool, user, LOGGED_USER_MAX), "\"", NULL);
    }
    if (*code) {
        text = apr_pstrcat(r->pool, text, ", LDAP ", code, NULL);
    }
    if (answer && answer->server) {
        text = apr_pstrcat(r->pool, text, *code ? " from " : ", server ", answer->server, NULL);
    }
    if (answer && answer->subject) {
        text =
            apr_pstrcat(r->pool, text, ", \"", as_log_escape(r->pool, answer->subject, LOGGED_REASON_MAX), "\"", NULL);
    }
    if (finding->outcome == AS_OUTCOME_NOT_AUTHORIZED) {
        return apr_pstrcat(r->pool, text, describe_authorization(r, context), NULL);
    }
    if (context->reason) {
        text = apr_pstrcat(r->pool, text, ", ", context->reason, NULL);
    } else if (answer && finding->outcome == AS_OUTCOME_GRANTED_STALE) {
        text = apr_pstrcat(r->pool, text, describe_stale(r, answer), NULL);
    } else if (answer && answer->cached) {
        text = apr_pstrcat(r->pool, text, ", cached", NULL);
    } else if (answer && answer->reason[0] && is_administrators(finding)) {
        text =
            apr_pstrcat(r->pool, text, ", \"", as_log_escape(r->pool, answer->reason, LOGGED_REASON_MAX), "\"", NULL);
    }
    return text;
}

/* ---- outages ---- */

apr_status_t as_log_post_config(server_rec *s)
{
    void *kept;
    bool is_new;
    apr_status_t status = as_persistent_memory_get(s, "mod_authstatus-outages", as_outages_hash_layout(),
                                                   as_outages_get_size(), &kept, &is_new);

    if (status == APR_SUCCESS) {
        outages = kept;
    } else {
        AS_LOG_SERVER(0095, status, s);
    }
    return status;
}

/* Formats the local time of `ago` before now. */
static const char *format_time(apr_pool_t *pool, int64_t ago)
{
    char text[32];
    apr_time_exp_t parts;
    apr_size_t length = 0;

    apr_time_exp_lt(&parts, apr_time_now() - ago);
    apr_strftime(text, &length, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    return apr_pstrmemdup(pool, text, length);
}

void as_log_answered(const request_rec *r, const as_answer *answer)
{
    as_outage_end end;

    if (!answer->server || is_administrators(&answer->finding)) {
        return;
    }
    while (as_outages_record_answer(outages, answer->fingerprint, as_fingerprint_is_of_htaccess(answer->fingerprint),
                                    as_outages_read_clock(), &end)) {
        /* Logged for no client, at a level that httpd shows by default: an administrator who saw the beginning must
         * see the end. */
        AS_LOG_SERVER(0094, 0, r->server, as_outcome_describe(end.outcome)->name, answer->server,
                      (apr_uint64_t)end.failures, end.failures == 1 ? "" : "s", format_time(r->pool, end.first),
                      format_time(r->pool, end.last));
    }
}

/* Returns the level of a line about an outage: its beginning and occasional reminders are logged; other requests at
 * debug. */
static int choose_outage_level(request_rec *r, const as_context *context, as_outcome outcome, int level,
                               const char **more)
{
    const as_answer *answer = context->answer;
    const char *directory = answer ? answer->fingerprint : "";
    const as_outage_news news = as_outages_record_failure(outages, directory, as_fingerprint_is_of_htaccess(directory),
                                                          outcome, as_outages_read_clock());

    if (news.more) {
        *more = apr_psprintf(r->pool, "; and %" APR_UINT64_T_FMT " more since %s", (apr_uint64_t)news.more,
                             format_time(r->pool, news.before));
    }
    return news.due ? level : APLOG_DEBUG;
}

/* ---- the log ---- */

void as_log_outcome(request_rec *r, const as_context *context, const as_finding *finding, const as_verdict *verdict)
{
    const as_outcome_info *outcome = as_outcome_describe(finding->outcome);
    /* A subrequest is httpd's own, and a failing error page is no second failure of the user. */
    const bool news = !r->main && !as_transaction_is_refused(context->transaction) && !context->transaction->truth;
    const char *answered = "", *more = "";
    int level = news ? convert_level(outcome->level) : APLOG_DEBUG;

    if (news && finding->of_name) {
        AS_LOG_REQUEST(0335, 0, r, outcome->name, describe_evidence(r, context, finding));
        level = APLOG_DEBUG;
    } else if (news && (is_administrators(finding) || finding->outcome == AS_OUTCOME_GRANTED_STALE)) {
        level = choose_outage_level(r, context, finding->outcome, level, &more);
    }
    if (!APLOG_R_IS_LEVEL(r, level)) {
        return;
    }
    if (verdict->status) {
        answered = apr_psprintf(r->pool, ", answered %d%s%s", as_status_get_sent(r, verdict->status),
                                verdict->shown == finding->outcome ? "" : " as ",
                                verdict->shown == finding->outcome ? "" : as_outcome_describe(verdict->shown)->name);
    }
    ap_log_rerror(APLOG_MARK, level, 0, r, "%s: %s%s%s%s", outcome->tag, outcome->name,
                  describe_evidence(r, context, finding), answered, more);
}
