/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a process: its beginning and its end, and its clocks.
 */
#include "memory_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

/* Failures are counted here where the store is away: enough for an office, whatever the cache is set to. */
#define FAILURES_LEAST 1024

int64_t as_memory_mono(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

as_moment as_moment_at(const as_memory *memory, apr_time_t now)
{
    return (as_moment){now, memory->mono()};
}

bool as_moment_age(as_moment then, as_moment now, apr_interval_time_t *age)
{
    apr_interval_time_t wall = now.wall - then.wall;
    int64_t mono = now.mono - then.mono;

    *age = wall > mono ? wall : mono;
    if (*age < 0) {
        *age = 0;
    }
    return wall >= -AS_CLOCK_TOLERANCE && mono >= -AS_CLOCK_TOLERANCE;
}

/* Without Linux's /proc (or in a chroot) it stays unknown, and records are judged by the wall clock alone. */
static void learn_boot(as_memory *memory)
{
    unsigned char hash[AS_HASH_SIZE];
    char id[64] = "";
    as_octets parts[] = {{"boot", 4}, {id, 0}};
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (!file) {
        return;
    }
    if (fgets(id, sizeof id, file) && *id != '\0') {
        parts[1].length = strlen(id);
        if (as_keyed_hash(&memory->keyed, parts, 2, hash)) {
            memcpy(memory->boot, hash, AS_BOOT_SIZE);
        }
    }
    fclose(file);
}

static bool create_tables(as_memory *memory, int entries)
{
    int refusals = entries > 0 ? entries / 4 : 0;
    int failures = entries > FAILURES_LEAST ? entries : FAILURES_LEAST;

    return as_table_create(&memory->acceptances, entries - refusals) && as_table_create(&memory->refusals, refusals) &&
           as_table_create(&memory->entries, entries) && as_table_create(&memory->user_failures, failures) &&
           as_table_create(&memory->client_failures, failures);
}

static void destroy(as_memory *memory)
{
    as_table *tables[] = {&memory->acceptances, &memory->refusals, &memory->entries, &memory->user_failures,
                          &memory->client_failures};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        as_table_destroy(tables[i]);
    }
    as_keyed_destroy(&memory->keyed);
    OPENSSL_cleanse(&memory->near, sizeof memory->near);
}

static apr_status_t cleanup(void *data)
{
    as_memory *memory = data;

    as_flights_destroy(&memory->flights);
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_destroy(&memory->counting[i].mutex);
    }
    destroy(memory);
    return APR_SUCCESS;
}

as_memory *as_memory_create(apr_pool_t *pool, const as_memory_times *times, const as_store *store,
                            const unsigned char *key, size_t key_length, int entries)
{
    as_memory *memory = key_length < AS_KEY_SIZE ? NULL : apr_pcalloc(pool, sizeof *memory);

    if (!memory) {
        return NULL;
    }
    memory->times = *times;
    memory->mono = as_memory_mono;
    as_shared_init(&memory->shared, store);
    if (!as_keyed_create(&memory->keyed, key, key_length) || !as_near_create(&memory->near) ||
        !create_tables(memory, entries) || !as_flights_create(&memory->flights)) {
        destroy(memory);
        return NULL;
    }
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_init(&memory->counting[i].mutex, NULL);
    }
    learn_boot(memory);
    apr_pool_cleanup_register(pool, memory, cleanup, apr_pool_cleanup_null);
    return memory;
}

void as_memory_set_counters(as_memory *memory, as_counters *counters)
{
    memory->counters = counters;
}
