/* SPDX-License-Identifier: Apache-2.0
 *
 * WWW-Authenticate and Proxy-Authenticate (RFC 9110 11.6.1, 11.7.1): a 401 or 407 has the challenges of its module, no
 * other answer has any.
 */
#include "request.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

static const char *choose_header_name(const request_rec *r)
{
    return r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate" : "WWW-Authenticate";
}

static void remove_challenges(request_rec *r)
{
    apr_table_unset(r->headers_out, "WWW-Authenticate");
    apr_table_unset(r->headers_out, "Proxy-Authenticate");
    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    apr_table_unset(r->err_headers_out, "Proxy-Authenticate");
}

/* Returns the realm as the content of a quoted-string (RFC 9110 5.6.4). */
static const char *format_realm(request_rec *r)
{
    const char *name = ap_auth_name(r);

    return ap_escape_quotes(r->pool, name ? name : "");
}

/* Makes the module of the AuthType add its challenge, if it has not: Basic's is known, others make their own. A
 * module with a login page (mod_auth_form, mod_auth_openidc) has no challenge, and none is invented for it: no
 * client could use it. */
static void add_module_challenge(request_rec *r, apr_array_header_t *challenges)
{
    const char *type = ap_auth_type(r);

    if (!type || !ap_cstr_casecmp(type, "Basic") || !ap_cstr_casecmp(type, "None")) {
        APR_ARRAY_PUSH(challenges, const char *) = apr_psprintf(r->pool, "Basic realm=\"%s\"", format_realm(r));
    } else {
        ap_note_auth_failure(r);
    }
}

/* Adds a field's value to a list. A repeated field stays repeated: some browsers read only the first scheme of each
 * line. */
static int collect(void *challenges, const char *name, const char *value)
{
    (void)name;
    APR_ARRAY_PUSH((apr_array_header_t *)challenges, const char *) = value;
    return 1;
}

/* Returns one challenge as it is sent: with the parameters that Basic lacks (RFC 7617 2.1), or under a scheme
 * without a dialog. */
static const char *adapt(apr_pool_t *pool, const char *value, as_dialog dialog)
{
    const bool basic = !strncasecmp(value, "Basic", 5) && (apr_isspace(value[5]) || !value[5]);

    if (basic && !ap_strcasestr(value, "charset=")) {
        value = apr_pstrcat(pool, value, value[5] ? "," : "", " charset=\"UTF-8\"", NULL);
    }
    return dialog == AS_CHALLENGE_QUIET && *value ? apr_pstrcat(pool, "x", value, NULL) : value;
}

const apr_array_header_t *as_challenge_set(request_rec *r, bool wanted, as_dialog dialog)
{
    apr_array_header_t *challenges = apr_array_make(r->pool, 2, sizeof(const char *));
    int i;

    if (wanted) {
        apr_table_do(collect, challenges, r->err_headers_out, choose_header_name(r), NULL);
        if (!challenges->nelts) {
            add_module_challenge(r, challenges);
            apr_table_do(collect, challenges, r->err_headers_out, choose_header_name(r), NULL);
        }
        for (i = 0; i < challenges->nelts; i++) {
            const char **value = &APR_ARRAY_IDX(challenges, i, const char *);
            *value = adapt(r->pool, *value, dialog);
        }
    }
    as_challenge_restore(r, challenges);
    return challenges;
}

void as_challenge_restore(request_rec *r, const apr_array_header_t *challenges)
{
    int i;

    remove_challenges(r);
    for (i = 0; challenges && i < challenges->nelts; i++) {
        apr_table_addn(r->err_headers_out, choose_header_name(r), APR_ARRAY_IDX(challenges, i, const char *));
    }
}
