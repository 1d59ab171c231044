/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: what a store returned. The first octet says how it is given: as it is, which must never be taken for a record;
 * or sealed by our own key, as a machine that has it and runs another version may do. seeds.c writes its corpus.
 */
#include "fuzz.h"
#include <sys/mman.h>

#include "../golden/records.h"
#include "cache/throttle_private.h"

static const as_throttle throttle = {4, 300 * APR_USEC_PER_SEC, true, true, false};
static const apr_time_t now = GOLDEN_NOW;

typedef struct input {
    as_cache *memory;
    as_throttles *throttles;
    const uint8_t *data;
    size_t size;
    bool sealed;
} input;

static apr_status_t retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                             unsigned int *length, apr_pool_t *pool)
{
    const input *in = context;
    size_t size = in->size;

    (void)pool;
    if (in->sealed) {
        size = as_record_seal(in->memory, id, in->data, in->size, data);
    } else {
        size = size < *length ? size : *length;
        memcpy(data, in->data, size);
    }
    *length = (unsigned int)size;
    return size > 0 ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t keep(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                         const unsigned char *data, unsigned int length, apr_pool_t *pool)
{
    (void)context, (void)id, (void)expiry, (void)data, (void)pool;
    must(length <= AS_STORED_MAX);
    return APR_SUCCESS;
}

static apr_status_t drop(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *pool)
{
    (void)context, (void)id, (void)pool;
    return APR_SUCCESS;
}

static void check_answer(const as_cached_answer *answer)
{
    as_class of = as_outcome_describe(answer->finding.outcome)->of;

    must(of == AS_CLASS_GRANTED || of == AS_CLASS_REFUSED || of == AS_CLASS_UNAUTHENTICATED);
    must(of != AS_CLASS_GRANTED || answer->finding.proven);
    must(answer->dn != NULL && strlen(answer->dn) < AS_STORED_MAX);
    must(strlen(answer->finding.subcode) < AS_SUBCODE_SIZE);
    must(answer->finding.expires_in >= -1 && answer->finding.grace_logins >= -1);
    must((answer->values == NULL) == (answer->value_count == 0));
    for (int i = 0; i < answer->value_count; i++) {
        for (as_values value = answer->values[i]; value && *value; value++) {
            must(strlen(*value) < AS_STORED_MAX);
        }
    }
}

static void check_parsed(const as_cache *memory, const input *in, apr_pool_t *pool)
{
    as_record record;
    size_t length;
    unsigned char *again;

    if (!as_record_parse(memory, in->data, in->size, (as_moment){now, now}, pool, &record)) {
        return;
    }
    again = as_record_encode(memory, &record, &length);
    must(again == NULL || length <= AS_PAYLOAD_MAX);
    free(again);
}

static int64_t none(void)
{
    return 0;
}

static int64_t stopped(void)
{
    return now;
}

static void check(const input *in, apr_pool_t *pool)
{
    as_cached_answer answer;
    apr_time_t stamp;
    long wait;

    if (as_cache_get(in->memory, &golden_subject, now, pool, &answer)) {
        must(in->sealed);
        check_answer(&answer);
    }
    as_throttle_keep_spelling(in->throttles, "directory", "Alice", "alice");
    wait = as_throttle_check_spelling(in->throttles, &throttle, "directory", "Alice", pool);
    must(wait >= 0 && wait <= 300);
    must(wait == 0 || in->sealed);
    must(as_throttle_admit(in->throttles, &throttle, &(as_counted_bind){"alice", AS_BIND_GUESS, 0}, pool, &stamp) ==
         wait);
    as_throttle_record_success(in->throttles, "alice", stamp, pool);
    wait = as_throttle_check_client(in->throttles, &throttle, "192.0.2.1", pool);
    must(wait >= 0 && wait <= 300);
    as_throttle_count_client(in->throttles, &throttle, "192.0.2.1", pool);
    check_parsed(in->memory, in, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {.data = data + 1, .size = size - 1};
    as_store store = {&in, retrieve, keep, drop, false};
    as_throttle_memory *memory;
    apr_pool_t *pool;

    if (size == 0) {
        return 0;
    }
    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    in.memory = golden_cache(pool, &store);
    must(in.memory != NULL);
    in.sealed = data[0] == 's';
    memory = mmap(NULL, as_throttles_get_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED && as_throttles_begin(memory));
    memory->offset = now;
    in.throttles = as_throttles_create(pool, memory, in.memory);
    in.throttles->mono = none;
    in.throttles->wall = stopped;
    check(&in, pool);
    apr_pool_destroy(pool);
    munmap(memory, as_throttles_get_size());
    return 0;
}
