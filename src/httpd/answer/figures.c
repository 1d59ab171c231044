/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of the report page, and the growing text of its formats.
 */
#include "answer.h"

#include <stdarg.h>

#include <apr_strings.h>
#include <http_main.h>

/* ---- a growing text ---- */

as_output as_output_begin(apr_pool_t *pool)
{
    as_output output = {pool, apr_array_make(pool, 64, sizeof(const char *))};

    return output;
}

void as_output_add(as_output *output, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    APR_ARRAY_PUSH(output->parts, const char *) = apr_pvsprintf(output->pool, format, arguments);
    va_end(arguments);
}

const char *as_output_end(const as_output *output)
{
    return apr_array_pstrcat(output->pool, output->parts, '\0');
}

/* RFC 8259 7. Octets that are not ASCII are written as Latin-1: invalid UTF-8 must not make the whole unreadable. */
const char *as_write_json_string(apr_pool_t *pool, const char *text)
{
    char *json = apr_palloc(pool, strlen(text) * 6 + 3), *end = json;

    *end++ = '"';
    for (; *text; text++) {
        const unsigned char octet = (unsigned char)*text;

        if (octet == '"' || octet == '\\') {
            *end++ = '\\';
            *end++ = *text;
        } else if (octet < 0x20 || octet >= 0x7f) {
            end += apr_snprintf(end, 7, "\\u%04x", octet);
        } else {
            *end++ = *text;
        }
    }
    *end++ = '"';
    *end = '\0';
    return json;
}

/* ---- the figures ---- */

as_figures as_figures_read(apr_pool_t *pool)
{
    const as_counters *counters = as_process_get_counters();
    as_figures figures = {.now = apr_time_now(), .since = as_counters_get_start(counters)};
    const server_rec *s;
    int i;

    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        figures.outcomes[i] = as_counters_get_outcome(counters, (as_outcome)i);
        figures.lately[i] = as_counters_get_recent(counters, (as_outcome)i, &figures.within);
    }
    if (figures.within > figures.now - figures.since) {
        figures.within = figures.now - figures.since;
    }
    for (i = 0; i < AS_COUNTER_COUNT; i++) {
        figures.counts[i] = as_counters_get(counters, (as_counter)i);
    }
    figures.servers = as_server_stats_read(pool, &figures.more_servers);
    figures.has_cache = as_process_get_cache() != NULL;
    for (s = ap_server_conf; s; s = s->next) {
        figures.throttles = figures.throttles || as_server_get(s)->throttles == 1;
    }
    return figures;
}

double as_figures_compute_per_minute(const as_figures *figures, apr_uint64_t lately)
{
    /* a server that has just started has no meaningful rate */
    const apr_interval_time_t least = apr_time_from_sec(60);
    const apr_interval_time_t within = figures->within > least ? figures->within : least;

    return (double)lately * (double)apr_time_from_sec(60) / (double)within;
}

const char *as_report_format_time(apr_pool_t *pool, apr_time_t when)
{
    apr_time_exp_t parts;
    char text[32];
    apr_size_t length;

    if (apr_time_exp_gmt(&parts, when) != APR_SUCCESS ||
        apr_strftime(text, &length, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts) != APR_SUCCESS) {
        return "";
    }
    return apr_pstrdup(pool, text);
}

const char *as_describe_ldap_server(apr_pool_t *pool, const as_ldap_server_figures *server, apr_time_t now)
{
    if (!server->circuit_open) {
        return server->measured ? "up" : "no answer yet";
    }
    return apr_psprintf(pool, "circuit breaker open in %d of %d processes; next probe in %" APR_TIME_T_FMT " s",
                        server->circuit_open, server->queried_by,
                        apr_time_sec(server->until - now + APR_USEC_PER_SEC - 1));
}

const char *as_describe_latency(apr_pool_t *pool, const as_ldap_server_figures *server)
{
    return server->measured ? apr_psprintf(pool, "%.1f ms", (double)server->latency / 1000) : "not known";
}
