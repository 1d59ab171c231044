/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of masking share with each other alone.
 */
#ifndef AUTHSTATUS_HTTPD_MASK_H
#define AUTHSTATUS_HTTPD_MASK_H

#include "private.h"

/* ---- mask_kept.c: a request as it was before its first hook ---- */

typedef struct as_kept as_kept;

as_kept *as_kept_take(request_rec *r);
/* Makes the request what it was. What came from the client and was read stays read; what our hooks know stays known. */
void as_kept_give_back(request_rec *r, const as_kept *kept);
/* The path that was asked for, as it was sent: not yet decoded. NULL where there is none. */
const char *as_kept_path(const as_kept *kept);

/* ---- mask_name.c: paths that nothing has ---- */

/* What a path is searched for. */
typedef struct as_stand_in {
    char *path;          /* the path asked for, one segment replaced by a name that nothing has; percent-encoded */
    const char *name;    /* that name */
    const char *segment; /* what it stands for, decoded */
} as_stand_in;

/* Before the first of them is asked for. */
apr_status_t as_stand_ins_post_config(void);
/* The paths of missing resources that are nearest to `path`, nearest first. Never none. */
const apr_array_header_t *as_stand_ins(request_rec *r, const char *path);
/* `text` with the stand-in's name in it replaced by what it stands for. */
char *as_stand_in_undo(apr_pool_t *pool, const as_stand_in *stand_in, char *text);

/* ---- mask_login.c: one login for both ways ---- */

typedef struct as_kept_login as_kept_login;

/* mod_auth_digest remembers by itself that it was asked, and answers for it in its fixups (Authentication-Info), even
 * where it has nothing to answer with. For a missing resource that needed no login, it was not asked. */
void as_mask_login_forget(request_rec *r);

/* ---- mask.c ---- */

/* Which way a request goes that is in our hands. */
typedef enum as_way {
    AS_WAY_ITS_OWN, /* as it was asked for; nothing of it may reach the client before it is known to be allowed */
    AS_WAY_MISSING, /* as a resource that is missing */
    AS_WAY_DONE     /* its answer is made */
} as_way;

struct as_mask {
    as_way way;
    apr_time_t begun;
    bool walked;            /* the configuration of its place has been found */
    bool handling;          /* its handler has been asked */
    bool hidden_subrequest; /* a subrequest of it was refused by a masked verdict */
    int swallowed;          /* the status of a handler's own refusal that the filter has kept from the client, or 0 */
    as_kept_login *login;   /* what the authentication on its own way came to, or NULL */
    const as_stand_in *as;  /* on the way of a missing resource: which */
    const struct ap_logconf *log; /* put aside while lines of it would be about a resource that nobody asked for */
    char *filename, *path_info;   /* of the missing resource */
    apr_finfo_t finfo;
};

/* Is an answer with this status to be masked? */
bool as_mask_hides(request_rec *r, const as_context *context, int status);

#endif
