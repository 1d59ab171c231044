/* SPDX-License-Identifier: Apache-2.0
 *
 * Outages in progress, in memory that processes share: so that the log reports their beginning, at intervals their
 * continuation, and their end, and not each affected request.
 *
 * Any thread of any process that maps the memory. Atomics, and no lock that a killed process could keep. Every time is
 * microseconds of as_outages_read_clock, which cannot be set. NULL outages: each failure is reported.
 */
#ifndef AUTHSTATUS_OUTAGES_H
#define AUTHSTATUS_OUTAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "authstatus/outcome.h"

/* An outage in progress is reported again after AS_OUTAGE_LEAST, then at growing intervals: each time it has lasted
 * twice as long, but at least every AS_OUTAGE_MOST. An end is reported at most every AS_OUTAGE_LEAST, so that an
 * intermittent directory does not fill the log. */
#define AS_OUTAGE_LEAST INT64_C(10000000)
#define AS_OUTAGE_MOST INT64_C(300000000)

typedef struct as_outages as_outages;

/* Returns the octets of memory that outages need; zeroed, and aligned as malloc aligns. */
size_t as_outages_get_size(void);
/* To be raised when the members change; tests/unit/test_layouts checks it. */
#define AS_OUTAGES_LAYOUT 2
/* Returns a number that differs for each AS_OUTAGES_LAYOUT, and for each order of outcomes. */
uint64_t as_outages_hash_layout(void);
int64_t as_outages_read_clock(void);

typedef struct as_outage_news {
    bool due;       /* a line is due, about this failure and those below */
    uint64_t more;  /* failures since the last line without a line of their own */
    int64_t before; /* time since that line */
} as_outage_news;

/* Records a failure with this outcome of this directory ("": of none). `of_htaccess`: only .htaccess files name it; its
 * outage never displaces another's. */
as_outage_news as_outages_record_failure(as_outages *outages, const char *directory, bool of_htaccess,
                                         as_outcome outcome, int64_t now);

typedef struct as_outage_end {
    as_outcome outcome;
    uint64_t failures;   /* of all requests, those with a line included */
    int64_t first, last; /* time since the first and the last failure */
} as_outage_end;

/* Records an answer of the directory. Returns true if an outage is over and must be reported; call again, there may
 * be another. */
bool as_outages_record_answer(as_outages *outages, const char *directory, bool of_htaccess, int64_t now,
                              as_outage_end *end);

#endif
