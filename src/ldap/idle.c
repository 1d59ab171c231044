/* SPDX-License-Identifier: Apache-2.0
 *
 * Idle sessions of a process: lists by server and by age, and the limit of all open ones, as descriptors are limited.
 * Opening a connection at the limit closes the session that was idle for longest. No query waits for a session: each
 * querying thread may use one.
 */
#include "ldap_private.h"

#include <stdlib.h>

bool as_sessions_create(as_sessions *sessions, int most, as_mono longest)
{
    APR_RING_INIT(&sessions->idle, as_session, of_age);
    sessions->idle_count = 0;
    sessions->most = most;
    sessions->longest = longest;
    sessions->swept = 0;
    atomic_init(&sessions->open, 0);
    return pthread_mutex_init(&sessions->mutex, NULL) == 0;
}

void as_sessions_destroy(as_sessions *sessions)
{
    pthread_mutex_destroy(&sessions->mutex);
}

void as_idle_create(as_peer *peer)
{
    int i;

    for (i = 0; i < AS_KINDS; i++) {
        APR_RING_INIT(&peer->idle[i], as_session, of_peer);
    }
}

/* ---- under the lock ---- */

static void unlink_idle(as_sessions *sessions, as_session *session)
{
    APR_RING_REMOVE(session, of_peer);
    APR_RING_REMOVE(session, of_age);
    sessions->idle_count--;
}

static void link_idle(as_sessions *sessions, as_session *session)
{
    session->idle_since = as_mono_read();
    APR_RING_INSERT_HEAD(&session->peer->idle[session->kind], session, as_session, of_peer);
    APR_RING_INSERT_HEAD(&sessions->idle, session, as_session, of_age);
    sessions->idle_count++;
}

/* Moves a session to the list of sessions to close when the lock is released. Its directory may be destroyed by
 * then, so the session counts as closed here. */
static void condemn(as_sessions *sessions, as_session *session, as_session **condemned)
{
    unlink_idle(sessions, session);
    if (session->ld || session->wire.fd >= 0) {
        atomic_fetch_sub_explicit(&session->peer->open, 1, memory_order_relaxed);
        atomic_fetch_sub(&sessions->open, 1);
    }
    session->condemned = true;
    session->next_condemned = *condemned;
    *condemned = session;
}

static bool is_expired(const as_sessions *sessions, const as_session *session, as_mono now)
{
    const apr_interval_time_t ttl = session->peer->directory->settings->session_ttl;
    const as_mono idle = now - session->idle_since;

    return (ttl > 0 && idle > ttl) || (sessions->longest > 0 && idle > sessions->longest);
}

static void condemn_expired(as_sessions *sessions, as_session **condemned)
{
    const as_mono now = as_mono_read();
    as_session *session, *next;

    if (now - sessions->swept < AS_MONO_SECOND) {
        return;
    }
    sessions->swept = now;
    for (session = APR_RING_FIRST(&sessions->idle); session != APR_RING_SENTINEL(&sessions->idle, as_session, of_age);
         session = next) {
        next = APR_RING_NEXT(session, of_age);
        if (is_expired(sessions, session, now)) {
            condemn(sessions, session, condemned);
        }
    }
}

/* Closes sessions until `more` can be opened within the limit. */
static void condemn_oldest(as_sessions *sessions, int more, as_session **condemned)
{
    int excess = atomic_load(&sessions->open) + more - sessions->most;

    for (; excess > 0 && !APR_RING_EMPTY(&sessions->idle, as_session, of_age); excess--) {
        condemn(sessions, APR_RING_LAST(&sessions->idle), condemned);
    }
}

/* ---- without the lock ---- */

void as_session_destroy(as_session *session)
{
    as_session_close(session);
#ifndef __clang_analyzer__ /* the analyzer does not understand rings, and treats unlinked elements as linked */
    free(session);
#endif
}

static bool close_condemned(as_session *condemned)
{
    const bool any = condemned != NULL;

    while (condemned) {
        as_session *session = condemned;

        condemned = session->next_condemned;
        as_session_destroy(session);
    }
    return any;
}

static bool close_all_idle(as_sessions *sessions)
{
    as_session *condemned = NULL;

    pthread_mutex_lock(&sessions->mutex);
    while (!APR_RING_EMPTY(&sessions->idle, as_session, of_age)) {
        condemn(sessions, APR_RING_LAST(&sessions->idle), &condemned);
    }
    pthread_mutex_unlock(&sessions->mutex);
    return close_condemned(condemned);
}

bool as_idle_close_all(as_directories *all)
{
    bool of_htaccess = close_all_idle(&all->sessions[true]);

    return close_all_idle(&all->sessions[false]) || of_htaccess;
}

static void sweep(as_sessions *sessions)
{
    as_session *condemned = NULL;

    pthread_mutex_lock(&sessions->mutex);
    condemn_expired(sessions, &condemned);
    pthread_mutex_unlock(&sessions->mutex);
    close_condemned(condemned);
}

void as_idle_sweep(as_directories *all)
{
    sweep(&all->sessions[false]);
    sweep(&all->sessions[true]);
}

void as_idle_destroy(as_peer *peer)
{
    as_sessions *sessions = as_sessions_get(peer->directory);
    as_session *condemned = NULL;
    int i;

    pthread_mutex_lock(&sessions->mutex);
    for (i = 0; i < AS_KINDS; i++) {
        while (!APR_RING_EMPTY(&peer->idle[i], as_session, of_peer)) {
            condemn(sessions, APR_RING_FIRST(&peer->idle[i]), &condemned);
        }
    }
    pthread_mutex_unlock(&sessions->mutex);
    close_condemned(condemned);
}

as_session *as_idle_take(as_peer *peer, as_kind kind, bool fresh)
{
    as_sessions *sessions = as_sessions_get(peer->directory);
    as_session *condemned = NULL, *session = NULL;

    pthread_mutex_lock(&sessions->mutex);
    condemn_expired(sessions, &condemned);
    if (!fresh && !APR_RING_EMPTY(&peer->idle[kind], as_session, of_peer)) {
        session = APR_RING_FIRST(&peer->idle[kind]);
        unlink_idle(sessions, session);
    } else {
        condemn_oldest(sessions, 1, &condemned);
    }
    pthread_mutex_unlock(&sessions->mutex);
    close_condemned(condemned);
    return session;
}

void as_idle_keep(as_session *session)
{
    as_sessions *sessions = as_sessions_get(session->peer->directory);
    as_session *condemned = NULL;

    pthread_mutex_lock(&sessions->mutex);
    link_idle(sessions, session);
    condemn_oldest(sessions, 0, &condemned);
    condemn_expired(sessions, &condemned);
    pthread_mutex_unlock(&sessions->mutex);
    close_condemned(condemned);
}
