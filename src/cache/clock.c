/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads times of two clocks.
 */
#include "cache_private.h"

#include <time.h>

AS_HOT int64_t as_clock_read_mono(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

AS_HOT as_moment as_moment_make(const as_cache *memory, apr_time_t now)
{
    return (as_moment){now, memory->mono()};
}

AS_HOT bool as_moment_compute_age(as_moment then, as_moment now, apr_interval_time_t *age)
{
    apr_interval_time_t wall = now.wall - then.wall;
    int64_t mono = now.mono - then.mono;

    *age = wall > mono ? wall : mono;
    if (*age < 0) {
        *age = 0;
    }
    return wall >= -AS_CLOCK_TOLERANCE && mono >= -AS_CLOCK_TOLERANCE;
}

AS_HOT bool as_moment_is_within(as_moment then, apr_interval_time_t good_for, as_moment now)
{
    apr_interval_time_t age;

    return as_moment_compute_age(then, now, &age) && age < good_for;
}

AS_HOT as_moment as_cache_read_clock(const as_cache *cache, apr_time_t now)
{
    return as_moment_make(cache, now);
}
