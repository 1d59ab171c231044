/* SPDX-License-Identifier: Apache-2.0
 *
 * The mask: a refused request answers as one for a resource that does not exist. What the hooks and mod_authstatus.c
 * need; the files of this folder share passes.h.
 */
#ifndef AUTHSTATUS_HTTPD_MASK_H
#define AUTHSTATUS_HTTPD_MASK_H

#include <util_filter.h>

#include "../config/config.h"
#include "../request/request.h"
#include "decoy.h"

/* ---- the state of a request ---- */

/* The login of the first pass (cached_login.c). */
typedef struct as_cached_login as_cached_login;

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

/* ---- servers that mask ---- */

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

/* httpd's hook: finds which servers mask anything, and draws the secret of decoys. OK, or the start-up stops. */
int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* Returns whether a section of any server masks anything, or maps a 403. Call it after the configuration was read. */
bool as_mask_is_configured(const server_rec *main_server);
/* httpd's hooks of the names behind as_mask_: see hacking.md, "The way of a masked request". */
int as_mask_quick_handler(request_rec *r, int lookup);
int as_mask_translate(request_rec *r);
int as_mask_post_perdir(request_rec *r);
int as_mask_type_checker(request_rec *r);
/* Returns whether as_mask_handler has something to do: false for most requests. */
static inline bool as_mask_may_handle(const request_rec *r, const as_mask *mask)
{
    if (mask->pass != AS_PASS_FIRST) {
        return mask->pass == AS_PASS_MISSING;
    }
    /* An answer to other methods may reveal a file that may not be read, or a directory that may not be listed. */
    return r->finfo.filetype == APR_DIR ||
           (r->finfo.filetype == APR_REG && r->method_number != M_GET && r->method_number != M_POST);
}

/* Runs before all handlers, for such a request. */
int as_mask_handler(request_rec *r, as_mask *mask);
void as_mask_register_filters(void);
void as_mask_insert_error_filters(request_rec *r);
/* Returns the status for a hook after a verdict, masked or not; OK for a grant. */
int as_mask_choose_status(request_rec *r, as_context *context, const as_verdict *verdict);

/* ---- AuthStatusMask All ---- */

/* Notes the credentials that a provider of ours checks, where All applies. */
void as_mask_note_credentials(const request_rec *r, as_context *context, const char *user, const char *password);
/* Records a granted login. */
void as_mask_record_proven(const as_section *section, const as_context *context);
/* Adds to the policy whether an outage may be disclosed to this client. */
void as_mask_weigh(const as_context *context, const as_finding *finding, as_policy *policy);

/* Returns a hook's status for a login that another module answered: under All nothing reveals that a login was
 * requested. Records the intended status. */
int as_mask_choose_login_status(request_rec *r, as_context *context, int status);

/* ---- one login for both passes ---- */

/* Begin and end an authentication, whose result is kept for a second pass. `status`: of its hooks. */
void as_mask_begin_login(request_rec *r, as_context *context);
void as_mask_end_login(request_rec *r, as_context *context, int status);
/* Repeats the result of the first pass's login in a second pass, and sets *status. Returns false where there is none
 * for this section: authenticate. */
bool as_mask_login_was_made(request_rec *r, as_context *context, int *status);

/* Counts a subrequest in a masking section that enters httpd's access phase (1) or has passed it (-1). One that other
 * modules refuse there does not come out of it. */
void as_mask_count_access(const request_rec *r, int more);

#endif
