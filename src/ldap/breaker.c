/* SPDX-License-Identifier: Apache-2.0
 *
 * The circuit breaker of a server: it opens after a number of outages in a row, for a time; then one probe at a time
 * may query the server, and the first answer closes it. The caller passes the time, so that tests need not wait.
 */
#include "ldap_private.h"

/* While a probe is in progress the time of the next pass is unknown: this estimate is reported. */
#define PROBE_WAIT AS_MONO_SECOND

as_breaker_pass as_breaker_enter(as_breaker *breaker, as_mono now)
{
    if (!breaker->open) {
        return AS_BREAKER_FREE;
    }
    if (now < breaker->until || breaker->probing) {
        return AS_BREAKER_NONE;
    }
    breaker->probing = true;
    return AS_BREAKER_PROBE;
}

void as_breaker_cancel(as_breaker *breaker, as_breaker_pass pass)
{
    if (pass == AS_BREAKER_PROBE) {
        breaker->probing = false;
    }
}

void as_breaker_leave(as_breaker *breaker, as_mono now, as_breaker_pass pass, bool answered)
{
    as_breaker_cancel(breaker, pass);
    if (answered) {
        /* Any answer shows that the server is up. */
        breaker->outages = 0;
        breaker->open = false;
        return;
    }
    if (breaker->outages < INT32_MAX) {
        breaker->outages++;
    }
    /* Queries in progress when it opened end later with the same outage: they do not prolong it. */
    if (breaker->limit > 0 && (breaker->open ? pass == AS_BREAKER_PROBE : breaker->outages >= breaker->limit)) {
        breaker->open = true;
        breaker->until = now + breaker->time;
    }
}

as_mono as_breaker_get_wait(const as_breaker *breaker, as_mono now)
{
    if (!breaker->open) {
        return 0;
    }
    if (now < breaker->until) {
        return breaker->until - now;
    }
    return breaker->probing ? PROBE_WAIT : 0;
}
