/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache of a process: a fixed number of cells, each with a payload of bounded size. Under a lock at most one
 * payload is copied; none is allocated or freed.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* A cell is claimed, filled, and linked into its bucket; unlinked, emptied, and free. Readers see only linked cells. */
struct as_cell {
    as_slot slot;
    uint32_t bucket;             /* constant while the cell is linked */
    uint32_t next;               /* next in the bucket, under the bucket's lock; or next free cell, under cells_lock */
    _Atomic uint32_t stamp;      /* changes whenever the content changes or goes; never 0 then */
    atomic_bool linked, is_read; /* is_read: since the clock hand passed */
};

/* The most cells that the hand passes to find an unread one; then it takes the next. */
#define HAND_MOST 256

static uint32_t round_up_to_power_of_two(uint32_t least)
{
    uint32_t power = AS_SHARDS;

    while (power < least) {
        power *= 2;
    }
    return power;
}

bool as_table_create(as_table *table, int entries)
{
    memset(table, 0, sizeof *table);
    if (entries <= 0) {
        return true;
    }
    /* Pages of unused cells cost no memory. */
    table->cells = calloc((size_t)entries, sizeof *table->cells);
    table->heads = calloc(round_up_to_power_of_two((uint32_t)entries), sizeof *table->heads);
    if (!table->cells || !table->heads) {
        free(table->cells);
        free(table->heads);
        table->cells = NULL;
        return false;
    }
    table->capacity = (uint32_t)entries;
    table->buckets = round_up_to_power_of_two((uint32_t)entries);
    pthread_mutex_init(&table->cells_lock.mutex, NULL);
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_init(&table->locks[i].mutex, NULL);
    }
    return true;
}

void as_table_destroy(as_table *table)
{
    if (table->capacity == 0) {
        return;
    }
    for (uint32_t i = 0; i < table->used; i++) {
        free(table->cells[i].slot.payload);
    }
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_destroy(&table->locks[i].mutex);
    }
    pthread_mutex_destroy(&table->cells_lock.mutex);
    free(table->cells);
    free(table->heads);
    table->cells = NULL;
    table->capacity = 0;
}

static uint32_t choose_bucket(const as_table *table, const unsigned char *id)
{
    return (uint32_t)as_get_number(id, 8) & (table->buckets - 1);
}

static pthread_mutex_t *choose_lock(as_table *table, uint32_t bucket)
{
    return &table->locks[bucket % AS_SHARDS].mutex;
}

/* ---- under the bucket's lock ---- */

static as_cell *find(as_table *table, uint32_t bucket, const unsigned char *id)
{
    for (uint32_t at = table->heads[bucket]; at != 0; at = table->cells[at - 1].next) {
        as_cell *cell = &table->cells[at - 1];
        if (memcmp(cell->slot.id, id, AS_SIPHASH_SIZE) == 0) {
            return cell;
        }
    }
    return NULL;
}

static uint32_t get_number(const as_table *table, const as_cell *cell)
{
    return (uint32_t)(cell - table->cells) + 1;
}

/* Changes the stamp: what was found there before is invalid. */
static void stamp(as_cell *cell)
{
    uint32_t next = atomic_load_explicit(&cell->stamp, memory_order_relaxed) + 1;

    atomic_store_explicit(&cell->stamp, next == 0 ? 1 : next, memory_order_release);
}

static void link_cell(as_table *table, as_cell *cell)
{
    cell->next = table->heads[cell->bucket];
    table->heads[cell->bucket] = get_number(table, cell);
    stamp(cell);
    atomic_store_explicit(&cell->linked, true, memory_order_release);
}

/* Unlinks a cell. Returns its payload, for the caller to free without the lock. */
static unsigned char *unlink_cell(as_table *table, as_cell *cell)
{
    uint32_t *at = &table->heads[cell->bucket], number = get_number(table, cell);
    unsigned char *payload = cell->slot.payload;

    while (*at != number) {
        at = &table->cells[*at - 1].next;
    }
    *at = cell->next;
    stamp(cell);
    atomic_store_explicit(&cell->linked, false, memory_order_release);
    cell->slot.payload = NULL;
    return payload;
}

static bool is_good(const as_slot *slot, as_moment now)
{
    return as_moment_is_within(slot->born, slot->good_for, now);
}

static bool is_kept(const as_slot *slot, as_moment now)
{
    return as_moment_is_within(slot->born, slot->good_for + slot->stale_for, now);
}

static bool is_wanted(const as_slot *slot, const as_wanted *wanted)
{
    return (!wanted->proof || CRYPTO_memcmp(slot->proof, wanted->proof, AS_SIPHASH_SIZE) == 0) &&
           (slot->generation_index == AS_NO_GENERATION ||
            slot->generation == as_generation_get(wanted->counters, slot->generation_index));
}

static void note_read(as_cell *cell)
{
    /* Avoids a needless write, so that processors do not contend for the line. */
    if (!atomic_load_explicit(&cell->is_read, memory_order_relaxed)) {
        atomic_store_explicit(&cell->is_read, true, memory_order_relaxed);
    }
}

static as_acceptance identify_acceptance(const as_table *table, as_cell *cell)
{
    const as_slot *slot = &cell->slot;
    as_acceptance found = {
        .cell = get_number(table, cell) - 1,
        .stamp = atomic_load_explicit(&cell->stamp, memory_order_relaxed),
        .generation_index = slot->generation_index,
        .generation = slot->generation,
        .born = slot->born,
        .good_for = slot->good_for,
    };

    return found;
}

/* ---- cells ---- */

static void release(as_table *table, as_cell *cell)
{
    pthread_mutex_lock(&table->cells_lock.mutex);
    cell->next = table->free;
    table->free = get_number(table, cell);
    pthread_mutex_unlock(&table->cells_lock.mutex);
}

/* Evicts the cell under the hand, if it may go or must; under cells_lock, which keeps unlinked cells from being
 * claimed. */
static as_cell *evict(as_table *table, as_moment now, bool must, unsigned char **gone)
{
    as_cell *cell, *evicted = NULL;
    pthread_mutex_t *lock;

    if (!table->cells) {
        return NULL;
    }
    cell = &table->cells[table->hand];
    table->hand = (table->hand + 1) % table->capacity;
    if (!atomic_load_explicit(&cell->linked, memory_order_acquire)) {
        return NULL;
    }
    lock = choose_lock(table, cell->bucket);
    pthread_mutex_lock(lock);
    if (atomic_load_explicit(&cell->linked, memory_order_relaxed)) {
        if (must || !is_good(&cell->slot, now) || !atomic_load_explicit(&cell->is_read, memory_order_relaxed)) {
            *gone = unlink_cell(table, cell);
            evicted = cell;
        } else {
            atomic_store_explicit(&cell->is_read, false, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(lock);
    return evicted;
}

/* Claims a cell that no other thread sees; NULL: other threads are filling all of them. */
static as_cell *claim(as_table *table, as_moment now, unsigned char **gone)
{
    as_cell *cell = NULL;

    pthread_mutex_lock(&table->cells_lock.mutex);
    if (table->free != 0) {
        cell = &table->cells[table->free - 1];
        table->free = cell->next;
    } else if (table->used < table->capacity) {
        cell = &table->cells[table->used++];
    }
    for (uint32_t i = 0; !cell && i < HAND_MOST + table->capacity; i++) {
        cell = evict(table, now, i >= HAND_MOST, gone);
    }
    pthread_mutex_unlock(&table->cells_lock.mutex);
    return cell;
}

/* ---- the table ---- */

unsigned char *as_table_get(as_table *table, const as_wanted *wanted, apr_pool_t *pool, size_t *length)
{
    unsigned char *copy = NULL, *gone = NULL;
    as_cell *cell, *empty = NULL;
    uint32_t bucket;

    if (table->capacity == 0) {
        return NULL;
    }
    bucket = choose_bucket(table, wanted->id);
    pthread_mutex_lock(choose_lock(table, bucket));
    cell = find(table, bucket, wanted->id);
    if (cell && !is_kept(&cell->slot, wanted->now)) {
        gone = unlink_cell(table, cell);
        empty = cell;
    } else if (cell && is_wanted(&cell->slot, wanted)) {
        *length = cell->slot.length;
        copy = apr_palloc(pool, cell->slot.length);
        memcpy(copy, cell->slot.payload, cell->slot.length);
        note_read(cell);
        if (wanted->found) {
            *wanted->found = identify_acceptance(table, cell);
        }
    }
    pthread_mutex_unlock(choose_lock(table, bucket));
    if (empty) {
        release(table, empty);
    }
    free(gone);
    return copy;
}

AS_HOT bool as_table_has(const as_table *table, const as_acceptance *found)
{
    const as_cell *cell;

    if (found->stamp == 0 || found->cell >= table->capacity) {
        return false;
    }
    cell = &table->cells[found->cell];
    return atomic_load_explicit(&cell->stamp, memory_order_acquire) == found->stamp;
}

AS_HOT void as_table_note_read(as_table *table, const as_acceptance *found)
{
    note_read(&table->cells[found->cell]);
}

/* Replaces the content of a linked cell, or finds that it must stay. Returns the payload to free. */
static unsigned char *replace(as_cell *cell, const as_slot *what, as_moment now, bool *put)
{
    unsigned char *gone = what->payload;

    if (is_kept(&cell->slot, now) && cell->slot.born.mono > what->born.mono) {
        *put = false;
    } else if (what->payload) {
        gone = cell->slot.payload;
        cell->slot = *what;
        stamp(cell);
    }
    return gone;
}

/* Puts a payload into its present cell, or into `cell`. Returns the payload to free. */
static unsigned char *put_into(as_table *table, as_cell *cell, const as_slot *what, as_moment now, bool *put,
                               bool *taken)
{
    const uint32_t bucket = choose_bucket(table, what->id);
    unsigned char *gone = what->payload;
    as_cell *there;

    *taken = false;
    pthread_mutex_lock(choose_lock(table, bucket));
    there = find(table, bucket, what->id);
    if (there) {
        gone = replace(there, what, now, put);
    } else if (cell) {
        cell->slot = *what;
        cell->bucket = bucket;
        atomic_store_explicit(&cell->is_read, false, memory_order_relaxed);
        link_cell(table, cell);
        *taken = true;
        gone = NULL;
    }
    pthread_mutex_unlock(choose_lock(table, bucket));
    return gone;
}

static bool is_there(as_table *table, const unsigned char *id)
{
    const uint32_t bucket = choose_bucket(table, id);
    bool there;

    pthread_mutex_lock(choose_lock(table, bucket));
    there = find(table, bucket, id) != NULL;
    pthread_mutex_unlock(choose_lock(table, bucket));
    return there;
}

bool as_table_put(as_table *table, const as_slot *what, as_moment now)
{
    unsigned char *evicted = NULL, *gone;
    as_cell *cell = NULL;
    bool put = true, taken = false;

    if (table->capacity == 0) {
        free(what->payload);
        return true;
    }
    if (what->payload && !is_there(table, what->id)) {
        cell = claim(table, now, &evicted);
    }
    gone = put_into(table, cell, what, now, &put, &taken);
    if (cell && !taken) {
        release(table, cell);
    }
    free(evicted);
    free(gone);
    return put;
}

bool as_table_remove(as_table *table, const unsigned char *id, const unsigned char *proof)
{
    unsigned char *gone = NULL;
    as_cell *cell;
    uint32_t bucket;

    if (table->capacity == 0) {
        return false;
    }
    bucket = choose_bucket(table, id);
    pthread_mutex_lock(choose_lock(table, bucket));
    cell = find(table, bucket, id);
    if (cell && proof && CRYPTO_memcmp(cell->slot.proof, proof, AS_SIPHASH_SIZE) != 0) {
        cell = NULL;
    }
    if (cell) {
        gone = unlink_cell(table, cell);
    }
    pthread_mutex_unlock(choose_lock(table, bucket));
    if (cell) {
        release(table, cell);
    }
    free(gone);
    return cell != NULL;
}
