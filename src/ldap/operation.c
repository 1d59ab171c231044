/* SPDX-License-Identifier: Apache-2.0
 *
 * One search or compare of an authorization, as the service account or as the user, under the rules of logins.
 */
#include "ldap_private.h"

#include <apr_strings.h>

typedef struct as_request {
    as_group_query *query;
    const as_operation *operation;
} as_request;

static bool send_search(const as_task *task, as_session *session, const as_search *search)
{
    as_search here = *search;

    here.deref = task->settings->deref;
    apr_array_clear(search->found);
    task->reply->entries = 0;
    task->reply->referral = false;
    return as_session_search(session, &here, task->deadline, task->pool, task->reply);
}

static bool perform(const as_task *task, as_session *session, const void *argument)
{
    const as_request *request = argument;
    const as_operation *operation = request->operation;

    if (operation->search) {
        request->query->searches++;
        return send_search(task, session, operation->search);
    }
    request->query->compares += operation->compare->count;
    return as_session_compare(session, operation->compare, task->deadline, task->pool, task->reply);
}

/* Uses a session that others have bound before: binds it first. A refused bind is the answer. */
static bool perform_as_user(const as_task *task, as_session *session, const void *argument)
{
    const as_request *request = argument;
    as_group_query *query = request->query;

    query->binds++;
    if (!as_session_bind_user(session, query->bind_dn, query->bind_password, task->deadline, task->pool, task->reply)) {
        return false;
    }
    return task->reply->code != LDAP_SUCCESS || perform(task, session, argument);
}

static void run_operation(as_task *task)
{
    const as_request *request = task->data;

    if (request->query->bind_dn) {
        as_session_run_step(task, AS_KIND_VERIFY, perform_as_user, request);
    } else {
        as_session_run_step(task, AS_KIND_SEARCH, perform, request);
    }
}

void as_operation_run(as_group_query *query, const as_operation *operation, as_reply *reply)
{
    as_request request = {query, operation};

    as_reply_clear(reply);
    as_failover_run(query->entered, run_operation, &request, query->deadline, query->pool, reply);
    reply->dn = NULL;
    reply->values = NULL;
}
