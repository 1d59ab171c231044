/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a query within one deadline, over all servers of a directory, in the order given.
 */
#include "ldap_private.h"

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

/* The servers' replies so far, none of which was final. */
typedef struct as_attempts {
    as_reply reply; /* the one to return */
    int count;
    const char *reasons; /* of all of them */
    bool *made;          /* for each server */
} as_attempts;

/* Returns whether to query the next server: this one does not answer, is too busy, or cannot be trusted; never
 * because of its answer about a user or a password, that of the service account included. */
static bool must_try_next(const as_task *task)
{
    return !task->elsewhere && (as_reply_is_outage(task->reply) || task->reply->failure == AS_FAILURE_TLS);
}

static const char *get_reason(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE ? ldap_err2string(reply->code) : reply->reason;
}

/* Adds a failure. Of several failures an outage is returned rather than a TLS failure, as an outage passes; of
 * several outages the last. */
static void add_attempt(as_attempts *attempts, const as_reply *reply, apr_pool_t *pool)
{
    const char *reason = apr_pstrcat(pool, reply->server, ": ", get_reason(reply), NULL);

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

static as_mono get_open_time(as_peer *peer)
{
    as_mono wait;

    apr_thread_mutex_lock(peer->mutex);
    wait = as_breaker_get_wait(&peer->breaker, as_mono_read());
    apr_thread_mutex_unlock(peer->mutex);
    return wait;
}

static as_breaker_pass enter(as_peer *peer)
{
    as_breaker_pass pass;

    apr_thread_mutex_lock(peer->mutex);
    pass = as_breaker_enter(&peer->breaker, as_mono_read());
    apr_thread_mutex_unlock(peer->mutex);
    return pass;
}

/* Returns whether a reply shows something about the server: a lack of memory or descriptors, an invalid filter, an
 * earlier refusal of the service account, or an outage behind a name that the user chose does not. */
static bool is_of_server(const as_reply *reply)
{
    return !(reply->foreign_name && as_reply_is_outage(reply)) && reply->failure != AS_FAILURE_LOCAL &&
           reply->failure != AS_FAILURE_OVERLOAD && !reply->repeated;
}

/* Reports the result to the breaker. */
static void leave(const as_task *task, as_breaker_pass pass)
{
    as_peer *peer = task->peer;
    bool answered = task->elsewhere || !as_reply_is_outage(task->reply);

    apr_thread_mutex_lock(peer->mutex);
    if (is_of_server(task->reply)) {
        as_breaker_leave(&peer->breaker, as_mono_read(), pass, answered);
    } else {
        as_breaker_cancel(&peer->breaker, pass);
    }
    apr_thread_mutex_unlock(peer->mutex);
}

/* Returns the deadline for the server `index`: a hung server leaves an equal share of the time to each later server
 * whose circuit is closed and that was not queried. */
static as_mono share_time(const as_directory *directory, int index, const bool *made, as_mono deadline)
{
    as_mono now = as_mono_read();
    int left = 1, i;

    for (i = index + 1; i < directory->settings->server_count; i++) {
        left += !made[i] && get_open_time(&directory->peers[i]) == 0;
    }
    return deadline <= now ? deadline : now + (deadline - now) / left;
}

/* Queries one server. Returns false if its circuit is open. */
static bool query_peer(as_work *work, as_task *task, int index, const bool *made, as_mono deadline)
{
    as_breaker_pass pass = enter(task->peer);

    if (pass == AS_BREAKER_NONE) {
        return false;
    }
    task->deadline = share_time(task->peer->directory, index, made, deadline);
    task->elsewhere = false;
    as_reply_clear(task->reply);
    atomic_fetch_add_explicit(&task->peer->queries, 1, memory_order_relaxed);
    work(task);
    leave(task, pass);
    task->reply->server = apr_pstrdup(task->pool, task->peer->name);
    task->reply->server_index = index;
    return true;
}

static long round_up_to_seconds(as_mono wait)
{
    return (long)((wait + AS_MONO_SECOND - 1) / AS_MONO_SECOND);
}

static as_mono find_shortest_wait(const as_directory *directory)
{
    as_mono shortest = get_open_time(&directory->peers[0]);
    int i;

    for (i = 1; i < directory->settings->server_count; i++) {
        shortest = as_mono_choose_earlier(shortest, get_open_time(&directory->peers[i]));
    }
    return shortest;
}

static void refuse_circuit_open(as_reply *reply, as_mono wait)
{
    as_reply_clear(reply);
    as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_CIRCUIT_OPEN, "the circuit breaker of every server is open");
    reply->retry_after = wait > 0 ? round_up_to_seconds(wait) : 1;
}

/* Queries the server `index` unless it was queried. Returns true if its reply is final. */
static bool try_server(as_work *work, as_task *task, as_directory *directory, int index, as_mono deadline,
                       as_attempts *attempts)
{
    task->peer = &directory->peers[index];
    task->server = index;
    if (attempts->made[index] || (attempts->count > 0 && deadline <= as_mono_read()) ||
        !query_peer(work, task, index, attempts->made, deadline)) {
        return false;
    }
    attempts->made[index] = true;
    if (!must_try_next(task)) {
        return true;
    }
    add_attempt(attempts, task->reply, task->pool);
    return false;
}

/* A server whose circuit was open is tried again when all others have failed: it may be closed by then. */
static void query_servers(as_directory *directory, as_task task, as_work *work, as_mono deadline)
{
    const int servers = directory->settings->server_count;
    as_attempts attempts = {.count = 0, .made = apr_pcalloc(task.pool, (apr_size_t)servers * sizeof(bool))};
    as_reply *reply = task.reply;
    int i;

    task.settings = directory->settings;
    for (i = 0; i < 2 * servers && (i < servers || attempts.count > 0); i++) {
        if (try_server(work, &task, directory, i % servers, deadline, &attempts)) {
            return;
        }
    }
    if (attempts.count == 0) {
        refuse_circuit_open(reply, find_shortest_wait(directory));
        return;
    }
    *reply = attempts.reply;
    reply->reason = attempts.count > 1 ? attempts.reasons : reply->reason;
}

/* Takes a slot of the limiter. Returns false with the reason in the reply. An open circuit is reported at once,
 * however many requests wait. */
static bool enter_limiter(as_directory *directory, as_mono deadline, as_reply *reply)
{
    as_mono wait = find_shortest_wait(directory);

    if (wait > 0) {
        refuse_circuit_open(reply, wait);
    } else if (deadline <= as_mono_read()) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_TIMEOUT, "the deadline passed before a server was queried");
    } else if (!as_limiter_enter(&directory->all->limiter, directory->share, deadline)) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_OVERLOAD,
                      "as many queries as AuthStatusInFlight allows are waiting for an answer");
    } else {
        return true;
    }
    return false;
}

static void run_limited(as_directory *directory, const as_task *task, as_work *work, as_mono deadline)
{
    const bool entered = task->query && task->query->entered;

    if (!entered && !enter_limiter(directory, deadline, task->reply)) {
        return;
    }
    query_servers(directory, *task, work, deadline);
    if (task->reply->failure != AS_FAILURE_TIMEOUT) {
        /* A refused connection is an answer too: the server does not hang. */
        as_limiter_note_answer(&directory->all->limiter, directory->share);
    }
    if (!entered) {
        as_limiter_leave(&directory->all->limiter, directory->share);
    }
}

void as_failover_run(as_directory *entered, as_work *work, void *data, as_mono deadline, apr_pool_t *pool,
                     as_reply *reply)
{
    query_servers(entered, (as_task){.pool = pool, .reply = reply, .data = data}, work, deadline);
    if (reply->failure != AS_FAILURE_TIMEOUT) {
        as_limiter_note_answer(&entered->all->limiter, entered->share);
    }
}

/* Returns the directory of these settings, to be put back; NULL without memory, with the reason in the reply.
 * Sections share the directory; the copy has the settings of the caller's section. */
static as_directory *get_directory(as_directories *all, const as_directory_settings *settings, apr_pool_t *pool,
                                   as_reply *reply)
{
    as_directory *shared = as_directory_get(all, settings), *directory = NULL;

    as_reply_clear(reply);
    if (shared) {
        /* Other threads write what follows, under the lock of the registry. */
        directory = apr_pcalloc(pool, sizeof(*directory));
        memcpy(directory, shared, offsetof(as_directory, users));
        directory->settings = settings;
        directory->shared = shared;
    } else {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_LOCAL, "no memory");
    }
    return directory;
}

static void run(as_directories *all, const as_directory_settings *settings, const as_task *task, as_work *work,
                as_mono deadline)
{
    as_directory *entered = task->query ? task->query->entered : NULL;
    as_directory *directory = entered ? entered : get_directory(all, settings, task->pool, task->reply);

    if (directory) {
        if (settings->security != AS_SECURITY_NONE) {
            as_tls_prepare(directory->tls, directory->shared->settings);
        }
        run_limited(directory, task, work, deadline);
        if (!entered) {
            as_directory_put(directory->shared);
        }
    }
}

as_directory *as_directories_enter(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                                   apr_pool_t *pool, as_reply *reply)
{
    as_directory *directory = get_directory(all, settings, pool, reply);

    if (directory && !enter_limiter(directory, deadline, reply)) {
        as_directory_put(directory->shared);
        directory = NULL;
    }
    return directory;
}

void as_directories_leave(as_directory *entered)
{
    as_limiter_leave(&entered->all->limiter, entered->share);
    as_directory_put(entered->shared);
}

void as_directory_query(as_directories *all, const as_query *query, apr_pool_t *pool, as_reply *reply)
{
    const as_task task = {.query = query, .pool = pool, .reply = reply};

    run(all, query->settings, &task, as_search_bind_query, query->deadline);
}

void as_directory_probe(as_directories *all, const as_directory_settings *settings, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply)
{
    const as_task task = {.pool = pool, .reply = reply};

    run(all, settings, &task, as_search_bind_probe, deadline);
}
