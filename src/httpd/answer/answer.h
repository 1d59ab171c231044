/* SPDX-License-Identifier: Apache-2.0
 *
 * Output for people and programs: error bodies, the report page, the page for signing in anew.
 */
#ifndef AUTHSTATUS_HTTPD_ANSWER_H
#define AUTHSTATUS_HTTPD_ANSWER_H

#include "authstatus/language.h"

#include "../request/request.h"
#include "../runtime/runtime.h"

/* ---- page.c: the frame of pages for people ---- */

/* Colours of all pages, in light and dark; contrast is that of WCAG 2.2 AA. */
#define AS_PAGE_COLOURS                                                                                                \
    ":root{color-scheme:light dark;--line:#d0d4d9;--dim:#5c6570;--bad:#a61b1b;--badbg:#fdecec;--good:#14532d;"         \
    "--goodbg:#eaf6ee;--link:#0b57d0;--bg:#fff;--fg:#1b1f24}\n"                                                        \
    "@media (prefers-color-scheme:dark){:root{--line:#3a4149;--dim:#a3adb8;--bad:#ffb4ab;--badbg:#411c1c;"             \
    "--good:#a6e0b8;--goodbg:#15301f;--link:#a8c7fa;--bg:#15181c;--fg:#e6e9ec}}\n"

/* Returns the language that the client prefers, and adds it to Content-Language and Vary. */
const as_language *as_page_choose_language(request_rec *r);
/* Makes a whole page: `heading` and `status` as texts, `content` as HTML. From the request's pool. */
const char *as_page_make(request_rec *r, const as_language *language, const char *heading, int status,
                         const char *content);
/* The suggested button of a page, and its others. */
typedef enum as_button { AS_BUTTON_MAIN, AS_BUTTON_OTHER } as_button;

/* Makes a link that looks like a button. From `pool`. */
const char *as_page_make_button(apr_pool_t *pool, const char *url, const char *text, as_button button);

/* ---- error_body.c ---- */

/* Registers the output filter that writes error bodies. */
void as_error_body_register_filter(void);
/* Hook insert_error_filter: inserts it where this module decided the answer, and no ErrorDocument is configured. */
void as_error_body_insert_filter(request_rec *r);

/* ---- report_page.c ---- */

int as_report_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
/* The handlers answer a request with AS_REPORT_HANDLER, or AS_RELOGIN_HANDLER; DECLINED for any other. */
int as_report_handler(request_rec *r);
/* Registers with mod_status, which then includes the figures. */
void as_report_register_status(void);

/* ---- relogin.c: sign in as someone else ---- */

int as_relogin_handler(request_rec *r);

/* ---- figures.c ---- */

typedef struct as_figures {
    apr_time_t now, since;
    apr_interval_time_t within; /* the period of `lately` */
    apr_uint64_t outcomes[AS_OUTCOME_COUNT], lately[AS_OUTCOME_COUNT];
    apr_uint64_t counts[AS_COUNTER_COUNT];
    const apr_array_header_t *servers; /* as_ldap_server_figures */
    bool more_servers;
    bool has_cache; /* AuthStatusCache is not Off */
    bool throttles; /* some section has an AuthStatusThrottle */
} as_figures;

/* Reads the figures of all processes, at this moment. */
as_figures as_figures_read(apr_pool_t *pool);
/* Converts `lately` to a rate per minute. */
double as_figures_compute_per_minute(const as_figures *figures, apr_uint64_t lately);
/* Describes the state of an LDAP server: "up", if it has ever answered, or its fault. */
const char *as_describe_ldap_server(apr_pool_t *pool, const as_ldap_server_figures *server, apr_time_t now);
/* Describes the latency of an LDAP server: "12.3 ms", or "not known". */
const char *as_describe_latency(apr_pool_t *pool, const as_ldap_server_figures *server);
/* Formats "2024-05-01 12:00:00 UTC". */
const char *as_report_format_time(apr_pool_t *pool, apr_time_t when);

/* A growing text. */
typedef struct as_output {
    apr_pool_t *pool;
    apr_array_header_t *parts;
} as_output;

/* Begin a text, add to it as printf does, and return the whole of it. */
as_output as_output_begin(apr_pool_t *pool);
void as_output_add(as_output *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *as_output_end(const as_output *text);
/* Returns a text as a string of JSON, with its quotes. */
const char *as_write_json_string(apr_pool_t *pool, const char *text);

/* ---- plot.c: bars as inline SVG ---- */

/* Values of equal periods, the oldest first. */
typedef struct as_plot {
    const char *label, *tone; /* for screen readers; a class of the style sheet */
    int points;
    const double *values; /* below 0: not known */
    const bool *marks;    /* periods with a fault; NULL: none */
    double top;           /* of the scale */
} as_plot;

/* Adds a plot as an <svg> element. */
void as_plot_add(as_output *html, const as_plot *plot);

/* ---- series_html.c, series_json.c: the last hour and the last day ---- */

/* Adds the sections with plots and tables; nothing without a series. */
void as_series_add_html(as_output *html, const as_figures *figures);
/* Adds the member "series", without a comma after it. */
void as_series_add_json(as_output *json, const as_figures *figures);

/* ---- html.c, json.c, metrics.c: the figures as a text ---- */

/* Make the page, the JSON object and the metrics in Prometheus' text format. `refresh`: interval in seconds of
 * reloading the page; 0: never. */
const char *as_report_make_html(request_rec *r, const as_figures *figures, int refresh);
const char *as_report_make_json(apr_pool_t *pool, const as_figures *figures);
const char *as_report_make_metrics(apr_pool_t *pool, const as_figures *figures);

#endif
