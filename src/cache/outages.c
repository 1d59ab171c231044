/* SPDX-License-Identifier: Apache-2.0
 *
 * Which outages go on. A place for each directory and outcome; all of its members are atomic, and each failure is
 * counted in exactly one line and in exactly one end, whichever process writes that.
 */
#include "cache_private.h"

#include "authstatus/outages.h"

/* More at a time push out the one whose last failure is longest ago. */
#define PLACES 64

typedef struct as_outage {
    _Atomic uint64_t id;       /* of directory and outcome; 0: free */
    _Atomic int64_t began;     /* 0: it does not go on */
    _Atomic int64_t last;      /* failure */
    _Atomic int64_t told;      /* 0: never */
    _Atomic int64_t ended;     /* when an end was told; 0: never */
    _Atomic uint64_t untold;   /* failures since the last line */
    _Atomic uint64_t failures; /* since it began */
} as_outage;

struct as_outages {
    as_outage places[PLACES];
};

size_t as_outages_size(void)
{
    return sizeof(as_outages);
}

uint32_t as_outages_layout(void)
{
    return as_outcome_hash_order() + AS_OUTAGES_LAYOUT;
}

int64_t as_outages_clock(void)
{
    return as_clock_mono();
}

/* FNV-1a of the directory, with the outcome in the lowest octet: never 0. */
static uint64_t id_of(const char *directory, as_outcome outcome)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *directory; directory++) {
        hash = (hash ^ (unsigned char)*directory) * UINT64_C(0x100000001b3);
    }
    return (hash & ~UINT64_C(0xff)) | ((unsigned)outcome + 1);
}

static void empty(as_outage *outage)
{
    atomic_store(&outage->began, 0);
    atomic_store(&outage->told, 0);
    atomic_store(&outage->ended, 0);
    atomic_store(&outage->untold, 0);
    atomic_store(&outage->failures, 0);
}

/* The place of an outage, if need be that of another. NULL: two wanted it at once. */
static as_outage *place_of(as_outages *outages, uint64_t id)
{
    as_outage *oldest = &outages->places[0];
    uint64_t was;

    for (size_t i = 0; i < PLACES; i++) {
        as_outage *outage = &outages->places[i];

        was = 0;
        if (atomic_load(&outage->id) == id || atomic_compare_exchange_strong(&outage->id, &was, id) || was == id) {
            return outage;
        }
        if (atomic_load(&outage->last) < atomic_load(&oldest->last)) {
            oldest = outage;
        }
    }
    was = atomic_load(&oldest->id);
    if (!atomic_compare_exchange_strong(&oldest->id, &was, id)) {
        return NULL;
    }
    empty(oldest);
    return oldest;
}

/* How long after the line `told` of an outage the next one is due. */
static int64_t pause_after(int64_t told, int64_t began)
{
    const int64_t lasted = told - began;

    return lasted < AS_OUTAGE_LEAST ? AS_OUTAGE_LEAST : lasted > AS_OUTAGE_MOST ? AS_OUTAGE_MOST : lasted;
}

as_outage_news as_outages_failed(as_outages *outages, const char *directory, as_outcome outcome, int64_t now)
{
    as_outage *outage = outages ? place_of(outages, id_of(directory, outcome)) : NULL;
    as_outage_news news = {.tell = true};
    int64_t told, began = 0;

    if (!outage) {
        return news;
    }
    atomic_fetch_add(&outage->failures, 1);
    atomic_store(&outage->last, now);
    if (atomic_compare_exchange_strong(&outage->began, &began, now)) {
        began = now;
    }
    told = atomic_load(&outage->told);
    if ((told && now - told < pause_after(told, began)) || !atomic_compare_exchange_strong(&outage->told, &told, now)) {
        atomic_fetch_add(&outage->untold, 1);
        news.tell = false;
        return news;
    }
    news.more = atomic_exchange(&outage->untold, 0);
    news.before = told ? now - told : 0;
    return news;
}

static bool is_over(as_outage *outage, int64_t now, as_outage_end *end)
{
    int64_t ended = atomic_load(&outage->ended), began = atomic_load(&outage->began);

    if (!began || (ended && now - ended < AS_OUTAGE_LEAST) ||
        !atomic_compare_exchange_strong(&outage->began, &began, 0)) {
        return false;
    }
    atomic_store(&outage->ended, now);
    end->failures = atomic_exchange(&outage->failures, 0);
    end->first = now > began ? now - began : 0;
    end->last = now - atomic_load(&outage->last);
    end->last = end->last < 0 ? 0 : end->last > end->first ? end->first : end->last;
    /* They are told by this end. */
    atomic_store(&outage->untold, 0);
    return end->failures > 0;
}

bool as_outages_answered(as_outages *outages, const char *directory, int64_t now, as_outage_end *end)
{
    const uint64_t id = id_of(directory, AS_OUTCOME_GRANTED), apart = ~UINT64_C(0xff);

    for (size_t i = 0; outages && i < PLACES; i++) {
        const uint64_t own = atomic_load(&outages->places[i].id);

        if (!own) {
            break; /* places are taken in their order, and never given back */
        }
        if ((own & apart) == (id & apart) && is_over(&outages->places[i], now, end)) {
            end->outcome = (as_outcome)((own & ~apart) - 1);
            return true;
        }
    }
    return false;
}
