/* SPDX-License-Identifier: Apache-2.0
 *
 * The directories of a process, by the owners of sessions: servers, TLS settings, bind identity. Their number is
 * bounded: AuthLDAP* may stand in .htaccess files, which their owners may change at any time.
 */
#include "ldap_private.h"

#include <string.h>
#include <sys/resource.h>

#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>

#define MAX_DIRECTORIES 1000
/* The most that only .htaccess names. */
#define MAX_TRANSIENT 128
/* Sessions that a process keeps: a quarter of the descriptors that it may have. */
#define PART_OF_DESCRIPTORS 4
#define MOST_SESSIONS 8192
#define FEWEST_SESSIONS 8
/* All directories together that only .htaccess names: a quarter of the sessions and of AuthStatusInFlight; and this
 * idle time of a session. */
#define PARTS_OF_HTACCESS 4
#define IDLE_OF_HTACCESS (60 * AS_MONO_SECOND)

static const char *name_server(apr_pool_t *pool, const as_ldap_server *address)
{
    return apr_psprintf(pool, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host, address->port);
}

static apr_status_t make_peer(as_peer *peer, as_directory *directory, const as_ldap_server *address)
{
    const as_directory_limits *limits = &directory->all->limits;

    peer->directory = directory;
    peer->address = address;
    peer->name = name_server(directory->pool, address);
    peer->breaker.limit = limits->breaker_failures;
    peer->breaker.time = limits->breaker_time;
    atomic_init(&peer->open, 0);
    atomic_init(&peer->distrusted, 0);
    atomic_init(&peer->queries, 0);
    atomic_init(&peer->latency, 0);
    as_idle_create(peer);
    return apr_thread_mutex_create(&peer->mutex, APR_THREAD_MUTEX_DEFAULT, directory->pool);
}

static void destroy(as_directory *directory)
{
    int i;

    for (i = 0; i < directory->settings->server_count; i++) {
        if (directory->peers[i].mutex) {
            as_idle_destroy(&directory->peers[i]);
        }
    }
    as_account_destroy(directory->account);
    as_tls_destroy(directory->tls);
    as_settings_wipe(directory->settings);
    apr_pool_destroy(directory->pool);
}

/* Returns the share of the slots that the directories of these servers use together. */
static as_share *get_share(as_directories *all, const as_directory_settings *settings)
{
    const char *servers = "";
    as_share *share;
    int i;

    if (settings->of_htaccess) {
        return &all->of_htaccess;
    }
    for (i = 0; i < settings->server_count; i++) {
        servers = apr_pstrcat(all->scratch, servers, name_server(all->scratch, &settings->servers[i]), " ", NULL);
    }
    share = apr_hash_get(all->shares, servers, APR_HASH_KEY_STRING);
    if (!share) {
        share = apr_palloc(all->pool, sizeof(*share));
        as_share_create(share, &all->limiter, all->limits.directories > 1 ? 2 : 1);
        apr_hash_set(all->shares, apr_pstrdup(all->pool, servers), APR_HASH_KEY_STRING, share);
    }
    return share;
}

static as_directory *make(as_directories *all, const as_directory_settings *settings, uint64_t hash)
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
    directory->hash = hash;
    /* The caller's settings may live only as long as the request. */
    directory->settings = as_settings_copy(pool, settings);
    directory->share = get_share(all, settings);
    directory->account = apr_pcalloc(pool, sizeof(*directory->account));
    directory->peers = apr_pcalloc(pool, (size_t)settings->server_count * sizeof(*directory->peers));
    directory->tls = apr_pcalloc(pool, sizeof(*directory->tls));
    directory->facts = as_facts_create(pool);
    status = as_account_create(directory->account, all->limits.accounts, settings, pool)
                 ? as_tls_create(directory->tls, pool)
                 : APR_ENOMEM;
    for (i = 0; i < settings->server_count && status == APR_SUCCESS; i++) {
        status = make_peer(&directory->peers[i], directory, &directory->settings->servers[i]);
    }
    if (status == APR_SUCCESS) {
        return directory;
    }
    destroy(directory);
    return NULL;
}

static as_directory **get_bucket(as_directories *all, uint64_t hash)
{
    return &all->table[(hash ^ hash >> 32) % AS_BUCKETS];
}

static as_directory *find(as_directories *all, const as_directory_settings *settings, uint64_t hash)
{
    as_directory *directory = *get_bucket(all, hash);

    while (directory && (directory->hash != hash || !as_settings_are_same(directory->settings, settings))) {
        directory = directory->next;
    }
    return directory;
}

/* Returns the least recently used directory that is not in use; NULL if all are. */
static as_directory *find_least_recently_used(as_directories *all, bool of_htaccess)
{
    as_directory *found = NULL, *directory;
    int i;

    for (i = 0; i < AS_BUCKETS; i++) {
        for (directory = all->table[i]; directory; directory = directory->next) {
            if (directory->users == 0 && directory->settings->of_htaccess == of_htaccess &&
                (!found || directory->used < found->used)) {
                found = directory;
            }
        }
    }
    return found;
}

static void unlist(as_directories *all, as_directory *directory)
{
    as_directory **at = get_bucket(all, directory->hash);
    int i;

    while (*at != directory) {
        at = &(*at)->next;
    }
    *at = directory->next;
    all->count--;
    all->transient -= directory->settings->of_htaccess;
    for (i = 0; i < directory->settings->server_count; i++) {
        APR_RING_REMOVE(&directory->peers[i], link);
    }
}

static void add_to_list(as_directories *all, as_directory *directory)
{
    as_directory **bucket = get_bucket(all, directory->hash);
    int i;

    directory->listed = true;
    all->transient += directory->settings->of_htaccess;
    directory->next = *bucket;
    *bucket = directory;
    all->count++;
    for (i = 0; i < directory->settings->server_count; i++) {
        APR_RING_INSERT_TAIL(&all->peers, &directory->peers[i], as_peer, link);
    }
}

/* Registers a directory, evicting another if necessary, which the caller destroys without the lock. When all are in
 * use it stays unregistered, and ends with the query. A directory of .htaccess never evicts one of the
 * configuration. */
static as_directory *register_directory(as_directories *all, as_directory *directory)
{
    const bool of_htaccess = directory->settings->of_htaccess;
    const bool full = of_htaccess ? all->transient >= MAX_TRANSIENT : all->count - all->transient >= MAX_DIRECTORIES;
    as_directory *evicted = NULL;

    if (full) {
        evicted = find_least_recently_used(all, of_htaccess);
        if (!evicted) {
            return NULL;
        }
        unlist(all, evicted);
    }
    add_to_list(all, directory);
    return evicted;
}

as_directory *as_directory_get(as_directories *all, const as_directory_settings *settings)
{
    const as_directory_settings wanted = as_session_choose_settings(settings);
    const uint64_t hash = as_settings_compute_hash(&wanted);
    as_directory *directory, *evicted = NULL;

    apr_thread_mutex_lock(all->mutex);
    directory = find(all, &wanted, hash);
    if (!directory) {
        directory = make(all, &wanted, hash);
        if (directory) {
            evicted = register_directory(all, directory);
        }
        apr_pool_clear(all->scratch);
    }
    if (directory) {
        directory->users++;
        all->users++;
        directory->used = as_mono_read();
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
    all->users -= !over;
    apr_thread_mutex_unlock(all->mutex);
    if (over) {
        /* As long as it is a user, the end of the process leaves `all` to it. */
        destroy(directory);
        apr_thread_mutex_lock(all->mutex);
        all->users--;
        apr_thread_mutex_unlock(all->mutex);
    }
}

/* A process that must exit during a query leaves all memory to its end: in prefork a signal may have interrupted
 * the query while it held a lock. */
static apr_status_t end_all(void *data)
{
    as_directories *all = data;
    as_directory *directory;
    int i;

    as_reaper_end(&all->reaper);
    if (all->users > 0) {
        return APR_SUCCESS;
    }
    for (i = 0; i < AS_BUCKETS; i++) {
        while (all->table[i]) {
            directory = all->table[i];
            all->table[i] = directory->next;
            destroy(directory);
        }
    }
    as_addresses_end(all->addresses);
    as_limiter_destroy(&all->limiter);
    as_sessions_destroy(&all->sessions[false]);
    as_sessions_destroy(&all->sessions[true]);
    apr_pool_destroy(all->pool);
    return APR_SUCCESS;
}

static bool name_decoy(char *hexadecimal)
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

/* Returns how many sessions may be open at a time, not counting those in use. */
static int compute_session_limit(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    rlim_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        limit.rlim_cur = 1024;
    }
    most = limit.rlim_cur == RLIM_INFINITY ? MOST_SESSIONS : limit.rlim_cur / PART_OF_DESCRIPTORS;
    if (most > MOST_SESSIONS) {
        most = MOST_SESSIONS;
    }
    return most < FEWEST_SESSIONS ? FEWEST_SESSIONS : (int)most;
}

/* The table has a pool of its own: other threads may allocate from the caller's at the same time. */
static bool prepare(as_directories *all)
{
    const int most = compute_session_limit();

    if (apr_pool_create_unmanaged(&all->pool) != APR_SUCCESS ||
        apr_pool_create(&all->scratch, all->pool) != APR_SUCCESS) {
        return false;
    }
    all->shares = apr_hash_make(all->pool);
    all->addresses = as_addresses_create(all->limits.servers, all->limits.server_count);
    APR_RING_INIT(&all->peers, as_peer, link);
    if (!all->addresses || apr_thread_mutex_create(&all->mutex, APR_THREAD_MUTEX_DEFAULT, all->pool) != APR_SUCCESS ||
        !name_decoy(all->decoy) || !as_limiter_create(&all->limiter, all->limits.in_flight)) {
        return false;
    }
    as_share_create(&all->of_htaccess, &all->limiter, PARTS_OF_HTACCESS);
    return as_reaper_create(&all->reaper) && as_sessions_create(&all->sessions[false], most, 0) &&
           as_sessions_create(&all->sessions[true], most / PARTS_OF_HTACCESS, IDLE_OF_HTACCESS);
}

bool as_directories_prepare(apr_pool_t *pool)
{
    return as_directory_compute_fingerprint(pool, &(as_directory_settings){.server_count = 0}) != NULL;
}

as_directories *as_directories_create(apr_pool_t *pool, const as_directory_limits *limits)
{
    as_directories *all = apr_pcalloc(pool, sizeof(*all));

    all->limits = *limits;
    as_tls_find_defaults(pool);
    if (!prepare(all) || !as_directories_prepare(pool) || !as_tls_initialize()) {
        if (all->addresses) {
            as_addresses_end(all->addresses);
        }
        if (all->pool) {
            apr_pool_destroy(all->pool);
        }
        return NULL;
    }
    apr_pool_cleanup_register(pool, all, end_all, apr_pool_cleanup_null);
    return all;
}

/* Adds one directory's state of a server. */
static void add_peer(as_ldap_server_state *state, as_peer *peer, as_mono now)
{
    int64_t latency = atomic_load_explicit(&peer->latency, memory_order_relaxed);

    apr_thread_mutex_lock(peer->mutex);
    state->outages = peer->breaker.outages > state->outages ? peer->breaker.outages : state->outages;
    if (peer->breaker.open && peer->breaker.until > now && peer->breaker.until > state->open_until) {
        state->open_until = peer->breaker.until;
    }
    apr_thread_mutex_unlock(peer->mutex);
    state->sessions += atomic_load_explicit(&peer->open, memory_order_relaxed);
    state->questions += atomic_exchange_explicit(&peer->queries, 0, memory_order_relaxed);
    /* Of several, the slower: it is the one to investigate. */
    state->latency = latency > state->latency ? latency : state->latency;
}

void as_directories_visit(as_directories *all, const as_directory_settings *settings, as_ldap_server_visitor *visit,
                          void *data)
{
    const as_mono now = as_mono_read();
    as_peer *peer;
    int i;

    apr_thread_mutex_lock(all->mutex);
    for (i = 0; i < settings->server_count; i++) {
        as_ldap_server_state state = {.server = name_server(all->scratch, &settings->servers[i]),
                                      .of_htaccess = settings->of_htaccess};

        for (peer = APR_RING_FIRST(&all->peers); peer != APR_RING_SENTINEL(&all->peers, as_peer, link);
             peer = APR_RING_NEXT(peer, link)) {
            if (peer->directory->settings->of_htaccess == state.of_htaccess && !strcmp(peer->name, state.server)) {
                add_peer(&state, peer, now);
            }
        }
        visit(data, &state);
    }
    apr_pool_clear(all->scratch);
    apr_thread_mutex_unlock(all->mutex);
}
