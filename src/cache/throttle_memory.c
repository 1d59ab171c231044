/* SPDX-License-Identifier: Apache-2.0
 *
 * The counts of a throttle, in persistent shared memory of all processes of a server. One mutex guards it; it is held
 * for less than a microsecond, never over a call to a store. A process that dies with it leaves at most one count or
 * spelling half written: the next process repairs the counts and forgets the spellings.
 */
#include "throttle_private.h"

#include <errno.h>
#include <string.h>

#include <openssl/rand.h>

/* The number of counts that forbid nothing among which the oldest is evicted. */
#define CANDIDATES 32
#define WAYS 8 /* of spellings, in a set */

/* ---- one count ---- */

/* Returns the time of the last failure, or of the success after it. */
static apr_time_t find_last_time(const as_tally *tally)
{
    return tally->failures.count > 0 ? tally->failures.times[tally->failures.count - 1] : tally->failures.cleared;
}

int as_tally_find(const as_tally *tally, apr_time_t stamp)
{
    for (int i = 0; i < tally->failures.count; i++) {
        if (tally->failures.times[i] == stamp) {
            return i;
        }
    }
    return -1;
}

void as_tally_remove(as_tally *tally, int at)
{
    const size_t behind = (size_t)(tally->failures.count - at - 1);

    memmove(tally->failures.times + at, tally->failures.times + at + 1, behind * sizeof tally->failures.times[0]);
    memmove(tally->answered + at, tally->answered + at + 1, behind * sizeof tally->answered[0]);
    tally->failures.count--;
}

void as_tally_add(as_tally *tally, apr_time_t stamp, apr_time_t answered)
{
    if (tally->failures.count == AS_THROTTLE_MOST) {
        as_tally_remove(tally, 0);
    }
    tally->failures.times[tally->failures.count] = stamp;
    tally->answered[tally->failures.count] = answered;
    tally->failures.count++;
}

/* Returns whether the directory is done with a bind before `when`: it was answered, or its process died. */
static bool is_over(const as_tally *tally, int at, apr_time_t when)
{
    return tally->answered[at] != 0 ? tally->answered[at] < when : tally->failures.times[at] + AS_PENDING_MOST < when;
}

void as_tally_clear(as_tally *tally, apr_time_t when)
{
    apr_time_t cleared = when;

    for (int i = tally->failures.count - 1; i >= 0; i--) {
        if (is_over(tally, i, when)) {
            as_tally_remove(tally, i);
        } else if (tally->failures.times[i] <= cleared) {
            cleared = tally->failures.times[i] - 1;
        }
    }
    if (cleared > tally->failures.cleared) {
        tally->failures.cleared = cleared;
    }
}

int as_tally_count_pending(const as_tally *tally, apr_time_t now)
{
    int pending = 0;

    for (int i = 0; i < tally->failures.count; i++) {
        pending += tally->answered[i] == 0 && !is_over(tally, i, now);
    }
    return pending;
}

/* ---- tables ---- */

static uint32_t *get_chain(as_tallies *table, const unsigned char *id)
{
    return &table->heads[as_get_number(id, 8) % AS_TALLY_CHAINS];
}

uint32_t as_tally_get_mark(const unsigned char *id)
{
    return (uint32_t)(as_get_number(id + 8, 8) % AS_TALLY_MARKS);
}

static _Atomic uint16_t *find_mark(as_throttle_memory *memory, const unsigned char *id)
{
    return &memory->marks[as_tally_get_mark(id)];
}

as_tally *as_tally_get(as_tallies *table, const unsigned char *id)
{
    for (uint32_t at = *get_chain(table, id); at != 0; at = table->tallies[at - 1].next) {
        if (memcmp(table->tallies[at - 1].id, id, AS_SIPHASH_SIZE) == 0) {
            return &table->tallies[at - 1];
        }
    }
    return NULL;
}

static void link_tally(as_throttle_memory *memory, as_tallies *table, as_tally *tally)
{
    uint32_t *head = get_chain(table, tally->id);

    tally->next = *head;
    *head = (uint32_t)(tally - table->tallies) + 1;
    table->of_htaccess += tally->of_htaccess;
    if (table == &memory->users) {
        atomic_fetch_add(find_mark(memory, tally->id), 1);
        atomic_fetch_add(&memory->counted, 1);
    }
}

void as_tally_promote(as_tallies *table, as_tally *tally)
{
    table->of_htaccess -= tally->of_htaccess;
    tally->of_htaccess = false;
}

void as_tally_drop(as_throttle_memory *memory, as_tallies *table, as_tally *tally)
{
    const uint32_t self = (uint32_t)(tally - table->tallies) + 1;
    uint32_t *link = get_chain(table, tally->id);

    while (*link != 0 && *link != self) {
        link = &table->tallies[*link - 1].next;
    }
    if (*link == self) {
        *link = tally->next;
    }
    if (table == &memory->users) {
        atomic_fetch_sub(find_mark(memory, tally->id), 1);
        atomic_fetch_sub(&memory->counted, 1);
    }
    as_tally_promote(table, tally);
    tally->used = false;
    tally->next = table->vacant;
    table->vacant = self;
}

/* Chooses the count that a full table evicts: an expired one, else the oldest of those that forbid nothing, from the
 * end of the last search on. NULL: each forbids something. *soonest: the one that forbids for the shortest time. */
static as_tally *pick(as_tallies *table, apr_time_t now, as_tally **soonest)
{
    as_tally *picked = NULL;
    int seen = 0;

    *soonest = NULL;
    for (uint32_t i = 0; i < AS_TALLIES && seen < CANDIDATES; i++) {
        as_tally *tally = &table->tallies[table->hand];

        table->hand = (table->hand + 1) % AS_TALLIES;
        if (tally->until <= now) {
            return tally;
        }
        if (tally->forbids_until > now) {
            *soonest = *soonest && (*soonest)->forbids_until <= tally->forbids_until ? *soonest : tally;
        } else {
            seen++;
            picked = picked && find_last_time(picked) <= find_last_time(tally) ? picked : tally;
        }
    }
    return picked;
}

/* Chooses the count of a directory of .htaccess that gives way: the one that forbids nothing, or for the shortest time.
 * NULL: there is none. */
static as_tally *pick_of_htaccess(as_tallies *table, apr_time_t now)
{
    as_tally *picked = NULL;

    for (uint32_t i = 0; i < table->begun && table->of_htaccess > 0 && !(picked && picked->forbids_until <= now); i++) {
        as_tally *tally = &table->tallies[i];

        if (tally->used && tally->of_htaccess && (!picked || tally->forbids_until < picked->forbids_until)) {
            picked = tally;
        }
    }
    return picked;
}

/* Evicts a count from the part for .htaccess where that is full. Returns false if each forbids something. */
static bool make_room_of_htaccess(as_throttle_memory *memory, as_tallies *table, apr_time_t now, apr_time_t *wait)
{
    as_tally *picked = table->of_htaccess < AS_TALLIES_OF_HTACCESS ? NULL : pick_of_htaccess(table, now);

    if (picked && picked->forbids_until > now && table == &memory->users) {
        *wait = picked->forbids_until - now;
        return false;
    }
    if (picked) {
        as_tally_drop(memory, table, picked);
    }
    return true;
}

/* Evicts a count for a new one. NULL: all counts of users forbid something, and none of them is evicted; but those of
 * directories of .htaccess give way to the others. */
static as_tally *take(as_throttle_memory *memory, as_tallies *table, bool of_htaccess, apr_time_t now, apr_time_t *wait)
{
    as_tally *tally, *soonest;

    if (table->vacant == 0 && table->begun < AS_TALLIES) {
        return &table->tallies[table->begun++];
    }
    if (table->vacant == 0) {
        tally = pick(table, now, &soonest);
        tally = tally || of_htaccess ? tally : pick_of_htaccess(table, now);
        if (!tally && table == &memory->users) {
            *wait = soonest->forbids_until - now;
            return NULL;
        }
        as_tally_drop(memory, table, tally ? tally : soonest);
    }
    tally = &table->tallies[table->vacant - 1];
    table->vacant = tally->next;
    return tally;
}

as_tally *as_tally_make(as_throttle_memory *memory, as_tallies *table, const unsigned char *id, bool of_htaccess,
                        apr_time_t now, apr_time_t *wait)
{
    as_tally *tally = of_htaccess && !make_room_of_htaccess(memory, table, now, wait)
                          ? NULL
                          : take(memory, table, of_htaccess, now, wait);

    if (tally) {
        memset(tally, 0, sizeof *tally);
        memcpy(tally->id, id, AS_SIPHASH_SIZE);
        tally->used = true;
        tally->of_htaccess = of_htaccess;
        link_tally(memory, table, tally);
    }
    return tally;
}

/* ---- spellings ---- */

static as_spelling *get_spellings(as_throttle_memory *memory, const unsigned char *id)
{
    return memory->spellings + as_get_number(id, 8) % (AS_SPELLINGS / WAYS) * WAYS;
}

const as_spelling *as_spelling_get(as_throttle_memory *memory, const unsigned char *id, apr_time_t now)
{
    const as_spelling *set = get_spellings(memory, id);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].until > now && memcmp(set[i].id, id, AS_SIPHASH_SIZE) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

void as_spelling_put(as_throttle_memory *memory, const unsigned char *id, const as_counted_name *account,
                     apr_time_t until)
{
    as_spelling *set = get_spellings(memory, id), *chosen = set;

    for (int i = 0; i < WAYS; i++) {
        if (memcmp(set[i].id, id, AS_SIPHASH_SIZE) == 0) {
            chosen = &set[i];
            break;
        }
        chosen = set[i].until < chosen->until ? &set[i] : chosen;
    }
    memcpy(chosen->id, id, AS_SIPHASH_SIZE);
    chosen->account = *account;
    chosen->until = until;
}

/* ---- the lock ---- */

/* Keeps the plausible part of a half-written count: ascending times. */
static void mend(as_tally *tally)
{
    as_tally found = *tally;
    apr_time_t last = found.failures.cleared;

    tally->failures.count = 0;
    for (int i = 0; i < found.failures.count && i < AS_THROTTLE_MOST; i++) {
        if (found.failures.times[i] > last) {
            last = found.failures.times[i];
            as_tally_add(tally, last, found.answered[i]);
        }
    }
}

static void mend_table(as_throttle_memory *memory, as_tallies *table)
{
    memset(table->heads, 0, sizeof table->heads);
    table->vacant = 0;
    table->hand = 0;
    table->of_htaccess = 0;
    if (table->begun > AS_TALLIES) {
        table->begun = AS_TALLIES;
    }
    for (uint32_t i = 0; i < table->begun; i++) {
        as_tally *tally = &table->tallies[i];

        if (tally->used) {
            mend(tally);
            link_tally(memory, table, tally);
        } else {
            tally->next = table->vacant;
            table->vacant = i + 1;
        }
    }
}

bool as_throttle_lock(as_throttle_memory *memory)
{
    int status = pthread_mutex_lock(&memory->mutex);

    if (status == EOWNERDEAD) {
        for (size_t i = 0; i < AS_TALLY_MARKS; i++) {
            atomic_store(&memory->marks[i], 0);
        }
        atomic_store(&memory->counted, 0);
        mend_table(memory, &memory->users);
        mend_table(memory, &memory->clients);
        memset(memory->spellings, 0, sizeof memory->spellings);
        status = pthread_mutex_consistent(&memory->mutex);
    }
    return status == 0;
}

void as_throttle_unlock(as_throttle_memory *memory)
{
    pthread_mutex_unlock(&memory->mutex);
}

size_t as_throttles_get_size(void)
{
    return sizeof(as_throttle_memory);
}

bool as_throttles_begin(void *into)
{
    as_throttle_memory *memory = into;
    pthread_mutexattr_t attributes;
    bool begun;

    if (RAND_bytes(memory->key.octets, sizeof memory->key.octets) != 1 || pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    memory->offset = apr_time_now() - as_clock_read_mono();
    begun = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
            pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
            pthread_mutex_init(&memory->mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return begun;
}
