/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody may look on while a question is asked: each step is told when it has ended. Without an observer this costs a
 * comparison.
 */
#include "ldap_private.h"

#include <string.h>

#include <netdb.h>
#include <sys/socket.h>

#include <apr_strings.h>

void as_directories_trace(as_directories *all, as_tracer *observer, void *data)
{
    all->observer = observer;
    all->observer_data = data;
}

/* The address that a name stood for this time. */
static const char *peer_of(const as_session *session, apr_pool_t *pool)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char text[NI_MAXHOST];

    if (session->wire.fd < 0 || getpeername(session->wire.fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0) {
        return "";
    }
    return apr_pstrdup(pool, text);
}

static const char *tls_text(LDAP *ld, int option, apr_pool_t *pool)
{
    char *text = NULL;
    const char *copy = "";

    if (ldap_get_option(ld, option, &text) == LDAP_OPT_SUCCESS && text) {
        copy = apr_pstrdup(pool, text);
        ldap_memfree(text);
    }
    return copy;
}

static void look_at_tls(as_session *session, apr_pool_t *pool, as_trace_step *sight)
{
    struct berval der = {0, NULL};

#if defined(LDAP_OPT_X_TLS_VERSION) && defined(LDAP_OPT_X_TLS_CIPHER)
    sight->what = apr_pstrcat(pool, tls_text(session->ld, LDAP_OPT_X_TLS_VERSION, pool), ", ",
                              tls_text(session->ld, LDAP_OPT_X_TLS_CIPHER, pool), NULL);
#endif
    if (ldap_get_option(session->ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
        sight->certificate = apr_pmemdup(pool, der.bv_val, der.bv_len);
        sight->certificate_length = der.bv_len;
        ldap_memfree(der.bv_val);
    }
}

void as_trace(as_session *session, as_step step, const char *what, as_mono started, const as_reply *reply,
              apr_pool_t *pool)
{
    const as_directories *all = session->peer->directory->all;
    const as_ldap_server *address = session->peer->address;
    as_trace_step sight = {.step = step, .what = what ? what : "", .reply = reply};

    if (!all->observer || session->unobserved) {
        return;
    }
    sight.took = as_mono_now() - started;
    sight.server = apr_psprintf(pool, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host, address->port);
    if (step == AS_STEP_CONNECT) {
        sight.lookup = session->wire.looked_up > started ? session->wire.looked_up - started : 0;
        sight.what = peer_of(session, pool);
    } else if (step == AS_STEP_TLS && !reply) {
        look_at_tls(session, pool, &sight);
    }
    all->observer(all->observer_data, &sight);
}
