/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of `Require ldap-*` as text: their names, and what their arguments ask for. The syntax is mod_authnz_ldap's.
 *
 * Pure but for the pool. Any thread.
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

/* "ldap-group" and the like; static. */
const char *as_require_name(as_requirement_kind kind);
/* Finds a kind by its name, in any case. False where there is none. */
bool as_require_by_name(const char *name, as_requirement_kind *kind);

/* Reads the arguments of a line as httpd hands them over, expressions evaluated. Whatever they are: call
 * as_requirement_problem for what is wrong with them. Allocated from `pool`. */
void as_requirement_parse(apr_pool_t *pool, as_requirement_kind kind, const char *text, as_requirement *requirement);

#endif
