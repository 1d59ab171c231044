/* SPDX-License-Identifier: Apache-2.0
 *
 * WWW-Authenticate and Proxy-Authenticate (RFC 9110 11.6.1, 11.7.1): a 401 or 407 has one, no other answer does.
 */
#include "request.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

static const char *header_name(const request_rec *r)
{
    return r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate" : "WWW-Authenticate";
}

static void forget(request_rec *r)
{
    apr_table_unset(r->headers_out, "WWW-Authenticate");
    apr_table_unset(r->headers_out, "Proxy-Authenticate");
    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    apr_table_unset(r->err_headers_out, "Proxy-Authenticate");
}

/* The realm as a quoted-string's content (RFC 9110 5.6.4). */
static const char *realm(request_rec *r)
{
    const char *name = ap_auth_name(r);

    return ap_escape_quotes(r->pool, name ? name : "");
}

/* What the module of the AuthType would ask for; for one that asks in a page (mod_auth_form) a scheme of its own name:
 * no browser opens a dialog for a scheme that it does not know. */
static const char *ask_module(request_rec *r)
{
    const char *type = ap_auth_type(r), *value;

    if (!type || !ap_cstr_casecmp(type, "Basic") || !ap_cstr_casecmp(type, "None")) {
        return apr_psprintf(r->pool, "Basic realm=\"%s\"", realm(r));
    }
    ap_note_auth_failure(r);
    value = apr_table_get(r->err_headers_out, header_name(r));
    return value ? value : apr_psprintf(r->pool, "%s realm=\"%s\"", type, realm(r));
}

typedef struct as_challenge_list {
    request_rec *r;
    as_dialog dialog;
    const char *value;
} as_challenge_list;

/* Adds one challenge, with what Basic lacks (RFC 7617 2.1), or under a scheme without a dialog. */
static int add(void *data, const char *name, const char *value)
{
    as_challenge_list *list = data;
    apr_pool_t *pool = list->r->pool;
    bool basic = !strncasecmp(value, "Basic", 5) && (apr_isspace(value[5]) || !value[5]);

    (void)name;
    if (basic && !ap_strcasestr(value, "charset=")) {
        value = apr_pstrcat(pool, value, value[5] ? "," : "", " charset=\"UTF-8\"", NULL);
    }
    if (list->dialog == AS_CHALLENGE_QUIET && *value) {
        value = apr_pstrcat(pool, "x", value, NULL);
    }
    list->value = list->value ? apr_pstrcat(pool, list->value, ", ", value, NULL) : value;
    return 1;
}

const char *as_challenge_set(request_rec *r, bool wanted, as_dialog dialog)
{
    as_challenge_list list = {r, dialog, NULL};

    if (wanted) {
        /* A field that is there more than once is there once in each line: modules add, they do not merge. */
        apr_table_do(add, &list, r->err_headers_out, header_name(r), NULL);
        if (!list.value) {
            add(&list, NULL, ask_module(r));
        }
    }
    as_challenge_restore(r, list.value);
    return list.value;
}

void as_challenge_restore(request_rec *r, const char *value)
{
    forget(r);
    if (value) {
        apr_table_setn(r->err_headers_out, header_name(r), value);
    }
}
