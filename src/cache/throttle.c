/* SPDX-License-Identifier: Apache-2.0
 *
 * Failed logins of accounts and clients: how many are allowed, and how long to wait.
 *
 * The processes of a machine count in memory that they share, exactly. Where several machines share a store, each count
 * is in the store as well, as the union of the failures that the machines saw. A store has no atomic read-modify-write:
 * the threads of a process take turns, but two processes that count the same account at the same time may overwrite
 * each other. The memory of each machine still has its overwritten failures, and writes them again with the next
 * answer. Memory holds only the failures that its own machine saw: a failure that another machine withdraws must not
 * come back.
 */
#include "throttle_private.h"

#include <string.h>
#include <time.h>

/* Sections may throttle the same account with different times; a count is kept for the longest of them. */
#define KEPT_AT_LEAST apr_time_from_sec(3600)
/* A name may be given to another entry later. */
#define SPELLING_KEPT apr_time_from_sec(60)
/* Threads of a process that may wait for binds in progress. A right password that several sections check at one
 * moment waits for itself: no reason to refuse it. AuthStatusInFlight bounds the threads that wait as well. */
#define WAITING_MOST 64
/* Interval of polling binds in progress, in microseconds. */
#define PAUSE_HERE 2000
#define PAUSE_WITH_STORE 20000

/* ---- counting ---- */

static long round_up_to_seconds(apr_interval_time_t wait)
{
    return (long)((wait + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

static apr_interval_time_t compute_wait(const as_throttle *throttle, const as_failures *all, apr_time_t now)
{
    return as_failures_compute_wait(all, throttle->failures, throttle->within, now);
}

static apr_interval_time_t choose_lifetime(const as_throttle *throttle)
{
    return throttle->within > KEPT_AT_LEAST ? throttle->within : KEPT_AT_LEAST;
}

/* Returns whether the bind would be admitted if no bind were in progress. */
static bool is_busy(const as_tally *own, const as_throttle *throttle, const as_failures *all, apr_time_t now)
{
    as_failures answered = *all;

    if (!own || as_tally_count_pending(own, now) == 0) {
        return false;
    }
    for (int i = 0; i < own->failures.count; i++) {
        if (own->answered[i] == 0) {
            as_failures_withdraw(&answered, own->failures.times[i]);
        }
    }
    return compute_wait(throttle, &answered, now) == 0;
}

typedef struct admission {
    apr_interval_time_t wait; /* 0: admitted */
    bool busy;                /* `wait` is due to binds in progress alone */
    apr_time_t stamp;
    as_failures all;
} admission;

/* Adds a failure to a count, creating the count if necessary; into->wait is not 0 if the memory is full. */
static void add(const as_count *of, as_tally *own, const as_throttle *throttle, apr_time_t now, bool is_answered,
                admission *into)
{
    apr_time_t wait = throttle->within, until = now + choose_lifetime(throttle);

    own = own ? own : as_tally_make(of->all->memory, of->table, of->name.id, throttle->of_htaccess, now, &wait);
    if (!own) {
        into->wait = wait;
        return;
    }
    if (!throttle->of_htaccess) {
        as_tally_promote(of->table, own);
    }
    into->stamp = as_failures_make_stamp(&into->all, now);
    as_tally_add(own, into->stamp, is_answered ? into->stamp : 0);
    as_failures_add(&into->all, into->stamp);
    own->until = own->until > until ? own->until : until;
    wait = compute_wait(throttle, &into->all, now);
    if (wait > 0 && own->forbids_until < now + wait) {
        own->forbids_until = now + wait;
    }
}

/* ---- the interface: accounts ---- */

static bool is_on(const as_throttle *throttle, bool counted)
{
    return throttle && counted && throttle->failures > 0 && throttle->within > 0;
}

/* Decides an admission. Under the lock. */
static void judge(const as_count *of, const as_throttle *throttle, as_bind_kind kind, admission *into)
{
    const apr_time_t now = as_throttle_read_clock(of->all);
    as_tally *own = as_count_get_own(of, now);

    into->all = as_count_merge(of, own);
    into->wait = kind == AS_BIND_REFUSED ? 0 : compute_wait(throttle, &into->all, now);
    if (into->wait > 0 && kind == AS_BIND_CACHED) {
        into->busy = own && as_tally_count_pending(own, now) > 0;
        into->wait = into->busy ? into->wait : 0;
    } else {
        into->busy = into->wait > 0 && is_busy(own, throttle, &into->all, now);
    }
    if (into->wait == 0) {
        add(of, own, throttle, now, false, into);
    } else if (own && !into->busy && own->forbids_until < now + into->wait) {
        own->forbids_until = now + into->wait;
    }
}

static admission try_admit(as_count *of, const as_throttle *throttle, as_bind_kind kind, apr_pool_t *pool)
{
    admission made = {.wait = APR_USEC_PER_SEC};

    as_count_take_turn(of);
    as_count_fetch(of, pool);
    if (as_throttle_lock(of->all->memory)) {
        judge(of, throttle, kind, &made);
        as_throttle_unlock(of->all->memory);
    }
    if (made.wait == 0) {
        as_count_keep(of, made.all, choose_lifetime(throttle), pool);
    }
    as_count_end_turn(of);
    return made;
}

static void sleep_for(int64_t microseconds)
{
    const struct timespec pause = {.tv_nsec = (long)microseconds * 1000};

    nanosleep(&pause, NULL);
}

static void end_wait(as_throttles *all, as_bind_kind kind)
{
    if (kind == AS_BIND_GUESS) {
        atomic_fetch_sub(&all->waiting, 1);
    }
}

/* If so, end_wait follows. */
static bool may_wait(as_throttles *all, as_bind_kind kind)
{
    if (kind != AS_BIND_GUESS) {
        return true;
    }
    if (atomic_fetch_add(&all->waiting, 1) < WAITING_MOST) {
        return true;
    }
    end_wait(all, kind);
    return false;
}

long as_throttle_admit(as_throttles *all, const as_throttle *throttle, const as_counted_bind *bind, apr_pool_t *pool,
                       apr_time_t *stamp)
{
    admission made;
    as_count of;

    *stamp = 0;
    if (!is_on(throttle, throttle && throttle->by_user)) {
        return 0;
    }
    if (!as_count_begin(all, &of, AS_RECORD_USER_FAILURES, bind->account)) {
        return 1;
    }
    made = try_admit(&of, throttle, bind->kind, pool);
    if (made.busy && may_wait(all, bind->kind)) {
        while (made.busy && all->mono() < bind->patience) {
            sleep_for(of.shared ? PAUSE_WITH_STORE : PAUSE_HERE);
            made = try_admit(&of, throttle, bind->kind, pool);
        }
        end_wait(all, bind->kind);
    }
    *stamp = made.wait == 0 ? made.stamp : 0;
    return round_up_to_seconds(made.wait);
}

/* Returns the seconds to wait; 0 where nothing but binds in progress forbid the bind. */
static long read_wait(as_count *of, const as_throttle *throttle, apr_pool_t *pool)
{
    apr_interval_time_t wait = APR_USEC_PER_SEC;
    as_failures failures;
    apr_time_t now;
    as_tally *own;

    as_count_fetch(of, pool);
    if (as_throttle_lock(of->all->memory)) {
        now = as_throttle_read_clock(of->all);
        own = as_count_get_own(of, now);
        failures = as_count_merge(of, own);
        wait = compute_wait(throttle, &failures, now);
        wait = wait > 0 && is_busy(own, throttle, &failures, now) ? 0 : wait;
        as_throttle_unlock(of->all->memory);
    }
    return round_up_to_seconds(wait);
}

/* Changes an existing count. Under the lock; `own` may be NULL. Returns true if the store must be updated. */
typedef bool change(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now);

static bool note_answer(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    const int at = own ? as_tally_find(own, stamp) : -1;

    (void)all;
    if (at >= 0 && own->answered[at] == 0) {
        own->answered[at] = now;
    }
    /* Another machine may have overwritten the failure meanwhile. */
    return at >= 0;
}

static bool withdraw(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    const int at = own ? as_tally_find(own, stamp) : -1;

    (void)now;
    if (at >= 0) {
        as_tally_remove(own, at);
    }
    as_failures_withdraw(all, stamp);
    return true;
}

static bool succeed(as_tally *own, as_failures *all, apr_time_t stamp, apr_time_t now)
{
    apr_time_t cleared = stamp;
    int at;

    (void)now;
    if (own) {
        at = as_tally_find(own, stamp);
        if (at >= 0) {
            as_tally_remove(own, at);
        }
        as_tally_clear(own, stamp);
        own->forbids_until = own->failures.count > 0 ? own->forbids_until : 0;
        if (own->failures.count > 0 && own->failures.times[0] <= cleared) {
            cleared = own->failures.times[0] - 1;
        }
    }
    as_failures_withdraw(all, stamp);
    as_failures_clear(all, cleared);
    return true;
}

/* Returns whether the store has exactly the failures that it should have. */
static bool is_kept(const as_count *of, const as_failures *all)
{
    return of->elsewhere.cleared == all->cleared && of->elsewhere.count == all->count &&
           memcmp(of->elsewhere.times, all->times, (size_t)all->count * sizeof all->times[0]) == 0;
}

static void settle(as_throttles *all, const char *account, apr_time_t stamp, change *apply, apr_pool_t *pool)
{
    as_failures failures;
    as_tally *own;
    bool must_store = false;
    as_count of;

    if (!as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account)) {
        return;
    }
    as_count_take_turn(&of);
    as_count_fetch(&of, pool);
    if (as_throttle_lock(all->memory)) {
        const apr_time_t now = as_throttle_read_clock(all);

        own = as_count_get_own(&of, now);
        failures = as_count_merge(&of, own);
        must_store = apply(own, &failures, stamp, now);
        /* A success is kept for other machines as long as the store might lose it. */
        if (own && own->failures.count == 0 && !(of.shared && own->failures.cleared != 0)) {
            as_tally_drop(all->memory, of.table, own);
        }
        as_throttle_unlock(all->memory);
    }
    if (must_store && !is_kept(&of, &failures)) {
        as_count_keep(&of, failures, KEPT_AT_LEAST, pool);
    }
    as_count_end_turn(&of);
}

void as_throttle_record_failure(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, note_answer, pool);
}

void as_throttle_withdraw(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, withdraw, pool);
}

void as_throttle_record_success(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool)
{
    settle(all, account, stamp, succeed, pool);
}

void as_throttle_record_answer(as_throttles *all, const char *account, apr_time_t stamp)
{
    as_failures none = {.cleared = 0};
    as_count of;

    if (as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account) && as_throttle_lock(all->memory)) {
        note_answer(as_tally_get(of.table, of.name.id), &none, stamp, as_throttle_read_clock(all));
        as_throttle_unlock(all->memory);
    }
}

uint32_t as_throttle_get_mark(const as_throttles *all, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];

    return as_throttle_hash_account(all, account, id) ? as_tally_get_mark(id) : 0;
}

AS_HOT bool as_throttle_is_marked(const as_throttles *all, uint32_t mark)
{
    return atomic_load_explicit(&all->memory->marks[mark % AS_TALLY_MARKS], memory_order_relaxed) != 0;
}

bool as_throttle_is_quiet(const as_throttles *all)
{
    return atomic_load_explicit(&all->memory->counted, memory_order_relaxed) == 0;
}

bool as_throttle_is_counted(as_throttles *all, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];
    bool counted = false;
    as_tally *own;

    if (!as_throttle_hash_account(all, account, id) || !as_throttle_is_marked(all, as_tally_get_mark(id))) {
        return false;
    }
    if (as_throttle_lock(all->memory)) {
        own = as_tally_get(&all->memory->users, id);
        counted = own && own->failures.count > 0 && own->until > as_throttle_read_clock(all);
        as_throttle_unlock(all->memory);
    }
    return counted;
}

/* ---- the interface: spellings ---- */

void as_throttle_keep_spelling(as_throttles *all, const char *directory, const char *spelling, const char *account)
{
    unsigned char id[AS_SIPHASH_SIZE];
    as_count of;

    if (as_throttle_hash(all, "spelling", directory, spelling, id) &&
        as_count_begin(all, &of, AS_RECORD_USER_FAILURES, account) && as_throttle_lock(all->memory)) {
        as_spelling_put(all->memory, id, &of.name, as_throttle_read_clock(all) + SPELLING_KEPT);
        as_throttle_unlock(all->memory);
    }
}

static bool find_spelling(as_throttles *all, const char *directory, const char *spelling, as_counted_name *account)
{
    const as_spelling *known = NULL;
    unsigned char id[AS_SIPHASH_SIZE];

    if (as_throttle_hash(all, "spelling", directory, spelling, id) && as_throttle_lock(all->memory)) {
        known = as_spelling_get(all->memory, id, as_throttle_read_clock(all));
        if (known) {
            *account = known->account;
        }
        as_throttle_unlock(all->memory);
    }
    return known != NULL;
}

long as_throttle_check_spelling(as_throttles *all, const as_throttle *throttle, const char *directory,
                                const char *spelling, apr_pool_t *pool)
{
    as_counted_name account;
    as_count of;

    if (!is_on(throttle, throttle && throttle->by_user) || !find_spelling(all, directory, spelling, &account)) {
        return 0;
    }
    as_count_begin_known(all, &of, AS_RECORD_USER_FAILURES, &account);
    return read_wait(&of, throttle, pool);
}

/* ---- the interface: clients ---- */

long as_throttle_check_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool)
{
    as_count of;

    if (!client || !is_on(throttle, throttle && throttle->by_client)) {
        return 0;
    }
    return as_count_begin(all, &of, AS_RECORD_CLIENT_FAILURES, as_client_normalize(client, pool))
               ? read_wait(&of, throttle, pool)
               : 1;
}

void as_throttle_count_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool)
{
    admission made = {.wait = APR_USEC_PER_SEC};
    as_count of;

    if (!client || !is_on(throttle, throttle && throttle->by_client) ||
        !as_count_begin(all, &of, AS_RECORD_CLIENT_FAILURES, as_client_normalize(client, pool))) {
        return;
    }
    as_count_take_turn(&of);
    as_count_fetch(&of, pool);
    if (as_throttle_lock(all->memory)) {
        const apr_time_t now = as_throttle_read_clock(all);
        as_tally *own = as_count_get_own(&of, now);

        made = (admission){.all = as_count_merge(&of, own)};
        add(&of, own, throttle, now, true, &made);
        as_throttle_unlock(all->memory);
    }
    if (made.wait == 0) {
        as_count_keep(&of, made.all, choose_lifetime(throttle), pool);
    }
    as_count_end_turn(&of);
}
