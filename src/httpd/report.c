/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place that says what became of a request: to the error log, the application, the access log and the client.
 */
#include "private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define LOGGED_USER_MAX 128
#define LOGGED_REASON_MAX 256
#define OUTAGES_KEY "mod_authstatus-outages"

/* Of all processes; NULL: there is no memory for them, and each request that meets one is logged. */
static as_outages *outages;

/* A text from outside, for a line of the log: bounded, and without what could end the line or its quotes. httpd escapes
 * the rest. */
static const char *for_log(apr_pool_t *pool, const char *text, apr_size_t most)
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

static int httpd_level(as_level level)
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

/* "49/52e", "49" or "" */
static const char *ldap_code(apr_pool_t *pool, const as_finding *finding)
{
    if (!finding->has_code) {
        return "";
    }
    return finding->subcode[0] ? apr_psprintf(pool, "%d/%s", finding->code, finding->subcode)
                               : apr_itoa(pool, finding->code);
}

/* Is the failure one that the administrator must find out about? Then the reason is of use, and nobody's secret. */
static bool is_his(const as_finding *finding)
{
    const as_class of = as_outcome_describe(finding->outcome)->of;

    return of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED;
}

/* The evidence, as parts of a sentence: user, code, server, reason. */
static const char *evidence(request_rec *r, const as_context *context, const as_finding *finding)
{
    const char *user = context->login ? context->login : r->user;
    const char *code = ldap_code(r->pool, finding), *text = "";
    const bool asked = as_outcome_describe(finding->outcome)->of != AS_CLASS_FORBIDDEN;
    const as_answer *answer = asked ? context->answer : NULL;

    if (user) {
        text = apr_pstrcat(r->pool, text, ", user \"", for_log(r->pool, user, LOGGED_USER_MAX), "\"", NULL);
    }
    if (*code) {
        text = apr_pstrcat(r->pool, text, ", LDAP ", code, NULL);
    }
    if (answer && answer->server) {
        text = apr_pstrcat(r->pool, text, *code ? " from " : ", server ", answer->server, NULL);
    }
    if (context->reason) {
        text = apr_pstrcat(r->pool, text, ", ", context->reason, NULL);
    } else if (answer && answer->remembered) {
        text = apr_pstrcat(r->pool, text, ", remembered", NULL);
    } else if (answer && answer->reason[0] && is_his(finding)) {
        text = apr_pstrcat(r->pool, text, ", \"", for_log(r->pool, answer->reason, LOGGED_REASON_MAX), "\"", NULL);
    }
    return text;
}

/* ---- outages ---- */

apr_status_t as_report_post_config(server_rec *s)
{
    void *kept;
    bool is_new;
    apr_status_t status = as_outlasting_memory(s, OUTAGES_KEY, as_outages_size(), &kept, &is_new);

    if (status == APR_SUCCESS) {
        outages = kept;
    } else {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, s, "AS0095: no shared memory");
    }
    return status;
}

/* The local time of what was so long ago. */
static const char *time_of(apr_pool_t *pool, int64_t ago)
{
    char text[32];
    apr_time_exp_t parts;
    apr_size_t length = 0;

    apr_time_exp_lt(&parts, apr_time_now() - ago);
    apr_strftime(text, &length, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    return apr_pstrmemdup(pool, text, length);
}

void as_report_answered(const request_rec *r, const as_answer *answer)
{
    as_outage_end end;

    if (!answer->server || is_his(&answer->finding)) {
        return;
    }
    while (as_outages_answered(outages, answer->directory, as_outages_clock(), &end)) {
        /* Of no client, and at the level that httpd shows by itself: whoever saw it begin is to see it end. */
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->server,
                     "AS0094: %s is over: %s answers; %" APR_UINT64_T_FMT " request%s met it from %s to %s",
                     as_outcome_describe(end.outcome)->name, answer->server, (apr_uint64_t)end.failures,
                     end.failures == 1 ? "" : "s", time_of(r->pool, end.first), time_of(r->pool, end.last));
    }
}

/* An outage is told when it begins and from time to time; in between its requests are for who wants to know all. */
static int level_of_outage(request_rec *r, const as_context *context, as_outcome outcome, int level, const char **more)
{
    const as_answer *answer = context->answer;
    const as_outage_news news =
        as_outages_failed(outages, answer ? answer->directory : "", outcome, as_outages_clock());

    if (news.more) {
        *more = apr_psprintf(r->pool, "; and %" APR_UINT64_T_FMT " more since %s", (apr_uint64_t)news.more,
                             time_of(r->pool, news.before));
    }
    return news.tell ? level : APLOG_DEBUG;
}

/* ---- the log ---- */

/* httpd sends the first error of an exchange, whatever becomes of its ErrorDocument. */
static bool error_stays(const as_exchange *exchange)
{
    return exchange->decided && exchange->verdict.status;
}

void as_report_log(request_rec *r, const as_context *context, const as_finding *finding, const as_verdict *verdict)
{
    const as_outcome_info *outcome = as_outcome_describe(finding->outcome);
    /* A subrequest is a question of httpd's own, and an error page that fails is no second failure of the user. */
    const bool news = !r->main && !error_stays(context->exchange) && !context->exchange->truth;
    const char *answered = "", *more = "";
    int level = news ? httpd_level(outcome->level) : APLOG_DEBUG;

    if (news && is_his(finding)) {
        level = level_of_outage(r, context, finding->outcome, level, &more);
    }
    if (!APLOG_R_IS_LEVEL(r, level)) {
        return;
    }
    if (verdict->status) {
        answered = apr_psprintf(r->pool, ", answered %d%s%s", verdict->status,
                                verdict->shown == finding->outcome ? "" : " as ",
                                verdict->shown == finding->outcome ? "" : as_outcome_describe(verdict->shown)->name);
    }
    ap_log_rerror(APLOG_MARK, level, 0, r, "%s: %s%s%s%s", outcome->tag, outcome->name, evidence(r, context, finding),
                  answered, more);
}

static void set_number(apr_table_t *table, const char *name, long number, apr_pool_t *pool)
{
    if (number >= 0) {
        apr_table_setn(table, name, apr_ltoa(pool, number));
    }
}

void as_report_variables(request_rec *r, const as_exchange *exchange)
{
    const as_verdict *verdict = &exchange->verdict;
    const as_finding *finding = &exchange->finding;
    apr_table_t *env = r->subprocess_env;
    int status = verdict->status;

    if (!exchange->decided || verdict->masked) {
        return;
    }
    if (status == HTTP_UNAUTHORIZED && r->proxyreq == PROXYREQ_PROXY) {
        status = HTTP_PROXY_AUTHENTICATION_REQUIRED;
    }
    apr_table_setn(env, AUTHSTATUS_ENV_OUTCOME, as_outcome_describe(verdict->shown)->name);
    apr_table_setn(env, AUTHSTATUS_ENV_STATUS, apr_itoa(r->pool, status ? status : HTTP_OK));
    if (exchange->help) {
        apr_table_setn(env, AUTHSTATUS_ENV_HELP, exchange->help);
    }
    if (verdict->told) {
        if (finding->has_code) {
            apr_table_setn(env, AUTHSTATUS_ENV_LDAP_CODE, apr_itoa(r->pool, finding->code));
        }
        if (finding->subcode[0]) {
            apr_table_setn(env, AUTHSTATUS_ENV_SUBCODE, apr_pstrdup(r->pool, finding->subcode));
        }
        set_number(env, AUTHSTATUS_ENV_EXPIRES_IN, finding->expires_in, r->pool);
        set_number(env, AUTHSTATUS_ENV_GRACE_LOGINS, finding->grace_logins, r->pool);
    }
}

void as_report_notes(const request_rec *r, const as_exchange *exchange)
{
    int status;

    if (exchange->truth) {
        exchange = exchange->truth;
    }
    status = exchange->verdict.status;
    if (status == HTTP_UNAUTHORIZED && r->proxyreq == PROXYREQ_PROXY) {
        status = HTTP_PROXY_AUTHENTICATION_REQUIRED;
    }
    apr_table_setn(r->notes, AUTHSTATUS_NOTE_OUTCOME, as_outcome_describe(exchange->finding.outcome)->name);
    if (status) {
        apr_table_setn(r->notes, AUTHSTATUS_NOTE_STATUS, apr_itoa(r->pool, status));
    }
    if (exchange->finding.has_code) {
        apr_table_setn(r->notes, AUTHSTATUS_NOTE_LDAP, ldap_code(r->pool, &exchange->finding));
    }
}

/* What is known of the exchange from now on. */
static void record(as_exchange *exchange, const as_finding *finding, const as_verdict *verdict)
{
    exchange->decided = true;
    exchange->finding = *finding;
    exchange->verdict = *verdict;
    if (!exchange->truth) {
        as_counters_outcome(as_store_counters(), finding->outcome);
    }
}

int as_report_decide(request_rec *r, as_context *context, const as_finding *finding, long wait)
{
    as_exchange *exchange = context->exchange;
    const as_section *section = as_section_of(r);
    const as_policy policy = as_section_policy(section, r);
    const as_verdict verdict = as_verdict_of(finding, &policy, wait);

    as_report_log(r, context, finding, &verdict);
    if (r->main) {
        /* Answered to httpd alone: a subrequest's headers and outcome go nowhere. */
        return as_mask_decided(r, context, &verdict);
    }
    if (error_stays(exchange)) {
        /* Nothing of an error page's own failure may show in the headers of the first one. */
        as_challenge_restore(r, exchange->challenge);
        return as_mask_decided(r, context, &verdict);
    }
    record(exchange, finding, &verdict);
    exchange->help = as_section_help(section, verdict.shown);
    if (!verdict.status) {
        return OK;
    }
    exchange->challenge = as_challenge_set(r, verdict.challenge, as_section_dialog(section, r));
    if (verdict.retry_after >= 0) {
        apr_table_setn(r->err_headers_out, "Retry-After", apr_ltoa(exchange->pool, verdict.retry_after));
    }
    as_report_variables(r, exchange);
    return as_mask_decided(r, context, &verdict);
}

void as_report_as_is(request_rec *r, const as_context *context, const as_finding *finding, int status)
{
    const as_verdict verdict = {.status = status, .shown = finding->outcome, .retry_after = -1};

    as_report_log(r, context, finding, &verdict);
    if (!r->main && !error_stays(context->exchange)) {
        record(context->exchange, finding, &verdict);
    }
}
