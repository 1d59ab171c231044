/* SPDX-License-Identifier: Apache-2.0
 *
 * One request: its state, and the phases of httpd that it goes through.
 */
#ifndef AUTHSTATUS_HTTPD_REQUEST_H
#define AUTHSTATUS_HTTPD_REQUEST_H

#include <mod_auth.h>

#include "../config/config.h"

/* ---- transaction.c: the state of a request ---- */

/* Which of httpd's hooks is being run by our own hook of the same name, so that it passes when met again. */
typedef enum as_phase { AS_PHASE_ACCESS = 1, AS_PHASE_AUTHN = 2, AS_PHASE_AUTHZ = 4, AS_PHASE_HANDLER = 8 } as_phase;

/* What the requests of one transaction share: the client's request, its internal redirects and its subrequests. */
typedef struct as_transaction as_transaction;
struct as_transaction {
#define AS_TRANSACTION_MEMBER(type, name, second_pass) type name;
#include "state.def"
};

/* How a request is being masked. */
typedef struct as_mask as_mask;
/* How its Require lines are being evaluated. */
typedef struct as_evaluation as_evaluation;

/* One request of a transaction. */
typedef struct as_context {
#define AS_CONTEXT_MEMBER(type, name, second_pass, reused_login) type name;
#include "state.def"
} as_context;

/* Resets a transaction for a second pass. `arrival`: the transaction when the request arrived; `truth`: what was
 * decided of the resource that was asked for. */
void as_transaction_begin_again(as_transaction *transaction, const as_transaction *arrival,
                                const as_transaction *truth);
/* Resets the context of a request for a second pass. */
void as_context_begin_again(as_context *context);
/* Takes over the login of an earlier pass. `login`: the context when that login ended. */
void as_context_reuse_login(as_context *context, const as_context *login);

/* The same, in memory of the caller's, of zeros, that lives as long as `r`; unused where there is a context. */
as_context *as_context_make(request_rec *r, as_context *context, as_transaction *transaction);
/* The same as as_context_of, but NULL where nothing was made. */
static inline as_context *as_context_peek(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &authstatus_module);
}

/* Makes the context of a request that has none. */
as_context *as_context_create(request_rec *r);
/* The context of a request; made when first asked for. Never NULL. */
static inline as_context *as_context_of(request_rec *r)
{
    as_context *context = as_context_peek(r);

    return context ? context : as_context_create(r);
}
/* The transaction of a request, whichever of its requests made it; NULL where none did. */
as_transaction *as_transaction_peek(const request_rec *r);
/* httpd sends the first error of a transaction, whatever becomes of its ErrorDocument. */
bool as_transaction_is_refused(const as_transaction *transaction);

/* The value of Authorization, or of Proxy-Authorization for a forward proxy; NULL: not sent. */
const char *as_authorization_of(const request_rec *r);

/* ---- provider.c ---- */

extern const authn_provider as_provider;
/* Finds the answer and the entry of a login that was found by its header, where Require asks about them. NULL: they are
 * there, or there was no such login; else the answer that brought no entry, and no other entry is to be asked about. */
const as_answer *as_provider_complete(request_rec *r, as_context *context);
/* Counts a login whose last provider was asked. `granted`: by any of them. */
void as_provider_settle(request_rec *r, as_context *context, bool granted);
/* What a login or an authorization of this request tells of its directory. */
as_login_observer as_observer_of(request_rec *r);

/* ---- require.c, evaluation.c, missing.c: Require ldap-* ---- */

/* Registers the providers of Require ldap-*. Before the configuration is read and when all modules are loaded:
 * `Require` looks its provider up while reading. */
void as_require_register(apr_pool_t *pconf);
/* Looks for constant lines that can never be answered where this module answers them. OK, or the start-up stops. */
int as_require_post_config(apr_pool_t *ptemp, server_rec *s);
/* Does this module answer the lines of a section? False where there are none, too. */
bool as_require_is_ours(const as_section *section);
/* Runs the hooks behind ours of the access or the authorization phase, lines in doubt included. Returns their status;
 * or HTTP_SERVICE_UNAVAILABLE, and *doubt is the answer that the request's own status is to be made of. Else *doubt is
 * NULL. */
int as_require_run(request_rec *r, as_context *context, as_phase phase, const as_authorization **doubt);
/* Is it news that an entry of a directory (as_directory_compute_fingerprint) does not exist? Once an hour in each
 * process. */
bool as_require_is_news(const char *fingerprint, const char *dn);

/* ---- hooks.c ---- */

int as_hook_header_parser(request_rec *r);
int as_hook_access_begins(request_rec *r);
int as_hook_access_ends(request_rec *r);
int as_hook_access(request_rec *r);
/* Behind as_hook_access: is a login needed although it did not decline? */
int as_hook_force_authn(request_rec *r);
int as_hook_authn(request_rec *r);
int as_hook_authz(request_rec *r);
int as_hook_fixups(request_rec *r);
int as_hook_handler(request_rec *r);
int as_hook_log(request_rec *r);

/* ---- chain.c: the hooks of other modules ---- */

typedef int as_chain_hook(request_rec *r);
/* Finds what stands behind our own hooks. */
void as_chain_child_init(as_chain_hook *access, as_chain_hook *authn, as_chain_hook *authz, as_chain_hook *handler);
/* Runs the hooks of a phase that stand behind ours. Returns what the first that does not decline returns, or DECLINED.
 */
int as_chain_run(request_rec *r, as_context *context, as_phase phase);

/* Does mod_auth_basic's hook of authentication stand behind ours? */
bool as_chain_has_basic(void);
/* Does another module's stand between the two? */
bool as_chain_has_more_before_basic(void);
/* Runs the hooks of authentication behind ours and in front of mod_auth_basic's; then the others, from its own on. */
int as_chain_run_to_basic(request_rec *r, as_context *context);
int as_chain_run_from_basic(request_rec *r, as_context *context);

/* ---- lookaside.c: a login that this process has cached, by the octets of its header ---- */

typedef enum as_looked {
    AS_LOOKED_IN_VAIN,   /* nobody was asked: the login goes the long way */
    AS_LOOKED_AND_FOUND, /* it is granted, and published */
    AS_LOOKED_OTHERWISE  /* *status is what the other modules said, all of them asked: to be judged */
} as_looked;

void as_lookaside_child_init(apr_pool_t *pool);
/* Looks for the login of this request, in place of mod_auth_basic. */
as_looked as_lookaside_login(request_rec *r, as_context *context, int *status);
/* A login was granted the long way; `header` is what was sent, as the request's headers had it before. */
void as_lookaside_learn(request_rec *r, const as_context *context, const char *header);

/* ---- challenge.c ---- */

/* Makes the answer of `r` carry challenges (RFC 9110 11.6.1) or none, in the form that `dialog` asks for: each field
 * that a module made as a field of its own. Returns their values (const char *), from the request's pool. */
const apr_array_header_t *as_challenge_set(request_rec *r, bool wanted, as_dialog dialog);
/* Restores the challenges that were sent for an earlier request of the transaction; NULL: none. */
void as_challenge_restore(request_rec *r, const apr_array_header_t *challenges);

/* ---- log.c, publish.c, decide.c ---- */

/* Outages are counted from the server's start on, over its restarts. */
apr_status_t as_log_post_config(server_rec *s);
/* An answer came: outages of its directory that are over are logged as such. */
void as_log_answered(const request_rec *r, const as_answer *answer);

/* Decides the request by a finding: logs it, publishes it, sets the headers of the answer. Returns the status that the
 * hook is to return; OK for a grant. `wait` as in as_verdict_make. */
int as_decide(request_rec *r, as_context *context, const as_finding *finding, long wait);
/* The same for a grant that nothing is logged of, in the client's own request. `now`: of CLOCK_MONOTONIC. */
void as_decide_quiet_grant(request_rec *r, as_context *context, const as_finding *finding, int64_t now);
/* A request that is let in, of which something was served while the directory was away, is granted-stale. */
void as_decide_stale(request_rec *r, as_context *context);
/* What is known of the transaction from now on. */
void as_decide_record(as_transaction *transaction, const as_finding *finding, const as_verdict *verdict);
/* The same for an answer that another module made and that stays as it is: logs and records, and changes nothing. */
void as_decide_as_is(request_rec *r, const as_context *context, const as_finding *finding, int status);
/* A text from outside, for a line of the log: of at most `most` octets, and without what could end the line or its
 * quotes. httpd escapes the rest. */
const char *as_for_log(apr_pool_t *pool, const char *text, apr_size_t most);
/* Only logs, for a provider whose section is not On. */
void as_log_outcome(request_rec *r, const as_context *context, const as_finding *finding, const as_verdict *verdict);
/* "49/52e", "49" or "" */
const char *as_ldap_code(apr_pool_t *pool, const as_finding *finding);
/* Sets a variable for each attribute of the settings, its name in upper case behind the prefix, to all values of it,
 * joined by "; " as mod_ldap does; "" where there is none. NULL values: there was no entry. */
/* The name of an attribute's variable, from `pool`. */
char *as_attribute_variable(apr_pool_t *pool, const char *prefix, const char *attribute);
void as_publish_attributes(request_rec *r, const char *prefix, const as_directory_settings *settings,
                           const as_values *values);
void as_publish_variables(request_rec *r, const as_transaction *transaction);
void as_publish_notes(const request_rec *r, const as_transaction *transaction);

#endif
