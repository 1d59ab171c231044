/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer as octets. Data before a seal was written by this module; it is parsed as untrusted input all the same,
 * since a key may be shared with machines that run another version.
 *
 *   payload = version(1) kind(1) wall(8) mono(8) boot(8) proof(32) proven(1) has-code(1)
 *             of-name(1) code(4) expires-in(4) grace-logins(4) retry-after(4) outcome sub-code dn count(2) values...
 *   values  = number(2) text..., or ff ff where the attribute has none
 *   text    = length(4) octets NUL, or ff ff ff ff for no text at all
 *   sealed  = payload HMAC("seal", id, payload)
 *
 * Numbers are big-endian, in two's complement; an outcome is its name, as versions may number outcomes differently.
 */
#include "cache_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define VERSION 3
#define NO_TEXT UINT32_MAX
#define ATTRIBUTES_MAX 1024
#define VALUES_MAX 4096 /* of one attribute */
#define NO_VALUES UINT16_MAX

/* ---- kinds, ids, proofs and seals ---- */

static as_record_kind choose_kind(const as_finding *finding)
{
    as_class of = as_outcome_describe(finding->outcome)->of;

    if (of == AS_CLASS_GRANTED) {
        /* What is served stale was accepted before, and is not accepted again by that. */
        return finding->proven && finding->outcome != AS_OUTCOME_GRANTED_STALE ? AS_RECORD_ACCEPTANCE : AS_RECORD_NONE;
    }
    if (of == AS_CLASS_REFUSED || finding->outcome == AS_OUTCOME_UNKNOWN_USER ||
        finding->outcome == AS_OUTCOME_AMBIGUOUS_USER || finding->outcome == AS_OUTCOME_WRONG_PASSWORD) {
        return AS_RECORD_REFUSAL;
    }
    return AS_RECORD_NONE;
}

as_record_kind as_record_choose_kind(const as_finding *finding)
{
    return finding->outcome == AS_OUTCOME_NOT_AUTHORIZED ? AS_RECORD_REFUSAL : choose_kind(finding);
}

static const char *get_label(as_record_kind kind)
{
    static const char *const labels[] = {"none",          "acceptance",    "refusal",        "entry",
                                         "single-flight", "throttle-user", "throttle-client"};

    return labels[kind];
}

bool as_record_make_id(const as_cache *memory, as_record_kind kind, const as_cache_key *key,
                       unsigned char id[AS_HASH_SIZE])
{
    as_octets parts[] = {as_octets_make(get_label(kind)), as_octets_make(key->scope), as_octets_make(key->directory),
                         as_octets_make(key->user), as_octets_make(key->password)};

    return as_hmac_hash(&memory->keyed, parts, kind == AS_RECORD_REFUSAL ? 5 : 4, id);
}

bool as_record_make_proof(const as_cache *memory, const as_cache_key *key, unsigned char proof[AS_HASH_SIZE])
{
    as_octets parts[] = {as_octets_make("password"), as_octets_make(key->scope), as_octets_make(key->directory),
                         as_octets_make(key->user), as_octets_make(key->password)};

    return as_hmac_hash(&memory->keyed, parts, 5, proof);
}

static bool compute_seal(const as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                         unsigned char seal[AS_HASH_SIZE])
{
    as_octets parts[] = {as_octets_make("seal"), {id, AS_HASH_SIZE}, {payload, length}};

    return as_hmac_hash(&memory->keyed, parts, 3, seal);
}

size_t as_record_seal(const as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                      unsigned char sealed[AS_STORED_MAX])
{
    if (length == 0 || length > AS_STORED_MAX - AS_HASH_SIZE) {
        return 0;
    }
    memcpy(sealed, payload, length);
    return compute_seal(memory, id, payload, length, sealed + length) ? length + AS_HASH_SIZE : 0;
}

size_t as_record_unseal(const as_cache *memory, const unsigned char *id, const unsigned char *sealed, size_t length)
{
    unsigned char seal[AS_HASH_SIZE];

    if (length <= AS_HASH_SIZE || length > AS_STORED_MAX) {
        return 0;
    }
    length -= AS_HASH_SIZE;
    if (!compute_seal(memory, id, sealed, length, seal) || CRYPTO_memcmp(seal, sealed + length, AS_HASH_SIZE) != 0) {
        return 0;
    }
    return length;
}

/* ---- writing: counts the octets needed, and writes those that fit ---- */

typedef struct writer {
    unsigned char *at;
    size_t size, used;
    bool broken; /* a value that no valid answer has */
} writer;

static void put_octets(writer *to, const void *octets, size_t length)
{
    if (length <= to->size && to->used <= to->size - length) {
        memcpy(to->at + to->used, octets, length);
    }
    to->used += length;
}

static void put_number(writer *to, uint64_t number, size_t size)
{
    unsigned char octets[8];

    as_put_number(octets, number, size);
    put_octets(to, octets, size);
}

static void put_small(writer *to, long number)
{
    to->broken |= number < INT32_MIN || number > INT32_MAX;
    put_number(to, (uint64_t)number, 4);
}

static void put_text(writer *to, const char *string)
{
    size_t length = string ? strlen(string) : 0;

    if (!string) {
        put_number(to, NO_TEXT, 4);
        return;
    }
    to->broken |= length > AS_PAYLOAD_MAX;
    put_number(to, length, 4);
    put_octets(to, string, length + 1);
}

static void put_values(writer *to, as_values values)
{
    size_t count = 0;

    if (!values) {
        put_number(to, NO_VALUES, 2);
        return;
    }
    while (values[count]) {
        count++;
    }
    to->broken |= count > VALUES_MAX;
    put_number(to, count, 2);
    for (size_t i = 0; !to->broken && i < count; i++) {
        put_text(to, values[i]);
    }
}

static void put_head(writer *to, const as_cache *memory, const as_record *record)
{
    put_number(to, VERSION, 1);
    put_number(to, record->kind, 1);
    put_number(to, (uint64_t)record->born.wall, 8);
    put_number(to, (uint64_t)record->born.mono, 8);
    put_octets(to, memory->boot, AS_BOOT_SIZE);
    put_octets(to, record->proof, AS_HASH_SIZE);
}

static void put_answer(writer *to, const as_cached_answer *answer)
{
    int count = answer->values ? answer->value_count : 0;

    put_number(to, answer->finding.proven, 1);
    put_number(to, answer->finding.has_code, 1);
    put_number(to, answer->finding.of_name, 1);
    put_small(to, answer->finding.code);
    put_small(to, answer->finding.expires_in);
    put_small(to, answer->finding.grace_logins);
    put_small(to, answer->retry_after);
    put_text(to, as_outcome_describe(answer->finding.outcome)->name);
    put_text(to, answer->finding.subcode);
    put_text(to, answer->dn ? answer->dn : "");
    to->broken |= count < 0 || count > ATTRIBUTES_MAX;
    put_number(to, (uint64_t)count, 2);
    for (int i = 0; !to->broken && i < count; i++) {
        put_values(to, answer->values[i]);
    }
}

static size_t put_record(writer *to, const as_cache *memory, const as_record *record)
{
    put_head(to, memory, record);
    put_answer(to, &record->answer);
    return to->broken || to->used > AS_PAYLOAD_MAX ? 0 : to->used;
}

unsigned char *as_record_encode(const as_cache *memory, const as_record *record, size_t *length)
{
    writer to = {.at = NULL};
    unsigned char *payload;

    *length = put_record(&to, memory, record);
    payload = *length > 0 ? malloc(*length) : NULL;
    if (payload) {
        to = (writer){.at = payload, .size = *length};
        put_record(&to, memory, record);
    }
    return payload;
}

unsigned char *as_record_copy(const unsigned char *payload, size_t length)
{
    unsigned char *copy = malloc(length);

    if (copy) {
        memcpy(copy, payload, length);
    }
    return copy;
}

/* ---- reading: missing octets set `broken`, which is never cleared ---- */

typedef struct reader {
    const unsigned char *at;
    size_t left;
    bool broken;
} reader;

static const unsigned char *take(reader *from, size_t length)
{
    const unsigned char *at = from->at;

    if (from->broken || length > from->left) {
        from->broken = true;
        return NULL;
    }
    from->at += length;
    from->left -= length;
    return at;
}

static uint64_t take_number(reader *from, size_t size)
{
    const unsigned char *at = take(from, size);

    return at ? as_get_number(at, size) : 0;
}

static bool take_flag(reader *from)
{
    uint64_t flag = take_number(from, 1);

    from->broken |= flag > 1;
    return flag == 1;
}

static int32_t take_small(reader *from, int32_t least)
{
    int32_t number = (int32_t)(uint32_t)take_number(from, 4);

    from->broken |= number < least;
    return number;
}

static void take_octets(reader *from, void *into, size_t length)
{
    const unsigned char *at = take(from, length);

    if (at) {
        memcpy(into, at, length);
    }
}

/* Reads a string in place, or NULL. A string with a NUL inside, or without one at its end, is broken. */
static const char *take_text(reader *from)
{
    uint64_t length = take_number(from, 4);
    const unsigned char *at;

    if (length == NO_TEXT) {
        return NULL;
    }
    at = take(from, length + 1);
    if (!at || memchr(at, '\0', length + 1) != at + length) {
        from->broken = true;
        return NULL;
    }
    return (const char *)at;
}

static void take_head(reader *from, const as_cache *memory, as_moment now, as_record *record)
{
    static const unsigned char unknown[AS_BOOT_SIZE];
    unsigned char boot[AS_BOOT_SIZE] = {0};

    from->broken |= take_number(from, 1) != VERSION;
    record->kind = (as_record_kind)take_number(from, 1);
    record->born.wall = (apr_time_t)take_number(from, 8);
    record->born.mono = (int64_t)take_number(from, 8);
    take_octets(from, boot, sizeof boot);
    take_octets(from, record->proof, AS_HASH_SIZE);
    /* Times beyond 2^61 microseconds are invalid, so that differences do not overflow. */
    from->broken |=
        record->born.wall < 0 || record->born.wall >> 61 || record->born.mono < 0 || record->born.mono >> 61;
    if (!from->broken && (memcmp(boot, memory->boot, sizeof boot) != 0 || memcmp(boot, unknown, sizeof boot) == 0)) {
        record->born.mono = now.mono - (now.wall - record->born.wall);
    }
}

static void take_finding(reader *from, as_finding *finding, long *retry_after)
{
    const char *name, *subcode;

    finding->proven = take_flag(from);
    finding->has_code = take_flag(from);
    finding->of_name = take_flag(from);
    finding->code = take_small(from, INT32_MIN);
    finding->expires_in = take_small(from, -1);
    finding->grace_logins = take_small(from, -1);
    *retry_after = take_small(from, 0);
    name = take_text(from);
    subcode = take_text(from);
    if (!name || !subcode || strlen(subcode) >= AS_SUBCODE_SIZE || !as_outcome_find_by_name(name, &finding->outcome)) {
        from->broken = true;
        return;
    }
    strcpy(finding->subcode, subcode);
}

/* Reads the values of one attribute, or NULL. */
static as_values take_values(reader *from, apr_pool_t *pool)
{
    size_t count = take_number(from, 2);
    const char **values;

    if (count == NO_VALUES) {
        return NULL;
    }
    if (count > VALUES_MAX || count * 5 > from->left) {
        from->broken = true;
        return NULL;
    }
    values = apr_pcalloc(pool, (count + 1) * sizeof *values);
    for (size_t i = 0; i < count && !from->broken; i++) {
        values[i] = take_text(from);
        from->broken |= !values[i];
    }
    return values;
}

static void take_attributes(reader *from, apr_pool_t *pool, as_cached_answer *answer)
{
    int count = (int)take_number(from, 2);
    as_values *values;

    if (count > ATTRIBUTES_MAX || (size_t)count * 2 > from->left) {
        from->broken = true;
        return;
    }
    if (count == 0) {
        return;
    }
    values = apr_pcalloc(pool, ((size_t)count + 1) * sizeof *values);
    for (int i = 0; i < count && !from->broken; i++) {
        values[i] = take_values(from, pool);
    }
    answer->values = values;
    answer->value_count = count;
}

bool as_record_parse(const as_cache *memory, const unsigned char *payload, size_t length, as_moment now,
                     apr_pool_t *pool, as_record *record)
{
    reader from = {.at = payload, .left = length};

    memset(record, 0, sizeof *record);
    record->answer.finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
    take_head(&from, memory, now, record);
    take_finding(&from, &record->answer.finding, &record->answer.retry_after);
    record->answer.dn = take_text(&from);
    if (from.broken || !record->answer.dn) {
        return false;
    }
    take_attributes(&from, pool, &record->answer);
    return !from.broken && from.left == 0;
}
