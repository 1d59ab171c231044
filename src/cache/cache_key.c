/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the hashes of a subject. Each hash is expensive, and a request needs most of them more than once.
 */
#include "cache_private.h"

void as_cache_key_prepare(as_cache_key *subject, apr_pool_t *pool)
{
    subject->hashes = apr_palloc(pool, sizeof *subject->hashes);
    subject->hashes->made = 0;
}

as_hashes *as_hashes_choose(const as_cache_key *subject, as_hashes *otherwise)
{
    otherwise->made = 0;
    return subject->hashes ? subject->hashes : otherwise;
}

static bool hash_user(const as_cache *memory, const as_cache_key *subject, unsigned char hash[AS_SIPHASH_SIZE])
{
    const as_octets parts[] = {as_octets_make(subject->scope), as_octets_make(subject->directory),
                               as_octets_make(subject->user)};

    return as_siphash_hash(&memory->local_key, parts, 3, hash);
}

/* The user's hash covers all parts before the password, which are not hashed again. */
static bool hash_secret(const as_cache *memory, const as_cache_key *subject, as_hashes *hashes,
                        unsigned char hash[AS_SIPHASH_SIZE])
{
    const unsigned char *user = as_hash_get(memory, subject, hashes, AS_HASH_USER);
    const as_octets parts[] = {{user, AS_SIPHASH_SIZE}, as_octets_make(subject->password)};

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

static bool make(const as_cache *memory, const as_cache_key *subject, as_hashes *hashes, as_hash_kind kind,
                 unsigned char *hash)
{
    switch (kind) {
    case AS_HASH_USER:
        return hash_user(memory, subject, hash);
    case AS_HASH_SECRET:
        return hash_secret(memory, subject, hashes, hash);
    case AS_HASH_ACCEPTANCE:
        return as_record_make_id(memory, AS_RECORD_ACCEPTANCE, subject, hash);
    case AS_HASH_REFUSAL:
        return as_record_make_id(memory, AS_RECORD_REFUSAL, subject, hash);
    case AS_HASH_PROOF:
        break;
    }
    return as_record_make_proof(memory, subject, hash);
}

const unsigned char *as_hash_get(const as_cache *memory, const as_cache_key *subject, as_hashes *hashes,
                                 as_hash_kind kind)
{
    unsigned char *hash = find_hash(hashes, kind);

    if (!(hashes->made & kind)) {
        if (!make(memory, subject, hashes, kind, hash)) {
            return NULL;
        }
        hashes->made |= kind;
    }
    return hash;
}
