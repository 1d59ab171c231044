/* SPDX-License-Identifier: Apache-2.0
 *
 * The series of the last hour and day as JSON: lists of equal length, the oldest first; null where no sample was taken.
 */
#include "answer.h"

#include <apr_strings.h>

/* Writes the value of that age. Returns true if it did. */
typedef bool as_series_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of);

static void add_list(as_output *json, as_series_ring ring, int64_t now, as_series_value *value, const void *of)
{
    int age;

    as_output_add(json, "[");
    for (age = as_series_get_slots(ring) - 1; age >= 0; age--) {
        if (!value(json, ring, age, now, of)) {
            as_output_add(json, "null");
        }
        as_output_add(json, "%s", age ? "," : "]");
    }
}

static bool put_class_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of)
{
    as_series_point point;

    if (!as_series_read(as_process_get_series(), ring, age, now, &point)) {
        return false;
    }
    as_output_add(json, "%u", point.classes[*(const int *)of]);
    return true;
}

static bool put_counter_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of)
{
    as_series_point point;

    if (!as_series_read(as_process_get_series(), ring, age, now, &point)) {
        return false;
    }
    as_output_add(json, "%u", point.counters[*(const int *)of]);
    return true;
}

static bool put_query_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of)
{
    as_series_server_point point;

    if (!as_series_read_server(as_process_get_series(), ring, age, now, of, &point)) {
        return false;
    }
    as_output_add(json, "%u", point.questions);
    return true;
}

static bool put_latency_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of)
{
    as_series_server_point point;

    if (!as_series_read_server(as_process_get_series(), ring, age, now, of, &point) || !point.latency) {
        return false;
    }
    as_output_add(json, "%.6f", (double)point.latency / APR_USEC_PER_SEC);
    return true;
}

static bool put_circuit_value(as_output *json, as_series_ring ring, int age, int64_t now, const void *of)
{
    as_series_server_point point;

    if (!as_series_read_server(as_process_get_series(), ring, age, now, of, &point)) {
        return false;
    }
    as_output_add(json, "%s", point.circuit_open ? "true" : "false");
    return true;
}

static void add_servers(as_output *json, const as_figures *figures, as_series_ring ring, int64_t now)
{
    int i;

    as_output_add(json, ",\n      \"servers\": {");
    for (i = 0; i < figures->servers->nelts; i++) {
        const char *server = APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures).server;

        as_output_add(json, "%s\n        %s: {\"questions\": ", i ? "," : "", as_write_json_string(json->pool, server));
        add_list(json, ring, now, put_query_value, server);
        as_output_add(json, ",\n          \"latency_seconds\": ");
        add_list(json, ring, now, put_latency_value, server);
        as_output_add(json, ",\n          \"circuit_open\": ");
        add_list(json, ring, now, put_circuit_value, server);
        as_output_add(json, "}");
    }
    as_output_add(json, "%s}", figures->servers->nelts ? "\n      " : "");
}

static void add_ring(as_output *json, const as_figures *figures, as_series_ring ring, const char *name)
{
    const int64_t now = apr_time_sec(figures->now);
    const int step = as_series_get_step(ring);
    int i;

    as_output_add(json,
                  "    \"%s\": {\n      \"step_seconds\": %d,\n      \"begins\": %" APR_INT64_T_FMT
                  ",\n      \"classes\": {",
                  name, step, (apr_int64_t)((now / step - as_series_get_slots(ring) + 1) * step));
    for (i = 0; i < AS_CLASS_COUNT; i++) {
        as_output_add(json, "%s\n        \"%s\": ", i ? "," : "", as_class_describe((as_class)i)->name);
        add_list(json, ring, now, put_class_value, &i);
    }
    as_output_add(json, "\n      },\n      \"counters\": {");
    for (i = 0; i < AS_SERIES_COUNTERS; i++) {
        as_output_add(json, "%s\n        \"%s\": ", i ? "," : "", as_series_get_counter_name((as_series_counter)i));
        add_list(json, ring, now, put_counter_value, &i);
    }
    as_output_add(json, "\n      }");
    add_servers(json, figures, ring, now);
    as_output_add(json, "\n    }");
}

void as_series_add_json(as_output *json, const as_figures *figures)
{
    as_output_add(json, "  \"samples\": %" APR_UINT64_T_FMT ",\n  \"series\": {\n",
                  (apr_uint64_t)as_series_get_samples(as_process_get_series()));
    add_ring(json, figures, AS_SERIES_HOUR, "hour");
    as_output_add(json, ",\n");
    add_ring(json, figures, AS_SERIES_DAY, "day");
    as_output_add(json, "\n  }");
}
