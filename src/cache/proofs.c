/* SPDX-License-Identifier: Apache-2.0
 *
 * Users who have proven a password within the last hour: keyed hashes in shared memory of fixed size. The key lies in
 * the same memory, so all processes share it; without read access to that memory nobody can test passwords against it.
 *
 * Without locks: a slot is written as stamp 0, hash, stamp. Two writers of one slot may leave the halves of two hashes,
 * which match no user.
 */
#include "cache_private.h"

#include <string.h>

#include <openssl/rand.h>

#define SETS 1024
#define WAYS 8
#define GOOD_FOR apr_time_from_sec(3600)
/* A younger proof is not written again. */
#define FRESH apr_time_from_sec(60)

typedef struct slot {
    _Atomic uint64_t high, low;
    _Atomic int64_t stamp; /* as_clock_read_mono, 0: empty */
} slot;

struct as_proofs {
    as_siphash_key key;
    _Atomic int has_key;
    slot slots[SETS][WAYS];
};

size_t as_proofs_get_size(void)
{
    return sizeof(as_proofs);
}

bool as_proofs_begin(as_proofs *proofs)
{
    if (RAND_bytes(proofs->key.octets, sizeof proofs->key.octets) != 1) {
        return false;
    }
    proofs->has_key = 1;
    return true;
}

as_proof as_proof_make(const as_proofs *proofs, const char *scope, const char *user, const char *password)
{
    const as_octets parts[] = {{scope, strlen(scope)}, {user, strlen(user)}, {password, strlen(password)}};
    unsigned char hash[AS_SIPHASH_SIZE];
    as_proof proof = {0, 0};

    if (proofs && proofs->has_key && as_siphash_hash(&proofs->key, parts, 3, hash)) {
        memcpy(&proof.high, hash, sizeof proof.high);
        memcpy(&proof.low, hash + sizeof proof.high, sizeof proof.low);
    }
    return proof;
}

static bool is_nobody(const as_proof *proof)
{
    return proof->high == 0 && proof->low == 0;
}

static bool holds(const slot *at, const as_proof *proof, int64_t now)
{
    const int64_t stamp = atomic_load_explicit(&at->stamp, memory_order_acquire);

    return stamp != 0 && stamp <= now && now - stamp < GOOD_FOR &&
           atomic_load_explicit(&at->high, memory_order_relaxed) == proof->high &&
           atomic_load_explicit(&at->low, memory_order_relaxed) == proof->low;
}

void as_proofs_add_at(as_proofs *proofs, as_proof proof, int64_t now)
{
    slot *set, *into;

    if (!proofs || is_nobody(&proof)) {
        return;
    }
    into = set = proofs->slots[proof.high % SETS];
    for (slot *at = set; at < set + WAYS; at++) {
        if (holds(at, &proof, now)) {
            if (now - at->stamp < FRESH) {
                return;
            }
            into = at;
            break;
        }
        /* Replaces the oldest. A stamp in the future is invalid. */
        if (at->stamp < into->stamp || at->stamp > now) {
            into = at;
        }
    }
    atomic_store_explicit(&into->stamp, 0, memory_order_release);
    atomic_store_explicit(&into->high, proof.high, memory_order_relaxed);
    atomic_store_explicit(&into->low, proof.low, memory_order_relaxed);
    atomic_store_explicit(&into->stamp, now, memory_order_release);
}

bool as_proofs_has_at(const as_proofs *proofs, as_proof proof, int64_t now)
{
    const slot *set;

    if (!proofs || is_nobody(&proof)) {
        return false;
    }
    set = proofs->slots[proof.high % SETS];
    for (const slot *at = set; at < set + WAYS; at++) {
        if (holds(at, &proof, now)) {
            return true;
        }
    }
    return false;
}

void as_proofs_add(as_proofs *proofs, as_proof proof)
{
    as_proofs_add_at(proofs, proof, as_clock_read_mono());
}

bool as_proofs_has(const as_proofs *proofs, as_proof proof)
{
    return as_proofs_has_at(proofs, proof, as_clock_read_mono());
}
