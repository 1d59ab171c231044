/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a session: connection, TLS, and the handle that libldap has of it.
 */
#include "ldap_private.h"

#include <errno.h>
#include <string.h>

#include <openldap.h>

#include <apr_strings.h>

/* An address where libldap can connect to nothing by itself. */
#define NOWHERE "ldapi://%2Fdev%2Fnull%2Fnowhere"

static bool set_options(LDAP *ld)
{
    const int version = LDAP_VERSION3, no_limit = LDAP_NO_LIMIT;
    const struct timeval never = {.tv_sec = -1};
    ber_len_t largest = AS_MAX_PDU;
    Sockbuf *buffer = NULL;

    return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_SIZELIMIT, &no_limit) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_TIMELIMIT, &no_limit) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &never) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_TIMEOUT, &never) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_URI, NOWHERE) == LDAP_OPT_SUCCESS &&
           ldap_get_option(ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS &&
           ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) == 1;
}

/* Gives the wire to libldap, which closes it from now on. The URL supplies the name for the certificate check. */
static bool attach(as_session *session)
{
    const as_ldap_server *address = session->peer->address;
    bool is_v6 = strchr(address->host, ':') != NULL;
    char url[512];
    Sockbuf *buffer = NULL;
    LDAP *ld = NULL;

    if (apr_snprintf(url, sizeof(url), "ldap://%s%s%s:%d", is_v6 ? "[" : "", address->host, is_v6 ? "]" : "",
                     address->port) >= (int)sizeof(url) - 1 ||
        ldap_init_fd(session->wire.fd, LDAP_PROTO_EXT, url, &ld) != LDAP_SUCCESS) {
        return false;
    }
    if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &buffer) != LDAP_OPT_SUCCESS ||
        ber_sockbuf_add_io(buffer, &as_wire_io, LBER_SBIOD_LEVEL_PROVIDER, &session->wire) != 0) {
        return false; /* no memory: a handle without a wire cannot be freed, as libldap would write to it */
    }
    session->ld = ld;
    return ber_sockbuf_add_io(buffer, &as_wire_guard, LBER_SBIOD_LEVEL_APPLICATION, &session->wire) == 0 &&
           set_options(ld);
}

/* Requests StartTLS (RFC 4511 4.14). Any refusal needs the administrator. */
static bool request_tls(as_session *session, apr_pool_t *pool, as_reply *reply)
{
    as_awaited awaited = {.type = LDAP_RES_EXTENDED, .step = AS_STEP_TLS, .started = as_mono_read()};
    int code = ldap_start_tls(session->ld, NULL, NULL, &awaited.id);

    if (code != LDAP_SUCCESS) {
        return as_session_fail_unsent(session, code, AS_STEP_TLS, pool, reply);
    }
    if (!as_session_finish(session, &awaited, pool, reply)) {
        return false;
    }
    if (reply->code == LDAP_SUCCESS) {
        return true;
    }
    if (as_reply_is_outage(reply)) {
        return false; /* busy, or shutting down: temporary */
    }
    as_reply_fail(reply, AS_STEP_TLS, AS_FAILURE_TLS,
                  apr_psprintf(pool, "the server refused StartTLS: %d (%s) %s", reply->code,
                               ldap_err2string(reply->code), reply->diagnostic));
    return false;
}

/* Reports a failed handshake. as_certificate_explain finds the reason for a refused certificate. */
static void report_tls_failure(as_session *session, bool began, const char *reason, apr_pool_t *pool, as_reply *reply)
{
    const char *trouble = as_wire_find_fault(&session->wire, pool);

    if (trouble) {
        as_reply_fail(reply, AS_STEP_TLS, session->wire.timed_out ? AS_FAILURE_TIMEOUT : AS_FAILURE_DOWN,
                      apr_pstrcat(pool, trouble, " (TLS handshake)", NULL));
        return;
    }
    session->refused = began && session->peer->directory->settings->verify_certificate;
    as_reply_fail(reply, AS_STEP_TLS, AS_FAILURE_TLS, reason ? reason : AS_CERTIFICATE_REFUSED);
}

static bool start_tls(as_session *session, apr_pool_t *pool, as_reply *reply)
{
    const as_directory_settings *settings = session->peer->directory->settings;
    const char *reason;
    bool began;

    if (settings->security == AS_SECURITY_STARTTLS && !request_tls(session, pool, reply)) {
        return false;
    }
    if (as_tls_start(session->peer->directory->tls, session->ld, settings, pool, &began, &reason)) {
        session->answers = 0;
        as_limiter_note_answer(&session->peer->directory->all->limiter, session->peer->directory->share);
        return true;
    }
    report_tls_failure(session, began, reason, pool, reply);
    return false;
}

static bool begin_security(as_session *session, apr_pool_t *pool, as_reply *reply)
{
    bool secured;

    if (session->peer->directory->settings->security == AS_SECURITY_NONE) {
        return true;
    }
    session->secured = as_mono_read();
    secured = start_tls(session, pool, reply);
    if (!session->refused) {
        as_trace(session, AS_STEP_TLS, NULL, session->secured, secured ? NULL : reply, pool);
    }
    return secured;
}

static bool is_out_of_descriptors(const as_wire *wire)
{
    return wire->error == EMFILE || wire->error == ENFILE;
}

/* Connects, and again after an idle session has given up its descriptor. A lack of descriptors proves nothing about
 * the server. */
static bool connect_wire(as_session *session, apr_pool_t *pool, as_failure *failure, const char **reason)
{
    as_wire *wire = &session->wire;
    bool connected = as_wire_connect(wire, session->peer->address, pool, failure, reason);

    if (!connected && is_out_of_descriptors(wire) && as_idle_close_all(session->peer->directory->all)) {
        connected = as_wire_connect(wire, session->peer->address, pool, failure, reason);
    }
    if (!connected && is_out_of_descriptors(wire)) {
        *failure = AS_FAILURE_OVERLOAD;
    }
    return connected;
}

bool as_session_open(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    const as_directory_settings *settings = session->peer->directory->settings;
    as_failure failure = AS_FAILURE_LOCAL;
    const char *reason = NULL;

    session->bound = session->dead = session->on_trial = session->refused = false;
    session->answers = 0;
    session->opened = as_mono_read();
    as_session_set_deadline(session, deadline, settings->connect_timeout);
    if (!connect_wire(session, pool, &failure, &reason)) {
        as_reply_fail(reply, AS_STEP_CONNECT, failure, reason);
        as_trace(session, AS_STEP_CONNECT, NULL, session->opened, reply, pool);
        return false;
    }
    as_trace(session, AS_STEP_CONNECT, NULL, session->opened, NULL, pool);
    atomic_fetch_add_explicit(&session->peer->open, 1, memory_order_relaxed);
    atomic_fetch_add(&as_sessions_get(session->peer->directory)->open, 1);
    as_limiter_note_answer(&session->peer->directory->all->limiter, session->peer->directory->share);
    if (!attach(session)) {
        as_reply_fail(reply, AS_STEP_CONNECT, AS_FAILURE_LOCAL, "libldap could not take the connection");
    } else if (begin_security(session, pool, reply)) {
        return true;
    }
    as_session_close(session);
    return false;
}

as_session *as_session_create_aside(const as_directory *directory, const as_directory_settings *settings,
                                    const as_ldap_server *address, apr_pool_t *pool)
{
    as_directory *copy = apr_pcalloc(pool, sizeof(*copy));
    as_session *session = apr_pcalloc(pool, sizeof(*session));

    copy->all = directory->all;
    copy->tls = directory->tls;
    copy->share = directory->share;
    copy->settings = settings;
    session->peer = apr_pcalloc(pool, sizeof(*session->peer));
    session->peer->directory = copy;
    session->peer->address = address;
    session->wire.fd = -1;
    return session;
}
