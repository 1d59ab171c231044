/* SPDX-License-Identifier: Apache-2.0
 *
 * One LDAP session: LDAPv3, simple binds, one operation at a time, each under a deadline.
 *
 * We make the connection ourselves and hand libldap a wire that obeys the deadline (wire.c). That leaves one way out
 * of it: libldap opens a new, unbound connection by itself when it finds the old one closed. A session is therefore
 * never used again after anything but an answer, and the URL that libldap would go to leads nowhere.
 */
#include "ldap_private.h"

#include <string.h>
#include <unistd.h>

#include <openldap.h>

#include <apr_strings.h>

#include "authstatus/ppolicy.h"

/* Returns the end of the trial: the time that a kept session gets until its first answer. A quarter of the time
 * left; more where the server is slow, but never so much that nothing is left for a fresh connection. */
static as_mono find_end_of_trial(const as_session *session, as_mono deadline)
{
    as_mono now = as_mono_read(), left = deadline - now;
    as_mono usual = 8 * atomic_load_explicit(&session->peer->latency, memory_order_relaxed);

    return now + as_mono_choose_earlier(left / 2, usual > left / 4 ? usual : left / 4);
}

/* Sets the deadline of one operation, for which the bounds on its answer begin anew. */
void as_session_set_deadline(as_session *session, as_mono deadline, apr_interval_time_t longest)
{
    if (session->on_trial) {
        deadline = find_end_of_trial(session, deadline);
    }
    session->wire.deadline = longest > 0 ? as_mono_choose_earlier(deadline, as_mono_read() + longest) : deadline;
    session->wire.incoming.octets = session->wire.incoming.messages = 0;
}

static void note_answer(as_session *session, as_mono started)
{
    as_peer *peer = session->peer;
    int64_t took = as_mono_read() - started;
    int64_t average = atomic_load_explicit(&peer->latency, memory_order_relaxed);

    session->answers++;
    session->on_trial = false;
    as_limiter_note_answer(&peer->directory->all->limiter, peer->directory->share);
    atomic_store_explicit(&peer->latency, average ? average + (took - average) / 8 : took, memory_order_relaxed);
}

/* Returns libldap's error about data in which the wire saw nothing wrong. */
static const char *describe_error(int code, apr_pool_t *pool)
{
    if (code > LDAP_SUCCESS) {
        /* the code of a Notice of Disconnection (RFC 4511 4.4.1) */
        return apr_pstrcat(pool, "the server ended the session: ", ldap_err2string(code), NULL);
    }
    return code == LDAP_NO_MEMORY ? "no memory" : "an answer that is not LDAP";
}

/* TLS 1.3: a server that requires a client certificate reports it only after the client's side of the handshake is
 * done, and may be gone before the report can be read. */
static bool is_just_secured(const as_session *session)
{
    return session->answers == 0 && ldap_tls_inplace(session->ld);
}

static const char *add_hint(const char *trouble, apr_pool_t *pool)
{
    return apr_pstrcat(pool, trouble, " (right after the handshake: it may want a client certificate)", NULL);
}

/* Refuses an answer about one entry, which the entry's own writer may have caused: it is no outage. Nothing after it
 * can be read. */
static bool refuse_entry(as_session *session, as_step step, const char *reason, as_reply *reply)
{
    const bool is_of_entry = step == AS_STEP_SEARCH || step == AS_STEP_USER_BIND;

    session->dead = true;
    as_reply_fail(reply, step, is_of_entry ? AS_FAILURE_ANSWER : AS_FAILURE_DOWN, reason);
    return false;
}

static bool refuse_answer(as_session *session, as_step step, const char *reason, as_reply *reply)
{
    session->dead = true;
    as_reply_fail(reply, step, AS_FAILURE_DOWN, reason);
    return false;
}

/* Ends a session without an answer. The wire knows whether the peer or the clock ended it, else the library does. */
static bool fail_lost(as_session *session, as_step step, apr_pool_t *pool, as_reply *reply)
{
    const char *trouble = as_wire_find_fault(&session->wire, pool);
    int code = LDAP_OTHER;

    if (session->wire.incoming.too_large) {
        return refuse_entry(session, step,
                            session->wire.incoming.octets > AS_MAX_ANSWER
                                ? "messages of more than the " AS_TEXT_OF(AS_MAX_ANSWER) " octets that are taken"
                                : "an answer of more than the " AS_TEXT_OF(AS_MAX_PDU) " octets that are taken",
                            reply);
    }
    session->dead = true;
    ldap_get_option(session->ld, LDAP_OPT_RESULT_CODE, &code);
    if (session->wire.timed_out) {
        as_reply_fail(reply, step, AS_FAILURE_TIMEOUT, trouble);
    } else if (trouble) {
        as_reply_fail(reply, step, AS_FAILURE_DOWN, is_just_secured(session) ? add_hint(trouble, pool) : trouble);
    } else if (is_just_secured(session) && code == LDAP_SERVER_DOWN) {
        as_reply_fail(reply, AS_STEP_TLS, AS_FAILURE_TLS, add_hint("the server ended TLS", pool));
    } else {
        as_reply_fail(reply, step, code == LDAP_NO_MEMORY ? AS_FAILURE_LOCAL : AS_FAILURE_DOWN,
                      describe_error(code, pool));
    }
    return false;
}

/* Reports a request that could not be sent. Arguments that libldap refuses leave the session unchanged. */
bool as_session_fail_unsent(as_session *session, int code, as_step step, apr_pool_t *pool, as_reply *reply)
{
    if (code != LDAP_FILTER_ERROR && code != LDAP_PARAM_ERROR && code != LDAP_ENCODING_ERROR) {
        return fail_lost(session, step, pool, reply);
    }
    as_reply_fail(reply, step, AS_FAILURE_LOCAL, ldap_err2string(code));
    return false;
}

/* Returns whether data is waiting that libldap has not read yet, here or in the TLS library. */
static bool is_ready(const as_session *session)
{
    Sockbuf *buffer = NULL;

    return ldap_get_option(session->ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS &&
           ber_sockbuf_ctrl(buffer, LBER_SB_OPT_DATA_READY, NULL) == 1;
}

/* Returns the next message for `id` that is not an intermediate one, or NULL. `queued`: libldap may have read it
 * already, with an earlier one; else waits for it, on a monotonic clock, and libldap finds it without a wait of its
 * own. */
static LDAPMessage *read_next(as_session *session, int id, bool queued)
{
    const unsigned before = session->wire.incoming.messages;
    struct timeval at_once = {0, 0};

    for (;;) {
        LDAPMessage *message = NULL;
        int type;

        if (session->wire.deadline <= as_mono_read()) {
            session->wire.timed_out = true;
            return NULL;
        }
        if (!queued && !is_ready(session) && !as_wire_read_ahead(&session->wire)) {
            return NULL;
        }
        type = ldap_result(session->ld, id, LDAP_MSG_ONE, &at_once, &message);
        if (type < 0) {
            return NULL;
        }
        if (type > 0 && type != LDAP_RES_INTERMEDIATE) {
            return message;
        }
        ldap_msgfree(message);
        if (session->wire.incoming.messages - before > AS_MAX_MESSAGES) {
            session->wire.incoming.refused =
                "more than the " AS_TEXT_OF(AS_MAX_MESSAGES) " messages that are taken, and no answer";
            return NULL;
        }
        queued = type > 0;
    }
}

static bool take_result(as_session *session, LDAPMessage *message, as_step step, apr_array_header_t *referrals,
                        apr_pool_t *pool, as_reply *reply)
{
    const char *reason = NULL;

    if (!as_response_read_result(session->ld, message, referrals, pool, reply, &reason)) {
        return refuse_answer(session, step, reason, reply);
    }
    reply->step = step;
    reply->reason = "";
    return true;
}

bool as_session_finish(as_session *session, const as_awaited *awaited, apr_pool_t *pool, as_reply *reply)
{
    LDAPMessage *message = read_next(session, awaited->id, awaited->queued);

    if (!message) {
        return fail_lost(session, awaited->step, pool, reply);
    }
    if (ldap_msgtype(message) != awaited->type) {
        ldap_msgfree(message);
        return refuse_answer(session, awaited->step, "an answer to another request", reply);
    }
    note_answer(session, awaited->started);
    return take_result(session, message, awaited->step, NULL, pool, reply);
}

typedef struct as_bind {
    const char *dn, *password;
    LDAPControl **controls;
    as_step step;
} as_bind;

static bool bind_as(as_session *session, const as_bind *bind, apr_pool_t *pool, as_reply *reply)
{
    struct berval secret = {strlen(bind->password), (char *)(intptr_t)bind->password};
    as_awaited awaited = {.type = LDAP_RES_BIND, .step = bind->step, .started = as_mono_read()};
    int code = ldap_sasl_bind(session->ld, bind->dn, LDAP_SASL_SIMPLE, &secret, bind->controls, NULL, &awaited.id);
    bool answered = code == LDAP_SUCCESS ? as_session_finish(session, &awaited, pool, reply)
                                         : as_session_fail_unsent(session, code, bind->step, pool, reply);

    as_trace(session, bind->step, bind->dn, awaited.started, reply, pool);
    return answered;
}

/* Appends the state of the account to the message of a refusal, so that log and repeated refusals have it: OpenLDAP
 * reports a lock by its control alone. */
static void append_account_state(as_reply *reply, apr_pool_t *pool)
{
    const as_ppolicy policy = as_ppolicy_read(reply->controls, reply->control_count);
    const char *state = policy.contradictory ? NULL : as_ppolicy_describe_error(policy.error);

    if (reply->code != LDAP_SUCCESS && state) {
        reply->diagnostic = apr_pstrcat(pool, reply->diagnostic, *reply->diagnostic ? "; " : "", state, NULL);
        reply->diagnostic_length = strlen(reply->diagnostic);
    }
}

static bool bind_account(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    const as_directory_settings *settings = session->peer->directory->settings;
    as_account *account = session->peer->directory->account;
    LDAPControl policy = {.ldctl_oid = (char *)(intptr_t)AS_OID_PPOLICY, .ldctl_iscritical = 0};
    LDAPControl *controls[] = {&policy, NULL};
    void *guarded;
    bool answered;

    if (!as_account_begin_guarded(session, deadline, pool, reply, &guarded)) {
        return reply->failure == AS_FAILURE_NONE;
    }
    if (account && !as_account_enter(account, deadline, pool, reply)) {
        as_account_end_guarded(session, guarded, NULL, pool);
        return reply->failure == AS_FAILURE_NONE;
    }
    as_session_set_deadline(session, deadline, settings->operation_timeout);
    answered = bind_as(session,
                       &(as_bind){.dn = settings->bind_dn,
                                  .password = settings->bind_password ? settings->bind_password : "",
                                  .controls = controls,
                                  .step = AS_STEP_SERVICE_BIND},
                       pool, reply);
    if (answered) {
        append_account_state(reply, pool);
    }
    as_account_end_guarded(session, guarded, reply, pool);
    if (account) {
        as_account_leave(account, reply);
    }
    session->bound = answered && reply->code == LDAP_SUCCESS;
    return answered;
}

bool as_session_bind_service(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    const as_directory_settings *settings = session->peer->directory->settings;

    if (session->bound) {
        return true;
    }
    /* A new session is anonymous (RFC 4511 4.2): no bind is needed. */
    if (settings->bind_dn && *settings->bind_dn) {
        return bind_account(session, deadline, pool, reply);
    }
    session->bound = true;
    return true;
}

/* RFC 4513 5.1.2: a name without a password, or a password without a name, could succeed and prove nothing. */
bool as_session_bind_user(as_session *session, const char *dn, const char *password, as_mono deadline, apr_pool_t *pool,
                          as_reply *reply)
{
    LDAPControl policy = {.ldctl_oid = (char *)(intptr_t)AS_OID_PPOLICY, .ldctl_iscritical = 0};
    LDAPControl *controls[] = {&policy, NULL};

    if (!*dn || !*password) {
        as_reply_fail(reply, AS_STEP_USER_BIND, AS_FAILURE_LOCAL, "a bind without a name or a password");
        return false;
    }
    as_session_set_deadline(session, deadline, session->peer->directory->settings->operation_timeout);
    return bind_as(session, &(as_bind){.dn = dn, .password = password, .controls = controls, .step = AS_STEP_USER_BIND},
                   pool, reply);
}

static int send_search(as_session *session, const as_search *search, int *id)
{
    const as_mono left = session->wire.deadline - as_mono_read();
    /* libldap refuses a limit of 0. */
    struct timeval limit = {.tv_sec = left > 0 ? (time_t)(left / AS_MONO_SECOND) + 1 : 1};
    int code;

    if (ldap_set_option(session->ld, LDAP_OPT_DEREF, &search->deref) != LDAP_OPT_SUCCESS) {
        return LDAP_PARAM_ERROR;
    }
    session->wire.filter = search->filter;
    code = ldap_search_ext(session->ld, search->base, search->scope, search->filter,
                           (char **)(intptr_t)search->attributes, 0, NULL, NULL, &limit, search->limit, id);
    session->wire.filter = NULL;
    return code;
}

/* Ends a search whose server ignores the size limit: the rest of its answer ends with the session. */
static bool end_search_early(as_session *session, as_reply *reply)
{
    session->dead = true;
    reply->failure = AS_FAILURE_NONE;
    reply->step = AS_STEP_SEARCH;
    reply->code = LDAP_SIZELIMIT_EXCEEDED;
    return true;
}

static bool take_entry(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_reply *reply)
{
    if (search->found) {
        return as_found_add(ld, entry, search, pool, reply);
    }
    return as_response_read_entry(ld, entry, search, pool, reply) &&
           (!search->with_membership || as_membership_take(ld, entry, pool, reply));
}

static bool run_search(as_session *session, const as_search *search, as_mono started, apr_pool_t *pool, as_reply *reply)
{
    int id = 0, code, count;

    code = send_search(session, search, &id);
    if (code != LDAP_SUCCESS) {
        return as_session_fail_unsent(session, code, AS_STEP_SEARCH, pool, reply);
    }
    for (count = 0; count < AS_MAX_MESSAGES + search->limit; count++) {
        LDAPMessage *message = read_next(session, id, count > 0);

        if (!message) {
            return fail_lost(session, AS_STEP_SEARCH, pool, reply);
        }
        switch (ldap_msgtype(message)) {
        case LDAP_RES_SEARCH_RESULT:
            note_answer(session, started);
            return take_result(session, message, AS_STEP_SEARCH, search->referrals, pool, reply);
        case LDAP_RES_SEARCH_ENTRY:
            if (!take_entry(session->ld, message, search, pool, reply)) {
                ldap_msgfree(message);
                return refuse_entry(session, AS_STEP_SEARCH, "an entry that cannot be read", reply);
            }
            break;
        case LDAP_RES_SEARCH_REFERENCE:
            as_response_read_reference(session->ld, message, search->referrals, pool, reply);
            break;
        default:
            ldap_msgfree(message);
            return refuse_answer(session, AS_STEP_SEARCH, "an answer to another request", reply);
        }
        ldap_msgfree(message);
    }
    if (reply->entries > 1) {
        return end_search_early(session, reply);
    }
    return refuse_entry(session, AS_STEP_SEARCH,
                        "an answer of more than the " AS_TEXT_OF(AS_MAX_MESSAGES) " messages that are taken", reply);
}

bool as_session_search(as_session *session, const as_search *search, as_mono deadline, apr_pool_t *pool,
                       as_reply *reply)
{
    as_mono started = as_mono_read();
    bool answered;

    as_session_set_deadline(session, deadline, session->peer->directory->settings->operation_timeout);
    answered = run_search(session, search, started, pool, reply);
    as_trace(session, AS_STEP_SEARCH, search->filter, started, reply, pool);
    return answered;
}

/* Unbind and TLS's closure are sent only if they can be sent at once: the deadline has passed. */
void as_session_close(as_session *session)
{
    bool was_open = session->wire.fd >= 0;

    session->wire.deadline = 0;
    if (session->ld) {
        was_open = true;
        ldap_unbind_ext(session->ld, NULL, NULL);
        session->ld = NULL;
    } else if (was_open) {
        close(session->wire.fd);
    }
    session->wire.fd = -1;
    if (was_open && !session->condemned) {
        atomic_fetch_sub_explicit(&session->peer->open, 1, memory_order_relaxed);
        atomic_fetch_sub(&as_sessions_get(session->peer->directory)->open, 1);
    }
}

bool as_session_is_usable(const as_session *session)
{
    return session->ld && !session->dead && session->opened > atomic_load(&session->peer->distrusted) &&
           as_wire_is_quiet(&session->wire);
}
