/* SPDX-License-Identifier: Apache-2.0
 *
 * State shared by the processes of a server: the store of AuthStatusCache (any socache provider), the key that seals
 * its records, and the counters. Made in the parent; each child has a cache of its own in front of them.
 */
#include "runtime.h"

#include <stdlib.h>

#include <ap_mpm.h>
#include <ap_provider.h>
#include <ap_socache.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_core.h>
#include <util_mutex.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#define MUTEX_NAME "authstatus-cache"
#define DEFAULT_ACCEPTANCE apr_time_from_sec(60)
#define DEFAULT_REFUSAL apr_time_from_sec(30)
/* Location of an entry; a bind there that fails is followed by a search, so that an old one is harmless. */
#define ENTRY_TIME apr_time_from_sec(600)
/* Answers that a process caches in front of the store. */
#define DEFAULT_ENTRIES 8192
/* Size of a store of our own making, in octets for each of these: mod_socache_shmcb reserves its index by the hints, in
 * rings that fill unevenly. It writes the pages that it uses. */
#define STORE_EACH 1024
#define STORE_MOST_ENTRIES (1 << 20)

/* The store of this server. Read-only from post_config on, except members that child_init sets in each child. */
typedef struct as_socache_state {
    const ap_socache_provider_t *provider; /* NULL: there is none */
    ap_socache_instance_t *instance;       /* of the parent; calls use that of as_instance_take */
    server_rec *server;
    apr_global_mutex_t *mutex; /* NULL: the provider serialises itself */
    unsigned char key[AS_KEY_SIZE];
    const as_key *configured_key;
} as_socache_state;

static as_socache_state shared;
static as_counters *counters;
static as_cache *memory;

AS_HOT as_cache *as_process_get_cache(void)
{
    return memory;
}

AS_HOT as_counters *as_process_get_counters(void)
{
    return counters;
}

/* Returns whether the store is on another machine, with a key that other machines can have. */
bool as_socache_is_for_machines(void)
{
    return shared.provider && !shared.mutex && shared.configured_key;
}

/* ---- the store's calls ---- */

/* A call with all its data, so that it can continue after its caller has left. */
typedef enum as_store_operation { AS_RETRIEVE, AS_STORE, AS_REMOVE } as_store_operation;

struct as_offload_job {
    as_store_operation operation;
    unsigned char id[AS_HASH_SIZE];
    apr_time_t expiry;
    apr_status_t status;
    unsigned int length; /* of data */
    unsigned char data[];
};

static void run_operation(as_offload_job *job, apr_pool_t *pool)
{
    const ap_socache_provider_t *provider = shared.provider;
    ap_socache_instance_t *instance = shared.instance;
    as_instance *taken = shared.mutex ? NULL : as_instance_take(&instance);

    switch (job->operation) {
    case AS_RETRIEVE:
        job->status = provider->retrieve(instance, shared.server, job->id, AS_HASH_SIZE, job->data, &job->length, pool);
        break;
    case AS_STORE:
        job->status =
            provider->store(instance, shared.server, job->id, AS_HASH_SIZE, job->expiry, job->data, job->length, pool);
        break;
    case AS_REMOVE:
        job->status = provider->remove(instance, shared.server, job->id, AS_HASH_SIZE, pool);
        break;
    }
    if (taken) {
        as_instance_return(taken);
    }
}

/* Makes one call: serialised if the provider requires it, else on another thread, as it may use the network. Returns
 * the job, which the caller frees, or NULL: the store does not answer. */
static as_offload_job *run(as_offload_job *job, apr_pool_t *pool)
{
    if (!shared.mutex) {
        const as_instance *instance = as_instance_get_current();
        bool stuck = false;

        job = as_offload_run(run_operation, job, &stuck);
        if (stuck) {
            as_instance_replace(instance);
        }
        return job;
    }
    job->status = apr_global_mutex_lock(shared.mutex);
    if (job->status == APR_SUCCESS) {
        run_operation(job, pool);
        apr_global_mutex_unlock(shared.mutex);
    }
    return job;
}

static as_offload_job *make_job(as_store_operation operation, const unsigned char id[AS_HASH_SIZE], unsigned int length)
{
    as_offload_job *job = malloc(sizeof(*job) + length);

    if (job) {
        memset(job, 0, sizeof(*job)); /* not the data, which are kilobytes */
        job->operation = operation;
        memcpy(job->id, id, AS_HASH_SIZE);
        job->length = length;
    }
    return job;
}

static apr_status_t retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                             unsigned int *data_length, apr_pool_t *pool)
{
    as_offload_job *job = make_job(AS_RETRIEVE, id, *data_length);
    apr_status_t status;

    (void)context;
    job = job ? run(job, pool) : NULL;
    if (!job) {
        return APR_TIMEUP;
    }
    status = job->length <= *data_length ? job->status : APR_ENOSPC;
    if (status == APR_SUCCESS) {
        memcpy(data, job->data, job->length);
        *data_length = job->length;
    }
    free(job);
    return status;
}

static apr_status_t run_to_end(as_offload_job *job, apr_pool_t *pool)
{
    apr_status_t status = APR_TIMEUP;

    job = job ? run(job, pool) : NULL;
    if (job) {
        status = job->status;
        free(job);
    }
    return status;
}

static apr_status_t store(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                          const unsigned char *data, unsigned int data_length, apr_pool_t *pool)
{
    as_offload_job *job = make_job(AS_STORE, id, data_length);

    (void)context;
    if (job) {
        job->expiry = expiry;
        memcpy(job->data, data, data_length);
    }
    return run_to_end(job, pool);
}

static apr_status_t drop(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *pool)
{
    (void)context;
    return run_to_end(make_job(AS_REMOVE, id, 0), pool);
}

/* ---- start-up ---- */

const char *as_socache_parse(apr_pool_t *pool, apr_pool_t *ptemp, const char *text, as_cache_setting *setting)
{
    const char *arguments = ap_strchr_c(text, ':');
    const char *name = arguments ? apr_pstrmemdup(ptemp, text, (apr_size_t)(arguments - text)) : text;
    const char *error;

    if (!ap_cstr_casecmp(text, "Off")) {
        setting->off = true;
        return NULL;
    }
    setting->provider = ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, name, AP_SOCACHE_PROVIDER_VERSION);
    if (!setting->provider) {
        apr_array_header_t *names =
            ap_list_provider_names(ptemp, AP_SOCACHE_PROVIDER_GROUP, AP_SOCACHE_PROVIDER_VERSION);
        const char *known = "Off";
        int i;

        for (i = 0; i < names->nelts; i++) {
            known =
                apr_pstrcat(ptemp, known, ", ", APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name, NULL);
        }
        return apr_psprintf(
            ptemp, "there is no socache provider \"%.200s\"; use %s (is its mod_socache_ module loaded?)", name, known);
    }
    setting->arguments = arguments ? apr_pstrdup(pool, arguments + 1) : NULL;
    error = setting->provider->create(&setting->instance, setting->arguments, ptemp, pool);
    return error ? apr_psprintf(ptemp, "%s: %s", name, error) : NULL;
}

int as_socache_pre_config(apr_pool_t *pconf)
{
    return ap_mutex_register(pconf, MUTEX_NAME, NULL, APR_LOCK_DEFAULT, 0) == APR_SUCCESS ? OK
                                                                                          : HTTP_INTERNAL_SERVER_ERROR;
}

static apr_status_t end_store(void *data)
{
    as_socache_state *ended = data;

    if (ended->provider) {
        ended->provider->destroy(ended->instance, ended->server);
    }
    as_instance_end();
    memset(ended, 0, sizeof(*ended));
    return APR_SUCCESS;
}

/* Opens the counters, which count since the server was started. */
static apr_status_t open_counters(server_rec *s)
{
    void *kept;
    bool is_new;
    apr_status_t status = as_persistent_memory_get(s, "mod_authstatus-counters", as_counters_hash_layout(),
                                                   as_counters_get_size(), &kept, &is_new);

    if (status == APR_SUCCESS) {
        if (is_new) {
            as_counters_begin(kept, apr_time_now());
        }
        counters = kept;
    }
    return status;
}

static int get_entries(const as_server *server)
{
    return server->cache_entries == AS_UNSET ? DEFAULT_ENTRIES : server->cache_entries;
}

/* Returns how large shmcb is without an argument, in octets: what a process caches fits in. */
static apr_size_t choose_store_size(const as_server *server)
{
    const int entries = get_entries(server);

    return (apr_size_t)STORE_EACH * (apr_size_t)(entries < DEFAULT_ENTRIES      ? DEFAULT_ENTRIES
                                                 : entries > STORE_MOST_ENTRIES ? STORE_MOST_ENTRIES
                                                                                : entries);
}

/* Returns the provider of AuthStatusCache, by default shmcb where it is loaded. shmcb's own default is half a megabyte,
 * which forgets logins of some hundred users with their groups. */
static const char *choose_provider(const as_server *server, apr_pool_t *pconf, apr_pool_t *ptemp,
                                   as_cache_setting *setting)
{
    const as_cache_setting *configured = server->cache;
    const void *shmcb = ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, "shmcb", AP_SOCACHE_PROVIDER_VERSION);

    if (configured && (configured->off || configured->arguments || configured->provider != shmcb)) {
        *setting = *configured;
        return NULL;
    }
    if (!shmcb) {
        return NULL;
    }
    return as_socache_parse(pconf, ptemp,
                            apr_psprintf(ptemp, "shmcb:%s(%" APR_SIZE_T_FMT ")",
                                         ap_runtime_dir_relative(ptemp, "socache-authstatus.shm"),
                                         choose_store_size(server)),
                            setting);
}

static apr_status_t init_provider(const as_cache_setting *setting, server_rec *s, apr_pool_t *pconf)
{
    static const struct ap_socache_hints hints = {AS_KEY_SIZE, 512, apr_time_from_sec(60)};
    apr_status_t status;

    if (setting->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE) {
        status = ap_global_mutex_create(&shared.mutex, NULL, MUTEX_NAME, NULL, s, pconf, 0);
        if (status != APR_SUCCESS) {
            return status;
        }
    }
    status = setting->provider->init(setting->instance, "authstatus", &hints, s, pconf);
    if (status == APR_SUCCESS) {
        shared.provider = setting->provider;
        shared.instance = setting->instance;
        as_instance_begin(setting, &hints, s);
    }
    return status;
}

int as_socache_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    const as_server *server = as_server_get(s);
    as_cache_setting setting = {.off = false};
    const char *error;
    apr_status_t status;

    memset(&shared, 0, sizeof(shared));
    shared.server = s;
    shared.configured_key = server->cache_key;
    apr_pool_cleanup_register(pconf, &shared, end_store, apr_pool_cleanup_null);
    status = open_counters(s);
    if (status != APR_SUCCESS || RAND_bytes(shared.key, sizeof(shared.key)) != 1) {
        AS_LOG_SERVER(0080, status, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    error = choose_provider(server, pconf, ptemp, &setting);
    status = !error && setting.provider ? init_provider(&setting, s, pconf) : APR_SUCCESS;
    if (error || status != APR_SUCCESS) {
        AS_LOG_SERVER(0082, status, s, error ? ": " : "", error ? error : "");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static bool is_shmcb(void)
{
    return shared.provider &&
           shared.provider == ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, "shmcb", AP_SOCACHE_PROVIDER_VERSION);
}

bool as_socache_child_init(apr_pool_t *pool, server_rec *s)
{
    static const as_store none;
    const as_store calls = {.retrieve = retrieve, .store = store, .remove = drop, .is_memory = is_shmcb()};
    const as_server *server = as_server_get(s);
    as_cache_times times = {.acceptance = DEFAULT_ACCEPTANCE, .refusal = DEFAULT_REFUSAL, .entry = ENTRY_TIME};
    const as_key *key = shared.configured_key;
    apr_status_t status = APR_SUCCESS;

    memory = NULL;
    if (server->cache && server->cache->off) {
        return true;
    }
    if (shared.mutex) {
        status = apr_global_mutex_child_init(&shared.mutex, apr_global_mutex_lockfile(shared.mutex), pool);
    }
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0083, status, s);
        shared.provider = NULL;
    }
    if (server->acceptance_time != AS_UNSET) {
        times.acceptance = server->acceptance_time;
    }
    if (server->refusal_time != AS_UNSET) {
        times.refusal = server->refusal_time;
    }
    if (server->stale_time != AS_UNSET) {
        times.stale = server->stale_time;
    }
    memory =
        as_cache_create(as_pool_choose_for_life(pool), &times, shared.provider ? &calls : &none,
                        key ? key->octets : shared.key, key ? key->length : sizeof(shared.key), get_entries(server));
    if (memory) {
        as_cache_set_counters(memory, counters);
    }
    return memory != NULL;
}
