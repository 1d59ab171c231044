/* SPDX-License-Identifier: Apache-2.0
 *
 * Setters for directives of mod_authnz_ldap and mod_ldap. They have the contexts and the meaning of httpd's manual;
 * where those modules are loaded too, httpd passes each directive to both.
 */
#include "arguments.h"

#include "secret.h"

#include <ldap.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <util_cfgtree.h>

const as_word_slot as_deref_slot = {offsetof(as_section, deref),
                                    {{"never", LDAP_DEREF_NEVER},
                                     {"off", LDAP_DEREF_NEVER},
                                     {"searching", LDAP_DEREF_SEARCHING},
                                     {"finding", LDAP_DEREF_FINDING},
                                     {"always", LDAP_DEREF_ALWAYS},
                                     {"on", LDAP_DEREF_ALWAYS},
                                     {NULL, 0}}};

const as_word_slot as_referrals_slot = {
    offsetof(as_section, referrals),
    {{"On", AS_REFERRALS_ON}, {"Off", AS_REFERRALS_OFF}, {"default", AS_REFERRALS_DEFAULT}, {NULL, 0}}};

const as_word_slot as_trusted_mode_slot = {offsetof(as_server, trusted_mode),
                                           {{"NONE", AS_SECURITY_NONE},
                                            {"SSL", AS_SECURITY_SSL},
                                            {"TLS", AS_SECURITY_STARTTLS},
                                            {"STARTTLS", AS_SECURITY_STARTTLS},
                                            {NULL, 0}}};

/* mod_ldap's timeouts: a bare number of seconds. */
const char *as_set_server_seconds(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);
    apr_interval_time_t *interval = (apr_interval_time_t *)((char *)server + (size_t)cmd->info);
    int seconds = 0;

    (void)section;
    if (!error) {
        error = as_argument_read_number(cmd, text, 0, APR_INT32_MAX, &seconds);
    }
    if (!error) {
        *interval = apr_time_from_sec(seconds);
    }
    return error;
}

#define LONGEST_TTL (366 * 86400)

const char *as_set_pool_ttl(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server = ap_get_module_config(cmd->server->module_config, &authstatus_module);
    const char *error;

    (void)section;
    if (!strcmp(text, "-1")) {
        server->session_ttl = -1;
        return NULL;
    }
    error = as_argument_read_long_time(cmd, text, 0, apr_time_from_sec(LONGEST_TTL), &server->session_ttl);
    return error ? apr_pstrcat(cmd->temp_pool, error, ", or -1 for ever", NULL) : NULL;
}

/* ---- the directory ---- */

/* Of the configuration being read: mod_authn_core and mod_authz_core do not export them. */
static apr_array_header_t *aliases;

static apr_status_t forget_aliases(void *nothing)
{
    (void)nothing;
    aliases = NULL;
    return APR_SUCCESS;
}

static void add_alias(const cmd_parms *cmd, as_section *section, const ap_directive_t *directive)
{
    as_alias *alias;

    if (!aliases) {
        aliases = apr_array_make(cmd->pool, 4, sizeof(as_alias));
        apr_pool_cleanup_register(cmd->pool, NULL, forget_aliases, apr_pool_cleanup_null);
    }
    if (aliases->nelts == 0 || APR_ARRAY_IDX(aliases, aliases->nelts - 1, as_alias).section != section) {
        alias = apr_array_push(aliases);
        alias->section = section;
        alias->directive = directive;
    }
}

const apr_array_header_t *as_aliases_get(void)
{
    return aliases;
}

/* Notes that a section is that of an alias when it gets a URL or a credential: an alias inherits no credentials from
 * the section that uses it. */
static void note_writer(const cmd_parms *cmd, as_section *section)
{
    const ap_directive_t *outer;

    for (outer = cmd->directive ? cmd->directive->parent : NULL; outer; outer = outer->parent) {
        if (!ap_cstr_casecmp(outer->directive, "<AuthnProviderAlias") ||
            !ap_cstr_casecmp(outer->directive, "<AuthzProviderAlias")) {
            section->written = AS_WRITTEN_ALIAS;
            add_alias(cmd, section, outer);
        }
    }
}

const char *as_set_url(cmd_parms *cmd, void *into, const char *text, const char *mode)
{
    as_section *section = into;
    as_url *url = apr_pcalloc(cmd->pool, sizeof(*url));
    const char *error = as_argument_check_quotes(cmd, text);

    if (error) {
        return error;
    }
    error = as_directory_parse_url(cmd->pool, text, mode, &url->parsed);
    if (error) {
        return apr_psprintf(cmd->temp_pool, "%s: %s", cmd->cmd->name, error);
    }
    note_writer(cmd, section);
    url->security_is_default = !mode && url->parsed.security == AS_SECURITY_NONE;
    url->written = section->written;
    url->parsed.of_htaccess = url->written == AS_WRITTEN_HTACCESS;
    if (!url->parsed.of_htaccess) {
        as_configured_add(cmd->pool, &url->parsed);
    }
    url->text = text;
    section->url = url;
    return NULL;
}

const char *as_set_bind_dn(cmd_parms *cmd, void *into, const char *text)
{
    as_section *section = into;
    const char *error;

    note_writer(cmd, section);
    section->bind_dn = text;
    error = as_argument_check_quotes(cmd, text);
    return error ? error : as_argument_check_utf8(cmd, text);
}

const char *as_set_remote_user_attribute(cmd_parms *cmd, void *section, const char *text)
{
    ((as_section *)section)->remote_user_attribute = text;
    return as_attribute_is_name(text)
               ? NULL
               : apr_psprintf(cmd->temp_pool,
                              "%s: %s is not the name of one attribute; use letters, digits and hyphens, or an OID",
                              cmd->cmd->name, as_argument_quote(cmd, text));
}

const char *as_set_authorize_prefix(cmd_parms *cmd, void *section, const char *text)
{
    const char *at = text;

    while (apr_isgraph(*at) && *at != '=') {
        at++;
    }
    ((as_section *)section)->authorize_prefix = text;
    return *at ? apr_psprintf(cmd->temp_pool,
                              "%s: %s cannot begin the name of a variable; use letters, digits and underscores",
                              cmd->cmd->name, as_argument_quote(cmd, text))
               : NULL;
}

const char *as_set_flag(cmd_parms *cmd, void *section, int on)
{
    note_writer(cmd, section);
    return ap_set_flag_slot(cmd, section, on);
}

const char *as_set_referrals(cmd_parms *cmd, void *into, const char *word)
{
    as_section *section = into;

    section->referrals_written = section->written;
    return as_set_word(cmd, section, word);
}

const char *as_set_bind_password(cmd_parms *cmd, void *into, const char *text)
{
    as_section *section = into;
    const bool program = !strncmp(text, "exec:", 5), file = !strncmp(text, "file:", 5);
    const char *error = NULL;
    char *password = NULL;

    note_writer(cmd, section);
    if ((program || file) && ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        /* Its author could run programs as httpd's user, and send httpd's files elsewhere. */
        error = apr_psprintf(cmd->temp_pool, "%.5s cannot be used in .htaccess", text);
    } else if (program) {
        error = as_secret_read_program(cmd, text + 5, &password);
    } else if (file) {
        error = as_secret_read_file(cmd, text + 5, &password);
    }
    section->bind_password = password ? password : text;
    if (!error && !*section->bind_password) {
        error = "an empty password is not taken: a bind with it proves nothing";
    }
    return error ? apr_psprintf(cmd->temp_pool, "%s: %s", cmd->cmd->name, error) : NULL;
}

/* Returns the first $1 to $9 of a substitution that is beyond the groups of its expression, 0 for none: it stands for
 * nothing, and every user would bind with one name. */
static int find_missing_group(const char *name, size_t groups)
{
    for (; *name; name++) {
        if (*name == '\\' && name[1]) {
            name++;
        } else if (*name == '$' && apr_isdigit(name[1]) && (size_t)(name[1] - '0') > groups) {
            return name[1] - '0';
        }
    }
    return 0;
}

const char *as_set_bind_pattern(cmd_parms *cmd, void *into, const char *pattern, const char *name)
{
    as_section *section = into;
    ap_regex_t *regex = ap_pregcomp(cmd->pool, pattern, AP_REG_EXTENDED);
    int missing;

    note_writer(cmd, section);
    section->initial_bind_regex = regex;
    section->initial_bind_name = name;
    if (!regex) {
        return apr_psprintf(cmd->temp_pool, "%s: %s is not a regular expression", cmd->cmd->name,
                            as_argument_quote(cmd, pattern));
    }
    missing = find_missing_group(name, regex->re_nsub);
    if (missing) {
        return apr_psprintf(cmd->temp_pool, "%s: %s has no group for $%d; put what it is to keep in parentheses: (.+)",
                            cmd->cmd->name, as_argument_quote(cmd, pattern), missing);
    }
    return as_argument_check_utf8(cmd, name);
}

/* ---- certificates ---- */

typedef enum as_pem { AS_PEM_CA, AS_PEM_CERTIFICATE, AS_PEM_KEY } as_pem;

static const as_word pem_words[] = {
    {"CA_BASE64", AS_PEM_CA}, {"CERT_BASE64", AS_PEM_CERTIFICATE}, {"KEY_BASE64", AS_PEM_KEY}, {NULL, 0}};
/* A CA is the whole server's. */
static const as_word *const client_words = pem_words + 1;

static bool holds_pem(const char *path, as_pem kind)
{
    BIO *file = BIO_new_file(path, "r");
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;

    if (file && kind == AS_PEM_KEY) {
        key = PEM_read_bio_PrivateKey(file, NULL, NULL, (void *)"");
    } else if (file) {
        certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(file);
    ERR_clear_error();
    return key || certificate;
}

typedef struct as_pem_file {
    int kind; /* as_pem */
    const char *path;
} as_pem_file;

/* Parses a type word and a file of mod_ldap's certificate directives. Returns NULL and *pem, or a sentence. OpenLDAP
 * reads only PEM files and keys without a passphrase. */
static const char *parse_pem(cmd_parms *cmd, const as_word *words, const char *type, const char *file,
                             const char *passphrase, as_pem_file *pem)
{
    const char *error, *of = ap_strchr_c(type, '_');
    apr_finfo_t info = {.filetype = APR_NOFILE};
    apr_status_t found = APR_EINVAL;
    char reason[120];

    if (of && !ap_cstr_casecmp(of, "_DER")) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: OpenLDAP reads PEM files alone; convert it (openssl %s -inform DER -in \"%s\" -out "
                            "FILE.pem) and write %.*s_BASE64 with that file",
                            cmd->cmd->name, ap_cstr_casecmpn(type, "KEY", 3) ? "x509" : "pkey", file, (int)(of - type),
                            type);
    }
    error = as_argument_read_word(cmd, words, type, &pem->kind);
    if (error) {
        return error;
    }
    if (passphrase) {
        return apr_psprintf(cmd->temp_pool, "%s: OpenLDAP takes no passphrase; use a key file without one",
                            cmd->cmd->name);
    }
    pem->path = ap_server_root_relative(cmd->pool, file);
    if (pem->path) {
        found = apr_stat(&info, pem->path, APR_FINFO_TYPE, cmd->temp_pool);
    }
    if (found != APR_SUCCESS && found != APR_INCOMPLETE) {
        return apr_psprintf(cmd->temp_pool, "%s: the file %s cannot be read: %s", cmd->cmd->name,
                            as_argument_quote(cmd, file), apr_strerror(found, reason, sizeof(reason)));
    }
    if (info.filetype == APR_DIR) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: \"%s\" is a directory; name a file that holds all certificates (cat %s/*.pem > "
                            "FILE.pem)",
                            cmd->cmd->name, file, file);
    }
    if (info.filetype != APR_REG) { /* reading a device or a FIFO may never end */
        return apr_psprintf(cmd->temp_pool, "%s: %s is no plain file", cmd->cmd->name, as_argument_quote(cmd, file));
    }
    if (!holds_pem(pem->path, (as_pem)pem->kind)) {
        return apr_psprintf(cmd->temp_pool, "%s: the file %s cannot be read as a PEM %s", cmd->cmd->name,
                            as_argument_quote(cmd, file), pem->kind == AS_PEM_KEY ? "key" : "certificate");
    }
    return NULL;
}

const char *as_set_global_cert(cmd_parms *cmd, void *section, const char *type, const char *file,
                               const char *passphrase)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);
    as_pem_file pem = {.kind = AS_PEM_CA};

    (void)section;
    if (!error) {
        error = parse_pem(cmd, pem_words, type, file, passphrase, &pem);
    }
    if (error) {
        return error;
    }
    switch ((as_pem)pem.kind) {
    case AS_PEM_CA:
        server->ca_file = pem.path;
        break;
    case AS_PEM_CERTIFICATE:
        server->client_certificate = pem.path;
        break;
    case AS_PEM_KEY:
        server->client_key = pem.path;
        break;
    }
    return NULL;
}

const char *as_set_client_cert(cmd_parms *cmd, void *into, const char *type, const char *file, const char *passphrase)
{
    as_section *section = into;
    as_pem_file pem = {.kind = AS_PEM_CERTIFICATE};
    const char *error;

    if (!ap_cstr_casecmpn(type, "CA_", 3)) {
        return apr_psprintf(cmd->temp_pool, "%s: a CA is set by LDAPTrustedGlobalCert; use CERT_BASE64 or KEY_BASE64",
                            cmd->cmd->name);
    }
    error = parse_pem(cmd, client_words, type, file, passphrase, &pem);
    if (error) {
        return error;
    }
    note_writer(cmd, section);
    *(pem.kind == AS_PEM_KEY ? &section->client_key : &section->client_certificate) = pem.path;
    return NULL;
}

const char *as_set_verify(cmd_parms *cmd, void *section, int on)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);

    (void)section;
    if (!error) {
        server->verify_certificate = on;
    }
    return error;
}
