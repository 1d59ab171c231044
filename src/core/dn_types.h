/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of attribute types in distinguished names. Pure functions; any thread.
 */
#ifndef AUTHSTATUS_CORE_DN_TYPES_H
#define AUTHSTATUS_CORE_DN_TYPES_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the usual name of a type that has several (RFC 4519 2), in lower case; NULL: it has one. */
const char *as_dn_type_find(const char *text, size_t length);
/* Returns whether values of the type, by its usual name, ignore case. False for an unknown one. */
bool as_dn_type_is_caseless(const char *type, size_t length);

#endif
