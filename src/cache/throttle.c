/* SPDX-License-Identifier: Apache-2.0
 *
 * Failures per user and client, in the store and in this process.
 *
 * A store has no call that reads, changes and writes as one. Threads of a process take turns, under a lock for the ids
 * of a shard. Two processes that count the same user within the same microseconds may overwrite each other: the one
 * that was overwritten still has its failure in its own table, and writes it again with the next one. So a count may be
 * late by what other processes do at that moment, and is never lost. A table holds only what its process saw: what
 * another process withdraws must not come back from here.
 */
#include "cache_private.h"

#include <string.h>

#include <apr_strings.h>

#include "core/text.h"

/* Sections may throttle the same user with other times; a record is kept for the longest of them. */
#define KEPT_AT_LEAST apr_time_from_sec(3600)

/* One user's or client's failures, as they were read. */
typedef struct count {
    as_record_kind kind;
    unsigned char id[AS_HASH_SIZE];
    as_moment now;
    as_failures own; /* what this process saw */
    as_failures all; /* with what the store has */
    bool shared;     /* the store told what it has, and may be told what it should have */
} count;

/* ---- names ---- */

/* As directories compare names (RFC 4518 2.6.1): spaces around it do not count, several within are one. Letters beyond
 * ASCII stay as they are; the caller who knows the entry may give its DN as the user. */
static const char *folded(const char *user, apr_pool_t *pool)
{
    char *name = apr_pstrdup(pool, user), *to = name;

    for (const char *from = user; *from != '\0'; from++) {
        if (*from != ' ') {
            *to++ = as_text_lower(*from);
        } else if (to > name && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    if (to > name && to[-1] == ' ') {
        to--;
    }
    *to = '\0';
    return name;
}

static bool counts_user(const as_throttle *throttle, const as_cache_key *subject)
{
    return throttle->by_user && subject->user && throttle->failures > 0 && throttle->within > 0;
}

static bool counts_client(const as_throttle *throttle, const char *client)
{
    return throttle->by_client && client && throttle->failures > 0 && throttle->within > 0;
}

/* A client's failures are of all directories: he guesses where he can. */
static bool name_count(const as_cache *memory, count *of, as_record_kind kind, const as_cache_key *subject,
                       const char *client, as_moment now, apr_pool_t *pool)
{
    as_cache_key whose = {.scope = subject->scope};

    if (kind == AS_RECORD_USER_FAILURES) {
        whose.directory = subject->directory;
        whose.user = folded(subject->user, pool);
    } else {
        whose.user = client;
    }
    memset(of, 0, sizeof *of);
    of->kind = kind;
    of->now = now;
    return as_record_id(memory, kind, &whose, of->id);
}

/* ---- reading and writing ---- */

static as_table *table_of(as_cache *memory, const count *of)
{
    return of->kind == AS_RECORD_USER_FAILURES ? &memory->user_failures : &memory->client_failures;
}

static pthread_mutex_t *lock_of(as_cache *memory, const count *of)
{
    return &memory->counting[of->id[0] % AS_SHARDS].mutex;
}

static void read_own(as_cache *memory, count *of, apr_pool_t *pool)
{
    size_t length;
    const as_wanted wanted = {.id = of->id, .now = of->now};
    unsigned char *payload = as_table_get(table_of(memory, of), &wanted, pool, &length);

    if (payload && !as_failures_parse(payload, length, of->kind, &of->own)) {
        memset(&of->own, 0, sizeof of->own);
    }
    as_failures_drop_future(&of->own, of->now.wall);
}

static void read_shared(as_cache *memory, count *of, apr_pool_t *pool)
{
    unsigned char data[AS_STORED_MAX];
    size_t length;
    as_fetched fetched = as_shared_fetch(memory, of->id, data, &length, pool);

    of->shared = fetched != AS_FETCHED_UNKNOWN;
    if (fetched != AS_FETCHED || !as_failures_parse(data, length, of->kind, &of->all)) {
        memset(&of->all, 0, sizeof of->all);
    }
    as_failures_drop_future(&of->all, of->now.wall);
}

/* Who had to wait for his turn comes as late as he does: else what others counted meanwhile would be of his future. */
static void catch_up(const as_cache *memory, as_moment *now)
{
    int64_t waited = memory->mono() - now->mono;

    now->wall += waited;
    now->mono += waited;
}

static void read_count(as_cache *memory, count *of, apr_pool_t *pool)
{
    catch_up(memory, &of->now);
    read_own(memory, of, pool);
    read_shared(memory, of, pool);
    as_failures_clear(&of->own, of->all.cleared);
    as_failures_merge(&of->all, &of->own);
}

static void write_own(as_cache *memory, const count *of, apr_interval_time_t good_for)
{
    unsigned char payload[AS_FAILURES_MAX];
    as_slot slot = {.born = of->now, .good_for = good_for, .place = AS_NO_PLACE};

    slot.length = (uint32_t)as_failures_encode(&of->own, of->kind, payload);
    slot.payload = as_record_copy(payload, slot.length);
    memcpy(slot.id, of->id, AS_SIPHASH_SIZE);
    as_table_put(table_of(memory, of), &slot, of->now);
}

static void write_count(as_cache *memory, const count *of, apr_interval_time_t within, apr_pool_t *pool)
{
    apr_interval_time_t good_for = within > KEPT_AT_LEAST ? within : KEPT_AT_LEAST;
    unsigned char payload[AS_FAILURES_MAX];
    size_t length;

    write_own(memory, of, good_for);
    if (of->shared) {
        length = as_failures_encode(&of->all, of->kind, payload);
        as_shared_keep(memory, of->id, payload, length, of->now.wall + good_for, pool);
    }
}

/* ---- the rules ---- */

static apr_interval_time_t wait_of(const count *of, const as_throttle *throttle)
{
    return as_failures_wait(&of->all, throttle->failures, throttle->within, of->now.wall);
}

static void add(count *of, apr_time_t *stamp)
{
    *stamp = as_failures_stamp(&of->all, of->now.wall);
    as_failures_add(&of->own, *stamp);
    as_failures_add(&of->all, *stamp);
}

static void withdraw(count *of, apr_time_t stamp)
{
    as_failures_withdraw(&of->own, stamp);
    as_failures_withdraw(&of->all, stamp);
}

/* Also of questions that were sent before, and are not answered yet. */
static void clear(count *of, apr_time_t stamp)
{
    apr_time_t when = of->now.wall > stamp ? of->now.wall : stamp;

    as_failures_clear(&of->own, when);
    as_failures_clear(&of->all, when);
}

typedef enum meaning { MEANS_NOTHING, MEANS_FAILURE, MEANS_SUCCESS } meaning;

/* A directory that has proven the password was not asked by a guesser, whatever it says of the account. */
static meaning meaning_of(const as_finding *finding)
{
    as_record_kind kind = finding ? as_record_kind_of(finding) : AS_RECORD_NONE;

    if (kind == AS_RECORD_ACCEPTANCE) {
        return MEANS_SUCCESS;
    }
    return kind == AS_RECORD_REFUSAL && !finding->proven ? MEANS_FAILURE : MEANS_NOTHING;
}

static long in_seconds(apr_interval_time_t wait)
{
    return (long)((wait + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
}

/* ---- the interface ---- */

static long look(as_cache *memory, const as_throttle *throttle, as_record_kind kind, const as_cache_key *subject,
                 const char *client, as_moment now, apr_pool_t *pool)
{
    count of;

    if (!name_count(memory, &of, kind, subject, client, now, pool)) {
        return 1;
    }
    read_count(memory, &of, pool);
    return in_seconds(wait_of(&of, throttle));
}

long as_throttle_wait(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, const char *client,
                      apr_time_t at, apr_pool_t *pool)
{
    as_moment now = as_moment_at(memory, at);
    long of_user = 0, of_client = 0;

    if (counts_client(throttle, client)) {
        of_client = look(memory, throttle, AS_RECORD_CLIENT_FAILURES, subject, client, now, pool);
    }
    if (counts_user(throttle, subject)) {
        of_user = look(memory, throttle, AS_RECORD_USER_FAILURES, subject, client, now, pool);
    }
    return of_user > of_client ? of_user : of_client;
}

static long admit_user(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, as_moment now,
                       apr_pool_t *pool, apr_time_t *stamp)
{
    apr_interval_time_t wait;
    count of;

    if (!name_count(memory, &of, AS_RECORD_USER_FAILURES, subject, NULL, now, pool)) {
        return 1;
    }
    pthread_mutex_lock(lock_of(memory, &of));
    read_count(memory, &of, pool);
    wait = wait_of(&of, throttle);
    if (wait == 0) {
        add(&of, stamp);
        write_count(memory, &of, throttle->within, pool);
    }
    pthread_mutex_unlock(lock_of(memory, &of));
    return in_seconds(wait);
}

/* Only the user's count is taken in advance: behind one address there may be an office, which logs in at nine. */
long as_throttle_admit(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, const char *client,
                       apr_time_t at, apr_pool_t *pool, apr_time_t *stamp)
{
    as_moment now = as_moment_at(memory, at);
    long wait = 0;

    *stamp = 0;
    if (counts_client(throttle, client)) {
        wait = look(memory, throttle, AS_RECORD_CLIENT_FAILURES, subject, client, now, pool);
    }
    if (wait == 0 && counts_user(throttle, subject)) {
        wait = admit_user(memory, throttle, subject, now, pool, stamp);
    }
    return wait;
}

static void settle_user(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, apr_time_t stamp,
                        meaning means, as_moment now, apr_pool_t *pool)
{
    count of;

    if (means == MEANS_FAILURE || !name_count(memory, &of, AS_RECORD_USER_FAILURES, subject, NULL, now, pool)) {
        return;
    }
    pthread_mutex_lock(lock_of(memory, &of));
    read_count(memory, &of, pool);
    if (means == MEANS_SUCCESS) {
        clear(&of, stamp);
    } else {
        withdraw(&of, stamp);
    }
    write_count(memory, &of, throttle->within, pool);
    pthread_mutex_unlock(lock_of(memory, &of));
}

static void count_client(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, const char *client,
                         as_moment now, apr_pool_t *pool)
{
    apr_time_t stamp;
    count of;

    if (!name_count(memory, &of, AS_RECORD_CLIENT_FAILURES, subject, client, now, pool)) {
        return;
    }
    pthread_mutex_lock(lock_of(memory, &of));
    read_count(memory, &of, pool);
    add(&of, &stamp);
    write_count(memory, &of, throttle->within, pool);
    pthread_mutex_unlock(lock_of(memory, &of));
}

void as_throttle_settle(as_cache *memory, const as_throttle *throttle, const as_cache_key *subject, const char *client,
                        apr_time_t stamp, const as_finding *finding, apr_time_t at, apr_pool_t *pool)
{
    as_moment now = as_moment_at(memory, at);
    meaning means = meaning_of(finding);

    if (counts_user(throttle, subject)) {
        settle_user(memory, throttle, subject, stamp, means, now, pool);
    }
    if (means == MEANS_FAILURE && counts_client(throttle, client)) {
        count_client(memory, throttle, subject, client, now, pool);
    }
}
