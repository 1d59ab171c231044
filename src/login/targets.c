/* SPDX-License-Identifier: Apache-2.0
 *
 * The accounts that one bind counts for, by the server that gets it.
 */
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

/* Returns the guard of an account of the directory's servers; *is_of_target: the server that gets the bind has it. */
static as_guard find_guard(const as_admission *admission, const char *account, int target, bool *is_of_target)
{
    const as_login_directory *directory = admission->params->directory;
    as_guard guard = AS_GUARD_NONE;
    int i;

    *is_of_target = false;
    for (i = 0; directory->guards && i < directory->settings->server_count; i++) {
        if (directory->guards[i] != AS_GUARD_NONE &&
            as_account_is_at(account, &directory->settings->servers[i], admission->memo->pool)) {
            guard = guard == AS_GUARD_NONE || i == target ? directory->guards[i] : guard;
            *is_of_target = *is_of_target || i == target;
        }
    }
    return guard;
}

static bool has_account(const apr_array_header_t *list, const char *name)
{
    int i = 0;

    while (i < list->nelts && strcmp(APR_ARRAY_IDX(list, i, as_target_account).name, name) != 0) {
        i++;
    }
    return i < list->nelts;
}

static void add_account(apr_array_header_t *list, const char *name, as_guard guard)
{
    as_target_account *account = apr_array_push(list);

    account->name = name;
    account->guard = guard;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(((const as_target_account *)one)->name, ((const as_target_account *)other)->name);
}

const as_target_account *as_target_list_accounts(const as_admission *admission, const char *name,
                                                 const as_bind_target *target)
{
    apr_pool_t *pool = admission->memo->pool;
    const char *const *account = as_accounts_name(admission->params->directory->settings, name, pool);
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(as_target_account));
    int i;

    for (; *account; account++) {
        bool is_of_target;
        const as_guard guard = find_guard(admission, *account, target->index, &is_of_target);

        if (guard == AS_GUARD_NONE || is_of_target || target->index < 0) {
            add_account(list, *account, guard);
        }
    }
    for (i = 0; target->configured && target->configured[i]; i++) {
        const char *there = as_account_name_at(target->configured[i], name, pool);

        if (!has_account(list, there)) {
            add_account(list, there, AS_GUARD_COUNTS);
        }
    }
    /* A thread that has one of them may wait for the next: all threads must go in one order. */
    qsort(list->elts, (size_t)list->nelts, sizeof(as_target_account), compare_names);
    add_account(list, NULL, AS_GUARD_NONE);
    return (const as_target_account *)list->elts;
}

const as_throttle *as_target_get_throttle(as_admission *admission, as_guard guard)
{
    const as_login_attempt *params = admission->params;

    if (!params->throttle || !params->directory->foreign || guard == AS_GUARD_TRUSTED) {
        return params->throttle;
    }
    admission->of_htaccess = *params->throttle;
    admission->of_htaccess.of_htaccess = true;
    return &admission->of_htaccess;
}
