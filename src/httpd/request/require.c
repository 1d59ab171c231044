/* SPDX-License-Identifier: Apache-2.0
 *
 * `Require ldap-*` are mod_authnz_ldap's. They work behind our provider, with two things that are not theirs to know:
 * the user name that was sent, where REMOTE_USER became another, and that a denial may have been an outage.
 */
#include "request.h"

#include <ap_provider.h>
#include <apr_strings.h>

/* A provider has no place for a pointer of its own, so each name has its own function. X(identifier, name) */
#define AS_LDAP_REQUIREMENTS(X)                                                                                        \
    X(user, "ldap-user")                                                                                               \
    X(dn, "ldap-dn")                                                                                                   \
    X(group, "ldap-group")                                                                                             \
    X(attribute, "ldap-attribute")                                                                                     \
    X(filter, "ldap-filter")                                                                                           \
    X(search, "ldap-search")

/* Asks mod_authnz_ldap by the name that was sent: that is the one its AuthLDAPURL finds the user's entry by. */
static authz_status check(const authz_provider *original, request_rec *r, const char *line, const void *parsed)
{
    as_context *context = as_section_is_on(as_section_of(r)) || as_context_peek(r) ? as_context_of(r) : NULL;
    char *user = r->user;
    authz_status status;

    if (context && context->login && user) {
        r->user = apr_pstrdup(r->pool, context->login);
    }
    status = original->check_authorization(r, line, parsed);
    if (context && context->login) {
        r->user = user;
    }
    if (context && status != AUTHZ_GRANTED && status != AUTHZ_DENIED_NO_USER) {
        context->ldap_denied = true;
    }
    return status;
}

#define AS_WRAP(id, name)                                                                                              \
    static const authz_provider *original_##id;                                                                        \
    static authz_status check_##id(request_rec *r, const char *line, const void *parsed)                               \
    {                                                                                                                  \
        return check(original_##id, r, line, parsed);                                                                  \
    }                                                                                                                  \
    static authz_provider wrapped_##id;
AS_LDAP_REQUIREMENTS(AS_WRAP)
#undef AS_WRAP

/* Called before the configuration is read, when all modules are loaded: `Require` looks its provider up while reading.
 */
void as_require_wrap_ldap(apr_pool_t *pconf)
{
#define AS_WRAP(id, name)                                                                                              \
    original_##id = ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION);                            \
    if (original_##id) {                                                                                               \
        wrapped_##id.check_authorization = check_##id;                                                                 \
        wrapped_##id.parse_require_line = original_##id->parse_require_line;                                           \
        ap_register_provider(pconf, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, &wrapped_##id);                \
    }
    AS_LDAP_REQUIREMENTS(AS_WRAP)
#undef AS_WRAP
}
