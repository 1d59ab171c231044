/* SPDX-License-Identifier: Apache-2.0
 *
 * Recent durations of binds: as users, and as the decoy. A decoy bind may be answered faster: the server computes no
 * hash and writes no failure. Its answer is then delayed by the difference to a randomly chosen duration of the
 * others, so that the two distributions look the same.
 */
#include "ldap_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A smaller difference cannot be measured across a network. */
#define VISIBLE (AS_MONO_SECOND / 50000)
#define LATEST (AS_MONO_SECOND / 500)
/* One slow bind must not delay others for long. */
#define LONGEST AS_MONO_SECOND

static int compare(const void *a, const void *b)
{
    const as_mono left = *(const as_mono *)a, right = *(const as_mono *)b;

    return (left > right) - (left < right);
}

/* Returns the median of the first `noted`. */
static as_mono find_median(as_timing_ring *ring, unsigned noted)
{
    as_mono sorted[AS_TIMING_SAMPLES] = {0};
    unsigned i;

    for (i = 0; i < noted; i++) {
        sorted[i] = atomic_load_explicit(&ring->took[i], memory_order_relaxed);
    }
    qsort(sorted, noted, sizeof(*sorted), compare);
    return sorted[noted / 2];
}

void as_timing_note(as_uniform_timing *timing, as_timed kind, as_mono took)
{
    as_timing_ring *ring = &timing->rings[kind];
    unsigned next = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed);

    atomic_store_explicit(&ring->took[next % AS_TIMING_SAMPLES], took, memory_order_relaxed);
    /* Only at intervals: computing the median takes a measurable time. */
    if (next < AS_TIMING_OFTEN || next % AS_TIMING_OFTEN == 0) {
        unsigned noted = next < AS_TIMING_SAMPLES ? next + 1 : AS_TIMING_SAMPLES;
        atomic_store_explicit(&ring->typical, find_median(ring, noted), memory_order_relaxed);
    }
}

static unsigned count_noted(as_timing_ring *ring)
{
    unsigned noted = atomic_load_explicit(&ring->next, memory_order_relaxed);

    return noted < AS_TIMING_SAMPLES ? noted : AS_TIMING_SAMPLES;
}

/* Chooses a sample. The choice need not be secret, only spread. */
static as_mono pick(as_timing_ring *ring, unsigned noted)
{
    unsigned spread = (unsigned)((uint64_t)as_mono_read() * UINT64_C(0x9e3779b97f4a7c15) >> 33);

    return as_mono_choose_earlier(atomic_load_explicit(&ring->took[spread % noted], memory_order_relaxed), LONGEST);
}

/* Returns by how much the decoy bind must be delayed. */
static as_mono compute_delay(as_uniform_timing *timing)
{
    /* A decoy bind must look like a wrong password; before the first of those, like a right one. */
    as_timing_ring *known =
        &timing->rings[count_noted(&timing->rings[AS_TIMED_REFUSED]) ? AS_TIMED_REFUSED : AS_TIMED_ACCEPTED];
    as_mono typical = atomic_load_explicit(&timing->rings[AS_TIMED_NOBODY].typical, memory_order_relaxed);
    unsigned noted = count_noted(known);

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

void as_timing_hold(as_uniform_timing *timing, as_mono deadline)
{
    as_mono late = atomic_load_explicit(&timing->late, memory_order_relaxed), missing = compute_delay(timing), until,
            missed;

    if (missing <= late) {
        return;
    }
    until = as_mono_choose_earlier(as_mono_read() + missing, deadline);
    sleep_until(until - late);
    /* A sleep ends late by an average delay: the next one is that much shorter. */
    missed = as_mono_read() - until;
    late += missed / 8;
    atomic_store_explicit(&timing->late, late < 0 ? 0 : as_mono_choose_earlier(late, LATEST), memory_order_relaxed);
}
