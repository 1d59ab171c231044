/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins of names whose entries were found before. Without AuthStatusUniformTiming: wherever they were found. With it:
 * by what this client's last failure found out, so that a known name and an unknown one cost the same.
 */
#include "known_entry.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "authstatus/ppolicy.h"

/* RFC 4511 4.1.9 */
#define SUCCESS 0
#define SIZE_LIMIT_EXCEEDED 4
#define NO_SUCH_OBJECT 32
#define INVALID_CREDENTIALS 49

/* Returns whether the search finds that entry again. An accepted password grants nothing before. */
static bool is_found_again(const as_known *known, const char *dn, as_reply *reply)
{
    as_reply search;

    known->query(known->data, NULL, NULL, &search);
    if (search.failure != AS_FAILURE_NONE || search.entries != 1 || !search.dn || strcmp(search.dn, dn) != 0) {
        return false;
    }
    reply->values = search.values;
    reply->membership = search.membership;
    return true;
}

/* ---- AuthStatusUniformTiming Off ---- */

/* Returns whether the search may be omitted for an entry found earlier. Not where an unknown user must cost as much
 * as a known one (below). Not where the search itself decides who may enter (a filter), nor
 * where it reads attributes for the application. */
static bool may_use_known_entry(const as_known *known)
{
    const as_directory_settings *settings = known->params->directory->settings;

    return known->cache && !settings->uniform_timing && !known->params->initial_bind &&
           settings->attribute_count == 1 && (!settings->filter || !strcmp(settings->filter, "(objectClass=*)"));
}

/* Returns whether the user logs in with the entry's own name ("uid=bob,..." for bob): then no other entry can have
 * that name while this one has that DN. Only names that need no escaping in a DN. */
static bool is_named_after(const char *dn, const char *attribute, const char *user)
{
    const size_t attribute_length = strlen(attribute), user_length = strlen(user);

    return strspn(user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@") == user_length &&
           !apr_cstr_casecmpn(dn, attribute, attribute_length) && dn[attribute_length] == '=' &&
           !apr_cstr_casecmpn(dn + attribute_length + 1, user, user_length) &&
           dn[attribute_length + 1 + user_length] == ',';
}

/* Returns whether a refusal proves that the entry still exists, and is still the user's. A directory with a password
 * policy reports it for entries only (draft-behera-ldap-password-policy-11 9.1), and the name is in the DN. */
static bool proves_entry(const as_known *known, const as_reply *reply)
{
    const as_ppolicy policy = as_ppolicy_read(reply->controls, reply->control_count);

    return policy.present && !policy.contradictory &&
           is_named_after(reply->dn, known->params->directory->settings->attributes[0], known->key->user);
}

/* Binds as the entry found earlier, and searches unless a refusal proves the entry. An accepted password grants
 * nothing before a search has found the same entry: an alias or the right to find the entry may have been
 * removed. Returns false if the directory must be queried as if nothing were cached. */
static bool query_known_entry(const as_known *known, as_reply *reply)
{
    as_cached_answer entry;

    if (!as_cache_get_entry(known->cache, known->key, apr_time_now(), known->pool, &entry)) {
        return false;
    }
    known->query(known->data, known->key->password, entry.dn, reply);
    reply->dn = entry.dn;
    reply->values = entry.values;
    reply->entries = 1;
    if (reply->failure != AS_FAILURE_NONE || (reply->code != 0 && proves_entry(known, reply))) {
        return true;
    }
    if (is_found_again(known, entry.dn, reply)) {
        return true;
    }
    as_cache_remove_entry(known->cache, known->key);
    return false;
}

static void keep_entry(const as_known *known, const as_reply *reply)
{
    const as_cache_key *key = known->key;
    as_cached_answer entry = {
        .dn = reply->dn, .values = reply->values, .value_count = known->params->directory->settings->attribute_count};

    if (reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_USER_BIND && reply->entries == 1 &&
        !reply->referral && reply->dn && reply->values) {
        as_cache_put_entry(known->cache, key, &entry,
                           is_named_after(reply->dn, known->params->directory->settings->attributes[0], key->user),
                           apr_time_now());
    }
}

/* ---- AuthStatusUniformTiming On ---- */

/* The cached values in place of a DN: for a name without an entry, and for an ambiguous name. A DN is cached behind a
 * mark: whether the refusal had a password policy's control, which directories send for entries only. */
#define NOBODY ""
#define SEVERAL "*"
#define MARK_OF_POLICY '+'
#define MARK_OF_NONE '-'

static bool has_policy(const as_reply *reply)
{
    return as_ppolicy_read(reply->controls, reply->control_count).present;
}

/* Returns whether the answer to a bind at a DN kept from a failure says that its entry is gone. */
static bool is_gone(const as_reply *reply, char mark)
{
    return reply->code == NO_SUCH_OBJECT || as_outcome_find(reply).outcome == AS_OUTCOME_UNKNOWN_USER ||
           (reply->code == INVALID_CREDENTIALS && mark == MARK_OF_POLICY && !has_policy(reply));
}

static bool may_use_failure(const as_known *known)
{
    return known->cache && known->params->directory->settings->uniform_timing && !known->params->initial_bind &&
           known->params->client && known->key->directory;
}

/* Returns the key of what this client's failures as this user found out. Another client's make nothing of it faster. */
static as_cache_key make_failure_key(const as_known *known)
{
    as_cache_key key = *known->key;

    key.directory = apr_pstrcat(known->pool, key.directory, " failed from ", known->params->client, NULL);
    key.hashes = NULL;
    return key;
}

/* Makes the one bind that remains after an earlier failure: as the entry, or as the decoy. Its answer is the answer,
 * unless the search does not find the entry: then returns false, and the directory must be queried as if nothing were
 * cached. A refusal that may mean that the entry is gone is not repeated where the search finds it. */
static bool query_after_failure(const as_known *known, const as_cache_key *key, as_reply *reply)
{
    as_cached_answer entry;

    if (!as_cache_get_entry(known->cache, key, apr_time_now(), known->pool, &entry)) {
        return false;
    }
    if (!strcmp(entry.dn, NOBODY) || !strcmp(entry.dn, SEVERAL)) {
        known->query(known->data, known->key->password, NOBODY, reply);
        if (reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH) {
            reply->entries = strcmp(entry.dn, NOBODY) ? 2 : 0;
        }
        return true;
    }
    known->query(known->data, known->key->password, entry.dn + 1, reply);
    reply->dn = entry.dn + 1;
    reply->entries = 1;
    if (reply->failure != AS_FAILURE_NONE) {
        return true;
    }
    return (reply->code != SUCCESS && !is_gone(reply, *entry.dn)) || is_found_again(known, entry.dn + 1, reply);
}

/* Keeps what a failure found, for as long as a refusal; nothing of a success. */
static void keep_failure(const as_known *known, const as_cache_key *key, const as_reply *reply)
{
    if (reply->failure != AS_FAILURE_NONE) {
        return;
    }
    if (reply->step == AS_STEP_USER_BIND && reply->code == INVALID_CREDENTIALS && reply->entries == 1 &&
        !reply->referral && reply->dn) {
        const char mark[] = {has_policy(reply) ? MARK_OF_POLICY : MARK_OF_NONE, '\0'};

        as_cache_put_failed_entry(known->cache, key, apr_pstrcat(known->pool, mark, reply->dn, NULL), apr_time_now());
    } else if (reply->step == AS_STEP_SEARCH && reply->entries != 1 && !reply->referral &&
               (reply->code == SUCCESS || reply->code == SIZE_LIMIT_EXCEEDED)) {
        as_cache_put_failed_entry(known->cache, key, reply->entries ? SEVERAL : NOBODY, apr_time_now());
    }
}

/* ---- entry point ---- */

void as_known_query(const as_known *known, as_reply *reply)
{
    if (may_use_failure(known)) {
        const as_cache_key key = make_failure_key(known);

        if (!query_after_failure(known, &key, reply)) {
            known->query(known->data, known->key->password, NULL, reply);
            keep_failure(known, &key, reply);
        }
        return;
    }
    if (!may_use_known_entry(known)) {
        known->query(known->data, known->key->password, NULL, reply);
    } else if (!query_known_entry(known, reply)) {
        known->query(known->data, known->key->password, NULL, reply);
        keep_entry(known, reply);
    }
}
