/* SPDX-License-Identifier: Apache-2.0
 *
 * Service accounts that .htaccess files name. A person who may write one could try passwords in AuthLDAPBindPassword,
 * as many as he likes: such a bind counts as a failed login of the account does.
 */
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* An account, and the admission of the bind. */
typedef struct as_service_account {
    const char *name;
    apr_time_t stamp;
} as_service_account;

static int compare_names(const void *one, const void *other)
{
    return strcmp(((const as_service_account *)one)->name, ((const as_service_account *)other)->name);
}

/* Names the accounts that the bind counts for: at each server of the configuration that gets it, in the order of their
 * names, as the accounts of a login. */
static apr_array_header_t *list_accounts(const as_directory_settings *settings, const as_bind_target *target,
                                         apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(as_service_account));
    const char *const *name = settings->of_htaccess ? NULL : as_accounts_name(settings, settings->bind_dn, pool);
    int i;

    for (; name && *name; name++) {
        ((as_service_account *)apr_array_push(list))->name = *name;
    }
    for (i = 0; target->configured && target->configured[i]; i++) {
        const char *there = as_account_name_at(target->configured[i], settings->bind_dn, pool);
        int at = 0;

        while (at < list->nelts && strcmp(APR_ARRAY_IDX(list, at, as_service_account).name, there) != 0) {
            at++;
        }
        if (at == list->nelts) {
            ((as_service_account *)apr_array_push(list))->name = there;
        }
    }
    qsort(list->elts, (size_t)list->nelts, sizeof(as_service_account), compare_names);
    return list;
}

static void withdraw(const as_login *login, const as_service_account *accounts, int count, apr_pool_t *pool)
{
    while (count-- > 0) {
        as_throttle_withdraw(login->throttles, accounts[count].name, accounts[count].stamp, pool);
    }
}

static bool admit(const as_service_guard *guard, as_service_account *account, as_mono patience, apr_pool_t *pool)
{
    const as_counted_bind bind = {.account = account->name, .kind = AS_BIND_GUESS, .patience = patience};

    return as_throttle_admit(guard->login->throttles, &guard->throttle, &bind, pool, &account->stamp) == 0;
}

static void *begin(const void *data, const as_directory_settings *settings, const as_bind_target *target,
                   as_mono deadline, apr_pool_t *pool)
{
    const as_service_guard *guard = data;
    apr_array_header_t *list = list_accounts(settings, target, pool);
    as_service_account *accounts = (as_service_account *)list->elts;
    const as_mono now = as_mono_read(), patience = now + (deadline - now) / 2;
    int i = 0;

    if (list->nelts > 0 && !as_account_is_nameable(settings->bind_dn, pool)) {
        return NULL;
    }
    while (i < list->nelts && admit(guard, &accounts[i], patience, pool)) {
        i++;
    }
    if (i == list->nelts) {
        return list;
    }
    withdraw(guard->login, accounts, i, pool);
    return NULL;
}

/* A success ends no count: it is a .htaccess file's. */
static void end(const void *data, void *begun, as_guarded result, apr_pool_t *pool)
{
    const as_service_guard *guard = data;
    const apr_array_header_t *list = begun;
    const as_service_account *accounts = (const as_service_account *)list->elts;
    int i;

    if (result == AS_GUARDED_NO_FAILURE) {
        withdraw(guard->login, accounts, list->nelts, pool);
        return;
    }
    for (i = 0; i < list->nelts; i++) {
        as_throttle_record_failure(guard->login->throttles, accounts[i].name, accounts[i].stamp, pool);
    }
}

as_account_guard as_service_guard_make(as_service_guard *guard, const as_login *login, const as_throttle *throttle)
{
    guard->login = login;
    guard->throttle = *throttle;
    guard->throttle.of_htaccess = true;
    return (as_account_guard){.data = guard, .begin = begin, .end = end};
}
