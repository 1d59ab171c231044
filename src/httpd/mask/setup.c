/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes at start-up which servers mask anything.
 */
#include "passes.h"

#include <http_config.h>
#include <http_core.h>

static as_reach find_reach(ap_conf_vector_t *vector);

static as_reach choose_widest(as_reach one, as_reach other)
{
    return one == AS_REACH_MASKED || other == AS_REACH_NONE ? one : other;
}

static as_reach find_reach_of_all(const apr_array_header_t *vectors)
{
    as_reach reach = AS_REACH_NONE;
    int i;

    for (i = 0; vectors && i < vectors->nelts; i++) {
        reach = choose_widest(reach, find_reach(APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *)));
    }
    return reach;
}

static as_reach find_reach_of_section(const as_section *section)
{
    as_reach reach = AS_REACH_NONE;
    int i;

    if (section->mask && section->mask->word != AS_MASK_OFF) {
        return AS_REACH_MASKED;
    }
    if (section->map.outcome[AS_OUTCOME_ACCESS_DENIED] || section->map.of_class[AS_CLASS_FORBIDDEN]) {
        reach = AS_REACH_MAPPED;
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        reach = section->map.outcome[i] == HTTP_NOT_FOUND ? AS_REACH_MASKED : reach;
    }
    for (i = 0; i < AS_CLASS_COUNT; i++) {
        reach = section->map.of_class[i] == HTTP_NOT_FOUND ? AS_REACH_MASKED : reach;
    }
    return reach;
}

/* Returns the reach of the section itself, or of sections in it: Files and If. */
static as_reach find_reach(ap_conf_vector_t *vector)
{
    const as_section *section = ap_get_module_config(vector, &authstatus_module);
    const core_dir_config *core = ap_get_core_module_config(vector);
    as_reach reach = section ? find_reach_of_section(section) : AS_REACH_NONE;

    return core
               ? choose_widest(reach, choose_widest(find_reach_of_all(core->sec_file), find_reach_of_all(core->sec_if)))
               : reach;
}

static as_reach find_reach_of_server(const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);

    return choose_widest(find_reach(s->lookup_defaults),
                         choose_widest(find_reach_of_all(core->sec_dir), find_reach_of_all(core->sec_url)));
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

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0096, status, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    as_snapshot_post_config();
    as_section_sets_post_config();
    for (; s; s = s->next) {
        as_server *server = ap_get_module_config(s->module_config, &authstatus_module);
        server->masks = find_reach_of_server(s);
        any = any || server->masks == AS_REACH_MASKED;
    }
    return any ? as_proven_post_config(main_server) : OK;
}
