/* SPDX-License-Identifier: Apache-2.0
 *
 * A request at its arrival, and passes that begin from it.
 */
#ifndef AUTHSTATUS_HTTPD_SNAPSHOT_H
#define AUTHSTATUS_HTTPD_SNAPSHOT_H

#include <httpd.h>

typedef struct as_snapshot as_snapshot;

/* Results of lookups that httpd keeps in the connection, where they outlive a pass: the client's host name, and its
 * user by the Identification Protocol (RFC 1413). */
typedef struct as_client_names {
    char *host, *logname;
    int double_reverse;
} as_client_names;

/* What passes leave in the connection: these names, and its notes. */
typedef struct as_connection_state {
    as_client_names names;
    const apr_table_t *notes; /* NULL: empty */
} as_connection_state;

/* Saves it, in a pool that lives as long as the state; and restores it. */
as_connection_state as_connection_state_get(apr_pool_t *pool, const conn_rec *c);
void as_connection_state_set(conn_rec *c, const as_connection_state *state);

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
 * its filters. An isolated pass has filters of its own, and no body. APR_ENOMEM, or APR_EGENERAL: `r` is unchanged. */
apr_status_t as_snapshot_begin(request_rec *r, const as_snapshot *kept, as_pass_reach reach);
/* Removes a body that was kept, but never read. Call it between the last walk and the answer. */
void as_snapshot_forget_unread_body(request_rec *r, const as_snapshot *kept);
/* A pass that may answer, while another one is made. Lives as long as the request. */
typedef struct as_pass as_pass;
/* Saves the pass of `r`; and makes `r` that pass again, but for how far the body was read since. */
as_pass *as_snapshot_save_pass(const request_rec *r, const as_snapshot *kept);
void as_snapshot_restore_pass(request_rec *r, const as_pass *pass);
/* Restores the request's own pool, after the last use of the pass's. */
void as_snapshot_end(request_rec *r, const as_snapshot *kept);
/* Returns the requested path as sent, not decoded. NULL if there is none. */
char *as_snapshot_make_path(const request_rec *r);

/* This module's state of a request to a virtual host that masks (passes.h). */
typedef struct as_own as_own;

/* Returns memory for the state of the request that was saved, in one allocation with it. Not zeroed. */
static inline as_own *as_snapshot_get_own(as_snapshot *kept)
{
    return (as_own *)(void *)kept; /* it begins with it */
}

#endif
