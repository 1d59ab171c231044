/* SPDX-License-Identifier: Apache-2.0
 *
 * While the directory is unavailable, serves an acceptance, and a yes of a line of Require, for the time of stale= in
 * AuthStatusCacheTime. Replaces only an outcome of class unavailable, and only by an answer that the directory gave.
 */
#include "settle.h"

#include <apr_strings.h>

static bool is_unavailable(const as_finding *finding)
{
    return as_outcome_describe(finding->outcome)->of == AS_CLASS_UNAVAILABLE;
}

bool as_stale_find(const as_login *login, as_login_memo *memo, const as_cache_key *key, const as_answer *away,
                   as_cached_answer *cached)
{
    as_answer *answer;

    if (!login->cache || !is_unavailable(&away->finding) ||
        as_cache_get_stale(login->cache, key, apr_time_now(), memo->pool, cached) != AS_STALE_FOUND) {
        return false;
    }
    answer = apr_pmemdup(memo->pool, away, sizeof(*away));
    answer->outage = away->finding.outcome;
    answer->finding = as_finding_make(AS_OUTCOME_GRANTED_STALE);
    answer->finding.proven = true;
    answer->server = NULL;
    answer->age = cached->age;
    answer->cached = true;
    memo->stale = answer;
    return true;
}

/* Returns whether the password may be compared. That is a guess like any other: it counts until it is found right. */
static bool may_compare(as_admission *admission, const char *dn)
{
    const char *initial_bind = admission->params->initial_bind;
    const as_bind_target none = {.index = -1};

    admission->wait = as_admission_get_wait(admission);
    return admission->wait == 0 && (!admission->login->throttles ||
                                    as_admission_admit(admission, &none, initial_bind ? initial_bind : dn, true));
}

static void throttle_account(const as_admission *admission, as_answer *answer)
{
    answer->finding = as_finding_make(AS_OUTCOME_THROTTLED);
    answer->reason = "";
    answer->server = NULL;
    answer->wait = admission->wait;
}

static void serve(as_login_memo *memo, as_answer *answer, const as_cached_answer *cached, int attributes)
{
    answer->outage = answer->finding.outcome;
    answer->finding = cached->finding;
    answer->finding.outcome = AS_OUTCOME_GRANTED_STALE;
    answer->dn = cached->dn;
    answer->values = cached->value_count == attributes ? cached->values : NULL;
    answer->membership = NULL;
    answer->server = NULL;
    answer->cached = true;
    answer->age = cached->age;
    answer->wait = 0;
    memo->stale = answer;
}

void as_stale_replace(as_admission *admission, const as_cache_key *key, as_answer *answer)
{
    as_login_memo *memo = admission->memo;
    as_cached_answer cached;
    as_stale found = AS_STALE_NONE;

    if (admission->login->cache && is_unavailable(&answer->finding)) {
        found = as_cache_get_stale(admission->login->cache, key, apr_time_now(), memo->pool, &cached);
    }
    if (found == AS_STALE_NONE) {
        return;
    }
    if (!may_compare(admission, cached.dn)) {
        throttle_account(admission, answer);
    } else if (found == AS_STALE_FOUND) {
        as_admission_accept(admission);
        serve(memo, answer, &cached, admission->params->directory->settings->attribute_count);
    } else {
        memo->guessed = true;
    }
}
