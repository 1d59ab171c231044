/* SPDX-License-Identifier: Apache-2.0
 *
 * `Require ldap-*`: declarations shared by the files that answer these lines.
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
    const char *problem;              /* why a constant line can never be answered, or NULL */
    bool may_refuse;                  /* it is within a negation, or an alias that a negation may name */
    bool negated;                     /* a yes refuses: the line is behind `not` or in RequireNone */
    bool stays;                       /* lives as long as the process serves */
    const void *theirs;               /* the line as mod_authnz_ldap parsed it; NULL: not loaded */
} as_require_line;

/* ---- require_line.c ---- */

/* Parses a line at start-up or in .htaccess. Returns NULL and *parsed, or a sentence. */
const char *as_require_parse(cmd_parms *cmd, as_requirement_kind kind, const char *text, const void **parsed);

/* Begins a reading of the configuration: call it before our own providers are registered. */
void as_require_lines_begin(apr_pool_t *pconf);

/* Returns mod_authnz_ldap's provider of that name; NULL: it is not loaded. */
const authz_provider *as_require_get_theirs(as_requirement_kind kind);

/* ---- known_line.c: answers of lines to logins that were found by their headers ---- */

/* Returns whether answers of this line are learnt in this request. */
bool as_known_line_is_suited(const request_rec *r, const as_context *context, const as_require_line *line);
/* Returns the answer, where the line would get it from the cache of this process; else NULL. */
const as_authorization *as_known_line_recall(request_rec *r, as_context *context, const as_require_line *line);
/* Learns an answer. */
void as_known_line_learn(request_rec *r, const as_context *context, const as_require_line *line,
                         const as_authorization *authorization);

/* ---- evaluation.c: one phase of one request, including lines in doubt ---- */

/* A line answered in this phase, with its entry. */
typedef struct as_answered as_answered;
struct as_answered {
    const as_answered *next;
    const as_require_line *line;
    const as_section *section;
    const as_entry *entry; /* NULL: none was needed, or found */
    bool known;            /* of known_line.c: the entry is the login's */
    as_requirement requirement;
    const as_authorization *authorization;
};

/* Tables that a trial run changes. X(table) */
#define AS_TRIAL_TABLES(X)                                                                                             \
    X(headers_out)                                                                                                     \
    X(err_headers_out)                                                                                                 \
    X(subprocess_env)                                                                                                  \
    X(notes)

/* The evaluation in progress: context->evaluation, NULL outside of it. */
struct as_evaluation {
    const struct ap_logconf *log; /* of the request, the original */
    const as_answered *answered;
    as_trials *trials;                      /* NULL: no line in doubt was evaluated */
    bool last;                              /* the last run: lines in doubt are no */
    const as_answered *granting;            /* the last line with a yes outside of a negation */
#define AS_TABLE(table) apr_table_t *table; /* before the first run; set with `trials` */
    AS_TRIAL_TABLES(AS_TABLE)
#undef AS_TABLE
};

/* Returns httpd's status for a line, given its answer. */
authz_status as_evaluation_choose_status(request_rec *r, as_context *context, const as_answered *answered);

#endif
