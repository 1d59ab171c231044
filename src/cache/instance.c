/* SPDX-License-Identifier: Apache-2.0
 *
 * Creates and destroys the cache of a process, and sets its clocks.
 */
#include "cache_private.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

/* Reads the boot id. Without Linux's /proc (or in a chroot) it stays unknown, and the wall clock alone decides the
 * age of records. */
static void learn_boot(as_cache *memory)
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
        if (as_hmac_hash(&memory->keyed, parts, 2, hash)) {
            memcpy(memory->boot, hash, AS_BOOT_SIZE);
        }
    }
    fclose(file);
}

static bool create_tables(as_cache *memory, int entries)
{
    int refusals = entries > 0 ? entries / 4 : 0;

    return as_table_create(&memory->acceptances, entries) && as_lookaside_create(&memory->lookaside, entries) &&
           as_table_create(&memory->refusals, refusals) && as_table_create(&memory->entries, entries);
}

static void destroy(as_cache *memory)
{
    as_table *tables[] = {&memory->acceptances, &memory->refusals, &memory->entries};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        as_table_destroy(tables[i]);
    }
    as_lookaside_destroy(&memory->lookaside);
    as_hmac_destroy(&memory->keyed);
    OPENSSL_cleanse(&memory->local_key, sizeof memory->local_key);
}

static apr_status_t clean_up(void *data)
{
    as_cache *memory = data;

    as_single_flights_destroy(&memory->flights);
    destroy(memory);
    return APR_SUCCESS;
}

as_cache *as_cache_create(apr_pool_t *pool, const as_cache_times *times, const as_store *store,
                          const unsigned char *key, size_t key_length, int entries)
{
    as_cache *memory = key_length < AS_KEY_SIZE ? NULL : apr_pcalloc(pool, sizeof *memory);

    if (!memory) {
        return NULL;
    }
    memory->times = *times;
    memory->mono = as_clock_read_mono;
    as_shared_init(&memory->shared, store);
    if (!as_hmac_create(&memory->keyed, key, key_length) || !as_siphash_create(&memory->local_key) ||
        !create_tables(memory, entries) || !as_single_flights_create(&memory->flights)) {
        destroy(memory);
        return NULL;
    }
    learn_boot(memory);
    apr_pool_cleanup_register(pool, memory, clean_up, apr_pool_cleanup_null);
    return memory;
}

void as_cache_set_counters(as_cache *memory, as_counters *counters)
{
    memory->counters = counters;
}

const as_cache_times *as_cache_get_times(const as_cache *memory)
{
    return &memory->times;
}
