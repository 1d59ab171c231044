/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a directory's service account while its bind is refused. A directory that locks accounts counts each
 * refusal, so after three refusals in a row the circuit is open for ten seconds, and then for twice as long each time.
 * All processes of a server share the state of an account that the configuration names.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

#include "core/hash.h"

#define REFUSALS 3
#define SHORTEST (10 * AS_MONO_SECOND)
#define LONGEST (300 * AS_MONO_SECOND)
/* The end of another process's bind wakes nobody here: it is looked for at this interval. */
#define LOOK (AS_MONO_SECOND / 50)

/* A bind ends by its deadline, and is taken for one of a process that died so long after it. */
#define GRACE AS_MONO_SECOND

/* Accounts, of different servers, that processes share. Further ones have a state in each process. */
#define SHARED 256

struct as_shared_accounts {
    as_account_state states[SHARED];
};

size_t as_shared_accounts_get_size(void)
{
    return sizeof(as_shared_accounts);
}

/* Hashes an account: what it binds as, and where, whatever the order of the servers. By fingerprints, which reveal no
 * password to readers of the memory. Never 0. */
static uint64_t hash_account(const as_directory_settings *settings, apr_pool_t *pool)
{
    uint64_t hash = 0;
    int i;

    for (i = 0; i < settings->server_count; i++) {
        const as_directory_settings one = {.servers = &settings->servers[i],
                                           .server_count = 1,
                                           .bind_dn = settings->bind_dn,
                                           .bind_password = settings->bind_password};

        hash += as_hash_text(AS_HASH, as_directory_compute_fingerprint(pool, &one));
    }
    return hash ? hash : 1;
}

/* Returns whether processes share the account's state: .htaccess files might name more than there are places for. */
static bool is_shared(const as_directory_settings *settings)
{
    return settings->bind_dn && *settings->bind_dn && !settings->of_htaccess && !settings->account_of_htaccess;
}

/* Finds or claims the state of an account; NULL: all are claimed. */
static as_account_state *find_shared(as_shared_accounts *all, uint64_t id)
{
    size_t i;

    for (i = 0; i < SHARED; i++) {
        uint64_t was = 0;

        if (atomic_load(&all->states[i].id) == id || atomic_compare_exchange_strong(&all->states[i].id, &was, id) ||
            was == id) {
            return &all->states[i];
        }
    }
    return NULL;
}

bool as_account_create(as_account *account, as_shared_accounts *shared, const as_directory_settings *settings,
                       apr_pool_t *pool)
{
    account->state = shared && is_shared(settings) ? find_shared(shared, hash_account(settings, pool)) : NULL;
    if (!account->state) {
        account->state = &account->own;
    }
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

/* ---- binds and refusals, in one word that changes at once ---- */

#define TAKEN UINT64_C(1) /* the last bind was accepted */
#define MOST 0xffff

typedef struct as_binds {
    bool taken;
    int refusals; /* in a row */
    int trying;   /* binds in progress */
} as_binds;

static as_binds unpack(uint64_t word)
{
    return (as_binds){.taken = word & TAKEN, .refusals = (int)(word >> 16 & MOST), .trying = (int)(word >> 32 & MOST)};
}

static uint64_t pack(as_binds binds)
{
    return (binds.taken ? TAKEN : 0) | (uint64_t)(binds.refusals < MOST ? binds.refusals : MOST) << 16 |
           (uint64_t)(binds.trying < MOST ? binds.trying : MOST) << 32;
}

/* Reads them. Binds whose deadlines have long passed are over: their process died before it could say so. */
static as_binds read_binds(const as_account_state *state, uint64_t word, as_mono now)
{
    as_binds binds = unpack(word);

    if (binds.trying > 0 && now > atomic_load(&state->trying_until)) {
        binds.trying = 0;
    }
    return binds;
}

static bool is_circuit_open(const as_account_state *state, as_binds binds, as_mono now)
{
    return binds.refusals >= REFUSALS && (now < atomic_load(&state->until) || binds.trying > 0);
}

/* Returns whether one more bind may be tried where the circuit is closed. An accepted account has no limit; else binds
 * in progress and refusals together stay within the limit. */
static bool may_try(as_binds binds)
{
    return binds.taken || binds.refusals >= REFUSALS || binds.trying + binds.refusals < REFUSALS;
}

typedef enum as_entry_result { AS_ENTERED, AS_OPEN, AS_MUST_WAIT } as_entry_result;

static as_entry_result try_to_enter(as_account_state *state, as_mono now, as_mono deadline)
{
    uint64_t word = atomic_load(&state->word);
    as_binds binds;

    do {
        binds = read_binds(state, word, now);
        if (is_circuit_open(state, binds, now)) {
            return AS_OPEN;
        }
        if (!may_try(binds)) {
            return AS_MUST_WAIT;
        }
        /* Before the bind counts as one in progress, so that nobody takes it for one that is over. */
        as_mono_advance(&state->trying_until, deadline + GRACE);
        binds.trying++;
    } while (!atomic_compare_exchange_weak(&state->word, &word, pack(binds)));
    return AS_ENTERED;
}

/* Ends a bind in progress. Returns the number of refusals in a row. */
static int leave(as_account_state *state, bool refused, bool accepted)
{
    uint64_t word = atomic_load(&state->word);
    as_binds binds;

    do {
        binds = unpack(word);
        binds.trying -= binds.trying > 0;
        binds.taken = accepted || (binds.taken && !refused);
        binds.refusals = accepted ? 0 : binds.refusals + refused;
    } while (!atomic_compare_exchange_weak(&state->word, &word, pack(binds)));
    return binds.refusals;
}

/* Begins a pause, twice as long as the one before. Binds in progress at the same time count as one for it. */
static void begin_pause(as_account_state *state, as_mono now)
{
    as_mono until = atomic_load(&state->until);
    const as_mono before = atomic_load(&state->pause);
    const as_mono pause = before ? as_mono_choose_earlier(2 * before, LONGEST) : SHORTEST;

    if (until <= now && atomic_compare_exchange_strong(&state->until, &until, now + pause)) {
        atomic_store(&state->pause, pause);
    }
}

/* ---- one account ---- */

/* Replies with the last refusal and the time until the next bind. */
static void repeat_refusal(const as_account *account, as_mono now, apr_pool_t *pool, as_reply *reply)
{
    const as_account_state *state = account->state;
    const as_mono until = atomic_load(&state->until), left = until > now ? until - now : 0;

    as_reply_clear(reply);
    reply->step = AS_STEP_SERVICE_BIND;
    reply->failure = AS_FAILURE_NONE;
    reply->code = atomic_load(&state->code);
    reply->repeated = true;
    reply->diagnostic = apr_psprintf(
        pool, "%s%sthe account was refused %d times in a row, and is not tried for %" APR_INT64_T_FMT " s",
        account->diagnostic, account->diagnostic[0] ? "; " : "", unpack(atomic_load(&state->word)).refusals,
        (apr_int64_t)((left + AS_MONO_SECOND - 1) / AS_MONO_SECOND));
    reply->diagnostic_length = strlen(reply->diagnostic);
}

bool as_account_is_circuit_open(as_account *account, apr_pool_t *pool, as_reply *reply)
{
    const as_mono now = as_mono_read();
    bool open;

    pthread_mutex_lock(&account->mutex);
    open = is_circuit_open(account->state, read_binds(account->state, atomic_load(&account->state->word), now), now);
    if (open) {
        repeat_refusal(account, now, pool, reply);
    }
    pthread_mutex_unlock(&account->mutex);
    return open;
}

static bool wait_for_change(as_account *account, as_mono deadline)
{
    as_cond_wait(&account->changed, &account->mutex,
                 account->state == &account->own ? deadline : as_mono_choose_earlier(deadline, as_mono_read() + LOOK));
    return as_mono_read() < deadline;
}

bool as_account_enter(as_account *account, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    as_entry_result result;
    bool in_time = true;
    as_mono now;

    pthread_mutex_lock(&account->mutex);
    for (;;) {
        now = as_mono_read();
        result = try_to_enter(account->state, now, deadline);
        if (result != AS_MUST_WAIT || !in_time) {
            break;
        }
        in_time = wait_for_change(account, deadline);
    }
    if (result == AS_OPEN) {
        repeat_refusal(account, now, pool, reply);
    } else if (result == AS_MUST_WAIT) {
        as_reply_fail(reply, AS_STEP_SERVICE_BIND, AS_FAILURE_TIMEOUT,
                      "other requests wait for the bind of the service account");
        reply->repeated = true;
    }
    pthread_mutex_unlock(&account->mutex);
    return result == AS_ENTERED;
}

void as_account_leave(as_account *account, const as_reply *reply)
{
    const bool refused = is_refusal(reply), accepted = reply->failure == AS_FAILURE_NONE && reply->code == LDAP_SUCCESS;
    as_account_state *state = account->state;

    pthread_mutex_lock(&account->mutex);
    if (refused) {
        atomic_store(&state->code, reply->code);
        apr_cpystrn(account->diagnostic, reply->diagnostic, sizeof(account->diagnostic));
    } else if (accepted) {
        atomic_store(&state->pause, 0);
    }
    if (leave(state, refused, accepted) >= REFUSALS && refused) {
        begin_pause(state, as_mono_read());
    }
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
}

/* ---- accounts that .htaccess files name ---- */

bool as_account_begin_guarded(const as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply,
                              void **begun)
{
    const as_directory *directory = session->peer->directory;
    const as_account_guard *guard = &directory->all->limits.guard;
    as_bind_target target = {.index = -1};

    *begun = NULL;
    if (!directory->settings->account_of_htaccess || !guard->begin) {
        return true;
    }
    /* Elsewhere the server is the configuration's, under its own name. */
    if (directory->settings->of_htaccess && !as_addresses_find_target(session, deadline, pool, &target)) {
        as_reply_fail(reply, AS_STEP_SERVICE_BIND, AS_FAILURE_TIMEOUT, AS_REASON_NO_ADDRESSES);
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
