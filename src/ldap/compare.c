/* SPDX-License-Identifier: Apache-2.0
 *
 * Several compares (RFC 4511 4.10) on one session: sends all requests, then reads all answers. One round trip for any
 * number of attributes.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

static const char *get_dn(const as_compare *compare, int index)
{
    return compare->dn ? compare->dn : compare->dns[index];
}

static int send_compare(as_session *session, const as_compare *compare, int index, int *id)
{
    struct berval value = {strlen(compare->values[index]), (char *)(intptr_t)compare->values[index]};

    return ldap_compare_ext(session->ld, get_dn(compare, index), compare->attributes[index], &value, NULL, NULL, id);
}

/* Returns whether a result code answers the compare, rather than reports an error. */
static bool is_usual(int code)
{
    return code == LDAP_COMPARE_TRUE || code == LDAP_COMPARE_FALSE || code == LDAP_NO_SUCH_ATTRIBUTE ||
           code == LDAP_UNDEFINED_TYPE || code == LDAP_INAPPROPRIATE_MATCHING || code == LDAP_INVALID_SYNTAX;
}

/* Runs the compares. The reply becomes the first error, an outage before any other. */
static bool run(as_session *session, const as_compare *compare, as_mono started, apr_pool_t *pool, as_reply *reply)
{
    int ids[AS_GROUP_ATTRIBUTES_MAX] = {0}, i, code;
    as_reply first;
    bool has_failed = false;

    for (i = 0; i < compare->count; i++) {
        code = send_compare(session, compare, i, &ids[i]);
        if (code != LDAP_SUCCESS) {
            /* The next query would read the answers to requests already sent. */
            session->dead = session->dead || i > 0;
            return as_session_fail_unsent(session, code, AS_STEP_SEARCH, pool, reply);
        }
    }
    for (i = 0; i < compare->count; i++) {
        const as_awaited awaited = {
            .id = ids[i], .type = LDAP_RES_COMPARE, .queued = i > 0, .step = AS_STEP_SEARCH, .started = started};

        if (!as_session_finish(session, &awaited, pool, reply)) {
            return false;
        }
        compare->codes[i] = reply->code;
        if (!is_usual(reply->code) && (!has_failed || (as_reply_is_outage(reply) && !as_reply_is_outage(&first)))) {
            has_failed = true;
            first = *reply;
        }
    }
    if (has_failed) {
        *reply = first;
    }
    return true;
}

bool as_session_compare(as_session *session, const as_compare *compare, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply)
{
    as_mono started = as_mono_read();
    bool answered;

    as_session_set_deadline(session, deadline, session->peer->directory->settings->operation_timeout);
    answered = run(session, compare, started, pool, reply);
    as_trace(session, AS_STEP_SEARCH, get_dn(compare, 0), started, reply, pool);
    return answered;
}
