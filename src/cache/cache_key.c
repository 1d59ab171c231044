/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the hashes of a key. Each hash is expensive, and a request needs most of them more than once.
 */
#include "cache_private.h"

void as_cache_key_prepare(as_cache_key *key, apr_pool_t *pool)
{
    key->hashes = apr_palloc(pool, sizeof *key->hashes);
    key->hashes->made = 0;
}

as_hashes *as_hashes_choose(const as_cache_key *key, as_hashes *otherwise)
{
    otherwise->made = 0;
    return key->hashes ? key->hashes : otherwise;
}

static bool hash_user(const as_cache *memory, const as_cache_key *key, unsigned char hash[AS_SIPHASH_SIZE])
{
    const as_octets parts[] = {as_octets_make(key->scope), as_octets_make(key->directory), as_octets_make(key->user)};

    return as_siphash_hash(&memory->local_key, parts, 3, hash);
}

/* The user's hash covers all parts before the password, which are not hashed again. */
static bool hash_secret(const as_cache *memory, const as_cache_key *key, as_hashes *hashes,
                        unsigned char hash[AS_SIPHASH_SIZE])
{
    const unsigned char *user = as_hash_get(memory, key, hashes, AS_HASH_USER);
    const as_octets parts[] = {{user, AS_SIPHASH_SIZE}, as_octets_make(key->password)};

    return user && as_siphash_hash(&memory->local_key, parts, 2, hash);
}

static unsigned char *find_hash(as_hashes *hashes, as_hash_kind kind)
{
    return kind == AS_HASH_USER         ? hashes->user
           : kind == AS_HASH_SECRET     ? hashes->secret
           : kind == AS_HASH_ACCEPTANCE ? hashes->acceptance
           : kind == AS_HASH_REFUSAL    ? hashes->refusal
                                        : hashes->proof;
}

static bool make(const as_cache *memory, const as_cache_key *key, as_hashes *hashes, as_hash_kind kind,
                 unsigned char *hash)
{
    switch (kind) {
    case AS_HASH_USER:
        return hash_user(memory, key, hash);
    case AS_HASH_SECRET:
        return hash_secret(memory, key, hashes, hash);
    case AS_HASH_ACCEPTANCE:
        return as_record_make_id(memory, AS_RECORD_ACCEPTANCE, key, hash);
    case AS_HASH_REFUSAL:
        return as_record_make_id(memory, AS_RECORD_REFUSAL, key, hash);
    case AS_HASH_PROOF:
        break;
    }
    return as_record_make_proof(memory, key, hash);
}

const unsigned char *as_hash_get(const as_cache *memory, const as_cache_key *key, as_hashes *hashes, as_hash_kind kind)
{
    unsigned char *hash = find_hash(hashes, kind);

    if (!(hashes->made & kind)) {
        if (!make(memory, key, hashes, kind, hash)) {
            return NULL;
        }
        hashes->made |= kind;
    }
    return hash;
}
