/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of a login that another module made: one search by the user's name, cached as entries are.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_strings.h>

static const as_entry_lookup *find_noted(const as_login_memo *memo, const as_cache_key *key)
{
    const as_entry_lookup_kept *kept;

    for (kept = memo->authorized ? memo->authorized->lookups : NULL; kept; kept = kept->next) {
        if (as_key_is_same(&kept->key, key)) {
            return kept->lookup;
        }
    }
    return NULL;
}

/* Copies a lookup for this caller: the directory of another subrequest may be destroyed. */
static as_entry_lookup *copy_for(const as_entry_lookup *lookup, const as_login_directory *directory, apr_pool_t *pool)
{
    as_entry_lookup *copy = apr_pmemdup(pool, lookup, sizeof(*copy));

    copy->entry.directory = directory;
    return copy;
}

static void note_lookup(as_login_memo *memo, const as_cache_key *key, const as_entry_lookup *lookup)
{
    struct as_authorized *authorized = as_authorized_get(memo);
    as_entry_lookup_kept *kept = apr_pcalloc(memo->pool, sizeof(*kept));

    kept->next = authorized->lookups;
    kept->key = *key;
    kept->lookup = lookup;
    authorized->lookups = kept;
}

static void find(as_entry_lookup *lookup, as_ternary found, as_outcome outcome)
{
    lookup->found = found;
    lookup->finding = as_finding_make(outcome);
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
        lookup->elsewhere = reply->entries == 0 && reply->referral;
    } else {
        lookup->found = AS_UNKNOWN;
        lookup->finding = as_finding_make_for_operation(reply);
        lookup->reason = as_reason_get_for_operation(reply, pool);
    }
}

/* The cached value in place of a DN: as_entry_lookup.elsewhere. */
#define ELSEWHERE "*"

static void read_cached(const as_authorizing *of, const as_cached_answer *cached, as_entry_lookup *lookup)
{
    const int attributes = of->params->directory->settings->attribute_count;
    const bool is_entry = cached->finding.outcome == AS_OUTCOME_GRANTED && cached->dn && *cached->dn;

    find(lookup, AS_UNKNOWN, AS_OUTCOME_UNKNOWN_RESULT);
    if (is_entry) {
        find(lookup, AS_YES, AS_OUTCOME_GRANTED);
        lookup->entry.dn = cached->dn;
        lookup->entry.values = cached->value_count == attributes ? cached->values : NULL;
    } else if (as_outcome_describe(cached->finding.outcome)->of == AS_CLASS_UNAUTHENTICATED) {
        find(lookup, AS_NO, cached->finding.outcome);
        lookup->elsewhere = cached->dn && !strcmp(cached->dn, ELSEWHERE);
    } else if (cached->finding.outcome != AS_OUTCOME_GRANTED) {
        lookup->finding = cached->finding;
    }
    lookup->wait = cached->retry_after;
}

static as_cached_answer convert_to_cached(const as_authorizing *of, const as_entry_lookup *lookup)
{
    const int attributes = of->params->directory->settings->attribute_count;
    as_cached_answer cached = {.finding = lookup->finding,
                               .dn = lookup->entry.dn    ? lookup->entry.dn
                                     : lookup->elsewhere ? ELSEWHERE
                                                         : "",
                               .values = lookup->entry.values,
                               .value_count = lookup->entry.values ? attributes : 0,
                               .retry_after = lookup->wait};

    cached.finding.proven = lookup->found == AS_YES;
    return cached;
}

static bool get_cached(const as_authorizing *of, bool again, as_entry_lookup *lookup)
{
    as_cached_answer cached = {.value_count = 0};

    if (!of->login->cache ||
        !(again ? as_cache_get_again : as_cache_get)(of->login->cache, &of->key, apr_time_now(), of->pool, &cached)) {
        return false;
    }
    read_cached(of, &cached, lookup);
    lookup->cached = lookup->found != AS_UNKNOWN;
    return lookup->cached;
}

static as_membership_wish choose_membership(const as_group_settings *groups)
{
    return !groups || groups->mode == AS_GROUPS_MEMBER ? AS_MEMBERSHIP_NONE
           : groups->mode == AS_GROUPS_MEMBER_OF       ? AS_MEMBERSHIP_ALWAYS
                                                       : AS_MEMBERSHIP_ON_AD;
}

/* One search in progress. */
typedef struct as_entry_search {
    as_authorizing *of;
    as_directory *entered; /* it holds a slot there */
    const as_group_settings *groups;
    as_entry_lookup *lookup;
} as_entry_search;

/* Active Directory refers to its DNS zones and configuration in every answer: nobody's entry is there. */
static bool is_ad(as_authorizing *of, as_directory *entered)
{
    as_server_facts server;
    as_reply reply;

    of->searches.entered = entered;
    of->searches.deadline = of->deadline;
    return as_group_get_server(&of->searches, &server, &reply) && server.is_ad;
}

static bool query(void *data)
{
    const as_entry_search *search = data;
    as_authorizing *of = search->of;
    const as_mono started = as_mono_read();
    const as_query question = {.settings = of->params->directory->settings,
                               .user = search->lookup->entry.user,
                               .membership = choose_membership(search->groups),
                               .entered = search->entered,
                               .deadline = of->deadline};

    as_directory_query(of->login->directories, &question, of->pool, &of->reply);
    take_reply(search->lookup, &of->reply, of->pool);
    search->lookup->elsewhere = search->lookup->elsewhere && !is_ad(of, search->entered);
    search->lookup->operations.searches = 1 + of->searches.searches;
    search->lookup->operations.took = as_mono_read() - started;
    return true;
}

static bool get_again(void *data)
{
    const as_entry_search *search = data;

    return get_cached(search->of, true, search->lookup);
}

static as_cached_answer search_to_cache(void *data)
{
    const as_entry_search *search = data;

    return convert_to_cached(search->of, search->lookup);
}

static void take_coalesced(void *data, const as_cached_answer *cached)
{
    const as_entry_search *search = data;

    read_cached(search->of, cached, search->lookup);
}

static void give_up(void *data)
{
    const as_entry_search *search = data;

    find(search->lookup, AS_UNKNOWN, AS_OUTCOME_DIRECTORY_TIMEOUT);
}

static const as_coalesced_calls calls = {.get_again = get_again,
                                         .query = query,
                                         .to_cache = search_to_cache,
                                         .from_cache = take_coalesced,
                                         .give_up = give_up};

static void report(const as_authorizing *of, const as_entry_lookup *lookup)
{
    const as_answer seen = {
        .finding = lookup->finding, .server = lookup->server, .reason = lookup->reason, .fingerprint = of->fingerprint};

    as_authorizing_report_query(of);
    if (of->observer && of->observer->answered && lookup->server) {
        of->observer->answered(of->observer->data, &seen);
    }
}

static void query_within_limit(as_authorizing *of, const as_group_settings *groups, as_entry_lookup *lookup)
{
    as_directory *entered = as_authorizing_enter(of);
    as_entry_search search = {.of = of, .entered = entered, .groups = groups, .lookup = lookup};

    if (!entered) {
        take_reply(lookup, &of->reply, of->pool);
        return;
    }
    as_authorizing_coalesce(of, &calls, &search);
    as_directories_leave(entered);
    report(of, lookup);
}

/* Serves a cached entry for longer while the directory is unavailable. */
static void serve_stale(const as_authorizing *of, as_entry_lookup *lookup)
{
    const as_answer away = {.finding = lookup->finding, .reason = lookup->reason, .fingerprint = of->fingerprint};
    as_cached_answer cached;

    if (lookup->found == AS_UNKNOWN && as_stale_find(of->login, of->memo, &of->key, &away, &cached)) {
        read_cached(of, &cached, lookup);
        lookup->server = NULL;
        lookup->cached = true;
    }
}

/* Finds out whether this account finds anybody by the attribute and the filter of AuthLDAPURL. It finds nobody by an
 * attribute that does not exist, or that it may not search. That it does is stored like facts of groups, for an hour:
 * no group has such a DN. Returns false without an answer. */
static bool are_names_seen(as_authorizing *of, bool *seen)
{
    const as_directory_settings *settings = of->params->directory->settings;
    const char *own = settings->filter ? settings->filter : "",
               *filter = apr_pstrcat(of->pool, "(&", own, "(", settings->attributes[0], "=*))", NULL),
               *key = apr_pstrcat(of->pool, "names below ", settings->base, " by ", filter, NULL);
    as_group_facts facts;
    int entries = 0;

    as_group_get_facts(&of->searches, key, NULL, &facts);
    *seen = facts.comparable;
    if (*seen) {
        return true;
    }
    if (!as_group_count_entries(&of->searches, filter, &entries, &of->reply)) {
        return false;
    }
    *seen = entries > 0;
    if (*seen) {
        as_group_note_comparable(&of->searches, key, NULL);
    }
    return true;
}

/* Decides what the absence of an entry is worth: within a negation it grants. */
static void prove_nobody(as_authorizing *of, as_entry_lookup *lookup)
{
    as_directory *entered = as_authorizing_enter(of);
    bool seen = false;

    of->searches.entered = entered;
    of->searches.deadline = of->deadline;
    if (!entered || !are_names_seen(of, &seen)) {
        lookup->found = AS_UNKNOWN;
        lookup->finding = as_finding_make_for_operation(&of->reply);
        lookup->reason = as_reason_get_for_operation(&of->reply, of->pool);
        lookup->wait = of->reply.retry_after;
        lookup->server = of->reply.server;
        report(of, lookup);
    }
    if (entered) {
        as_directories_leave(entered);
    }
    lookup->unseen = !seen;
}

/* Returns the lookup for a line: of one within a negation, what the absence of an entry is worth. */
static const as_entry_lookup *qualify(as_authorizing *of, const as_entry_attempt *attempt,
                                      const as_entry_lookup *lookup)
{
    as_entry_lookup *copy = copy_for(lookup, attempt->directory, of->pool);

    if (attempt->negated && copy->found == AS_NO && copy->finding.outcome == AS_OUTCOME_UNKNOWN_USER &&
        !copy->elsewhere && *attempt->user) {
        of->deadline = as_deadline_get(of->memo, attempt->deadline);
        prove_nobody(of, copy);
    }
    return copy;
}

const as_entry_lookup *as_find_entry(const as_login *login, as_login_memo *memo, const as_entry_attempt *attempt,
                                     const as_login_observer *observer)
{
    const as_login_directory *directory = attempt->directory;
    const as_group_settings usual = as_group_settings_make_default();
    const as_authorize_attempt params = {.directory = directory, .groups = &usual, .deadline = attempt->deadline};
    as_entry_lookup *lookup = apr_pcalloc(memo->pool, sizeof(*lookup));
    const as_entry_lookup *before;
    as_authorizing of;

    as_authorizing_begin(&of, login, memo, &params, observer);
    of.key = as_authorize_make_key(&of, "entry", attempt->user);
    before = find_noted(memo, &of.key);
    if (before) {
        return qualify(&of, attempt, before);
    }
    find(lookup, AS_NO, AS_OUTCOME_UNKNOWN_USER);
    lookup->fingerprint = of.fingerprint;
    lookup->entry.directory = directory;
    lookup->entry.user = apr_pstrdup(memo->pool, attempt->user);
    /* No user has the empty name. */
    if (*attempt->user && !get_cached(&of, false, lookup)) {
        of.deadline = as_deadline_get(memo, attempt->deadline);
        query_within_limit(&of, attempt->groups, lookup);
        serve_stale(&of, lookup);
    }
    note_lookup(memo, &of.key, lookup);
    return qualify(&of, attempt, lookup);
}
