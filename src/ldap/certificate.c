/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a server's certificate was not taken, for the log. libldap over GnuTLS says "(unknown error code)" for all of it,
 * so the certificate is fetched once more on a connection that does not verify, and sends nothing, and is looked at.
 * What is found is kept for a minute: the questions that fail meanwhile tell the same.
 */
#include "ldap_private.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#define KEPT_FOR (60 * AS_MONO_SECOND)
#define MAX_NAME 256

static const char *text_of(BIO *bio, apr_pool_t *pool)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    return apr_pstrmemdup(pool, data, length > 0 ? (apr_size_t)(length < MAX_NAME ? length : MAX_NAME) : 0);
}

/* RFC 2253 escapes what is not printable. */
static const char *name_of(const X509_NAME *name, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "?";

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        text = text_of(bio, pool);
    }
    BIO_free(bio);
    return text;
}

static const char *date_of(const ASN1_TIME *date, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "?";

    if (bio && ASN1_TIME_print(bio, date) == 1) {
        text = text_of(bio, pool);
    }
    BIO_free(bio);
    return text;
}

static const char *authorities(const as_directory_settings *settings)
{
    if (settings->ca_file) {
        return settings->ca_file;
    }
    return settings->ca_directory ? settings->ca_directory : "ldap.conf's TLS_CACERT";
}

static const char *fault_of(X509 *certificate, const as_session *session, apr_pool_t *pool)
{
    const char *host = session->peer->address->host;

    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        return apr_pstrcat(pool, "expired on ", date_of(X509_get0_notAfter(certificate), pool), NULL);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        return apr_pstrcat(pool, "is not valid before ", date_of(X509_get0_notBefore(certificate), pool), NULL);
    }
    if (X509_check_host(certificate, host, 0, 0, NULL) != 1 && X509_check_ip_asc(certificate, host, 0) != 1) {
        return apr_pstrcat(pool, "does not name ", host, NULL);
    }
    return apr_pstrcat(pool, "is not signed by an authority in ", authorities(session->peer->directory->settings),
                       ", or is revoked", NULL);
}

static const char *look_at(const struct berval *der, const as_session *session, apr_pool_t *pool)
{
    const unsigned char *bytes = (const unsigned char *)der->bv_val;
    X509 *certificate = d2i_X509(NULL, &bytes, (long)der->bv_len);
    const char *sentence = NULL;

    if (certificate) {
        sentence = apr_pstrcat(pool, "the server's certificate for ", name_of(X509_get_subject_name(certificate), pool),
                               ", issued by ", name_of(X509_get_issuer_name(certificate), pool), ", ",
                               fault_of(certificate, session, pool), NULL);
        X509_free(certificate);
    }
    return sentence;
}

static const char *fetch(const as_session *failed, apr_pool_t *pool)
{
    const as_peer *peer = failed->peer;
    as_directory_settings *settings = apr_pmemdup(pool, peer->directory->settings, sizeof(*settings));
    struct berval der = {0, NULL};
    const char *sentence = NULL;
    as_session *session;
    as_reply reply;

    as_reply_clear(&reply);
    settings->verify_certificate = false;
    session = as_session_aside(peer->directory, settings, peer->address, pool);
    session->unobserved = true;
    session->peer->directory->tls = NULL; /* A context that does not verify is for nobody else. */
    if (as_session_open(session, failed->wire.deadline, pool, &reply) &&
        ldap_get_option(session->ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
        sentence = look_at(&der, failed, pool);
        ldap_memfree(der.bv_val);
    }
    as_session_close(session);
    return sentence;
}

const char *as_certificate_fault(const as_session *failed, apr_pool_t *pool)
{
    as_peer *peer = failed->peer;
    const char *sentence = NULL;

    if (!peer->mutex) {
        return NULL;
    }
    apr_thread_mutex_lock(peer->mutex);
    if (peer->fault[0] && as_mono_now() < peer->fault_until) {
        sentence = apr_pstrdup(pool, peer->fault);
    }
    apr_thread_mutex_unlock(peer->mutex);
    if (sentence) {
        return sentence;
    }
    sentence = fetch(failed, pool);
    if (sentence) {
        apr_thread_mutex_lock(peer->mutex);
        apr_cpystrn(peer->fault, sentence, sizeof(peer->fault));
        peer->fault_until = as_mono_now() + KEPT_FOR;
        apr_thread_mutex_unlock(peer->mutex);
    }
    return sentence;
}
