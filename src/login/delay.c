/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthStatusUniformTiming: delays the answer to a failed login (authstatus/uniform_timing.h). It holds no session, no
 * slot of AuthStatusInFlight and no lock meanwhile.
 */
#include "timing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <apr_hash.h>
#include <apr_thread_mutex.h>

/* A sleep ends late. So it is shorter by its average lateness, and the rest is a busy wait: a short one, as that takes
 * a processor from others. */
#define LATEST (AS_MONO_SECOND / 50000)
/* The longest wait while many others wait. */
#define BRIEF (AS_MONO_SECOND / 100)

/* Logins that are compared with each other: of one section, where the providers are the same, that began at the same
 * directory in the same way, with passwords of like length. Of .htaccess: at directories of one fingerprint. */
typedef struct as_durations_key {
    const void *section; /* NULL: of .htaccess */
    const as_login_directory *directory;
    unsigned fingerprint; /* hash of it, of .htaccess alone */
    int length;
    as_timing_way way;
    int load;
} as_durations_key;

typedef struct as_durations_node {
    as_durations_key key;
    as_mono latest;
    as_durations durations;
} as_durations_node;

/* Sets of nodes: where one is full, the node goes that was without a login for longest. Those of .htaccess have sets of
 * their own, so that no wording of a user displaces what the server's sections know. */
#define NODES 8
#define SETS 64
#define SETS_OF_HTACCESS 8

struct as_timings {
    int most;           /* logins that may wait for long */
    atomic_int waiting; /* logins that wait */
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; /* of `nodes` */
    as_durations_node *nodes[SETS + SETS_OF_HTACCESS][NODES];
    atomic_int in_progress; /* logins that are not answered by the cache */
    _Atomic as_mono late;   /* average delay of the end of a sleep */
};

static apr_status_t destroy(void *timings)
{
    apr_pool_destroy(((as_timings *)timings)->pool);
    return APR_SUCCESS;
}

as_timings *as_timings_create(apr_pool_t *pool, int most)
{
    as_timings *timings = apr_pcalloc(pool, sizeof(*timings));

    timings->most = most;
    if (apr_thread_mutex_create(&timings->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_pool_create_unmanaged(&timings->pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, timings, destroy, apr_pool_cleanup_null);
    return timings;
}

static as_durations_node **choose_set(as_timings *timings, const as_durations_key *key)
{
    const uint64_t mixed = ((uint64_t)(uintptr_t)key->section ^ (uint64_t)(uintptr_t)key->directory << 7) +
                           key->fingerprint +
                           (uint64_t)((key->length * AS_WAY_COUNT + (int)key->way) * AS_TIMING_LOADS + key->load) *
                               UINT64_C(0x9e3779b97f4a7c15);
    const size_t number = (size_t)(mixed * UINT64_C(0xff51afd7ed558ccd) >> 33);

    return timings->nodes[key->section ? number % SETS : SETS + number % SETS_OF_HTACCESS];
}

static bool is_same(const as_durations_key *one, const as_durations_key *other)
{
    return one->section == other->section && one->directory == other->directory &&
           one->fingerprint == other->fingerprint && one->length == other->length && one->way == other->way &&
           one->load == other->load;
}

/* Under the mutex. The durations that an earlier call returned may be the ones that go. */
static as_durations *find_durations(as_timings *timings, const as_durations_key *key, as_mono now)
{
    as_durations_node **set = choose_set(timings, key), *node = NULL;

    for (int i = 0; i < NODES && set[i]; i++) {
        if (is_same(&set[i]->key, key)) {
            set[i]->latest = now;
            return &set[i]->durations;
        }
        if (!node || set[i]->latest < node->latest) {
            node = set[i];
        }
    }
    for (int i = 0; i < NODES; i++) {
        if (!set[i]) {
            node = set[i] = apr_palloc(timings->pool, sizeof(*node));
            break;
        }
    }
    memset(node, 0, sizeof(*node));
    node->key = *key;
    node->latest = now;
    return &node->durations;
}

/* ---- what a login is compared with ---- */

static as_timed choose_kind(const as_finding *finding)
{
    if (finding->outcome == AS_OUTCOME_WRONG_PASSWORD) {
        return AS_TIMED_WRONG;
    }
    if (finding->outcome == AS_OUTCOME_AMBIGUOUS_USER) {
        return AS_TIMED_AMBIGUOUS;
    }
    if (finding->outcome == AS_OUTCOME_UNKNOWN_USER) {
        return AS_TIMED_UNKNOWN;
    }
    return as_outcome_describe(finding->outcome)->of == AS_CLASS_REFUSED ? AS_TIMED_REFUSED : AS_TIMED_COUNT;
}

void as_login_begin(as_login_memo *memo)
{
    memset(&memo->timing, 0, sizeof(memo->timing));
}

void as_timing_begin(as_timing *timing, const as_login_attempt *params)
{
    if (!timing->began) {
        timing->began = as_mono_read();
        timing->directory = params->directory;
        timing->length = as_length_class_choose(strlen(params->password));
        timing->way = AS_WAY_CACHE;
        timing->kind = AS_TIMED_UNKNOWN;
    }
}

static void note_load(as_timing *timing, int in_progress)
{
    const int load = as_load_choose(in_progress);

    timing->load = load > timing->load ? load : timing->load;
}

void as_timing_enter(as_timing *timing, as_timings *timings, const as_login_directory *directory)
{
    if (timings) {
        note_load(timing, atomic_fetch_add_explicit(&timings->in_progress, 1, memory_order_relaxed) + 1);
    }
    if (timing->directory == directory && timing->way == AS_WAY_CACHE) {
        timing->way = AS_WAY_SEARCH;
        timing->follows = true;
    }
}

void as_timing_leave(as_timing *timing, as_timings *timings)
{
    if (timings) {
        note_load(timing, atomic_fetch_sub_explicit(&timings->in_progress, 1, memory_order_relaxed));
    }
}

void as_timing_note_query(as_timing *timing, const as_login_directory *directory, bool known)
{
    if (timing->directory == directory && timing->follows) {
        timing->way = known ? AS_WAY_BIND : AS_WAY_SEARCH;
        timing->follows = false;
    }
}

void as_timing_note_answer(as_timing *timing, const as_login_directory *directory, const as_finding *finding)
{
    const as_timed kind = finding->proven ? AS_TIMED_PROVEN : choose_kind(finding);

    if (kind != AS_TIMED_UNKNOWN && timing->kind == AS_TIMED_UNKNOWN) {
        timing->kind = kind < AS_TIMED_UNKNOWN && directory != timing->directory ? AS_TIMED_ELSEWHERE : kind;
    } else if (kind >= AS_TIMED_PROVEN) {
        timing->kind = kind;
    }
}

/* ---- the delay ---- */

static void sleep_for(as_mono time)
{
    struct timespec left = {.tv_sec = (time_t)(time / AS_MONO_SECOND), .tv_nsec = (long)(time % AS_MONO_SECOND) * 1000};

#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL); /* as it was when the thread started */
#endif
}

/* Waits, and ends as exactly as a clock could measure. */
static void wait_until(as_timings *timings, as_mono when)
{
    const as_mono late = atomic_load_explicit(&timings->late, memory_order_relaxed);
    as_mono now = as_mono_read(), missed;

    if (when - now > late) {
        sleep_for(when - late - now);
        now = as_mono_read();
        missed = now - (when - late);
        missed = late + (missed - late) / 8;
        atomic_store_explicit(&timings->late, missed < LATEST ? missed : LATEST, memory_order_relaxed);
    }
    while (now < when) {
        now = as_mono_read();
    }
}

/* Waits for long only while few others do, so that a flood of failed logins does not take all threads. */
static void wait_among_others(as_timings *timings, as_mono until)
{
    const as_mono now = as_mono_read();

    if (until <= now) {
        return;
    }
    if (atomic_fetch_add_explicit(&timings->waiting, 1, memory_order_relaxed) >= timings->most && until > now + BRIEF) {
        until = now + BRIEF;
    }
    wait_until(timings, until);
    atomic_fetch_sub_explicit(&timings->waiting, 1, memory_order_relaxed);
}

/* Returns when the login is to be answered, and records it. */
static as_mono choose_end(as_timings *timings, const as_durations_key *key, const as_timing *timing)
{
    const as_mono now = as_mono_read(), took = now - timing->began;
    as_timed_login login = {.load = timing->load, .kind = timing->kind, .took = took};
    as_durations_key without_load = *key;
    as_mono until = 0;
    as_durations *durations;

    without_load.load = 0;
    apr_thread_mutex_lock(timings->mutex);
    login.durations = durations = find_durations(timings, key, now);
    login.calm = key->load == 0 ? durations : find_durations(timings, &without_load, now);
    if (timing->kind < AS_TIMED_PROVEN) {
        until = timing->began + as_uniform_time_choose(&login, now);
    }
    if (!timing->follows) {
        as_durations_note(durations, timing->kind, took, now);
    }
    apr_thread_mutex_unlock(timings->mutex);
    return until;
}

/* Returns whether the login takes part: as one that is delayed, or as one that others are compared with. */
static bool is_compared(const as_timing *timing, bool granted)
{
    return timing->began && timing->directory->settings->uniform_timing && timing->kind < AS_TIMED_COUNT &&
           (!granted || (timing->kind == AS_TIMED_PROVEN && timing->way != AS_WAY_CACHE));
}

void as_login_delay(const as_login *login, as_login_memo *memo, const void *section, bool granted)
{
    const as_timing timing = memo->timing;
    as_durations_key key = {
        .directory = timing.directory, .length = timing.length, .way = timing.way, .load = timing.load};
    apr_ssize_t length = APR_HASH_KEY_STRING;
    as_mono until;

    as_login_begin(memo);
    if (!login->timings || !is_compared(&timing, granted)) {
        return;
    }
    if (timing.directory->stays && section) {
        key.section = section;
    } else {
        key.directory = NULL;
        key.fingerprint = apr_hashfunc_default(timing.directory->fingerprint, &length);
    }
    until = choose_end(login->timings, &key, &timing);
    until = memo->deadline && memo->deadline < until ? memo->deadline : until;
    wait_among_others(login->timings, until);
}
