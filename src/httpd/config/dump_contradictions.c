/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS about directives and words that are accepted and have no effect, or another one than it seems.
 */
#include "dump.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/require_line.h"

/* ---- words of Require ---- */

/* Warns of names that a comma separates. Names with a comma and a space stand in quotes. */
static void warn_of_names(as_dump *dump, const char *name, const char *arguments)
{
    while (*arguments) {
        const char *word = ap_getword_conf(dump->pool, &arguments), *comma = strchr(word, ',');

        if (comma && comma[1] != ' ') {
            as_dump_warn(dump, apr_psprintf(dump->pool,
                                            "Require %s separates names by spaces: \"%.100s\" is one name, comma "
                                            "included",
                                            name, word));
        }
    }
}

/* Warns of pairs of ldap-attribute that no entry can have. */
static void warn_of_pairs(as_dump *dump, const char *arguments)
{
    as_requirement requirement = {.words = NULL};
    const char *const *pair;

    as_requirement_parse(dump->pool, AS_REQUIRE_ATTRIBUTE, arguments, &requirement);
    for (pair = requirement.words; *pair; pair++) {
        const char *equals = strchr(*pair, '=');
        const char *name = apr_pstrmemdup(dump->pool, *pair, equals ? (apr_size_t)(equals - *pair) : strlen(*pair));
        const size_t length = strlen(*pair);

        if (!as_attribute_is_name(name)) {
            as_dump_warn(dump, apr_psprintf(dump->pool,
                                            "\"%.100s\" is not the name of an attribute, so nobody has this value; "
                                            "write attribute=value, or attribute=\"a value\", without spaces around =",
                                            name));
        } else if ((*pair)[length - 1] == ',') {
            as_dump_warn(dump, apr_psprintf(dump->pool,
                                            "Require ldap-attribute separates pairs by spaces: the comma belongs to "
                                            "the value \"%.100s\"",
                                            equals ? equals + 1 : ""));
        }
    }
}

void as_dump_warn_of_words(as_dump *dump, const char *name, const char *arguments)
{
    if (strstr(arguments, "%{")) {
        return; /* the words are those of each request */
    }
    if (!ap_cstr_casecmp(name, "ldap-user") || !ap_cstr_casecmp(name, "user")) {
        warn_of_names(dump, name, arguments);
    } else if (!ap_cstr_casecmp(name, "ldap-attribute")) {
        warn_of_pairs(dump, arguments);
    }
}

/* ---- directives ---- */

/* Returns whether a list of attributes has one of these two. */
static bool has_one_of(const char *const *attributes, const char *one, const char *other)
{
    for (; *attributes; attributes++) {
        if (!ap_cstr_casecmp(*attributes, one) || !ap_cstr_casecmp(*attributes, other)) {
            return true;
        }
    }
    return false;
}

void as_dump_warn_of_group_attributes(as_dump *dump)
{
    const as_group_settings groups = as_section_get_groups(dump->section);
    const bool has_names = has_one_of(groups.attributes, "memberUid", "rfc822MailMember");
    const bool has_dns = has_one_of(groups.attributes, "member", "uniqueMember");

    if (groups.attribute_is_dn && has_names && !has_dns) {
        as_dump_warn(dump, "AuthLDAPGroupAttribute memberUid holds names and no DNs, so nobody is in any group; write "
                           "AuthLDAPGroupAttributeIsDN Off");
    }
    if (!groups.attribute_is_dn && has_dns && !has_names) {
        as_dump_warn(dump, "AuthLDAPGroupAttributeIsDN Off, and the attributes of AuthLDAPGroupAttribute hold DNs, so "
                           "nobody is in any group; write AuthLDAPGroupAttribute memberUid, or leave IsDN out");
    }
}

static void warn_of_credentials(as_dump *dump)
{
    const as_directory_settings *settings = as_dump_find_directory(dump);
    const as_credentials credentials =
        as_section_get_credentials(dump->section, as_server_get(dump->ref->server), NULL);

    if (settings && settings->client_key && !settings->client_certificate) {
        as_dump_warn(dump, "a client key (KEY_BASE64) without a certificate has no effect; write CERT_BASE64 and its "
                           "file as well");
    }
    if (credentials.initial_bind_regex && !as_flag_value_initial_bind_as_user(credentials.initial_bind_as_user)) {
        as_dump_warn(dump, "AuthLDAPInitialBindPattern has no effect without AuthLDAPInitialBindAsUser On");
    }
}

/* Returns whether mod_access_compat lets in every address here, as far as this section says. */
static bool is_open_to_all_addresses(as_dump *dump)
{
    const char *order = as_dump_argument(dump, "Order");

    return as_dump_find_own(dump, "Allow", "from all") ||
           (!as_dump_argument(dump, "Deny") && (!order || !ap_cstr_casecmp(order, "deny,allow")));
}

void as_dump_warn_of_contradictions(as_dump *dump)
{
    const char *satisfy = as_dump_argument(dump, "Satisfy");

    warn_of_credentials(dump);
    if (satisfy && !ap_cstr_casecmp(satisfy, "Any") && as_dump_argument(dump, "Require") &&
        is_open_to_all_addresses(dump)) {
        as_dump_warn(dump, "Satisfy Any lets in everybody without a login, as no Deny keeps an address out; leave it "
                           "out, or write Order deny,allow and Deny from all");
    }
}
