/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds after how many failures the directory itself locks an account, where the service account may read that. For
 * checks of a configuration; logins do not use it.
 */
#include "ldap_private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define MAX_LEVELS 16 /* from the base upwards */

typedef struct reading {
    as_session *session;
    as_mono deadline;
    apr_pool_t *pool;
    as_lockout *lockout;
} reading;

/* Searches; returns true if there was an answer. The entry is in the reply. */
static bool find(const reading *in, const char *base, int scope, const char *filter, const char *const *attributes,
                 as_reply *reply)
{
    as_search search = {.base = base, .scope = scope, .filter = filter, .attributes = attributes, .limit = 2};

    while (attributes[search.attribute_count]) {
        search.attribute_count++;
    }
    as_reply_clear(reply);
    return as_session_search(in->session, &search, in->deadline, in->pool, reply);
}

/* Parses a number of failures; -1: invalid. */
static int parse_number(const char *text)
{
    char *end = NULL;
    const long number = text ? strtol(text, &end, 10) : -1;

    return end && end != text && !*end && number >= 0 && number <= 1000000 ? (int)number : -1;
}

static bool report(const reading *in, int failures, const char *where)
{
    if (failures < 0) {
        return false;
    }
    in->lockout->failures = failures;
    in->lockout->where = where;
    return true;
}

/* Active Directory: lockoutThreshold in the head of the domain, 0 where nothing locks. */
static bool read_domain(const reading *in, const char *dn)
{
    static const char *const attributes[] = {"lockoutThreshold", NULL};
    as_reply reply;

    return find(in, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, &reply) && reply.values &&
           report(in, parse_number(as_get_first_value(reply.values[0])),
                  apr_pstrcat(in->pool, "lockoutThreshold of ", reply.dn, NULL));
}

/* draft-behera-ldap-password-policy-11 5.2: policies of OpenLDAP. There may be several: the one that locks first
 * counts, and is found by bisection, as a reply has only the first entry. */
static bool read_policies(const reading *in, const char *dn)
{
    static const char *const attributes[] = {"pwdMaxFailure", NULL};
    static const char policies[] = "(&(objectClass=pwdPolicy)(pwdLockout=TRUE)(pwdMaxFailure>=1)%s)";
    int low = 1, high = AS_LOCKOUT_MOST;
    as_reply reply;

    if (!find(in, dn, LDAP_SCOPE_SUBTREE, apr_psprintf(in->pool, policies, ""), attributes, &reply)) {
        return false;
    }
    if (reply.entries == 1 && reply.values) {
        return report(in, parse_number(as_get_first_value(reply.values[0])),
                      apr_pstrcat(in->pool, "pwdMaxFailure of ", reply.dn, NULL));
    }
    if (reply.entries == 0) {
        /* Policies without lockout are an answer too. */
        return find(in, dn, LDAP_SCOPE_SUBTREE, "(objectClass=pwdPolicy)", attributes, &reply) && reply.entries > 0 &&
               report(in, 0, "no policy locks");
    }
    while (low < high) {
        const int middle = (low + high) / 2;

        if (!find(in, dn, LDAP_SCOPE_SUBTREE,
                  apr_psprintf(in->pool, policies, apr_psprintf(in->pool, "(pwdMaxFailure<=%d)", middle)), attributes,
                  &reply)) {
            return false;
        }
        if (reply.entries > 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return report(in, low, "the strictest of several policies");
}

/* 389 Directory Server; few accounts may read its configuration. */
static bool read_configuration(const reading *in)
{
    static const char *const attributes[] = {"passwordMaxFailure", "passwordLockout", NULL};
    as_reply reply;

    if (!find(in, "cn=config", LDAP_SCOPE_BASE, "(objectClass=*)", attributes, &reply) || !reply.values ||
        !reply.values[1]) {
        return false;
    }
    if (strcasecmp(reply.values[1][0], "on")) {
        return report(in, 0, "passwordLockout of cn=config is off");
    }
    return report(in, parse_number(as_get_first_value(reply.values[0])), "passwordMaxFailure of cn=config");
}

/* Returns the DN one level up; NULL at the top. */
static const char *find_parent(const char *dn, apr_pool_t *pool)
{
    LDAPDN parts = NULL;
    char *text = NULL;
    const char *parent = NULL;

    if (ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parts && parts[0] && parts[1] &&
        ldap_dn2str(&parts[1], &text, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS) {
        parent = apr_pstrdup(pool, text);
    }
    ldap_memfree(text);
    ldap_dnfree(parts);
    return parent;
}

static void read_lockout(const reading *in, const char *base)
{
    const char *dn = base;
    int i;

    for (i = 0; i < MAX_LEVELS && dn && *dn && !in->session->dead; i++) {
        if (read_domain(in, dn) || read_policies(in, dn)) {
            return;
        }
        dn = find_parent(dn, in->pool);
    }
    if (!in->session->dead) {
        read_configuration(in);
    }
}

void as_directory_read_lockout(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                               apr_pool_t *pool, as_lockout *lockout)
{
    reading in = {.deadline = deadline, .pool = pool, .lockout = lockout};
    as_directory *directory = as_directory_get(all, settings);
    as_reply reply;
    int i;

    lockout->failures = -1;
    lockout->where = "the directory did not answer";
    if (!directory) {
        return;
    }
    if (settings->security != AS_SECURITY_NONE) {
        as_tls_prepare(directory->tls, directory->settings);
    }
    as_reply_clear(&reply);
    for (i = 0; i < settings->server_count && !in.session && as_mono_read() < in.deadline; i++) {
        in.session = as_pool_lend(&directory->peers[i], AS_KIND_SEARCH, false, in.deadline, pool, &reply);
    }
    if (in.session) {
        lockout->where = settings->bind_dn ? "the service account may not read it" : "no ordinary account may read it";
        read_lockout(&in, settings->base);
        as_pool_return(in.session);
    } else if (reply.failure == AS_FAILURE_NONE) {
        lockout->where = "the directory does not take the service account";
    }
    as_directory_put(directory);
}
