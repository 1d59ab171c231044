/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a process, and of all processes of a server.
 */
#ifndef AUTHSTATUS_HTTPD_RUNTIME_H
#define AUTHSTATUS_HTTPD_RUNTIME_H

#include "authstatus/series.h"

#include "../config/config.h"

/* ---- process.c ---- */

/* Returns the pool for memory that a child needs as long as it lives: `pool`, the child's; or, under prefork, one
 * that is never cleaned up. Such a child ends within a signal handler (prefork.c, just_die), which may interrupt
 * malloc, or code that uses memory which a cleanup would free. */
apr_pool_t *as_pool_choose_for_life(apr_pool_t *pool);
/* Gets shared memory of all processes, which persists over restarts until the server is stopped. Found by `name`,
 * this module's version, `layout` and size: memory of another version or layout is not found. `layout` differs for
 * each meaning of the content, including the order of an enum. Zeroed when new. In post_config; an error stops
 * the start. */
apr_status_t as_persistent_memory_get(server_rec *s, const char *name, uint64_t layout, apr_size_t size, void **into,
                                      bool *is_new);

/* ---- child.c ---- */

/* Makes the memory of refused service accounts; makes, or finds again, that of AuthStatusThrottle, if a section has
 * one. */
int as_process_post_config(apr_pool_t *pconf, server_rec *s);
/* Returns false without memory; then every login of the child is an error. */
bool as_process_child_init(apr_pool_t *pool, server_rec *s);
/* Returns the state of this process for its logins; NULL before child_init, and without memory. */
const as_login *as_process_get_login(void);

/* ---- socache.c ---- */

/* Parses an AuthStatusCache. Returns NULL and *setting, or a sentence without the directive's name. */
const char *as_socache_parse(apr_pool_t *pool, apr_pool_t *ptemp, const char *text, as_cache_setting *setting);
/* Registers the mutex of stores that need one. */
int as_socache_pre_config(apr_pool_t *pconf);
/* Opens the store, and the memory of the counters. */
int as_socache_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
/* Returns whether several machines share the store. Then it also has counts of failures. */
bool as_socache_is_for_machines(void);
/* Returns false without memory; then the child caches nothing. */
bool as_socache_child_init(apr_pool_t *pool, server_rec *s);
/* Return what lives as long as the process. NULL: no cache (AuthStatusCache Off). */
as_cache *as_process_get_cache(void);
/* NULL before the configuration is read. */
as_counters *as_process_get_counters(void);

/* ---- sampler.c: the counters of the last hour and day ---- */

/* Makes, or finds again, the memory of the series; after the counters and the server stats. Without it no series is
 * shown. */
apr_status_t as_sampler_post_config(server_rec *s);
/* Hook `monitor`: the parent takes a sample about every ten seconds. */
int as_sampler_sample_in_monitor(apr_pool_t *pool, server_rec *s);
/* Takes a sample now; call it before showing the series. Any thread, any process. */
void as_sampler_sample(apr_pool_t *pool);
/* NULL: there is none. */
const as_series *as_process_get_series(void);

/* ---- instance.c ---- */

/* The current instance of the store's provider, with its connections. */
typedef struct as_instance as_instance;
/* From post_config on, for the lifetime of the configuration. */
void as_instance_begin(const as_cache_setting *setting, const struct ap_socache_hints *hints, server_rec *s);
void as_instance_end(void);
/* Take and return the instance around each call. Any thread. */
as_instance *as_instance_take(ap_socache_instance_t **instance);
void as_instance_return(as_instance *instance);
/* For comparison only. */
const as_instance *as_instance_get_current(void);
/* Continues with another instance, unless another thread did: a call in `failed` does not return. */
void as_instance_replace(const as_instance *failed);

/* ---- offload.c ---- */

/* The argument of a call to a store on another machine; from malloc, defined by the caller. */
typedef struct as_offload_job as_offload_job;
typedef void as_offload_work(as_offload_job *job, apr_pool_t *pool);

/* Runs `work` on another thread, with a pool that is cleared afterwards, and waits for about half a second. Returns
 * the job; or NULL: it did not end, and *stuck, or there was no thread for it; the job is freed later. Any thread. */
as_offload_job *as_offload_run(as_offload_work *work, as_offload_job *job, bool *stuck);

/* ---- server_stats.c: the LDAP servers as all processes see them ---- */

/* Makes the shared memory. `servers`: number in the configuration. */
apr_status_t as_server_stats_post_config(apr_pool_t *pconf, int servers);
/* Takes a slot for this process, until `pool` is destroyed. */
void as_server_stats_child_init(apr_pool_t *pool);
/* Publishes this process's view of a directory's servers. Call it after each query. */
void as_server_stats_write(as_directories *directories, const as_directory_settings *settings);

/* An LDAP server as all processes of this httpd see it together. */
typedef struct as_ldap_server_figures {
    const char *server; /* "host:port" */
    apr_uint64_t questions;
    int sessions;
    int queried_by;              /* processes that have queried it */
    int circuit_open;            /* processes whose circuit breaker for it is open */
    apr_time_t until;            /* time of the last next probe among these; 0: none */
    apr_interval_time_t latency; /* of one operation, of recent ones; 0: not known */
    int measured;                /* processes with a latency */
} as_ldap_server_figures;

/* Returns as_ldap_server_figures, in the order of the first query. *more: some servers are not shown. */
const apr_array_header_t *as_server_stats_read(apr_pool_t *pool, bool *more);

#endif
