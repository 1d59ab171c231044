/* SPDX-License-Identifier: Apache-2.0
 *
 * The report page for Prometheus: its text format (its documentation, "Exposition formats", version 0.0.4). Names of
 * outcomes, classes and counters need no escaping; names of servers do.
 */
#include "answer.h"

#include <apr_strings.h>

static double convert_to_seconds(apr_interval_time_t interval)
{
    return (double)interval / APR_USEC_PER_SEC;
}

/* Escapes a label's value. */
static const char *escape_label(apr_pool_t *pool, const char *text)
{
    char *escaped = apr_palloc(pool, strlen(text) * 2 + 1), *end = escaped;

    for (; *text; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            *end++ = '\\';
        }
        *end++ = *text == '\n' ? 'n' : *text;
    }
    *end = '\0';
    return escaped;
}

static void begin_metric(as_output *metrics, const char *name, const char *type, const char *help)
{
    as_output_add(metrics, "# HELP authstatus_%s %s\n# TYPE authstatus_%s %s\n", name, help, name, type);
}

typedef enum as_ldap_server_metric { QUESTIONS, SESSIONS, LATENCY, CIRCUIT_OPEN } as_ldap_server_metric;

static void add_server_metric(as_output *metrics, const as_figures *figures, as_ldap_server_metric which,
                              const char *name, const char *type, const char *help)
{
    int i;

    begin_metric(metrics, name, type, help);
    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);

        if (which == LATENCY && !server->measured) {
            continue;
        }
        as_output_add(metrics, "authstatus_%s{server=\"%s\"} ", name, escape_label(metrics->pool, server->server));
        switch (which) {
        case QUESTIONS:
            as_output_add(metrics, "%" APR_UINT64_T_FMT "\n", server->questions);
            break;
        case SESSIONS:
            as_output_add(metrics, "%d\n", server->sessions);
            break;
        case LATENCY:
            as_output_add(metrics, "%.6f\n", convert_to_seconds(server->latency));
            break;
        case CIRCUIT_OPEN:
            as_output_add(metrics, "%d\n", server->circuit_open);
            break;
        }
    }
}

const char *as_report_make_metrics(apr_pool_t *pool, const as_figures *figures)
{
    as_output metrics = as_output_begin(pool);
    int i;

    begin_metric(&metrics, "info", "gauge", "The version of mod_authstatus.");
    as_output_add(&metrics, "authstatus_info{version=\"" AUTHSTATUS_VERSION "\"} 1\n");
    begin_metric(&metrics, "start_time_seconds", "gauge", "Unix time since which everything is counted.");
    as_output_add(&metrics, "authstatus_start_time_seconds %.3f\n", convert_to_seconds(figures->since));
    begin_metric(&metrics, "outcomes_total", "counter", "Authentications and refusals, by what became of them.");
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        const as_outcome_info *outcome = as_outcome_describe((as_outcome)i);
        as_output_add(&metrics, "authstatus_outcomes_total{class=\"%s\",outcome=\"%s\"} %" APR_UINT64_T_FMT "\n",
                      as_class_describe(outcome->of)->name, outcome->name, figures->outcomes[i]);
    }
    for (i = 0; i < AS_COUNTER_COUNT; i++) {
        const char *name = apr_pstrcat(pool, as_counter_get_name((as_counter)i), "_total", NULL);
        begin_metric(&metrics, name, "counter", as_counter_get_help((as_counter)i));
        as_output_add(&metrics, "authstatus_%s %" APR_UINT64_T_FMT "\n", name, figures->counts[i]);
    }
    add_server_metric(&metrics, figures, QUESTIONS, "directory_questions_total", "counter",
                      "Queries to a directory server since the configuration was last read.");
    add_server_metric(&metrics, figures, SESSIONS, "directory_sessions", "gauge",
                      "Connections to a directory server that are open.");
    add_server_metric(&metrics, figures, LATENCY, "directory_latency_seconds", "gauge",
                      "What one operation of a directory server takes, a moving average.");
    add_server_metric(&metrics, figures, CIRCUIT_OPEN, "directory_circuit_open_processes", "gauge",
                      "Processes of httpd in which the circuit breaker of an LDAP server is open.");
    return as_output_end(&metrics);
}
