/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process remembers: a fixed number of cells, each with a payload of bounded size. Under a lock at most one
 * payload is copied; none is made or freed.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* A cell is claimed, filled, and linked into its bucket; unlinked, emptied, and free. Only a linked one is seen. */
struct as_cell {
    as_slot slot;
    uint32_t bucket;             /* does not change while it is linked */
    uint32_t next;               /* of its bucket, under the bucket's lock; or of the free ones, under cells_lock */
    _Atomic uint32_t stamp;      /* another one whenever what is in it changes or goes; never 0 then */
    atomic_bool linked, is_read; /* is_read: since the hand came by */
};

/* As far as the hand goes for one cell to find one that was not read; then it takes what comes. */
#define HAND_MOST 256

static uint32_t power_of_two(uint32_t least)
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
    /* Pages of cells that are not used yet cost nothing. */
    table->cells = calloc((size_t)entries, sizeof *table->cells);
    table->heads = calloc(power_of_two((uint32_t)entries), sizeof *table->heads);
    if (!table->cells || !table->heads) {
        free(table->cells);
        free(table->heads);
        table->cells = NULL;
        return false;
    }
    table->capacity = (uint32_t)entries;
    table->buckets = power_of_two((uint32_t)entries);
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

static uint32_t bucket_of(const as_table *table, const unsigned char *id)
{
    return (uint32_t)as_get_number(id, 8) & (table->buckets - 1);
}

static pthread_mutex_t *lock_of(as_table *table, uint32_t bucket)
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

static uint32_t number_of(const as_table *table, const as_cell *cell)
{
    return (uint32_t)(cell - table->cells) + 1;
}

/* What was found there before is no longer there. */
static void stamp(as_cell *cell)
{
    uint32_t next = atomic_load_explicit(&cell->stamp, memory_order_relaxed) + 1;

    atomic_store_explicit(&cell->stamp, next == 0 ? 1 : next, memory_order_release);
}

static void link_cell(as_table *table, as_cell *cell)
{
    cell->next = table->heads[cell->bucket];
    table->heads[cell->bucket] = number_of(table, cell);
    stamp(cell);
    atomic_store_explicit(&cell->linked, true, memory_order_release);
}

/* Returns what was in it, to be freed without the lock. */
static unsigned char *unlink_cell(as_table *table, as_cell *cell)
{
    uint32_t *at = &table->heads[cell->bucket], number = number_of(table, cell);
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

static bool is_wanted(const as_slot *slot, const as_wanted *wanted)
{
    return (!wanted->proof || CRYPTO_memcmp(slot->proof, wanted->proof, AS_SIPHASH_SIZE) == 0) &&
           (slot->place == AS_NO_PLACE || slot->generation == as_generation(wanted->counters, slot->place));
}

static void note_read(as_cell *cell)
{
    /* What is set already is not written: processors would take the line from each other. */
    if (!atomic_load_explicit(&cell->is_read, memory_order_relaxed)) {
        atomic_store_explicit(&cell->is_read, true, memory_order_relaxed);
    }
}

static as_acceptance acceptance_of(const as_table *table, as_cell *cell)
{
    const as_slot *slot = &cell->slot;
    as_acceptance found = {
        .cell = number_of(table, cell) - 1,
        .stamp = atomic_load_explicit(&cell->stamp, memory_order_relaxed),
        .place = slot->place,
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
    table->free = number_of(table, cell);
    pthread_mutex_unlock(&table->cells_lock.mutex);
}

/* The cell under the hand, if it may go, or if it must; under cells_lock, which keeps those that are not linked from
 * being claimed. */
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
    lock = lock_of(table, cell->bucket);
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

/* A cell that nobody else sees; NULL: all of them are being filled by others. */
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

/* ---- all of it ---- */

unsigned char *as_table_get(as_table *table, const as_wanted *wanted, apr_pool_t *pool, size_t *length)
{
    unsigned char *copy = NULL, *gone = NULL;
    as_cell *cell, *empty = NULL;
    uint32_t bucket;

    if (table->capacity == 0) {
        return NULL;
    }
    bucket = bucket_of(table, wanted->id);
    pthread_mutex_lock(lock_of(table, bucket));
    cell = find(table, bucket, wanted->id);
    if (cell && !is_good(&cell->slot, wanted->now)) {
        gone = unlink_cell(table, cell);
        empty = cell;
    } else if (cell && is_wanted(&cell->slot, wanted)) {
        *length = cell->slot.length;
        copy = apr_palloc(pool, cell->slot.length);
        memcpy(copy, cell->slot.payload, cell->slot.length);
        note_read(cell);
        if (wanted->found) {
            *wanted->found = acceptance_of(table, cell);
        }
    }
    pthread_mutex_unlock(lock_of(table, bucket));
    if (empty) {
        release(table, empty);
    }
    free(gone);
    return copy;
}

bool as_table_has(const as_table *table, const as_acceptance *found)
{
    const as_cell *cell;

    if (found->stamp == 0 || found->cell >= table->capacity) {
        return false;
    }
    cell = &table->cells[found->cell];
    return atomic_load_explicit(&cell->stamp, memory_order_acquire) == found->stamp;
}

void as_table_note_read(as_table *table, const as_acceptance *found)
{
    note_read(&table->cells[found->cell]);
}

/* Replaces what is in a linked cell, or finds that it is to stay. Returns what is to be freed. */
static unsigned char *replace(as_cell *cell, const as_slot *what, as_moment now, bool *put)
{
    unsigned char *gone = what->payload;

    if (is_good(&cell->slot, now) && cell->slot.born.mono > what->born.mono) {
        *put = false;
    } else if (what->payload) {
        gone = cell->slot.payload;
        cell->slot = *what;
        stamp(cell);
    }
    return gone;
}

/* Puts it where it was, or into `cell`. Returns what is to be freed. */
static unsigned char *put_into(as_table *table, as_cell *cell, const as_slot *what, as_moment now, bool *put,
                               bool *taken)
{
    const uint32_t bucket = bucket_of(table, what->id);
    unsigned char *gone = what->payload;
    as_cell *there;

    *taken = false;
    pthread_mutex_lock(lock_of(table, bucket));
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
    pthread_mutex_unlock(lock_of(table, bucket));
    return gone;
}

static bool is_there(as_table *table, const unsigned char *id)
{
    const uint32_t bucket = bucket_of(table, id);
    bool there;

    pthread_mutex_lock(lock_of(table, bucket));
    there = find(table, bucket, id) != NULL;
    pthread_mutex_unlock(lock_of(table, bucket));
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

void as_table_remove(as_table *table, const unsigned char *id)
{
    unsigned char *gone = NULL;
    as_cell *cell;
    uint32_t bucket;

    if (table->capacity == 0) {
        return;
    }
    bucket = bucket_of(table, id);
    pthread_mutex_lock(lock_of(table, bucket));
    cell = find(table, bucket, id);
    if (cell) {
        gone = unlink_cell(table, cell);
    }
    pthread_mutex_unlock(lock_of(table, bucket));
    if (cell) {
        release(table, cell);
    }
    free(gone);
}
