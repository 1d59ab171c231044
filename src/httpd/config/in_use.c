/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds out whether a request can match a section of ours at all, so that a server which only loads the module does
 * not run its hooks.
 */
#include "config.h"

#include <http_core.h>

/* Returns whether a directive of ours is set at the level of the server: any member of its section. */
static bool is_set(const server_rec *s, const as_section *nothing)
{
    const as_section *section = ap_get_module_config(s->lookup_defaults, &authstatus_module);

    if (!section) {
        return false;
    }
#define AS_MEMBER(type, name, unset, identity)                                                                         \
    if (section->name != nothing->name) {                                                                              \
        return true;                                                                                                   \
    }
#include "section.def"
    return section->requires || memcmp(&section->map, &nothing->map, sizeof(section->map)) != 0 ||
           memcmp(&section->help, &nothing->help, sizeof(section->help)) != 0;
}

/* Returns whether a .htaccess file below this section may have directives of ours. */
static bool may_be_overridden(const ap_conf_vector_t *vector)
{
    const core_dir_config *core = ap_get_core_module_config(vector);

    return core && ((core->override & OR_AUTHCFG) || (core->override_list && !apr_is_empty_table(core->override_list)));
}

static bool may_have_htaccess(const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);
    int i;

    for (i = 0; core->sec_dir && i < core->sec_dir->nelts; i++) {
        if (may_be_overridden(APR_ARRAY_IDX(core->sec_dir, i, ap_conf_vector_t *))) {
            return true;
        }
    }
    return may_be_overridden(s->lookup_defaults);
}

bool as_is_in_use(apr_pool_t *ptemp, const server_rec *s)
{
    const as_section *nothing = as_section_create(ptemp, NULL);
    bool used = as_sections_were_made() || as_aliases_get();

    for (; s && !used; s = s->next) {
        used = is_set(s, nothing) || may_have_htaccess(s);
    }
    return used;
}
