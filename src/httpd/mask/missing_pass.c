/* SPDX-License-Identifier: Apache-2.0
 *
 * Our hooks in a pass as a missing resource: they undo the decoy's name where modules read the URL again,
 * and keep handlers from running that could reveal the requested resource.
 */
#include "passes.h"

#include <unistd.h>

#include <apr_hooks.h>
#include <http_core.h>
#include <http_request.h>

static const struct ap_logconf quiet = {NULL, APLOG_EMERG};

void as_mask_silence_log(request_rec *r)
{
    r->log = &quiet;
}

void as_mask_make_log_ids(request_rec *r)
{
    if (!r->log_id) {
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    }
    if (!r->connection->log_id) {
        ap_run_generate_log_id(r->connection, NULL, &r->connection->log_id);
    }
}

/* The URL is again as the client sent it, and so is what modules have made of it (SCRIPT_URL). */
void as_mask_undo_url(request_rec *r, const as_decoy *as)
{
    r->uri = as_decoy_undo(r->pool, as, r->uri);
    r->args = as_decoy_undo(r->pool, as, r->args);
    r->parsed_uri.path = as_decoy_undo(r->pool, as, r->parsed_uri.path);
    r->parsed_uri.query = as_decoy_undo(r->pool, as, r->parsed_uri.query);
    r->subprocess_env = as_decoy_undo_table(r->pool, as, r->subprocess_env);
    r->headers_in = as_decoy_undo_table(r->pool, as, r->headers_in);
    r->headers_out = as_decoy_undo_table(r->pool, as, r->headers_out);
    r->err_headers_out = as_decoy_undo_table(r->pool, as, r->err_headers_out);
    r->trailers_out = as_decoy_undo_table(r->pool, as, r->trailers_out);
    r->notes = as_decoy_undo_table(r->pool, as, r->notes);
    r->connection->notes = as_decoy_undo_table(r->connection->pool, as, r->connection->notes);
    r->content_type = as_decoy_undo(r->pool, as, (char *)r->content_type);
    r->content_encoding = as_decoy_undo(r->pool, as, (char *)r->content_encoding);
    r->status_line = as_decoy_undo(r->pool, as, (char *)r->status_line);
}

/* So is the name of the file. It may be the name of one that exists: nothing opens it from here on. */
void as_mask_undo_filename(request_rec *r, const as_decoy *as)
{
    r->filename = as_decoy_undo(r->pool, as, r->filename);
    r->canonical_filename = as_decoy_undo(r->pool, as, r->canonical_filename);
    r->path_info = as_decoy_undo(r->pool, as, r->path_info);
}

void as_mask_undo_file(request_rec *r, as_mask *mask)
{
    mask->filename = as_decoy_undo(r->pool, mask->as, mask->filename);
    mask->path_info = as_decoy_undo(r->pool, mask->as, mask->path_info);
    mask->undone = true;
}

/* Handlers that report a missing file in ways of their own, before they run anything, and their modules. */
static const struct {
    const char *handler, *module;
} reporters[] = {{"cgi-script", "mod_cgi.c"},
                 {"cgi-script", "mod_cgid.c"},
                 {"send-as-is", "mod_asis.c"},
                 {"type-map", "mod_negotiation.c"},
                 {"imap-file", "mod_imagemap.c"},
                 {"application/x-httpd-php", "mod_php.c"},
                 {"application/x-httpd-php", "mod_php7.c"},
                 {"application/x-httpd-php-source", "mod_php.c"},
                 {"application/x-httpd-php-source", "mod_php7.c"},
                 {"wsgi-script", "mod_wsgi.c"},
                 {"fcgid-script", "mod_fcgid.c"}};

#define REPORTERS (sizeof(reporters) / sizeof(*reporters))

/* Returns whether such a handler answers the request; module NULL: of any module. */
static bool is_reported(const request_rec *r, const char *module)
{
    apr_size_t i;

    for (i = 0; r->handler && r->finfo.filetype == APR_NOFILE && i < REPORTERS; i++) {
        if (!strcmp(r->handler, reporters[i].handler) && (!module || !strcmp(module, reporters[i].module))) {
            return true;
        }
    }
    return false;
}

bool as_mask_is_missing_script(const request_rec *r)
{
    return is_reported(r, NULL);
}

/* Hooks that have seen the request in its first pass would log that they see it again (mod_security). */
static AS_RARELY int silence_access(request_rec *r, as_mask *mask)
{
    mask->log = r->log == &quiet ? mask->log : r->log;
    as_mask_silence_log(r);
    return DECLINED;
}

/* The sections that apply are known now. */
int as_mask_post_perdir(request_rec *r)
{
    as_mask *mask = as_mask_peek(r);

    if (!mask) {
        return DECLINED;
    }
    mask->walked = true;
    return mask->pass == AS_PASS_MISSING ? silence_access(r, mask) : DECLINED;
}

/* A missing resource is allowed: from here on, modules see the URL that was sent and the file that is missing; but for
 * the URL, where one of them has refused it. */
static AS_RARELY int show_missing(request_rec *r, as_mask *mask)
{
    as_mask_login_forget(r);
    if (!mask->by_name) {
        as_mask_undo_url(r, mask->as);
    }
    mask->filename = r->filename;
    mask->path_info = r->path_info;
    mask->finfo = r->finfo;
    return DECLINED;
}

int as_mask_type_checker(request_rec *r)
{
    as_mask *mask = as_mask_peek(r);

    if (!mask) {
        return DECLINED;
    }
    mask->allowed = true;
    return mask->pass == AS_PASS_MISSING ? show_missing(r, mask) : DECLINED;
}

/* Returns whether a module may answer for a missing resource: the core, and the module whose handler reports that there
 * is no file. */
static bool may_answer(const request_rec *r, const char *module_name)
{
    return !strcmp(module_name, "core.c") || is_reported(r, module_name);
}

/* Returns whether it is a directory that may not be listed, or not be read: 403 to GET; answers to other methods reveal
 * that it exists. */
static bool is_unlisted(request_rec *r)
{
    return !strcmp(r->handler, DIR_MAGIC_TYPE) && (!(ap_allow_options(r) & OPT_INDEXES) || access(r->filename, R_OK));
}

/* Handlers that read a file to answer GET and POST, and leave other methods to httpd. */
static const char *const readers[] = {"", "default-handler", "imap-file", "send-as-is"};

static bool is_reader(const char *handler)
{
    apr_size_t i;

    for (i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
        if (!strcmp(handler, readers[i])) {
            return true;
        }
    }
    return false;
}

bool as_mask_is_default(const request_rec *r)
{
    return !r->handler || !strcmp(r->handler, "default-handler") ||
           (r->method_number != M_GET && is_reader(r->handler));
}

/* Returns whether it is a file that may not be read: the same holds for it. */
static bool is_unread(request_rec *r)
{
    /* Where no handler is configured, httpd names it after the content type. */
    const bool is_type = r->content_type && !strncmp(r->handler, r->content_type, strlen(r->handler));

    return (is_type || is_reader(r->handler)) && access(r->filename, R_OK);
}

static int handle_unreadable(request_rec *r)
{
    return r->handler && (r->finfo.filetype == APR_DIR ? is_unlisted(r) : is_unread(r)) &&
                   as_mask_must_hide(r, as_context_get(r), HTTP_FORBIDDEN)
               ? HTTP_FORBIDDEN
               : DECLINED;
}

/* Handles a missing resource. */
static int handle_missing(request_rec *r, as_mask *mask)
{
    const apr_array_header_t *hooks;
    int i;

    r->log = mask->log;
    /* Fixups may have turned it into another: a front controller, an index. */
    r->filename = mask->filename;
    r->path_info = mask->path_info;
    r->finfo = mask->finfo;
    if (!mask->undone && !as_mask_is_missing_script(r)) {
        as_mask_undo_filename(r, mask->as);
    }
    hooks = ap_hook_get_handler();
    for (i = 0; i < hooks->nelts; i++) {
        const ap_LINK_handler_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_handler_t);
        int status = may_answer(r, hook->szName) ? hook->pFunc(r) : DECLINED;
        if (status != DECLINED) {
            return status;
        }
    }
    return HTTP_NOT_FOUND;
}

int as_mask_handler(request_rec *r, as_mask *mask)
{
    return mask->pass == AS_PASS_MISSING ? handle_missing(r, mask) : handle_unreadable(r);
}
