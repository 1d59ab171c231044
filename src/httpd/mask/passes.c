/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of a missing resource. A resource that is missing is not refused: it is granted, given a type, fixed up,
 * and the default handler finds that there is no file, after it has read the body, by rules that depend on the method.
 * No status that a hook returns looks like that. So a refused request makes a second pass through all of
 * httpd, as one for a resource that really is missing, next to the requested one. The second pass has a request_rec
 * that begins as the request arrived, and a pool of its own (snapshot.c); its answer is the answer.
 *
 * That pass belongs to a refused request: therefore it ends in the default handler, whatever is configured.
 *
 * Three walks, always: the request's own, that of the decoy that section_set.c finds, and that of the outermost decoy,
 * which is needed where the other is refused as well. A request for a missing resource makes them too, without a use,
 * so that a clock cannot distinguish the two.
 */
#include "passes.h"

#include <apr_hooks.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_main.h>
#include <http_request.h>

#define WALKS 3

/* ---- a walk ---- */

/* Resets the state of the masked request, before each walk. */
static void reset_mask(as_mask *mask)
{
    as_mask fresh = {.login = NULL};

#define AGAIN_KEEP(name) fresh.name = mask->name;
#define AGAIN_FRESH(name)
#define AS_MASK_MEMBER(type, name, second_pass) AGAIN_##second_pass(name)
#include "../request/state.def"
    *mask = fresh;
}

/* One request's walks. */
typedef struct walks {
    const as_snapshot *arrived;
    as_transaction before; /* of the transaction, when the request arrived */
    const as_transaction *truth;
    const as_decoys *decoys;
    request_rec *first; /* the request that was refused */
    apr_bucket_brigade
        *kept_body; /* that its handler's reading kept (KeptBodySize), or NULL: a login's is the login's */
    int left;
    bool hinted;              /* a pass that may answer was allowed: its interim responses are sent */
    apr_interval_time_t took; /* the last walk that was not refused */
} walks;

/* Begins a pass as the decoy with that index. */
static bool begin_pass(request_rec *r, as_context *context, const walks *all, int index, as_pass_reach reach)
{
    as_mask *mask = context->mask;

    if (as_snapshot_begin(r, all->arrived, reach) != APR_SUCCESS) {
        return false;
    }
    reset_mask(mask);
    as_context_reset(context);
    as_transaction_reset(context->transaction, &all->before, all->truth);
    mask->pass = AS_PASS_MISSING;
    mask->as = as_decoy_make(r, all->decoys, index);
    mask->log = r->log;
    as_mask_silence_log(r);
    r->uri = r->parsed_uri.path = apr_pstrdup(r->pool, mask->as->path);
    return true;
}

/* Returns what ap_process_request_internal does. */
static int walk(request_rec *r, as_context *context, walks *all, int index, as_pass_reach reach)
{
    const apr_time_t begun = apr_time_now();
    bool muted;
    int status;

    all->left--;
    if (!begin_pass(r, context, all, index, reach)) {
        return HTTP_NOT_FOUND;
    }
    /* A client that waits for its 100 gets it where the body is read, which may be a login's work. */
    muted = reach == AS_PASS_ISOLATED || (all->hinted && !r->expecting_100);
    status = muted ? as_mask_run_muted(r, ap_process_request_internal) : ap_process_request_internal(r);
    if (status == OK) {
        all->took = apr_time_now() - begun;
        all->hinted = all->hinted || reach == AS_PASS_CONNECTED;
    }
    return status;
}

static as_own copy_state(const as_context *context)
{
    const as_own now = {.client = {.context = *context, .transaction = *context->transaction}, .mask = *context->mask};

    return now;
}

static void restore_state(as_context *context, const as_own *before)
{
    *context->mask = before->mask;
    *context->transaction = before->client.transaction;
    *context = before->client.context;
}

/* Makes the remaining walks, without a use of their results. */
static void walk_unused(request_rec *r, as_context *context, walks *all)
{
    const request_rec request = *r;
    const as_connection_state connection = as_connection_state_get(r->pool, r->connection);
    const as_own before = copy_state(context);

    while (all->left > 0) {
        walk(r, context, all, all->left > 1 ? 0 : all->decoys->count - 1, AS_PASS_ISOLATED);
        *r = request;
    }
    as_connection_state_set(r->connection, &connection);
    restore_state(context, &before);
}

/* ---- the answer of what is missing ---- */

static bool is_missing(const request_rec *r, const as_mask *mask)
{
    return mask->filename && as_passes_is_nothing(r, mask->finfo.filetype, mask->path_info);
}

/* Timing must not distinguish a masked answer from that of a missing resource: the former may have been refused half
 * way, and have caused a log line. So both are delayed until a full number of these has passed since the arrival,
 * and by at least three whole walks. */
#define TICK apr_time_from_msec(1)
#define LONGEST_WAIT apr_time_from_msec(100)

static void wait_for_tick(const request_rec *r, const walks *all)
{
    const apr_interval_time_t passed = apr_time_now() - r->request_time;
    apr_interval_time_t until = (WALKS + 1) * all->took;

    until = until < LONGEST_WAIT ? until : LONGEST_WAIT;
    until = passed > until ? passed : until;
    apr_sleep(passed < 0 ? TICK : until + TICK - until % TICK - passed);
}

/* Continues without a login, where this client may see nothing beside the resource either: a missing resource is
 * refused as well, and gets this same answer. */
static int continue_without_login(request_rec *r, as_context *context)
{
    int status;

    if (!r->filename || !context->mask->walked) {
        return HTTP_NOT_FOUND;
    }
    r->user = r->ap_auth_type = NULL;
    as_challenge_restore(r, NULL);
    apr_table_unset(r->err_headers_out, "Retry-After");
    status = ap_run_type_checker(r);
    if (status == OK) {
        status = ap_run_fixups(r);
    }
    return status == OK || status == DECLINED ? OK : status;
}

/* Sends the answer, error page and all, within the pass; then httpd has the request with its own pool again. `status`:
 * of the walk, or of the handler. */
static int answer(request_rec *r, as_context *context, const walks *all, int status)
{
    as_mask *mask = context->mask;

    mask->pass = AS_PASS_DONE;
    r->log = mask->log;
    if (!mask->undone) {
        as_mask_undo_filename(r, mask->as);
    }
    if (status == HTTP_FORBIDDEN) {
        status = HTTP_NOT_FOUND;
    }
    if (ap_is_HTTP_ERROR(status) || ap_is_HTTP_REDIRECT(status)) {
        ap_die(status, r);
        status = DONE;
    }
    as_snapshot_end(r, all->arrived);
    return status;
}

/* Answers after the wait: does before it all work that may take time, and what is done before it for a missing
 * resource (arrival.c): a handler that reports itself that there is nothing. */
static int answer_as_walked(request_rec *r, as_context *context, walks *all, int status)
{
    const as_decoy *as = context->mask->as;
    const bool is_script = as_mask_is_missing_script(r), is_reported = is_script && !as_mask_is_default(r);

    walk_unused(r, context, all);
    as_snapshot_forget_unread_body(r, all->arrived);
    as_mask_undo_url(r, as);
    if (!is_script) {
        as_mask_undo_filename(r, as);
        as_mask_undo_file(r, context->mask);
    }
    if (!is_reported) {
        wait_for_tick(r, all);
    }
    if (status == OK && is_missing(r, context->mask)) {
        status = as_mask_invoke_handler(r, context->mask);
        r->kept_body = all->kept_body ? all->kept_body : r->kept_body;
    } else if (status == OK) {
        status = HTTP_NOT_FOUND;
    }
    if (is_script) {
        /* Its handler had the decoy's name. */
        as_mask_undo_url(r, as);
    }
    if (is_reported) {
        wait_for_tick(r, all);
    }
    return answer(r, context, all, status);
}

/* Returns whether a walk ended as one for a missing resource does. */
static bool is_answer(request_rec *r, const as_context *context, int status)
{
    return !as_mask_must_refuse(r, context, status) && (status != OK || is_missing(r, context->mask));
}

/* Answers as for the outermost decoy, which everybody may request, or nobody. */
static int answer_far(request_rec *r, as_context *context, walks *all, int index)
{
    int status = walk(r, context, all, index, AS_PASS_CONNECTED);

    if (!as_mask_must_refuse(r, context, status)) {
        return answer_as_walked(r, context, all, status);
    }
    context->masked = false;
    return answer_as_walked(r, context, all, status == OK ? HTTP_NOT_FOUND : continue_without_login(r, context));
}

/* Returns whether the sections of a decoy let this user in. */
static bool is_open_to_user(request_rec *r, as_context *context)
{
    const as_authorization *doubt;

    return !as_request_is_unreadable(r) && as_request_authenticate(r, context) == OK &&
           as_require_run(r, context, AS_PHASE_AUTHZ, &doubt) == OK;
}

/* Returns whether they let this client in, as httpd's phases do: its address, by Require or with Satisfy, or its user.
 */
static bool is_open_to_client(request_rec *r, as_context *context)
{
    const bool by_address = ap_run_access_checker(r) == OK;
    const as_authorization *doubt;
    int status;

    if (by_address == (ap_satisfies(r) == SATISFY_ANY)) {
        return by_address;
    }
    status = as_require_run(r, context, AS_PHASE_ACCESS, &doubt);
    if (doubt || (status != OK && status != DECLINED)) {
        return false;
    }
    return (status == OK && ap_run_force_authn(r) != OK) || is_open_to_user(r, context);
}

/* Returns the decoy that has no name of the path. */
static int get_farthest(const walks *all)
{
    return as_decoys_get_tail(all->decoys, all->decoys->count - 1, AS_DECOY_ALIKE);
}

/* A request whose decoys are searched. */
typedef struct search {
    request_rec *r;
    as_context *context;
    const walks *all;
} search;

/* Returns whether this client may request a decoy. Checks the sections of its directory, which is no walk. */
static bool is_open(void *data, int index)
{
    const search *in = data;
    request_rec *r = in->r;
    const char *path_info = NULL;
    char *filename = as_decoy_make_filename(in->all->first, in->all->decoys, index, &path_info);

    if (!begin_pass(r, in->context, in->all, index, AS_PASS_ISOLATED)) {
        return false;
    }
    r->uri = (char *)as_decoy_decode(r, r->uri);
    r->filename = filename;
    as_mask_find_directory(r);
    return is_open_to_client(r, in->context);
}

/* Returns the innermost decoy that this client may request, or the farthest. */
static int find_open(request_rec *r, as_context *context, const walks *all, const as_nearby *decoys)
{
    search in = {.r = r, .context = context, .all = all};
    const int found = as_decoys_search(decoys->low, decoys->high, all->decoys, is_open, &in);

    return found < decoys->high ? as_decoys_choose(found, all->decoys, is_open, &in) : decoys->farthest;
}

/* Answers where restrictions are nested and some of them let this client in: the innermost decoy that it may request
 * has the settings of a missing resource. */
static int answer_in_between(request_rec *r, as_context *context, walks *all, const as_nearby *decoys)
{
    int status = walk(r, context, all, decoys->between, AS_PASS_CONNECTED), nearest;
    as_pass *pass;
    as_own before;

    if (!is_answer(r, context, status)) {
        search in = {.r = r, .context = context, .all = all};
        return answer_far(r, context, all,
                          is_open(&in, decoys->nearest) ? decoys->nearest : find_open(r, context, all, decoys));
    }
    pass = as_snapshot_save_pass(r, all->arrived);
    before = copy_state(context);
    nearest = walk(r, context, all, decoys->nearest, AS_PASS_CONNECTED);
    if (is_answer(r, context, nearest)) {
        return answer_as_walked(r, context, all, nearest);
    }
    as_snapshot_restore_pass(r, pass);
    restore_state(context, &before);
    return answer_as_walked(r, context, all, status);
}

/* Returns whether no rule forbids the name of a decoy: a rule of the server, before its sections are known, or one of
 * a section, in the fixups. Runs these rules alone, which is no walk. */
static bool is_allowed(void *data, int index)
{
    const search *in = data;
    const bool by_name = in->context->mask->by_name;
    request_rec *r = in->r;
    const char *path_info = NULL;
    char *filename = by_name ? as_decoy_make_filename(in->all->first, in->all->decoys, index, &path_info) : NULL;

    if (!begin_pass(r, in->context, in->all, index, AS_PASS_ISOLATED)) {
        return false;
    }
    r->uri = (char *)as_decoy_decode(r, r->uri);
    if (!by_name) {
        return as_decoy_translate(r) != HTTP_FORBIDDEN;
    }
    r->filename = filename;
    if (!filename || ap_directory_walk(r) != OK || ap_file_walk(r) != OK) {
        return false;
    }
    r->path_info = apr_pstrcat(r->pool, r->path_info ? r->path_info : "", path_info, NULL);
    return ap_location_walk(r) == OK && ap_if_walk(r) == OK && as_mask_run_muted(r, ap_run_fixups) != HTTP_FORBIDDEN;
}

/* Returns the nearest decoy that no such rule forbids, or the farthest. */
static int find_allowed_name(request_rec *r, as_context *context, const walks *all)
{
    search in = {.r = r, .context = context, .all = all};
    const int count = all->decoys->count;
    int found;

    for (found = 0; found < 2 && found < count; found++) {
        if (is_allowed(&in, found)) {
            return found;
        }
    }
    found = as_decoys_search(as_decoys_is_deep(all->decoys) ? 0 : found, count, all->decoys, is_allowed, &in);
    return found < count ? as_decoys_choose(found, all->decoys, is_allowed, &in) : get_farthest(all);
}

/* Returns how many segments of the path are behind the name of its file. */
static int count_path_info(const request_rec *r)
{
    const char *octet = r->path_info;
    int count = 0;

    for (; octet && *octet; octet++) {
        count += *octet == '/' && octet[1] != '/' && octet[1] != '\0';
    }
    return count;
}

/* Returns whether a decoy has a path that httpd takes: some are longer than the requested path. apr_filepath_merge()
 * wants four octets more, and mod_alias has it count ServerRoot as well. */
static bool is_path_short(const walks *all, int index)
{
    const apr_size_t most = APR_PATH_MAX - 4 - strlen(ap_server_root);
    const apr_size_t length = strlen(all->decoys->path);
    request_rec *first = all->first;
    apr_size_t file;

    if (length < APR_PATH_MAX / 2) {
        return true;
    }
    if (first->filename) {
        file = strlen(first->filename) + (first->path_info ? strlen(first->path_info) : 0);
    } else {
        file = strlen(ap_document_root(first)) + strlen(as_decoy_decode(first, all->decoys->path));
    }
    return file + strlen(as_decoy_sketch(first, all->decoys, index)->path) <= length + most;
}

/* Finds the decoys of a request that was refused. */
static void find_decoys(request_rec *r, as_context *context, const walks *all, as_nearby *decoys)
{
    as_mask *mask = context->mask;

    *decoys = (as_nearby){.nearest = 0, .between = -1, .farthest = all->decoys->count - 1};
    if (mask->handling) {
        decoys->nearest = as_decoys_find_index(all->decoys, count_path_info(r));
    } else if (mask->allowed) {
        mask->by_name = true;
        decoys->nearest = find_allowed_name(r, context, all);
    } else if (!as_decoys_find_nearby(r, all->decoys, mask->walked, decoys)) {
        decoys->nearest = find_allowed_name(r, context, all);
    }
    decoys->farthest = is_path_short(all, decoys->farthest) ? decoys->farthest : get_farthest(all);
    decoys->nearest = is_path_short(all, decoys->nearest) ? decoys->nearest : decoys->farthest;
}

static int answer_as_missing(request_rec *r, as_context *context, walks *all)
{
    as_nearby decoys;
    int status;

    all->first = apr_pmemdup(context->transaction->pool, r, sizeof(*r));
    all->kept_body = context->mask->handling && r->kept_body != context->mask->kept_before ? r->kept_body : NULL;
    find_decoys(r, context, all, &decoys);
    if (decoys.between >= 0) {
        return answer_in_between(r, context, all, &decoys);
    }
    status = walk(r, context, all, decoys.nearest, AS_PASS_CONNECTED);
    if (is_answer(r, context, status)) {
        return answer_as_walked(r, context, all, status);
    }
    if (decoys.nearest != decoys.farthest || status == OK) {
        return answer_far(r, context, all, decoys.alike ? find_open(r, context, all, &decoys) : decoys.farthest);
    }
    context->masked = false;
    return answer_as_walked(r, context, all, continue_without_login(r, context));
}

/* ---- interface ---- */

/* During a refusal only the log gets the true outcome. */
static const as_transaction *copy_truth(const as_transaction *transaction)
{
    return transaction->truth ? transaction->truth : apr_pmemdup(transaction->pool, transaction, sizeof(*transaction));
}

static walks make_walks(request_rec *r, const as_context *context, const as_snapshot *arrived,
                        const as_transaction *before)
{
    walks all = {.arrived = arrived, .left = WALKS - 1, .hinted = context->mask->handling};

    as_mask_make_log_ids(r);
    if (before) {
        all.before = *before;
    }
    all.decoys = as_decoys_get(r, as_snapshot_make_path(r));
    all.truth = copy_truth(context->transaction);
    return all;
}

void as_passes_walk_unused(request_rec *r, const as_snapshot *arrived, const as_transaction *before)
{
    as_context *context = as_context_get(r);
    walks all = make_walks(r, context, arrived, before);
    as_nearby decoys;

    /* Its result is not used: where sections are patterns, the search takes as long as a walk. */
    as_decoys_find_nearby(r, all.decoys, true, &decoys);
    walk_unused(r, context, &all);
    wait_for_tick(r, &all);
}

int as_passes_answer(request_rec *r, as_context *context, const as_snapshot *arrived, const as_transaction *before)
{
    walks all = make_walks(r, context, arrived, before);

    return answer_as_missing(r, context, &all);
}
