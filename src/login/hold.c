/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthStatusUniformTiming: delays the answer to a failed login (authstatus/pace.h). It holds no session, no slot of
 * AuthStatusInFlight and no lock meanwhile.
 */
#include "pacing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <apr_thread_mutex.h>

#define PACES 509
/* A sleep ends late. The average delay is slept less, and the rest is waited for awake: not long, as that takes a
 * processor from others. */
#define LATEST (AS_MONO_SECOND / 50000)

/* Logins that are compared with each other: of one section, where the providers are the same, that began at the same
 * directory in the same way, with passwords of like length. */
typedef struct as_pace_key {
    const void *section;
    const as_login_directory *directory;
    int length;
    as_pacing_way way;
    int load;
} as_pace_key;

typedef struct as_pace_node {
    as_pace_key key;
    as_pace pace;
} as_pace_node;

struct as_paces {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;  /* of all from here on */
    as_pace_node *nodes[PACES]; /* without a section: of .htaccess */
    as_pace shared;             /* of all for which there is no room */
    atomic_int in_progress;     /* logins that are not answered by the cache */
    _Atomic as_mono late;       /* average delay of the end of a sleep */
};

static apr_status_t destroy(void *paces)
{
    apr_pool_destroy(((as_paces *)paces)->pool);
    return APR_SUCCESS;
}

as_paces *as_paces_create(apr_pool_t *pool)
{
    as_paces *paces = apr_pcalloc(pool, sizeof(*paces));

    if (apr_thread_mutex_create(&paces->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_pool_create_unmanaged(&paces->pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, paces, destroy, apr_pool_cleanup_null);
    return paces;
}

static size_t hash(const as_pace_key *key)
{
    const uint64_t mixed = ((uint64_t)(uintptr_t)key->section ^ (uint64_t)(uintptr_t)key->directory << 7) +
                           (uint64_t)((key->length * AS_WAY_COUNT + (int)key->way) * AS_PACE_LOADS + key->load) *
                               UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mixed * UINT64_C(0xff51afd7ed558ccd) >> 33) % PACES;
}

static bool is_same(const as_pace_key *one, const as_pace_key *other)
{
    return one->section == other->section && one->directory == other->directory && one->length == other->length &&
           one->way == other->way && one->load == other->load;
}

/* Under the mutex. */
static as_pace *find_pace(as_paces *paces, const as_pace_key *key)
{
    const as_pace_key common = {.length = key->length, .way = key->way, .load = key->load};
    const size_t first = hash(key->section ? key : &common);
    size_t tried;

    for (tried = 0; tried < PACES; tried++) {
        as_pace_node **node = &paces->nodes[(first + tried) % PACES];

        if (!*node) {
            *node = apr_pcalloc(paces->pool, sizeof(**node));
            (*node)->key = key->section ? *key : common;
        }
        if (is_same(&(*node)->key, key->section ? key : &common)) {
            return &(*node)->pace;
        }
    }
    return &paces->shared;
}

/* ---- what a login is compared with ---- */

static as_paced choose_kind(const as_finding *finding)
{
    if (finding->outcome == AS_OUTCOME_WRONG_PASSWORD) {
        return AS_PACED_WRONG;
    }
    if (finding->outcome == AS_OUTCOME_AMBIGUOUS_USER) {
        return AS_PACED_AMBIGUOUS;
    }
    if (finding->outcome == AS_OUTCOME_UNKNOWN_USER) {
        return AS_PACED_UNKNOWN;
    }
    return as_outcome_describe(finding->outcome)->of == AS_CLASS_REFUSED ? AS_PACED_REFUSED : AS_PACED_COUNT;
}

void as_pacing_begin(as_pacing *pacing, const as_login_attempt *params)
{
    if (!pacing->began) {
        pacing->began = as_mono_read();
        pacing->directory = params->directory;
        pacing->length = as_pace_choose_length_class(strlen(params->password));
        pacing->way = AS_WAY_CACHE;
        pacing->kind = AS_PACED_UNKNOWN;
    }
}

static void note_load(as_pacing *pacing, int in_progress)
{
    const int load = as_pace_choose_load(in_progress);

    pacing->load = load > pacing->load ? load : pacing->load;
}

void as_pacing_enter(as_pacing *pacing, as_paces *paces, const as_login_directory *directory)
{
    if (paces) {
        note_load(pacing, atomic_fetch_add_explicit(&paces->in_progress, 1, memory_order_relaxed) + 1);
    }
    if (pacing->directory == directory && pacing->way == AS_WAY_CACHE) {
        pacing->way = AS_WAY_SEARCH;
        pacing->follows = true;
    }
}

void as_pacing_leave(as_pacing *pacing, as_paces *paces)
{
    if (paces) {
        note_load(pacing, atomic_fetch_sub_explicit(&paces->in_progress, 1, memory_order_relaxed));
    }
}

void as_pacing_note_query(as_pacing *pacing, const as_login_directory *directory, bool known)
{
    if (pacing->directory == directory && pacing->follows) {
        pacing->way = known ? AS_WAY_BIND : AS_WAY_SEARCH;
        pacing->follows = false;
    }
}

void as_pacing_note_answer(as_pacing *pacing, const as_login_directory *directory, const as_finding *finding)
{
    const as_paced kind = finding->proven ? AS_PACED_PROVEN : choose_kind(finding);

    if (kind != AS_PACED_UNKNOWN && pacing->kind == AS_PACED_UNKNOWN) {
        pacing->kind = kind < AS_PACED_UNKNOWN && directory != pacing->directory ? AS_PACED_ELSEWHERE : kind;
    } else if (kind >= AS_PACED_PROVEN) {
        pacing->kind = kind;
    }
}

/* ---- the delay ---- */

static void sleep_until(as_mono when)
{
    struct timespec at = {.tv_sec = (time_t)(when / AS_MONO_SECOND), .tv_nsec = (long)(when % AS_MONO_SECOND) * 1000};

#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL); /* as it was when the thread started */
#endif
}

/* Waits, and ends as exactly as a clock could measure. */
static void wait_until(as_paces *paces, as_mono when)
{
    const as_mono late = atomic_load_explicit(&paces->late, memory_order_relaxed);
    as_mono now = as_mono_read(), missed;

    if (when - now > late) {
        sleep_until(when - late);
        now = as_mono_read();
        missed = now - (when - late);
        missed = late + (missed - late) / 8;
        atomic_store_explicit(&paces->late, missed < LATEST ? missed : LATEST, memory_order_relaxed);
    }
    while (now < when) {
        now = as_mono_read();
    }
}

/* Returns when the login is to be answered, and records it. */
static as_mono choose_end(as_paces *paces, const as_pace_key *key, const as_pacing *pacing)
{
    const as_mono now = as_mono_read(), took = now - pacing->began;
    as_paced_login login = {.load = pacing->load, .kind = pacing->kind, .took = took};
    as_pace_key without_load = *key;
    as_mono until = 0;
    as_pace *pace;

    without_load.load = 0;
    apr_thread_mutex_lock(paces->mutex);
    login.calm = find_pace(paces, &without_load);
    login.pace = pace = find_pace(paces, key);
    if (pacing->kind < AS_PACED_PROVEN) {
        until = pacing->began + as_pace_choose_time(&login, now);
    }
    if (!pacing->follows) {
        as_pace_note(pace, pacing->kind, took, now);
    }
    apr_thread_mutex_unlock(paces->mutex);
    return until;
}

/* Returns whether the login takes part: as one that is delayed, or as one that others are compared with. */
static bool is_compared(const as_pacing *pacing, bool granted)
{
    return pacing->began && pacing->directory->settings->uniform_timing && pacing->kind < AS_PACED_COUNT &&
           (!granted || (pacing->kind == AS_PACED_PROVEN && pacing->way != AS_WAY_CACHE));
}

void as_login_hold(const as_login *login, as_login_memo *memo, const void *section, bool granted)
{
    const as_pacing pacing = memo->pacing;
    as_pace_key key = {.directory = pacing.directory, .length = pacing.length, .way = pacing.way, .load = pacing.load};
    as_mono until;

    memset(&memo->pacing, 0, sizeof(memo->pacing));
    if (!login->paces || !is_compared(&pacing, granted)) {
        return;
    }
    key.section = pacing.directory->stays ? section : NULL;
    until = choose_end(login->paces, &key, &pacing);
    until = memo->deadline && memo->deadline < until ? memo->deadline : until;
    if (until > as_mono_read()) {
        wait_until(login->paces, until);
    }
}
