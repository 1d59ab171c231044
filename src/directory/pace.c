/* SPDX-License-Identifier: Apache-2.0
 *
 * How long binds took lately: as users, and as nobody. A bind of nobody may be answered faster: no hash of a password
 * is computed for it and no failure is written. Its answer is then held back by what it lacks, from one of the others
 * that is picked at random, so that what is left to see is the same distribution.
 */
#include "directory_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A difference that a sleep could not make up for without being seen itself. */
#define VISIBLE (AS_MONO_SECOND / 10000)
/* A server that was slow for once does not hold everybody back for long. */
#define LONGEST AS_MONO_SECOND

void as_pace_note(as_pace *pace, as_paced kind, as_mono took)
{
    as_pace_ring *ring = &pace->rings[kind];
    unsigned next = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed);

    atomic_store_explicit(&ring->took[next % AS_PACE_SAMPLES], took, memory_order_relaxed);
}

static int compare(const void *a, const void *b)
{
    const as_mono left = *(const as_mono *)a, right = *(const as_mono *)b;

    return (left > right) - (left < right);
}

/* What is noted, shortest first; returns how many there are. */
static unsigned sort(as_pace_ring *ring, as_mono *sorted)
{
    unsigned noted = atomic_load_explicit(&ring->next, memory_order_relaxed), i;

    noted = noted < AS_PACE_SAMPLES ? noted : AS_PACE_SAMPLES;
    for (i = 0; i < noted; i++) {
        sorted[i] = atomic_load_explicit(&ring->took[i], memory_order_relaxed);
    }
    qsort(sorted, noted, sizeof(*sorted), compare);
    return noted;
}

/* Not secret, only spread: which of the samples it is cannot be asked for. */
static unsigned spread(as_mono now)
{
    return (unsigned)((uint64_t)now * UINT64_C(0x9e3779b97f4a7c15) >> 33);
}

as_mono as_pace_lack(as_pace *pace)
{
    as_mono known[AS_PACE_SAMPLES] = {0}, nobody[AS_PACE_SAMPLES] = {0}, typical, lack;
    unsigned of_known = sort(&pace->rings[AS_PACED_REFUSED], known);
    unsigned of_nobody = sort(&pace->rings[AS_PACED_NOBODY], nobody);

    /* A wrong password is what nobody is to look like; before the first one a right one comes nearest. */
    if (of_known == 0) {
        of_known = sort(&pace->rings[AS_PACED_ACCEPTED], known);
    }
    if (of_known == 0 || of_nobody == 0) {
        return 0;
    }
    typical = nobody[of_nobody / 2];
    if (known[of_known / 2] - typical < VISIBLE) {
        return 0;
    }
    lack = as_mono_min(known[spread(as_mono_now()) % of_known], LONGEST) - typical;
    return lack > 0 ? lack : 0;
}

void as_pace_hold_until(as_mono when)
{
    struct timespec at = {.tv_sec = (time_t)(when / AS_MONO_SECOND), .tv_nsec = (long)(when % AS_MONO_SECOND) * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}
