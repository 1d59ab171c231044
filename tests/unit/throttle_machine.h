/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines and processes that throttle, and logins on them. To be included first.
 */
#ifndef AUTHSTATUS_TESTS_THROTTLE_MACHINE_H
#define AUTHSTATUS_TESTS_THROTTLE_MACHINE_H

#include "fake_store.h"

#include <sys/mman.h>

#include "cache/throttle_private.h"

static const as_throttle four_in_five_minutes = {4, 300 * SECOND, true, false, false};
static const as_throttle by_client = {4, 300 * SECOND, false, true, false};
static const as_throttle by_both = {4, 300 * SECOND, true, true, false};

static inline apr_time_t fake_wall(void)
{
    return wall;
}

static inline apr_status_t unmap(void *memory)
{
    munmap(memory, as_throttles_get_size());
    return APR_SUCCESS;
}

/* Another process of the same machine. */
static inline as_throttles *a_process_beside(const as_throttles *other)
{
    as_throttles *all = as_throttles_create(pool, other->memory, other->store ? a_process() : NULL);

    all->mono = fake_mono;
    all->wall = fake_wall;
    return all;
}

/* A machine's first process; on the store that all machines share, or without one. */
static inline as_throttles *a_machine_with(as_cache *store)
{
    as_throttle_memory *memory =
        mmap(NULL, as_throttles_get_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    as_throttles first = {.memory = memory, .store = store};

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_true(as_throttles_begin(memory));
    memory->offset = wall - mono;
    apr_pool_cleanup_register(pool, memory, unmap, apr_pool_cleanup_null);
    return a_process_beside(&first);
}

static inline as_throttles *a_machine(void)
{
    return a_machine_with(NULL);
}

static inline as_throttles *a_machine_of_several(void)
{
    return a_machine_with(a_process());
}

/* Returns how long a bind of the account has to wait, through a spelling that leads to it. */
static inline long wait_for_account(as_throttles *all, const as_throttle *throttle, const char *account)
{
    as_throttle_keep_spelling(all, "directory", account, account);
    return as_throttle_check_spelling(all, throttle, "directory", account, pool);
}

static inline long wait_for(as_throttles *all, const as_throttle *throttle, const char *user, const char *client)
{
    long of_user = user ? wait_for_account(all, throttle, user) : 0;
    long of_client = as_throttle_check_client(all, throttle, client, pool);

    return of_user > of_client ? of_user : of_client;
}

typedef enum verdict { WRONG, RIGHT, NO_FAILURE } verdict;

/* A login as the floor above makes it: admitted, queried, settled. Returns the wait. */
static inline long log_in(as_throttles *all, const as_throttle *throttle, const char *user, const char *client,
                          verdict found)
{
    apr_time_t stamp;
    long wait = as_throttle_check_client(all, throttle, client, pool);

    if (wait == 0) {
        wait = as_throttle_admit(all, throttle, &(as_counted_bind){user, AS_BIND_GUESS, mono}, pool, &stamp);
    }
    if (wait > 0) {
        return wait;
    }
    switch (found) {
    case WRONG:
        as_throttle_record_failure(all, user, stamp, pool);
        as_throttle_count_client(all, throttle, client, pool);
        break;
    case RIGHT:
        as_throttle_record_success(all, user, stamp, pool);
        break;
    case NO_FAILURE:
        as_throttle_withdraw(all, user, stamp, pool);
        break;
    }
    return 0;
}

static inline void guess(as_throttles *all, const as_throttle *throttle, int times)
{
    for (int i = 0; i < times; i++) {
        pass(1e-6); /* two failures that two machines see in the same microsecond are one */
        assert_int_equal(log_in(all, throttle, "alice", "192.0.2.1", WRONG), 0);
    }
}

#endif
