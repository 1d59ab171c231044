/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of `Require ldap-*` as text: their names and their arguments. The syntax is that of mod_authnz_ldap.
 *
 * Pure functions; memory comes from the pool given. Any thread.
 */
#ifndef AUTHSTATUS_REQUIRE_LINE_H
#define AUTHSTATUS_REQUIRE_LINE_H

#include "authstatus/authorize.h"

/* Each kind of line: its identifier, its name. */
#define AS_REQUIREMENT_LIST(X)                                                                                         \
    X(USER, "ldap-user")                                                                                               \
    X(GROUP, "ldap-group")                                                                                             \
    X(DN, "ldap-dn")                                                                                                   \
    X(ATTRIBUTE, "ldap-attribute")                                                                                     \
    X(FILTER, "ldap-filter")                                                                                           \
    X(SEARCH, "ldap-search")

#define AS_REQUIREMENT_COUNT (AS_REQUIRE_SEARCH + 1)

/* Returns "ldap-group" and the like; static. */
const char *as_require_get_name(as_requirement_kind kind);
/* Finds a kind by its name, in any case. Returns false if there is none. */
bool as_require_find_by_name(const char *name, as_requirement_kind *kind);

/* Parses the arguments of a line as httpd passes them, expressions evaluated. Accepts any text:
 * as_requirement_check reports errors. Allocated from `pool`. */
void as_requirement_parse(apr_pool_t *pool, as_requirement_kind kind, const char *text, as_requirement *requirement);

#endif
