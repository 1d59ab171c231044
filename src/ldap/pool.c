/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions kept between questions: for each server those that search, bound as the service account, and apart from
 * them those that verify passwords. So a failed login costs no connection, and a good one no bind to go back.
 *
 * apr_reslist holds its lock while it constructs, which must not mean while we connect: what it keeps are slots, and
 * whoever has one opens it. It would also make a thread wait that asks for more than its maximum, with no regard to a
 * deadline: it is never asked for more, those beyond get a session of their own.
 */
#include "ldap_private.h"

#include <stdlib.h>

static apr_status_t make_slot(void **slot, void *peer, apr_pool_t *pool)
{
    as_session *session = calloc(1, sizeof(*session));

    (void)pool;
    if (!session) {
        return APR_ENOMEM;
    }
    session->peer = peer;
    session->wire.fd = -1;
    *slot = session;
    return APR_SUCCESS;
}

static apr_status_t end_slot(void *slot, void *peer, apr_pool_t *pool)
{
    (void)peer;
    (void)pool;
    as_session_close(slot);
    free(slot);
    return APR_SUCCESS;
}

apr_status_t as_pool_create(as_peer *peer)
{
    apr_interval_time_t ttl = peer->directory->settings->session_ttl;
    int most = peer->directory->all->limits.sessions, i;
    apr_status_t status = APR_SUCCESS;

    for (i = 0; i < AS_KINDS && status == APR_SUCCESS; i++) {
        atomic_init(&peer->kept[i].lent, 0);
        status = apr_pool_create_unmanaged(&peer->kept[i].pool);
        if (status == APR_SUCCESS) {
            status = apr_reslist_create(&peer->kept[i].list, 0, 0, most > 0 ? most : 1, ttl > 0 ? ttl : 0, make_slot,
                                        end_slot, peer, peer->kept[i].pool);
        }
    }
    return status;
}

void as_pool_destroy(as_peer *peer)
{
    int i;

    for (i = 0; i < AS_KINDS; i++) {
        if (peer->kept[i].pool) {
            apr_pool_destroy(peer->kept[i].pool);
            peer->kept[i].pool = NULL;
        }
    }
}

/* A slot, open or not. */
static as_session *take(as_peer *peer, as_kind kind)
{
    int most = peer->directory->all->limits.sessions;
    void *slot = NULL;
    apr_status_t status;
    bool kept = atomic_fetch_add(&peer->kept[kind].lent, 1) < (most > 0 ? most : 1);

    if (kept) {
        status = apr_reslist_acquire(peer->kept[kind].list, &slot);
    } else {
        status = make_slot(&slot, peer, NULL);
    }
    if (status != APR_SUCCESS) {
        atomic_fetch_sub(&peer->kept[kind].lent, 1);
        return NULL;
    }
    ((as_session *)slot)->kind = kind;
    ((as_session *)slot)->kept = kept;
    return slot;
}

void as_pool_return(as_session *session)
{
    as_peer *peer = session->peer;
    as_kind kind = session->kind;
    bool again = session->ld && !session->dead && peer->directory->settings->session_ttl != 0;

    if (!session->kept) {
        end_slot(session, peer, NULL);
    } else if (again) {
        apr_reslist_release(peer->kept[kind].list, session);
    } else {
        /* An empty slot on top of the list would hide the open ones below. */
        apr_reslist_invalidate(peer->kept[kind].list, session);
    }
    atomic_fetch_sub(&peer->kept[kind].lent, 1);
}

static bool make_ready(as_session *session, bool fresh, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    session->reused = session->on_trial = !fresh && as_session_is_usable(session);
    if (!session->reused) {
        as_session_close(session);
        if (!as_session_open(session, deadline, pool, reply)) {
            return false;
        }
    }
    if (session->kind != AS_KIND_SEARCH || session->bound) {
        return true;
    }
    if (!as_session_bind_service(session, deadline, pool, reply)) {
        return false;
    }
    /* Refused: the administrator must act, and the next question starts anew. */
    session->dead = !session->bound;
    return session->bound;
}

as_session *as_pool_lend(as_peer *peer, as_kind kind, bool fresh, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    as_session *session = take(peer, kind);

    if (!session) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_LOCAL, "no memory");
        return NULL;
    }
    if (make_ready(session, fresh, deadline, pool, reply)) {
        return session;
    }
    as_pool_return(session);
    return NULL;
}

as_session *as_session_aside(const as_directory *directory, const as_directory_settings *settings,
                             const as_ldap_server *address, apr_pool_t *pool)
{
    as_directory *copy = apr_pcalloc(pool, sizeof(*copy));
    as_session *session = apr_pcalloc(pool, sizeof(*session));

    copy->all = directory->all;
    copy->tls = directory->tls;
    copy->settings = settings;
    session->peer = apr_pcalloc(pool, sizeof(*session->peer));
    session->peer->directory = copy;
    session->peer->address = address;
    session->wire.fd = -1;
    return session;
}
