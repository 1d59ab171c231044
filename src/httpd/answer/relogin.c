/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler `authstatus-switch`: sign in as someone else. A browser remembers Basic credentials as long as it runs;
 * it drops them when they are refused, and then it asks. So this page refuses the first credentials that come,
 * whoever's they are, and with the second ones sends the person back to where they came from, where they are checked.
 *
 * That the first ones were refused is remembered in a cookie for two minutes. It proves nothing, and whoever forges it
 * only spares himself the question; so it is not signed. Which credentials were refused is not looked at either: a
 * browser sends none twice by itself that were refused once, so that the same ones a second time were typed.
 */
#include "answer.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#define HANDLER "authstatus-switch"
#define COOKIE "authstatus-switch"
#define COOKIE_SECONDS "120"

/* ---- where to go then: a path of this site ---- */

static bool is_unsafe(unsigned char octet)
{
    return octet < 0x20 || octet == 0x7f || octet == '\\';
}

/* Exactly one slash first, so that no browser takes what follows for a host; no backslash, which browsers take for a
 * slash; no control characters, which they leave out before they look. */
static bool is_local_path(const char *target)
{
    const char *octet;

    if (target[0] != '/' || target[1] == '/') {
        return false;
    }
    for (octet = target; *octet; octet++) {
        if (is_unsafe((unsigned char)*octet)) {
            return false;
        }
    }
    return true;
}

/* This page itself, under any spelling of its name. */
static bool is_this_page(request_rec *r, const char *target)
{
    char *path = apr_pstrmemdup(r->pool, target, strcspn(target, "?#"));

    if (ap_unescape_url(path) != OK) {
        return true; /* nothing that could be gone to */
    }
    ap_getparents(path);
    ap_no2slash(path);
    return !strcmp(path, r->uri);
}

/* As a URL: what may not stand in one (RFC 3986 2) is escaped; escapes stay. */
static const char *as_location(apr_pool_t *pool, const char *target)
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

/* The value of `to` in the query, decoded; NULL: there is none. False: it cannot be decoded. */
static bool read_to(request_rec *r, const char **target)
{
    const char *args = r->args ? r->args : "";
    char *value;

    *target = NULL;
    while (*args && strncmp(args, "to=", 3)) {
        args += strcspn(args, "&");
        args += *args == '&';
    }
    if (!*args) {
        return true;
    }
    value = apr_pstrmemdup(r->pool, args + 3, strcspn(args + 3, "&"));
    *target = value;
    return ap_unescape_urlencoded(value) == OK;
}

/* The path of the page that the link was on, if that is one of this site. */
static const char *referring_path(request_rec *r)
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

/* Where to go; NULL: what was asked for is not a path of this site. */
static const char *target_of(request_rec *r)
{
    const char *target;

    if (!read_to(r, &target)) {
        return NULL;
    }
    if (target) {
        return is_local_path(target) && !is_this_page(r, target) ? as_location(r->pool, target) : NULL;
    }
    target = referring_path(r);
    return target && is_local_path(target) && !is_this_page(r, target) ? as_location(r->pool, target) : "/";
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

/* Without a Path: it is for the directory of this page. */
static void set_cookie(request_rec *r, bool refused)
{
    const bool secure = !strcmp(ap_http_scheme(r), "https");

    apr_table_setn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, COOKIE "=", refused ? "1; Max-Age=" COOKIE_SECONDS : "0; Max-Age=0",
                               "; HttpOnly; SameSite=Lax", secure ? "; Secure" : "", NULL));
}

/* Another site could make a person's browser forget by a link or an image. Browsers say where a request comes from
 * (Fetch Metadata); those that do not are let in. */
static bool comes_from_elsewhere(const request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");

    return site && !ap_cstr_casecmp(site, "cross-site");
}

int as_relogin_handler(request_rec *r)
{
    const char *target;

    if (!r->handler || strcmp(r->handler, HANDLER)) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (comes_from_elsewhere(r)) {
        return HTTP_FORBIDDEN;
    }
    target = target_of(r);
    if (!target) {
        return HTTP_BAD_REQUEST;
    }
    if (!ap_auth_name(r)) {
        AS_LOG_REQUEST(0093, 0, r, HANDLER, r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (apr_table_get(r->headers_in, "Authorization") && has_cookie(r)) {
        set_cookie(r, false);
        /* What the browser keeps of the former person's pages is not the next one's (W3C, Clear Site Data; by TLS). */
        apr_table_setn(r->err_headers_out, "Clear-Site-Data", "\"cache\"");
        apr_table_setn(r->headers_out, "Location", target);
        return HTTP_SEE_OTHER;
    }
    if (apr_table_get(r->headers_in, "Authorization")) {
        set_cookie(r, true);
    }
    as_challenge_set(r, true, AS_CHALLENGE_DIALOG);
    return HTTP_UNAUTHORIZED;
}
