/* SPDX-License-Identifier: Apache-2.0
 *
 * Octets, certificates and controls in words.
 */
#include "explain.h"

#include <string.h>
#include <time.h>

#include <ldap.h>
#include <openssl/bio.h>
#include <openssl/x509.h>

#include <apr_strings.h>

#include "authstatus/ppolicy.h"

#define MAX_NAME 512

/* RFC 3629. */
size_t explain_read_utf8(const char *text, size_t length, unsigned *code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf8 ? 4 : 0;
    size_t i;

    if (size == 0 || size > length) {
        return 0;
    }
    *code = size == 1 ? at[0] : at[0] & (0xffU >> (size + 1));
    for (i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (at[i] & 0x3f);
    }
    return *code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff) ? 0 : size;
}

/* Controls of terminals (C0, C1), and characters that make text read otherwise than it is. */
bool explain_is_harmless(unsigned code)
{
    return code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x061c && !(code >= 0x200b && code <= 0x200f) &&
           !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}

const char *explain_escape_text(const char *text, size_t length, apr_pool_t *pool)
{
    char *printable = apr_palloc(pool, 4 * length + 1), *to = printable;
    size_t at = 0;

    while (at < length) {
        unsigned code = 0;
        size_t size = explain_read_utf8(text + at, length - at, &code);

        if (size > 0 && explain_is_harmless(code)) {
            memcpy(to, text + at, size);
            to += size;
            at += size;
        } else {
            to += apr_snprintf(to, 5, "\\x%02x", (unsigned char)text[at]);
            at++;
        }
    }
    *to = '\0';
    return printable;
}

const char *explain_escape_lines(const char *text, apr_pool_t *pool)
{
    const char *printable = "";
    size_t length;

    for (;; text += length + 1) {
        length = strcspn(text, "\n");
        printable =
            apr_pstrcat(pool, printable, explain_escape_text(text, length, pool), text[length] ? "\n" : "", NULL);
        if (!text[length]) {
            return printable;
        }
    }
}

const char *explain_write_hex(const unsigned char *octets, size_t length, apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *text = apr_palloc(pool, 2 * length + 1);
    size_t i;

    for (i = 0; i < length; i++) {
        text[2 * i] = digits[octets[i] >> 4];
        text[2 * i + 1] = digits[octets[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}

const char *explain_name_step(as_step step)
{
    switch (step) {
    case AS_STEP_CONNECT:
        return "connect";
    case AS_STEP_TLS:
        return "tls";
    case AS_STEP_SERVICE_BIND:
        return "service-bind";
    case AS_STEP_SEARCH:
        return "search";
    case AS_STEP_USER_BIND:
        return "user-bind";
    }
    return "?";
}

const char *explain_format_ldap_code(const as_finding *finding, apr_pool_t *pool)
{
    if (!finding->has_code) {
        return "";
    }
    return finding->subcode[0] ? apr_psprintf(pool, "%d/%s", finding->code, finding->subcode)
                               : apr_itoa(pool, finding->code);
}

/* ---- controls ---- */

const char *explain_name_control(const char *oid)
{
    static const struct {
        const char *oid, *name;
    } names[] = {{AS_OID_PPOLICY, "password policy"},
                 {AS_OID_NETSCAPE_EXPIRED, "Netscape password expired"},
                 {AS_OID_NETSCAPE_EXPIRING, "Netscape password expiring"}};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(oid, names[i].oid)) {
            return names[i].name;
        }
    }
    return NULL;
}

static const char *describe_policy(const as_ppolicy *read, apr_pool_t *pool)
{
    const char *text = as_ppolicy_describe_error(read->error);

    if (read->expires_in >= 0) {
        text = apr_psprintf(pool, "%s%sthe password expires in %ld s", text ? text : "", text ? "; " : "",
                            read->expires_in);
    }
    if (read->grace_logins >= 0) {
        text = apr_psprintf(pool, "%s%sgrace logins left: %ld", text ? text : "", text ? "; " : "", read->grace_logins);
    }
    return text ? text : "nothing is wrong with the password's age or the account";
}

/* Describes one control; as_outcome_find interprets all of them together. */
const char *explain_describe_control(const as_control *control, apr_pool_t *pool)
{
    as_ppolicy read = as_ppolicy_read(control, 1);

    if (!explain_name_control(control->oid)) {
        return "not known here, and passed over";
    }
    if (read.contradictory) {
        return "it cannot be read, so that nothing in this answer is believed";
    }
    return read.netscape_expired ? "the password has expired, or must be changed" : describe_policy(&read, pool);
}

/* ---- advice ---- */

#define LOOK_AT_TLS                                                                                                    \
    "LDAPTrustedGlobalCert CA_BASE64 (-o tls_cacert=FILE) names the authority; the URL must have the name that is in " \
    "the certificate"

/* The first row that fits: code 0 for any, reason a part of the reason, "" for any. */
static const struct {
    as_outcome outcome;
    int code;
    const char *reason, *advice;
} advices[] = {
    {AS_OUTCOME_AMBIGUOUS_USER, 0, "", "a narrower base or a filter in the URL must leave one entry"},
    {AS_OUTCOME_MALFORMED_CREDENTIALS, 0, "",
     "the name is empty, or name or password is not UTF-8, has a control character (a second line?) or is too long"},
    {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, 0, "the account is locked",
     "the directory has locked the account of AuthLDAPBindDN: its administrator unlocks it, and finds what else binds "
     "as "
     "it with a wrong password"},
    {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, 0, "the password has expired",
     "the password of the account of AuthLDAPBindDN has expired: set a new one in the directory, and in "
     "AuthLDAPBindPassword"},
    {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, 0, "",
     "look at AuthLDAPBindDN and AuthLDAPBindPassword, and whether that account is locked or has expired"},
    {AS_OUTCOME_TLS_FAILED, 0, "refused StartTLS",
     "the directory does not offer StartTLS: its administrator turns it on, or the URL begins with ldaps://"},
    {AS_OUTCOME_TLS_FAILED, 0, "not signed by",
     "LDAPTrustedGlobalCert CA_BASE64 (-o tls_cacert=FILE) names a file with the certificate of that authority"},
    {AS_OUTCOME_TLS_FAILED, 0, "self-signed",
     "LDAPTrustedGlobalCert CA_BASE64 (-o tls_cacert=FILE) names a file with the certificate itself"},
    {AS_OUTCOME_TLS_FAILED, 0, "expired on", "the directory needs a new certificate"},
    {AS_OUTCOME_TLS_FAILED, 0, "not valid before", "is the clock of this machine right?"},
    {AS_OUTCOME_TLS_FAILED, 0, "does not name", "write a name in the URL that the certificate has"},
    {AS_OUTCOME_TLS_FAILED, 0, "cannot be set up", "each of these files must be there, be readable and be PEM"},
    {AS_OUTCOME_TLS_FAILED, 0, "", LOOK_AT_TLS},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, LDAP_NO_SUCH_OBJECT, "",
     "the base of the URL does not exist, or this account may not see it"},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, LDAP_REFERRAL, "",
     "the base is another server's: name that server in the URL, or set LDAPReferrals On"},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, LDAP_OPERATIONS_ERROR, "",
     "Active Directory answers no anonymous search: set AuthLDAPBindDN (-D)"},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, LDAP_STRONG_AUTH_REQUIRED, "",
     "the directory takes no password without TLS: ldaps:// or STARTTLS (-Z)"},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, LDAP_CONFIDENTIALITY_REQUIRED, "",
     "the directory takes no password without TLS: ldaps:// or STARTTLS (-Z)"},
    {AS_OUTCOME_DIRECTORY_MISCONFIGURED, 0, "",
     "look at the base of the URL, at referrals, and whether the directory wants TLS or a service account"},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, "is not found", "is the name right, and does this machine's resolver know it?"},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, "TLS handshake",
     "does this port speak TLS from the start? 389 does not: ldap:// with STARTTLS (-Z)"},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, "closed the connection",
     "does this port want TLS (ldaps://)? The directory's own log has the reason"},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, "not LDAP", "is it a directory that listens on this port?"},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, "",
     "is the directory running, is the port right, does a firewall let this machine through?"},
    {AS_OUTCOME_DIRECTORY_TIMEOUT, 0, "",
     "the step above that did not end is where the time went; -o deadline=60s waits longer"},
};

/* Returns whether a row fits an outcome of these lines of Require, or of the login. */
static bool is_fitting(const explain_story *story, size_t row)
{
    return advices[row].outcome == story->finding.outcome &&
           (!advices[row].code || (story->finding.has_code && advices[row].code == story->finding.code)) &&
           (!*advices[row].reason || strstr(story->answer.reason, advices[row].reason));
}

const char *explain_find_advice(const explain_story *story)
{
    const bool anonymous = !story->wish->settings.bind_dn && !story->wish->initial_bind;
    size_t i;

    /* The lines of Require are evaluated after a granted login: the rows below are about a login. */
    if (story->required && story->finding.outcome == AS_OUTCOME_DIRECTORY_MISCONFIGURED) {
        return "the line of Require above that is unknown says what is wrong";
    }

    if (story->finding.outcome == AS_OUTCOME_DIRECTORY_MISCONFIGURED && anonymous && story->finding.has_code &&
        story->finding.code == LDAP_NO_SUCH_OBJECT) {
        return "the base of the URL does not exist, or an anonymous search does not see it: try a service account (-D)";
    }
    if (story->finding.outcome == AS_OUTCOME_UNKNOWN_USER) {
        return !anonymous
                   ? "does the entry match base, scope, attribute and filter of the URL, and may the service account "
                     "read it?"
                   : "many directories show nothing to an anonymous search: try a service account (-D)";
    }
    for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (is_fitting(story, i)) {
            return advices[i].advice;
        }
    }
    return NULL;
}

/* ---- certificates ---- */

static const char *find_name(const X509_NAME *name, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "?";
    char *data = NULL;
    long length;

    /* RFC 2253, but UTF-8 stays unescaped. */
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        length = BIO_get_mem_data(bio, &data);
        text = explain_escape_text(data, length > MAX_NAME ? MAX_NAME : (size_t)(length > 0 ? length : 0), pool);
    }
    BIO_free(bio);
    return *text ? text : "no name";
}

static const char *format_date(const ASN1_TIME *date, apr_pool_t *pool)
{
    struct tm parts;
    char text[32];

    if (ASN1_TIME_to_tm(date, &parts) != 1 || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return "?";
    }
    return apr_pstrdup(pool, text);
}

bool explain_read_certificate(const explain_step *step, apr_pool_t *pool, explain_certificate *certificate)
{
    const unsigned char *at = step->certificate;
    X509 *parsed = at ? d2i_X509(NULL, &at, (long)step->certificate_length) : NULL;
    int days = 0, seconds = 0;

    if (!parsed) {
        return false;
    }
    certificate->subject = find_name(X509_get_subject_name(parsed), pool);
    certificate->issuer = find_name(X509_get_issuer_name(parsed), pool);
    certificate->not_before = format_date(X509_get0_notBefore(parsed), pool);
    certificate->not_after = format_date(X509_get0_notAfter(parsed), pool);
    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(parsed));
    certificate->days_left = days;
    X509_free(parsed);
    return true;
}
