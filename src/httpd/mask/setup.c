/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes at start-up which servers mask anything.
 */
#include "mask.h"

#include <http_config.h>
#include <http_core.h>

static as_reach find_reach_of_server(const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);

    return as_reach_choose_widest(
        as_reach_find(s->lookup_defaults),
        as_reach_choose_widest(as_reach_find_of_all(core->sec_dir), as_reach_find_of_all(core->sec_url)));
}

bool as_mask_is_configured(const server_rec *s)
{
    while (s && find_reach_of_server(s) == AS_REACH_NONE) {
        s = s->next;
    }
    return s != NULL;
}

/* A server that shares another's settings (without directives of ours) masks if that one does. */
int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t status = as_decoys_post_config();
    server_rec *main_server = s;
    bool any = false;

    (void)plog;
    (void)ptemp;
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0096, status, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    as_snapshot_post_config(pconf);
    as_arrival_post_config();
    as_places_post_config();
    for (; s; s = s->next) {
        as_server *server = ap_get_module_config(s->module_config, &authstatus_module);
        server->masks = find_reach_of_server(s);
        server->masked_paths = as_elsewhere_find_paths(pconf, s);
        any = any || server->masks == AS_REACH_MASKED;
    }
    return any ? as_proven_post_config(main_server) : OK;
}
