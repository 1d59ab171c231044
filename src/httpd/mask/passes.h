/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a masked request, and its passes: declarations shared by the files of this folder.
 */
#ifndef AUTHSTATUS_HTTPD_PASSES_H
#define AUTHSTATUS_HTTPD_PASSES_H

#include "mask.h"
#include "snapshot.h"

/* ---- the state ---- */

/* This module's state of a request to a virtual host that masks. */
struct as_own {
    as_client_state client;
    as_mask mask;
};

/* ---- passes.c ---- */

/* Answers a refused request as one for a missing resource. `before`: the transaction at its arrival; NULL: new.
 * Returns the status for httpd. */
int as_passes_answer(request_rec *r, as_context *context, const as_snapshot *arrived, const as_transaction *before);
/* Returns whether a request may end as one for a missing resource: false where its walk has found a file, and nothing
 * of its path is left. */
static inline bool as_passes_may_be_missing(const request_rec *r)
{
    return r->finfo.filetype == APR_NOFILE || (r->path_info && *r->path_info);
}

/* Returns whether a walk has found no file. A file with more of the path behind its name is not that file. */
static inline bool as_passes_is_nothing(const request_rec *r, apr_filetype_e type, const char *path_info)
{
    return type == APR_NOFILE || (path_info && *path_info && r->used_path_info != AP_REQ_ACCEPT_PATH_INFO);
}

/* Makes the walks of a masked request for a request whose resource is missing, and waits as long. */
void as_passes_walk_unused(request_rec *r, const as_snapshot *arrived, const as_transaction *before);

/* ---- missing_pass.c ---- */

/* Keeps this pass out of the log: nobody requested its resource. */
void as_mask_silence_log(request_rec *r);
/* Gives the request and its connection the ids that a line in the error log gives them: an answer may show these
 * (REQUEST_LOG_ID), and a refusal is logged, while a request for what is missing is not. */
void as_mask_make_log_ids(request_rec *r);
/* Make the URL, and the name of the file, again what the client requested. */
void as_mask_undo_url(request_rec *r, const as_decoy *as);
void as_mask_undo_filename(request_rec *r, const as_decoy *as);
/* Does the same for the file that the mask has recorded; both are done before the wait, so that no clock measures them.
 */
void as_mask_undo_file(request_rec *r, as_mask *mask);
/* Returns whether the request's handler (of scripts) reports itself that the file is missing. */
bool as_mask_is_missing_script(const request_rec *r);
/* Returns whether httpd's own handler answers the request's method. */
bool as_mask_is_default(const request_rec *r);

/* ---- cached_login.c ---- */

/* Removes the state of mod_auth_digest, which answers in its fixups (Authentication-Info) when its hook has run,
 * even without a result. For a missing resource without login, it did not run. */
void as_mask_login_forget(request_rec *r);

/* ---- proven.c ---- */

/* Opens the shared memory of proven passwords. Returns OK, or a status that stops the start. */
int as_proven_post_config(server_rec *s);

/* ---- hides.c ---- */

/* Gives the request the settings of the directory that its file is in, without a walk to the file. */
void as_mask_find_directory(request_rec *r);
/* Returns whether an answer with this status, from no hook of ours, must be masked, or mapped by AuthStatusMap. */
bool as_mask_must_hide(request_rec *r, const as_context *context, int status);
/* Judges the result of a request's first pass. Returns the status for it; context->masked: it must be answered as a
 * missing resource. */
int as_mask_judge(request_rec *r, as_context *context, int status);
/* Returns whether a decoy is refused as well. */
bool as_mask_must_refuse(request_rec *r, const as_context *context, int status);
/* Returns whether answers of a login are hidden there, from this client (AuthStatusMask All). */
bool as_mask_hides_login(request_rec *r);
/* Returns whether only a protected resource answers with this status: a challenge, a refusal, a throttle, a login page,
 * an outage of the directory. */
bool as_mask_is_of_login(int status);

/* ---- filters.c ---- */

/* Runs the handlers of a pass, with the filter that sees their output first. Returns their status. */
int as_mask_invoke_handler(request_rec *r, as_mask *mask);
/* Between these two no module's answer reaches a client from whom it is hidden. */
void as_mask_guard_login(request_rec *r);
void as_mask_release_login(request_rec *r);

/* Replaces the filters of a pass that only walks: it has no body, and nobody reads its answer. */
void as_mask_isolate(request_rec *r);
/* Returns what run(r) does, which may be part of a pass that only walks. Meanwhile no interim response (103) reaches
 * the client: httpd sends these to the filters of the connection. */
int as_mask_run_muted(request_rec *r, int (*run)(request_rec *r));

#endif
