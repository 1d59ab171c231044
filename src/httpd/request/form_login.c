/* SPDX-License-Identifier: Apache-2.0
 *
 * mod_auth_form answers a login with a redirect, whether it was granted or not, and httpd discloses to no module the
 * results of the providers. But mod_auth_form writes the name into the session of a granted login, and of no other.
 */
#include "request.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <http_core.h>
#include <mod_session.h>

bool as_form_login_was_granted(request_rec *r, int status)
{
    APR_OPTIONAL_FN_TYPE(ap_session_load) *load = APR_RETRIEVE_OPTIONAL_FN(ap_session_load);
    const char *type = ap_auth_type(r), *name = ap_auth_name(r);
    session_rec *session = NULL;

    if (status == HTTP_OK) {
        /* The login handler's, where no page is named that comes next. */
        return true;
    }
    if (!load || !type || ap_cstr_casecmp(type, "form") || !name || !ap_is_HTTP_REDIRECT(status)) {
        return false;
    }
    return load(r, &session) == APR_SUCCESS && session && session->dirty &&
           apr_table_get(session->entries, apr_pstrcat(r->pool, name, "-" MOD_SESSION_USER, NULL));
}
