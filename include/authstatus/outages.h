/* SPDX-License-Identifier: Apache-2.0
 *
 * Outages that go on, in memory that processes share: so that the log tells when one begins, now and then that it goes
 * on, and when it is over, and not each request that it met.
 *
 * Any thread of any process that maps the memory. Atomics, and no lock that a process that is killed could keep. Every
 * time is microseconds of as_outages_clock, which nobody sets. NULL outages: each failure is told.
 */
#ifndef AUTHSTATUS_OUTAGES_H
#define AUTHSTATUS_OUTAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "authstatus/outcome.h"

/* One that goes on is told again after AS_OUTAGE_LEAST, and the longer it lasts the more rarely: each time when it has
 * gone on for twice as long, but at least every AS_OUTAGE_MOST. Nor is one told to be over more often than every
 * AS_OUTAGE_LEAST, so that a directory which comes and goes does not fill the log either. */
#define AS_OUTAGE_LEAST INT64_C(10000000)
#define AS_OUTAGE_MOST INT64_C(300000000)

typedef struct as_outages as_outages;

/* Octets that they need. All zero is their beginning; aligned as malloc aligns. */
size_t as_outages_size(void);
/* To be raised when the members of what lies there change; tests/unit/test_layouts says so. */
#define AS_OUTAGES_LAYOUT 1
/* Another number for each AS_OUTAGES_LAYOUT, and for each order of outcomes. */
uint32_t as_outages_layout(void);
int64_t as_outages_clock(void);

typedef struct as_outage_news {
    bool tell;      /* a line is due, about this failure and those below */
    uint64_t more;  /* failures since the last line that had none of their own */
    int64_t before; /* that line was so long ago */
} as_outage_news;

/* A request met an outage of this directory ("": of none) with this outcome. */
as_outage_news as_outages_failed(as_outages *outages, const char *directory, as_outcome outcome, int64_t now);

typedef struct as_outage_end {
    as_outcome outcome;
    uint64_t failures;   /* of all requests, those that had a line included */
    int64_t first, last; /* so long ago */
} as_outage_end;

/* The directory answered. True: an outage is over and to be told; call again, there may be another. */
bool as_outages_answered(as_outages *outages, const char *directory, int64_t now, as_outage_end *end);

#endif
