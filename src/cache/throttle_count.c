/* SPDX-License-Identifier: Apache-2.0
 *
 * One count of a throttle: its name, and the union of its failures in store and memory.
 */
#include "throttle_private.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>

as_throttles *as_throttles_create(apr_pool_t *pool, void *memory, as_cache *store)
{
    as_throttles *all = apr_pcalloc(pool, sizeof *all);

    all->memory = memory;
    all->store = store && as_shared_is_configured(store) ? store : NULL;
    all->mono = as_clock_read_mono;
    all->wall = apr_time_now;
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_init(&all->counting[i].mutex, NULL);
    }
    return all;
}

/* ---- names ---- */

apr_time_t as_throttle_read_clock(const as_throttles *all)
{
    return all->memory->offset + all->mono();
}

bool as_throttle_hash(const as_throttles *all, const char *label, const char *first, const char *second,
                      unsigned char id[AS_SIPHASH_SIZE])
{
    const as_octets parts[] = {as_octets_make(label), as_octets_make(first), as_octets_make(second)};

    return as_siphash_hash(&all->memory->key, parts, 3, id);
}

bool as_throttle_hash_account(const as_throttles *all, const char *account, unsigned char id[AS_SIPHASH_SIZE])
{
    return as_throttle_hash(all, "account", account, NULL, id);
}

/* The /64 of an IPv6 address identifies a client (RFC 4291 2.5.4). */
const char *as_client_normalize(const char *address, apr_pool_t *pool)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned char octets[16];
    char *zone, *copy = apr_pstrdup(pool, address);

    zone = strchr(copy, '%');
    if (zone) {
        *zone = '\0';
    }
    if (inet_pton(AF_INET6, copy, octets) != 1) {
        return address;
    }
    if (memcmp(octets, mapped, sizeof mapped) == 0) {
        return apr_psprintf(pool, "%d.%d.%d.%d", octets[12], octets[13], octets[14], octets[15]);
    }
    return apr_psprintf(pool, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", octets[0], octets[1], octets[2], octets[3],
                        octets[4], octets[5], octets[6], octets[7]);
}

void as_count_begin_known(as_throttles *all, as_count *of, as_record_kind kind, const as_counted_name *name)
{
    memset(of, 0, sizeof *of);
    of->all = all;
    of->kind = kind;
    of->name = *name;
    of->table = kind == AS_RECORD_USER_FAILURES ? &all->memory->users : &all->memory->clients;
    of->shared = all->store != NULL;
}

bool as_count_begin(as_throttles *all, as_count *of, as_record_kind kind, const char *name)
{
    const as_cache_key whose = {.user = name};
    as_counted_name found = {{0}, {0}};
    bool done = as_throttle_hash(all, kind == AS_RECORD_USER_FAILURES ? "account" : "client", name, NULL, found.id) &&
                (!all->store || as_record_make_id(all->store, kind, &whose, found.shared_id));

    as_count_begin_known(all, of, kind, &found);
    return done;
}

/* ---- the store ---- */

static pthread_mutex_t *get_turn(const as_count *of)
{
    return &of->all->counting[of->name.id[0] % AS_SHARDS].mutex;
}

static void shift_times(as_failures *failures, apr_time_t by)
{
    if (failures->cleared != 0) {
        failures->cleared += by;
    }
    for (int i = 0; i < failures->count; i++) {
        failures->times[i] += by;
    }
}

/* Returns the offset of the wall clock, which machines share. A small difference is a clock under adjustment and
 * ignored: a failure is identified by its time, which must not change. */
static apr_time_t update_shift(as_throttles *all)
{
    apr_time_t shift = all->wall() - as_throttle_read_clock(all);
    apr_time_t known = atomic_load(&all->shift);

    if (shift - known > AS_CLOCK_TOLERANCE || known - shift > AS_CLOCK_TOLERANCE) {
        atomic_store(&all->shift, shift);
        known = shift;
    }
    return known;
}

void as_count_fetch(as_count *of, apr_pool_t *pool)
{
    unsigned char data[AS_STORED_MAX];
    size_t length;
    as_fetched fetched;

    if (!of->shared) {
        return;
    }
    fetched = as_shared_fetch(of->all->store, of->name.shared_id, data, &length, pool);
    of->known = fetched != AS_FETCHED_UNKNOWN;
    of->shift = update_shift(of->all);
    if (fetched != AS_FETCHED || !as_failures_parse(data, length, of->kind, &of->elsewhere)) {
        memset(&of->elsewhere, 0, sizeof of->elsewhere);
        return;
    }
    shift_times(&of->elsewhere, -of->shift);
    as_failures_drop_future(&of->elsewhere, as_throttle_read_clock(of->all));
}

void as_count_keep(const as_count *of, as_failures failures, apr_interval_time_t good_for, apr_pool_t *pool)
{
    unsigned char payload[AS_FAILURES_MAX];
    size_t length;

    if (!of->known) {
        return;
    }
    shift_times(&failures, of->shift);
    length = as_failures_encode(&failures, of->kind, payload);
    as_shared_keep(of->all->store, of->name.shared_id, payload, length, of->all->wall() + good_for, pool);
}

void as_count_take_turn(const as_count *of)
{
    if (of->shared) {
        pthread_mutex_lock(get_turn(of));
    }
}

void as_count_end_turn(const as_count *of)
{
    if (of->shared) {
        pthread_mutex_unlock(get_turn(of));
    }
}

/* ---- store and memory together ---- */

/* Returns all failures of store and memory. Under the lock. A success on another machine ends the failures in
 * memory. */
as_failures as_count_merge(const as_count *of, as_tally *own)
{
    as_failures all = of->elsewhere;

    if (!own) {
        return all;
    }
    if (all.cleared > own->failures.cleared) {
        as_tally_clear(own, all.cleared);
    }
    if (own->failures.count > 0 && all.cleared >= own->failures.times[0]) {
        all.cleared = own->failures.times[0] - 1;
    }
    as_failures_merge(&all, &own->failures);
    return all;
}

as_tally *as_count_get_own(const as_count *of, apr_time_t now)
{
    as_tally *own = as_tally_get(of->table, of->name.id);

    if (own && own->until <= now) {
        as_tally_drop(of->all->memory, of->table, own);
        own = NULL;
    }
    return own;
}
