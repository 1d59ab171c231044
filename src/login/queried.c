/* SPDX-License-Identifier: Apache-2.0
 *
 * The logins that one transaction has made: none is made twice, and what ends one ends it for the whole transaction.
 */
#include "queried.h"

#include <string.h>

#include <apr_strings.h>

static apr_status_t wipe_password(void *data)
{
    volatile char *octet = ((as_queried *)data)->password;

    while (*octet) {
        *octet++ = '\0';
    }
    return APR_SUCCESS;
}

as_queried *as_queried_find(const as_login_memo *memo, const as_cache_key *key)
{
    as_queried *queried;

    for (queried = memo->queried; queried; queried = queried->next) {
        if (!strcmp(queried->directory, key->directory) && !strcmp(queried->user, key->user) &&
            !strcmp(queried->password, key->password)) {
            return queried;
        }
    }
    return NULL;
}

as_queried *as_queried_find_by_entry(const as_login_memo *memo, const char *dn, const char *user, const char *password)
{
    as_queried *queried;

    for (queried = memo->queried; queried; queried = queried->next) {
        if (queried->answer->dn && !strcmp(queried->answer->dn, dn) && !strcmp(queried->user, user) &&
            !strcmp(queried->password, password)) {
            return queried;
        }
    }
    return NULL;
}

void as_queried_note(as_login_memo *memo, const as_cache_key *key, const as_answer *answer)
{
    as_queried *queried = apr_palloc(memo->pool, sizeof(*queried));

    queried->next = memo->queried;
    queried->scope = apr_pstrdup(memo->pool, key->scope);
    queried->directory = apr_pstrdup(memo->pool, key->directory);
    queried->user = apr_pstrdup(memo->pool, key->user);
    queried->password = apr_pstrdup(memo->pool, key->password);
    queried->answer = answer;
    apr_pool_cleanup_register(memo->pool, queried, wipe_password, apr_pool_cleanup_null);
    memo->queried = queried;
}

as_cache_key as_queried_get_key(const as_queried *queried)
{
    const as_cache_key key = {
        .scope = queried->scope, .directory = queried->directory, .user = queried->user, .password = queried->password};

    return key;
}

void as_queried_refuse(as_queried *queried, const as_login *login, as_login_memo *memo, const as_finding *finding)
{
    const as_cache_key key = as_queried_get_key(queried);
    as_answer *answer = apr_pmemdup(memo->pool, queried->answer, sizeof(*answer));
    const as_cached_answer refusal = {.finding = *finding, .dn = answer->dn};

    answer->finding = *finding;
    answer->acceptance = (as_acceptance){.stamp = 0};
    queried->answer = answer;
    if (login->cache) {
        as_cache_remove_acceptance(login->cache, &key, apr_time_now(), memo->pool);
        as_cache_put(login->cache, &key, &refusal, apr_time_now(), memo->pool);
    }
}
