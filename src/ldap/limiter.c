/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthStatusInFlight: how many requests may wait for directories, and how many of them for one. A request without a
 * slot queues, but only while answers keep coming: a hung directory must not block the workers of this process, nor the
 * slots of another directory.
 */
#include "ldap_private.h"

/* Without an answer for this long no request waits for a slot. */
#define PATIENCE (AS_MONO_SECOND / 10)

bool as_limiter_create(as_limiter *limiter, int limit)
{
    limiter->limit = limit;
    limiter->inside = 0;
    limiter->full_since = 0;
    atomic_init(&limiter->answered, 0);
    APR_RING_INIT(&limiter->queue, as_waiter, link);
    return pthread_mutex_init(&limiter->mutex, NULL) == 0;
}

void as_limiter_destroy(as_limiter *limiter)
{
    pthread_mutex_destroy(&limiter->mutex);
}

void as_share_create(as_share *share, const as_limiter *limiter, int parts)
{
    const int most = limiter->limit / parts;

    share->most = most > 0 ? most : 1;
    share->inside = 0;
    share->full_since = 0;
    atomic_init(&share->answered, 0);
}

void as_limiter_note_answer(as_limiter *limiter, as_share *share)
{
    const as_mono now = as_mono_read();

    as_mono_advance(&limiter->answered, now);
    as_mono_advance(&share->answered, now);
}

static as_mono choose_later(as_mono a, as_mono b)
{
    return a > b ? a : b;
}

/* Returns when patience ends. A request that waits for a slot of its own directory's share waits for the answers of
 * that directory; a request that waits for any slot, for all answers. After a quiet time the start is the time when
 * the last slot was taken. */
static as_mono find_end_of_patience(const as_limiter *limiter, const as_share *share)
{
    as_mono since =
        share->inside >= share->most
            ? choose_later(atomic_load_explicit(&share->answered, memory_order_relaxed), share->full_since)
            : choose_later(atomic_load_explicit(&limiter->answered, memory_order_relaxed), limiter->full_since);

    return since + PATIENCE;
}

static bool has_slot(const as_limiter *limiter, const as_share *share)
{
    return limiter->inside < limiter->limit && share->inside < share->most;
}

static void take_slot(as_limiter *limiter, as_share *share)
{
    const as_mono now = as_mono_read();

    if (++limiter->inside == limiter->limit) {
        limiter->full_since = now;
    }
    if (++share->inside == share->most) {
        share->full_since = now;
    }
}

/* Waits for a slot: slots are handed over in order of arrival, except to requests whose share is used up. */
static bool queue(as_limiter *limiter, as_share *share, as_mono deadline)
{
    as_waiter self = {.share = share};

    if (!as_cond_create(&self.wake)) {
        return false;
    }
    APR_RING_INSERT_TAIL(&limiter->queue, &self, as_waiter, link);
    while (!self.granted) {
        as_mono end = as_mono_choose_earlier(find_end_of_patience(limiter, share), deadline);

        if (end <= as_mono_read()) {
            APR_RING_REMOVE(&self, link);
            break;
        }
        as_cond_wait(&self.wake, &limiter->mutex, end);
    }
    pthread_cond_destroy(&self.wake);
    return self.granted;
}

bool as_limiter_enter(as_limiter *limiter, as_share *share, as_mono deadline)
{
    bool entered = true;

    if (limiter->limit <= 0) {
        return true;
    }
    pthread_mutex_lock(&limiter->mutex);
    /* A free slot cannot overtake the queue: no queued request could take it. */
    if (has_slot(limiter, share)) {
        take_slot(limiter, share);
    } else {
        entered = queue(limiter, share, deadline);
    }
    pthread_mutex_unlock(&limiter->mutex);
    return entered;
}

static void give_slots(as_limiter *limiter)
{
    as_waiter *waiter = APR_RING_FIRST(&limiter->queue), *next;

    for (; waiter != APR_RING_SENTINEL(&limiter->queue, as_waiter, link); waiter = next) {
        next = APR_RING_NEXT(waiter, link);
        if (has_slot(limiter, waiter->share)) {
            APR_RING_REMOVE(waiter, link);
            take_slot(limiter, waiter->share);
            waiter->granted = true;
            pthread_cond_signal(&waiter->wake);
        }
    }
}

void as_limiter_leave(as_limiter *limiter, as_share *share)
{
    if (limiter->limit <= 0) {
        return;
    }
    pthread_mutex_lock(&limiter->mutex);
    limiter->inside--;
    share->inside--;
    give_slots(limiter);
    pthread_mutex_unlock(&limiter->mutex);
}
