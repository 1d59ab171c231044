/* SPDX-License-Identifier: Apache-2.0
 *
 * The query by the module's own login (src/login), and its steps as they end.
 */
#include "explain.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/credentials.h"

/* The module's default (src/httpd/config/policy.c). */
#define DEFAULT_RETRY_AFTER 10

/* The data of the query's observer. */
typedef struct watch {
    explain_story *story;
    explain_observer *observe;
} watch;

static void note_step(void *data, const as_trace_step *traced)
{
    watch *seen = data;
    explain_step *step = apr_array_push(seen->story->steps);

    memset(step, 0, sizeof(*step));
    step->step = traced->step;
    step->server = traced->server;
    step->what = traced->what;
    step->took = traced->took;
    step->lookup = traced->lookup;
    step->certificate = traced->certificate;
    step->certificate_length = traced->certificate_length;
    step->well = !traced->reply;
    if (traced->reply) {
        step->reply = *traced->reply;
        step->answered = traced->reply->failure == AS_FAILURE_NONE;
        step->well = step->answered && traced->reply->code == 0;
    }
    if (seen->observe) {
        seen->observe(seen->story, step);
    }
}

/* Returns whether the credentials alone decide, as src/httpd/request/provider.c checks first too. */
static bool is_decided_by_credentials(explain_story *story)
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
    story->finding = as_finding_make(outcome);
    return true;
}

/* Without a password the query ends with the search, which is no login. */
static void find_entry(explain_story *story, const as_login *login, const as_login_attempt *attempt, as_mono deadline)
{
    const as_query question = {.settings = attempt->directory->settings, .user = attempt->user, .deadline = deadline};
    as_reply reply;

    as_directory_query(login->directories, &question, story->pool, &reply);
    story->answer.finding = as_outcome_find(&reply);
    story->answer.reason = reply.failure == AS_FAILURE_NONE ? reply.diagnostic : reply.reason;
    story->answer.wait = reply.retry_after;
    story->partial =
        reply.failure == AS_FAILURE_NONE && reply.step == AS_STEP_SEARCH && reply.code == 0 && reply.entries == 1;
}

/* Chooses the membership as as_section_get_membership() does: only lines of groups need it. */
static as_membership_wish choose_membership(const explain_wish *wish)
{
    if (!wish->require || wish->groups.mode == AS_GROUPS_MEMBER) {
        return AS_MEMBERSHIP_NONE;
    }
    return wish->groups.mode == AS_GROUPS_MEMBER_OF ? AS_MEMBERSHIP_ALWAYS : AS_MEMBERSHIP_ON_AD;
}

/* Queries with the module's own login. A probe searches for no user, so its result is no finding about one. */
static void query_directory(explain_story *story, const as_login *login, as_mono deadline)
{
    const explain_wish *wish = story->wish;
    const as_login_directory directory = {
        .settings = &wish->settings,
        .fingerprint = as_directory_compute_fingerprint(story->pool, &wish->settings),
        .scope = "",
    };
    const as_login_attempt attempt = {.directory = &directory,
                                      .user = wish->user,
                                      .password = wish->password,
                                      .initial_bind =
                                          wish->user ? explain_make_initial_bind_name(wish, story->pool) : NULL,
                                      .membership = choose_membership(wish),
                                      .client = "",
                                      .deadline = wish->deadline};
    as_login_memo memo = {.pool = story->pool, .deadline = deadline};

    if (!wish->user) {
        as_probe_directory(login, &memo, &directory, wish->deadline, &story->answer);
        /* Where users search for themselves, an anonymous search may be refused: the directory answers, and no more
         * can be queried. */
        story->partial = story->answer.finding.has_code && (story->answer.finding.code == 0 || wish->initial_bind);
    } else if (wish->password) {
        story->answer = *as_authenticate(login, &memo, &attempt, NULL);
        story->finding = story->answer.finding;
        as_directories_trace(login->directories, NULL, NULL); /* its operations are reported by number */
        explain_run_require(story, &(explain_authorizer){login, &memo, &directory});
        return;
    } else {
        find_entry(story, login, &attempt, deadline);
    }
    story->finding = story->answer.finding;
}

/* Reads the lockout in the time left, from a directory that answered. */
static void query_lockout(explain_story *story, as_directories *all, as_mono deadline)
{
    const as_class of = as_outcome_describe(story->finding.outcome)->of;

    if (story->partial || (of != AS_CLASS_UNAVAILABLE && of != AS_CLASS_MISCONFIGURED)) {
        as_directory_read_lockout(all, &story->wish->settings, deadline, story->pool, &story->lockout);
    }
}

static void judge(explain_story *story)
{
    as_policy policy = {.disclose = AS_DISCLOSE_PROVEN, .mask = AS_MASK_OFF, .retry_after = DEFAULT_RETRY_AFTER};

    story->verdict = as_verdict_make(&story->finding, &policy, story->answer.wait);
    policy.disclose = AS_DISCLOSE_ALWAYS;
    story->open = as_verdict_make(&story->finding, &policy, story->answer.wait);
}

explain_story *explain_run_login(const explain_wish *wish, explain_observer *observe, apr_pool_t *pool)
{
    const as_directory_limits limits = {.in_flight = 0};
    explain_story *story = apr_pcalloc(pool, sizeof(*story));
    const as_mono deadline = as_mono_read() + wish->deadline;
    watch seen = {story, observe};
    as_login login = {.directories = NULL};

    story->wish = wish;
    story->pool = pool;
    story->steps = apr_array_make(pool, 16, sizeof(explain_step));
    if (!is_decided_by_credentials(story)) {
        login.directories = as_directories_create(pool, &limits);
        if (!login.directories) {
            return NULL;
        }
        as_directories_trace(login.directories, note_step, &seen);
        query_directory(story, &login, deadline);
        as_directories_trace(login.directories, NULL, NULL);
        story->queried = true;
        query_lockout(story, login.directories, deadline);
    }
    judge(story);
    return story;
}

int explain_choose_exit_code(const explain_story *story)
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
    case AS_CLASS_FORBIDDEN:
        return EXIT_FORBIDDEN;
    case AS_CLASS_UNAVAILABLE:
        return EXIT_UNAVAILABLE;
    case AS_CLASS_THROTTLED:
    case AS_CLASS_MISCONFIGURED:
    case AS_CLASS_COUNT:
        break;
    }
    return EXIT_MISCONFIGURED;
}
