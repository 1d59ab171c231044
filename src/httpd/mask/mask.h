/* SPDX-License-Identifier: Apache-2.0
 *
 * The mask: a refused request answers as one for a resource that does not exist.
 */
#ifndef AUTHSTATUS_HTTPD_MASK_H
#define AUTHSTATUS_HTTPD_MASK_H

#include "../config/config.h"
#include "../request/request.h"

/* ---- what the hooks and the front door call ---- */

int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* Does any section of this server mask anything? */
bool as_server_masks(const as_server *server);
int as_mask_quick_handler(request_rec *r, int lookup);
int as_mask_post_perdir(request_rec *r);
int as_mask_type_checker(request_rec *r);
int as_mask_handler(request_rec *r);
void as_mask_register_filters(void);
void as_mask_insert_filters(request_rec *r);
void as_mask_insert_error_filters(request_rec *r);
/* The status that a hook returns for a verdict, masked or not; OK for a grant. */
int as_mask_decided(request_rec *r, as_context *context, const as_verdict *verdict);
/* Around an authentication, whose result is remembered for the case that the request goes its way again; and that
 * result, if it was made. */
void as_mask_login_begins(request_rec *r, as_context *context);
void as_mask_login_ends(request_rec *r, as_context *context, int status);
bool as_mask_login_was_made(request_rec *r, as_context *context, int *status);

/* ---- snapshot.c: a request as it was before its first hook ---- */

typedef struct as_snapshot as_snapshot;

as_snapshot *as_snapshot_take(request_rec *r);
/* Makes the request what it was. What came from the client and was read stays read; what our hooks know stays known. */
void as_snapshot_restore(request_rec *r, const as_snapshot *kept);
/* The path that was asked for, as it was sent: not yet decoded. NULL where there is none. */
const char *as_snapshot_path(const as_snapshot *kept);

/* ---- decoy.c: paths that nothing has ---- */

/* What a path is searched for. */
typedef struct as_decoy {
    char *path;          /* the path asked for, one segment replaced by a name that nothing has; percent-encoded */
    const char *name;    /* that name */
    const char *segment; /* what it stands for, decoded */
} as_decoy;

/* Before the first of them is asked for. */
apr_status_t as_decoys_post_config(void);
/* The paths of missing resources that are nearest to `path`, nearest first. Never none. */
const apr_array_header_t *as_decoys(request_rec *r, const char *path);
/* `text` with the stand-in's name in it replaced by what it stands for. */
char *as_decoy_undo(apr_pool_t *pool, const as_decoy *stand_in, char *text);

/* ---- cached_login.c: one login for both ways ---- */

typedef struct as_cached_login as_cached_login;

/* mod_auth_digest remembers by itself that it was asked, and answers for it in its fixups (Authentication-Info), even
 * where it has nothing to answer with. For a missing resource that needed no login, it was not asked. */
void as_mask_login_forget(request_rec *r);

/* ---- passes.c ---- */

/* Which way a request goes that is in our hands. */
typedef enum as_pass_kind {
    AS_PASS_FIRST,   /* as it was asked for; nothing of it may reach the client before it is known to be allowed */
    AS_PASS_MISSING, /* as a resource that is missing */
    AS_PASS_DONE     /* its answer is made */
} as_pass_kind;

struct as_mask {
    as_pass_kind way;
    apr_time_t begun;
    bool walked;            /* the configuration of its place has been found */
    bool handling;          /* its handler has been asked */
    bool hidden_subrequest; /* a subrequest of it was refused by a masked verdict */
    int swallowed;          /* the status of a handler's own refusal that the filter has kept from the client, or 0 */
    as_cached_login *login; /* what the authentication on its own way came to, or NULL */
    const as_decoy *as;     /* on the way of a missing resource: which */
    const struct ap_logconf *log; /* put aside while lines of it would be about a resource that nobody asked for */
    char *filename, *path_info;   /* of the missing resource */
    apr_finfo_t finfo;
};

/* Is an answer with this status to be masked? */
bool as_mask_hides(request_rec *r, const as_context *context, int status);

#endif
