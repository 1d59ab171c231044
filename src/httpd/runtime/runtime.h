/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process, or all processes of a server, have as long as they live.
 */
#ifndef AUTHSTATUS_HTTPD_RUNTIME_H
#define AUTHSTATUS_HTTPD_RUNTIME_H

#include "authstatus/series.h"

#include "../config/config.h"

/* ---- process.c ---- */

/* For what a child has as long as it lives: `pool`, the child's; or, under prefork, one that is never cleaned up. Such
 * a child ends within a signal handler (prefork.c, just_die), which may have found it in malloc, or in the midst of
 * what a cleanup would free. */
apr_pool_t *as_pool_for_life(apr_pool_t *pool);
/* Shared memory of all processes, which persists over restarts until the server is stopped. Found by `name`, this
 * module's version, `layout` and size: what another version or layout has written is not found. `layout` is
 * another number for each meaning of what is in it, of the order of an enum too. Zeros when it is new. */
apr_status_t as_persistent_memory(server_rec *s, const char *name, uint32_t layout, apr_size_t size, void **into,
                                  bool *is_new);

/* ---- child.c ---- */

/* Makes, or finds again, the memory of AuthStatusThrottle, if a section has one. */
int as_process_post_config(server_rec *s);
/* False: no memory; every login would be an error for as long as the child lives. */
bool as_process_child_init(apr_pool_t *pool, server_rec *s);
/* What this process has for its logins; NULL before child_init, and without memory. */
const as_login *as_process_login(void);

/* ---- socache.c ---- */

/* Parses an AuthStatusCache. NULL and *setting, or a sentence without the directive's name. */
const char *as_socache_parse(apr_pool_t *pool, apr_pool_t *ptemp, const char *text, as_cache_setting *setting);
int as_socache_pre_config(apr_pool_t *pconf);
int as_socache_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
/* Is the store one that several machines share? Then counts of failures are in it too. */
bool as_socache_is_for_machines(void);
/* False: no memory; nothing would be remembered for as long as the child lives. */
bool as_socache_child_init(apr_pool_t *pool, server_rec *s);
/* NULL: nothing is remembered (AuthStatusCache Off). */
as_cache *as_process_cache(void);
/* NULL before the configuration is read. */
as_counters *as_process_counters(void);

/* ---- sampler.c: what the counters said over the last hour and day ---- */

/* Makes, or finds again, the memory of the series; behind the counters and the server stats. Without it none is shown. */
apr_status_t as_sampler_post_config(server_rec *s);
/* Hook `monitor`: the parent takes a sample every ten seconds or so. */
int as_sampler_monitor(apr_pool_t *pool, server_rec *s);
/* Takes a sample now; who shows the series calls it first. Any thread, any process. */
void as_sampler_sample(apr_pool_t *pool);
/* NULL: there is none. */
const as_series *as_process_series(void);

/* ---- instance.c ---- */

/* The instance of the store's provider in force, with the connections that it keeps. */
typedef struct as_instance as_instance;
/* From post_config on, for as long as the configuration. */
void as_instance_begin(const as_cache_setting *setting, const struct ap_socache_hints *hints, server_rec *s);
void as_instance_end(void);
/* Around each call. Any thread. */
as_instance *as_instance_take(ap_socache_instance_t **instance);
void as_instance_return(as_instance *instance);
/* To be compared alone. */
const as_instance *as_instance_current(void);
/* Goes on with another instance, unless another thread did: a call in `failed` does not come back. */
void as_instance_replace(const as_instance *failed);

/* ---- offload.c ---- */

/* What a call to a store on another machine works on; of malloc, defined by who makes it. */
typedef struct as_offload_job as_offload_job;
typedef void as_offload_work(as_offload_job *job, apr_pool_t *pool);

/* Runs `work` on a thread of its own, with a pool that is emptied behind it, and waits for it for about half a second.
 * The job; or NULL: it did not end, and *stuck, or there was no thread for it; the job is freed when it can be. Any
 * thread. */
as_offload_job *as_offload_run(as_offload_work *work, as_offload_job *job, bool *stuck);

/* ---- server_stats.c: what all processes know of the directory servers ---- */

/* `servers`: that the configuration names. */
apr_status_t as_server_stats_post_config(apr_pool_t *pconf, int servers);
void as_server_stats_child_init(apr_pool_t *pool);
/* Tells the other processes what this one sees of a directory's servers. Behind each question to it. */
void as_server_stats_write(as_directories *directories, const as_directory_settings *settings);

/* A directory server as all processes of this httpd see it together. */
typedef struct as_ldap_server_figures {
    const char *server; /* "host:port" */
    apr_uint64_t questions;
    int sessions;
    int asking;                  /* processes that have asked it */
    int circuit_open;            /* processes whose circuit breaker for it is open */
    apr_time_t until;            /* the last of these tries it again then; 0: none does */
    apr_interval_time_t latency; /* of one operation, of the last few; 0: not known */
    int measured;                /* processes that know it */
} as_ldap_server_figures;

/* as_ldap_server_figures, in the order in which they were first asked. *more: there are servers that are not shown. */
const apr_array_header_t *as_server_stats_read(apr_pool_t *pool, bool *more);

#endif
