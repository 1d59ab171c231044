/* SPDX-License-Identifier: Apache-2.0
 *
 * `Require ldap-*`: what the files of this room that answer these lines share.
 */
#ifndef AUTHSTATUS_HTTPD_REQUIRE_H
#define AUTHSTATUS_HTTPD_REQUIRE_H

#include "request.h"

#include "authstatus/require_line.h"
#include "authstatus/three_values.h"

/* A line as it was read at start-up; read-only while the server serves. */
typedef struct as_require_line {
    as_requirement_kind kind;
    const ap_expr_info_t *expression; /* NULL: the requirement is constant */
    as_requirement requirement;       /* of a constant line */
    const char *problem;              /* why a constant line can never be answered; NULL: it can */
    bool may_refuse;                  /* it is within a negation, or an alias that a negation may name */
    bool negated;                     /* a yes refuses: it stands behind `not` or in RequireNone */
    const void *theirs;               /* what mod_authnz_ldap made of the line; NULL: it is not loaded */
} as_require_line;

/* ---- require_line.c ---- */

/* Reads a line at start-up or in .htaccess. NULL and *parsed, or a sentence. */
const char *as_require_parse(cmd_parms *cmd, as_requirement_kind kind, const char *text, const void **parsed);

/* Begins a reading of the configuration: before our own providers are registered. */
void as_require_lines_begin(apr_pool_t *pconf);

/* Returns mod_authnz_ldap's provider of that name; NULL: it is not loaded. */
const authz_provider *as_require_theirs(as_requirement_kind kind);

/* ---- evaluation.c: one phase of one request, lines in doubt included ---- */

/* A line that was answered in this phase, and what of. */
typedef struct as_answered as_answered;
struct as_answered {
    const as_answered *next;
    const as_require_line *line;
    const as_section *section;
    const as_entry *entry; /* NULL: none was needed, or found */
    as_requirement requirement;
    const as_authorization *authorization;
};

/* Where a trial run leaves something behind. X(table) */
#define AS_TRIAL_TABLES(X)                                                                                             \
    X(headers_out)                                                                                                     \
    X(err_headers_out)                                                                                                 \
    X(subprocess_env)                                                                                                  \
    X(notes)

/* The evaluation in progress: context->evaluation, NULL outside of it. */
struct as_evaluation {
    const struct ap_logconf *log; /* of the request, as it was */
    const as_answered *answered;
    as_trials *trials;                      /* NULL: no line in doubt was met */
    bool last;                              /* the last run: lines in doubt are no */
    const as_answered *granting;            /* the last line that said yes outside of a negation */
#define AS_TABLE(table) apr_table_t *table; /* before the first run; set with `trials` */
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
};

/* What httpd is told of a line, given its answer. */
authz_status as_evaluation_tell(request_rec *r, as_context *context, const as_answered *answered);

#endif
