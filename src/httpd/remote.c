/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls to a store on another machine, with an end to their waiting. The providers for redis and memcache read without
 * a limit: a store that is frozen, or behind a network that swallows packets, would take every thread that asks it. So
 * threads of their own make the calls. Who asks waits for a while, and then leaves the call to its thread.
 *
 * pthread rather than APR: APR's timed waits go by the wall clock, which may be set while we wait.
 */
#include "private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Longer than the memory room takes for an outage: it is to see how long a slow call took. */
#define PATIENCE_NS 600000000L
/* Of one process; so many can hang at most. */
#define MOST_THREADS 16

/* One call. It belongs to who asks until `left`, then to the thread. */
typedef struct as_call {
    as_remote_work *work;
    as_remote_job *job;
    bool done, left;
} as_call;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived, finished; /* by CLOCK_MONOTONIC */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static as_call *waiting; /* for a thread; at most one at a time */
static int threads, idle;

static void make_conditions(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&arrived, &attributes);
    pthread_cond_init(&finished, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void end_call(as_call *call)
{
    free(call->job);
    free(call);
}

static void *serve(void *nothing)
{
    as_call *call;

    (void)nothing;
    pthread_mutex_lock(&mutex);
    for (;;) {
        idle++;
        while (!waiting) {
            pthread_cond_wait(&arrived, &mutex);
        }
        idle--;
        call = waiting;
        waiting = NULL;
        pthread_cond_broadcast(&finished); /* there is room for another */
        pthread_mutex_unlock(&mutex);

        call->work(call->job);

        pthread_mutex_lock(&mutex);
        call->done = true;
        if (call->left) {
            end_call(call);
        }
        pthread_cond_broadcast(&finished); /* to who asked, and to who waits for a thread */
    }
    return NULL;
}

/* Signals are for httpd's own threads. */
static bool start_thread(void)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    failed = pthread_create(&thread, &attributes, serve, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    threads += !failed;
    return !failed;
}

/* Gives the call to a thread. False: none became free in time. */
static bool hand_over(as_call *call, const struct timespec *until)
{
    while (waiting || idle == 0) {
        if (!waiting && threads < MOST_THREADS && start_thread()) {
            break;
        }
        if (pthread_cond_timedwait(&finished, &mutex, until) == ETIMEDOUT) {
            return false;
        }
    }
    waiting = call;
    pthread_cond_signal(&arrived);
    return true;
}

static void wait_for(as_call *call, const struct timespec *until)
{
    while (!call->done && pthread_cond_timedwait(&finished, &mutex, until) != ETIMEDOUT) {
    }
}

/* Takes a call back that no thread has taken. */
static bool take_back(as_call *call)
{
    if (waiting != call) {
        return false;
    }
    waiting = NULL;
    pthread_cond_broadcast(&finished);
    return true;
}

as_remote_job *as_remote_run(as_remote_work *work, as_remote_job *job)
{
    as_call *call = calloc(1, sizeof(*call));
    struct timespec until;

    pthread_once(&once, make_conditions);
    if (!call) {
        free(job);
        return NULL;
    }
    call->work = work;
    call->job = job;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PATIENCE_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;

    pthread_mutex_lock(&mutex);
    if (!hand_over(call, &until)) {
        job = NULL;
        end_call(call);
    } else {
        wait_for(call, &until);
        if (call->done) {
            free(call);
        } else {
            job = NULL;
            if (take_back(call)) {
                end_call(call);
            } else {
                call->left = true;
            }
        }
    }
    pthread_mutex_unlock(&mutex);
    return job;
}
