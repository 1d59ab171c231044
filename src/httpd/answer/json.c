/* SPDX-License-Identifier: Apache-2.0
 *
 * The report page as JSON (RFC 8259). Names of outcomes, classes and counters need no escaping; names of servers do.
 */
#include "answer.h"

#include <apr_strings.h>

static double convert_to_seconds(apr_interval_time_t interval)
{
    return (double)interval / APR_USEC_PER_SEC;
}

static void add_outcomes(as_output *json, const as_figures *figures)
{
    int i;

    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        const as_outcome_info *outcome = as_outcome_describe((as_outcome)i);
        as_output_add(json,
                      "%s\n    \"%s\": {\"class\": \"%s\", \"count\": %" APR_UINT64_T_FMT
                      ", \"lately\": %" APR_UINT64_T_FMT ", \"per_minute\": %.2f}",
                      i ? "," : "", outcome->name, as_class_describe(outcome->of)->name, figures->outcomes[i],
                      figures->lately[i], as_figures_compute_per_minute(figures, figures->lately[i]));
    }
}

static void add_servers(as_output *json, const as_figures *figures)
{
    int i;

    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);
        as_output_add(json,
                      "%s\n    {\"server\": %s, \"questions\": %" APR_UINT64_T_FMT ", \"sessions\": %d, "
                      "\"latency_seconds\": ",
                      i ? "," : "", as_write_json_string(json->pool, server->server), server->questions,
                      server->sessions);
        if (server->measured) {
            as_output_add(json, "%.6f", convert_to_seconds(server->latency));
        } else {
            as_output_add(json, "null");
        }
        as_output_add(json, ", \"processes\": %d, \"processes_circuit_open\": %d, \"circuit_open_for_seconds\": %.1f}",
                      server->queried_by, server->circuit_open,
                      server->until ? convert_to_seconds(server->until - figures->now) : 0.0);
    }
}

const char *as_report_make_json(apr_pool_t *pool, const as_figures *figures)
{
    as_output json = as_output_begin(pool);
    int i;

    as_output_add(&json, "{\n  \"module\": \"mod_authstatus\",\n  \"version\": \"" AUTHSTATUS_VERSION "\",\n");
    as_output_add(&json, "  \"since\": %.3f,\n  \"now\": %.3f,\n  \"lately_seconds\": %.1f,\n  \"outcomes\": {",
                  convert_to_seconds(figures->since), convert_to_seconds(figures->now),
                  convert_to_seconds(figures->within));
    add_outcomes(&json, figures);
    as_output_add(&json, "\n  },\n  \"servers\": [");
    add_servers(&json, figures);
    as_output_add(&json, "%s],\n  \"more_servers\": %s,\n  \"cache\": %s,\n  \"throttle\": %s,\n  \"counters\": {",
                  figures->servers->nelts ? "\n  " : "", figures->more_servers ? "true" : "false",
                  figures->has_cache ? "true" : "false", figures->throttles ? "true" : "false");
    for (i = 0; i < AS_COUNTER_COUNT; i++) {
        as_output_add(&json, "%s\n    \"%s\": %" APR_UINT64_T_FMT, i ? "," : "", as_counter_get_name((as_counter)i),
                      figures->counts[i]);
    }
    as_output_add(&json, "\n  },\n");
    as_series_add_json(&json, figures);
    as_output_add(&json, "\n}\n");
    return as_output_end(&json);
}
