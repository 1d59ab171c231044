/* SPDX-License-Identifier: Apache-2.0
 *
 * The lookaside: acceptances by the header that the client sent. Cells in sets of WAYS, each under a sequence lock: an
 * odd number during a write, another even one afterwards. Readers take no lock and write nothing; a writer that
 * collides with another gives up. All shared data is atomic, so that a torn read is detected, and no undefined
 * behaviour.
 */
#include "cache_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define WAYS 4
#define DATA_WORDS (AS_LOOKASIDE_DATA / 8)

/* The head of a cell's data. */
typedef struct head {
    as_lookaside_key key;
    as_acceptance acceptance;
    uint64_t length;
} head;

#define HEAD_WORDS (sizeof(head) / 8)

struct as_lookaside_cell {
    _Atomic uint32_t sequence;
    _Atomic uint64_t head[HEAD_WORDS], data[DATA_WORDS];
};

static_assert(sizeof(head) % 8 == 0 && sizeof(as_acceptance) % 8 == 0, "a head is made of whole words");

/* ---- life ---- */

bool as_lookaside_create(as_lookaside *lookaside, int acceptances)
{
    uint32_t sets = 1;

    memset(lookaside, 0, sizeof *lookaside);
    if (acceptances <= 0) {
        return true;
    }
    /* Twice as many cells as acceptances: few sets are full then. */
    while (sets * WAYS < (uint32_t)acceptances * 2) {
        sets *= 2;
    }
    lookaside->cells = calloc((size_t)sets * WAYS, sizeof *lookaside->cells);
    if (!lookaside->cells || !as_siphash_create(&lookaside->key)) {
        return false;
    }
    lookaside->sets = sets;
    return true;
}

void as_lookaside_destroy(as_lookaside *lookaside)
{
    free(lookaside->cells);
    OPENSSL_cleanse(lookaside, sizeof *lookaside);
}

/* ---- keys ---- */

static void hash_into(const as_siphash_key *with, const void *octets, size_t length, as_lookaside_key *key)
{
    unsigned char hash[AS_SIPHASH_SIZE];

    as_siphash_hash_octets(with, octets, length, hash);
    memcpy(key, hash, sizeof hash);
}

void as_lookaside_make_key(const as_cache *cache, const void *about, size_t length, as_lookaside_key *own)
{
    hash_into(&cache->lookaside.key, about, length, own);
}

AS_HOT void as_lookaside_hash(const as_lookaside_key *own, const char *octets, size_t length, as_lookaside_key *key)
{
    as_siphash_key with;

    memcpy(with.octets, own, sizeof with.octets);
    hash_into(&with, octets, length, key);
}

/* Spreads each bit over all, and maps no two numbers to one. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ number >> 32) * 0xd6e8feb86659fd93;
    number = (number ^ number >> 32) * 0xd6e8feb86659fd93;
    return number ^ number >> 32;
}

as_lookaside_key as_lookaside_hash_numbers(const as_lookaside_key *from, uint64_t one, uint64_t two)
{
    const as_lookaside_key key = {mix(mix(from->left ^ one) ^ two), mix(mix(from->right ^ two) ^ one)};

    return key;
}

static bool is_same(const as_lookaside_key *one, const as_lookaside_key *other)
{
    return one->left == other->left && one->right == other->right;
}

static as_lookaside_cell *choose_set(const as_lookaside *lookaside, const as_lookaside_key *key)
{
    return lookaside->cells + (size_t)(key->right & (lookaside->sets - 1)) * WAYS;
}

/* ---- reading ---- */

static void read_words(uint64_t *to, const _Atomic uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Read after the sequence, and before the second read of it. */
        to[i] = atomic_load_explicit(&from[i], memory_order_acquire);
    }
}

/* Returns false during a write. */
static bool begin_reading(const as_lookaside_cell *cell, uint32_t *sequence)
{
    *sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
    return *sequence % 2 == 0;
}

static bool was_whole(const as_lookaside_cell *cell, uint32_t sequence)
{
    return atomic_load_explicit(&cell->sequence, memory_order_relaxed) == sequence;
}

static bool read_head(const as_lookaside_cell *cell, head *of)
{
    uint64_t words[HEAD_WORDS];
    uint32_t sequence;

    if (!begin_reading(cell, &sequence)) {
        return false;
    }
    read_words(words, cell->head, HEAD_WORDS);
    memcpy(of, words, sizeof *of);
    return was_whole(cell, sequence);
}

/* Reads the cell's answer and data for the key. */
static AS_HOT bool read_cell(const as_lookaside_cell *cell, const as_lookaside_key *key, as_lookaside_answer *answer)
{
    uint64_t words[HEAD_WORDS];
    uint32_t sequence;
    head of;

    if (atomic_load_explicit(&cell->head[0], memory_order_relaxed) != key->left || !begin_reading(cell, &sequence)) {
        return false;
    }
    read_words(words, cell->head, HEAD_WORDS);
    memcpy(&of, words, sizeof of);
    if (!is_same(&of.key, key) || of.length > AS_LOOKASIDE_DATA) {
        return false;
    }
    read_words(answer->words, cell->data, ((size_t)of.length + 7) / 8);
    answer->acceptance = of.acceptance;
    answer->length = (uint32_t)of.length;
    return was_whole(cell, sequence);
}

static as_table *choose_table(as_cache *cache, const as_acceptance *acceptance)
{
    return acceptance->is_refusal ? &cache->refusals : &cache->acceptances;
}

AS_HOT bool as_acceptance_is_valid(const as_cache *cache, const as_acceptance *acceptance, as_moment now)
{
    return as_moment_is_within(acceptance->born, acceptance->good_for, now) &&
           (acceptance->generation_index == AS_NO_GENERATION ||
            as_generation_get(cache->counters, acceptance->generation_index) == acceptance->generation) &&
           as_table_has(acceptance->is_refusal ? &cache->refusals : &cache->acceptances, acceptance);
}

AS_HOT bool as_lookaside_get(as_cache *cache, const as_lookaside_key *key, as_moment now, as_lookaside_answer *answer)
{
    const as_lookaside_cell *set;

    if (cache->lookaside.sets == 0) {
        return false;
    }
    set = choose_set(&cache->lookaside, key);
    for (int i = 0; i < WAYS; i++) {
        if (read_cell(&set[i], key, answer)) {
            if (!as_acceptance_is_valid(cache, &answer->acceptance, now)) {
                return false;
            }
            as_table_note_read(choose_table(cache, &answer->acceptance), &answer->acceptance);
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

/* Chooses the cell with the key; else one with an expired acceptance; else one by the hash, which is random. */
static as_lookaside_cell *choose_cell(const as_cache *cache, const as_lookaside_key *key, as_moment now)
{
    as_lookaside_cell *set = choose_set(&cache->lookaside, key), *over = NULL;
    head of;

    for (int i = 0; i < WAYS; i++) {
        if (read_head(&set[i], &of)) {
            if (is_same(&of.key, key)) {
                return &set[i];
            }
            if (!over && !as_acceptance_is_valid(cache, &of.acceptance, now)) {
                over = &set[i];
            }
        }
    }
    return over ? over : &set[key->left % WAYS];
}

static void write_words(_Atomic uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Written after the sequence is odd. */
        atomic_store_explicit(&to[i], from[i], memory_order_release);
    }
}

void as_lookaside_put(as_cache *cache, const as_lookaside_key *key, const as_acceptance *acceptance, const void *data,
                      size_t length, as_moment now)
{
    const head of = {.key = *key, .acceptance = *acceptance, .length = length};
    uint64_t words[HEAD_WORDS], data_words[DATA_WORDS] = {0};
    as_lookaside_cell *cell;
    uint32_t sequence;

    if (cache->lookaside.sets == 0 || length > AS_LOOKASIDE_DATA || acceptance->stamp == 0) {
        return;
    }
    cell = choose_cell(cache, key, now);
    sequence = atomic_load_explicit(&cell->sequence, memory_order_relaxed);
    if (sequence % 2 != 0 || !atomic_compare_exchange_strong_explicit(&cell->sequence, &sequence, sequence + 1,
                                                                      memory_order_acq_rel, memory_order_relaxed)) {
        return;
    }
    memcpy(words, &of, sizeof of);
    memcpy(data_words, data, length);
    write_words(cell->head, words, HEAD_WORDS);
    write_words(cell->data, data_words, (length + 7) / 8);
    atomic_store_explicit(&cell->sequence, sequence + 2, memory_order_release);
}
