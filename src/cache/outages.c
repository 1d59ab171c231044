/* SPDX-License-Identifier: Apache-2.0
 *
 * Outages in progress. A slot for each directory and outcome; all members are atomic, and each failure is counted in
 * exactly one line and in exactly one end, whichever process writes them.
 */
#include "cache_private.h"

#include "authstatus/outages.h"
#include "core/hash.h"

/* Of the configuration's directories, and of those that only .htaccess files name. With more outages of a kind, the one
 * of that kind with the oldest last failure is evicted. */
#define SLOTS_OF_CONFIGURATION 512
#define SLOTS_OF_HTACCESS 64

typedef struct as_outage {
    _Atomic uint64_t id;         /* hash of directory and outcome; 0: free */
    _Atomic int64_t began;       /* 0: not in progress */
    _Atomic int64_t last;        /* time of the last failure */
    _Atomic int64_t reported;    /* time of the last line; 0: never */
    _Atomic int64_t ended;       /* time at which an end was reported; 0: never */
    _Atomic uint64_t unreported; /* failures since the last line */
    _Atomic uint64_t failures;   /* since the outage began */
} as_outage;

struct as_outages {
    as_outage of_configuration[SLOTS_OF_CONFIGURATION], of_htaccess[SLOTS_OF_HTACCESS];
};

typedef struct as_slots {
    as_outage *slots;
    size_t count;
} as_slots;

static as_slots get_slots(as_outages *outages, bool of_htaccess)
{
    return of_htaccess ? (as_slots){outages->of_htaccess, SLOTS_OF_HTACCESS}
                       : (as_slots){outages->of_configuration, SLOTS_OF_CONFIGURATION};
}

size_t as_outages_get_size(void)
{
    return sizeof(as_outages);
}

uint64_t as_outages_hash_layout(void)
{
    return as_outcome_hash_order() + AS_OUTAGES_LAYOUT;
}

int64_t as_outages_read_clock(void)
{
    return as_clock_read_mono();
}

/* Hashes the directory, with the outcome in the lowest octet: never 0. */
static uint64_t hash_id(const char *directory, as_outcome outcome)
{
    return (as_hash_text(AS_HASH, directory) & ~UINT64_C(0xff)) | ((unsigned)outcome + 1);
}

static void clear_slot(as_outage *outage)
{
    atomic_store(&outage->began, 0);
    atomic_store(&outage->reported, 0);
    atomic_store(&outage->ended, 0);
    atomic_store(&outage->unreported, 0);
    atomic_store(&outage->failures, 0);
}

/* Returns the slot of an outage, claiming that of another one if necessary. NULL: another process claimed it at
 * once. */
static as_outage *claim_slot(as_slots all, uint64_t id)
{
    as_outage *const slots = all.slots, *oldest = slots;
    uint64_t was;

    for (size_t i = 0; i < all.count; i++) {
        as_outage *outage = slots + i;

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
    clear_slot(oldest);
    return oldest;
}

/* Returns the time from the last line of an outage to the next one. */
static int64_t choose_pause(int64_t reported, int64_t began)
{
    const int64_t lasted = reported - began;

    return lasted < AS_OUTAGE_LEAST ? AS_OUTAGE_LEAST : lasted > AS_OUTAGE_MOST ? AS_OUTAGE_MOST : lasted;
}

as_outage_news as_outages_record_failure(as_outages *outages, const char *directory, bool of_htaccess,
                                         as_outcome outcome, int64_t now)
{
    as_outage *outage = outages ? claim_slot(get_slots(outages, of_htaccess), hash_id(directory, outcome)) : NULL;
    as_outage_news news = {.due = true};
    int64_t reported, began = 0;

    if (!outage) {
        return news;
    }
    atomic_fetch_add(&outage->failures, 1);
    atomic_store(&outage->last, now);
    if (atomic_compare_exchange_strong(&outage->began, &began, now)) {
        began = now;
    }
    reported = atomic_load(&outage->reported);
    if ((reported && now - reported < choose_pause(reported, began)) ||
        !atomic_compare_exchange_strong(&outage->reported, &reported, now)) {
        atomic_fetch_add(&outage->unreported, 1);
        news.due = false;
        return news;
    }
    news.more = atomic_exchange(&outage->unreported, 0);
    news.before = reported ? now - reported : 0;
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
    /* This end reports them. */
    atomic_store(&outage->unreported, 0);
    return end->failures > 0;
}

bool as_outages_record_answer(as_outages *outages, const char *directory, bool of_htaccess, int64_t now,
                              as_outage_end *end)
{
    const uint64_t id = hash_id(directory, AS_OUTCOME_GRANTED), apart = ~UINT64_C(0xff);
    const as_slots all = outages ? get_slots(outages, of_htaccess) : (as_slots){NULL, 0};

    for (size_t i = 0; i < all.count; i++) {
        const uint64_t own = atomic_load(&all.slots[i].id);

        if (!own) {
            break; /* slots are taken in order, and never freed */
        }
        if ((own & apart) == (id & apart) && is_over(&all.slots[i], now, end)) {
            end->outcome = (as_outcome)((own & ~apart) - 1);
            return true;
        }
    }
    return false;
}
