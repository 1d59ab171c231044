/* SPDX-License-Identifier: Apache-2.0
 *
 * The directories of sections, with their names. A name is a hash over all settings; httpd merges sections for each
 * request. Settings of the server's configuration stay at their addresses as long as a process serves, so a directory
 * is recognised by the addresses of its values. Settings of .htaccess files are temporary, and their names are
 * computed each time.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdint.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#define BUCKETS 256
/* A larger configuration works too, a little slower. */
#define INTERNED_MOST 4096

typedef struct as_interned_node as_interned_node;
struct as_interned_node {
    const as_interned_node *next;
    as_directory_source source;
    as_login_directory directory;
};

/* Of this process. Read without a lock: entries of a list never change, and new ones go first. */
static struct {
    apr_pool_t *pool; /* under the mutex; NULL: nothing is kept */
    apr_thread_mutex_t *mutex;
    int count;
    const as_interned_node *_Atomic lists[BUCKETS];
} interned;

void as_interned_child_init(apr_pool_t *pool)
{
    int i;

    for (i = 0; i < BUCKETS; i++) {
        atomic_store(&interned.lists[i], NULL);
    }
    interned.count = 0;
    if (apr_pool_create(&interned.pool, pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&interned.mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        interned.pool = NULL;
    }
}

as_directory_source as_directory_source_find(const as_section *section, const server_rec *server, const request_rec *r)
{
    const as_credentials credentials = as_section_get_credentials(section, as_server_get(server), r);
    as_directory_source source = {.server = server, .account_of_htaccess = as_credentials_are_of_htaccess(section)};

#define AS_SOURCE_OF_DIRECTORY(name) source.name = section->name;
#define AS_SOURCE_OF_ACCOUNT(name) source.name = credentials.name;
#define AS_SOURCE_OF_CERTIFICATE(name) source.name = credentials.name;
#define AS_SOURCE_OF_BIND(name)
#define AS_SOURCE_OF_POLICY(name)
#define AS_MEMBER(type, name, unset, identity) AS_SOURCE_##identity(name)
#include "section.def"
#undef AS_SOURCE_OF_DIRECTORY
#undef AS_SOURCE_OF_ACCOUNT
#undef AS_SOURCE_OF_CERTIFICATE
    if (section->url && section->referrals_written != section->url->written &&
        section->referrals_written == AS_WRITTEN_HTACCESS) {
        source.referrals = AS_UNSET; /* a .htaccess must not send the server's account to other servers */
    }
    return source;
}

static bool is_same_source(const as_directory_source *one, const as_directory_source *other)
{
    bool equal = one->server == other->server && one->account_of_htaccess == other->account_of_htaccess;

#define AS_SOURCE_OF_DIRECTORY(name) equal = equal && one->name == other->name;
#define AS_SOURCE_OF_ACCOUNT(name) equal = equal && one->name == other->name;
#define AS_SOURCE_OF_CERTIFICATE(name) equal = equal && one->name == other->name;
#define AS_MEMBER(type, name, unset, identity) AS_SOURCE_##identity(name)
#include "section.def"
#undef AS_SOURCE_OF_DIRECTORY
#undef AS_SOURCE_OF_ACCOUNT
#undef AS_SOURCE_OF_CERTIFICATE
#undef AS_SOURCE_OF_BIND
#undef AS_SOURCE_OF_POLICY
    return equal;
}

static const as_login_directory *find(const as_directory_source *source, size_t bucket)
{
    const as_interned_node *one;

    for (one = atomic_load_explicit(&interned.lists[bucket], memory_order_acquire); one; one = one->next) {
        if (is_same_source(&one->source, source)) {
            return &one->directory;
        }
    }
    return NULL;
}

/* Adds the attribute for REMOTE_USER to those of the URL. */
static void request_remote_user(as_directory_settings *settings, const char *attribute, apr_pool_t *pool)
{
    const char **attributes;
    int i;

    for (i = 0; i < settings->attribute_count; i++) {
        if (!ap_cstr_casecmp(settings->attributes[i], attribute)) {
            return;
        }
    }
    attributes = apr_palloc(pool, (size_t)(i + 2) * sizeof(*attributes));
    memcpy(attributes, settings->attributes, (size_t)i * sizeof(*attributes));
    attributes[i] = attribute;
    attributes[i + 1] = NULL;
    settings->attributes = attributes;
    settings->attribute_count = i + 1;
}

const char *as_server_make_scope(const server_rec *s, apr_pool_t *pool)
{
    /* ServerName without a port sets none. */
    const unsigned port = s->port || !s->addrs ? s->port : s->addrs->host_port;

    return apr_psprintf(pool, "%s:%u", s->server_hostname ? s->server_hostname : "", port);
}

/* Finds out which servers of a .htaccess file are the administrator's. */
static void find_guards(const as_directory_settings *settings, apr_pool_t *pool, as_login_directory *directory)
{
    as_guard *guards = apr_pcalloc(pool, (apr_size_t)settings->server_count * sizeof(*guards));
    int i = 0;

    directory->foreign = settings->of_htaccess && !as_configured_has_list(settings, pool, guards);
    while (i < settings->server_count && guards[i] == AS_GUARD_NONE) {
        i++;
    }
    directory->guards = directory->foreign && i < settings->server_count ? guards : NULL;
}

/* Makes a directory with its name. Returns false without memory for its name. */
static bool make(const as_directory_source *source, apr_pool_t *pool, as_login_directory *directory)
{
    const as_directory_settings *settings = as_section_make_directory(source, pool);
    as_directory_settings *more;

    if (source->remote_user_attribute) {
        more = apr_pmemdup(pool, settings, sizeof(*more));
        request_remote_user(more, source->remote_user_attribute, pool);
        settings = more;
    }
    directory->settings = settings;
    directory->scope = as_server_make_scope(source->server, pool);
    find_guards(settings, pool, directory);
    directory->fingerprint = as_directory_compute_fingerprint(pool, settings);
    return directory->fingerprint != NULL;
}

/* Returns the one directory of a source: another thread may have made it already. */
static const as_login_directory *intern(const as_directory_source *source, size_t bucket)
{
    const as_login_directory *known;
    as_interned_node *one = NULL;

    apr_thread_mutex_lock(interned.mutex);
    known = find(source, bucket);
    if (!known && interned.count < INTERNED_MOST) {
        one = apr_pcalloc(interned.pool, sizeof(*one));
        one->source = *source;
        if (make(source, interned.pool, &one->directory)) {
            one->directory.stays = true;
            interned.count++;
            one->next = atomic_load_explicit(&interned.lists[bucket], memory_order_relaxed);
            atomic_store_explicit(&interned.lists[bucket], one, memory_order_release);
        } else {
            one = NULL;
        }
    }
    apr_thread_mutex_unlock(interned.mutex);
    return one ? &one->directory : known;
}

const as_login_directory *as_intern_directory(request_rec *r, const as_section *section)
{
    const as_directory_source source = as_directory_source_find(section, r->server, r);
    const as_login_directory *known = NULL;
    as_login_directory *own;

    if (!source.url) {
        return NULL;
    }
    if (interned.pool && section->of_request != 1) {
        const size_t bucket = ((uintptr_t)source.url >> 4 ^ (uintptr_t)source.bind_dn >> 3) % BUCKETS;

        known = find(&source, bucket);
        known = known ? known : intern(&source, bucket);
    }
    if (known) {
        return known;
    }
    own = apr_pcalloc(r->pool, sizeof(*own));
    return make(&source, r->pool, own) ? own : NULL;
}
