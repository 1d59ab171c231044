/* SPDX-License-Identifier: Apache-2.0
 *
 * Times of failures.
 *
 *   payload = version(1) kind(1) cleared(8) count(1) time(8)...
 */
#include "cache_private.h"

#include <string.h>

#define VERSION 1
#define HEAD_SIZE 11

size_t as_failures_encode(const as_failures *failures, as_record_kind kind, unsigned char payload[AS_FAILURES_MAX])
{
    payload[0] = VERSION;
    payload[1] = (unsigned char)kind;
    as_put_number(payload + 2, (uint64_t)failures->cleared, 8);
    payload[10] = (unsigned char)failures->count;
    for (int i = 0; i < failures->count; i++) {
        as_put_number(payload + HEAD_SIZE + 8 * (size_t)i, (uint64_t)failures->times[i], 8);
    }
    return HEAD_SIZE + 8 * (size_t)failures->count;
}

static bool is_time(uint64_t number)
{
    return number >> 61 == 0;
}

bool as_failures_parse(const unsigned char *payload, size_t length, as_record_kind kind, as_failures *failures)
{
    uint64_t last;

    if (length < HEAD_SIZE || payload[0] != VERSION || payload[1] != kind || payload[10] > AS_THROTTLE_MOST ||
        length != HEAD_SIZE + 8 * (size_t)payload[10]) {
        return false;
    }
    last = as_get_number(payload + 2, 8);
    failures->cleared = (apr_time_t)last;
    failures->count = payload[10];
    for (int i = 0; i < failures->count; i++) {
        uint64_t next = as_get_number(payload + HEAD_SIZE + 8 * (size_t)i, 8);

        if (next <= last || !is_time(next)) {
            return false;
        }
        failures->times[i] = (apr_time_t)next;
        last = next;
    }
    return is_time(last);
}

static void drop_first(as_failures *failures, int count)
{
    failures->count -= count;
    memmove(failures->times, failures->times + count, (size_t)failures->count * sizeof failures->times[0]);
}

void as_failures_clear(as_failures *failures, apr_time_t when)
{
    int gone = 0;

    if (when > failures->cleared) {
        failures->cleared = when;
    }
    while (gone < failures->count && failures->times[gone] <= failures->cleared) {
        gone++;
    }
    drop_first(failures, gone);
}

void as_failures_add(as_failures *failures, apr_time_t stamp)
{
    int at = failures->count;

    while (at > 0 && failures->times[at - 1] > stamp) {
        at--;
    }
    if (stamp <= failures->cleared || (at > 0 && failures->times[at - 1] == stamp)) {
        return;
    }
    if (failures->count == AS_THROTTLE_MOST) {
        if (at == 0) {
            return;
        }
        drop_first(failures, 1);
        at--;
    }
    memmove(failures->times + at + 1, failures->times + at, (size_t)(failures->count - at) * sizeof failures->times[0]);
    failures->times[at] = stamp;
    failures->count++;
}

void as_failures_withdraw(as_failures *failures, apr_time_t stamp)
{
    for (int i = 0; i < failures->count; i++) {
        if (failures->times[i] == stamp) {
            failures->count--;
            memmove(failures->times + i, failures->times + i + 1,
                    (size_t)(failures->count - i) * sizeof failures->times[0]);
            return;
        }
    }
}

void as_failures_merge(as_failures *into, const as_failures *other)
{
    as_failures_clear(into, other->cleared);
    for (int i = 0; i < other->count; i++) {
        as_failures_add(into, other->times[i]);
    }
}

void as_failures_drop_future(as_failures *failures, apr_time_t now)
{
    if (failures->cleared > now + AS_CLOCK_TOLERANCE) {
        failures->cleared = 0;
    }
    while (failures->count > 0 && failures->times[failures->count - 1] > now + AS_CLOCK_TOLERANCE) {
        failures->count--;
    }
}

apr_time_t as_failures_make_stamp(const as_failures *failures, apr_time_t now)
{
    apr_time_t last = failures->count > 0 ? failures->times[failures->count - 1] : failures->cleared;

    return now > last ? now : last + 1;
}

apr_interval_time_t as_failures_compute_wait(const as_failures *failures, int allowed, apr_interval_time_t within,
                                             apr_time_t now)
{
    apr_interval_time_t wait;

    if (allowed > AS_THROTTLE_MOST) {
        allowed = AS_THROTTLE_MOST;
    }
    if (allowed <= 0 || failures->count < allowed) {
        return 0;
    }
    /* The failures after the one that is `allowed` from the end are too few. */
    wait = failures->times[failures->count - allowed] + within - now;
    return wait > within ? within : wait > 0 ? wait : 0;
}
