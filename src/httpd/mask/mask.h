/* SPDX-License-Identifier: Apache-2.0
 *
 * The mask: a refused request answers as one for a resource that does not exist.
 */
#ifndef AUTHSTATUS_HTTPD_MASK_H
#define AUTHSTATUS_HTTPD_MASK_H

#include "../config/config.h"
#include "../request/request.h"
#include "authstatus/decoy_name.h"

#include <util_filter.h>

/* ---- interface for the hooks and mod_authstatus.c ---- */

/* as_server's `masks`: the mask is on in some section, or AuthStatusMap changes a 403 there. */
typedef enum as_reach { AS_REACH_NONE, AS_REACH_MASKED, AS_REACH_MAPPED } as_reach;

/* Returns whether any section of this server masks anything. */
static inline bool as_server_has_mask(const as_server *server)
{
    return server->masks == AS_REACH_MASKED;
}

/* Returns whether any section of it masks a 403, or maps it to another status. */
static inline bool as_server_must_watch(const as_server *server)
{
    return server->masks > AS_REACH_NONE;
}

int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* Returns whether a section of any server masks anything, or maps a 403. Call it after the configuration was read. */
bool as_mask_is_configured(const server_rec *main_server);
/* httpd's hooks of the names behind as_mask_: see hacking.md, "The way of a masked request". */
int as_mask_quick_handler(request_rec *r, int lookup);
int as_mask_translate(request_rec *r);
int as_mask_post_perdir(request_rec *r);
int as_mask_type_checker(request_rec *r);
/* Runs before all handlers, for a request whose masking has this state (as_mask_peek). */
int as_mask_handler(request_rec *r, as_mask *mask);
void as_mask_register_filters(void);
void as_mask_insert_error_filters(request_rec *r);
/* Returns the status for a hook after a verdict, masked or not; OK for a grant. */
int as_mask_choose_status(request_rec *r, as_context *context, const as_verdict *verdict);
/* ---- proven.c: AuthStatusMask All ---- */

/* Opens the shared memory of proven passwords. Returns OK, or a status that stops the start. */
int as_proven_post_config(server_rec *s);
/* Notes the credentials that a provider of ours checks, where All applies. */
void as_mask_note_credentials(const request_rec *r, as_context *context, const char *user, const char *password);
/* Records a granted login. */
void as_mask_record_proven(const as_section *section, const as_context *context);
/* Adds to the policy whether an outage may be disclosed to this client. */
void as_mask_weigh(const as_context *context, const as_finding *finding, as_policy *policy);

/* Around an authentication, whose result is kept for a second pass; and that result, if there is one. */
void as_mask_begin_login(request_rec *r, as_context *context);
void as_mask_end_login(request_rec *r, as_context *context, int status);
bool as_mask_login_was_made(request_rec *r, as_context *context, int *status);

/* ---- snapshot.c: a request at its arrival ---- */

typedef struct as_snapshot as_snapshot;

/* Results of lookups that httpd keeps in the connection, where they outlive a pass: the client's host name, and its
 * user by the Identification Protocol (RFC 1413). */
typedef struct as_client_names {
    char *host, *logname;
    int double_reverse;
} as_client_names;

static inline as_client_names as_client_names_get(const conn_rec *c)
{
    const as_client_names names = {
        .host = c->remote_host, .logname = c->remote_logname, .double_reverse = c->double_reverse};

    return names;
}
void as_client_names_set(conn_rec *c, const as_client_names *names);

/* Finds the modules whose state of a request is saved. */
void as_snapshot_post_config(void);
/* Saves a request before its first hook. Valid as long as the request. */
as_snapshot *as_snapshot_make(const request_rec *r);
/* The same in a translate_name hook of an internal redirect: without what httpd has done with it by then. */
as_snapshot *as_snapshot_make_late(const request_rec *r);
/* What a pass may reach: nothing of the client's, or its body and its connection, so that it may answer. */
typedef enum as_pass_reach { AS_PASS_ISOLATED, AS_PASS_CONNECTED } as_pass_reach;

/* Makes `r` the request that arrived, with a pool of its own (below the request's), and what the last pass of it has
 * read of the body. The structs and tables of earlier passes stay as they are: a copy of *r brings one back, but for
 * its filters. An isolated pass has filters of its own, and no body.
 */
apr_status_t as_snapshot_begin(request_rec *r, const as_snapshot *kept, as_pass_reach reach);
/* Removes a body that was kept, but never read. Call it between the last walk and the answer. */
void as_snapshot_forget_unread_body(request_rec *r, const as_snapshot *kept);
/* A pass that may answer, while another one is made; and that pass again, but for how far the body was read since. */
typedef struct as_pass as_pass;
as_pass *as_snapshot_save_pass(const request_rec *r, const as_snapshot *kept);
void as_snapshot_restore_pass(request_rec *r, const as_pass *pass);
/* Restores the request's own pool, after the last use of the pass's. */
void as_snapshot_end(request_rec *r, const as_snapshot *kept);
/* Returns the requested path as sent, not decoded. NULL if there is none. */
char *as_snapshot_make_path(const request_rec *r);

/* ---- decoy.c: paths of missing resources ---- */

/* Segments of a path that are tried. A deeper path is treated as its upper part: no request causes more work. */
#define AS_SEGMENTS_MAX 64

/* A part of a path that a decoy's name may replace. */
typedef struct as_decoy_spot {
    const char *begin, *end;
    int below; /* number of segments below this one */
    as_decoy_shape shape;
} as_decoy_spot;

typedef struct as_decoys {
    const char *path;                         /* normalised, percent-encoded */
    as_decoy_spot spots[2 * AS_SEGMENTS_MAX]; /* nearest first; of each segment: a name of its shape, with its
                                               * extension; then one that no pattern may know */
    int count;                                /* never 0 */
    const char *end, *extension;              /* of the last segment; its extensions, if it has any, else its end */
} as_decoys;

/* What copies are searched for in a text. */
typedef struct as_decoy {
    char *path;       /* the requested path, with a missing name in place of one segment, or more; percent-encoded */
    const char *name; /* that name, decoded */
    as_decoy_name octets;
} as_decoy;

/* Draws the secret of this server's decoys. Call it before the first of them is made. */
apr_status_t as_decoys_post_config(void);
/* Returns the parts of a path that decoys replace; as long as the request. Never NULL. */
const as_decoys *as_decoys_get(request_rec *r, const char *path);
/* Returns the index of the segment that has so many below it; 0: there is none. */
int as_decoys_find_index(const as_decoys *all, int below);
/* Returns the index of a decoy that has another name for that segment and for each one below it. A pattern that knows a
 * segment wherever it is knows this decoy only if that segment is above; it may know the decoy of a segment alone. */
int as_decoys_get_tail(const as_decoys *all, int index, as_decoy_shape shape);
/* A question about a decoy. */
typedef bool as_decoy_test(void *data, int index);
/* Returns the first segment from `low` on, below `high`, of whose decoy the answer is yes, as it is for all that are
 * farther; `high`: there is none. It asks about tails. */
int as_decoys_search(int low, int high, const as_decoys *all, as_decoy_test *test, void *data);
/* Returns the decoy of a segment that is most like what was requested, of those of which the answer is yes: that of the
 * segment alone, or a tail. */
int as_decoys_choose(int index, const as_decoys *all, as_decoy_test *test, void *data);
/* Returns whether the path has more segments than are tried. */
bool as_decoys_is_deep(const as_decoys *all);
/* Returns which decoy a search asks about for a segment: outward, fewer sections and rules know it. */
int as_decoys_get_searched(const as_decoys *all, int index);
as_decoy_spot as_decoys_get_spot(const as_decoys *all, int index);
/* Makes a decoy, from r->pool. `index`: below `count`, or of a tail. Call it before any hook of the pass: its name is
 * in nothing that the request has by then. */
const as_decoy *as_decoy_make(request_rec *r, const as_decoys *all, int index);
/* The same for names that are compared and go no further: one may be in what the request has. */
const as_decoy *as_decoy_sketch(request_rec *r, const as_decoys *all, int index);
/* Returns what rules of the server say to the name of a resource: HTTP_FORBIDDEN for RewriteRule [F], Redirect 403.
 * Runs the translate_name hooks of these two modules, and no other. */
int as_decoy_translate(request_rec *r);
/* Returns a percent-encoded path, or a part of it, as httpd decodes it. */
const char *as_decoy_decode(request_rec *r, const char *text);
/* Returns `text` with each copy of the decoy's name, or of a part of it, replaced by the original. */
char *as_decoy_undo(apr_pool_t *pool, const as_decoy *decoy, char *text);
/* Does the same for the names and values of a table; returns the table itself if there is nothing to replace. */
apr_table_t *as_decoy_undo_table(apr_pool_t *pool, const as_decoy *decoy, apr_table_t *table);

/* ---- section_set.c: sections that apply ---- */

/* Finds the modules that may refuse, and those that define logins. */
void as_section_sets_post_config(void);
/* Returns whether the same sections define the login of both requests, so that the same providers are queried. */
bool as_section_set_has_same_login(const request_rec *one, const request_rec *other);
/* Decoys of a refused request, by the sections that reach them. */
typedef struct as_nearby {
    int nearest;   /* that the sections which refused the request do not all reach */
    int between;   /* the next one outward that fewer sections reach, if it is not the last; -1: none */
    int farthest;  /* that the fewest reach */
    bool alike;    /* the same sections reach all that are farther than the nearest, and they are files */
    int low, high; /* segments between which a decoy may have to be searched for */
} as_nearby;

/* Finds them. `walked`: the walk to the file was not what refused it. False: it was refused by its name. */
bool as_decoys_find_nearby(request_rec *r, const as_decoys *all, bool walked, as_nearby *found);

/* Returns the file that a decoy of a request would be, and the path behind it; NULL for none. */
char *as_decoy_make_filename(request_rec *r, const as_decoys *all, int index, const char **path_info);

/* ---- cached_login.c: one login for both passes ---- */

typedef struct as_cached_login as_cached_login;

/* Removes the state of mod_auth_digest, which answers in its fixups (Authentication-Info) when its hook has run,
 * even without a result. For a missing resource without login, it did not run. */
void as_mask_login_forget(request_rec *r);

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

/* Makes the walks of a masked request for a request whose resource is missing, and waits as long; else nothing. */
void as_passes_walk_unused(request_rec *r, const as_snapshot *arrived, const as_transaction *before);

/* The kind of pass that a request makes. */
typedef enum as_pass_kind {
    AS_PASS_FIRST,   /* as requested; no output may reach the client before it is known to be allowed */
    AS_PASS_MISSING, /* as a missing resource */
    AS_PASS_DONE     /* its answer is made */
} as_pass_kind;

struct as_mask {
#define AS_MASK_MEMBER(type, name, second_pass) type name;
#include "../request/state.def"
};

/* This module's state of a request to a virtual host that masks. */
typedef struct as_own {
    as_client_state client;
    as_mask mask;
} as_own;

/* Returns memory for the state of the request that was saved, in one allocation with it. Not zeroed. */
static inline as_own *as_snapshot_get_own(as_snapshot *kept)
{
    return (as_own *)(void *)kept; /* it begins with it */
}

/* ---- missing_pass.c ---- */

/* Keeps this pass out of the log: nobody requested its resource. */
void as_mask_silence_log(request_rec *r);
/* The URL is again as the client sent it; and the name of the file. */
void as_mask_undo_url(request_rec *r, const as_decoy *as);
void as_mask_undo_filename(request_rec *r, const as_decoy *as);
/* Does the same for the file that the mask has recorded; both are done before the wait, so that no clock measures them.
 */
void as_mask_undo_file(request_rec *r, as_mask *mask);
/* Returns whether the handler (of scripts) reports itself that the file is missing. */
bool as_mask_is_missing_script(const request_rec *r);

/* ---- setup.c, hides.c ---- */

/* Returns a hook's status for a login that another module answered: under All nothing reveals that a login was
 * requested. Records the intended status. */
int as_mask_choose_login_status(request_rec *r, as_context *context, int status);

/* Gives the request the settings of the directory that its file is in, without a walk to the file. */
void as_mask_find_directory(request_rec *r);
/* Returns whether an answer with this status, from no hook of ours, must be masked, or mapped by AuthStatusMap. */
bool as_mask_must_hide(request_rec *r, const as_context *context, int status);
/* Judges the result of a request's first pass. Returns the status for it; context->masked: it must be answered as a
 * missing resource. */
int as_mask_judge(request_rec *r, as_context *context, int status);
/* Returns whether a decoy is refused as well. */
bool as_mask_must_refuse(request_rec *r, const as_context *context, int status);
/* Counts a subrequest in a masking section that enters httpd's access phase (1) or has passed it (-1). One that other
 * modules refuse there does not come out of it. */
void as_mask_count_access(const request_rec *r, int more);

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

#endif
