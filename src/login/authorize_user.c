/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthLDAPCompareAsUser and AuthLDAPSearchAsUser: lines that query under binds of the user's own. The directory may
 * refuse a password that it accepted when the login was cached. Such a refusal counts as a login's, ends the login, and
 * is the last bind of its transaction.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_strings.h>

/* Returns whether queries as the user are possible: the password goes to no other servers than those that accepted it.
 */
static bool can_query(const as_authorizing *of)
{
    const as_entry *entry = of->params->entry;
    const as_group_settings *groups = of->params->groups;

    return (groups->compare_as_user || groups->search_as_user) && entry && entry->password && *entry->password &&
           as_is_same_server(entry->directory->settings, of->params->directory->settings);
}

/* Returns what the transaction knows of this user, of this login alone. */
static as_authorized_user *find_user(as_authorizing *of, as_queried *login)
{
    struct as_authorized *kept = as_authorized_get(of->memo);
    as_authorized_user *user = kept->bound_users;

    while (user && (!login || user->login != login)) {
        user = user->next;
    }
    if (!user) {
        user = apr_pcalloc(of->pool, sizeof(*user));
        user->login = login;
        user->next = kept->bound_users;
        kept->bound_users = user;
    }
    return user;
}

static bool is_refusal(const as_finding *finding)
{
    const as_class of = as_outcome_describe(finding->outcome)->of;

    return of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED;
}

/* A password that the directory has accepted in this transaction is no guess. */
static void begin_admission(as_authorizing *of)
{
    const as_entry *entry = of->params->entry;
    const as_queried *login = of->user->login;

    of->as_user = (as_login_attempt){.directory = entry->directory,
                                     .user = entry->user,
                                     .password = entry->password,
                                     .client = of->params->client,
                                     .throttle = of->params->throttle};
    of->admission = (as_admission){.login = of->login, .memo = of->memo, .params = &of->as_user};
    of->admission.proven = of->user->bind.accepted || (login && !login->answer->cached);
    if (login && !of->admission.proven && of->login->cache) {
        of->cached_key = as_queried_get_key(login);
        of->admission.cached_key = &of->cached_key;
    }
    as_admission_begin_query(&of->admission);
}

/* A password that was accepted under a condition (it must be changed) ends the login, too. */
static as_bound judge(const as_reply *reply)
{
    const as_finding finding = as_outcome_find(reply);

    if (is_refusal(&finding)) {
        return AS_BOUND_REFUSED;
    }
    return as_outcome_describe(finding.outcome)->of == AS_CLASS_GRANTED ? AS_BOUND_ACCEPTED : AS_BOUND_UNKNOWN;
}

void as_user_begin(as_authorizing *of)
{
    const as_entry *entry = of->params->entry;
    const as_group_settings *groups = of->params->groups;
    as_group_user *bind;

    of->identity = "";
    of->password = AS_AUTHORIZE_PASSWORD;
    if (!can_query(of)) {
        return;
    }
    of->user = find_user(of, as_queried_find_by_entry(of->memo, entry->dn, entry->user, entry->password));
    begin_admission(of);
    bind = &of->user->bind;
    bind->dn = entry->dn;
    bind->password = entry->password;
    bind->admitter = as_admission_get_admitter(&of->admission);
    bind->judge = judge;
    bind->sent = false;
    of->compares.user = groups->compare_as_user ? bind : NULL;
    of->searches.user = groups->search_as_user ? bind : NULL;
    of->identity = groups->compare_as_user ? groups->search_as_user ? "compares searches" : "compares " : "searches";
    /* Wiped with the login's own. */
    of->password = of->user->login ? of->user->login->password : AS_AUTHORIZE_PASSWORD;
}

/* Finds out why the bind was not admitted. The directory may have refused this password to another request meanwhile.
 */
static void find_why_not(const as_authorizing *of)
{
    as_authorized_user *user = of->user;
    as_cached_answer cached;

    user->reason = user->bind.bound.reason;
    if (of->admission.superseded &&
        as_cache_get_again(of->login->cache, &of->cached_key, apr_time_now(), of->pool, &cached) &&
        is_refusal(&cached.finding)) {
        user->finding = cached.finding;
    } else if (of->admission.cached_key || as_admission_has_sent(&of->admission)) {
        user->finding = as_finding_make(AS_OUTCOME_DIRECTORY_TIMEOUT);
    } else {
        user->finding = as_finding_make(AS_OUTCOME_THROTTLED);
        user->wait = of->admission.wait;
    }
}

/* A refusal is the answer of the login itself from now on. */
static void refuse_login(const as_authorizing *of)
{
    as_authorized_user *user = of->user;

    if (user->login && is_refusal(&user->finding)) {
        as_queried_refuse(user->login, of->login, of->memo, &user->finding);
    }
}

/* Ends the login: the outcome is that of a login with this password. */
static void end_login(const as_authorizing *of)
{
    as_authorized_user *user = of->user;

    if (of->admission.refused) {
        find_why_not(of);
    } else {
        user->finding = as_outcome_find(&user->bind.bound);
        user->reason = user->bind.bound.diagnostic;
    }
    refuse_login(of);
}

void as_user_end(as_authorizing *of)
{
    as_authorized_user *user = of->user;

    if (!user) {
        return;
    }
    if (user->bind.ended && !user->reason) {
        end_login(of);
    }
    if (user->bind.sent && of->login->throttles) {
        as_settle_bind(&of->admission, user->bind.dn, &user->bind.bound);
        user->bind.sent = false;
    }
    if (user->bind.ended) {
        as_say_unknown(of, user->finding.outcome, user->reason);
        of->answer->finding = user->finding;
        of->answer->wait = user->wait;
        of->answer->ends_login = true;
    }
}

void as_user_learn(as_authorizing *of)
{
    as_authorized_user *user = of->user;

    if (!of->answer->ends_login || !user || user->bind.ended) {
        return;
    }
    user->bind.ended = true;
    user->finding = of->answer->finding;
    user->wait = of->answer->wait;
    user->reason = of->answer->reason;
    refuse_login(of);
}
