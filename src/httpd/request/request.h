/* SPDX-License-Identifier: Apache-2.0
 *
 * One request: its state, and its phases.
 */
#ifndef AUTHSTATUS_HTTPD_REQUEST_H
#define AUTHSTATUS_HTTPD_REQUEST_H

#include <mod_auth.h>

#include "../config/config.h"

/* ---- transaction.c: the state of a request ---- */

/* The hook that our own hook of the same name is running, so that it declines when called again. */
typedef enum as_phase { AS_PHASE_ACCESS = 1, AS_PHASE_AUTHN = 2, AS_PHASE_AUTHZ = 4, AS_PHASE_HANDLER = 8 } as_phase;

/* The common state of one transaction: the client's request, its internal redirects and its subrequests. */
typedef struct as_transaction as_transaction;
struct as_transaction {
#define AS_TRANSACTION_MEMBER(type, name, second_pass) type name;
#include "state.def"
};

/* The state of the masking of a request. */
typedef struct as_mask as_mask;
/* The state of the evaluation of its Require lines. */
typedef struct as_evaluation as_evaluation;

/* A login that was found by its header. Lives as long as the request. */
typedef struct as_header_login {
    as_lookaside_key key;
    as_acceptance acceptance;
    const char *values; /* texts, each with its end, of the first `count` attributes of the directory */
    int count;
} as_header_login;

/* One request of a transaction. */
typedef struct as_context {
#define AS_CONTEXT_MEMBER(type, name, second_pass, reused_login) type name;
#include "state.def"
} as_context;

/* Resets a transaction for a second pass. `arrival`: the transaction when the request arrived; `truth`: the decision
 * about the requested resource. */
void as_transaction_reset(as_transaction *transaction, const as_transaction *arrival, const as_transaction *truth);
/* Resets the context of a request for a second pass. */
void as_context_reset(as_context *context);
/* Takes over the login of an earlier pass. `login`: the context when that login ended. */
void as_context_reuse_login(as_context *context, const as_context *login);

/* A client's own request, and its transaction. */
typedef struct as_client_state {
    as_context context;
    as_transaction transaction;
} as_client_state;

/* Prepares the state of a client's own request that may be masked, in memory that lives as long as it. There is no
 * context before as_context_get makes it there. */
static inline void as_context_prepare(request_rec *r, as_client_state *state, as_mask *mask)
{
    as_context *context = ap_get_module_config(r->request_config, &as_this_module);

    if (!context) {
        context = &state->context;
        context->transaction = NULL;
        ap_set_module_config(r->request_config, &as_this_module, context);
    }
    context->mask = mask;
}

/* Returns the context of a request; NULL where none was made. */
static inline as_context *as_context_peek(const request_rec *r)
{
    as_context *context = ap_get_module_config(r->request_config, &as_this_module);

    return context && context->transaction ? context : NULL;
}

/* Returns the state of a request's masking, also where it has no context yet. NULL: it is not masked itself (a
 * subrequest, or its virtual host masks nothing). */
static inline as_mask *as_mask_peek(const request_rec *r)
{
    const as_context *context = ap_get_module_config(r->request_config, &as_this_module);

    return context ? context->mask : NULL;
}

/* Makes the context of a request that has none. */
as_context *as_context_create(request_rec *r);
/* Returns the context of a request; the first call makes it. Never NULL. */
static inline as_context *as_context_get(request_rec *r)
{
    as_context *context = as_context_peek(r);

    return context ? context : as_context_create(r);
}
/* Returns the transaction that a request has in common with its subrequests and redirects; NULL if there is none. */
as_transaction *as_transaction_find(const request_rec *r);
/* Returns the transaction of a request, made by any of its requests; NULL if there is none. */
static inline as_transaction *as_transaction_peek(const request_rec *r)
{
    const as_context *context = ap_get_module_config(r->request_config, &as_this_module);

    if (context) {
        return context->transaction;
    }
    return r->main || r->prev ? as_transaction_find(r) : NULL;
}

/* Returns false where as_transaction_peek returns NULL, for most requests that have nothing to do with this module. */
static inline bool as_transaction_may_exist(const request_rec *r)
{
    const as_context *context = ap_get_module_config(r->request_config, &as_this_module);

    return context ? context->transaction != NULL : r->main || r->prev;
}

/* Returns whether the transaction was refused: httpd sends its first error, whatever happens to its ErrorDocument. */
bool as_transaction_is_refused(const as_transaction *transaction);

/* Returns the value of Authorization, or of Proxy-Authorization for a forward proxy; NULL: not sent. */
const char *as_authorization_get_header(const request_rec *r);

/* ---- provider.c ---- */

/* The provider `authstatus`, for mod_auth_basic and others. */
extern const authn_provider as_provider;
/* Gets the answer and the entry of a login found by its header, where Require needs them. NULL: they are there, or
 * there was no such login; else the answer without an entry, and no other entry may be used. */
const as_answer *as_provider_complete(request_rec *r, as_context *context);
/* Counts a login after its last provider. `granted`: by any of them. */
void as_provider_settle(request_rec *r, as_context *context, bool granted);
/* Delays the answer to a login that failed (as_login_delay), when it is settled, judged and logged. `granted`: by any
 * provider. */
void as_provider_delay(const request_rec *r, as_context *context, bool granted);
/* Makes the observer of the queries of this request's logins and authorizations. */
as_login_observer as_observer_make(request_rec *r);

/* ---- require.c, evaluation.c, missing_entries.c: Require ldap-* ---- */

/* Registers the providers of Require ldap-*. Before the configuration is read and when all modules are loaded:
 * `Require` looks its provider up while reading. */
void as_require_register(apr_pool_t *pconf);
/* Finds mod_authz_core, for the evaluation of lines in this process. */
void as_evaluation_child_init(void);
/* Checks constant lines that can never be answered, if this module answers them. OK, or the configuration is refused:
 * in check_config, as httpd -t must find what would end httpd at a restart. */
int as_require_check_config(apr_pool_t *ptemp, server_rec *s);
/* Returns whether this module answers the lines of a section. False also if there are none. */
bool as_require_is_ours(const as_section *section);
/* Runs the hooks behind ours of the access or the authorization phase, including lines in doubt. Returns their
 * status; or HTTP_SERVICE_UNAVAILABLE, and *doubt is the answer that decides the request. Else *doubt is NULL. */
int as_require_run(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt);
/* Returns whether to warn that an entry of a directory (as_directory_compute_fingerprint) does not exist: once an
 * hour in each process. */
bool as_require_is_news(const char *fingerprint, const char *dn);

/* ---- hooks.c ---- */

/* Authenticates once, even if a masked request makes a second pass. Returns the status of the hooks behind ours. */
int as_request_authenticate(request_rec *r, as_context *context);
/* Returns whether a header of the Basic scheme is refused before any provider reads it. */
bool as_request_is_unreadable(request_rec *r);
/* httpd's hooks of the names behind as_hook_; their places in the order are in mod_authstatus.c. */
int as_hook_header_parser(request_rec *r);
int as_hook_access_begin(request_rec *r);
int as_hook_access_end(request_rec *r);
int as_hook_access(request_rec *r);
/* Runs after as_hook_access: requires a login although it did not decline. */
int as_hook_force_authn(request_rec *r);
int as_hook_authn(request_rec *r);
int as_hook_authz(request_rec *r);
int as_hook_fixups(request_rec *r);
/* Its request has a handler. */
int as_hook_handler(request_rec *r);
int as_hook_log(request_rec *r);

/* ---- chain.c: the hooks of other modules ---- */

typedef int as_chain_hook(request_rec *r);
/* Finds the hooks behind our own. `pool` lives as long as the process serves. */
void as_chain_child_init(apr_pool_t *pool, as_chain_hook *access, as_chain_hook *authn, as_chain_hook *authz,
                         as_chain_hook *handler);
/* Runs the hooks of a phase behind ours. Returns the first result other than DECLINED, or DECLINED. */
int as_chain_run(request_rec *r, as_context *context, as_phase phase);

/* Returns whether mod_auth_basic's authentication hook is behind ours. */
bool as_chain_has_basic(void);
/* Returns whether another module's is between the two. */
bool as_chain_has_more_before_basic(void);
/* Run the hooks of authentication behind ours and before mod_auth_basic's; then the others, from its own on. */
int as_chain_run_to_basic(request_rec *r, as_context *context);
int as_chain_run_from_basic(request_rec *r, as_context *context);

/* ---- lookaside.c: a login that this process has cached, found by the octets of its header ---- */

typedef enum as_looked {
    AS_LOOKED_IN_VAIN,   /* not found: the login is made in the usual way */
    AS_LOOKED_AND_FOUND, /* granted and published */
    AS_LOOKED_OTHERWISE  /* *status is the result of the other modules, all of which were run: judge it */
} as_looked;

/* Makes the lookaside of this process, for the life of `pool`; without memory it finds nothing. */
void as_lookaside_child_init(apr_pool_t *pool);
/* Looks up the login of this request, in place of mod_auth_basic. */
as_looked as_lookaside_find_login(request_rec *r, as_context *context, int *status);
/* Records a login granted in the usual way; `header`: as sent, from the request's original headers. */
void as_lookaside_learn(request_rec *r, const as_context *context, const char *header);
/* Sets the variables of the login's attributes, with another prefix than AUTHENTICATE_. */
void as_lookaside_publish(request_rec *r, const char *prefix, const as_directory_settings *settings,
                          const as_header_login *login);

/* ---- form_login.c ---- */

/* Returns whether it is certain that mod_auth_form granted the login, where its hook or handler (`phase`) ended with
 * this status. */
bool as_form_login_was_granted(request_rec *r, as_phase phase, int status);

/* ---- challenge.c ---- */

/* Makes the answer of `r` carry challenges (RFC 9110 11.6.1) or none, in the form of `dialog`: each field that a
 * module made as a field of its own. Returns their values (const char *), from the request's pool. */
const apr_array_header_t *as_challenge_set(request_rec *r, bool wanted, as_dialog dialog);
/* Restores the challenges that were sent for an earlier request of the transaction; NULL: none. */
void as_challenge_restore(request_rec *r, const apr_array_header_t *challenges);

/* ---- log.c, publish.c, decide.c ---- */

/* Keeps the outages in persistent shared memory, over restarts of the server. */
apr_status_t as_log_post_config(server_rec *s);
/* Records an answer: outages of its directory that are over are logged. */
void as_log_answered(const request_rec *r, const as_answer *answer);

/* Decides the request by a finding: logs it, publishes it, sets the headers of the answer. Returns the status for
 * the hook; OK for a grant. `wait` as in as_verdict_make. */
int as_decide(request_rec *r, as_context *context, const as_finding *finding, long wait);
/* The same for a grant from the cache without a log line, in the client's own request. `now`: of CLOCK_MONOTONIC. */
void as_decide_quiet_grant(request_rec *r, as_context *context, const as_finding *finding, int64_t now);
/* Turns the outcome of a granted request that used a stale answer into granted-stale. */
void as_decide_stale(request_rec *r, as_context *context);
/* The same for an answer of another module that stays unchanged: logs and records only. */
void as_decide_as_is(request_rec *r, const as_context *context, const as_finding *finding, int status);
/* Makes a text from outside fit for a line of the log: of at most `most` octets, and without what could end the line or
 * its quotes. httpd escapes the rest. */
const char *as_log_escape(apr_pool_t *pool, const char *text, apr_size_t most);
/* Only logs, for a provider whose section is not On. */
void as_log_outcome(request_rec *r, const as_context *context, const as_finding *finding, const as_verdict *verdict);
/* Formats the LDAP code of a finding: "49/52e", "49" or "". */
const char *as_ldap_code_format(apr_pool_t *pool, const as_finding *finding);
/* Returns the name of an attribute's variable: the prefix, and the attribute in upper case; from `pool`. */
char *as_attribute_make_variable_name(apr_pool_t *pool, const char *prefix, const char *attribute);
/* Sets a variable for each attribute of the settings to all its values, joined by "; " as mod_ldap does; "" where there
 * is none. NULL values: there was no entry. */
void as_publish_attributes(request_rec *r, const char *prefix, const as_directory_settings *settings,
                           const as_values *values);
/* Returns the status that httpd sends for a verdict's: a forward proxy's 401 is a 407. */
int as_status_get_sent(const request_rec *r, int status);
/* Set the variables (as far as the outcome may be disclosed), and the notes of the access log, of mod_authstatus.h. */
void as_publish_variables(request_rec *r, const as_transaction *transaction);
void as_publish_notes(const request_rec *r, const as_transaction *transaction);

#endif
