/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups a second of the cache of a process, without httpd: `lookups USERS MILLISECONDS THREADS...` prints a line
 * "KIND THREADS LOOKUPS SECONDS CPU-SECONDS" for each number of threads. KIND is lookaside: by the octets of a header,
 * as a hit of a request; or cache: by name and password, as the first request with a header.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "authstatus/cache.h"

#define BATCH 256

typedef struct as_bench {
    as_cache *cache;
    as_lookaside_key own;
    as_cache_key *subjects;
    const char **headers;
    int users;
    bool by_header;
    atomic_bool begun, ended;
} as_bench;

typedef struct as_worker {
    pthread_t thread;
    as_bench *bench;
    unsigned seed;
    uint64_t lookups;
} as_worker;

static void fail(const char *what)
{
    fprintf(stderr, "lookups: %s\n", what);
    exit(1);
}

static as_moment read_now(const as_bench *bench)
{
    return as_cache_read_clock(bench->cache, apr_time_now());
}

static bool look_up(const as_bench *bench, int user, apr_pool_t *pool)
{
    as_lookaside_answer found;
    as_cached_answer answer;
    as_lookaside_key key;

    if (!bench->by_header) {
        return as_cache_get(bench->cache, &bench->subjects[user], apr_time_now(), pool, &answer);
    }
    as_lookaside_hash(&bench->own, bench->headers[user], strlen(bench->headers[user]), &key);
    if (!as_lookaside_get(bench->cache, &key, read_now(bench), &found)) {
        return false;
    }
    as_cache_count_hits(bench->cache, 1);
    return true;
}

static void *run_worker(void *data)
{
    as_worker *worker = data;
    as_bench *bench = worker->bench;
    apr_pool_t *pool;
    uint64_t lookups = 0;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fail("no memory");
    }
    while (!atomic_load(&bench->begun)) {
        sched_yield();
    }
    while (!atomic_load(&bench->ended)) {
        for (int i = 0; i < BATCH; i++) {
            worker->seed = worker->seed * 1664525 + 1013904223;
            /* Where a set of cells is full, a header in some hundred is not found: the request looks in the cache. */
            lookups += look_up(bench, (int)((worker->seed >> 8) % (unsigned)bench->users), pool);
        }
        apr_pool_clear(pool);
    }
    worker->lookups = lookups;
    apr_pool_destroy(pool);
    return NULL;
}

static double read_seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(as_bench *bench, int threads, long milliseconds)
{
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    as_worker *workers = calloc((size_t)threads, sizeof *workers);
    uint64_t lookups = 0;
    double begun, used;

    if (!workers) {
        fail("no memory");
    }
    atomic_store(&bench->begun, false);
    atomic_store(&bench->ended, false);
    for (int i = 0; i < threads; i++) {
        workers[i].bench = bench;
        workers[i].seed = (unsigned)i * 2654435761U + 1;
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) {
            fail("no thread");
        }
    }
    begun = read_seconds(CLOCK_MONOTONIC);
    used = read_seconds(CLOCK_PROCESS_CPUTIME_ID);
    atomic_store(&bench->begun, true);
    nanosleep(&pause, NULL);
    atomic_store(&bench->ended, true);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        lookups += workers[i].lookups;
    }
    printf("%s %d %" PRIu64 " %.6f %.6f\n", bench->by_header ? "lookaside" : "cache", threads, lookups,
           read_seconds(CLOCK_MONOTONIC) - begun, read_seconds(CLOCK_PROCESS_CPUTIME_ID) - used);
    fflush(stdout);
    free(workers);
}

/* Puts an acceptance and a header of each user where a request would. */
static void fill(as_bench *bench, apr_pool_t *pool)
{
    for (int i = 0; i < bench->users; i++) {
        as_cached_answer answer = {.finding = as_finding_make(AS_OUTCOME_GRANTED),
                                   .dn = apr_psprintf(pool, "uid=u%d,o=bench", i)};
        as_cache_key *subject = &bench->subjects[i];
        as_lookaside_key key;

        *subject = (as_cache_key){.scope = "bench", .directory = "one", .password = "Pw!right"};
        subject->user = apr_psprintf(pool, "u%d", i);
        bench->headers[i] = apr_psprintf(pool, "Basic %024d", i);
        answer.finding.proven = true;
        as_cache_put(bench->cache, subject, &answer, apr_time_now(), pool);
        if (!as_cache_get(bench->cache, subject, apr_time_now(), pool, &answer)) {
            fail("an acceptance was not found again");
        }
        as_lookaside_hash(&bench->own, bench->headers[i], strlen(bench->headers[i]), &key);
        as_lookaside_put(bench->cache, &key, &answer.acceptance, subject->user, strlen(subject->user) + 1,
                         read_now(bench));
    }
}

int main(int argc, char **argv)
{
    static const unsigned char key[AS_KEY_SIZE] = "the bench";
    const as_cache_times times = {apr_time_from_sec(3600), apr_time_from_sec(30), 0, 0};
    as_bench bench = {.users = argc > 3 ? atoi(argv[1]) : 0};
    as_counters *counters;
    apr_pool_t *pool = NULL;

    if (bench.users <= 0 || atol(argv[2]) <= 0) {
        fail("usage: lookups USERS MILLISECONDS THREADS...");
    }
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fail("no APR");
    }
    counters = apr_pcalloc(pool, as_counters_get_size());
    as_counters_begin(counters, apr_time_now());
    bench.cache = as_cache_create(pool, &times, NULL, key, sizeof key, bench.users * 2);
    if (!bench.cache) {
        fail("no cache");
    }
    as_cache_set_counters(bench.cache, counters);
    as_lookaside_make_key(bench.cache, "here", 4, &bench.own);
    bench.subjects = apr_pcalloc(pool, (apr_size_t)bench.users * sizeof *bench.subjects);
    bench.headers = apr_pcalloc(pool, (apr_size_t)bench.users * sizeof *bench.headers);
    fill(&bench, pool);
    for (int by_header = 1; by_header >= 0; by_header--) {
        bench.by_header = by_header;
        for (int i = 3; i < argc; i++) {
            measure(&bench, atoi(argv[i]) > 0 ? atoi(argv[i]) : 1, atol(argv[2]));
        }
    }
    return 0;
}
