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

/* The index of the server is valid in a reply when the query has ended; the end of the bind comes before that. */
static void note_bind(as_group_user *user, int server, const as_reply *reply)
{
    const as_bound bound = user->judge(reply);

    user->bound = *reply;
    user->bound.server_index = server;
    user->accepted = bound == AS_BOUND_ACCEPTED;
    user->ended = bound == AS_BOUND_REFUSED;
}

/* False: the session has no answer. */
static bool bind_user(const as_task *task, as_session *session, as_group_query *query)
{
    as_group_user *user = query->user;
    bool answered;

    switch (as_bind_admit(task, session, &user->admitter, user->dn, user->accepted)) {
    case AS_SEND_TOO_LATE:
        return false;
    case AS_SEND_REFUSED:
        user->bound = *task->reply;
        user->bound.server_index = task->server;
        user->ended = true;
        return false;
    case AS_SEND_ADMITTED:
        break;
    }
    query->binds++;
    user->sent = true;
    answered = as_session_bind_user(session, user->dn, user->password, task->deadline, task->pool, task->reply);
    note_bind(user, task->server, task->reply);
    return answered;
}

/* Uses a session that others have bound before: binds it first. A bind that is not accepted is the answer. */
static bool perform_as_user(const as_task *task, as_session *session, const void *argument)
{
    const as_request *request = argument;

    return bind_user(task, session, request->query) &&
           (!request->query->user->accepted || perform(task, session, argument));
}

static void run_operation(as_task *task)
{
    const as_request *request = task->data;

    if (request->query->user) {
        as_session_run_step(task, AS_KIND_VERIFY, perform_as_user, request);
    } else {
        as_session_run_step(task, AS_KIND_SEARCH, perform, request);
    }
}

void as_operation_run(as_group_query *query, const as_operation *operation, as_reply *reply)
{
    as_request request = {query, operation};

    as_reply_clear(reply);
    if (query->user && query->user->ended) {
        *reply = query->user->bound;
    } else {
        as_failover_run(query->entered, run_operation, &request, query->deadline, query->pool, reply);
    }
    reply->dn = NULL;
    reply->values = NULL;
}
