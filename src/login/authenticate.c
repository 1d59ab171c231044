/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins: a user and a password in, an answer out. Sources in this order: earlier queries of this transaction, the
 * cache, an identical query in progress, the throttle, and then the directory.
 */
#include "authstatus/login.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/ppolicy.h"

#include "coalesce.h"
#include "known_entry.h"
#include "timing.h"
#include "queried.h"
#include "settle.h"

#define INVALID_DN_SYNTAX 34 /* RFC 4511 4.1.9 */

/* The most time that a bind may take that confirms a cached password. */
#define CONFIRMED_WITHIN AS_MONO_SECOND

as_mono as_deadline_get(as_login_memo *memo, apr_interval_time_t within)
{
    if (!memo->deadline) {
        memo->deadline = as_mono_read() + within;
    }
    return memo->deadline;
}

/* ---- the directory ---- */

/* The state of one login. */
typedef struct as_attempt {
    const as_login *login;
    const as_login_attempt *params;
    const as_login_observer *observer;
    apr_pool_t *pool; /* of the memo: an answer may be needed after a subrequest has ended */
    const as_directory_settings *settings;
    const char *fingerprint;
    as_cache_key key;
    as_mono deadline;
    as_directory *entered; /* while it holds a slot */
    as_admission *admission;
    as_answer *answer; /* from the memo's pool */
} as_attempt;

static void set_finding(const as_attempt *attempt, as_outcome outcome, long wait)
{
    as_answer *answer = attempt->answer;

    memset(answer, 0, sizeof(*answer));
    answer->finding = as_finding_make(outcome);
    answer->reason = "";
    answer->wait = wait;
}

static void fill_from_reply(as_answer *answer, const as_reply *reply)
{
    answer->finding = as_outcome_find(reply);
    answer->dn = reply->dn;
    answer->values = reply->values;
    answer->membership = reply->membership;
    answer->server = reply->server;
    /* the reason why there is no answer, or the directory's own message */
    answer->reason = reply->failure == AS_FAILURE_NONE ? reply->diagnostic : reply->reason;
    answer->wait = reply->retry_after;
    /* It may replace a cached answer (confirm). */
    answer->cached = false;
    answer->acceptance = (as_acceptance){.stamp = 0};
}

static void report_query(const as_login *login, const as_login_observer *observer,
                         const as_directory_settings *settings)
{
    if (observer && observer->queried) {
        observer->queried(observer->data, login, settings);
    }
}

static void query(const as_attempt *attempt, const char *password, const char *known_dn, as_reply *reply)
{
    const as_query question = {.settings = attempt->settings,
                               .user = attempt->key.user,
                               .password = password,
                               .initial_bind = attempt->params->initial_bind,
                               .known_dn = known_dn,
                               .membership = attempt->params->membership,
                               .deadline = attempt->deadline,
                               .admitter = as_admission_get_admitter(attempt->admission),
                               .entered = attempt->entered};

    as_timing_note_query(&attempt->admission->memo->timing, attempt->params->directory, known_dn != NULL);
    as_admission_begin_query(attempt->admission);
    as_directory_query(attempt->login->directories, &question, attempt->pool, reply);
    as_admission_end_query(attempt->admission, reply);
    report_query(attempt->login, attempt->observer, attempt->settings);
}

static void query_known(const void *data, const char *password, const char *known_dn, as_reply *reply)
{
    query(data, password, known_dn, reply);
}

static void query_directory(const as_attempt *attempt)
{
    const as_known known = {.cache = attempt->login->cache,
                            .params = attempt->params,
                            .key = &attempt->key,
                            .pool = attempt->pool,
                            .data = attempt,
                            .query = query_known};
    as_reply reply;

    as_known_query(&known, &reply);
    if (!attempt->admission->refused) {
        fill_from_reply(attempt->answer, &reply);
    } else if (as_admission_has_sent(attempt->admission)) {
        /* It must not be sent again, to another server or on another session. */
        set_finding(attempt, AS_OUTCOME_DIRECTORY_TIMEOUT, 0);
    } else {
        set_finding(attempt, AS_OUTCOME_THROTTLED, attempt->admission->wait);
    }
}

/* ---- the cache ---- */

static void fill_from_cache(const as_attempt *attempt, const as_cached_answer *cached, bool coalesced)
{
    as_answer *answer = attempt->answer;

    answer->finding = cached->finding;
    answer->dn = cached->dn;
    answer->values = cached->value_count == attempt->settings->attribute_count ? cached->values : NULL;
    answer->server = NULL;
    answer->reason = coalesced ? "coalesced with an identical request" : "";
    answer->cached = !coalesced;
    answer->acceptance = cached->acceptance;
    answer->wait = cached->retry_after;
}

typedef bool as_cache_getter(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                             as_cached_answer *answer);

static bool get_cached(const as_attempt *attempt, as_cache_getter *from_memory)
{
    as_cached_answer cached;

    if (!from_memory(attempt->login->cache, &attempt->key, apr_time_now(), attempt->pool, &cached)) {
        return false;
    }
    fill_from_cache(attempt, &cached, false);
    return true;
}

/* Returns whether the answer is cached. A transaction counts a hit once. */
static bool is_cached(const as_attempt *attempt, const as_login_memo *memo)
{
    return (memo->hit && !strcmp(memo->hit->fingerprint, attempt->key.directory) &&
            get_cached(attempt, as_cache_get_again)) ||
           get_cached(attempt, as_cache_get);
}

static as_cached_answer convert_to_cached(void *data)
{
    const as_attempt *attempt = data;
    const as_answer *answer = attempt->answer;
    as_cached_answer cached = {.finding = answer->finding,
                               .dn = answer->dn ? answer->dn : "",
                               .values = answer->values,
                               .value_count = answer->values ? attempt->settings->attribute_count : 0,
                               .retry_after = answer->wait};

    return cached;
}

/* Answers as a directory answers a bind name that is no DN (RFC 4511 4.2.2), without a query. */
static void refuse_name(const as_attempt *attempt, const char *reason)
{
    const as_reply reply = {.step = AS_STEP_USER_BIND,
                            .failure = AS_FAILURE_NONE,
                            .code = INVALID_DN_SYNTAX,
                            .typed_name = true,
                            .matched_dn = "",
                            .diagnostic = reason,
                            .reason = ""};

    fill_from_reply(attempt->answer, &reply);
}

/* Queries the directory, unless the client is throttled, or the account that this name leads to. Returns false if the
 * answer is the cache's after all. */
static bool query_unless_throttled(const as_attempt *attempt)
{
    const long wait = as_admission_get_wait(attempt->admission);

    if (wait > 0) {
        set_finding(attempt, AS_OUTCOME_THROTTLED, wait);
        return true;
    }
    if (attempt->params->initial_bind && as_bind_name_is_too_long(attempt->params->initial_bind)) {
        refuse_name(attempt, "a DN of more than 64 parts; it was not sent");
        return true;
    }
    if (!as_admission_can_count(attempt->admission)) {
        refuse_name(attempt,
                    "no DN by RFC 4514, nor user@domain or DOMAIN\\user, so AuthStatusThrottle cannot count it; "
                    "it was not sent");
        return true;
    }
    query_directory(attempt);
    if (!attempt->admission->superseded) {
        return true;
    }
    /* What is known of the password now, or it is a guess like any other. */
    attempt->admission->superseded = false;
    return !get_cached(attempt, as_cache_get) && query_unless_throttled(attempt);
}

static bool get_again(void *data)
{
    const as_attempt *attempt = data;

    return !attempt->admission->cached_key && get_cached(attempt, as_cache_get_again);
}

static bool query_now(void *data)
{
    return query_unless_throttled(data);
}

static void take_coalesced(void *data, const as_cached_answer *cached)
{
    fill_from_cache(data, cached, true);
}

static void give_up(void *data)
{
    set_finding(data, AS_OUTCOME_DIRECTORY_TIMEOUT, 0);
}

static const as_coalesced_calls calls = {.get_again = get_again,
                                         .query = query_now,
                                         .to_cache = convert_to_cached,
                                         .from_cache = take_coalesced,
                                         .give_up = give_up};

/* Reports each change of the store once. */
static void report_store(const as_attempt *attempt)
{
    bool changed = false;
    const as_store_state state = as_cache_get_store_state(attempt->login->cache, &changed);

    if (changed && attempt->observer && attempt->observer->store_changed) {
        attempt->observer->store_changed(attempt->observer->data, state);
    }
}

/* Queries with a slot of AuthStatusInFlight, which every request needs that waits for the directory or for another
 * request's query. */
static void query_within_limit(as_attempt *attempt)
{
    const as_coalesced coalesced = {.calls = &calls,
                                    .cache = attempt->login->cache,
                                    .key = &attempt->key,
                                    .deadline = attempt->deadline,
                                    .pool = attempt->pool,
                                    .data = attempt};
    as_reply reply;

    attempt->entered =
        as_directories_enter(attempt->login->directories, attempt->settings, attempt->deadline, attempt->pool, &reply);
    if (!attempt->entered) {
        fill_from_reply(attempt->answer, &reply);
        return;
    }
    as_coalesce(&coalesced);
    as_directories_leave(attempt->entered);
}

/* ---- entry points ---- */

/* Returns the setting that the administrator should check first. */
static const char *find_subject(const as_directory_settings *settings, as_outcome outcome, apr_pool_t *pool)
{
    if (outcome == AS_OUTCOME_SERVICE_ACCOUNT_REFUSED) {
        return settings->bind_dn ? apr_pstrcat(pool, "bind DN ", settings->bind_dn, NULL) : "no bind DN";
    }
    if (outcome == AS_OUTCOME_DIRECTORY_MISCONFIGURED) {
        return *settings->base ? apr_pstrcat(pool, "base ", settings->base, NULL) : "an empty base";
    }
    return NULL;
}

/* Returns the directory part of the cache key. With AuthLDAPInitialBindAsUser the bind name is part of it: under
 * another name the directory may find another entry, or none. */
static const char *make_directory_key(const as_attempt *attempt)
{
    const char *initial_bind = attempt->params->initial_bind;

    return initial_bind && attempt->fingerprint
               ? apr_pstrcat(attempt->pool, attempt->fingerprint, " as ", initial_bind, NULL)
               : attempt->fingerprint;
}

static void report_answer(const as_login_observer *observer, const as_answer *answer)
{
    if (observer && observer->answered) {
        observer->answered(observer->data, answer);
    }
}

/* Confirms a cached password by a bind while failures of its account are counted: that ends the count here and in
 * the directory, which would otherwise lock the account. If the directory is unavailable the cached answer stays. */
static void confirm(as_attempt *attempt)
{
    const as_answer cached = *attempt->answer;
    const as_mono soon = as_mono_read() + CONFIRMED_WITHIN;
    as_class of;

    attempt->admission->cached_key = &attempt->key;
    attempt->deadline = attempt->deadline < soon ? attempt->deadline : soon;
    attempt->admission->deadline = attempt->deadline;
    query_within_limit(attempt);
    of = as_outcome_describe(attempt->answer->finding.outcome)->of;
    if (of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED || of == AS_CLASS_THROTTLED) {
        *attempt->answer = cached;
    } else if (of != AS_CLASS_GRANTED) {
        as_cache_remove_acceptance(attempt->login->cache, &attempt->key, apr_time_now(), attempt->pool);
    }
}

static void answer_attempt(as_attempt *attempt, as_login_memo *memo)
{
    const as_answer *answer = attempt->answer;

    if (!attempt->login->cache || !is_cached(attempt, memo)) {
        attempt->deadline = attempt->admission->deadline = as_deadline_get(memo, attempt->params->deadline);
        as_timing_enter(&memo->timing, attempt->login->timings, attempt->params->directory);
        query_within_limit(attempt);
        as_timing_leave(&memo->timing, attempt->login->timings);
        as_stale_replace(attempt->admission, &attempt->key, attempt->answer);
    } else if (as_outcome_describe(answer->finding.outcome)->of == AS_CLASS_GRANTED &&
               as_settle_is_counted(attempt->admission, answer->dn)) {
        attempt->deadline = as_deadline_get(memo, attempt->params->deadline);
        confirm(attempt);
    }
    as_timing_note_answer(&memo->timing, attempt->params->directory, &answer->finding);
    as_settle_note(attempt->admission, answer, answer->server != NULL);
}

const as_answer *as_authenticate(const as_login *login, as_login_memo *memo, const as_login_attempt *params,
                                 const as_login_observer *observer)
{
    as_attempt attempt = {.login = login,
                          .params = params,
                          .observer = observer,
                          .pool = memo->pool,
                          .settings = params->directory->settings};
    as_admission admission = {.login = login, .memo = memo, .params = params, .before = memo->counted};
    const as_queried *before;

    attempt.admission = &admission;
    /* The settings may belong to a subrequest's .htaccess; the answer outlives the subrequest. */
    attempt.fingerprint = apr_pstrdup(memo->pool, params->directory->fingerprint);
    attempt.key.scope = params->directory->scope;
    attempt.key.directory = make_directory_key(&attempt);
    attempt.key.user = params->user;
    attempt.key.password = params->password;
    before = as_queried_find(memo, &attempt.key);
    if (before) {
        return before->answer;
    }
    as_timing_begin(&memo->timing, params);
    as_cache_key_prepare(&attempt.key, memo->pool);
    attempt.answer = apr_pcalloc(memo->pool, sizeof(*attempt.answer));
    answer_attempt(&attempt, memo);
    if (login->cache) {
        report_store(&attempt);
    }
    attempt.answer->fingerprint = attempt.fingerprint;
    attempt.answer->subject = find_subject(attempt.settings, attempt.answer->finding.outcome, memo->pool);
    report_answer(observer, attempt.answer);
    as_queried_note(memo, &attempt.key, attempt.answer);
    return attempt.answer;
}

bool as_probe_directory(const as_login *login, as_login_memo *memo, const as_login_directory *directory,
                        apr_interval_time_t deadline, as_answer *answer)
{
    as_reply reply;

    as_directory_probe(login->directories, directory->settings, as_deadline_get(memo, deadline), memo->pool, &reply);
    fill_from_reply(answer, &reply);
    answer->fingerprint = directory->fingerprint;
    answer->subject = find_subject(directory->settings, answer->finding.outcome, memo->pool);
    return as_outcome_describe(answer->finding.outcome)->of == AS_CLASS_UNAVAILABLE;
}
