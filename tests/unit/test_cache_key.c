/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of records: HMAC-SHA-256 for the store, SipHash for a process, as other implementations compute them.
 */
#include "fake_store.h"

#include <openssl/hmac.h>

static void hashes_are_hmacs(void **state)
{
    static const int lengths[] = {32, 63, 64, 65, 131};
    static const as_octets parts[] = {{"ab", 2}, {NULL, 0}, {"c", 1}};
    static const unsigned char concatenated[] = "\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1c";
    unsigned char long_key[131], expected[AS_HASH_SIZE], hash[AS_HASH_SIZE];

    (void)state;
    memset(long_key, 0xaa, sizeof long_key);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        as_hmac keyed;

        assert_true(as_hmac_create(&keyed, long_key, (size_t)lengths[i]));
        assert_true(as_hmac_hash(&keyed, parts, 3, hash));
        assert_non_null(
            HMAC(EVP_sha256(), long_key, lengths[i], concatenated, sizeof concatenated - 1, expected, NULL));
        assert_memory_equal(hash, expected, AS_HASH_SIZE);
        as_hmac_destroy(&keyed);
    }
    assert_null(as_cache_create(pool, &usual_times, NULL, key, 31, 8));
}

/* Vectors of another implementation (openssl mac -macopt size:16 SIPHASH). */
static void near_hashes_are_siphash(void **state)
{
    static const struct {
        size_t length;
        const char *hash;
    } rows[] = {
        {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
        {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
        {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {63, "5150d1772f50834a503e069a973fbd7c"},
    };
    unsigned char octets[64], hash[AS_SIPHASH_SIZE];
    char text[2 * AS_SIPHASH_SIZE + 1];
    as_siphash_key counting;

    (void)state;
    for (unsigned char i = 0; i < sizeof octets; i++) {
        octets[i] = i;
    }
    memcpy(counting.octets, octets, sizeof counting.octets);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        as_siphash_hash_octets(&counting, octets, rows[i].length, hash);
        for (size_t j = 0; j < AS_SIPHASH_SIZE; j++) {
            snprintf(text + 2 * j, 3, "%02x", hash[j]);
        }
        assert_string_equal(text, rows[i].hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(hashes_are_hmacs),
        ROW(near_hashes_are_siphash),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("cache key", tests, NULL, NULL);
}
