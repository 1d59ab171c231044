/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls to a store on another machine, with a bounded wait. The providers for redis and memcache read without a limit:
 * a store that is frozen, or behind a network that drops packets, would block every calling thread. So helper threads
 * make the calls. The caller waits for a while, and then leaves the call to its thread.
 *
 * pthread rather than APR: APR's timed waits use the wall clock, which may be set during a wait.
 */
#include "runtime.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Longer than src/cache's limit for an outage, so that it can measure a slow call. */
#define PATIENCE_NS 600000000L
/* Of one process, busy or idle. */
#define MOST_THREADS 16
/* Besides them, helpers whose call was abandoned. */
#define MOST_STUCK 64

typedef enum as_job_state { AS_QUEUED, AS_TAKEN, AS_DONE } as_job_state;

/* One call. It belongs to the caller until `left`, then to the helper. */
typedef struct as_call as_call;
struct as_call {
    as_offload_work *work;
    as_offload_job *job;
    as_job_state state;
    bool left;
    bool written_off;    /* left, and another helper may replace its own */
    pthread_cond_t done; /* by CLOCK_MONOTONIC; only the caller waits for it */
    as_call *next;
};

/* A thread that makes calls; it lives as long as the process. */
typedef struct as_helper as_helper;
struct as_helper {
    pthread_cond_t arrived;
    as_call *call;
    as_helper *next;
    apr_pool_t *pool;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_condattr_t monotonic;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static as_helper *idle;            /* most recently used first: its memory is still in caches */
static as_call *first, **last_end; /* calls that wait for a helper, in order */
static int threads, stuck_threads;

static void initialize(void)
{
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    last_end = &first;
}

static void end_call(as_call *call)
{
    pthread_cond_destroy(&call->done);
    free(call);
}

static void append(as_call *call)
{
    call->state = AS_QUEUED;
    call->next = NULL;
    *last_end = call;
    last_end = &call->next;
}

static as_call *take_first(void)
{
    as_call *call = first;

    if (call) {
        first = call->next;
        last_end = first ? last_end : &first;
        call->state = AS_TAKEN;
    }
    return call;
}

static void withdraw(const as_call *call)
{
    as_call **link = &first;

    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    if (!*link) {
        last_end = link;
    }
}

/* Waits for the next call. Under the lock. */
static as_call *wait_for_call(as_helper *helper)
{
    as_call *call = take_first();

    if (!call) {
        helper->call = NULL;
        helper->next = idle;
        idle = helper;
        while (!helper->call) {
            pthread_cond_wait(&helper->arrived, &mutex);
        }
        call = helper->call;
    }
    return call;
}

/* Returns an abandoned call. False: another helper has replaced this one. */
static bool return_abandoned(const as_call *call)
{
    if (!call->written_off) {
        return true;
    }
    stuck_threads--;
    if (threads >= MOST_THREADS) {
        return false;
    }
    threads++;
    return true;
}

static void end_helper(as_helper *helper)
{
    apr_pool_destroy(helper->pool);
    pthread_cond_destroy(&helper->arrived);
    free(helper);
}

static void *serve(void *data)
{
    as_helper *helper = data;
    bool stays = true;
    as_call *call;

    pthread_mutex_lock(&mutex);
    while (stays) {
        call = wait_for_call(helper);
        pthread_mutex_unlock(&mutex);

        call->work(call->job, helper->pool);
        apr_pool_clear(helper->pool);

        pthread_mutex_lock(&mutex);
        call->state = AS_DONE;
        if (call->left) {
            stays = return_abandoned(call);
            free(call->job);
            end_call(call);
        } else {
            pthread_cond_signal(&call->done);
        }
    }
    pthread_mutex_unlock(&mutex);
    end_helper(helper);
    return NULL;
}

static as_helper *make_helper(void)
{
    as_helper *helper = calloc(1, sizeof(*helper));

    /* a pool with an allocator of its own: no other thread uses it */
    if (helper && apr_pool_create_unmanaged(&helper->pool) != APR_SUCCESS) {
        free(helper);
        helper = NULL;
    }
    if (helper) {
        pthread_cond_init(&helper->arrived, NULL);
    }
    return helper;
}

/* httpd's own threads handle signals. */
static void start_thread(void)
{
    as_helper *helper = make_helper();
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;

    if (!helper) {
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, serve, helper) == 0) {
        threads++;
    } else {
        end_helper(helper);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Gives the call to a helper, or queues it. */
static void give_call(as_call *call)
{
    as_helper *helper = idle;

    if (helper) {
        idle = helper->next;
        helper->call = call;
        call->state = AS_TAKEN;
        pthread_cond_signal(&helper->arrived);
        return;
    }
    append(call);
    if (threads < MOST_THREADS) {
        start_thread();
    }
}

static struct timespec compute_patience(void)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PATIENCE_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return until;
}

/* Abandons a call to its helper. A read without a limit may never end: another helper may be started instead of it. */
static void leave(as_call *call)
{
    call->left = true;
    if (stuck_threads < MOST_STUCK) {
        call->written_off = true;
        stuck_threads++;
        threads--;
    }
}

as_offload_job *as_offload_run(as_offload_work *work, as_offload_job *job, bool *stuck)
{
    as_call *call = calloc(1, sizeof(*call));
    struct timespec until = compute_patience();

    pthread_once(&once, initialize);
    if (!call || pthread_cond_init(&call->done, &monotonic) != 0) {
        free(call);
        free(job);
        return NULL;
    }
    call->work = work;
    call->job = job;

    pthread_mutex_lock(&mutex);
    give_call(call);
    while (call->state != AS_DONE && pthread_cond_timedwait(&call->done, &mutex, &until) != ETIMEDOUT) {
    }
    *stuck = call->state == AS_TAKEN;
    if (call->state == AS_TAKEN) {
        leave(call);
        job = NULL;
        call = NULL;
    } else if (call->state == AS_QUEUED) {
        withdraw(call);
        free(job);
        job = NULL;
    }
    pthread_mutex_unlock(&mutex);
    if (call) {
        end_call(call);
    }
    return job;
}
