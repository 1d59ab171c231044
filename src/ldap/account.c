/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a directory's service account while its bind is refused. A directory that locks accounts counts each
 * refusal, so after three refusals in a row the circuit is open for ten seconds, and then for twice as long each time.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

#define REFUSALS 3
#define SHORTEST (10 * AS_MONO_SECOND)
#define LONGEST (300 * AS_MONO_SECOND)

bool as_account_create(as_account *account)
{
    if (!as_cond_create(&account->changed)) {
        return false;
    }
    account->made = pthread_mutex_init(&account->mutex, NULL) == 0;
    if (!account->made) {
        pthread_cond_destroy(&account->changed);
    }
    return account->made;
}

void as_account_destroy(as_account *account)
{
    if (account->made) {
        pthread_mutex_destroy(&account->mutex);
        pthread_cond_destroy(&account->changed);
    }
}

/* Returns whether the reply refuses the account. Temporary conditions do not (RFC 4511 A.2: operationsError,
 * timeLimitExceeded, adminLimitExceeded, busy, unavailable, other), nor do errors of the connection or of the bind
 * method, which no directory counts against an account (protocolError, authMethodNotSupported, strongerAuthRequired,
 * confidentialityRequired). */
static bool is_refusal(const as_reply *reply)
{
    if (reply->failure != AS_FAILURE_NONE) {
        return false;
    }
    switch (reply->code) {
    case LDAP_SUCCESS:
    case LDAP_OPERATIONS_ERROR:
    case LDAP_PROTOCOL_ERROR:
    case LDAP_AUTH_METHOD_NOT_SUPPORTED:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
    case LDAP_TIMELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_OTHER:
        return false;
    default:
        return true;
    }
}

/* Replies with the last refusal and the time until the next bind. */
static void repeat_refusal(const as_account *account, as_mono now, apr_pool_t *pool, as_reply *reply)
{
    const as_mono left = account->until > now ? account->until - now : 0;

    as_reply_clear(reply);
    reply->step = AS_STEP_SERVICE_BIND;
    reply->failure = AS_FAILURE_NONE;
    reply->code = account->code;
    reply->repeated = true;
    reply->diagnostic =
        apr_psprintf(pool, "%s%sthe account was refused %d times in a row, and is not tried for %" APR_INT64_T_FMT " s",
                     account->diagnostic, account->diagnostic[0] ? "; " : "", account->refusals,
                     (apr_int64_t)((left + AS_MONO_SECOND - 1) / AS_MONO_SECOND));
    reply->diagnostic_length = strlen(reply->diagnostic);
}

static bool is_circuit_open(const as_account *account, as_mono now)
{
    return account->refusals >= REFUSALS && (now < account->until || account->trying > 0);
}

/* Returns whether one more bind may be tried. An accepted account has no limit; else binds in progress and refusals
 * together stay within the limit. */
static bool may_try(const as_account *account)
{
    return account->taken || account->trying + account->refusals < REFUSALS ||
           (account->refusals >= REFUSALS && account->trying == 0);
}

bool as_account_is_circuit_open(as_account *account, apr_pool_t *pool, as_reply *reply)
{
    const as_mono now = as_mono_read();
    bool open;

    pthread_mutex_lock(&account->mutex);
    open = is_circuit_open(account, now);
    if (open) {
        repeat_refusal(account, now, pool, reply);
    }
    pthread_mutex_unlock(&account->mutex);
    return open;
}

static bool wait_for_change(as_account *account, as_mono deadline)
{
    as_cond_wait(&account->changed, &account->mutex, deadline);
    return as_mono_read() < deadline;
}

bool as_account_enter(as_account *account, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    bool entered = false, in_time = true;
    as_mono now;

    pthread_mutex_lock(&account->mutex);
    for (;;) {
        now = as_mono_read();
        if (is_circuit_open(account, now)) {
            repeat_refusal(account, now, pool, reply);
            break;
        }
        if (may_try(account)) {
            account->trying++;
            entered = true;
            break;
        }
        if (!in_time) {
            as_reply_fail(reply, AS_STEP_SERVICE_BIND, AS_FAILURE_TIMEOUT,
                          "other requests wait for the bind of the service account");
            reply->repeated = true;
            break;
        }
        in_time = wait_for_change(account, deadline);
    }
    pthread_mutex_unlock(&account->mutex);
    return entered;
}

static void note_refusal(as_account *account, const as_reply *reply)
{
    const as_mono now = as_mono_read();

    account->taken = false;
    account->code = reply->code;
    apr_cpystrn(account->diagnostic, reply->diagnostic, sizeof(account->diagnostic));
    /* Binds in progress at the same time count as one for the pause. */
    if (++account->refusals >= REFUSALS && account->until <= now) {
        account->pause = account->pause ? as_mono_choose_earlier(2 * account->pause, LONGEST) : SHORTEST;
        account->until = now + account->pause;
    }
}

void as_account_leave(as_account *account, const as_reply *reply)
{
    pthread_mutex_lock(&account->mutex);
    account->trying--;
    if (is_refusal(reply)) {
        note_refusal(account, reply);
    } else if (reply->failure == AS_FAILURE_NONE && reply->code == LDAP_SUCCESS) {
        account->taken = true;
        account->refusals = 0;
        account->pause = 0;
    }
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
}

/* ---- accounts that .htaccess files name ---- */

/* Finds which servers of the configuration the session is connected to, where a .htaccess file names the server too. */
static bool find_target(const as_session *session, as_mono deadline, apr_pool_t *pool, as_bind_target *target)
{
    const as_directory *directory = session->peer->directory;

    *target = (as_bind_target){.index = -1};
    if (!directory->settings->of_htaccess) {
        return true;
    }
    target->configured = as_addresses_find(directory->all->addresses, session->wire.fd, deadline, pool);
    return target->configured != NULL;
}

bool as_account_begin_guarded(const as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply,
                              void **begun)
{
    const as_directory *directory = session->peer->directory;
    const as_account_guard *guard = &directory->all->limits.guard;
    as_bind_target target;

    *begun = NULL;
    if (!directory->settings->account_of_htaccess || !guard->begin) {
        return true;
    }
    if (!find_target(session, deadline, pool, &target)) {
        as_reply_fail(reply, AS_STEP_SERVICE_BIND, AS_FAILURE_TIMEOUT,
                      "the addresses of the configuration's servers are not known yet; the bind was not sent");
        reply->repeated = true;
        return false;
    }
    *begun = guard->begin(guard->data, directory->settings, &target, deadline, pool);
    if (!*begun) {
        as_reply_fail(reply, AS_STEP_SERVICE_BIND, AS_FAILURE_NONE, NULL);
        reply->code = LDAP_INVALID_CREDENTIALS;
        reply->diagnostic = "AuthStatusThrottle: too many failures of this account; the bind was not sent";
        reply->diagnostic_length = strlen(reply->diagnostic);
        reply->repeated = true;
    }
    return *begun != NULL;
}

void as_account_end_guarded(const as_session *session, void *begun, const as_reply *reply, apr_pool_t *pool)
{
    const as_account_guard *guard = &session->peer->directory->all->limits.guard;
    const bool failed = reply && (reply->failure != AS_FAILURE_NONE || is_refusal(reply));

    if (begun) {
        guard->end(guard->data, begun, failed ? AS_GUARDED_FAILURE : AS_GUARDED_NO_FAILURE, pool);
    }
}
