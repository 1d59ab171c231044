/* SPDX-License-Identifier: Apache-2.0
 *
 * `Require ldap-user`, `ldap-group`, `ldap-dn`, `ldap-attribute`, `ldap-filter` and `ldap-search`: providers of our
 * own. Where AuthStatus is Off and mod_authnz_ldap is loaded, its providers answer.
 */
#include "require.h"

#include "../runtime/runtime.h"

#include <ap_provider.h>
#include <http_request.h>

#include "authstatus/credentials.h"
#include "authstatus/secret_program.h"

#define LOGGED_DN_MAX 512

/* ---- the question, and its directory ---- */

/* Makes an answer without a directory. */
static as_authorization *settle(request_rec *r, as_ternary value, as_outcome outcome, const char *reason)
{
    as_authorization *authorization = apr_pcalloc(r->pool, sizeof(*authorization));

    authorization->answer = value;
    authorization->finding = as_finding_make(outcome);
    authorization->reason = reason;
    authorization->evidence = authorization->fingerprint = "";
    return authorization;
}

static as_authorization *settle_unsafe_no(request_rec *r, const char *reason)
{
    as_authorization *authorization = settle(r, AS_NO, AS_OUTCOME_DIRECTORY_MISCONFIGURED, reason);

    authorization->unsafe_to_negate = true;
    return authorization;
}

/* Makes the answer if the search did not find one entry. Of several entries with this name one may be banned; so may
 * one that is on other servers. */
static const as_authorization *settle_lookup(request_rec *r, as_context *context, const as_entry_lookup *lookup)
{
    as_authorization *authorization;

    if (lookup->found == AS_NO) {
        const bool several = lookup->finding.outcome == AS_OUTCOME_AMBIGUOUS_USER;

        context->entry_problem =
            several             ? "several entries have this name"
            : lookup->elsewhere ? "no entry has this name here, and a part of the directory is elsewhere"
            : lookup->unseen ? "no entry has this name, and this account finds nobody by the attribute and the filter "
                               "of AuthLDAPURL"
                             : "no entry has this name";
        authorization = settle_unsafe_no(r, context->entry_problem);
        authorization->unsafe_to_negate = several || lookup->elsewhere || lookup->unseen;
    } else {
        authorization = settle(r, AS_UNKNOWN, lookup->finding.outcome, lookup->reason);
        authorization->finding = lookup->finding;
    }
    authorization->server = lookup->server;
    authorization->wait = lookup->wait;
    authorization->fingerprint = lookup->fingerprint;
    return authorization;
}

/* Makes the answer if a login found by its header is not granted any more: no entry is used, least of all another of
 * the same name. */
static const as_authorization *settle_incomplete(request_rec *r, const as_answer *answer)
{
    const as_class of = as_outcome_describe(answer->finding.outcome)->of;
    as_authorization *authorization =
        settle(r, AS_UNKNOWN, AS_OUTCOME_UNKNOWN_RESULT, "the login was granted a moment ago, and is not now");

    if (of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED) {
        authorization->finding = answer->finding;
        authorization->reason = answer->reason;
        authorization->server = answer->server;
        authorization->wait = answer->wait;
        authorization->fingerprint = answer->fingerprint;
    }
    return authorization;
}

/* Gets the password for AuthLDAPCompareAsUser and AuthLDAPSearchAsUser. A login without mod_auth_basic and our
 * provider has left it in the header alone. It is wiped with the request's pool. */
static void complete_password(request_rec *r, as_context *context, const as_group_settings *groups)
{
    const char *header = as_authorization_get_header(r), *user, *password;
    apr_size_t size;
    char *decoded;

    if (!(groups->compare_as_user || groups->search_as_user) || context->entry.password || !header) {
        return;
    }
    size = strlen(header) + 1;
    decoded = as_secret_allocate(r->pool, size);
    if (as_credentials_read(header, decoded, size, &user, &password) == AS_OUTCOME_GRANTED &&
        !strcmp(user, context->entry.user)) {
        context->entry.password = password;
    }
}

/* Returns the entry for a line: of this login, or that of r->user. NULL: *instead is the line's answer. */
static const as_entry *get_entry(request_rec *r, as_context *context, const as_authorize_attempt *line,
                                 const as_authorization **instead)
{
    const as_group_settings *groups = line->groups;
    const as_entry_attempt attempt = {.directory = line->directory,
                                      .user = r->user,
                                      .groups = groups,
                                      .deadline = line->deadline,
                                      .negated = line->negated};
    const as_login_observer observer = as_observer_make(r);
    const as_entry_lookup *lookup;

    if (context->entry.dn) {
        complete_password(r, context, groups);
        return &context->entry;
    }
    lookup = as_find_entry(as_process_get_login(), &context->transaction->memo, &attempt, &observer);
    if (lookup->found == AS_YES) {
        return &lookup->entry;
    }
    *instead = settle_lookup(r, context, lookup);
    return NULL;
}

/* Makes the requirement of a line in this request. Returns false if its expression has no value. */
static bool make_requirement(request_rec *r, const as_require_line *line, apr_pool_t *pool, as_requirement *requirement)
{
    const char *error = NULL, *text;

    if (!line->expression) {
        *requirement = line->requirement;
        return true;
    }
    text = ap_expr_str_exec(r, line->expression, &error);
    if (error || !text) {
        return false;
    }
    as_requirement_parse(pool, line->kind, text, requirement);
    requirement->by_expression = true;
    return true;
}

/* ---- the answer ---- */

/* Warns of a missing group or DN, once an hour for each process. A pass that logs nothing does not count. */
static void warn_if_missing(request_rec *r, const as_authorization *authorization, const as_requirement *requirement)
{
    if (authorization->missing && ap_get_request_module_loglevel(r, APLOG_MODULE_INDEX) >= AS_TAG_LEVEL_0032 &&
        as_require_is_news(authorization->fingerprint, requirement->text)) {
        AS_LOG_REQUEST(0032, 0, r, as_require_get_name(requirement->kind),
                       as_log_escape(r->pool, requirement->text, LOGGED_DN_MAX), authorization->server ? " on " : "",
                       authorization->server ? authorization->server : "");
    }
}

static const as_authorization *query(request_rec *r, as_context *context, const as_require_line *line,
                                     as_requirement *requirement, const as_entry **entry)
{
    apr_pool_t *pool = context->transaction->pool;
    const as_section *section = as_section_get(r);
    const as_login_observer observer = as_observer_make(r);
    as_group_settings *groups = apr_palloc(pool, sizeof(*groups));
    as_authorize_attempt attempt = {.groups = groups,
                                    .requirement = requirement,
                                    .negated = line->may_refuse,
                                    .client = r->useragent_ip,
                                    .throttle = section->throttle};
    const as_authorization *authorization, *instead = NULL;
    const as_answer *incomplete;

    incomplete = as_provider_complete(r, context);
    if (incomplete) {
        return settle_incomplete(r, incomplete);
    }
    *groups = as_section_get_groups(section);
    attempt.deadline = as_section_get_deadline(section);
    attempt.directory = as_intern_directory(r, section);
    if (!attempt.directory && line->kind != AS_REQUIRE_SEARCH) {
        attempt.directory = context->entry.dn ? context->entry.directory : NULL;
        attempt.of_login = true;
    }
    if (!as_process_get_login()) {
        return settle(r, AS_UNKNOWN, AS_OUTCOME_UNKNOWN_RESULT, "no memory was left when the process started");
    }
    if (!attempt.directory) {
        return settle(r, AS_UNKNOWN, AS_OUTCOME_DIRECTORY_MISCONFIGURED, "there is no AuthLDAPURL here");
    }
    if (line->kind != AS_REQUIRE_SEARCH) {
        attempt.entry = *entry = get_entry(r, context, &attempt, &instead);
        if (!attempt.entry) {
            return instead;
        }
    }
    authorization = as_authorize(as_process_get_login(), &context->transaction->memo, &attempt, &observer);
    if (authorization->misnamed) {
        context->entry_problem = authorization->reason;
    }
    return authorization;
}

/* Counts an answer for the report page. */
static void count(const as_authorization *authorization)
{
    static const as_counter answers[] = {
        [AS_NO] = AS_COUNTER_require_no, [AS_YES] = AS_COUNTER_require_yes, [AS_UNKNOWN] = AS_COUNTER_require_unknown};
    as_counters *counters = as_process_get_counters();
    const as_operations *operations = &authorization->operations;

    as_counters_add(counters, answers[authorization->answer], 1);
    if (authorization->stale) {
        as_counters_add(counters, AS_COUNTER_require_stale, 1);
    }
    if (authorization->cached) {
        as_counters_add(counters, AS_COUNTER_require_cached, 1);
    } else {
        as_counters_add(counters, AS_COUNTER_require_searches, (unsigned long)operations->searches);
        as_counters_add(counters, AS_COUNTER_require_compares, (unsigned long)operations->compares);
        as_counters_add(counters, AS_COUNTER_require_binds, (unsigned long)operations->binds);
    }
    if (authorization->bounded) {
        as_counters_add(counters, AS_COUNTER_require_bounded, 1);
    }
}

/* Answers a line by what is known of its login, else by a query. */
static void answer_suited(request_rec *r, as_context *context, const as_require_line *line, as_answered *answered)
{
    answered->authorization = as_known_line_recall(r, context, line);
    if (answered->authorization) {
        answered->requirement = line->requirement;
        answered->known = true;
        return;
    }
    answered->authorization = query(r, context, line, &answered->requirement, &answered->entry);
    as_known_line_learn(r, context, line, answered->authorization);
}

static void answer(request_rec *r, as_context *context, const as_require_line *line, as_answered *answered)
{
    answered->line = line;
    answered->section = as_section_get(r);
    answered->requirement.kind = line->kind;
    if (line->problem) {
        answered->authorization = settle(r, AS_UNKNOWN, AS_OUTCOME_DIRECTORY_MISCONFIGURED, line->problem);
    } else if (!make_requirement(r, line, context->transaction->pool, &answered->requirement)) {
        answered->authorization = settle_unsafe_no(r, "the expression of a Require line has no value");
    } else if (as_known_line_is_suited(r, context, line)) {
        answer_suited(r, context, line, answered);
        warn_if_missing(r, answered->authorization, &answered->requirement);
    } else {
        answered->authorization = query(r, context, line, &answered->requirement, &answered->entry);
        warn_if_missing(r, answered->authorization, &answered->requirement);
    }
    count(answered->authorization);
}

/* Answers each line once in an evaluation, for any number of runs. The log is open for the answer, also within a
 * trial. */
static const as_answered *answer_once(request_rec *r, as_context *context, const as_require_line *line)
{
    as_evaluation *evaluation = context->evaluation;
    const as_answered *before = evaluation ? evaluation->answered : NULL;
    const struct ap_logconf *log = r->log;
    as_answered *answered;

    while (before && before->line != line) {
        before = before->next;
    }
    if (before) {
        return before;
    }
    answered = apr_pcalloc(r->pool, sizeof(*answered));
    if (evaluation) {
        r->log = evaluation->log;
        answered->next = evaluation->answered;
        evaluation->answered = answered;
    }
    answer(r, context, line, answered);
    r->log = log;
    return answered;
}

/* ---- the providers ---- */

static authz_status check(as_requirement_kind kind, request_rec *r, const char *text, const void *parsed)
{
    const as_require_line *line = parsed;
    const authz_provider *theirs = as_require_get_theirs(kind);

    if (theirs && !as_section_is_on(as_section_get(r))) {
        return theirs->check_authorization(r, text, line->theirs);
    }
    if (!r->user && kind != AS_REQUIRE_SEARCH) {
        return AUTHZ_DENIED_NO_USER;
    }
    return as_evaluation_choose_status(r, as_context_get(r), answer_once(r, as_context_get(r), line));
}

/* A provider has no pointer of its own, so each name has its own functions. */
#define AS_REQUIREMENT(id, name)                                                                                       \
    static authz_status check_##id(request_rec *r, const char *text, const void *parsed)                               \
    {                                                                                                                  \
        return check(AS_REQUIRE_##id, r, text, parsed);                                                                \
    }                                                                                                                  \
    static const char *parse_##id(cmd_parms *cmd, const char *text, const void **parsed)                               \
    {                                                                                                                  \
        return as_require_parse(cmd, AS_REQUIRE_##id, text, parsed);                                                   \
    }                                                                                                                  \
    static const authz_provider provider_##id = {check_##id, parse_##id};
AS_REQUIREMENT_LIST(AS_REQUIREMENT)
#undef AS_REQUIREMENT

static const authz_provider *const providers[] = {
#define AS_REQUIREMENT(id, name) [AS_REQUIRE_##id] = &provider_##id,
    AS_REQUIREMENT_LIST(AS_REQUIREMENT)
#undef AS_REQUIREMENT
};

void as_require_register(apr_pool_t *pconf)
{
    int i;

    as_require_lines_begin(pconf);
    for (i = 0; i < AS_REQUIREMENT_COUNT; i++) {
        const char *name = as_require_get_name((as_requirement_kind)i);

        if (as_require_get_theirs((as_requirement_kind)i)) {
            /* httpd has counted this name among the providers that depend on the configuration alone. */
            ap_register_provider(pconf, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, providers[i]);
        } else {
            ap_register_auth_provider(pconf, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, providers[i],
                                      AP_AUTH_INTERNAL_PER_CONF);
        }
    }
}
