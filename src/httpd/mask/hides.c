/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to be masked: by which virtual hosts, and which answers.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* ---- which virtual hosts mask anything ---- */

/* as_server's `masks`: the mask is on in some section, or AuthStatusMap changes a 403 there. */
typedef enum as_reach { AS_REACH_NONE, AS_REACH_MASKED, AS_REACH_MAPPED } as_reach;

static as_reach reach_of(ap_conf_vector_t *vector);

static as_reach widest(as_reach one, as_reach other)
{
    return one == AS_REACH_MASKED || other == AS_REACH_NONE ? one : other;
}

static as_reach reach_of_all(const apr_array_header_t *vectors)
{
    as_reach reach = AS_REACH_NONE;
    int i;

    for (i = 0; vectors && i < vectors->nelts; i++) {
        reach = widest(reach, reach_of(APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *)));
    }
    return reach;
}

static as_reach reach_of_section(const as_section *section)
{
    as_reach reach = AS_REACH_NONE;
    int i;

    if (section->mask && section->mask->word != AS_MASK_OFF) {
        return AS_REACH_MASKED;
    }
    if (section->map.outcome[AS_OUTCOME_ACCESS_DENIED] || section->map.of_class[AS_CLASS_FORBIDDEN]) {
        reach = AS_REACH_MAPPED;
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        reach = section->map.outcome[i] == HTTP_NOT_FOUND ? AS_REACH_MASKED : reach;
    }
    for (i = 0; i < AS_CLASS_COUNT; i++) {
        reach = section->map.of_class[i] == HTTP_NOT_FOUND ? AS_REACH_MASKED : reach;
    }
    return reach;
}

/* Of the section itself, or of what is in it: Files and If. */
static as_reach reach_of(ap_conf_vector_t *vector)
{
    const as_section *section = ap_get_module_config(vector, &authstatus_module);
    const core_dir_config *core = ap_get_core_module_config(vector);
    as_reach reach = section ? reach_of_section(section) : AS_REACH_NONE;

    return core ? widest(reach, widest(reach_of_all(core->sec_file), reach_of_all(core->sec_if))) : reach;
}

/* A server whose settings are another's (it has no directive of ours) has no section that masks, but that one's. */
int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t status = as_decoys_post_config();
    server_rec *main_server = s;
    bool any = false;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0096, status, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    as_snapshot_post_config();
    as_places_post_config();
    for (; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);
        as_server *server = ap_get_module_config(s->module_config, &authstatus_module);
        server->masks =
            widest(reach_of(s->lookup_defaults), widest(reach_of_all(core->sec_dir), reach_of_all(core->sec_url)));
        any = any || server->masks == AS_REACH_MASKED;
    }
    return any ? as_proven_post_config(main_server) : OK;
}

bool as_server_masks(const as_server *server)
{
    return server->masks == AS_REACH_MASKED;
}

bool as_server_watches(const as_server *server)
{
    return server->masks > AS_REACH_NONE;
}

/* ---- what is to be masked ---- */

/* The walk to a file ended with a refusal before its place was known: the place is that of its directory. */
static void find_place(request_rec *r)
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

bool as_mask_hides(request_rec *r, const as_context *context, int status)
{
    const as_finding denied = as_finding_of(AS_OUTCOME_ACCESS_DENIED);
    const as_section *section = as_section_of(r);
    as_policy policy;
    as_verdict verdict;

    if (context->masked) {
        return true;
    }
    if ((status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) || !as_section_is_on(section)) {
        return false;
    }
    policy = as_section_policy(section, r);
    if (status == HTTP_UNAUTHORIZED) {
        return !policy.plain && policy.mask == AS_MASK_ALL;
    }
    verdict = as_verdict_of(&denied, &policy, 0);
    return verdict.masked || verdict.status != status;
}

/* What find_place changes. A request whose place was not known keeps the settings that it had, for its error page. */
typedef struct as_whereabouts {
    char *filename, *path_info;
    apr_finfo_t finfo;
    ap_conf_vector_t *per_dir_config;
} as_whereabouts;

static void go_to_place(request_rec *r, bool walked, as_whereabouts *before)
{
    before->filename = r->filename;
    before->path_info = r->path_info;
    before->finfo = r->finfo;
    before->per_dir_config = r->per_dir_config;
    if (!walked) {
        find_place(r);
    }
}

static void come_back(request_rec *r, const as_whereabouts *before)
{
    r->filename = before->filename;
    r->path_info = before->path_info;
    r->finfo = before->finfo;
    r->per_dir_config = before->per_dir_config;
}

/* A directory whose index is hidden; a name of which nothing but what is hidden was left to negotiate. */
static bool ends_in_hidden(const as_mask *mask, int status)
{
    return mask->hidden_subrequest && (status == HTTP_FORBIDDEN || status == HTTP_NOT_FOUND);
}

bool as_mask_refuses(request_rec *r, const as_context *context, int status)
{
    const as_mask *mask = context->mask;
    as_whereabouts before;
    bool hides;

    if (mask->swallowed || context->masked || ends_in_hidden(mask, status)) {
        return true;
    }
    if (status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) {
        return false;
    }
    go_to_place(r, mask->walked, &before);
    hides = as_mask_hides(r, context, status);
    come_back(r, &before);
    return hides;
}

/* Nothing of what a handler has said is sent. */
static void take_back(request_rec *r)
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
    const as_finding denied = as_finding_of(AS_OUTCOME_ACCESS_DENIED);
    as_mask *mask = context->mask;
    const int meant = mask->swallowed ? mask->swallowed : status;
    as_whereabouts before;

    if (context->masked || !as_mask_refuses(r, context, status)) {
        return status;
    }
    if (mask->swallowed) {
        take_back(r);
    }
    if (meant != HTTP_FORBIDDEN || ends_in_hidden(mask, status) || as_transaction_is_refused(context->transaction)) {
        as_decide_as_is(r, context, &denied, meant == HTTP_UNAUTHORIZED ? meant : HTTP_FORBIDDEN);
        context->masked = true;
        return status;
    }
    go_to_place(r, mask->walked, &before);
    status = as_decide(r, context, &denied, 0);
    come_back(r, &before);
    return status;
}

int as_mask_decided(request_rec *r, as_context *context, const as_verdict *verdict)
{
    const as_context *main = r->main ? as_context_peek(r->main) : NULL;

    if (!verdict->masked) {
        return verdict->status ? verdict->status : OK;
    }
    if (!r->main) {
        context->masked = true;
        return verdict->status;
    }
    if (main && main->mask) {
        main->mask->hidden_subrequest = true;
        if (main->mask->handling) {
            /* A page that names others: what is hidden is missing there, in a listing that shows the forbidden as well.
             */
            return HTTP_NOT_FOUND;
        }
    }
    /* A directory whose index is refused is refused, not listed. */
    return HTTP_FORBIDDEN;
}
