/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of a process about a directory's server and its groups, except their members: facts that rarely change. A
 * bounded table for each directory, under a lock; facts about groups expire after an hour.
 */
#include "ldap_private.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define SLOTS 512
#define WAYS 4
#define HOUR (3600 * AS_MONO_SECOND)
#define RECORD_MAX 16384 /* octets of DN and classes; a larger group is read each time */

/* A fact about one group, as one account sees it. */
typedef struct as_fact {
    char *key; /* from malloc; NULL: free slot */
    as_mono described_until, comparable_until;
    as_group_facts group; /* but for its times and its texts */
    char *texts;          /* from malloc: the DN and the classes, each with a NUL */
    int text_count;
} as_fact;

struct as_facts {
    pthread_mutex_t mutex;
    atomic_bool server_known, is_ad, ad_ways_failed, seen_by_service, seen_by_owner;
    char *contexts; /* from malloc, as as_fact.texts; written once, before server_known */
    int context_count;
    as_fact *slots; /* SLOTS of them; NULL: not allocated yet */
};

static apr_status_t end_facts(void *data)
{
    as_facts *facts = data;
    size_t i;

    for (i = 0; facts->slots && i < SLOTS; i++) {
        free(facts->slots[i].key);
        free(facts->slots[i].texts);
    }
    free(facts->slots);
    free(facts->contexts);
    pthread_mutex_destroy(&facts->mutex);
    return APR_SUCCESS;
}

as_facts *as_facts_create(apr_pool_t *pool)
{
    as_facts *facts = apr_pcalloc(pool, sizeof(*facts));

    if (pthread_mutex_init(&facts->mutex, NULL) != 0) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, facts, end_facts, apr_pool_cleanup_null);
    return facts;
}

/* ---- lists of texts ---- */

/* Joins texts, each with its NUL, from malloc; NULL without memory, or for more than `most` octets. */
static char *pack(const char *first, const char *const *others, size_t most, int *count)
{
    size_t length = first ? strlen(first) + 1 : 0, at = 0;
    const char *const *other;
    char *packed;

    for (other = others; other && *other; other++) {
        length += strlen(*other) + 1;
    }
    packed = length <= most ? malloc(length + 1) : NULL;
    *count = 0;
    if (packed && first) {
        memcpy(packed, first, strlen(first) + 1);
        at = strlen(first) + 1;
        ++*count;
    }
    for (other = others; packed && other && *other; other++) {
        memcpy(packed + at, *other, strlen(*other) + 1);
        at += strlen(*other) + 1;
        ++*count;
    }
    return packed;
}

/* Returns copies, NULL-terminated. */
static const char **unpack(const char *packed, int count, apr_pool_t *pool)
{
    const char **texts = apr_pcalloc(pool, ((size_t)count + 1) * sizeof(*texts));
    int i;

    for (i = 0; i < count; i++) {
        texts[i] = apr_pstrdup(pool, packed);
        packed += strlen(packed) + 1;
    }
    return texts;
}

/* ---- the server ---- */

bool as_facts_get_server(const as_facts *facts, as_server_facts *server, apr_pool_t *pool)
{
    if (!facts || !atomic_load(&facts->server_known)) {
        return false;
    }
    server->is_ad = atomic_load(&facts->is_ad);
    server->contexts = unpack(facts->contexts, facts->context_count, pool);
    return true;
}

void as_facts_put_server(as_facts *facts, const as_server_facts *server)
{
    if (!facts) {
        return;
    }
    pthread_mutex_lock(&facts->mutex);
    if (!atomic_load(&facts->server_known)) {
        facts->contexts = pack(NULL, server->contexts, SIZE_MAX - 1, &facts->context_count);
        atomic_store(&facts->is_ad, server->is_ad);
        atomic_store(&facts->server_known, facts->contexts != NULL);
    }
    pthread_mutex_unlock(&facts->mutex);
}

bool as_facts_is_ad(const as_facts *facts)
{
    return facts && atomic_load(&facts->server_known) && atomic_load(&facts->is_ad);
}

bool as_facts_have_ad_ways_failed(const as_facts *facts)
{
    return facts && atomic_load(&facts->ad_ways_failed);
}

void as_facts_note_ad_ways_failed(as_facts *facts)
{
    if (facts) {
        atomic_store(&facts->ad_ways_failed, true);
    }
}

bool as_facts_has_seen_member_of(const as_facts *facts, as_viewer viewer)
{
    return facts && ((viewer == AS_VIEWER_SERVICE && atomic_load(&facts->seen_by_service)) ||
                     (viewer == AS_VIEWER_OWNER && atomic_load(&facts->seen_by_owner)));
}

void as_facts_note_member_of(as_facts *facts, as_viewer viewer)
{
    if (facts && viewer == AS_VIEWER_SERVICE) {
        atomic_store(&facts->seen_by_service, true);
    } else if (facts && viewer == AS_VIEWER_OWNER) {
        atomic_store(&facts->seen_by_owner, true);
    }
}

/* ---- groups ---- */

/* Chooses the set of a key by its hash; the key itself is compared afterwards. */
static size_t choose_slot(const char *key)
{
    return (size_t)(as_hash_text(AS_HASH, key) >> 32) % (SLOTS / WAYS) * WAYS;
}

static as_mono get_end(const as_fact *fact)
{
    return fact->described_until > fact->comparable_until ? fact->described_until : fact->comparable_until;
}

/* Finds a fact. Under the lock. */
static as_fact *find(const as_facts *facts, const char *key)
{
    as_fact *slots = facts->slots ? facts->slots + choose_slot(key) : NULL;
    int i;

    for (i = 0; slots && i < WAYS; i++) {
        if (slots[i].key && strcmp(slots[i].key, key) == 0) {
            return &slots[i];
        }
    }
    return NULL;
}

/* Returns the slot of this key: its own, or that of the fact that expires first, emptied. NULL without memory. Under
 * the lock. */
static as_fact *take(as_facts *facts, const char *key)
{
    as_fact *slot = find(facts, key), *slots;
    int i;

    if (slot) {
        return slot;
    }
    if (!facts->slots) {
        facts->slots = calloc(SLOTS, sizeof(*facts->slots));
    }
    if (!facts->slots) {
        return NULL;
    }
    slots = facts->slots + choose_slot(key);
    for (slot = slots, i = 1; i < WAYS; i++) {
        if (get_end(&slots[i]) < get_end(slot)) {
            slot = &slots[i];
        }
    }
    free(slot->key);
    free(slot->texts);
    memset(slot, 0, sizeof(*slot));
    slot->key = strdup(key);
    return slot->key ? slot : NULL;
}

void as_facts_get(as_facts *facts, const char *key, as_group_facts *group, apr_pool_t *pool)
{
    as_mono now = as_mono_read();
    const as_fact *fact;
    const char **texts;

    memset(group, 0, sizeof(*group));
    if (!facts) {
        return;
    }
    pthread_mutex_lock(&facts->mutex);
    fact = find(facts, key);
    if (fact && now < fact->described_until && fact->text_count > 0) {
        texts = unpack(fact->texts, fact->text_count, pool);
        *group = fact->group;
        group->described = true;
        group->fresh = now < fact->described_until - HOUR + AS_GROUP_FRESH;
        group->dn = texts[0];
        group->classes = texts + 1;
    }
    group->comparable = fact && now < fact->comparable_until;
    pthread_mutex_unlock(&facts->mutex);
}

void as_facts_note_described(as_facts *facts, const char *key, const as_group_facts *group)
{
    as_fact *fact;
    int count = 0;
    char *texts = facts ? pack(group->dn, group->classes, RECORD_MAX, &count) : NULL;

    if (!texts) {
        return;
    }
    pthread_mutex_lock(&facts->mutex);
    fact = take(facts, key);
    if (fact) {
        free(fact->texts);
        fact->texts = texts;
        fact->text_count = count;
        fact->group = *group;
        fact->group.dn = NULL;
        fact->group.classes = NULL;
        fact->described_until = as_mono_read() + HOUR;
    }
    pthread_mutex_unlock(&facts->mutex);
    if (!fact) {
        free(texts);
    }
}

void as_facts_note_comparable(as_facts *facts, const char *key)
{
    as_fact *fact;

    if (!facts) {
        return;
    }
    pthread_mutex_lock(&facts->mutex);
    fact = take(facts, key);
    if (fact) {
        fact->comparable_until = as_mono_read() + HOUR;
    }
    pthread_mutex_unlock(&facts->mutex);
}
