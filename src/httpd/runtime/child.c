/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a child for its logins.
 */
#include "runtime.h"

#include <ap_mpm.h>
#include <apr_shm.h>

/* ---- memory that children share ---- */

/* NULL: no section has a throttle. */
static void *throttle_memory;

/* Of this generation of children. */
static as_shared_accounts *accounts;

static bool is_throttled(const server_rec *s)
{
    while (s && as_server_get(s)->throttles != 1) {
        s = s->next;
    }
    return s != NULL;
}

/* Opens memory for the service accounts. A restart begins with zeros: the configuration may have changed. */
static apr_status_t open_accounts(apr_pool_t *pconf)
{
    apr_shm_t *segment;
    apr_status_t status = apr_shm_create(&segment, as_shared_accounts_get_size(), NULL, pconf);

    accounts = status == APR_SUCCESS ? apr_shm_baseaddr_get(segment) : NULL;
    return status;
}

int as_process_post_config(apr_pool_t *pconf, server_rec *s)
{
    bool is_new = false;
    apr_status_t status = open_accounts(pconf);

    throttle_memory = NULL;
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0311, status, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!is_throttled(s)) {
        return OK;
    }
    status = as_persistent_memory_get(s, "mod_authstatus-throttle", AS_THROTTLES_LAYOUT, as_throttles_get_size(),
                                      &throttle_memory, &is_new);
    if (status != APR_SUCCESS || (is_new && !as_throttles_begin(throttle_memory))) {
        AS_LOG_SERVER(0120, status, s);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* ---- a child ---- */

/* Made before the threads of a child start, read-only afterwards. */
static as_login login;
static as_service_guard guard;

bool as_process_child_init(apr_pool_t *pool, server_rec *s)
{
    as_directory_limits limits;
    int threads = 1;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS || threads < 1) {
        threads = 1;
    }
    limits = as_server_get_limits(as_server_get(s), threads);
    limits.accounts = accounts;
    if (throttle_memory && as_configured_get_throttle()->failures > 0) {
        limits.guard = as_service_guard_make(&guard, &login, as_configured_get_throttle());
    }
    login.directories = as_directories_create(as_pool_choose_for_life(pool), &limits);
    login.cache = NULL;
    login.timings = as_timings_create(as_pool_choose_for_life(pool), limits.in_flight);
    if (!login.directories || !login.timings || !as_socache_child_init(pool, s)) {
        return false;
    }
    login.cache = as_process_get_cache();
    login.throttles = throttle_memory ? as_throttles_create(as_pool_choose_for_life(pool), throttle_memory,
                                                            as_socache_is_for_machines() ? login.cache : NULL)
                                      : NULL;
    return true;
}

AS_HOT const as_login *as_process_get_login(void)
{
    return login.directories ? &login : NULL;
}
