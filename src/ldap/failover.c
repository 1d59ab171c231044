/* SPDX-License-Identifier: Apache-2.0
 *
 * A question within one deadline, over all servers of a directory, in the order given.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

/* The servers' answers so far, none of which was final. */
typedef struct as_attempts {
    as_reply reply; /* the one to be told */
    int count;
    const char *reasons; /* of all of them */
} as_attempts;

/* Another server is asked when this one does not answer or is too busy, or cannot be trusted; never because of what
 * it said of a user or a password, ours or another's. */
static bool moves_on(const as_task *task)
{
    return !task->elsewhere && (as_reply_is_outage(task->reply) || task->reply->failure == AS_FAILURE_TLS);
}

static const char *reason_of(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE ? ldap_err2string(reply->code) : reply->reason;
}

/* Of several failures an outage is told rather than bad TLS, as it passes; and of those the last. */
static void add_attempt(as_attempts *attempts, const as_reply *reply, apr_pool_t *pool)
{
    const char *reason = apr_pstrcat(pool, reply->server, ": ", reason_of(reply), NULL);

    if (attempts->count++ == 0) {
        attempts->reply = *reply;
        attempts->reasons = reason;
        return;
    }
    if (as_reply_is_outage(reply)) {
        attempts->reply = *reply;
    }
    attempts->reasons = apr_pstrcat(pool, attempts->reasons, "; ", reason, NULL);
}

static as_mono circuit_open_for(as_peer *peer)
{
    as_mono wait;

    apr_thread_mutex_lock(peer->mutex);
    wait = as_breaker_wait(&peer->breaker, as_mono_now());
    apr_thread_mutex_unlock(peer->mutex);
    return wait;
}

static as_pass enter(as_peer *peer)
{
    as_pass pass;

    apr_thread_mutex_lock(peer->mutex);
    pass = as_breaker_enter(&peer->breaker, as_mono_now());
    apr_thread_mutex_unlock(peer->mutex);
    return pass;
}

/* What tells nothing of the server (no memory, a filter that is none) changes nothing. */
static void leave(const as_task *task, as_pass pass)
{
    as_peer *peer = task->peer;
    bool answered = task->elsewhere || !as_reply_is_outage(task->reply);

    apr_thread_mutex_lock(peer->mutex);
    if (task->reply->failure == AS_FAILURE_LOCAL) {
        as_breaker_cancel(&peer->breaker, pass);
    } else {
        as_breaker_leave(&peer->breaker, as_mono_now(), pass, answered);
    }
    apr_thread_mutex_unlock(peer->mutex);
}

/* The deadline for the server `index`: a hung one leaves the same time to each of those behind it that may be asked. */
static as_mono share(const as_directory *directory, int index, as_mono deadline)
{
    as_mono now = as_mono_now();
    int left = 1, i;

    for (i = index + 1; i < directory->settings->server_count; i++) {
        left += circuit_open_for(&directory->peers[i]) == 0;
    }
    return deadline <= now ? deadline : now + (deadline - now) / left;
}

/* False: it was left alone. */
static bool ask_peer(as_work *work, as_task *task, int index, as_mono deadline)
{
    as_pass pass = enter(task->peer);

    if (pass == AS_PASS_NONE) {
        return false;
    }
    task->deadline = share(task->peer->directory, index, deadline);
    task->elsewhere = false;
    as_reply_clear(task->reply);
    atomic_fetch_add_explicit(&task->peer->questions, 1, memory_order_relaxed);
    work(task);
    leave(task, pass);
    task->reply->server = apr_pstrdup(task->pool, task->peer->name);
    return true;
}

static long seconds(as_mono wait)
{
    return (long)((wait + AS_MONO_SECOND - 1) / AS_MONO_SECOND);
}

static as_mono shortest_wait(const as_directory *directory)
{
    as_mono shortest = circuit_open_for(&directory->peers[0]);
    int i;

    for (i = 1; i < directory->settings->server_count; i++) {
        shortest = as_mono_min(shortest, circuit_open_for(&directory->peers[i]));
    }
    return shortest;
}

static void reply_circuit_open(as_reply *reply, as_mono wait)
{
    as_reply_clear(reply);
    as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_CIRCUIT_OPEN, "the circuit breaker of every server is open");
    reply->retry_after = wait > 0 ? seconds(wait) : 1;
}

static void over_servers(as_directory *directory, as_task task, as_work *work, as_mono deadline)
{
    as_attempts attempts = {.count = 0};
    as_reply *reply = task.reply;
    int i;

    task.settings = directory->settings;
    for (i = 0; i < directory->settings->server_count; i++) {
        task.peer = &directory->peers[i];
        if (attempts.count > 0 && deadline <= as_mono_now()) {
            break;
        }
        if (!ask_peer(work, &task, i, deadline)) {
            continue;
        }
        if (!moves_on(&task)) {
            return;
        }
        add_attempt(&attempts, reply, task.pool);
    }
    if (attempts.count == 0) {
        reply_circuit_open(reply, shortest_wait(directory));
        return;
    }
    *reply = attempts.reply;
    reply->reason = attempts.count > 1 ? attempts.reasons : reply->reason;
}

/* False, and the reply says why. Who would be left alone anyway is told so at once, however many wait for others. */
static bool enter_gate(as_directory *directory, as_mono deadline, as_reply *reply)
{
    as_mono wait = shortest_wait(directory);

    if (wait > 0) {
        reply_circuit_open(reply, wait);
    } else if (deadline <= as_mono_now()) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_TIMEOUT, "the deadline was over before a server was asked");
    } else if (!as_limiter_enter(&directory->all->gate, directory->share, deadline)) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_OVERLOAD,
                      "as many questions as AuthStatusInFlight allows are waiting for an answer");
    } else {
        return true;
    }
    return false;
}

static void ask_in_turn(as_directory *directory, const as_query *question, as_work *work, as_mono deadline,
                        apr_pool_t *pool, as_reply *reply)
{
    bool entered = question && question->entered;

    if (!entered && !enter_gate(directory, deadline, reply)) {
        return;
    }
    over_servers(directory, (as_task){.question = question, .pool = pool, .reply = reply}, work, deadline);
    if (reply->failure != AS_FAILURE_TIMEOUT) {
        /* A refused connection is no hanging one: nobody need be turned away because of it. */
        as_limiter_answered(&directory->all->gate, directory->share);
    }
    if (!entered) {
        as_limiter_leave(&directory->all->gate, directory->share);
    }
}

void as_failover_run(as_directory *entered, as_work *work, void *data, as_mono deadline, apr_pool_t *pool,
                     as_reply *reply)
{
    over_servers(entered, (as_task){.pool = pool, .reply = reply, .data = data}, work, deadline);
    if (reply->failure != AS_FAILURE_TIMEOUT) {
        as_limiter_answered(&entered->all->gate, entered->share);
    }
}

/* The directory of these settings, to be put back; NULL without memory, and the reply says so. What the directory
 * itself has, sections have in common: this one is with the settings of the one that asks. */
static as_directory *get(as_directories *all, const as_directory_settings *settings, apr_pool_t *pool, as_reply *reply)
{
    as_directory *shared = as_directory_get(all, settings), *directory = NULL;

    as_reply_clear(reply);
    if (shared) {
        directory = apr_pmemdup(pool, shared, sizeof(*directory));
        directory->settings = settings;
        directory->shared = shared;
    } else {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_LOCAL, "no memory");
    }
    return directory;
}

static void ask(as_directories *all, const as_directory_settings *settings, const as_query *question, as_work *work,
                as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    as_directory *entered = question ? question->entered : NULL;
    as_directory *directory = entered ? entered : get(all, settings, pool, reply);

    if (directory) {
        if (settings->security != AS_SECURITY_NONE) {
            as_tls_prepare(directory->tls, directory->shared->settings);
        }
        ask_in_turn(directory, question, work, deadline, pool, reply);
        if (!entered) {
            as_directory_put(directory->shared);
        }
    }
}

as_directory *as_directories_enter(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                                   apr_pool_t *pool, as_reply *reply)
{
    as_directory *directory = get(all, settings, pool, reply);

    if (directory && !enter_gate(directory, deadline, reply)) {
        as_directory_put(directory->shared);
        directory = NULL;
    }
    return directory;
}

void as_directories_leave(as_directory *entered)
{
    as_limiter_leave(&entered->all->gate, entered->share);
    as_directory_put(entered->shared);
}

void as_directory_query(as_directories *all, const as_query *question, apr_pool_t *pool, as_reply *reply)
{
    ask(all, question->settings, question, as_search_bind_query, question->deadline, pool, reply);
}

void as_directory_probe(as_directories *all, const as_directory_settings *settings, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply)
{
    ask(all, settings, NULL, as_search_bind_probe, deadline, pool, reply);
}
