/* SPDX-License-Identifier: Apache-2.0
 *
 * The counters over the last hour and the last day, in shared memory: two rings of slots by the wall clock.
 * A request adds nothing: a sampler reads the counters at intervals, and adds their increase to the
 * slots of that moment. So a slot is exact to the time between two samples.
 *
 * All functions: any thread of any process that maps the memory; no locks. A clock that is set back adds to the slots
 * of the minutes that it goes through again; a slot of another time is emptied by the first who writes to it.
 */
#ifndef AUTHSTATUS_SERIES_H
#define AUTHSTATUS_SERIES_H

#include "authstatus/cache.h"

/* The last hour by minutes, the last day by quarters of an hour; the newest slot is the one that goes on. */
typedef enum as_series_ring { AS_SERIES_HOUR, AS_SERIES_DAY, AS_SERIES_RINGS } as_series_ring;
#define AS_SERIES_HOUR_SLOTS 60
#define AS_SERIES_DAY_SLOTS 96
/* More LDAP servers than that are not in it. The one whose last sample is the oldest, and a quarter of an hour old,
 * gives way. */
#define AS_SERIES_SERVERS 16

/* Counters that have a series, beside the classes of outcomes. */
#define AS_SERIES_COUNTER_LIST(X)                                                                                      \
    X(cache_hits)                                                                                                      \
    X(cache_misses)                                                                                                    \
    X(require_yes)                                                                                                     \
    X(require_no)                                                                                                      \
    X(require_unknown)

typedef enum as_series_counter {
#define AS_SERIES_COUNTER(name) AS_SERIES_##name,
    AS_SERIES_COUNTER_LIST(AS_SERIES_COUNTER)
#undef AS_SERIES_COUNTER
        AS_SERIES_COUNTERS
} as_series_counter;

typedef struct as_series as_series;

/* An LDAP server at the moment of a sample. */
typedef struct as_series_server {
    const char *server; /* "host:port" */
    uint64_t questions; /* since `epoch` began */
    int64_t latency;    /* of one operation, in microseconds; 0: not known */
    bool circuit_open;  /* in some process */
} as_series_server;

/* A slot as it is read. */
typedef struct as_series_point {
    int64_t begins; /* Unix time in seconds */
    uint32_t classes[AS_CLASS_COUNT], counters[AS_SERIES_COUNTERS];
} as_series_point;

typedef struct as_series_server_point {
    uint32_t questions;
    int64_t latency;   /* mean of the samples, in microseconds; 0: the server was not queried */
    bool circuit_open; /* in one of the samples */
} as_series_server_point;

/* Octets of shared memory; all zero is their beginning, aligned as malloc aligns. */
size_t as_series_get_size(void);
/* To be raised when the members of what lies there change; tests/unit/test_layouts says so. */
#define AS_SERIES_LAYOUT 1
/* Another number for each AS_SERIES_LAYOUT, and for each order of outcomes and counters. */
uint64_t as_series_hash_layout(void);
/* How many slots a ring has, and the seconds of one. */
int as_series_get_slots(as_series_ring ring);
int as_series_get_step(as_series_ring ring);

/* Begins a generation of the configuration, whose questions to servers count from 0: the parent, before it has
 * children. `is_new`: what the counters have now was counted before the series. The epoch, for as_series_sample. */
uint32_t as_series_begin(as_series *series, const as_counters *counters, bool is_new);
/* Adds what has come since the last sample to the slots of `now`, Unix time in seconds. Servers of another epoch are
 * left out. */
void as_series_sample(as_series *series, const as_counters *counters, const as_series_server *servers, int count,
                      uint32_t epoch, int64_t now);
/* How many samples were taken. */
uint64_t as_series_get_samples(const as_series *series);

/* Reads the slot that is `age` slots older than that of `now`. False: no sample was taken then; all is 0. */
bool as_series_read(const as_series *series, as_series_ring ring, int age, int64_t now, as_series_point *point);
bool as_series_read_server(const as_series *series, as_series_ring ring, int age, int64_t now, const char *server,
                           as_series_server_point *point);
/* "cache_hits" */
const char *as_series_get_counter_name(as_series_counter counter);

#endif
