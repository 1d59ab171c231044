/* SPDX-License-Identifier: Apache-2.0
 *
 * How many questions may wait for directories. Who finds the gate full queues in front of it, but only while answers
 * keep coming: a directory that hangs must not take the workers of this process with it.
 *
 * pthread rather than APR: APR's timed waits go by the wall clock, which may be set while we wait.
 */
#include "ldap_private.h"

#include <time.h>

/* AuthStatusInFlight: without an answer for that long, nobody waits in front of the gate. */
#define PATIENCE (AS_MONO_SECOND / 10)

bool as_limiter_create(as_limiter *gate, int limit)
{
    gate->limit = limit;
    gate->inside = 0;
    gate->full_since = 0;
    atomic_init(&gate->answered, 0);
    APR_RING_INIT(&gate->queue, as_waiter, link);
    if (pthread_condattr_init(&gate->monotonic) != 0) {
        return false;
    }
    if (pthread_condattr_setclock(&gate->monotonic, CLOCK_MONOTONIC) == 0 &&
        pthread_mutex_init(&gate->mutex, NULL) == 0) {
        return true;
    }
    pthread_condattr_destroy(&gate->monotonic);
    return false;
}

void as_limiter_destroy(as_limiter *gate)
{
    pthread_mutex_destroy(&gate->mutex);
    pthread_condattr_destroy(&gate->monotonic);
}

void as_limiter_answered(as_limiter *gate)
{
    atomic_store_explicit(&gate->answered, as_mono_now(), memory_order_relaxed);
}

static void sleep_until(as_limiter *gate, as_waiter *self, as_mono when)
{
    struct timespec at = {.tv_sec = (time_t)(when / AS_MONO_SECOND), .tv_nsec = (long)(when % AS_MONO_SECOND) * 1000};

    pthread_cond_timedwait(&self->wake, &gate->mutex, &at);
}

/* When patience ends. A gate that was just filled after a quiet time has not been kept waiting yet. */
static as_mono patience_ends(const as_limiter *gate)
{
    as_mono answered = atomic_load_explicit(&gate->answered, memory_order_relaxed);

    return (answered > gate->full_since ? answered : gate->full_since) + PATIENCE;
}

/* In front of a full gate: places are handed over, first come, first served. */
static bool queue(as_limiter *gate, as_mono deadline)
{
    as_waiter self = {.granted = false};

    if (pthread_cond_init(&self.wake, &gate->monotonic) != 0) {
        return false;
    }
    APR_RING_INSERT_TAIL(&gate->queue, &self, as_waiter, link);
    while (!self.granted) {
        as_mono end = as_mono_min(patience_ends(gate), deadline);

        if (end <= as_mono_now()) {
            APR_RING_REMOVE(&self, link);
            break;
        }
        sleep_until(gate, &self, end);
    }
    pthread_cond_destroy(&self.wake);
    return self.granted;
}

bool as_limiter_enter(as_limiter *gate, as_mono deadline)
{
    bool entered = true;

    if (gate->limit <= 0) {
        return true;
    }
    pthread_mutex_lock(&gate->mutex);
    if (gate->inside == gate->limit) {
        entered = queue(gate, deadline);
    } else if (++gate->inside == gate->limit) {
        gate->full_since = as_mono_now();
    }
    pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void as_limiter_leave(as_limiter *gate)
{
    if (gate->limit <= 0) {
        return;
    }
    pthread_mutex_lock(&gate->mutex);
    if (APR_RING_EMPTY(&gate->queue, as_waiter, link)) {
        gate->inside--;
    } else {
        as_waiter *next = APR_RING_FIRST(&gate->queue);

        APR_RING_REMOVE(next, link);
        next->granted = true;
        pthread_cond_signal(&next->wake);
    }
    pthread_mutex_unlock(&gate->mutex);
}
