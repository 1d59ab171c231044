/* SPDX-License-Identifier: Apache-2.0
 *
 * Delays of failed logins. Each kind (wrong password, unknown name, ...) takes its own time, of which recent samples
 * are kept. A login is delayed in two steps, so that neither its mean nor its spread is its kind's own:
 *
 * 1. To the time that logins of the slowest kind take at the same rank: the fastest tenth of one kind becomes the
 *    fastest tenth of the slowest, and so on.
 * 2. To the next point of a grid. Its first point is where nearly all logins of every kind have ended; so nearly all
 *    are answered there, at the end of a sleep, whatever they were.
 *
 * Both go by the distributions of all kinds, each with samples of its own: a client that sends many logins of one kind
 * displaces no sample of another.
 */
#include "authstatus/uniform_timing.h"

#include <stdbool.h>
#include <string.h>

/* Where nearly all have ended: this many of 16. */
#define NEARLY_ALL 15
/* Later points of the grid, as parts of the first. */
#define PARTS 4
/* The grid as long as too little is known about the kinds. */
#define COARSE (AS_MONO_SECOND / 1000)
/* One slow directory must not delay others' answers for long. */
#define LONGEST AS_MONO_SECOND
/* Durations of a kind say nothing about the present when the last one is that old. */
#define OLD (600 * AS_MONO_SECOND)

static uint32_t find_place(const as_duration_ring *ring, uint32_t value)
{
    uint32_t place = 0;

    while (place < ring->count && ring->sorted[place] < value) {
        place++;
    }
    return place;
}

static void drop_oldest(as_duration_ring *ring, uint32_t slot)
{
    const uint32_t place = find_place(ring, ring->took[slot]);

    ring->count--;
    memmove(ring->sorted + place, ring->sorted + place + 1, (ring->count - place) * sizeof(*ring->sorted));
}

void as_durations_note(as_durations *durations, as_timed kind, as_mono took, as_mono now)
{
    as_duration_ring *ring = &durations->rings[kind];
    const uint32_t value = (uint32_t)(took < 0 ? 0 : took < LONGEST ? took : LONGEST);
    uint32_t slot, place;

    if (now - ring->latest > OLD) {
        ring->noted = ring->count = 0;
    }
    slot = ring->noted++ % AS_TIMING_SAMPLES;
    if (ring->count == AS_TIMING_SAMPLES) {
        drop_oldest(ring, slot);
    }
    place = find_place(ring, value);
    memmove(ring->sorted + place + 1, ring->sorted + place, (ring->count - place) * sizeof(*ring->sorted));
    ring->sorted[place] = value;
    ring->took[slot] = value;
    ring->count++;
    ring->latest = now;
}

static bool has_enough(const as_duration_ring *ring, as_mono now)
{
    return ring->count >= AS_TIMING_ENOUGH && now - ring->latest <= OLD;
}

/* Returns the durations of a kind to go by; NULL: too few are known. */
static const as_duration_ring *find_ring(const as_timed_login *login, as_timed kind, as_mono now)
{
    const as_duration_ring *here = &login->durations->rings[kind], *there = &login->calm->rings[kind];

    return has_enough(here, now) ? here : has_enough(there, now) ? there : NULL;
}

static as_mono get_nearly_all(const as_duration_ring *ring)
{
    return ring->sorted[ring->count * NEARLY_ALL / 16];
}

/* Returns the durations of the slowest kind; NULL: none is known. */
static const as_duration_ring *find_slowest(const as_timed_login *login, as_mono now)
{
    const as_duration_ring *slowest = NULL;
    int kind;

    for (kind = 0; kind < AS_TIMED_COUNT; kind++) {
        const as_duration_ring *ring = find_ring(login, (as_timed)kind, now);

        if (ring && (kind != AS_TIMED_PROVEN || !find_ring(login, AS_TIMED_WRONG, now)) &&
            (!slowest || get_nearly_all(ring) > get_nearly_all(slowest))) {
            slowest = ring;
        }
    }
    return slowest;
}

static as_mono get_at(const as_duration_ring *ring, const as_duration_ring *own, uint32_t place)
{
    return ring->sorted[place * ring->count / own->count];
}

/* Returns what a login takes of that kind that has the rank of this one among its own: between two of the samples, or
 * as far outside as this one. */
static as_mono find_same_rank(const as_duration_ring *own, const as_duration_ring *other, as_mono took)
{
    const uint32_t below = find_place(own, (uint32_t)(took < LONGEST ? took : LONGEST));
    as_mono from, to;

    if (below == 0) {
        return took + (as_mono)other->sorted[0] - (as_mono)own->sorted[0];
    }
    if (below == own->count) {
        return took + (as_mono)other->sorted[other->count - 1] - (as_mono)own->sorted[own->count - 1];
    }
    from = get_at(other, own, below - 1);
    to = get_at(other, own, below);
    return from + (to - from) * (took - own->sorted[below - 1]) / (own->sorted[below] - own->sorted[below - 1]);
}

/* Returns the next point of the grid. */
static as_mono round_up(as_mono time, as_mono first_point)
{
    const as_mono step = first_point / PARTS + 1;

    return time <= first_point ? first_point : first_point + (time - first_point + step - 1) / step * step;
}

/* Returns the first point of the grid. */
static as_mono choose_first_point(const as_timed_login *login, const as_duration_ring *slowest, as_mono now)
{
    const as_mono point = slowest && get_nearly_all(slowest) > 1 ? get_nearly_all(slowest) : 1;
    const bool knows = find_ring(login, AS_TIMED_WRONG, now) || find_ring(login, AS_TIMED_PROVEN, now);

    /* Unknown names alone do not say how long a known one takes. */
    return knows ? point : (point + COARSE - 1) / COARSE * COARSE;
}

/* Returns the time that a login takes that would have ended now if its kind were not faster than any other. */
static as_mono find_time_of_slowest(const as_timed_login *login, const as_duration_ring *own, as_mono now)
{
    as_mono slowest = login->took;
    int kind;

    for (kind = 0; kind < AS_TIMED_PROVEN; kind++) {
        const as_duration_ring *other = find_ring(login, (as_timed)kind, now);

        if (other && other != own) {
            const as_mono same = find_same_rank(own, other, login->took);
            slowest = same > slowest ? same : slowest;
        }
    }
    return slowest;
}

as_mono as_uniform_time_choose(const as_timed_login *login, as_mono now)
{
    const as_duration_ring *own = find_ring(login, login->kind, now);
    const bool comparable = own && find_ring(login, AS_TIMED_WRONG, now);
    as_mono until = comparable ? find_time_of_slowest(login, own, now) : login->took;

    /* In a crowd the spread hides the sleep. */
    if (login->load < AS_TIMING_CROWD || !comparable) {
        until = round_up(until, choose_first_point(login, find_slowest(login, now), now));
    }
    if (until > login->took + LONGEST) {
        until = login->took + LONGEST;
    }
    return until > login->took ? until : login->took;
}
