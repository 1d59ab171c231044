/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS: doubts about the policy of a section.
 */
#include "dump.h"

#include <apr_strings.h>
#include <http_core.h>
#include <ldap.h>

#include "authstatus/dn.h"

static bool is_word(const char *arguments, const char *word)
{
    return arguments && !ap_cstr_casecmpn(arguments + (*arguments == '"'), word, strlen(word));
}

static void warn_of_basic(as_dump *dump)
{
    if (is_word(as_dump_argument(dump, "AuthType"), "Basic") && as_section_is_on(dump->section) &&
        !(as_dump_argument(dump, "SSLEngine") && !is_word(as_dump_argument(dump, "SSLEngine"), "off")) &&
        !is_word(as_dump_argument(dump, "GnuTLSEnable"), "on")) {
        as_dump_warn(
            dump, "Basic without TLS: no SSLEngine On is in force, so passwords can be read on their way, unless what "
                  "stands before this server speaks TLS");
    }
}

/* Returns whether a list of words, each perhaps in quotes, has this one. */
static bool has_word(apr_pool_t *pool, const char *list, const char *word)
{
    const char *one;

    while (list && *list) {
        one = ap_getword_conf(pool, &list);
        if (!ap_cstr_casecmp(one, word)) {
            return true;
        }
    }
    return false;
}

static bool is_dn(const char *text)
{
    char normal[AS_DN_MAX];
    size_t at;

    /* Active Directory also takes "<GUID=...>". */
    return *text == '<' || (strchr(text, '=') && as_dn_normalize(text, strlen(text), normal, &at));
}

/* Warns of a name that no directory takes, but for Active Directory, which has several kinds of names. */
static void warn_of_bind_name(as_dump *dump, const char *name)
{
    if (*name && !strpbrk(name, "@\\") && !is_dn(name) && as_dump_is_news(dump, name)) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "AuthLDAPBindDN \"%.100s\" is not a DN; write the whole of it: "
                                        "cn=httpd,ou=services,dc=example,dc=org (Active Directory takes "
                                        "httpd@example.org as well)",
                                        name));
    }
}

/* Warns where logins do not reach the provider of this module, or where its account cannot bind. */
static void warn_of_provider(as_dump *dump)
{
    const as_credentials credentials =
        as_section_get_credentials(dump->section, as_server_get(dump->ref->server), NULL);
    const char *providers = as_dump_argument(dump, "AuthBasicProvider");

    if (!dump->section->url || !as_section_is_on(dump->section)) {
        return;
    }
    if (is_word(as_dump_argument(dump, "AuthType"), "Basic")) {
        if (has_word(dump->pool, providers, "ldap")) {
            as_dump_warn(dump, "AuthBasicProvider ldap reports no detail: each failed login is \"denied\", an outage "
                               "too; write AuthBasicProvider authstatus");
        } else if (!providers && !as_dump_argument(dump, "AuthUserFile")) {
            as_dump_warn(dump, "there is no AuthBasicProvider, so logins do not reach AuthLDAPURL; write "
                               "AuthBasicProvider authstatus");
        }
    }
    if (credentials.bind_dn && !credentials.bind_password) {
        as_dump_warn(dump, "AuthLDAPBindDN without AuthLDAPBindPassword: the bind is anonymous, or refused (RFC 4513 "
                           "5.1.2)");
    }
    if (credentials.bind_dn) {
        warn_of_bind_name(dump, credentials.bind_dn);
    }
    if (credentials.bind_password && !credentials.bind_dn) {
        as_dump_warn(dump, "AuthLDAPBindPassword without AuthLDAPBindDN: the search is anonymous");
    }
}

#define ELSEWHERE " (unless a section of another kind, or a .htaccess file, has one)"

/* Warns where a login by this module's provider lacks what httpd needs for it. A <Directory> around a <Location>, and a
 * .htaccess file, are not known here. */
static void warn_of_sign_in(as_dump *dump)
{
    const char *type = as_dump_argument(dump, "AuthType");

    if (!has_word(dump->pool, as_dump_argument(dump, "AuthBasicProvider"), "authstatus")) {
        return;
    }
    if (type && !is_word(type, "Basic")) {
        if (as_dump_find_own(dump, "AuthBasicProvider", NULL)) {
            as_dump_warn(dump, apr_pstrcat(dump->pool, "AuthType ", type,
                                           " does not call AuthBasicProvider; write AuthType Basic", NULL));
        }
        return;
    }
    if (!type) {
        as_dump_warn(dump, "there is no AuthType, so httpd answers 500" ELSEWHERE "; write AuthType Basic");
    }
    if (!as_dump_argument(dump, "AuthName")) {
        as_dump_warn(dump, "there is no AuthName, so httpd answers 500" ELSEWHERE
                           "; write AuthName, and a name that people see");
    }
    if (!as_dump_argument(dump, "Require")) {
        as_dump_warn(dump, "there is no Require, so nobody has to sign in, and everybody comes in where a <Directory> "
                           "grants it" ELSEWHERE "; write Require valid-user");
    }
    if (!dump->section->url) {
        as_dump_warn(dump,
                     "there is no AuthLDAPURL, so each login is answered by 500, directory-misconfigured" ELSEWHERE
                     "; write AuthLDAPURL \"ldaps://ldap.example.org/base?attribute\"");
    }
}

/* ---- the directory's servers ---- */

static bool is_this_machine(const char *host)
{
    return !ap_cstr_casecmp(host, "localhost") || !strcmp(host, "::1") || !strncmp(host, "127.", 4);
}

/* Returns what is doubtful about port and TLS of a server; NULL: nothing. 3268 and 3269 are those of Active Directory's
 * global catalog. */
static const char *describe_doubt(apr_pool_t *pool, const as_ldap_server *server, as_security security)
{
    const bool is_of_ldaps = server->port == LDAPS_PORT || server->port == 3269;
    const bool is_of_ldap = server->port == LDAP_PORT || server->port == 3268;

    if (is_of_ldaps && security != AS_SECURITY_SSL) {
        return apr_psprintf(pool,
                            "port %d of %s is that of ldaps://, and this is %s: no login will work; write ldaps://",
                            server->port, server->host, security == AS_SECURITY_NONE ? "ldap://" : "StartTLS");
    }
    if (is_of_ldap && security == AS_SECURITY_SSL) {
        return apr_psprintf(pool,
                            "port %d of %s is that of ldap://, and this is ldaps: no login will work; write ldaps:// "
                            "without a port, or ldap:// and STARTTLS behind the URL",
                            server->port, server->host);
    }
    return security != AS_SECURITY_NONE || is_this_machine(server->host)
               ? NULL
               : apr_psprintf(pool,
                              "without TLS passwords can be read on their way to %s; write ldaps://, or STARTTLS "
                              "behind the URL",
                              server->host);
}

/* Warns where any certificate is accepted, once for a virtual host: the directive is the whole server's. */
static void warn_of_certificate(as_dump *dump, const as_directory_settings *settings)
{
    int i;

    for (i = 0; settings->security != AS_SECURITY_NONE && i < settings->server_count; i++) {
        if (!settings->verify_certificate && !is_this_machine(settings->servers[i].host) &&
            as_dump_is_news(dump, "LDAPVerifyServerCert")) {
            as_dump_warn(dump, apr_pstrcat(dump->pool, "LDAPVerifyServerCert Off: whoever answers in place of ",
                                           settings->servers[i].host,
                                           " gets the passwords; leave it out, and name the authority in "
                                           "LDAPTrustedGlobalCert",
                                           NULL));
        }
    }
}

/* Warns of URLs of a piece that another one of the same section replaces. Returns the last URL so far. */
static const ap_directive_t *warn_of_urls(as_dump *dump, const ap_directive_t *directive, const ap_directive_t *before)
{
    for (; directive; directive = directive->next) {
        if (ap_cstr_casecmp(directive->directive, "AuthLDAPURL") != 0) {
            continue;
        }
        if (before) {
            as_dump_warn(dump, apr_psprintf(dump->pool,
                                            "AuthLDAPURL (%s:%d) has no effect: the last one of a section counts; "
                                            "several servers stand in one, \"ldap://host1 host2/base?attribute\"",
                                            before->filename, before->line_num));
        }
        before = directive;
    }
    return before;
}

static void warn_of_second_url(as_dump *dump)
{
    const ap_directive_t *before = NULL;
    int i;

    for (i = 0; i < dump->pieces->nelts; i++) {
        before = warn_of_urls(dump, APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *)->first, before);
    }
}

/* Returns whether the directory lists a server of this name: a failure counts for all servers of a list. */
static bool has_name(const as_directory_settings *settings, const char *name, apr_pool_t *pool)
{
    int i = 0;

    while (i < settings->server_count && strcmp(as_login_name_server(&settings->servers[i], pool), name) != 0) {
        i++;
    }
    return i < settings->server_count;
}

/* Warns of a server that the configuration also names in another way, once for both names: the throttle takes them for
 * two. */
static void warn_of_second_name(as_dump *dump, const as_directory_settings *settings, const as_ldap_server *server)
{
    const as_ldap_server *all = as_configured_list_servers();
    const char *name = as_login_name_server(server, dump->pool);
    int i;

    for (i = 0; i < as_configured_get_servers(); i++) {
        const char *other = as_login_name_server(&all[i], dump->pool);
        const bool is_first = strcmp(name, other) < 0;
        const char *both = apr_pstrcat(dump->pool, is_first ? name : other, " and ", is_first ? other : name, NULL);

        if (!has_name(settings, other, dump->pool) && as_dump_is_news(dump, both) &&
            as_servers_share_address(server, &all[i])) {
            as_dump_warn(dump, apr_pstrcat(dump->pool, both,
                                           " are one server, by an address of theirs: AuthStatusThrottle counts an "
                                           "account for each name; write the same name everywhere",
                                           NULL));
        }
    }
}

/* Warns of each server and base once for a virtual host. */
static void warn_of_directory(as_dump *dump)
{
    const as_directory_settings *settings = as_dump_find_directory(dump);
    int i;

    if (settings && *settings->base && !is_dn(settings->base) && as_dump_is_news(dump, settings->base)) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "the base of AuthLDAPURL, \"%.100s\", is not a DN; write the whole of it: "
                                        "ou=people,dc=example,dc=org",
                                        settings->base));
    }
    for (i = 0; settings && i < settings->server_count; i++) {
        const char *doubt = describe_doubt(dump->pool, &settings->servers[i], settings->security);

        if (doubt && as_dump_is_news(dump, doubt)) {
            as_dump_warn(dump, doubt);
        }
        if (dump->section->throttle && dump->section->throttle->failures && dump->section->throttle->by_user) {
            warn_of_second_name(dump, settings, &settings->servers[i]);
        }
    }
    if (settings) {
        warn_of_certificate(dump, settings);
    }
    warn_of_second_url(dump);
}

static bool hides_sign_in(const as_section *section)
{
    return section->mask && section->mask->word == AS_MASK_ALL;
}

/* Returns whether another section of this server prompts for the same realm. */
static bool has_doorway(as_dump *dump, const char *realm)
{
    int i;

    for (i = 0; i < dump->refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);
        const apr_array_header_t *chain = as_sections_make_chain(dump->pool, dump->refs, ref);
        const ap_directive_t *name = as_sections_find_directive(chain, "AuthName");

        if (ref != dump->ref && name && !strcmp(name->args, realm) && as_sections_find_directive(chain, "AuthType") &&
            as_sections_have_require(dump->pool, chain) && !hides_sign_in(as_sections_merge_chain(dump->pool, chain))) {
            return true;
        }
    }
    return false;
}

#define NOTHING " does nothing where AuthStatus is not On"

/* Warns of a section that sets a policy which is not in force. Servers set policies for their sections, some of which
 * are On. */
static void warn_of_policy(as_dump *dump)
{
    static const char *const names[] = {"AuthStatusMap", "AuthStatusDisclose", "AuthStatusChallenge", "AuthStatusHelp",
                                        NULL};
    const char *const *name;

    for (name = names; *name && dump->ref->kind != AS_SECTION_SERVER && !as_section_is_on(dump->section); name++) {
        if (as_dump_find_own(dump, *name, NULL)) {
            as_dump_warn(dump, apr_pstrcat(dump->pool, *name, NOTHING, NULL));
        }
    }
}

static void warn_of_mask(as_dump *dump)
{
    const ap_directive_t *document = as_dump_find_own(dump, "ErrorDocument", "404");
    const char *realm = as_dump_argument(dump, "AuthName");

    if (!dump->section->mask || dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    if (!as_section_is_on(dump->section)) {
        as_dump_warn(dump, "AuthStatusMask" NOTHING);
    }
    if (hides_sign_in(dump->section) && !dump->section->mask->when && realm && !has_doorway(dump, realm)) {
        as_dump_warn(dump,
                     apr_pstrcat(dump->pool,
                                 "a mask without a doorway: nothing here sends a challenge, and no other section of "
                                 "this server sends one for ",
                                 realm, NULL));
    }
    if (document && dump->ref->kind != AS_SECTION_SERVER) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "ErrorDocument %s (%s:%d) holds in this section alone: what is missing in it "
                                        "answers otherwise than what is masked",
                                        document->args, document->filename, document->line_num));
    }
}

/* Warns if the page for 404 of a masked answer is itself masked. */
static void warn_of_error_document(as_dump *dump)
{
    const core_dir_config *core = ap_get_core_module_config(dump->ref->vector);
    const as_section_ref *server = APR_ARRAY_IDX(dump->refs, 0, const as_section_ref *);
    const ap_directive_t *document = NULL;
    const char *arguments, *path;

    for (; server && !document; server = server->outer) {
        document = as_section_find_directive(server, "ErrorDocument", "404");
    }
    if (!document || dump->ref->kind != AS_SECTION_LOCATION || !core || core->r || !core->d || !dump->section->mask ||
        dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    arguments = document->args;
    ap_getword_conf(dump->pool, &arguments);
    path = ap_getword_conf(dump->pool, &arguments);
    if (*path == '/' && strcmp(core->d, "/") && !strncmp(path, core->d, strlen(core->d))) {
        as_dump_warn(dump, apr_pstrcat(dump->pool, "the page for 404, ", path, ", is itself in what is masked", NULL));
    }
}

static void warn_of_page(as_dump *dump)
{
    const char *handler = as_sections_find_handler(dump->pool, dump->chain);

    if (!handler) {
        return;
    }
    if (!strcmp(handler, AS_REPORT_HANDLER)) {
        as_dump_say(dump, "page", "the report (SetHandler authstatus-report)");
        if (!as_sections_have_require(dump->pool, dump->chain)) {
            as_dump_warn(dump, "nothing protects the report page, so it will not be shown; use Require");
        }
    } else if (!strcmp(handler, AS_RELOGIN_HANDLER)) {
        as_dump_say(dump, "page", "sign in as someone else (SetHandler authstatus-switch)");
        if (!as_dump_argument(dump, "AuthName")) {
            as_dump_warn(dump,
                         "authstatus-switch without AuthName, so it answers 500; write AuthName as in the sections "
                         "that users sign in to");
        }
    } else {
        as_dump_warn(dump, apr_pstrcat(dump->pool, "there is no handler ", handler,
                                       "; use SetHandler authstatus-report or authstatus-switch", NULL));
    }
}

void as_dump_warnings(as_dump *dump)
{
    warn_of_basic(dump);
    warn_of_sign_in(dump);
    as_dump_warn_of_access(dump);
    warn_of_provider(dump);
    warn_of_directory(dump);
    as_dump_warn_of_contradictions(dump);
    warn_of_policy(dump);
    warn_of_mask(dump);
    warn_of_error_document(dump);
    as_dump_warn_of_differences(dump);
    warn_of_page(dump);
}
