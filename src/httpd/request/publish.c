/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishes the outcome: variables for the application and the error page, notes for the access log.
 */
#include "request.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "core/text.h"

#define LDAP_RESULT_SUCCESS 0

static const char *format_number(apr_pool_t *pool, int code)
{
    return code == LDAP_RESULT_SUCCESS ? "0" : apr_itoa(pool, code);
}

AS_HOT const char *as_ldap_code_format(apr_pool_t *pool, const as_finding *finding)
{
    if (!finding->has_code) {
        return "";
    }
    return finding->subcode[0] ? apr_psprintf(pool, "%d/%s", finding->code, finding->subcode)
                               : format_number(pool, finding->code);
}

static void set_number(apr_table_t *table, const char *name, long number, apr_pool_t *pool)
{
    if (number >= 0) {
        apr_table_setn(table, name, apr_ltoa(pool, number));
    }
}

/* A way to set names in a table. Setting searches all names with the same first four letters; where the table has
 * none of ours, they are added without a search. */
typedef void as_setter(apr_table_t *table, const char *name, const char *value);

/* Returns whether the name is AUTHSTATUS_* or authstatus-*. Most names differ in the first letters, where a call would
 * cost more. */
static bool is_ours(const char *name)
{
    static const char prefix[] = "authstatus";
    size_t i = 0;

    while (prefix[i] && (name[i] | 0x20) == prefix[i]) {
        i++;
    }
    return !prefix[i];
}

static AS_HOT as_setter *choose_setter(const apr_table_t *table)
{
    const apr_array_header_t *entries = apr_table_elts(table);
    int i;

    for (i = 0; i < entries->nelts; i++) {
        if (is_ours(APR_ARRAY_IDX(entries, i, apr_table_entry_t).key)) {
            return apr_table_setn;
        }
    }
    return apr_table_addn;
}

AS_HOT int as_status_get_sent(const request_rec *r, int status)
{
    return status == HTTP_UNAUTHORIZED && r->proxyreq == PROXYREQ_PROXY ? HTTP_PROXY_AUTHENTICATION_REQUIRED : status;
}

AS_HOT void as_publish_variables(request_rec *r, const as_transaction *transaction)
{
    const as_verdict *verdict = &transaction->verdict;
    const as_finding *finding = &transaction->finding;
    apr_table_t *env = r->subprocess_env;
    const int status = as_status_get_sent(r, verdict->status);
    as_setter *set;

    /* A certificate's user has no outcome of a login, and may be in a group. */
    if (transaction->group && !verdict->masked) {
        apr_table_setn(env, AUTHSTATUS_ENV_GROUP, transaction->group);
    }
    if (!transaction->decided || verdict->masked) {
        return;
    }
    set = choose_setter(env);
    set(env, AUTHSTATUS_ENV_OUTCOME, as_outcome_describe(verdict->shown)->name);
    set(env, AUTHSTATUS_ENV_STATUS, status ? apr_itoa(r->pool, status) : "200");
    if (transaction->help) {
        set(env, AUTHSTATUS_ENV_HELP, transaction->help);
    }
    if (verdict->disclosed) {
        if (finding->has_code) {
            set(env, AUTHSTATUS_ENV_LDAP_CODE, format_number(r->pool, finding->code));
        }
        if (finding->subcode[0]) {
            set(env, AUTHSTATUS_ENV_SUBCODE, apr_pstrdup(r->pool, finding->subcode));
        }
        set_number(env, AUTHSTATUS_ENV_EXPIRES_IN, finding->expires_in, r->pool);
        set_number(env, AUTHSTATUS_ENV_GRACE_LOGINS, finding->grace_logins, r->pool);
    }
}

AS_HOT void as_publish_notes(const request_rec *r, const as_transaction *transaction)
{
    as_setter *set;
    int status;

    if (transaction->truth) {
        transaction = transaction->truth;
    }
    status = as_status_get_sent(r, transaction->verdict.status);
    set = choose_setter(r->notes);
    set(r->notes, AUTHSTATUS_NOTE_OUTCOME, as_outcome_describe(transaction->finding.outcome)->name);
    if (status) {
        set(r->notes, AUTHSTATUS_NOTE_STATUS, apr_itoa(r->pool, status));
    }
    if (transaction->group) {
        apr_table_setn(r->notes, AUTHSTATUS_NOTE_GROUP, transaction->group);
    }
    if (transaction->finding.has_code) {
        set(r->notes, AUTHSTATUS_NOTE_LDAP, as_ldap_code_format(r->pool, &transaction->finding));
    }
}

/* Joins the values of an attribute. A user who may write his own entry may write ends of lines, which would be fields
 * of their own where a value becomes one of a request to a backend (RequestHeader): control characters become spaces.
 */
static const char *join(apr_pool_t *pool, as_values values)
{
    apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
    char *joined, *at;

    for (; values && *values; values++) {
        if (texts->nelts) {
            APR_ARRAY_PUSH(texts, const char *) = "; ";
        }
        APR_ARRAY_PUSH(texts, const char *) = *values;
    }
    joined = apr_array_pstrcat(pool, texts, '\0');
    for (at = joined; *at; at++) {
        *at = as_text_is_control(*at) ? ' ' : *at;
    }
    return joined;
}

char *as_attribute_make_variable_name(apr_pool_t *pool, const char *prefix, const char *attribute)
{
    char *name = apr_pstrcat(pool, prefix, attribute, NULL), *letter;

    for (letter = name + strlen(prefix); *letter; letter++) {
        *letter = (char)apr_toupper(*letter);
    }
    return name;
}

void as_publish_attributes(request_rec *r, const char *prefix, const as_directory_settings *settings,
                           const as_values *values)
{
    int i;

    for (i = 0; values && i < settings->attribute_count; i++) {
        apr_table_setn(r->subprocess_env, as_attribute_make_variable_name(r->pool, prefix, settings->attributes[i]),
                       join(r->pool, values[i]));
    }
}
