/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds which sections mask, or map a 403.
 */
#include "mask.h"

#include <http_config.h>
#include <http_core.h>

as_reach as_reach_choose_widest(as_reach one, as_reach other)
{
    return one == AS_REACH_MASKED || other == AS_REACH_NONE ? one : other;
}

as_reach as_reach_find_of_all(const apr_array_header_t *vectors)
{
    as_reach reach = AS_REACH_NONE;
    int i;

    for (i = 0; vectors && i < vectors->nelts; i++) {
        reach = as_reach_choose_widest(reach, as_reach_find(APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *)));
    }
    return reach;
}

as_reach as_reach_find_of_section(const as_section *section)
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

as_reach as_reach_find(ap_conf_vector_t *vector)
{
    const as_section *section = ap_get_module_config(vector, &authstatus_module);
    const core_dir_config *core = ap_get_core_module_config(vector);
    as_reach reach = section ? as_reach_find_of_section(section) : AS_REACH_NONE;

    return core ? as_reach_choose_widest(reach, as_reach_choose_widest(as_reach_find_of_all(core->sec_file),
                                                                       as_reach_find_of_all(core->sec_if)))
                : reach;
}
