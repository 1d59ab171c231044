/* SPDX-License-Identifier: Apache-2.0
 *
 * Setters for directives of mod_authnz_ldap and mod_ldap. They keep the contexts and the meaning of httpd's manual;
 * where those modules are loaded too, httpd gives each directive to both.
 */
#include "arguments.h"

#include <ldap.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <apr_strings.h>
#include <http_core.h>

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
    const char *error = as_argument_main_server(cmd, &server);
    apr_interval_time_t *interval = (apr_interval_time_t *)((char *)server + (size_t)cmd->info);
    int seconds = 0;

    (void)section;
    if (!error) {
        error = as_argument_number(cmd, text, 0, APR_INT32_MAX, &seconds);
    }
    if (!error) {
        *interval = apr_time_from_sec(seconds);
    }
    return error;
}

const char *as_set_pool_ttl(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server = ap_get_module_config(cmd->server->module_config, &authstatus_module);

    (void)section;
    if (!strcmp(text, "-1")) {
        server->session_ttl = -1;
        return NULL;
    }
    return as_argument_time(cmd, text, 0, &server->session_ttl);
}

/* ---- the directory ---- */

const char *as_set_url(cmd_parms *cmd, void *into, const char *text, const char *mode)
{
    as_section *section = into;
    as_url *url = apr_pcalloc(cmd->pool, sizeof(*url));
    const char *error = as_directory_parse_url(cmd->pool, text, mode, &url->parsed);

    if (error) {
        return apr_psprintf(cmd->temp_pool, "%s: %s", cmd->cmd->name, error);
    }
    url->security_is_default = !mode && url->parsed.security == AS_SECURITY_NONE;
    section->url = url;
    return NULL;
}

/* A password of ours, not one that stands in the configuration, goes when the configuration does. */
static apr_status_t wipe_password(void *password)
{
    OPENSSL_cleanse(password, strlen(password));
    return APR_SUCCESS;
}

static const char *password_of_program(cmd_parms *cmd, const char *command, char **password)
{
    char **argv;

    if (apr_tokenize_to_argv(command, &argv, cmd->temp_pool) != APR_SUCCESS || !argv[0]) {
        return "no program after exec:";
    }
    argv[0] = ap_server_root_relative(cmd->temp_pool, argv[0]);
    *password = argv[0] ? ap_get_exec_line(cmd->pool, argv[0], (const char *const *)argv) : NULL;
    if (!*password) {
        return "the program after exec: gave no password";
    }
    apr_pool_cleanup_register(cmd->pool, *password, wipe_password, apr_pool_cleanup_null);
    return NULL;
}

/* The file of a password may be opened by its owner alone, who is root or the one who starts httpd: whoever else wrote
 * it could send the service account's name to the directory with a password of his. */
static bool is_private(apr_file_t *file, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_uid_t uid;
    apr_gid_t gid;

    return apr_file_info_get(&info, APR_FINFO_PROT | APR_FINFO_TYPE | APR_FINFO_OWNER, file) == APR_SUCCESS &&
           info.filetype == APR_REG && !(info.protection & ~(APR_FPROT_UREAD | APR_FPROT_UWRITE)) &&
           (info.user == 0 || (apr_uid_current(&uid, &gid, pool) == APR_SUCCESS && info.user == uid));
}

#define LONGEST_PASSWORD 1024

/* Its first line, at most LONGEST_PASSWORD octets; what follows is wiped at once. */
static const char *read_first_line(apr_file_t *file, char *line)
{
    apr_size_t length = 0, end;
    apr_status_t status = apr_file_read_full(file, line, LONGEST_PASSWORD, &length);

    line[length] = '\0';
    end = strcspn(line, "\r\n");
    OPENSSL_cleanse(line + end, LONGEST_PASSWORD + 1 - end);
    if (status != APR_SUCCESS && status != APR_EOF) {
        return "the file after file: cannot be read";
    }
    return end < LONGEST_PASSWORD ? NULL : "the first line of the file after file: is too long";
}

/* Not in .htaccess: who writes that could have httpd send its own files elsewhere. */
static const char *password_of_file(cmd_parms *cmd, const char *name, char **password)
{
    const char *path = ap_server_root_relative(cmd->temp_pool, name), *error;
    apr_file_t *file;

    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        return "file: cannot be used in .htaccess";
    }
    if (!path || apr_file_open(&file, path, APR_FOPEN_READ, 0, cmd->temp_pool) != APR_SUCCESS) {
        return "the file after file: cannot be read";
    }
    if (is_private(file, cmd->temp_pool)) {
        *password = apr_palloc(cmd->pool, LONGEST_PASSWORD + 1);
        error = read_first_line(file, *password);
        apr_pool_cleanup_register(cmd->pool, *password, wipe_password, apr_pool_cleanup_null);
    } else {
        error = "the file after file: must be a plain one that its owner alone may read, and the owner root or who "
                "starts httpd";
    }
    apr_file_close(file);
    return error;
}

const char *as_set_bind_password(cmd_parms *cmd, void *into, const char *text)
{
    as_section *section = into;
    const char *error = NULL;
    char *password = NULL;

    if (!strncmp(text, "exec:", 5)) {
        error = password_of_program(cmd, text + 5, &password);
    } else if (!strncmp(text, "file:", 5)) {
        error = password_of_file(cmd, text + 5, &password);
    }
    section->bind_password = password ? password : text;
    if (!error && !*section->bind_password) {
        error = "an empty password is not taken: a bind with it proves nothing";
    }
    return error ? apr_psprintf(cmd->temp_pool, "%s: %s", cmd->cmd->name, error) : NULL;
}

const char *as_set_bind_pattern(cmd_parms *cmd, void *into, const char *pattern, const char *name)
{
    as_section *section = into;

    section->initial_bind_regex = ap_pregcomp(cmd->pool, pattern, AP_REG_EXTENDED);
    section->initial_bind_name = name;
    return section->initial_bind_regex
               ? NULL
               : apr_psprintf(cmd->temp_pool, "%s: \"%s\" is not a regular expression", cmd->cmd->name, pattern);
}

/* ---- certificates ---- */

typedef enum as_pem { AS_PEM_CA, AS_PEM_CERTIFICATE, AS_PEM_KEY } as_pem;

static const as_word pem_words[] = {
    {"CA_BASE64", AS_PEM_CA}, {"CERT_BASE64", AS_PEM_CERTIFICATE}, {"KEY_BASE64", AS_PEM_KEY}, {NULL, 0}};

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

/* Takes a type word and a file of mod_ldap's certificate directives. NULL and *kind and *path, or a sentence. OpenLDAP
 * reads PEM files only and keys without a passphrase. */
static const char *parse_pem(cmd_parms *cmd, const char *type, const char *file, const char *passphrase, int *kind,
                             const char **path)
{
    const char *error, *of = ap_strchr_c(type, '_');
    apr_finfo_t info;

    if (of && !ap_cstr_casecmp(of, "_DER")) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: OpenLDAP reads PEM files alone; convert it (openssl %s -inform DER -in \"%s\" -out "
                            "FILE.pem) and write %.*s_BASE64 with that file",
                            cmd->cmd->name, ap_cstr_casecmpn(type, "KEY", 3) ? "x509" : "pkey", file, (int)(of - type),
                            type);
    }
    error = as_argument_word(cmd, pem_words, type, kind);
    if (error) {
        return error;
    }
    if (passphrase) {
        return apr_psprintf(cmd->temp_pool, "%s: OpenLDAP takes no passphrase; use a key file without one",
                            cmd->cmd->name);
    }
    *path = ap_server_root_relative(cmd->pool, file);
    if (*path && apr_stat(&info, *path, APR_FINFO_TYPE, cmd->temp_pool) == APR_SUCCESS && info.filetype == APR_DIR) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: \"%s\" is a directory; name a file that holds all certificates (cat %s/*.pem > "
                            "FILE.pem)",
                            cmd->cmd->name, file, file);
    }
    if (!*path || !holds_pem(*path, (as_pem)*kind)) {
        return apr_psprintf(cmd->temp_pool, "%s: the file \"%s\" cannot be read as a PEM %s", cmd->cmd->name, file,
                            *kind == AS_PEM_KEY ? "key" : "certificate");
    }
    return NULL;
}

const char *as_set_global_cert(cmd_parms *cmd, void *section, const char *type, const char *file,
                               const char *passphrase)
{
    as_server *server;
    const char *error = as_argument_main_server(cmd, &server), *path = NULL;
    int kind = AS_PEM_CA;

    (void)section;
    if (!error) {
        error = parse_pem(cmd, type, file, passphrase, &kind, &path);
    }
    if (error) {
        return error;
    }
    switch ((as_pem)kind) {
    case AS_PEM_CA:
        server->ca_file = path;
        break;
    case AS_PEM_CERTIFICATE:
        server->client_certificate = path;
        break;
    case AS_PEM_KEY:
        server->client_key = path;
        break;
    }
    return NULL;
}

const char *as_set_client_cert(cmd_parms *cmd, void *into, const char *type, const char *file, const char *passphrase)
{
    as_section *section = into;
    const char *path = NULL;
    int kind = AS_PEM_CA;
    const char *error = parse_pem(cmd, type, file, passphrase, &kind, &path);

    if (error) {
        return error;
    }
    switch ((as_pem)kind) {
    case AS_PEM_CA:
        return apr_psprintf(cmd->temp_pool, "%s: a CA is set by LDAPTrustedGlobalCert; use CERT_BASE64 or KEY_BASE64",
                            cmd->cmd->name);
    case AS_PEM_CERTIFICATE:
        section->client_certificate = path;
        break;
    case AS_PEM_KEY:
        section->client_key = path;
        break;
    }
    return NULL;
}

const char *as_set_verify(cmd_parms *cmd, void *section, int on)
{
    as_server *server;
    const char *error = as_argument_main_server(cmd, &server);

    (void)section;
    if (!error) {
        server->verify_certificate = on;
    }
    return error;
}
