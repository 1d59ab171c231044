/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples the counters for the series of the last hour and day. Requests bear no cost: the parent reads the counters
 * in its monitor hook, which every Unix MPM runs about every ten seconds, and so does a page that shows the series.
 */
#include "runtime.h"

/* NULL: there is none. */
static as_series *series;
static uint32_t epoch;

const as_series *as_process_get_series(void)
{
    return series;
}

apr_status_t as_sampler_post_config(server_rec *s)
{
    as_counters *counters = as_process_get_counters();
    void *kept = NULL;
    bool is_new = false;
    apr_status_t status;

    series = NULL;
    if (!counters) {
        return APR_SUCCESS;
    }
    status = as_persistent_memory_get(s, "mod_authstatus-series", as_series_hash_layout(), as_series_get_size(), &kept,
                                      &is_new);
    if (status == APR_SUCCESS) {
        series = kept;
        epoch = as_series_begin(series, counters, is_new);
    }
    return status;
}

void as_sampler_sample(apr_pool_t *pool)
{
    const apr_array_header_t *figures;
    as_series_server *servers;
    bool more;
    int i;

    if (!series) {
        return;
    }
    figures = as_server_stats_read(pool, &more);
    servers = apr_pcalloc(pool, (apr_size_t)(figures->nelts + 1) * sizeof(*servers));
    for (i = 0; i < figures->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures, i, as_ldap_server_figures);

        servers[i].server = server->server;
        servers[i].questions = server->questions;
        servers[i].latency = server->measured ? server->latency : 0;
        servers[i].circuit_open = server->circuit_open > 0;
    }
    as_series_sample(series, as_process_get_counters(), servers, figures->nelts, epoch, apr_time_sec(apr_time_now()));
}

int as_sampler_sample_in_monitor(apr_pool_t *pool, server_rec *s)
{
    apr_pool_t *scratch;

    (void)s;
    /* The MPM's pool lives as long as the configuration. */
    if (series && apr_pool_create(&scratch, pool) == APR_SUCCESS) {
        as_sampler_sample(scratch);
        apr_pool_destroy(scratch);
    }
    return OK;
}
