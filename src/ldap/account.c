/* SPDX-License-Identifier: Apache-2.0
 *
 * The service account of a directory, where its bind is refused. A directory that locks accounts counts each refusal,
 * so the account is left alone after three in a row, for ten seconds and then for twice as long each time.
 */
#include "ldap_private.h"

#include <time.h>

#include <apr_strings.h>

#define REFUSALS 3
#define SHORTEST (10 * AS_MONO_SECOND)
#define LONGEST (300 * AS_MONO_SECOND)

bool as_account_create(as_account *account)
{
    pthread_condattr_t monotonic;
    bool made = false;

    if (pthread_condattr_init(&monotonic) != 0) {
        return false;
    }
    if (pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
        pthread_cond_init(&account->changed, &monotonic) == 0) {
        made = pthread_mutex_init(&account->mutex, NULL) == 0;
        if (!made) {
            pthread_cond_destroy(&account->changed);
        }
    }
    pthread_condattr_destroy(&monotonic);
    account->made = made;
    return made;
}

void as_account_destroy(as_account *account)
{
    if (account->made) {
        pthread_mutex_destroy(&account->mutex);
        pthread_cond_destroy(&account->changed);
    }
}

/* Is this the server's answer to the account? Not to the moment (RFC 4511 A.2: operationsError, timeLimitExceeded,
 * adminLimitExceeded, busy, unavailable, other), nor to the connection or to the way of binding, which no directory
 * counts against an account (protocolError, authMethodNotSupported, strongerAuthRequired, confidentialityRequired). */
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

/* What the directory said last, and for how long it is not asked again. */
static void repeat_refusal(const as_account *account, as_mono now, apr_pool_t *pool, as_reply *reply)
{
    const as_mono left = account->until > now ? account->until - now : 0;

    as_reply_clear(reply);
    reply->step = AS_STEP_SERVICE_BIND;
    reply->failure = AS_FAILURE_NONE;
    reply->code = account->code;
    reply->diagnostic =
        apr_psprintf(pool, "%s%sthe account was refused %d times in a row, and is not tried for %" APR_INT64_T_FMT " s",
                     account->diagnostic, account->diagnostic[0] ? "; " : "", account->refusals,
                     (apr_int64_t)((left + AS_MONO_SECOND - 1) / AS_MONO_SECOND));
    reply->diagnostic_length = strlen(reply->diagnostic);
}

static bool is_left_alone(const as_account *account, as_mono now)
{
    return account->refusals >= REFUSALS && (now < account->until || account->trying > 0);
}

/* May one more try? Of an account that was taken, as many as like; else only so many that, whatever becomes of those
 * on their way, there are no more refusals than may be. */
static bool may_try(const as_account *account)
{
    return account->taken || account->trying + account->refusals < REFUSALS ||
           (account->refusals >= REFUSALS && account->trying == 0);
}

bool as_account_is_left_alone(as_account *account, apr_pool_t *pool, as_reply *reply)
{
    const as_mono now = as_mono_now();
    bool left_alone;

    pthread_mutex_lock(&account->mutex);
    left_alone = is_left_alone(account, now);
    if (left_alone) {
        repeat_refusal(account, now, pool, reply);
    }
    pthread_mutex_unlock(&account->mutex);
    return left_alone;
}

static bool wait_for_change(as_account *account, as_mono deadline)
{
    struct timespec at = {.tv_sec = (time_t)(deadline / AS_MONO_SECOND),
                          .tv_nsec = (long)(deadline % AS_MONO_SECOND) * 1000};

    pthread_cond_timedwait(&account->changed, &account->mutex, &at);
    return as_mono_now() < deadline;
}

bool as_account_enter(as_account *account, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    bool entered = false, in_time = true;
    as_mono now;

    pthread_mutex_lock(&account->mutex);
    for (;;) {
        now = as_mono_now();
        if (is_left_alone(account, now)) {
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
            break;
        }
        in_time = wait_for_change(account, deadline);
    }
    pthread_mutex_unlock(&account->mutex);
    return entered;
}

static void note_refusal(as_account *account, const as_reply *reply)
{
    const as_mono now = as_mono_now();

    account->taken = false;
    account->code = reply->code;
    apr_cpystrn(account->diagnostic, reply->diagnostic, sizeof(account->diagnostic));
    /* Those that were on their way together count as one when it comes to the pause. */
    if (++account->refusals >= REFUSALS && account->until <= now) {
        account->pause = account->pause ? as_mono_min(2 * account->pause, LONGEST) : SHORTEST;
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
