/* SPDX-License-Identifier: Apache-2.0
 *
 * The instance of the store's provider, with its connections. A provider that reads without a limit holds a silently
 * broken connection forever, and its connections are few. So after a call that did not return the process continues
 * with another instance; the former one ends with its last call.
 */
#include "runtime.h"

#include <pthread.h>

#include <apr_thread_mutex.h>

struct as_instance {
    ap_socache_instance_t *instance;
    apr_pool_t *pool; /* NULL: the configuration's */
    int users;
};

static struct {
    const ap_socache_provider_t *provider; /* NULL: there is none */
    const char *arguments;                 /* of AuthStatusCache; NULL: none */
    const struct ap_socache_hints *hints;
    server_rec *server;
    as_instance first;
} known;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static as_instance *current;

void as_instance_begin(const as_cache_setting *setting, const struct ap_socache_hints *hints, server_rec *s)
{
    known.provider = setting->provider;
    known.arguments = setting->arguments;
    known.hints = hints;
    known.server = s;
    known.first = (as_instance){.instance = setting->instance};
    current = &known.first;
}

void as_instance_end(void)
{
    known.provider = NULL;
    current = NULL;
}

as_instance *as_instance_take(ap_socache_instance_t **instance)
{
    as_instance *taken;

    pthread_mutex_lock(&mutex);
    taken = current;
    taken->users++;
    *instance = taken->instance;
    pthread_mutex_unlock(&mutex);
    return taken;
}

/* Closes its connections. No call uses it. */
static void end(as_instance *instance)
{
    apr_pool_t *pool = instance->pool;

    if (pool) {
        apr_pool_destroy(pool);
    }
}

void as_instance_return(as_instance *instance)
{
    bool over;

    pthread_mutex_lock(&mutex);
    over = --instance->users == 0 && instance != current;
    pthread_mutex_unlock(&mutex);
    if (over) {
        end(instance);
    }
}

const as_instance *as_instance_get_current(void)
{
    const as_instance *now;

    pthread_mutex_lock(&mutex);
    now = current;
    pthread_mutex_unlock(&mutex);
    return now;
}

/* Makes a pool in which several threads may make pools: the provider has a list of connections for each server. */
static apr_pool_t *make_pool(void)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *lock;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    if (apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_allocator_mutex_set(allocator, lock);
    return pool;
}

/* Makes an instance; NULL on failure. */
static as_instance *make(void)
{
    apr_pool_t *pool = make_pool();
    as_instance *made;

    if (!pool) {
        return NULL;
    }
    made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    if (known.provider->create(&made->instance, known.arguments, pool, pool) != NULL ||
        known.provider->init(made->instance, "authstatus", known.hints, known.server, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return made;
}

void as_instance_replace(const as_instance *failed)
{
    as_instance *made = make(), *former = made;

    pthread_mutex_lock(&mutex);
    if (made && current == failed) {
        former = current;
        current = made;
    }
    if (former && former->users > 0) {
        former = NULL;
    }
    pthread_mutex_unlock(&mutex);
    if (former) {
        end(former);
    }
}
