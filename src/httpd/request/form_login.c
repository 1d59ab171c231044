/* SPDX-License-Identifier: Apache-2.0
 *
 * mod_auth_form answers a login with a redirect, whether it was granted or not, and httpd discloses to no module the
 * results of the providers. But mod_auth_form writes the name into the session of a granted login, and of no other; and
 * its login handler sends a failed login nowhere but to AuthFormLoginRequiredLocation. A login form of the page itself
 * may send a failed login where the client wishes (AuthFormLocation), so its redirect proves nothing.
 */
#include "request.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <http_core.h>
#include <mod_session.h>

static bool has_session_of_login(request_rec *r)
{
    APR_OPTIONAL_FN_TYPE(ap_session_load) *load = APR_RETRIEVE_OPTIONAL_FN(ap_session_load);
    const char *name = ap_auth_name(r);
    session_rec *session = NULL;

    return load && name && load(r, &session) == APR_SUCCESS && session && session->dirty &&
           apr_table_get(session->entries, apr_pstrcat(r->pool, name, "-" MOD_SESSION_USER, NULL));
}

/* Returns whether a redirect leads elsewhere than a failed login. Unknown, and so false, for a page that is an
 * expression, whose value may have been another. */
static bool is_elsewhere(const request_rec *r)
{
    const char *page = as_section_get(r)->login_page, *location = apr_table_get(r->headers_out, "Location");

    return page && location && !strpbrk(page, "%$\\") && strcmp(page, location) != 0;
}

bool as_form_login_was_granted(request_rec *r, as_phase phase, int status)
{
    const char *type = ap_auth_type(r);

    if (status == HTTP_OK) {
        /* The login handler's, where no page is named that comes next. */
        return phase == AS_PHASE_HANDLER;
    }
    return type && !ap_cstr_casecmp(type, "form") && ap_is_HTTP_REDIRECT(status) &&
           (has_session_of_login(r) || (phase == AS_PHASE_HANDLER && is_elsewhere(r)));
}
