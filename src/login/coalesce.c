/* SPDX-License-Identifier: Apache-2.0
 *
 * Single flight: the first of identical queries leads, the others wait for its answer.
 */
#include "coalesce.h"

/* Leads a single flight: queries on behalf of all identical requests. An earlier leader may have ended since this
 * request looked at the cache. */
static void lead(const as_coalesced *of, as_single_flight *flight)
{
    as_cached_answer cached;

    if (!of->calls->get_again(of->data) && of->calls->query(of->data)) {
        cached = of->calls->to_cache(of->data);
        as_cache_put(of->cache, of->key, &cached, of->born ? *of->born : apr_time_now(), of->pool);
    }
    cached = of->calls->to_cache(of->data);
    as_single_flight_end(flight, &cached);
}

/* Waits for the leader. Returns false if it ended without an answer that is valid for this request. */
static bool follow(const as_coalesced *of, as_single_flight *flight)
{
    as_cached_answer cached;

    switch (as_single_flight_wait(flight, of->pool, &cached)) {
    case AS_WAITED_ANSWER:
        of->calls->from_cache(of->data, &cached);
        return true;
    case AS_WAITED_DEADLINE:
        of->calls->give_up(of->data);
        return true;
    case AS_WAITED_NOTHING:
        break;
    }
    return of->calls->get_again(of->data);
}

void as_coalesce(const as_coalesced *of)
{
    as_single_flight *flight;
    bool leads;

    if (!of->cache) {
        of->calls->query(of->data);
        return;
    }
    do {
        flight = as_single_flight_begin(of->cache, of->key, of->deadline, of->pool, &leads);
        if (leads) {
            lead(of, flight);
        }
    } while (!leads && !follow(of, flight));
}
