/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials belong to the servers of the AuthLDAPURL beside them. Merging keeps each credential with its home: that
 * URL, and the kind of configuration that has it. A credential may be used if its home matches the URL in force. The
 * comparison comes last because httpd merges sections in any grouping (directories first, locations among themselves,
 * then both), and the result must not depend on that.
 */
#include "config.h"

#include <apr_strings.h>
#include <util_cfgtree.h>

#include <mod_auth.h>

#include "authstatus/require_line.h"

/* ---- merging ---- */

/* Returns the home of a credential in a section that was read: the section's own URL. */
static as_home find_home(const as_section *section, as_credential which)
{
    const as_home read = {section->url, section->written};

    return section->merged ? section->homes[which] : read;
}

/* Returns the home of a credential within an outer section: without a URL of its own, that in force around it. */
static as_home find_home_within(const as_section *section, as_credential which, const as_section *outer)
{
    as_home home = find_home(section, which);

    home.url = home.url ? home.url : outer->url;
    return home;
}

void as_credentials_merge(as_section *merged, const as_section *outer, const as_section *inner)
{
#define AS_MEMBER(type, name, unset, identity)                                                                         \
    AS_CREDENTIALS_##identity(merged->homes[AS_CREDENTIAL_##name] =                                                    \
                                  inner->name == unset ? find_home(outer, AS_CREDENTIAL_##name)                        \
                                                       : find_home_within(inner, AS_CREDENTIAL_##name, outer);)
#include "section.def"
    merged->merged = true;
}

/* ---- usable credentials ---- */

static as_security find_security(const as_url *url, const as_server *server)
{
    return url->security_is_default && server->trusted_mode != AS_UNSET ? (as_security)server->trusted_mode
                                                                        : url->parsed.security;
}

/* Compares servers and ports, in any order, and the TLS mode. */
static bool has_same_servers(const as_url *one, const as_url *other, const as_server *server)
{
    return one == other || (find_security(one, server) == find_security(other, server) &&
                            as_directory_has_same_servers(&one->parsed, &other->parsed));
}

/* Returns whether a credential may be used: those of the server's configuration are never sent to servers of
 * .htaccess or of an alias. */
static bool is_usable(const as_home *home, const as_url *url, const as_server *server, bool alias)
{
    const as_written needed = alias ? AS_WRITTEN_ALIAS : url->written;

    return home->url && (needed == AS_WRITTEN_SERVER || home->written == needed) &&
           has_same_servers(home->url, url, server);
}

/* Candidates while credentials are chosen. */
typedef struct as_candidates {
    as_home homes[AS_CREDENTIAL_COUNT];
    bool usable[AS_CREDENTIAL_COUNT];
} as_candidates;

/* Credentials that form one identity. */
typedef enum as_group { ACCOUNT, CERTIFICATE, BIND } as_group;

static const as_group groups[] = {
#define AS_GROUP_OF_POLICY
#define AS_GROUP_OF_DIRECTORY
#define AS_GROUP_OF_ACCOUNT ACCOUNT,
#define AS_GROUP_OF_CERTIFICATE CERTIFICATE,
#define AS_GROUP_OF_BIND BIND,
#define AS_MEMBER(type, name, unset, identity) AS_GROUP_##identity
#include "section.def"
};

/* Returns whether the credentials of one identity come from one kind of configuration: .htaccess cannot complete a
 * DN or a password of the server's. */
static bool is_complete(const as_candidates *candidates, as_credential which)
{
    int i;

    for (i = 0; i < AS_CREDENTIAL_COUNT && groups[which] != BIND; i++) {
        if (candidates->usable[i] && groups[i] == groups[which] &&
            candidates->homes[i].written > candidates->homes[which].written) {
            return false;
        }
    }
    return candidates->usable[which];
}

/* Returns whether an alias of mod_authn_core or mod_authz_core runs for this request: mod_auth_basic, mod_auth_form and
 * mod_authz_core set its name for as long as it runs. */
static bool runs_alias(const request_rec *r)
{
    const char *login = r ? apr_table_get(r->notes, AUTHN_PROVIDER_NAME_NOTE) : NULL;
    const char *line = r ? apr_table_get(r->notes, AUTHZ_PROVIDER_NAME_NOTE) : NULL;

    as_requirement_kind kind;

    return (login && strcmp(login, AS_PROVIDER) != 0) || (line && !as_require_find_by_name(line, &kind));
}

as_credentials as_section_get_credentials(const as_section *section, const as_server *server, const request_rec *r)
{
    const bool alias = runs_alias(r);
    as_candidates candidates;
    as_credentials credentials;

#define AS_MEMBER(type, name, unset, identity)                                                                         \
    AS_CREDENTIALS_##identity(candidates.homes[AS_CREDENTIAL_##name] = find_home(section, AS_CREDENTIAL_##name);       \
                              candidates.usable[AS_CREDENTIAL_##name] =                                                \
                                  section->url && section->name != unset &&                                            \
                                  is_usable(&candidates.homes[AS_CREDENTIAL_##name], section->url, server, alias);)
#include "section.def"
#define AS_MEMBER(type, name, unset, identity)                                                                         \
    AS_CREDENTIALS_##identity(credentials.name =                                                                       \
                                  is_complete(&candidates, AS_CREDENTIAL_##name) ? section->name : unset;)
#include "section.def"
    return credentials;
}

bool as_credentials_are_of_htaccess(const as_section *section)
{
    return find_home(section, AS_CREDENTIAL_bind_dn).written == AS_WRITTEN_HTACCESS;
}

const char *as_credentials_explain_left_out(apr_pool_t *pool, const as_section *section,
                                            const as_credentials *credentials)
{
    static const char *const directives[] = {[ACCOUNT] = "AuthLDAPBindDN and AuthLDAPBindPassword",
                                             [CERTIFICATE] = "LDAPTrustedClientCert",
                                             [BIND] = "AuthLDAPInitialBindAsUser and AuthLDAPInitialBindPattern"};
    bool left_out[] = {false, false, false};
    const char *text = "";
    int i;

#define AS_MEMBER(type, name, unset, identity)                                                                         \
    AS_CREDENTIALS_##identity(left_out[groups[AS_CREDENTIAL_##name]] |= section->name != credentials->name;)
#include "section.def"
    for (i = ACCOUNT; i <= BIND; i++) {
        if (left_out[i]) {
            text = apr_pstrcat(pool, text, *text ? ", " : "", directives[i], NULL);
        }
    }
    return text;
}
