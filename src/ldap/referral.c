/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows referrals and continuation references (RFC 4511 4.1.10 and 4.5.3) under LDAPReferrals On: libldap would wait
 * for the other server without any limit, and bind to it without TLS.
 *
 * They are followed only where the directory queried has no entry of its own: Active Directory sends three with every
 * answer, which are useless for a login. The other server gets the same query, with the same filter in spite of the
 * URL, and with no less security than the first. Its sessions are not kept.
 */
#include "ldap_private.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

/* Makes a session to the server of the URL, with no less security than the directory's own. */
static as_session *open_session(const as_task *task, const LDAPURLDesc *url)
{
    const as_directory *directory = task->peer->directory;
    as_directory_settings *settings = apr_pmemdup(task->pool, directory->settings, sizeof(*settings));
    as_ldap_server *address = apr_pcalloc(task->pool, sizeof(*address));
    bool is_ldaps = strcmp(url->lud_scheme, "ldaps") == 0;

    if (is_ldaps) {
        settings->security = AS_SECURITY_SSL;
    } else if (settings->security == AS_SECURITY_SSL) {
        settings->security = AS_SECURITY_STARTTLS;
    }
    address->host = apr_pstrdup(task->pool, url->lud_host);
    address->port = url->lud_port ? url->lud_port : is_ldaps ? LDAPS_PORT : LDAP_PORT;
    return as_session_create_aside(directory, settings, address, task->pool);
}

static bool search_there(const as_task *task, as_session *session, const LDAPURLDesc *url, const as_search *search,
                         as_reply *reply)
{
    as_search there = *search;

    if (url->lud_dn && *url->lud_dn) {
        there.base = apr_pstrdup(task->pool, url->lud_dn);
    }
    if (url->lud_scope == LDAP_SCOPE_BASE || url->lud_scope == LDAP_SCOPE_ONELEVEL) {
        there.scope = url->lud_scope;
    }
    if (!as_session_open(session, task->deadline, task->pool, reply)) {
        as_certificate_explain(session, task->deadline, task->pool, reply);
        return false;
    }
    return as_session_bind_service(session, task->deadline, task->pool, reply) && session->bound &&
           as_session_search(session, &there, task->deadline, task->pool, reply);
}

/* Returns whether the user was looked for: not if the part of the tree is missing, or elsewhere. */
static bool is_complete(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH &&
           (reply->code == LDAP_SUCCESS || reply->code == LDAP_SIZELIMIT_EXCEEDED ||
            reply->code == LDAP_NO_SUCH_OBJECT || reply->code == LDAP_REFERRAL);
}

/* Returns whether two replies have the same entry. The URLs of one reference are alternatives (RFC 4511 4.5.3). */
static bool is_same(const as_reply *a, const as_reply *b)
{
    return a->dn && b->dn && strcasecmp(a->dn, b->dn) == 0;
}

/* Merges a reply into the result. Returns true if it has the one entry. */
static bool add(as_reply *reply, const as_reply *there)
{
    unsigned entries = reply->entries + there->entries;

    if (entries == 1 && there->entries == 1 && there->code == LDAP_SUCCESS) {
        *reply = *there;
        return true;
    }
    if (there->entries > 0 && !is_same(reply, there)) {
        reply->entries = 2;
        reply->dn = NULL;
        reply->values = NULL;
    }
    return false;
}

static bool is_usable(const LDAPURLDesc *url)
{
    return (strcmp(url->lud_scheme, "ldap") == 0 || strcmp(url->lud_scheme, "ldaps") == 0) && url->lud_host &&
           *url->lud_host && url->lud_crit_exts == 0;
}

/* Follows one URL. Returns the session if the entry was found on it, else NULL; *failed becomes the failure. */
static as_session *follow(const as_task *task, const char *text, const as_search *search, as_reply *failed)
{
    LDAPURLDesc *url = NULL;
    as_session *session = NULL;
    as_reply there;
    bool found = false;

    if (ldap_url_parse(text, &url) != LDAP_URL_SUCCESS) {
        return NULL;
    }
    if (is_usable(url)) {
        as_reply_clear(&there);
        session = open_session(task, url);
        search_there(task, session, url, search, &there);
        if (is_complete(&there)) {
            found = add(task->reply, &there);
        } else {
            there.reason =
                apr_pstrcat(task->pool, there.reason, " (", url->lud_host, ", where the directory refers to)", NULL);
            *failed = there;
        }
        if (!found) {
            as_session_close(session);
        }
    }
    ldap_free_urldesc(url);
    return found ? session : NULL;
}

/* Completes the result when all servers were queried, as if one server had replied. */
static void complete(as_reply *reply)
{
    reply->code = LDAP_SUCCESS;
    reply->referral = false;
}

as_session *as_referrals_follow(as_task *task, const as_search *search)
{
    as_reply failed = {.failure = AS_FAILURE_NONE, .step = AS_STEP_SEARCH, .code = LDAP_SUCCESS};
    as_session *found_on = NULL;
    int i;

    /* Referrals of the servers that are queried are added at the end; the array's bound ends every loop. */
    for (i = 0; i < search->referrals->nelts && task->reply->entries < 2; i++) {
        as_session *session = follow(task, APR_ARRAY_IDX(search->referrals, i, const char *), search, &failed);

        found_on = session ? session : found_on;
    }
    if (task->reply->entries > 0 || is_complete(&failed)) {
        complete(task->reply);
    } else {
        /* No entry yet, and some servers failed: the user may exist. */
        *task->reply = failed;
        task->elsewhere = true;
    }
    return found_on;
}
