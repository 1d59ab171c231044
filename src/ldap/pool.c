/* SPDX-License-Identifier: Apache-2.0
 *
 * Lends sessions: for each server some that search, bound as the service account, and others that verify passwords. So
 * a failed login costs no connection, and a good one no second service bind.
 */
#include "ldap_private.h"

#include <stdlib.h>

static as_session *make(as_peer *peer, as_kind kind)
{
    as_session *session = calloc(1, sizeof(*session));

    if (session) {
        session->peer = peer;
        session->kind = kind;
        session->wire.fd = -1;
    }
    return session;
}

/* Returns a session, open or not. */
static as_session *take(as_peer *peer, as_kind kind, bool fresh)
{
    as_session *session = as_idle_take(peer, kind, fresh);

    while (session && !as_session_is_usable(session)) {
        as_session_destroy(session);
        session = as_idle_take(peer, kind, fresh);
    }
    return session ? session : make(peer, kind);
}

void as_pool_return(as_session *session)
{
    as_directories *all = session->peer->directory->all;
    const bool is_swept = as_sessions_get(session->peer->directory)->longest > 0;

    if (!session->ld || session->dead || session->peer->directory->settings->session_ttl == 0) {
        as_session_destroy(session);
        return;
    }
    as_idle_keep(session);
    if (is_swept) {
        as_reaper_start(all);
    }
}

/* Opens and binds a session. An account whose circuit is open costs no connection. */
static bool make_ready(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    as_account *account = session->peer->directory->account;
    const bool binds = session->kind == AS_KIND_SEARCH && !session->bound;

    session->reused = session->on_trial = session->ld != NULL;
    if (binds && account && as_account_is_circuit_open(account, pool, reply)) {
        return false;
    }
    if (!session->reused && !as_session_open(session, deadline, pool, reply)) {
        as_certificate_explain(session, deadline, pool, reply);
        return false;
    }
    if (!binds) {
        return true;
    }
    /* A refusal needs the administrator, and the next query starts anew. */
    session->dead = !as_session_bind_service(session, deadline, pool, reply) || !session->bound;
    return !session->dead;
}

as_session *as_pool_lend(as_peer *peer, as_kind kind, bool fresh, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    as_session *session = take(peer, kind, fresh);

    if (!session) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_LOCAL, "no memory");
        return NULL;
    }
    if (make_ready(session, deadline, pool, reply)) {
        return session;
    }
    as_pool_return(session);
    return NULL;
}
