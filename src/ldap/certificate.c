/* SPDX-License-Identifier: Apache-2.0
 *
 * Explains for the log why a server's certificate was refused. libldap over GnuTLS reports "(unknown error code)" for
 * every reason, and over OpenSSL an OpenSSL error number, so the certificate is fetched again on a connection that
 * does not verify and sends nothing, and is examined. The result is cached for a minute for queries that fail
 * meanwhile.
 */
#include "ldap_private.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#define KEPT_FOR (60 * AS_MONO_SECOND)
#define MAX_NAME 256

/* Returns what was written to a BIO; "" for nothing, of which there is no address. */
static const char *read_text(BIO *bio, apr_pool_t *pool)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    return length > 0 ? apr_pstrmemdup(pool, data, (apr_size_t)(length < MAX_NAME ? length : MAX_NAME)) : "";
}

/* Returns a name as text. RFC 2253 escapes unprintable characters. Where subjectAltName has all names, the subject may
 * be empty (RFC 5280 4.1.2.6). */
static const char *format_name(const X509_NAME *name, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "?";

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        text = read_text(bio, pool);
    }
    BIO_free(bio);
    return *text ? text : "no name";
}

static const char *format_date(const ASN1_TIME *date, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "?";

    if (bio && ASN1_TIME_print(bio, date) == 1) {
        text = read_text(bio, pool);
    }
    BIO_free(bio);
    return text;
}

/* ---- the names in the certificate ---- */

#define MAX_NAMES 8

static const char *format_general_name(const GENERAL_NAME *name, apr_pool_t *pool)
{
    char address[INET6_ADDRSTRLEN] = "";
    const ASN1_STRING *octets;
    char *text;
    size_t i, length;

    if (name->type == GEN_IPADD) {
        octets = name->d.iPAddress;
        if (ASN1_STRING_length(octets) != 4 && ASN1_STRING_length(octets) != 16) {
            return NULL;
        }
        inet_ntop(ASN1_STRING_length(octets) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(octets), address,
                  sizeof(address));
        return apr_pstrdup(pool, address);
    }
    if (name->type != GEN_DNS) {
        return NULL;
    }
    octets = name->d.dNSName;
    length = ASN1_STRING_length(octets) > 0 ? (size_t)ASN1_STRING_length(octets) : 0;
    text = apr_pstrmemdup(pool, (const char *)ASN1_STRING_get0_data(octets), length < MAX_NAME ? length : MAX_NAME);
    for (i = 0; text[i]; i++) {
        text[i] = text[i] > ' ' && text[i] < 0x7f ? text[i] : '?';
    }
    return text;
}

/* Returns the hosts of the certificate: subjectAltName (RFC 6125 6.4.4). */
static const char *list_names(X509 *certificate, apr_pool_t *pool)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const char *text = NULL, *name;
    int i, shown = 0;

    for (i = 0; i < sk_GENERAL_NAME_num(names) && shown < MAX_NAMES; i++) {
        name = format_general_name(sk_GENERAL_NAME_value(names, i), pool);
        if (name) {
            text = text ? apr_pstrcat(pool, text, ", ", name, NULL) : name;
            shown++;
        }
    }
    GENERAL_NAMES_free(names);
    return text ? text : "no host";
}

static bool is_for(X509 *certificate, const char *host)
{
    return X509_check_host(certificate, host, 0, 0, NULL) == 1 || X509_check_ip_asc(certificate, host, 0) == 1;
}

/* Returns this machine's own host name, which libldap compares in place of "localhost". */
static const char *get_own_name(apr_pool_t *pool)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;
    char name[MAX_NAME] = "";
    const char *own;

    if (gethostname(name, sizeof(name) - 1) != 0) {
        return "localhost";
    }
    own = getaddrinfo(name, NULL, &hints, &found) == 0 && found && found->ai_canonname
              ? apr_pstrdup(pool, found->ai_canonname)
              : apr_pstrdup(pool, name);
    if (found) {
        freeaddrinfo(found);
    }
    return own;
}

static const char *find_name_fault(X509 *certificate, const char *host, apr_pool_t *pool)
{
    const char *own;

    if (strcasecmp(host, "localhost") != 0) {
        return is_for(certificate, host)
                   ? NULL
                   : apr_psprintf(pool, "does not name %s, but %s", host, list_names(certificate, pool));
    }
    own = get_own_name(pool);
    return is_for(certificate, own)
               ? NULL
               : apr_psprintf(pool, "does not name %s, which libldap compares in place of localhost, but %s", own,
                              list_names(certificate, pool));
}

/* ---- the issuer ---- */

/* Returns OpenSSL's flags for ldap.conf's TLS_CRLCHECK; OpenSSL finds the lists among the authorities. 0: no check. */
static unsigned long find_crl_flags(void)
{
    switch (as_tls_get_default_number(LDAP_OPT_X_TLS_CRLCHECK)) {
    case LDAP_OPT_X_TLS_CRL_PEER:
        return X509_V_FLAG_CRL_CHECK;
    case LDAP_OPT_X_TLS_CRL_ALL:
        return X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    default:
        return 0;
    }
}

/* Makes a store of the CA certificates of these settings, and of ldap.conf's revocation list. NULL without memory. */
static X509_STORE *make_store(const as_directory_settings *settings)
{
    const bool own = settings->ca_file || settings->ca_directory;
    const char *file = own ? settings->ca_file : as_tls_get_default_file(LDAP_OPT_X_TLS_CACERTFILE);
    const char *directory = own ? settings->ca_directory : as_tls_get_default_file(LDAP_OPT_X_TLS_CACERTDIR);
    const char *revoked = as_tls_get_default_file(LDAP_OPT_X_TLS_CRLFILE);
    const unsigned long check = find_crl_flags();
    X509_STORE *store = X509_STORE_new();
    X509_LOOKUP *lookup;

    if (store && (file || directory)) {
        X509_STORE_load_locations(store, file, directory);
    }
    lookup = store && revoked ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;
    if (lookup && X509_load_crl_file(lookup, revoked, X509_FILETYPE_PEM) > 0) {
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    if (store && check) {
        X509_STORE_set_flags(store, check);
    }
    return store;
}

static const char *list_authorities(const as_directory_settings *settings)
{
    if (settings->ca_file) {
        return settings->ca_file;
    }
    return settings->ca_directory ? settings->ca_directory : "ldap.conf's TLS_CACERT";
}

static const char *make_sentence(int error, const as_directory_settings *settings, apr_pool_t *pool)
{
    switch (error) {
    case X509_V_OK:
    case X509_V_ERR_CERT_HAS_EXPIRED: /* reported by its date */
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return NULL;
    case X509_V_ERR_UNABLE_TO_GET_CRL: /* with TLS_CRLFILE it concerns another authority */
        return find_crl_flags() ? apr_pstrcat(pool, "cannot be checked for TLS_CRLCHECK: its authority has no list in ",
                                              list_authorities(settings), NULL)
                                : NULL;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return apr_pstrcat(pool, "is not signed by an authority in ", list_authorities(settings), NULL);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return apr_pstrcat(pool, "is self-signed, and not trusted by itself in ", list_authorities(settings), NULL);
    case X509_V_ERR_CERT_REVOKED:
        return "is revoked";
    default:
        return apr_pstrcat(pool, "is not taken: ", X509_verify_cert_error_string(error), NULL);
    }
}

static const char *find_trust_fault(X509 *certificate, const as_directory_settings *settings, apr_pool_t *pool)
{
    X509_STORE *store = make_store(settings);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int error = X509_V_OK;

    if (store && context && X509_STORE_CTX_init(context, store, certificate, NULL) == 1) {
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
        if (X509_verify_cert(context) != 1) {
            error = X509_STORE_CTX_get_error(context);
        }
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return make_sentence(error, settings, pool);
}

/* ---- the explanation ---- */

static const char *find_date_fault(X509 *certificate, apr_pool_t *pool)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        return apr_pstrcat(pool, "expired on ", format_date(X509_get0_notAfter(certificate), pool), NULL);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        return apr_pstrcat(pool, "is not valid before ", format_date(X509_get0_notBefore(certificate), pool), NULL);
    }
    return NULL;
}

/* Returns all faults of the certificate, as the end of a sentence. */
static const char *find_faults(X509 *certificate, const as_session *session, apr_pool_t *pool)
{
    const as_directory_settings *settings = session->peer->directory->settings;
    const char *faults[] = {find_date_fault(certificate, pool),
                            find_name_fault(certificate, session->peer->address->host, pool),
                            find_trust_fault(certificate, settings, pool)};
    const char *text = NULL;
    size_t i;

    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        if (faults[i]) {
            text = text ? apr_pstrcat(pool, text, "; it ", faults[i], NULL) : faults[i];
        }
    }
    return text ? text : "is not taken by the TLS library: its chain may lack a certificate, or it may be revoked";
}

/* Returns a sentence about a certificate; NULL: OpenSSL does not take it for one. Leaves no error of OpenSSL's: they
 * are the thread's, and another module would take them for its own. */
static const char *look_at(const struct berval *der, const as_session *session, apr_pool_t *pool)
{
    const unsigned char *bytes = (const unsigned char *)der->bv_val;
    X509 *certificate = d2i_X509(NULL, &bytes, (long)der->bv_len);
    const char *sentence = NULL;

    if (certificate) {
        sentence =
            apr_pstrcat(pool, "the server's certificate for ", format_name(X509_get_subject_name(certificate), pool),
                        ", issued by ", format_name(X509_get_issuer_name(certificate), pool), ", ",
                        find_faults(certificate, session, pool), NULL);
        X509_free(certificate);
    }
    ERR_clear_error();
    return sentence;
}

static const char *fetch(const as_session *failed, as_mono deadline, apr_pool_t *pool)
{
    const as_peer *peer = failed->peer;
    as_directory_settings *settings = apr_pmemdup(pool, peer->directory->settings, sizeof(*settings));
    struct berval der = {0, NULL};
    const char *sentence = NULL;
    as_session *session;
    as_reply reply;

    as_reply_clear(&reply);
    settings->verify_certificate = false;
    /* An unverified server gets no client certificate. */
    settings->client_certificate = settings->client_key = NULL;
    session = as_session_create_aside(peer->directory, settings, peer->address, pool);
    session->unobserved = true;
    session->peer->directory->tls = NULL; /* a context that does not verify must not be shared */
    if (as_session_open(session, deadline, pool, &reply) &&
        ldap_get_option(session->ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
        sentence = look_at(&der, failed, pool);
        ldap_memfree(der.bv_val);
    }
    as_session_close(session);
    return sentence;
}

/* Returns the fault of the certificate that a session refused, or NULL; cached for a while. */
static const char *find_fault(const as_session *failed, as_mono deadline, apr_pool_t *pool)
{
    as_peer *peer = failed->peer;
    const char *sentence = NULL;

    if (!peer->mutex) {
        return NULL;
    }
    apr_thread_mutex_lock(peer->mutex);
    if (peer->fault[0] && as_mono_read() < peer->fault_until) {
        sentence = apr_pstrdup(pool, peer->fault);
    }
    apr_thread_mutex_unlock(peer->mutex);
    if (sentence) {
        return sentence;
    }
    sentence = fetch(failed, deadline, pool);
    if (sentence) {
        apr_thread_mutex_lock(peer->mutex);
        apr_cpystrn(peer->fault, sentence, sizeof(peer->fault));
        peer->fault_until = as_mono_read() + KEPT_FOR;
        apr_thread_mutex_unlock(peer->mutex);
    }
    return sentence;
}

void as_certificate_explain(as_session *failed, as_mono deadline, apr_pool_t *pool, as_reply *reply)
{
    const char *fault;

    if (!failed->refused) {
        return;
    }
    fault = find_fault(failed, deadline, pool);
    if (fault) {
        reply->reason = strcmp(reply->reason, AS_CERTIFICATE_REFUSED) != 0
                            ? apr_pstrcat(pool, fault, " (", reply->reason, ")", NULL)
                            : fault;
    }
    as_trace(failed, AS_STEP_TLS, NULL, failed->secured, reply, pool);
}
