/* SPDX-License-Identifier: Apache-2.0
 *
 * How long binds took lately: as users, and as nobody. A bind of nobody may be answered faster: no hash of a password
 * is computed for it and no failure is written. Its answer is then held back by what it lacks, from one of the others
 * that is picked at random, so that what is left to see is the same distribution.
 */
#include "ldap_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A difference that is smaller than what a clock across a network can tell. */
#define VISIBLE (AS_MONO_SECOND / 50000)
#define LATEST (AS_MONO_SECOND / 500)
/* A server that was slow for once does not hold everybody back for long. */
#define LONGEST AS_MONO_SECOND

static int compare(const void *a, const void *b)
{
    const as_mono left = *(const as_mono *)a, right = *(const as_mono *)b;

    return (left > right) - (left < right);
}

/* The median of the first `noted`. */
static as_mono median(as_timing_ring *ring, unsigned noted)
{
    as_mono sorted[AS_TIMING_SAMPLES] = {0};
    unsigned i;

    for (i = 0; i < noted; i++) {
        sorted[i] = atomic_load_explicit(&ring->took[i], memory_order_relaxed);
    }
    qsort(sorted, noted, sizeof(*sorted), compare);
    return sorted[noted / 2];
}

void as_timing_note(as_uniform_timing *pace, as_timed kind, as_mono took)
{
    as_timing_ring *ring = &pace->rings[kind];
    unsigned next = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed);

    atomic_store_explicit(&ring->took[next % AS_TIMING_SAMPLES], took, memory_order_relaxed);
    /* Now and then, as it takes long enough to be seen itself. */
    if (next < AS_TIMING_OFTEN || next % AS_TIMING_OFTEN == 0) {
        unsigned noted = next < AS_TIMING_SAMPLES ? next + 1 : AS_TIMING_SAMPLES;
        atomic_store_explicit(&ring->typical, median(ring, noted), memory_order_relaxed);
    }
}

static unsigned noted_in(as_timing_ring *ring)
{
    unsigned noted = atomic_load_explicit(&ring->next, memory_order_relaxed);

    return noted < AS_TIMING_SAMPLES ? noted : AS_TIMING_SAMPLES;
}

/* Not secret, only spread: which of the samples it is cannot be asked for. */
static as_mono pick(as_timing_ring *ring, unsigned noted)
{
    unsigned spread = (unsigned)((uint64_t)as_mono_now() * UINT64_C(0x9e3779b97f4a7c15) >> 33);

    return as_mono_min(atomic_load_explicit(&ring->took[spread % noted], memory_order_relaxed), LONGEST);
}

/* By how much the bind of nobody is to be made longer. */
static as_mono lack(as_uniform_timing *pace)
{
    /* A wrong password is what nobody is to look like; before the first one a right one comes nearest. */
    as_timing_ring *known =
        &pace->rings[noted_in(&pace->rings[AS_TIMED_REFUSED]) ? AS_TIMED_REFUSED : AS_TIMED_ACCEPTED];
    as_mono typical = atomic_load_explicit(&pace->rings[AS_TIMED_NOBODY].typical, memory_order_relaxed);
    unsigned noted = noted_in(known);

    if (noted == 0 || atomic_load_explicit(&known->typical, memory_order_relaxed) - typical < VISIBLE) {
        return 0;
    }
    return pick(known, noted) - typical;
}

static void sleep_until(as_mono when)
{
    struct timespec at = {.tv_sec = (time_t)(when / AS_MONO_SECOND), .tv_nsec = (long)(when % AS_MONO_SECOND) * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

void as_timing_hold(as_uniform_timing *pace, as_mono deadline)
{
    as_mono late = atomic_load_explicit(&pace->late, memory_order_relaxed), missing = lack(pace), until, missed;

    if (missing <= late) {
        return;
    }
    until = as_mono_min(as_mono_now() + missing, deadline);
    sleep_until(until - late);
    /* A sleep ends late, by what the machine is used to: the next one is that much shorter. */
    missed = as_mono_now() - until;
    late += missed / 8;
    atomic_store_explicit(&pace->late, late < 0 ? 0 : as_mono_min(late, LATEST), memory_order_relaxed);
}
