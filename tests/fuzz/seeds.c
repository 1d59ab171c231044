/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the corpus of fuzz_record into a folder: what a store may return, as this version writes it, and what is
 * nearly that. The first octet says how it is given: 's' sealed by our key, 'r' as it is.
 */
#include <stdio.h>

#include "../golden/records.h"

static const char *folder;
static int failures;

static void write_seed(const char *name, char how, const unsigned char *octets, size_t length)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (!file || fputc(how, file) == EOF || (length && fwrite(octets, length, 1, file) != 1) || fclose(file) != 0) {
        fprintf(stderr, "%s: not written\n", path);
        failures++;
    }
}

static void write_sealed(const char *name, golden_record record)
{
    write_seed(name, 's', record.payload, record.length);
}

/* The same with another octet. */
static void write_changed(const char *name, golden_record record, size_t at, unsigned char octet)
{
    record.payload[at] = octet;
    write_sealed(name, record);
}

static void write_answers(const as_cache *cache)
{
    const golden_record acceptance =
        golden_answer(cache, AS_RECORD_ACCEPTANCE, AS_OUTCOME_PASSWORD_EXPIRING, GOLDEN_NOW);
    unsigned char sealed[AS_STORED_MAX];
    golden_record cut = acceptance;
    size_t length;

    cut.length -= 3;
    write_sealed("acceptance", acceptance);
    write_sealed("acceptance_cut", cut);
    write_changed("version_before", acceptance, 0, (unsigned char)(acceptance.payload[0] - 1));
    write_changed("version_after", acceptance, 0, (unsigned char)(acceptance.payload[0] + 1));
    write_changed("kind9", acceptance, 1, 9);
    write_seed("unsealed", 'r', acceptance.payload, acceptance.length);
    length = as_record_seal(cache, acceptance.id, acceptance.payload, acceptance.length, sealed);
    write_seed("sealed_twice", 's', sealed, length);
    write_sealed("refusal", golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_ACCOUNT_LOCKED, GOLDEN_NOW));
    write_sealed("wrong", golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_WRONG_PASSWORD, GOLDEN_NOW));
    write_sealed("future", golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_WRONG_PASSWORD,
                                         GOLDEN_NOW + 10 * APR_USEC_PER_SEC));
    write_sealed(
        "old", golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_WRONG_PASSWORD, GOLDEN_NOW - 39 * APR_USEC_PER_SEC));
    write_sealed("outage", golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_DIRECTORY_DOWN, GOLDEN_NOW));
    write_seed("empty", 'r', NULL, 0);
}

static void write_failures(const as_cache *cache)
{
    const golden_record full = golden_failures(cache, AS_RECORD_CLIENT_FAILURES, AS_THROTTLE_MOST);
    golden_record cleared = golden_failures(cache, AS_RECORD_CLIENT_FAILURES, 1);

    write_sealed("user_failures", golden_failures(cache, AS_RECORD_USER_FAILURES, 4));
    write_sealed("client_full", full);
    write_changed("too_many", full, 10, AS_THROTTLE_MOST + 1);
    as_put_number(cleared.payload + 2, GOLDEN_NOW + APR_USEC_PER_SEC, 8);
    write_sealed("client_cleared", cleared);
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    as_cache *cache;

    if (argc != 2) {
        fputs("usage: seeds FOLDER\n", stderr);
        return 2;
    }
    folder = argv[1];
    apr_initialize();
    apr_pool_create(&pool, NULL);
    cache = golden_cache(pool, NULL);
    if (!cache) {
        return 1;
    }
    write_answers(cache);
    write_failures(cache);
    apr_pool_destroy(pool);
    apr_terminate();
    return failures ? 1 : 0;
}
