/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of pages shown in place of the requested one: one column, no script, nothing to load.
 */
#include "answer.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

static const char style[] = AS_PAGE_COLOURS
    ":root{--button:#0b57d0;--on:#fff}\n"
    "@media (prefers-color-scheme:dark){:root{--button:#a8c7fa;--on:#062e6f}}\n"
    "body{font:1.0625rem/1.55 system-ui,sans-serif;margin:0;background:var(--bg);color:var(--fg)}\n"
    "main{max-width:34rem;margin:12vh auto 2rem;padding:0 1.25rem;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem;text-wrap:balance}p{margin:.75rem 0;text-wrap:pretty}\n"
    ".do{color:var(--dim)}:lang(ja){word-break:auto-phrase}\n"
    ".ways{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\n"
    ".ways a{display:inline-block;padding:.6rem 1.1rem;border:1px solid var(--button);border-radius:.4rem;"
    "color:var(--button);text-decoration:none;font-weight:600}\n"
    ".ways a.main{background:var(--button);color:var(--on)}\n"
    ".ways a:focus-visible{outline:.2rem solid var(--fg);outline-offset:.15rem}.ways "
    "a:hover{text-decoration:underline}\n"
    "footer{color:var(--dim);font-size:.9rem;margin-top:3rem;border-top:1px solid var(--line);padding-top:.5rem}\n"
    "footer hr{display:none}footer address{font-style:normal}\n";

const as_language *as_page_choose_language(request_rec *r)
{
    const as_language *language = as_language_find(apr_table_get(r->headers_in, "Accept-Language"));

    apr_table_setn(r->headers_out, "Content-Language", language->tag);
    apr_table_mergen(r->headers_out, "Vary", "Accept-Language");
    return language;
}

/* Makes the end of a page: the status of an answer that is an error, and the server's signature. */
static const char *make_footer(request_rec *r, int status)
{
    const char *line = ap_is_HTTP_ERROR(status) ? ap_get_status_line(status) : "",
               *signature = ap_psignature("<hr>\n", r);

    return *line || *signature ? apr_pstrcat(r->pool, "<footer>", line, signature, "</footer>\n", NULL) : "";
}

const char *as_page_make(request_rec *r, const as_language *language, const char *heading, int status,
                         const char *content)
{
    const char *number = ap_is_HTTP_ERROR(status) ? apr_psprintf(r->pool, "%d ", status) : "";

    return apr_pstrcat(r->pool, "<!DOCTYPE html>\n<html lang=\"", language->tag, "\" dir=\"", language->direction,
                       "\"><head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
                       number, heading, "</title>\n<style>\n", style, "</style>\n</head><body>\n<main>\n<h1>", heading,
                       "</h1>\n", content, make_footer(r, status), "</main>\n</body></html>\n", NULL);
}

const char *as_page_make_button(apr_pool_t *pool, const char *url, const char *text, as_button button)
{
    return apr_pstrcat(pool, "<a ", button == AS_BUTTON_MAIN ? "class=\"main\" " : "", "href=\"",
                       ap_escape_html(pool, url), "\">", text, "</a>\n", NULL);
}
