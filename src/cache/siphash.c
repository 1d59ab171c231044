/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), for hashes that
 * never leave the process. OpenSSL's implementation takes longer to set up than to compute.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

/* Each cached login waits for these rounds, so they are unrolled. */
static inline void mix(sip *v)
{
    v->a += v->b;
    v->c += v->d;
    v->b = rotate(v->b, 13) ^ v->a;
    v->d = rotate(v->d, 16) ^ v->c;
    v->a = rotate(v->a, 32);
    v->c += v->b;
    v->a += v->d;
    v->b = rotate(v->b, 17) ^ v->c;
    v->d = rotate(v->d, 21) ^ v->a;
    v->c = rotate(v->c, 32);
}

static inline void mix_twice(sip *v)
{
    mix(v);
    mix(v);
}

static inline void add_word(sip *v, uint64_t word)
{
    v->d ^= word;
    mix_twice(v);
    v->a ^= word;
}

/* Four rounds, as a loop: unrolled they would be a kilobyte of code. */
static inline void finish(sip *v)
{
#pragma GCC unroll 1
    for (int i = 0; i < 4; i++) {
        mix(v);
    }
}

/* Loads a word in a form that compilers turn into one load. */
static inline uint64_t load_word(const unsigned char *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
}

/* Loads the last `octets` (at most 7) of `length`. */
static inline uint64_t load_rest(const unsigned char *at, size_t octets, size_t length)
{
    uint64_t word = 0;

    if (octets > 0 && length >= 8) {
        return load_word(at + octets - 8) >> (8 * (8 - octets));
    }
    while (octets > 0) {
        word = word << 8 | at[--octets];
    }
    return word;
}

/* Stores a word in a form that compilers turn into one store. */
static inline void put_word(unsigned char *to, uint64_t word)
{
    to[0] = (unsigned char)word;
    to[1] = (unsigned char)(word >> 8);
    to[2] = (unsigned char)(word >> 16);
    to[3] = (unsigned char)(word >> 24);
    to[4] = (unsigned char)(word >> 32);
    to[5] = (unsigned char)(word >> 40);
    to[6] = (unsigned char)(word >> 48);
    to[7] = (unsigned char)(word >> 56);
}

AS_HOT void as_siphash_hash_octets(const as_siphash_key *key, const unsigned char *octets, size_t length,
                                   unsigned char hash[AS_SIPHASH_SIZE])
{
    const uint64_t left = load_word(key->octets), right = load_word(key->octets + 8);
    /* "somepseudorandomlygeneratedbytes", and the constant of the longer output. */
    sip v = {left ^ 0x736f6d6570736575, right ^ 0x646f72616e646f6d ^ 0xee, left ^ 0x6c7967656e657261,
             right ^ 0x7465646279746573};
    size_t at = 0;

    for (; at + 8 <= length; at += 8) {
        add_word(&v, load_word(octets + at));
    }
    add_word(&v, load_rest(octets + at, length - at, length) | (uint64_t)length << 56);
    v.c ^= 0xee;
    finish(&v);
    put_word(hash, v.a ^ v.b ^ v.c ^ v.d);
    v.b ^= 0xdd;
    finish(&v);
    put_word(hash + 8, v.a ^ v.b ^ v.c ^ v.d);
}

bool as_siphash_create(as_siphash_key *key)
{
    return RAND_bytes(key->octets, sizeof key->octets) == 1;
}

static size_t add_lengths(const as_octets *parts, int count)
{
    size_t length = 1;

    for (int i = 0; i < count; i++) {
        length += 8 + parts[i].length;
    }
    return length;
}

static void write_parts(unsigned char *to, const as_octets *parts, int count)
{
    *to++ = (unsigned char)count;
    for (int i = 0; i < count; i++) {
        uint64_t length = parts[i].length;

        memcpy(to, &length, 8);
        to += 8;
        if (length > 0) {
            memcpy(to, parts[i].at, length);
            to += length;
        }
    }
}

bool as_siphash_hash(const as_siphash_key *key, const as_octets *parts, int count, unsigned char hash[AS_SIPHASH_SIZE])
{
    unsigned char on_stack[512];
    size_t length = add_lengths(parts, count);
    unsigned char *octets = length <= sizeof on_stack ? on_stack : malloc(length);

    if (!octets) {
        return false;
    }
    write_parts(octets, parts, count);
    as_siphash_hash_octets(key, octets, length, hash);
    /* The octets may include a password. */
    OPENSSL_cleanse(octets, length);
    if (octets != on_stack) {
        free(octets);
    }
    return true;
}
