/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the cache, compared octet for octet with tests/golden/records.tsv. Machines with one store may run other
 * versions: a format that changes needs a new version in its first octet, and a new row in that file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../golden/records.h"

static apr_pool_t *pool;
static as_cache *cache;

static void to_hex(const unsigned char *octets, size_t length, char *hex)
{
    for (size_t i = 0; i < length; i++) {
        snprintf(hex + 2 * i, 3, "%02x", octets[i]);
    }
}

/* "name version id sealed", with tabs. */
static void describe(const char *name, const golden_record *record, char *line, size_t size)
{
    static char sealed_hex[2 * AS_STORED_MAX + 1], id_hex[2 * AS_HASH_SIZE + 1];
    unsigned char sealed[AS_STORED_MAX];
    const size_t length = as_record_seal(cache, record->id, record->payload, record->length, sealed);

    assert_true(record->length > 0 && length > record->length);
    to_hex(record->id, AS_HASH_SIZE, id_hex);
    to_hex(sealed, length, sealed_hex);
    assert_true((size_t)snprintf(line, size, "%s\t%d\t%s\t%s", name, record->payload[0], id_hex, sealed_hex) < size);
}

static FILE *golden(void)
{
    const char *source = getenv("AUTHSTATUS_SOURCE");
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/tests/golden/records.tsv", source ? source : ".");
    file = fopen(path, "r");
    if (!file) {
        fail_msg("%s cannot be read", path);
    }
    return file;
}

/* Compares a record with the row that has its name and its version. */
static void compare(const char *name, const golden_record record)
{
    static char is[4 * AS_STORED_MAX], was[4 * AS_STORED_MAX];
    char head[64];
    FILE *file = golden();
    bool found = false;

    describe(name, &record, is, sizeof(is));
    snprintf(head, sizeof(head), "%s\t%d\t", name, record.payload[0]);
    while (!found && fgets(was, sizeof(was), file)) {
        found = !strncmp(was, head, strlen(head));
    }
    fclose(file);
    was[strcspn(was, "\n")] = '\0';
    if (!found) {
        fail_msg("tests/golden/records.tsv has no row %s of version %d; add one below the others:\n%s", name,
                 record.payload[0], is);
    }
    if (strcmp(is, was) != 0) {
        fail_msg("the format of %s is another: raise its VERSION.\nis:  %s\nwas: %s", name, is, was);
    }
}

static void test_answers(void **state)
{
    const golden_record acceptance =
        golden_answer(cache, AS_RECORD_ACCEPTANCE, AS_OUTCOME_PASSWORD_EXPIRING, GOLDEN_NOW);
    const golden_record refusal = golden_answer(cache, AS_RECORD_REFUSAL, AS_OUTCOME_ACCOUNT_LOCKED, GOLDEN_NOW);
    as_record read;

    (void)state;
    compare("acceptance", acceptance);
    compare("refusal", refusal);
    assert_true(as_record_parse(cache, acceptance.payload, acceptance.length, (as_moment){GOLDEN_NOW, GOLDEN_NOW}, pool,
                                &read));
    assert_int_equal(read.answer.finding.outcome, AS_OUTCOME_PASSWORD_EXPIRING);
    assert_true(
        as_record_parse(cache, refusal.payload, refusal.length, (as_moment){GOLDEN_NOW, GOLDEN_NOW}, pool, &read));
    assert_int_equal(read.answer.finding.outcome, AS_OUTCOME_ACCOUNT_LOCKED);
}

static void test_failures(void **state)
{
    (void)state;
    compare("user-failures", golden_failures(cache, AS_RECORD_USER_FAILURES, 4));
    compare("client-failures", golden_failures(cache, AS_RECORD_CLIENT_FAILURES, 1));
}

/* A record of another version is none. */
static void test_other_versions(void **state)
{
    golden_record record = golden_answer(cache, AS_RECORD_ACCEPTANCE, AS_OUTCOME_GRANTED, GOLDEN_NOW);
    golden_record failures = golden_failures(cache, AS_RECORD_USER_FAILURES, 4);
    const unsigned char own = record.payload[0], its = failures.payload[0];
    as_failures list;
    as_record read;

    (void)state;
    for (int version = 0; version < 256; version++) {
        record.payload[0] = failures.payload[0] = (unsigned char)version;
        assert_int_equal(
            as_record_parse(cache, record.payload, record.length, (as_moment){GOLDEN_NOW, GOLDEN_NOW}, pool, &read),
            version == own);
        assert_int_equal(as_failures_parse(failures.payload, failures.length, AS_RECORD_USER_FAILURES, &list),
                         version == its);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_other_versions),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    cache = golden_cache(pool, NULL);
    failed = cache ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
