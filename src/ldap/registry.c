/* SPDX-License-Identifier: Apache-2.0
 *
 * The directories of a process, by name. Their number is bounded: AuthLDAP* may stand in .htaccess files, which their
 * owners may change as often as they like.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>

#define MAX_DIRECTORIES 1000

static apr_status_t make_peer(as_peer *peer, as_directory *directory, const as_ldap_server *address)
{
    const as_directory_limits *limits = &directory->all->limits;
    apr_status_t status;

    peer->directory = directory;
    peer->address = address;
    peer->name =
        apr_psprintf(directory->pool, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host, address->port);
    peer->breaker.limit = limits->breaker_failures;
    peer->breaker.time = limits->breaker_time;
    atomic_init(&peer->open, 0);
    atomic_init(&peer->distrusted, 0);
    atomic_init(&peer->questions, 0);
    atomic_init(&peer->latency, 0);
    status = apr_thread_mutex_create(&peer->mutex, APR_THREAD_MUTEX_DEFAULT, directory->pool);
    return status == APR_SUCCESS ? as_pool_create(peer) : status;
}

static void destroy(as_directory *directory)
{
    int i;

    for (i = 0; i < directory->settings->server_count; i++) {
        as_pool_destroy(&directory->peers[i]);
    }
    as_tls_destroy(directory->tls);
    as_settings_wipe(directory->settings);
    apr_pool_destroy(directory->pool);
}

static as_directory *make(as_directories *all, const as_directory_settings *settings, const char *name)
{
    apr_pool_t *pool = NULL;
    as_directory *directory;
    apr_status_t status;
    int i;

    if (apr_pool_create_unmanaged(&pool) != APR_SUCCESS) {
        return NULL;
    }
    directory = apr_pcalloc(pool, sizeof(*directory));
    directory->all = all;
    directory->pool = pool;
    directory->name = apr_pstrdup(pool, name);
    /* The caller's settings may live no longer than the request. */
    directory->settings = as_settings_copy(pool, settings);
    directory->peers = apr_pcalloc(pool, (size_t)settings->server_count * sizeof(*directory->peers));
    directory->tls = apr_pcalloc(pool, sizeof(*directory->tls));
    directory->pace = apr_pcalloc(pool, sizeof(*directory->pace));
    directory->facts = as_facts_create(pool);
    status = as_tls_create(directory->tls, pool);
    for (i = 0; i < settings->server_count && status == APR_SUCCESS; i++) {
        status = make_peer(&directory->peers[i], directory, &directory->settings->servers[i]);
    }
    if (status == APR_SUCCESS) {
        return directory;
    }
    destroy(directory);
    return NULL;
}

/* The one that was not used for longest, and is not now; NULL if all are. */
static as_directory *least_wanted(as_directories *all)
{
    as_directory *found = NULL;
    apr_hash_index_t *at;

    for (at = apr_hash_first(NULL, all->table); at; at = apr_hash_next(at)) {
        as_directory *directory = apr_hash_this_val(at);

        if (directory->users == 0 && (!found || directory->used < found->used)) {
            found = directory;
        }
    }
    return found;
}

/* Lists it, if need be in the place of another, which is returned to be destroyed without the lock. When every place
 * is in use it stays unlisted, and ends with the question. */
static as_directory *list(as_directories *all, as_directory *directory)
{
    as_directory *evicted = NULL;

    if (apr_hash_count(all->table) >= MAX_DIRECTORIES) {
        evicted = least_wanted(all);
        if (!evicted) {
            return NULL;
        }
        apr_hash_set(all->table, evicted->name, APR_HASH_KEY_STRING, NULL);
    }
    directory->listed = true;
    apr_hash_set(all->table, directory->name, APR_HASH_KEY_STRING, directory);
    return evicted;
}

as_directory *as_directory_get(as_directories *all, const as_directory_settings *settings, const char *name)
{
    as_directory *directory, *evicted = NULL;

    apr_thread_mutex_lock(all->mutex);
    directory = apr_hash_get(all->table, name, APR_HASH_KEY_STRING);
    if (!directory) {
        directory = make(all, settings, name);
        if (directory) {
            evicted = list(all, directory);
        }
    }
    if (directory) {
        directory->users++;
        directory->used = as_mono_now();
    }
    apr_thread_mutex_unlock(all->mutex);
    if (evicted) {
        destroy(evicted);
    }
    return directory;
}

void as_directory_put(as_directory *directory)
{
    as_directories *all = directory->all;
    bool over;

    apr_thread_mutex_lock(all->mutex);
    over = --directory->users == 0 && !directory->listed;
    apr_thread_mutex_unlock(all->mutex);
    if (over) {
        destroy(directory);
    }
}

/* A process that is told to go amidst a question leaves what that uses to its end: apr_reslist would abort it. */
static apr_status_t end_all(void *data)
{
    as_directories *all = data;
    apr_hash_index_t *at;
    bool busy = false;

    for (at = apr_hash_first(NULL, all->table); at; at = apr_hash_next(at)) {
        as_directory *directory = apr_hash_this_val(at);

        if (directory->users == 0) {
            destroy(directory);
        } else {
            busy = true;
        }
    }
    if (!busy) {
        as_limiter_destroy(&all->gate);
        apr_pool_destroy(all->pool);
    }
    return APR_SUCCESS;
}

static bool name_nobody(char *hexadecimal)
{
    unsigned char bits[16];
    size_t i;

    if (apr_generate_random_bytes(bits, sizeof(bits)) != APR_SUCCESS) {
        return false;
    }
    for (i = 0; i < sizeof(bits); i++) {
        apr_snprintf(hexadecimal + 2 * i, 3, "%02x", bits[i]);
    }
    return true;
}

/* The table has a pool of its own: other threads may allocate from the caller's at the same time. */
static bool prepare(as_directories *all)
{
    if (apr_pool_create_unmanaged(&all->pool) != APR_SUCCESS) {
        return false;
    }
    all->table = apr_hash_make(all->pool);
    return apr_thread_mutex_create(&all->mutex, APR_THREAD_MUTEX_DEFAULT, all->pool) == APR_SUCCESS &&
           name_nobody(all->decoy) && as_limiter_create(&all->gate, all->limits.in_flight);
}

bool as_directories_prepare(apr_pool_t *pool)
{
    return as_directory_fingerprint(pool, &(as_directory_settings){.server_count = 0}) != NULL;
}

as_directories *as_directories_create(apr_pool_t *pool, const as_directory_limits *limits)
{
    as_directories *all = apr_pcalloc(pool, sizeof(*all));

    all->limits = *limits;
    as_tls_find_defaults(pool);
    if (!prepare(all) || !as_directories_prepare(pool) || !as_tls_initialize()) {
        if (all->pool) {
            apr_pool_destroy(all->pool);
        }
        return NULL;
    }
    apr_pool_cleanup_register(pool, all, end_all, apr_pool_cleanup_null);
    return all;
}

static void visit_peer(as_peer *peer, as_ldap_server_visitor *visit, void *data)
{
    as_ldap_server_state state = {.directory = peer->directory->name, .server = peer->name};
    as_mono now = as_mono_now(), until;

    apr_thread_mutex_lock(peer->mutex);
    state.outages = peer->breaker.outages;
    until = peer->breaker.open ? peer->breaker.until : 0;
    apr_thread_mutex_unlock(peer->mutex);
    state.open_until = until > now ? apr_time_now() + (until - now) : 0;
    state.sessions = atomic_load_explicit(&peer->open, memory_order_relaxed);
    state.questions = atomic_load_explicit(&peer->questions, memory_order_relaxed);
    state.latency = atomic_load_explicit(&peer->latency, memory_order_relaxed);
    visit(data, &state);
}

void as_directories_visit(as_directories *all, const char *name, as_ldap_server_visitor *visit, void *data)
{
    as_directory *directory;
    int i;

    apr_thread_mutex_lock(all->mutex);
    directory = apr_hash_get(all->table, name, APR_HASH_KEY_STRING);
    if (directory) {
        directory->users++;
    }
    apr_thread_mutex_unlock(all->mutex);
    if (directory) {
        for (i = 0; i < directory->settings->server_count; i++) {
            visit_peer(&directory->peers[i], visit, data);
        }
        as_directory_put(directory);
    }
}
