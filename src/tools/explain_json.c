/* SPDX-License-Identifier: Apache-2.0
 *
 * The explanation for a program: one JSON object (RFC 8259). Octets that are not UTF-8 become U+FFFD.
 */
#include "explain.h"

#include <string.h>

#include <ldap.h>

#include "authstatus/ppolicy.h"

static void put_string(const char *text, size_t length)
{
    size_t at = 0;

    putchar('"');
    while (at < length) {
        unsigned code = 0xfffd;
        size_t size = explain_read_utf8(text + at, length - at, &code);

        if (size == 0) {
            printf("\\ufffd");
            size = 1;
        } else if (code == '"' || code == '\\') {
            printf("\\%c", (int)code);
        } else if (code < 0x10000 && !explain_is_harmless(code)) {
            printf("\\u%04x", code);
        } else {
            printf("%.*s", (int)size, text + at);
        }
        at += size;
    }
    putchar('"');
}

static void put_text(const char *text)
{
    if (text) {
        put_string(text, strlen(text));
    } else {
        printf("null");
    }
}

/* Writes a member's name, after the comma of the previous one. */
static void put_name(const char *name)
{
    printf(", \"%s\": ", name);
}

static void put_member(const char *name, const char *text)
{
    put_name(name);
    put_text(text);
}

static void put_flag(const char *name, bool flag)
{
    put_name(name);
    printf(flag ? "true" : "false");
}

static void put_number(const char *name, long number)
{
    put_name(name);
    printf("%ld", number);
}

static void put_known_number(const char *name, long number)
{
    if (number >= 0) {
        put_number(name, number);
    }
}

static void put_milliseconds(const char *name, apr_interval_time_t time)
{
    put_name(name);
    printf("%ld.%03ld", (long)(time / 1000), (long)(time % 1000));
}

static void put_control(const as_control *control, apr_pool_t *pool)
{
    as_ppolicy read = as_ppolicy_read(control, 1);

    printf("{\"oid\": ");
    put_text(control->oid);
    put_member("name", explain_name_control(control->oid));
    put_member("value", control->value ? explain_write_hex(control->value, control->length, pool) : NULL);
    put_member("says", explain_describe_control(control, pool));
    if (!read.contradictory) {
        put_known_number("error", read.error);
        put_known_number("expires_in", read.expires_in);
        put_known_number("grace_logins", read.grace_logins);
    }
    printf("}");
}

static void put_answer(const as_reply *reply, apr_pool_t *pool)
{
    size_t i;

    put_number("code", reply->code);
    put_member("code_text", ldap_err2string(reply->code));
    put_name("diagnostic");
    put_string(reply->diagnostic, reply->diagnostic_length);
    if (*reply->matched_dn) {
        put_member("matched", reply->matched_dn);
    }
    put_name("controls");
    printf("[");
    for (i = 0; i < reply->control_count; i++) {
        printf(i ? ", " : "");
        put_control(&reply->controls[i], pool);
    }
    printf("]");
}

static void put_entry(const explain_story *story, const as_reply *reply)
{
    const as_directory_settings *settings = &story->wish->settings;
    int i, j;

    put_number("entries", (long)reply->entries);
    put_flag("referral", reply->referral);
    if (!reply->dn) {
        return;
    }
    put_member("dn", reply->dn);
    put_name("attributes");
    printf("{");
    for (i = 0; reply->values && i < settings->attribute_count; i++) {
        printf(i ? ", " : "");
        put_text(settings->attributes[i]);
        printf(": ");
        printf("[");
        for (j = 0; reply->values[i] && reply->values[i][j]; j++) {
            printf(j ? ", " : "");
            put_text(reply->values[i][j]);
        }
        printf("]");
    }
    printf("}");
}

static void put_certificate(const explain_step *step, apr_pool_t *pool)
{
    explain_certificate certificate;

    if (!explain_read_certificate(step, pool, &certificate)) {
        return;
    }
    put_name("certificate");
    printf("{\"subject\": ");
    put_text(certificate.subject);
    put_member("issuer", certificate.issuer);
    put_member("not_before", certificate.not_before);
    put_member("not_after", certificate.not_after);
    put_number("days_left", certificate.days_left);
    printf("}");
}

static const char *name_subject(as_step step)
{
    switch (step) {
    case AS_STEP_CONNECT:
        return "address";
    case AS_STEP_TLS:
        return "protocol";
    case AS_STEP_SEARCH:
        return "filter";
    case AS_STEP_SERVICE_BIND:
    case AS_STEP_USER_BIND:
        break;
    }
    return "name";
}

static void put_step(const explain_story *story, const explain_step *step)
{
    printf("{\"step\": ");
    put_text(explain_name_step(step->step));
    put_member("server", step->server);
    put_milliseconds("milliseconds", step->took);
    put_flag("ok", step->well);
    if (*step->what) {
        put_member(name_subject(step->step), step->what);
    }
    if (step->step == AS_STEP_CONNECT) {
        put_milliseconds("lookup_milliseconds", step->lookup);
    }
    if (step->answered) {
        put_answer(&step->reply, story->pool);
        if (step->step == AS_STEP_SEARCH && story->wish->user) {
            put_entry(story, &step->reply);
        }
    } else if (!step->well) {
        put_member("reason", step->reply.reason);
    }
    put_certificate(step, story->pool);
    printf("}");
}

static void put_outcome(const explain_story *story)
{
    const as_outcome_info *outcome = as_outcome_describe(story->finding.outcome);

    put_member("outcome", outcome->name);
    put_member("class", as_class_describe(outcome->of)->name);
    put_flag("proven", story->finding.proven);
    put_member("ldap", explain_format_ldap_code(&story->finding, story->pool));
    put_known_number("password_expires_in", story->finding.expires_in);
    put_known_number("grace_logins", story->finding.grace_logins);
    put_member("reason", story->queried && !story->finding.has_code ? story->answer.reason : NULL);
    put_number("status", story->verdict.status);
    put_known_number("retry_after", story->verdict.retry_after);
    put_member("shown", as_outcome_describe(story->verdict.shown)->name);
    put_member("sentence", as_outcome_describe(story->verdict.shown)->sentence);
    put_number("status_always", story->open.status);
    put_member("advice", explain_find_advice(story));
}

static void put_require(const explain_story *story)
{
    int i;

    put_name("require");
    printf("[");
    for (i = 0; story->required && i < story->wish->require->nelts; i++) {
        const explain_require *line = &APR_ARRAY_IDX(story->wish->require, i, explain_require);

        printf(i ? ", {\"line\": " : "{\"line\": ");
        put_text(line->line);
        put_member("answer", explain_name_answer(line->answer));
        put_member("why", line->why);
        put_flag("combined", explain_is_combined(line));
        printf("}");
    }
    printf("]");
    if (story->required) {
        put_flag("decided", story->decided);
    }
}

static void put_lockout(const explain_story *story)
{
    if (!story->lockout.where) {
        return;
    }
    put_name("lockout");
    printf("{\"from\": ");
    put_text(story->lockout.where);
    put_known_number("failures", story->lockout.failures);
    if (story->wish->throttle > 0) {
        put_number("throttle", story->wish->throttle);
    }
    printf("}");
}

void explain_print_json(const explain_story *story)
{
    const explain_wish *wish = story->wish;
    int i;

    printf("{\"url\": ");
    put_text(wish->url);
    put_member("user", wish->user);
    put_member("service_account", wish->settings.bind_dn);
    put_flag("partial", story->partial);
    put_number("exit_code", explain_choose_exit_code(story));
    put_name("steps");
    printf("[");
    for (i = 0; i < story->steps->nelts; i++) {
        printf(i ? ",\n  " : "\n  ");
        put_step(story, &APR_ARRAY_IDX(story->steps, i, explain_step));
    }
    printf("]");
    if (!story->partial) {
        put_outcome(story);
        put_require(story);
    }
    put_lockout(story);
    printf("}\n");
}

void explain_print_json_error(const char *error)
{
    printf("{\"error\": ");
    put_text(error);
    printf(", \"exit_code\": %d}\n", EXIT_USAGE);
}
