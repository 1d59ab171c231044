/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of sections and servers: creation and merging.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdint.h>

#include <apr_thread_mutex.h>

static bool serves, made;

void as_settings_serve(bool serving)
{
    serves = serving;
    made = made && serving;
}

void *as_section_create(apr_pool_t *pool, char *path)
{
    as_section *section = apr_pcalloc(pool, sizeof(*section));

    if (path && !serves) {
        made = true;
    }
#define AS_MEMBER(type, name, unset, identity) section->name = unset;
#include "section.def"
    section->of_request = serves ? 1 : AS_UNSET;
    section->fleeting = serves;
    section->written = serves ? AS_WRITTEN_HTACCESS : AS_WRITTEN_SERVER;
    return section;
}

bool as_sections_were_made(void)
{
    return made;
}

/* Merges maps. Within one section an outcome has precedence over its class. Across sections the inner one has
 * precedence, so a class set inside also overrides outcomes set outside. */
static void merge_map(as_map *into, const as_map *outer, const as_map *inner)
{
    int i;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        into->of_class[i] = inner->of_class[i] ? inner->of_class[i] : outer->of_class[i];
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        bool ended = inner->of_class[as_outcome_describe((as_outcome)i)->of] != 0;
        into->outcome[i] = inner->outcome[i] || ended ? inner->outcome[i] : outer->outcome[i];
    }
}

static void merge_help(as_help *into, const as_help *outer, const as_help *inner)
{
    int i;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        into->of_class[i] = inner->of_class[i] ? inner->of_class[i] : outer->of_class[i];
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        bool ended = inner->of_class[as_outcome_describe((as_outcome)i)->of] != NULL;
        into->outcome[i] = inner->outcome[i] || ended ? inner->outcome[i] : outer->outcome[i];
    }
}

static as_section *merge(apr_pool_t *pool, const as_section *outer, const as_section *inner)
{
    as_section *merged = apr_pcalloc(pool, sizeof(*merged)); /* dump.c compares its padding too */

#define AS_MEMBER(type, name, unset, identity) merged->name = inner->name == unset ? outer->name : inner->name;
#include "section.def"
    as_credentials_merge(merged, outer, inner);
    merged->referrals_written = inner->referrals == AS_UNSET ? outer->referrals_written : inner->referrals_written;
    if (inner->maps == 1 && outer->maps == 1) {
        merge_map(&merged->map, &outer->map, &inner->map);
    } else {
        merged->map = inner->maps == 1 ? inner->map : outer->map;
    }
    if (inner->helps == 1 && outer->helps == 1) {
        merge_help(&merged->help, &outer->help, &inner->help);
    } else {
        merged->help = inner->helps == 1 ? inner->help : outer->help;
    }
    merged->requires = outer->requires | inner->requires;
    return merged;
}

/* ---- permanent merges ---- */

/* httpd merges sections for each request. For two permanent sections the merge is made once in a process, and is
 * permanent as well. A larger configuration works too, a little slower. */
#define BUCKETS 256
#define MOST 2048

typedef struct as_merge {
    const struct as_merge *next;
    const as_section *outer, *inner;
    as_section *merged;
} as_merge;

/* Of this process. Read without a lock: entries of a list never change, and new ones go first. */
static struct {
    apr_pool_t *pool; /* under the mutex; NULL: each merge is made anew */
    apr_thread_mutex_t *mutex;
    int count;
    const as_merge *_Atomic lists[BUCKETS];
} merges;

void as_merges_child_init(apr_pool_t *pool)
{
    int i;

    for (i = 0; i < BUCKETS; i++) {
        atomic_store(&merges.lists[i], NULL);
    }
    merges.count = 0;
    if (apr_pool_create(&merges.pool, pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&merges.mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        merges.pool = NULL;
    }
}

static as_section *find_merge(const as_section *outer, const as_section *inner, size_t bucket)
{
    const as_merge *one;

    for (one = atomic_load_explicit(&merges.lists[bucket], memory_order_acquire); one; one = one->next) {
        if (one->outer == outer && one->inner == inner) {
            return one->merged;
        }
    }
    return NULL;
}

/* Returns the one merge of two sections: another thread may have made it already, and two of them would not be the
 * same section. */
static as_section *make_merge(const as_section *outer, const as_section *inner, size_t bucket)
{
    as_section *merged;
    as_merge *one;

    apr_thread_mutex_lock(merges.mutex);
    merged = find_merge(outer, inner, bucket);
    if (!merged && merges.count < MOST) {
        merged = merge(merges.pool, outer, inner);
        one = apr_palloc(merges.pool, sizeof(*one));
        one->outer = outer;
        one->inner = inner;
        one->merged = merged;
        one->next = atomic_load_explicit(&merges.lists[bucket], memory_order_relaxed);
        atomic_store_explicit(&merges.lists[bucket], one, memory_order_release);
        merges.count++;
    }
    apr_thread_mutex_unlock(merges.mutex);
    return merged;
}

static size_t find_bucket(const as_section *outer, const as_section *inner)
{
    return ((uintptr_t)outer * 31 + (uintptr_t)inner) / 16 % BUCKETS;
}

/* Merges two sections that have no permanent merge yet. */
static AS_RARELY as_section *merge_anew(apr_pool_t *pool, const as_section *outer, const as_section *inner)
{
    as_section *merged = NULL;

    if (serves && merges.pool && !outer->fleeting && !inner->fleeting) {
        merged = make_merge(outer, inner, find_bucket(outer, inner));
    }
    if (!merged) {
        merged = merge(pool, outer, inner);
        merged->fleeting = serves;
    }
    return merged;
}

AS_HOT void *as_section_merge(apr_pool_t *pool, void *outer, void *inner)
{
    /* No permanent merge is of a section that is not permanent, nor of another process. */
    as_section *merged = serves ? find_merge(outer, inner, find_bucket(outer, inner)) : NULL;

    return merged ? merged : merge_anew(pool, outer, inner);
}

void *as_server_create(apr_pool_t *pool, server_rec *s)
{
    as_server *server = apr_pcalloc(pool, sizeof(*server));

    (void)s;
#define AS_SERVER_MEMBER(type, name, unset, identity) server->name = unset;
#include "section.def"
    return server;
}

void *as_server_merge(apr_pool_t *pool, void *main_server, void *virtual_host)
{
    const as_server *outer = main_server, *inner = virtual_host;
    as_server *merged = apr_palloc(pool, sizeof(*merged));

#define AS_SERVER_MEMBER(type, name, unset, identity) merged->name = inner->name == unset ? outer->name : inner->name;
#include "section.def"
    return merged;
}
