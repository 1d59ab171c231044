/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS of a directory's sessions. All options are set on handles of our own: libldap's global ones belong to the other
 * modules that use it in this process (mod_ldap, PHP).
 *
 * A context (the CA certificates, parsed; the client certificate) is dear, so a directory has one for all its sessions.
 * libldap hands it from one handle to another by pointer, but LDAP_OPT_X_TLS_CTX, which returns the pointer, adds
 * a reference that nothing can drop. The connect callback gets the pointer without one. So the handle that keeps the
 * context starts a handshake on a wire without a peer.
 */
#include "ldap_private.h"

#include <string.h>

#include <openldap.h>
#include <openssl/err.h>

#include <apr_strings.h>

bool as_tls_initialize(void)
{
    LDAP *ld = NULL;
    int client = 0;

    if (ldap_initialize(&ld, NULL) != LDAP_SUCCESS) {
        return false;
    }
    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
    ldap_unbind_ext(ld, NULL, NULL);
    return true;
}

apr_status_t as_tls_create(as_tls *tls, apr_pool_t *pool)
{
    tls->nowhere.fd = -1;
    return apr_thread_mutex_create(&tls->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
}

static void drop_keeper(as_tls *tls)
{
    if (tls->keeper) {
        ldap_unbind_ext(tls->keeper, NULL, NULL);
        tls->keeper = NULL;
        tls->context = NULL;
    }
}

void as_tls_destroy(as_tls *tls)
{
    drop_keeper(tls);
}

static bool set_text(LDAP *ld, int option, const char *value)
{
    return !value || ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS;
}

/* Sets the CA certificates: not needed without verification. */
static bool set_authorities(LDAP *ld, const as_directory_settings *settings)
{
    if (!settings->verify_certificate) {
        return true;
    }
    if (!settings->ca_file && !settings->ca_directory) {
        return as_tls_set_default_authorities(ld);
    }
    return set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, settings->ca_file) &&
           set_text(ld, LDAP_OPT_X_TLS_CACERTDIR, settings->ca_directory);
}

static bool set_files(LDAP *ld, const as_directory_settings *settings)
{
    const char *key = settings->client_key ? settings->client_key : settings->client_certificate;

    return as_tls_set_default_numbers(ld) && as_tls_set_default_files(ld) && set_authorities(ld, settings) &&
           set_text(ld, LDAP_OPT_X_TLS_CERTFILE, settings->client_certificate) &&
           set_text(ld, LDAP_OPT_X_TLS_KEYFILE, key);
}

/* Makes a context of this handle's own. */
static bool make_context(LDAP *ld, const as_directory_settings *settings)
{
    int verify = settings->verify_certificate ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    int client = 0;

    return ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &verify) == LDAP_OPT_SUCCESS && set_files(ld, settings) &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static void note_context(struct ldap *ld, void *connection, void *context, void *seen)
{
    (void)ld;
    (void)connection;
    *(void **)seen = context;
}

static bool open_keeper(as_tls *tls)
{
    Sockbuf *buffer = NULL;
    LDAP *ld = NULL;

    if (ldap_init_fd(-1, LDAP_PROTO_EXT, "ldap://localhost", &ld) != LDAP_SUCCESS ||
        ldap_get_option(ld, LDAP_OPT_SOCKBUF, &buffer) != LDAP_OPT_SUCCESS ||
        ber_sockbuf_add_io(buffer, &as_wire_io, LBER_SBIOD_LEVEL_PROVIDER, &tls->nowhere) != 0) {
        return false; /* no memory: a handle without a wire cannot be freed, as libldap would write to it */
    }
    tls->keeper = ld;
    return true;
}

/* Begins and ends a handshake with an empty queue of OpenSSL's errors, which each thread has for all of its code:
 * libldap over OpenSSL takes what another module left there for its own failure, and leaves its own for the others. */
static bool install_tls(LDAP *ld)
{
    bool installed;

    ERR_clear_error();
    installed = ldap_install_tls(ld) == LDAP_SUCCESS;
    ERR_clear_error();
    return installed;
}

/* Under the lock: concurrent sessions need the same context, and would make it again. */
static bool keep_context(as_tls *tls, const as_directory_settings *settings)
{
    void (*callback)(struct ldap *, void *, void *, void *) = note_context;

    if (!open_keeper(tls)) {
        return false;
    }
    if (make_context(tls->keeper, settings)) {
        ldap_set_option(tls->keeper, LDAP_OPT_X_TLS_CONNECT_CB, (void *)callback);
        ldap_set_option(tls->keeper, LDAP_OPT_X_TLS_CONNECT_ARG, &tls->context);
        install_tls(tls->keeper);
    }
    if (!tls->context) {
        drop_keeper(tls);
    }
    return tls->context != NULL;
}

static bool use_context(as_tls *tls, LDAP *ld, const as_directory_settings *settings)
{
    /* The context verifies the chain as set when it was made; the handle decides about the name. */
    int verify = settings->verify_certificate ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    bool used;

    apr_thread_mutex_lock(tls->mutex);
    used = (tls->context || keep_context(tls, settings)) && as_tls_set_default_numbers(ld) &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_CTX, tls->context) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &verify) == LDAP_OPT_SUCCESS;
    apr_thread_mutex_unlock(tls->mutex);
    return used;
}

void as_tls_prepare(as_tls *tls, const as_directory_settings *settings)
{
    apr_thread_mutex_lock(tls->mutex);
    if (!tls->context) {
        keep_context(tls, settings);
    }
    apr_thread_mutex_unlock(tls->mutex);
}

static const char *choose_text(const char *file)
{
    return file ? file : "none";
}

static const char *name_files(const as_directory_settings *settings, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "TLS cannot be set up with CA file %s, CA directory %s, client certificate %s, client key %s",
        choose_text(settings->ca_file), choose_text(settings->ca_directory), choose_text(settings->client_certificate),
        choose_text(settings->client_key ? settings->client_key : settings->client_certificate));
}

/* GnuTLS knows why it refuses a certificate; libldap drops the reason, and looks up its own number in GnuTLS's list. */
static const char *describe_error(LDAP *ld, apr_pool_t *pool)
{
    char *text = NULL;
    const char *reason = NULL;

    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    if (text && *text && strcmp(text, "(unknown error code)") != 0) {
        reason = apr_pstrmemdup(pool, text, strnlen(text, AS_MAX_TEXT));
    }
    ldap_memfree(text);
    return reason;
}

bool as_tls_start(as_tls *tls, LDAP *ld, const as_directory_settings *settings, apr_pool_t *pool, bool *began,
                  const char **reason)
{
    *reason = NULL;
    *began = false;
    if (!(tls ? use_context(tls, ld, settings) : make_context(ld, settings))) {
        *reason = name_files(settings, pool);
        return false;
    }
    *began = true;
    if (install_tls(ld)) {
        return true;
    }
    *reason = describe_error(ld, pool);
    return false;
}
