/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports each step of a query to an observer when it has ended. Without an observer this costs a comparison.
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

/* Returns the address used for a host name. */
static const char *format_peer(const as_session *session, apr_pool_t *pool)
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

static const char *get_tls_text(LDAP *ld, int option, apr_pool_t *pool)
{
    char *text = NULL;
    const char *copy = "";

    if (ldap_get_option(ld, option, &text) == LDAP_OPT_SUCCESS && text) {
        copy = apr_pstrdup(pool, text);
        ldap_memfree(text);
    }
    return copy;
}

static void add_tls(as_session *session, apr_pool_t *pool, as_trace_step *trace)
{
    struct berval der = {0, NULL};

#if defined(LDAP_OPT_X_TLS_VERSION) && defined(LDAP_OPT_X_TLS_CIPHER)
    trace->what = apr_pstrcat(pool, get_tls_text(session->ld, LDAP_OPT_X_TLS_VERSION, pool), ", ",
                              get_tls_text(session->ld, LDAP_OPT_X_TLS_CIPHER, pool), NULL);
#endif
    if (ldap_get_option(session->ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
        trace->certificate = apr_pmemdup(pool, der.bv_val, der.bv_len);
        trace->certificate_length = der.bv_len;
        ldap_memfree(der.bv_val);
    }
}

void as_trace(as_session *session, as_step step, const char *what, as_mono started, const as_reply *reply,
              apr_pool_t *pool)
{
    const as_directories *all = session->peer->directory->all;
    const as_ldap_server *address = session->peer->address;
    as_trace_step trace = {.step = step, .what = what ? what : "", .reply = reply};

    if (!all->observer || session->unobserved) {
        return;
    }
    trace.took = as_mono_read() - started;
    trace.server = apr_psprintf(pool, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host, address->port);
    if (step == AS_STEP_CONNECT) {
        trace.lookup = session->wire.looked_up > started ? session->wire.looked_up - started : 0;
        trace.what = format_peer(session, pool);
    } else if (step == AS_STEP_TLS && !reply) {
        add_tls(session, pool, &trace);
    }
    all->observer(all->observer_data, &trace);
}
