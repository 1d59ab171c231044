/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that lives as long as a child, and persistent shared memory.
 */
#include "runtime.h"

#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>

apr_pool_t *as_pool_choose_for_life(apr_pool_t *pool)
{
    apr_pool_t *apart;
    int threaded = 1;

    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && !threaded &&
                   apr_pool_create_unmanaged(&apart) == APR_SUCCESS
               ? apart
               : pool;
}

apr_status_t as_persistent_memory_get(server_rec *s, const char *name, uint64_t layout, apr_size_t size, void **into,
                                      bool *is_new)
{
    apr_pool_t *process = s->process->pool;
    /* A restart may load another version of this module, which would misread the old memory. */
    const char *key = apr_psprintf(
        s->process->pconf, "%s " AUTHSTATUS_VERSION " %" APR_UINT64_T_FMT " %" APR_SIZE_T_FMT, name, layout, size);
    apr_shm_t *segment;
    void *kept = NULL;
    apr_status_t status = APR_SUCCESS;

    apr_pool_userdata_get(&kept, key, process);
    *is_new = !kept;
    if (!kept) {
        status = apr_shm_create(&segment, size, NULL, process);
        if (status == APR_SUCCESS) {
            /* Zeroed by mmap(2) or shmget(2): untouched pages cost no memory. */
            kept = apr_shm_baseaddr_get(segment);
            /* Not setn: a restart clears the key's pool. */
            apr_pool_userdata_set(kept, key, NULL, process);
        }
    }
    *into = kept;
    return status;
}
