/* SPDX-License-Identifier: Apache-2.0
 *
 * Condition variables by the monotonic clock, and threads beside those of the server. pthread rather than APR: APR's
 * timed waits use the wall clock, which may be set during a wait.
 */
#include "ldap_private.h"

#include <signal.h>
#include <time.h>

bool as_cond_create(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    bool made;

    if (pthread_condattr_init(&monotonic) != 0) {
        return false;
    }
    made = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    return made;
}

void as_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, as_mono until)
{
    const struct timespec at = {.tv_sec = (time_t)(until / AS_MONO_SECOND),
                                .tv_nsec = (long)(until % AS_MONO_SECOND) * 1000};

    pthread_cond_timedwait(cond, mutex, &at);
}

bool as_thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *data), void *data)
{
    sigset_t every, before;
    bool started;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    started = pthread_create(thread, attributes, run, data) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
