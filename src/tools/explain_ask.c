/* SPDX-License-Identifier: Apache-2.0
 *
 * The question, asked with the module's own code, and its steps as they end.
 */
#include "explain.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/credentials.h"

/* As the module's defaults are (src/httpd/config/policy.c). */
#define DEFAULT_RETRY_AFTER 10

/* What a question's observer needs. */
typedef struct watch {
    explain_story *story;
    explain_teller *tell;
} watch;

static void note_step(void *data, const as_trace_step *sight)
{
    watch *seen = data;
    explain_step *step = apr_array_push(seen->story->steps);

    memset(step, 0, sizeof(*step));
    step->step = sight->step;
    step->server = sight->server;
    step->what = sight->what;
    step->took = sight->took;
    step->lookup = sight->lookup;
    step->certificate = sight->certificate;
    step->certificate_length = sight->certificate_length;
    step->well = !sight->reply;
    if (sight->reply) {
        step->reply = *sight->reply;
        step->answered = sight->reply->failure == AS_FAILURE_NONE;
        step->well = step->answered && sight->reply->code == 0;
    }
    if (seen->tell) {
        seen->tell(seen->story, step);
    }
}

/* AuthLDAPInitialBindPattern: $0 to $9 in the name stand for what the pattern matched. */
static const char *initial_bind_name(const explain_wish *wish, apr_pool_t *pool)
{
    regmatch_t match[10];
    const char *at, *name = "";

    if (!wish->initial_bind) {
        return NULL;
    }
    if (!wish->initial_bind_pattern || regexec(wish->initial_bind_pattern, wish->user, 10, match, 0) != 0) {
        return wish->user;
    }
    for (at = wish->initial_bind_name; *at; at++) {
        if (*at == '$' && at[1] >= '0' && at[1] <= '9') {
            const regmatch_t *group = &match[*++at - '0'];

            if (group->rm_so >= 0) {
                name = apr_pstrcat(
                    pool, name,
                    apr_pstrmemdup(pool, wish->user + group->rm_so, (apr_size_t)(group->rm_eo - group->rm_so)), NULL);
            }
        } else {
            at += *at == '\\' && at[1] ? 1 : 0;
            name = apr_pstrcat(pool, name, apr_pstrmemdup(pool, at, 1), NULL);
        }
    }
    return name;
}

/* What needs no directory to be known: src/httpd/request/provider.c looks at that first too. */
static bool decided_by_credentials(explain_story *story)
{
    const explain_wish *wish = story->wish;
    as_outcome outcome;

    if (!wish->user) {
        return false;
    }
    outcome = as_credentials_check(wish->user, wish->password ? wish->password : "x");
    if (outcome == AS_OUTCOME_GRANTED) {
        return false;
    }
    story->finding = as_finding_of(outcome);
    return true;
}

static void ask_directory(explain_story *story, as_directories *all, as_mono deadline)
{
    const explain_wish *wish = story->wish;
    const as_query question = {.settings = &wish->settings,
                               .user = wish->user,
                               .password = wish->password,
                               .initial_bind = wish->user ? initial_bind_name(wish, story->pool) : NULL,
                               .deadline = deadline};

    if (wish->user) {
        as_directory_query(all, &question, story->pool, &story->reply);
    } else {
        as_directory_probe(all, &wish->settings, deadline, story->pool, &story->reply);
    }
}

/* Without a password the search is the last step; and a probe finds nobody, as it looks for nobody. */
static bool is_partial(const explain_story *story)
{
    const as_reply *reply = &story->reply;

    return !story->wish->password && reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH &&
           reply->code == 0 && (!story->wish->user || reply->entries == 1);
}

/* With what is left of the time, from a directory that answered. */
static void ask_lockout(explain_story *story, as_directories *all, as_mono deadline)
{
    const as_class of = as_outcome_describe(story->finding.outcome)->of;

    if (story->partial || (of != AS_CLASS_UNAVAILABLE && of != AS_CLASS_MISCONFIGURED)) {
        as_directory_lockout(all, &story->wish->settings, deadline, story->pool, &story->lockout);
    }
}

static void judge(explain_story *story)
{
    as_policy policy = {.disclose = AS_DISCLOSE_PROVEN, .mask = AS_MASK_OFF, .retry_after = DEFAULT_RETRY_AFTER};

    story->verdict = as_verdict_of(&story->finding, &policy, story->reply.retry_after);
    policy.disclose = AS_DISCLOSE_ALWAYS;
    story->open = as_verdict_of(&story->finding, &policy, story->reply.retry_after);
}

explain_story *explain_ask(const explain_wish *wish, explain_teller *tell, apr_pool_t *pool)
{
    const as_directory_limits limits = {.in_flight = 0};
    explain_story *story = apr_pcalloc(pool, sizeof(*story));
    const as_mono deadline = as_mono_now() + wish->deadline;
    watch seen = {story, tell};
    as_directories *all;

    story->wish = wish;
    story->pool = pool;
    story->steps = apr_array_make(pool, 16, sizeof(explain_step));
    if (!decided_by_credentials(story)) {
        all = as_directories_create(pool, &limits);
        if (!all) {
            return NULL;
        }
        as_directories_trace(all, note_step, &seen);
        ask_directory(story, all, deadline);
        as_directories_trace(all, NULL, NULL);
        story->asked = true;
        story->partial = is_partial(story);
        story->finding = as_outcome_find(&story->reply);
        ask_lockout(story, all, deadline);
    }
    judge(story);
    return story;
}

int explain_exit_code(const explain_story *story)
{
    if (story->partial) {
        return EXIT_GRANTED;
    }
    switch (as_outcome_describe(story->finding.outcome)->of) {
    case AS_CLASS_GRANTED:
        return EXIT_GRANTED;
    case AS_CLASS_UNAUTHENTICATED:
        return EXIT_UNAUTHENTICATED;
    case AS_CLASS_REFUSED:
        return EXIT_REFUSED;
    case AS_CLASS_UNAVAILABLE:
        return EXIT_UNAVAILABLE;
    case AS_CLASS_FORBIDDEN:
    case AS_CLASS_THROTTLED:
    case AS_CLASS_MISCONFIGURED:
    case AS_CLASS_COUNT:
        break;
    }
    return EXIT_MISCONFIGURED;
}
