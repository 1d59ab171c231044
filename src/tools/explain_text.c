/* SPDX-License-Identifier: Apache-2.0
 *
 * The explanation for a person: one line per step, as it ends, and the result.
 */
#include "explain.h"

#include <string.h>

#include <ldap.h>

#include <apr_strings.h>

#define INDENT "             "

static const char *show(const char *text, apr_pool_t *pool)
{
    return explain_escape_text(text, strlen(text), pool);
}

static const char *name_scope(int scope)
{
    return scope == LDAP_SCOPE_ONELEVEL ? "one level" : "and below";
}

static const char *describe_base(const explain_wish *wish, apr_pool_t *pool)
{
    return *wish->settings.base ? show(wish->settings.base, pool) : "the root (an empty base)";
}

static const char *describe_security(const as_directory_settings *settings)
{
    switch (settings->security) {
    case AS_SECURITY_SSL:
        return "TLS from the start (ldaps)";
    case AS_SECURITY_STARTTLS:
        return "StartTLS";
    case AS_SECURITY_NONE:
        break;
    }
    return "no TLS: passwords cross the network as they are";
}

void explain_print_begin(const explain_wish *wish, apr_pool_t *pool)
{
    const as_directory_settings *settings = &wish->settings;
    int i;

    printf("directory    ");
    for (i = 0; i < settings->server_count; i++) {
        printf("%s%s port %d", i ? ", then " : "", show(settings->servers[i].host, pool), settings->servers[i].port);
    }
    printf("; %s%s\n", describe_security(settings),
           settings->security != AS_SECURITY_NONE && !settings->verify_certificate
               ? ", and any certificate is taken (LDAPVerifyServerCert Off)"
               : "");
    printf("searches in  %s (%s), ", describe_base(wish, pool), name_scope(settings->scope));
    if (wish->initial_bind) {
        printf("as the user himself (AuthLDAPInitialBindAsUser)\n");
    } else if (settings->bind_dn) {
        printf("as %s\n", show(settings->bind_dn, pool));
    } else {
        printf("anonymously, as there is no AuthLDAPBindDN\n");
    }
    printf("user         %s\n", wish->user ? show(wish->user, pool) : "none: does the directory answer?");
    printf("deadline     %.3g s for everything\n\n", (double)wish->deadline / 1e6);
    fflush(stdout);
}

/* ---- steps ---- */

static void print_head(const explain_step *step)
{
    printf("%8.1f ms  ", (double)step->took / 1e3);
}

static void print_failure(const explain_step *step, apr_pool_t *pool)
{
    static const char *const words[] = {[AS_FAILURE_DOWN] = "failed",
                                        [AS_FAILURE_TIMEOUT] = "no answer in time",
                                        [AS_FAILURE_OVERLOAD] = "not tried",
                                        [AS_FAILURE_CIRCUIT_OPEN] = "not tried",
                                        [AS_FAILURE_TLS] = "TLS failed",
                                        [AS_FAILURE_ANSWER] = "not taken",
                                        [AS_FAILURE_LOCAL] = "could not be tried"};

    printf("%s: %s\n", words[step->reply.failure], show(step->reply.reason, pool));
}

/* Prints the server's message, controls and matched name of an answer. */
static void print_answer_details(const as_reply *reply, apr_pool_t *pool)
{
    size_t i;

    if (reply->diagnostic_length > 0) {
        printf(INDENT "it says: \"%s\"\n", explain_escape_text(reply->diagnostic, reply->diagnostic_length, pool));
    }
    if (reply->code != 0 && *reply->matched_dn) {
        printf(INDENT "there is something at %s, and nothing below\n", show(reply->matched_dn, pool));
    }
    for (i = 0; i < reply->control_count; i++) {
        const as_control *control = &reply->controls[i];
        const char *name = explain_name_control(control->oid);

        printf(INDENT "control %s%s%s%s: %s", show(control->oid, pool), name ? " (" : "", name ? name : "",
               name ? ")" : "", explain_describe_control(control, pool));
        if (control->value && control->length > 0) {
            printf(" [%s]", explain_write_hex(control->value, control->length, pool));
        }
        printf("\n");
    }
}

static bool is_after_search(const explain_story *story, const explain_step *step)
{
    const explain_step *first = (const explain_step *)(const void *)story->steps->elts;

    return step > first && step[-1].step == AS_STEP_SEARCH;
}

static void print_connect(const explain_story *story, const explain_step *step)
{
    printf("connect to %s%s: ", show(step->server, story->pool),
           is_after_search(story, step) ? " again, as passwords have a connection of their own" : "");
    if (!step->well) {
        print_failure(step, story->pool);
        return;
    }
    printf("%s", show(step->what, story->pool));
    if (step->lookup >= 100) {
        printf(" (looking up the address took %.1f ms of it)", (double)step->lookup / 1e3);
    }
    printf("\n");
}

/* Returns whether a step was printed already: search and password have a connection each, usually with the same
 * certificate. */
static bool is_shown(const explain_story *story, const explain_step *step)
{
    int i;

    for (i = 0; i < story->steps->nelts; i++) {
        const explain_step *before = &APR_ARRAY_IDX(story->steps, i, explain_step);

        if (before != step && before->certificate && before->certificate_length == step->certificate_length &&
            !memcmp(before->certificate, step->certificate, step->certificate_length)) {
            return true;
        }
    }
    return false;
}

static void print_tls(const explain_story *story, const explain_step *step)
{
    explain_certificate certificate;

    printf("TLS: ");
    if (!step->well) {
        print_failure(step, story->pool);
        return;
    }
    printf("%s\n", *step->what ? show(step->what, story->pool) : "in place");
    if (step->certificate && !is_shown(story, step) && explain_read_certificate(step, story->pool, &certificate)) {
        printf(INDENT "certificate of %s,\n" INDENT "issued by %s,\n" INDENT
                      "valid from %.10s to %.10s (%ld days left)\n",
               certificate.subject, certificate.issuer, certificate.not_before, certificate.not_after,
               certificate.days_left);
    }
}

static void print_bind(const explain_story *story, const explain_step *step)
{
    printf("%s as %s: ", step->step == AS_STEP_SERVICE_BIND ? "service account, bind" : "the user's password, bind",
           *step->what ? show(step->what, story->pool) : "nobody");
    if (!step->answered) {
        print_failure(step, story->pool);
        return;
    }
    printf("LDAP %d, %s\n", step->reply.code, ldap_err2string(step->reply.code));
    print_answer_details(&step->reply, story->pool);
}

static void print_entry(const explain_story *story, const as_reply *reply)
{
    const as_directory_settings *settings = &story->wish->settings;
    int i, j;

    printf(INDENT "%s\n", show(reply->dn, story->pool));
    for (i = 0; reply->values && i < settings->attribute_count; i++) {
        const char *name = show(settings->attributes[i], story->pool);

        for (j = 0; reply->values[i] && reply->values[i][j]; j++) {
            printf(INDENT "    %s: %s\n", name, show(reply->values[i][j], story->pool));
        }
        if (!reply->values[i]) {
            printf(INDENT "    %s: none that could be read\n", name);
        }
    }
}

static void print_search(const explain_story *story, const explain_step *step)
{
    const as_reply *reply = &step->reply;
    const char *found = reply->entries == 0 ? "no entry" : reply->entries == 1 ? "one entry" : "more than one entry";

    printf("search for %s: ", show(step->what, story->pool));
    if (!step->answered) {
        print_failure(step, story->pool);
        return;
    }
    if (reply->code != 0) {
        printf("LDAP %d, %s; ", reply->code, ldap_err2string(reply->code));
    }
    printf("%s%s\n",
           story->wish->user  ? found
           : reply->code == 0 ? "the base is there"
                              : "",
           reply->referral ? ", and a referral to another server" : "");
    print_answer_details(reply, story->pool);
    if (story->wish->user && reply->dn) {
        print_entry(story, reply);
    }
}

void explain_print_step(const explain_story *story, const explain_step *step)
{
    print_head(step);
    switch (step->step) {
    case AS_STEP_CONNECT:
        print_connect(story, step);
        break;
    case AS_STEP_TLS:
        print_tls(story, step);
        break;
    case AS_STEP_SERVICE_BIND:
    case AS_STEP_USER_BIND:
        print_bind(story, step);
        break;
    case AS_STEP_SEARCH:
        print_search(story, step);
        break;
    }
    fflush(stdout);
}

/* ---- the result ---- */

static void print_status(const explain_story *story)
{
    const as_verdict *verdict = &story->verdict;
    const char *shown = as_outcome_describe(verdict->shown)->name;

    if (verdict->status == 0) {
        printf("status       the request goes on\n");
        return;
    }
    printf("status       %d%s\n", verdict->status, verdict->challenge ? " with a challenge" : "");
    if (verdict->retry_after >= 0) {
        printf("             Retry-After: %ld\n", verdict->retry_after);
    }
    if (verdict->shown != story->finding.outcome) {
        printf("             answered as %s, as it is not proven (AuthStatusDisclose Proven);\n"
               "             under AuthStatusDisclose Always: %d, %s\n",
               shown, story->open.status, as_outcome_describe(story->open.shown)->name);
    }
}

/* Prints the directory's own limit, and whether AuthStatusThrottle is below it. */
static void print_lockout(const explain_story *story)
{
    const as_lockout *lockout = &story->lockout;
    const long throttle = story->wish->throttle;

    if (!lockout->where) {
        return;
    }
    if (lockout->failures <= 0) {
        printf("lockout      %s: %s\n", lockout->failures == 0 ? "none" : "not known",
               show(lockout->where, story->pool));
        return;
    }
    printf("lockout      the directory locks an account after %d failure%s (%s)\n", lockout->failures,
           lockout->failures == 1 ? "" : "s", show(lockout->where, story->pool));
    if (throttle >= lockout->failures) {
        printf(
            INDENT
            "AuthStatusThrottle lets %ld failures of a user reach it: accounts can be locked through the web;\n" INDENT
            "it must be below %d\n",
            throttle, lockout->failures);
    } else if (throttle > 0) {
        printf(INDENT "AuthStatusThrottle lets %ld failures of a user reach it, fewer than that\n", throttle);
    } else if (story->wish->sees_throttle) {
        printf(INDENT "no AuthStatusThrottle counts by user here: accounts can be locked through the web\n");
    }
}

/* Returns whether the last step has printed this reason already. */
static bool is_last_reason(const explain_story *story)
{
    const explain_step *last =
        story->steps->nelts ? &APR_ARRAY_IDX(story->steps, story->steps->nelts - 1, explain_step) : NULL;

    return story->finding.has_code || !*story->answer.reason ||
           (last && !last->well && !last->answered && !strcmp(last->reply.reason, story->answer.reason));
}

/* Prints the lines of Require one by one, or that none was evaluated. */
static void print_require(const explain_story *story)
{
    const apr_array_header_t *lines = story->wish->require;
    int i;

    if (!story->required) {
        if (as_outcome_describe(story->finding.outcome)->of == AS_CLASS_GRANTED) {
            printf(
                "not decided  whether the user may go on: Require of the section decides (--require line tests it)\n");
        }
        return;
    }
    for (i = 0; i < lines->nelts; i++) {
        const explain_require *line = &APR_ARRAY_IDX(lines, i, explain_require);

        printf("require      %s: %s%s%s%s\n", show(line->line, story->pool), explain_name_answer(line->answer),
               *line->why ? " (" : "", show(line->why, story->pool), *line->why ? ")" : "");
        if (explain_is_combined(line)) {
            printf(INDENT "it stands in RequireAll or RequireNone, and does not decide alone\n");
        }
    }
    if (!story->decided && as_outcome_describe(story->finding.outcome)->of == AS_CLASS_GRANTED) {
        printf("not decided  whether the user may go on: no line that was looked at grants it alone\n");
    }
}

void explain_print_end(const explain_story *story)
{
    const as_outcome_info *outcome = as_outcome_describe(story->finding.outcome);
    const char *code = explain_format_ldap_code(&story->finding, story->pool);

    printf("%s", story->queried ? "\n" : "");
    if (story->partial) {
        printf("so far       nothing is wrong%s\n",
               story->wish->user ? "; without a password the last step, the bind as that entry, was left out" : "");
        print_lockout(story);
        return;
    }
    printf("outcome      %s (class %s%s%s)\n", outcome->name, as_class_describe(outcome->of)->name,
           *code ? "; LDAP " : "", code);
    if (as_outcome_is_about_account(story->finding.outcome) && story->queried) {
        printf("proven       %s\n", story->finding.proven ? "yes: the directory accepted the password"
                                                          : "no: the directory has not accepted the password");
    }
    if (story->queried && !is_last_reason(story)) {
        printf("reason       %s\n", show(story->answer.reason, story->pool));
    }
    print_require(story);
    print_status(story);
    printf("the person   \"%s\"\n", as_outcome_describe(story->verdict.shown)->sentence);
    if (explain_find_advice(story)) {
        printf("what to do   %s\n", explain_find_advice(story));
    }
    print_lockout(story);
}
