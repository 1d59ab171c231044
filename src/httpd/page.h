/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the report page share with each other alone.
 */
#ifndef AUTHSTATUS_HTTPD_PAGE_H
#define AUTHSTATUS_HTTPD_PAGE_H

#include "private.h"

/* ---- servers.c ---- */

/* A directory server as all processes of this httpd see it together. */
typedef struct as_server_figures {
    const char *server; /* "host:port" */
    apr_uint64_t questions;
    int sessions;
    int asking;                  /* processes that have asked it */
    int left_alone;              /* processes that leave it alone now */
    apr_time_t until;            /* the last of these tries it again then; 0: none does */
    apr_interval_time_t latency; /* of one operation, of the last few; 0: not known */
    int measured;                /* processes that know it */
} as_server_figures;

/* as_server_figures, in the order in which they were first asked. *more: there are servers that are not shown. */
const apr_array_header_t *as_servers_read(apr_pool_t *pool, bool *more);

/* ---- page.c ---- */

typedef struct as_figures {
    apr_time_t now, since;
    apr_interval_time_t within; /* `lately` is in this time */
    apr_uint64_t outcomes[AS_OUTCOME_COUNT], lately[AS_OUTCOME_COUNT];
    apr_uint64_t counts[AS_COUNTER_COUNT];
    const apr_array_header_t *servers; /* as_server_figures */
    bool more_servers;
    bool remembers; /* AuthStatusCache is not Off */
    bool throttles; /* some section has an AuthStatusThrottle */
} as_figures;

as_figures as_figures_read(apr_pool_t *pool, server_rec *s);
/* Of `lately`, per minute. */
double as_figures_per_minute(const as_figures *figures, apr_uint64_t lately);
/* In words: "all are asked", or what is the matter. */
const char *as_server_in_words(apr_pool_t *pool, const as_server_figures *server, apr_time_t now);
/* "2024-05-01 12:00:00 UTC" */
const char *as_page_time(apr_pool_t *pool, apr_time_t when);

/* A text that grows. */
typedef struct as_output {
    apr_pool_t *pool;
    apr_array_header_t *parts;
} as_output;

as_output as_output_begin(apr_pool_t *pool);
void as_output_add(as_output *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *as_output_end(const as_output *text);

/* ---- page_html.c, page_text.c: the figures as a text ---- */

const char *as_page_html(request_rec *r, const as_figures *figures);
const char *as_page_json(apr_pool_t *pool, const as_figures *figures);
const char *as_page_metrics(apr_pool_t *pool, const as_figures *figures);

#endif
