/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of a login that another module made: one search by the user's name, remembered as entries are.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_strings.h>

static const as_entry_lookup *asked_before(const as_login_memo *memo, const as_cache_key *key)
{
    const as_entry_lookup_kept *kept;

    for (kept = memo->authorized ? memo->authorized->lookups : NULL; kept; kept = kept->next) {
        if (as_key_is_same(&kept->key, key)) {
            return kept->lookup;
        }
    }
    return NULL;
}

/* The same for this caller: the directory of another subrequest may be gone. */
static const as_entry_lookup *copy_for(const as_entry_lookup *lookup, const as_login_directory *directory,
                                       apr_pool_t *pool)
{
    as_entry_lookup *copy = apr_pmemdup(pool, lookup, sizeof(*copy));

    copy->entry.directory = directory;
    return copy;
}

static void note_asked(as_login_memo *memo, const as_cache_key *key, const as_entry_lookup *lookup)
{
    struct as_authorized *authorized = as_authorized_of(memo);
    as_entry_lookup_kept *kept = apr_pcalloc(memo->pool, sizeof(*kept));

    kept->next = authorized->lookups;
    kept->key = *key;
    kept->lookup = lookup;
    authorized->lookups = kept;
}

static void find(as_entry_lookup *lookup, as_ternary found, as_outcome outcome)
{
    lookup->found = found;
    lookup->finding = as_finding_of(outcome);
    lookup->reason = "";
}

static void take_reply(as_entry_lookup *lookup, const as_reply *reply, apr_pool_t *pool)
{
    const bool is_search = reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_SEARCH;
    const bool is_whole = is_search && (reply->code == AS_LDAP_SUCCESS || reply->entries > 1);

    lookup->server = reply->server;
    lookup->wait = reply->retry_after;
    if (is_whole && reply->entries == 1 && reply->dn && *reply->dn) {
        find(lookup, AS_YES, AS_OUTCOME_GRANTED);
        lookup->entry.dn = reply->dn;
        lookup->entry.values = reply->values;
        lookup->entry.membership = reply->membership;
    } else if (is_whole) {
        find(lookup, AS_NO, reply->entries > 1 ? AS_OUTCOME_AMBIGUOUS_USER : AS_OUTCOME_UNKNOWN_USER);
    } else {
        lookup->found = AS_UNKNOWN;
        lookup->finding = as_finding_of_operation(reply);
        lookup->reason = as_reason_of_operation(reply, pool);
    }
}

static bool take_cached(as_authorizing *of, as_entry_lookup *lookup)
{
    const int attributes = of->asked->directory->settings->attribute_count;
    as_cached_answer cached;

    if (!of->login->cache || !as_cache_get(of->login->cache, &of->key, apr_time_now(), of->pool, &cached)) {
        return false;
    }
    lookup->cached = true;
    if (cached.finding.outcome != AS_OUTCOME_GRANTED) {
        find(lookup, AS_NO, cached.finding.outcome);
        return true;
    }
    find(lookup, AS_YES, AS_OUTCOME_GRANTED);
    lookup->entry.dn = cached.dn;
    lookup->entry.values = cached.value_count == attributes ? cached.values : NULL;
    return cached.dn && *cached.dn;
}

static void keep(as_authorizing *of, const as_entry_lookup *lookup)
{
    const int attributes = of->asked->directory->settings->attribute_count;
    as_cached_answer cached = {.finding = lookup->finding,
                               .dn = lookup->entry.dn ? lookup->entry.dn : "",
                               .values = lookup->entry.values,
                               .value_count = lookup->entry.values ? attributes : 0};

    cached.finding.proven = lookup->found == AS_YES;
    if (of->login->cache && lookup->found != AS_UNKNOWN) {
        as_cache_put(of->login->cache, &of->key, &cached, of->born, of->pool);
    }
}

static as_membership_wish wish_of(const as_group_settings *groups)
{
    return !groups || groups->mode == AS_GROUPS_MEMBER ? AS_MEMBERSHIP_NONE
           : groups->mode == AS_GROUPS_MEMBER_OF       ? AS_MEMBERSHIP_ALWAYS
                                                       : AS_MEMBERSHIP_ON_AD;
}

static void query(as_authorizing *of, as_entry_lookup *lookup, const as_group_settings *groups)
{
    const as_mono started = as_mono_now();
    const as_query question = {.settings = of->asked->directory->settings,
                               .user = lookup->entry.user,
                               .membership = wish_of(groups),
                               .deadline = of->deadline};
    as_answer seen = {.fingerprint = of->fingerprint};

    as_directory_query(of->login->directories, &question, of->pool, &of->reply);
    take_reply(lookup, &of->reply, of->pool);
    lookup->operations.searches = 1;
    lookup->operations.took = as_mono_now() - started;
    keep(of, lookup);
    if (of->observer && of->observer->queried) {
        of->observer->queried(of->observer->data, of->login, of->asked->directory->settings);
    }
    if (of->observer && of->observer->answered) {
        seen.finding = lookup->finding;
        seen.server = lookup->server;
        seen.reason = lookup->reason;
        of->observer->answered(of->observer->data, &seen);
    }
}

const as_entry_lookup *as_find_entry(const as_login *login, as_login_memo *memo, const as_login_directory *directory,
                                     const char *user, const as_group_settings *groups, apr_interval_time_t deadline,
                                     const as_login_observer *observer)
{
    const as_group_settings usual = as_group_settings_default();
    const as_authorize_attempt asked = {.directory = directory, .groups = &usual, .deadline = deadline};
    as_entry_lookup *lookup = apr_pcalloc(memo->pool, sizeof(*lookup));
    const as_entry_lookup *before;
    as_authorizing of;

    as_authorizing_begin(&of, login, memo, &asked, observer);
    of.key = as_authorize_key(&of, "entry", user);
    before = asked_before(memo, &of.key);
    if (before) {
        return copy_for(before, directory, memo->pool);
    }
    find(lookup, AS_NO, AS_OUTCOME_UNKNOWN_USER);
    lookup->fingerprint = of.fingerprint;
    lookup->entry.directory = directory;
    lookup->entry.user = apr_pstrdup(memo->pool, user);
    /* The empty name is nobody's. */
    if (*user && !take_cached(&of, lookup)) {
        lookup->cached = false;
        of.deadline = as_deadline_of(memo, deadline);
        query(&of, lookup, groups);
    }
    note_asked(memo, &of.key, lookup);
    return lookup;
}
