/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the groups in the entry of a user: memberOf, objectSid, primaryGroupID.
 */
#include "ldap_private.h"

#include <string.h>

const char *const as_membership_attributes[] = {"memberOf", "objectSid", "primaryGroupID", NULL};

void as_membership_read(const as_found_values *values, apr_pool_t *pool, as_membership *membership)
{
    memset(membership, 0, sizeof(*membership));
    membership->groups = as_found_get_texts(&values[0], pool, &membership->group_count);
    membership->whole = !values[0].is_part && membership->group_count == values[0].count;
    if (values[1].count == 1 &&
        as_sid_read((const unsigned char *)values[1].values[0].octets, values[1].values[0].length, &membership->sid)) {
        as_sid_make_primary_group(&membership->sid, as_found_get_first_text(&values[2]), &membership->primary_group);
    }
}

bool as_membership_take(LDAP *ld, LDAPMessage *entry, apr_pool_t *pool, as_reply *reply)
{
    const as_search search = {.attributes = as_membership_attributes,
                              .attribute_count = AS_MEMBERSHIP_ATTRIBUTES,
                              .found = apr_array_make(pool, 1, sizeof(as_found))};
    as_membership *membership;
    as_reply unused;

    reply->membership = NULL;
    if (reply->entries != 1) {
        return true;
    }
    if (!as_found_add(ld, entry, &search, pool, &unused)) {
        return false;
    }
    membership = apr_palloc(pool, sizeof(*membership));
    as_membership_read(APR_ARRAY_IDX(search.found, 0, as_found).attributes, pool, membership);
    reply->membership = membership;
    return true;
}
