/* SPDX-License-Identifier: Apache-2.0
 *
 * Setters for directives about groups. Contexts and meaning are mod_authnz_ldap's; each list replaces an outer
 * section's list.
 */
#include "arguments.h"

#include <apr_strings.h>

const as_word_slot as_groups_slot = {
    offsetof(as_section, groups),
    {{"Auto", AS_GROUPS_AUTO}, {"Member", AS_GROUPS_MEMBER}, {"MemberOf", AS_GROUPS_MEMBER_OF}, {NULL, 0}}};

const char *as_set_names(cmd_parms *cmd, void *section, const char *name)
{
    as_names **slot = (as_names **)((char *)section + (size_t)cmd->info);

    /* No other text may become a name in a filter. */
    if (!as_attribute_is_name(name)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: %s is not a name that it takes; use letters, digits and hyphens, or an OID",
                            cmd->cmd->name, as_argument_quote(cmd, name));
    }
    if (!*slot) {
        *slot = apr_pcalloc(cmd->pool, sizeof(**slot));
    }
    if ((*slot)->count == AS_NAMES_MOST) {
        return apr_psprintf(cmd->temp_pool, "%s: more than %d names", cmd->cmd->name, AS_NAMES_MOST);
    }
    (*slot)->names[(*slot)->count++] = name;
    return NULL;
}

const char *as_set_subgroup_depth(cmd_parms *cmd, void *section, const char *text)
{
    return as_argument_read_number(cmd, text, 0, AS_SUBGROUP_DEPTH_MAX, &((as_section *)section)->subgroup_depth);
}
