/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler `authstatus-switch`: sign in as someone else. A browser keeps Basic credentials as long as it runs; it
 * drops them when they are refused, and then it prompts. So there are three steps:
 *
 *   /switch?to=/page        a page that explains the next step, with links forward and back
 *   /switch?to=/page&now=1  refuses the first credentials, of any user: the browser prompts
 *                           the second ones redirect to the original page, where they are checked
 *
 * A cookie records for two minutes that the first ones were refused. It proves nothing, and a forged one only skips the
 * prompt; so it is not signed. The handler does not compare credentials either: a browser does not resend refused
 * credentials by itself, so identical ones were typed again.
 */
#include "answer.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>

#include "core/text.h"

#define COOKIE AS_RELOGIN_HANDLER
#define COOKIE_SECONDS "120"

/* ---- the target: a path of this site ---- */

static bool is_unsafe(char octet)
{
    return as_text_is_control(octet) || octet == '\\';
}

/* Returns whether a target is a local path: exactly one slash first, so that no browser takes the next part for a
 * host; no backslash, which browsers treat as a slash; no control characters, which browsers remove. */
static bool is_local_path(const char *target)
{
    const char *octet;

    if (target[0] != '/' || target[1] == '/') {
        return false;
    }
    for (octet = target; *octet; octet++) {
        if (is_unsafe(*octet)) {
            return false;
        }
    }
    return true;
}

/* Returns whether the target is this page itself, under any spelling of its name. */
static bool is_this_page(request_rec *r, const char *target)
{
    char *path = apr_pstrmemdup(r->pool, target, strcspn(target, "?#"));

    if (ap_unescape_url(path) != OK) {
        return true; /* no valid target */
    }
    ap_getparents(path);
    ap_no2slash(path);
    return !strcmp(path, r->uri);
}

/* Returns a target as a URL: escapes characters that a URL cannot have (RFC 3986 2); escapes stay. */
static const char *make_location(apr_pool_t *pool, const char *target)
{
    char *location = apr_palloc(pool, strlen(target) * 3 + 1), *end = location;

    for (; *target; target++) {
        if (apr_isalnum(*target) || strchr("-._~:/?#[]@!$&'()*+,;=%", *target)) {
            *end++ = *target;
        } else {
            end += apr_snprintf(end, 4, "%%%02X", (unsigned char)*target);
        }
    }
    *end = '\0';
    return location;
}

/* Finds the argument of that name in the query, including "name="; NULL: there is none. */
static const char *find_argument(const request_rec *r, const char *name, size_t *length)
{
    const size_t size = strlen(name);
    const char *args = r->args ? r->args : "";

    while (*args) {
        *length = strcspn(args, "&");
        if (*length >= size && !strncmp(args, name, size)) {
            *length -= size;
            return args + size;
        }
        args += *length;
        args += *args == '&';
    }
    return NULL;
}

/* Reads the value of `to` in the query, decoded; NULL: there is none. Returns false if it cannot be decoded. */
static bool read_to(request_rec *r, const char **target)
{
    size_t length;
    const char *found = find_argument(r, "to=", &length);
    char *value;

    *target = NULL;
    if (!found) {
        return true;
    }
    value = apr_pstrmemdup(r->pool, found, length);
    *target = value;
    return ap_unescape_urlencoded(value) == OK;
}

/* Returns whether the person has continued from the explaining page. */
static bool is_confirmed(const request_rec *r)
{
    size_t length;
    const char *now = find_argument(r, "now=", &length);

    return now && length == 1 && *now == '1';
}

/* Returns the path of the referring page, if it is on this site. */
static const char *find_referring_path(request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer"), *host = apr_table_get(r->headers_in, "Host");
    const char *authority = referer ? strstr(referer, "://") : NULL;
    apr_size_t length;

    if (!authority || !host) {
        return NULL;
    }
    authority += 3;
    length = strcspn(authority, "/?#");
    return length == strlen(host) && !strncasecmp(authority, host, length) ? authority + length : NULL;
}

/* Returns the target; NULL: the requested one is not a path of this site. */
static const char *find_target(request_rec *r)
{
    const char *target;

    if (!read_to(r, &target)) {
        return NULL;
    }
    if (target) {
        return is_local_path(target) && !is_this_page(r, target) ? make_location(r->pool, target) : NULL;
    }
    target = find_referring_path(r);
    return target && is_local_path(target) && !is_this_page(r, target) ? make_location(r->pool, target) : "/";
}

/* ---- the page ---- */

static bool has_cookie(request_rec *r)
{
    const char *cookies = apr_table_get(r->headers_in, "Cookie");

    while (cookies && *cookies) {
        cookies += strspn(cookies, "; \t");
        if (!strncmp(cookies, COOKIE "=1", sizeof(COOKIE "=1") - 1)) {
            return true;
        }
        cookies += strcspn(cookies, ";");
    }
    return false;
}

/* Sets the cookie without a Path: it is for the directory of this page. */
static void set_cookie(request_rec *r, bool refused)
{
    const bool secure = !strcmp(ap_http_scheme(r), "https");

    apr_table_setn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, COOKIE "=", refused ? "1; Max-Age=" COOKIE_SECONDS : "0; Max-Age=0",
                               "; HttpOnly; SameSite=Lax", secure ? "; Secure" : "", NULL));
}

/* Returns whether the request comes from another site, which could make a browser forget its login by a link or an
 * image. Browsers send the origin (Fetch Metadata); requests without it are accepted. */
static bool comes_from_elsewhere(const request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");

    return site && !ap_cstr_casecmp(site, "cross-site");
}

static int send_page(request_rec *r, int status, const char *page)
{
    r->status = status;
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_set_content_length(r, (apr_off_t)strlen(page));
    ap_rputs(page, r);
    return OK;
}

/* Returns this page's own URL, for the next step. */
static const char *make_confirmed_url(request_rec *r, const char *target)
{
    return apr_pstrcat(r->pool, ap_escape_uri(r->pool, r->uri), "?to=", ap_escape_urlencoded(r->pool, target), "&now=1",
                       NULL);
}

static int explain(request_rec *r, const char *target)
{
    const as_language *language = as_page_choose_language(r);
    const char *content = apr_pstrcat(
        r->pool, "<p>", as_language_get_phrase(language, AS_PHRASE_SWITCH_EXPLAINED), "</p>\n<p class=\"ways\">",
        as_page_make_button(r->pool, make_confirmed_url(r, target),
                            as_language_get_phrase(language, AS_PHRASE_CONTINUE), AS_BUTTON_MAIN),
        as_page_make_button(r->pool, target, as_language_get_phrase(language, AS_PHRASE_BACK), AS_BUTTON_OTHER),
        "</p>\n", NULL);

    return send_page(r, HTTP_OK,
                     as_page_make(r, language, as_language_get_phrase(language, AS_PHRASE_SWITCH), HTTP_OK, content));
}

/* Makes the browser prompt; the body is shown if the prompt is cancelled. An ErrorDocument of the administrator has
 * precedence. */
static int send_challenge(request_rec *r, const char *target)
{
    const as_language *language;
    const char *content;

    as_challenge_set(r, true, AS_CHALLENGE_DIALOG);
    if (ap_response_code_string(r, ap_index_of_response(HTTP_UNAUTHORIZED))) {
        return HTTP_UNAUTHORIZED;
    }
    language = as_page_choose_language(r);
    content = apr_pstrcat(
        r->pool, "<p>", as_language_get_phrase(language, AS_PHRASE_CANCELLED), "</p>\n<p class=\"ways\">",
        as_page_make_button(r->pool, target, as_language_get_phrase(language, AS_PHRASE_BACK), AS_BUTTON_MAIN),
        as_page_make_button(r->pool, make_confirmed_url(r, target), as_language_get_phrase(language, AS_PHRASE_SWITCH),
                            AS_BUTTON_OTHER),
        "</p>\n", NULL);
    return send_page(
        r, HTTP_UNAUTHORIZED,
        as_page_make(r, language, as_language_get_phrase(language, AS_PHRASE_SWITCH), HTTP_UNAUTHORIZED, content));
}

int as_relogin_handler(request_rec *r)
{
    const bool sent = apr_table_get(r->headers_in, "Authorization") != NULL;
    const char *target;

    if (!r->handler || strcmp(r->handler, AS_RELOGIN_HANDLER)) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (comes_from_elsewhere(r)) {
        return HTTP_FORBIDDEN;
    }
    target = find_target(r);
    if (!target) {
        return HTTP_BAD_REQUEST;
    }
    if (!ap_auth_name(r)) {
        AS_LOG_REQUEST(0093, 0, r, AS_RELOGIN_HANDLER, r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (!is_confirmed(r)) {
        return explain(r, target);
    }
    if (sent && has_cookie(r)) {
        set_cookie(r, false);
        /* The browser's cache of the former person's pages must not serve the next one (W3C, Clear Site Data; over
         * TLS). */
        apr_table_setn(r->err_headers_out, "Clear-Site-Data", "\"cache\"");
        apr_table_setn(r->headers_out, "Location", target);
        return HTTP_SEE_OTHER;
    }
    if (sent) {
        set_cookie(r, true);
    }
    return send_challenge(r, target);
}
