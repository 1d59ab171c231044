/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of a missing resource. A resource that is missing is not refused: it is granted, given a type, fixed up,
 * and the default handler finds that there is no file, after it has read the body, by rules that depend on the method.
 * No status that a hook returns looks like that. So a request that was refused goes its way again, through all of
 * httpd, as one for a resource that really is missing, next to the one asked for.
 *
 * It goes that way for somebody who was refused: therefore it ends in the default handler, whatever is configured.
 */
#include "mask.h"

#include <apr_hooks.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* ---- which virtual hosts mask anything ---- */

static bool masks(ap_conf_vector_t *vector);

static bool any_masks(const apr_array_header_t *vectors)
{
    int i;

    for (i = 0; vectors && i < vectors->nelts; i++) {
        if (masks(APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *))) {
            return true;
        }
    }
    return false;
}

/* The section itself, or what is in it: Files and If. */
static bool masks(ap_conf_vector_t *vector)
{
    const as_section *section = ap_get_module_config(vector, &authstatus_module);
    const core_dir_config *core = ap_get_core_module_config(vector);
    int i;

    if (section) {
        if (section->mask && section->mask->word != AS_MASK_OFF) {
            return true;
        }
        for (i = 0; i < AS_OUTCOME_COUNT; i++) {
            if (section->map.outcome[i] == HTTP_NOT_FOUND) {
                return true;
            }
        }
        for (i = 0; i < AS_CLASS_COUNT; i++) {
            if (section->map.of_class[i] == HTTP_NOT_FOUND) {
                return true;
            }
        }
    }
    return core && (any_masks(core->sec_file) || any_masks(core->sec_if));
}

/* A server whose settings are another's (it has no directive of ours) has no section that masks, but that one's. */
int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t status = as_decoys_post_config();

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (status != APR_SUCCESS) {
        AS_LOG_SERVER(0096, status, NULL);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);
        as_server *server = ap_get_module_config(s->module_config, &authstatus_module);
        server->masks = masks(s->lookup_defaults) || any_masks(core->sec_dir) || any_masks(core->sec_url);
    }
    return OK;
}

bool as_server_masks(const as_server *server)
{
    return server->masks == 1;
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
    const as_section *section = as_section_of(r);
    as_policy policy;

    if (context->masked) {
        return true;
    }
    if ((status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) || !as_section_is_on(section)) {
        return false;
    }
    policy = as_section_policy(section, r);
    if (policy.plain || policy.mask == AS_MASK_OFF) {
        return false;
    }
    return status == HTTP_FORBIDDEN || policy.mask == AS_MASK_ALL;
}

/* The same for a request whose place is not known. It stays as it is: its own error page may be sent. */
static bool hides_at_place(request_rec *r, const as_context *context, int status)
{
    char *filename = r->filename, *path_info = r->path_info;
    const apr_finfo_t finfo = r->finfo;
    ap_conf_vector_t *per_dir_config = r->per_dir_config;
    bool hides;

    find_place(r);
    hides = as_mask_hides(r, context, status);
    r->filename = filename;
    r->path_info = path_info;
    r->finfo = finfo;
    r->per_dir_config = per_dir_config;
    return hides;
}

/* Is what became of the request to be masked? */
static bool refused(request_rec *r, const as_context *context, int status)
{
    const as_mask *mask = context->mask;

    if (mask->swallowed || context->masked) {
        return true;
    }
    if (mask->hidden_subrequest && (status == HTTP_FORBIDDEN || status == HTTP_NOT_FOUND)) {
        /* A directory whose index is hidden; a name of which nothing but what is hidden was left to negotiate. */
        return true;
    }
    if (status != HTTP_FORBIDDEN && status != HTTP_UNAUTHORIZED) {
        return false;
    }
    return mask->walked ? as_mask_hides(r, context, status) : hides_at_place(r, context, status);
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

/* ---- the way of a missing resource ---- */

static void start_over(as_context *context)
{
    const as_context fresh = {.transaction = context->transaction, .mask = context->mask, .running = context->running};

    *context = fresh;
    context->mask->walked = context->mask->handling = context->mask->hidden_subrequest = false;
    context->mask->swallowed = 0;
    context->mask->filename = NULL;
}

static void set_path(request_rec *r, const as_decoy *as)
{
    r->uri = r->parsed_uri.path = apr_pstrdup(r->pool, as->path);
}

static void undo_in_table(apr_pool_t *pool, const as_decoy *as, const apr_table_t *table)
{
    const apr_array_header_t *entries = apr_table_elts(table);
    int i;

    for (i = 0; i < entries->nelts; i++) {
        apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        entry->val = as_decoy_undo(pool, as, entry->val);
    }
}

/* The URL is again as the client sent it, and so is what modules have made of it (SCRIPT_URL). */
static void undo_url(request_rec *r, const as_decoy *as)
{
    r->uri = as_decoy_undo(r->pool, as, r->uri);
    r->parsed_uri.path = as_decoy_undo(r->pool, as, r->parsed_uri.path);
    undo_in_table(r->pool, as, r->subprocess_env);
    undo_in_table(r->pool, as, r->headers_in);
    undo_in_table(r->pool, as, r->headers_out);
    undo_in_table(r->pool, as, r->err_headers_out);
}

/* So is the name of the file. It may be the name of one that exists: nothing opens it from here on. */
static void undo_filename(request_rec *r, const as_decoy *as)
{
    r->filename = as_decoy_undo(r->pool, as, r->filename);
    r->canonical_filename = as_decoy_undo(r->pool, as, r->canonical_filename);
    r->path_info = as_decoy_undo(r->pool, as, r->path_info);
}

static int end_as_missing(request_rec *r, const as_mask *mask, int status)
{
    if (mask->walked) {
        r->log = mask->log;
    }
    undo_url(r, mask->as);
    undo_filename(r, mask->as);
    return status == HTTP_FORBIDDEN ? HTTP_NOT_FOUND : status;
}

/* Did the walk find that nothing is there? A file that has the name behind it is not that file. */
static bool nothing(const request_rec *r, apr_filetype_e type, const char *path_info)
{
    return type == APR_NOFILE || (path_info && *path_info && r->used_path_info != AP_REQ_ACCEPT_PATH_INFO);
}

static bool is_missing(const request_rec *r, const as_mask *mask)
{
    return mask->filename && nothing(r, mask->finfo.filetype, mask->path_info);
}

static bool is_missing_script(const request_rec *r)
{
    return r->handler && !strcmp(r->handler, "cgi-script") && r->finfo.filetype == APR_NOFILE;
}

/* Will httpd find that nothing is there? Another's answer is his own, and takes its own time. */
static bool ends_as_missing(const request_rec *r)
{
    return !r->proxyreq && (is_missing_script(r) || (!r->handler && nothing(r, r->finfo.filetype, r->path_info)));
}

/* A clock must not tell a masked answer from that of a missing resource: the one has gone a longer way, and somebody
 * may have written a line about it. So both are held back until a full number of these has passed since the request
 * came. */
#define BEAT apr_time_from_msec(1)

static void wait_for_the_beat(const as_mask *mask)
{
    const apr_interval_time_t passed = apr_time_now() - mask->begun;

    apr_sleep(passed < 0 ? BEAT : BEAT - passed % BEAT);
}

/* Nothing near may be seen by this client, so that a missing resource is refused as well: there is no answer to be like
 * but this one, which that gets too. */
static int go_on_unasked(request_rec *r, as_context *context)
{
    int status;

    if (!r->filename || !context->mask->walked) {
        return HTTP_NOT_FOUND;
    }
    r->user = r->ap_auth_type = NULL;
    status = ap_run_type_checker(r);
    if (status == OK) {
        status = ap_run_fixups(r);
    }
    return status == OK || status == DECLINED ? OK : status;
}

static int handle(request_rec *r, as_context *context)
{
    int status;

    wait_for_the_beat(context->mask);
    status = ap_invoke_handler(r);
    context->mask->way = AS_PASS_DONE;
    return end_as_missing(r, context->mask, status);
}

/* Answered without a handler. */
static int end_here(request_rec *r, as_context *context, int status)
{
    wait_for_the_beat(context->mask);
    context->mask->way = AS_PASS_DONE;
    return end_as_missing(r, context->mask, status);
}

static int go_as_missing(request_rec *r, as_context *context, const as_snapshot *kept, const as_transaction *before)
{
    as_transaction *transaction = context->transaction;
    const apr_array_header_t *all = as_decoys(r, as_snapshot_path(kept));
    const as_transaction *truth =
        transaction->truth ? transaction->truth : apr_pmemdup(transaction->pool, transaction, sizeof(*transaction));
    int i, status = HTTP_NOT_FOUND;

    context->mask->way = AS_PASS_MISSING;
    for (i = 0; i < all->nelts; i++) {
        context->mask->as = &APR_ARRAY_IDX(all, i, as_decoy);
        as_snapshot_restore(r, kept);
        start_over(context);
        transaction->decided = before->decided;
        transaction->finding = before->finding;
        transaction->verdict = before->verdict;
        transaction->help = before->help;
        transaction->challenges = before->challenges;
        transaction->truth = truth;
        set_path(r, context->mask->as);
        status = ap_process_request_internal(r);
        if (status == OK && is_missing(r, context->mask)) {
            return handle(r, context);
        }
        if (status != OK && !refused(r, context, status)) {
            return end_here(r, context, status);
        }
    }
    context->masked = false;
    status = status == OK ? HTTP_NOT_FOUND : go_on_unasked(r, context);
    if (status == OK && is_missing(r, context->mask)) {
        return handle(r, context);
    }
    return end_here(r, context, ap_is_HTTP_ERROR(status) ? status : HTTP_NOT_FOUND);
}

/* ---- the hooks ---- */

static int go_own_way(request_rec *r, as_context *context)
{
    const as_transaction before = *context->transaction;
    as_snapshot *kept = as_snapshot_take(r);
    int status;

    context->mask = apr_pcalloc(r->pool, sizeof(*context->mask));
    context->mask->begun = apr_time_now();
    status = ap_process_request_internal(r);
    if (status == OK) {
        if (ends_as_missing(r)) {
            wait_for_the_beat(context->mask);
        }
        status = ap_invoke_handler(r);
    }
    if (!refused(r, context, status)) {
        context->mask->way = AS_PASS_DONE;
        return status;
    }
    if (!context->masked) {
        const as_finding finding = as_finding_of(AS_OUTCOME_ACCESS_DENIED);
        const int meant = context->mask->swallowed ? context->mask->swallowed : status;
        as_decide_as_is(r, context, &finding, meant == HTTP_UNAUTHORIZED ? meant : HTTP_FORBIDDEN);
    }
    return go_as_missing(r, context, kept, &before);
}

/* httpd asks whether anybody has an answer at once, before it looks at the request. If nobody has, we do what it would
 * do next, and see what comes of it before the client does. */
int as_mask_quick_handler(request_rec *r, int lookup)
{
    as_context *context;
    int status;

    if (lookup || r->main || !as_server_masks(as_server_of(r->server))) {
        return DECLINED;
    }
    context = as_context_of(r);
    if (context->running & AS_PHASE_QUICK) {
        return DECLINED;
    }
    context->running |= AS_PHASE_QUICK;
    status = ap_run_quick_handler(r, lookup);
    return status == DECLINED ? go_own_way(r, context) : status;
}

static as_mask *mask_of(const request_rec *r)
{
    const as_context *context = r->main ? NULL : as_context_peek(r);

    return context ? context->mask : NULL;
}

static as_mask *missing_mask_of(const request_rec *r)
{
    as_mask *mask = mask_of(r);

    return mask && mask->way == AS_PASS_MISSING ? mask : NULL;
}

/* The configuration of the place is known now. */
int as_mask_post_perdir(request_rec *r)
{
    static const struct ap_logconf quiet = {NULL, APLOG_EMERG};
    as_mask *mask = mask_of(r);

    if (mask) {
        mask->walked = true;
        if (mask->way == AS_PASS_MISSING) {
            /* Who may see a resource that nobody asked for is no news. */
            mask->log = r->log;
            r->log = &quiet;
        }
    }
    return DECLINED;
}

/* A missing resource is allowed: from here on, modules see the URL that was sent and the file that is missing. */
int as_mask_type_checker(request_rec *r)
{
    as_mask *mask = missing_mask_of(r);

    if (mask) {
        r->log = mask->log;
        as_mask_login_forget(r);
        undo_url(r, mask->as);
        mask->filename = r->filename;
        mask->path_info = r->path_info;
        mask->finfo = r->finfo;
    }
    return DECLINED;
}

/* Who may answer for a missing resource: the core, and a CGI module to say that there is no script. */
static bool may_answer(const request_rec *r, const char *module_name)
{
    return !strcmp(module_name, "core.c") ||
           (is_missing_script(r) && (!strcmp(module_name, "mod_cgi.c") || !strcmp(module_name, "mod_cgid.c")));
}

/* A directory that may not be listed is forbidden to GET; what other methods say of it tells that it is there. */
static bool is_unlisted(request_rec *r)
{
    return r->finfo.filetype == APR_DIR && r->handler && !strcmp(r->handler, DIR_MAGIC_TYPE) &&
           !(ap_allow_options(r) & OPT_INDEXES);
}

int as_mask_handler(request_rec *r)
{
    as_mask *mask = mask_of(r);
    const apr_array_header_t *hooks = ap_hook_get_handler();
    int i;

    if (!mask || mask->way == AS_PASS_DONE) {
        return DECLINED;
    }
    mask->handling = true;
    if (mask->way == AS_PASS_FIRST) {
        return is_unlisted(r) && as_mask_hides(r, as_context_peek(r), HTTP_FORBIDDEN) ? HTTP_FORBIDDEN : DECLINED;
    }
    /* Fixups may have turned it into another: a front controller, an index. */
    r->filename = mask->filename;
    r->path_info = mask->path_info;
    r->finfo = mask->finfo;
    if (!is_missing_script(r)) {
        undo_filename(r, mask->as);
    }
    for (i = 0; i < hooks->nelts; i++) {
        const ap_LINK_handler_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_handler_t);
        int status = may_answer(r, hook->szName) ? hook->pFunc(r) : DECLINED;
        if (status != DECLINED) {
            return status;
        }
    }
    return HTTP_NOT_FOUND;
}
