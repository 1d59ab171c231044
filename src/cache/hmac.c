/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC-SHA-256 by its definition (RFC 2104 2), on OpenSSL's digests: the two key blocks are hashed once and their
 * states copied, which costs half as much as a new HMAC, and is the same in OpenSSL 1.1.1 and 3.
 */
#include "cache_private.h"

#include <string.h>

#include <openssl/crypto.h>

#define BLOCK_SIZE 64 /* of SHA-256 */

static bool fill_block(unsigned char block[BLOCK_SIZE], const unsigned char *key, size_t length)
{
    memset(block, 0, BLOCK_SIZE);
    if (length > BLOCK_SIZE) {
        return EVP_Digest(key, length, block, NULL, EVP_sha256(), NULL) == 1;
    }
    memcpy(block, key, length);
    return true;
}

static EVP_MD_CTX *begin_with(const unsigned char block[BLOCK_SIZE], unsigned char pad)
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    unsigned char padded[BLOCK_SIZE];

    for (int i = 0; i < BLOCK_SIZE; i++) {
        padded[i] = block[i] ^ pad;
    }
    if (state &&
        (EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1 || EVP_DigestUpdate(state, padded, BLOCK_SIZE) != 1)) {
        EVP_MD_CTX_free(state);
        state = NULL;
    }
    OPENSSL_cleanse(padded, sizeof padded);
    return state;
}

bool as_hmac_create(as_hmac *keyed, const unsigned char *key, size_t length)
{
    unsigned char block[BLOCK_SIZE];

    keyed->inner = keyed->outer = NULL;
    if (fill_block(block, key, length)) {
        keyed->inner = begin_with(block, 0x36);
        keyed->outer = begin_with(block, 0x5c);
    }
    OPENSSL_cleanse(block, sizeof block);
    return keyed->inner && keyed->outer;
}

/* OpenSSL wipes the state of a digest when it frees it. */
void as_hmac_destroy(as_hmac *keyed)
{
    EVP_MD_CTX_free(keyed->inner);
    EVP_MD_CTX_free(keyed->outer);
    keyed->inner = keyed->outer = NULL;
}

static bool add_part(EVP_MD_CTX *state, const as_octets *part)
{
    unsigned char length[8];

    as_put_number(length, part->length, sizeof length);
    return EVP_DigestUpdate(state, length, sizeof length) == 1 &&
           (part->length == 0 || EVP_DigestUpdate(state, part->at, part->length) == 1);
}

static bool hash_parts(EVP_MD_CTX *state, const as_hmac *keyed, const as_octets *parts, int count,
                       unsigned char hash[AS_HASH_SIZE])
{
    bool good = EVP_MD_CTX_copy_ex(state, keyed->inner) == 1;

    for (int i = 0; good && i < count; i++) {
        good = add_part(state, &parts[i]);
    }
    return good && EVP_DigestFinal_ex(state, hash, NULL) == 1 && EVP_MD_CTX_copy_ex(state, keyed->outer) == 1 &&
           EVP_DigestUpdate(state, hash, AS_HASH_SIZE) == 1 && EVP_DigestFinal_ex(state, hash, NULL) == 1;
}

bool as_hmac_hash(const as_hmac *keyed, const as_octets *parts, int count, unsigned char hash[AS_HASH_SIZE])
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    bool good = state && hash_parts(state, keyed, parts, count, hash);

    EVP_MD_CTX_free(state);
    return good;
}
