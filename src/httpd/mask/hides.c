/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides which answers are masked.
 */
#include "passes.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* ---- answers that are masked ---- */

/* For a walk to a file that was refused before the sections of the file were known: those of its directory apply. */
void as_mask_find_directory(request_rec *r)
{
    r->per_dir_config = r->server->lookup_defaults;
    if (r->filename && r->filename[0] == '/') {
        r->filename = apr_pstrcat(r->pool, ap_make_dirstr_parent(r->pool, r->filename), "?", NULL);
        r->path_info = NULL;
        memset(&r->finfo, 0, sizeof(r->finfo));
        if (ap_directory_walk(r) == OK) {
            ap_file_walk(r);
        }
    }
    if (ap_location_walk(r) == OK) {
        ap_if_walk(r);
    }
}

/* Returns whether mod_ssl has no certificate, or another cipher, because HTTP/2 cannot negotiate anew: mod_http2 turns
 * this 403 into HTTP_1_1_REQUIRED (RFC 9113 9.2.1), and the client, which may be allowed, repeats its request. */
static bool needs_http1(const request_rec *r)
{
    return apr_table_get(r->notes, "ssl-renegotiate-forbidden") != NULL;
}

bool as_mask_must_hide(request_rec *r, const as_context *context, int status)
{
    const as_finding denied = as_finding_make(AS_OUTCOME_ACCESS_DENIED);
    const as_section *section = as_section_get(r);
    as_policy policy;
    as_verdict verdict;

    if (context->masked) {
        return true;
    }
    if ((status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) || !as_section_is_on(section) || needs_http1(r)) {
        return false;
    }
    policy = as_section_get_policy(section, r);
    if (status == HTTP_UNAUTHORIZED) {
        return !policy.plain && policy.mask == AS_MASK_ALL;
    }
    verdict = as_verdict_make(&denied, &policy, 0);
    return verdict.masked || verdict.status != status;
}

/* The members that as_mask_find_directory changes. A request that was refused before its sections were known keeps its
 * settings, for its error page. */
typedef struct as_location {
    char *filename, *path_info;
    apr_finfo_t finfo;
    ap_conf_vector_t *per_dir_config;
} as_location;

static void enter_directory(request_rec *r, bool walked, as_location *before)
{
    before->filename = r->filename;
    before->path_info = r->path_info;
    before->finfo = r->finfo;
    before->per_dir_config = r->per_dir_config;
    if (!walked) {
        as_mask_find_directory(r);
    }
}

static void restore_location(request_rec *r, const as_location *before)
{
    r->filename = before->filename;
    r->path_info = before->path_info;
    r->finfo = before->finfo;
    r->per_dir_config = before->per_dir_config;
}

/* Returns whether a directory's index is hidden, or only hidden variants were left to negotiate. */
static bool is_end_hidden(const as_mask *mask, int status)
{
    return (mask->hidden_subrequest || mask->accessing_subrequests > 0) &&
           (status == HTTP_FORBIDDEN || status == HTTP_NOT_FOUND);
}

void as_mask_count_access(const request_rec *r, int more)
{
    as_mask *of_main = r->main ? as_mask_peek(r->main) : NULL;

    if (of_main && as_section_get(r)->mask && as_section_get(r)->mask->word != AS_MASK_OFF) {
        of_main->accessing_subrequests += more;
    }
}

bool as_mask_must_refuse(request_rec *r, const as_context *context, int status)
{
    const as_mask *mask = context->mask;
    as_location before;
    bool hides;

    if (mask->suppressed_status || context->masked || is_end_hidden(mask, status)) {
        return true;
    }
    if (status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) {
        return false;
    }
    enter_directory(r, mask->walked, &before);
    hides = as_mask_must_hide(r, context, status);
    restore_location(r, &before);
    return hides;
}

/* Discards all output of a handler. */
static void discard_output(request_rec *r)
{
    r->status = HTTP_OK;
    r->status_line = NULL;
    r->headers_out = apr_table_make(r->pool, 8);
    r->err_headers_out = apr_table_make(r->pool, 8);
    r->content_type = r->content_encoding = NULL;
    r->content_languages = NULL;
    r->output_filters = r->proto_output_filters;
}

int as_mask_judge(request_rec *r, as_context *context, int status)
{
    const as_finding denied = as_finding_make(AS_OUTCOME_ACCESS_DENIED);
    as_mask *mask = context->mask;
    const int meant = mask->suppressed_status ? mask->suppressed_status : status;
    as_location before;

    if (context->masked || !as_mask_must_refuse(r, context, status)) {
        return status;
    }
    if (mask->suppressed_status) {
        discard_output(r);
    }
    if (meant != HTTP_FORBIDDEN || is_end_hidden(mask, status) || as_transaction_is_refused(context->transaction)) {
        as_decide_as_is(r, context, &denied, meant == HTTP_UNAUTHORIZED ? meant : HTTP_FORBIDDEN);
        context->masked = true;
        return status;
    }
    enter_directory(r, mask->walked, &before);
    status = as_decide(r, context, &denied, 0);
    restore_location(r, &before);
    return status;
}

/* ---- AuthStatusMask All: answers of a login that are hidden ---- */

bool as_mask_hides_login(request_rec *r)
{
    const as_policy policy = as_section_get_policy(as_section_get(r), r);

    return policy.mask == AS_MASK_ALL && !policy.plain;
}

/* A malformed request (400) and a method that is not allowed (405) do not count. */
bool as_mask_is_of_login(int status)
{
    return status == HTTP_UNAUTHORIZED || status == HTTP_PROXY_AUTHENTICATION_REQUIRED || status == HTTP_FORBIDDEN ||
           status == HTTP_TOO_MANY_REQUESTS || status == HTTP_GONE || ap_is_HTTP_REDIRECT(status) ||
           ap_is_HTTP_SERVER_ERROR(status);
}

int as_mask_choose_login_status(request_rec *r, as_context *context, int status)
{
    as_verdict verdict = {.masked = true};
    as_finding finding;

    if (status == DONE && as_mask_hides_login(r)) {
        /* The login hook has answered itself. */
        status = HTTP_UNAUTHORIZED;
    } else if (!as_mask_is_of_login(status) || !as_mask_hides_login(r)) {
        return status;
    }
    if (context->mask) {
        context->mask->suppressed_status = 0;
    }
    if (!context->transaction->decided) {
        finding = context->found ? context->finding
                                 : as_finding_make(ap_is_HTTP_SERVER_ERROR(status) ? AS_OUTCOME_UNKNOWN_RESULT
                                                                                   : AS_OUTCOME_NO_CREDENTIALS);
        as_decide_as_is(r, context, &finding, status);
    }
    verdict.status = status;
    return as_mask_choose_status(r, context, &verdict);
}
