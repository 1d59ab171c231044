/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishes the outcome: variables for the application and the error page, notes for the access log.
 */
#include "request.h"

#include <apr_strings.h>

const char *as_ldap_code(apr_pool_t *pool, const as_finding *finding)
{
    if (!finding->has_code) {
        return "";
    }
    return finding->subcode[0] ? apr_psprintf(pool, "%d/%s", finding->code, finding->subcode)
                               : apr_itoa(pool, finding->code);
}

static void set_number(apr_table_t *table, const char *name, long number, apr_pool_t *pool)
{
    if (number >= 0) {
        apr_table_setn(table, name, apr_ltoa(pool, number));
    }
}

void as_publish_variables(request_rec *r, const as_transaction *transaction)
{
    const as_verdict *verdict = &transaction->verdict;
    const as_finding *finding = &transaction->finding;
    apr_table_t *env = r->subprocess_env;
    int status = verdict->status;

    if (!transaction->decided || verdict->masked) {
        return;
    }
    if (status == HTTP_UNAUTHORIZED && r->proxyreq == PROXYREQ_PROXY) {
        status = HTTP_PROXY_AUTHENTICATION_REQUIRED;
    }
    apr_table_setn(env, AUTHSTATUS_ENV_OUTCOME, as_outcome_describe(verdict->shown)->name);
    apr_table_setn(env, AUTHSTATUS_ENV_STATUS, apr_itoa(r->pool, status ? status : HTTP_OK));
    if (transaction->help) {
        apr_table_setn(env, AUTHSTATUS_ENV_HELP, transaction->help);
    }
    if (verdict->told) {
        if (finding->has_code) {
            apr_table_setn(env, AUTHSTATUS_ENV_LDAP_CODE, apr_itoa(r->pool, finding->code));
        }
        if (finding->subcode[0]) {
            apr_table_setn(env, AUTHSTATUS_ENV_SUBCODE, apr_pstrdup(r->pool, finding->subcode));
        }
        set_number(env, AUTHSTATUS_ENV_EXPIRES_IN, finding->expires_in, r->pool);
        set_number(env, AUTHSTATUS_ENV_GRACE_LOGINS, finding->grace_logins, r->pool);
    }
}

void as_publish_notes(const request_rec *r, const as_transaction *transaction)
{
    int status;

    if (transaction->truth) {
        transaction = transaction->truth;
    }
    status = transaction->verdict.status;
    if (status == HTTP_UNAUTHORIZED && r->proxyreq == PROXYREQ_PROXY) {
        status = HTTP_PROXY_AUTHENTICATION_REQUIRED;
    }
    apr_table_setn(r->notes, AUTHSTATUS_NOTE_OUTCOME, as_outcome_describe(transaction->finding.outcome)->name);
    if (status) {
        apr_table_setn(r->notes, AUTHSTATUS_NOTE_STATUS, apr_itoa(r->pool, status));
    }
    if (transaction->finding.has_code) {
        apr_table_setn(r->notes, AUTHSTATUS_NOTE_LDAP, as_ldap_code(r->pool, &transaction->finding));
    }
}
