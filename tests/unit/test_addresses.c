/* SPDX-License-Identifier: Apache-2.0
 *
 * The servers of the configuration by their addresses, with a resolver and a machine that the test controls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_general.h>

#include "../../src/ldap/ldap_private.h"

#define MANY 100
#define SOON (60 * AS_MONO_SECOND)

static apr_pool_t *pool;
static int listener, port, connection;
static as_ldap_server servers[3];

/* ---- the resolver and the machine ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stuck; /* slow.example has no answer yet */
    int waiting;
    int addresses; /* how many here.example has; the last is the machine's */
    bool is_elsewhere;
    atomic_int lookups, lists;
    atomic_bool no_list;
    _Atomic as_mono later; /* than it is */
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

as_mono __real_as_mono_read(void);
as_mono __wrap_as_mono_read(void);
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getifaddrs(struct ifaddrs **found);
void __wrap_freeifaddrs(struct ifaddrs *found);

as_mono __wrap_as_mono_read(void)
{
    return __real_as_mono_read() + atomic_load(&fake.later);
}

static int resolve_here(const struct addrinfo *hints, struct addrinfo **found)
{
    struct addrinfo *one;

    *found = NULL;
    for (int i = 1; i <= fake.addresses; i++) {
        char address[32];

        snprintf(address, sizeof address, i < fake.addresses || fake.is_elsewhere ? "192.0.2.%d" : "192.0.3.%d", i);
        if (__real_getaddrinfo(address, NULL, hints, &one) != 0) {
            return EAI_MEMORY;
        }
        for (struct addrinfo **end = found;; end = &(*end)->ai_next) {
            if (!*end) {
                *end = one;
                break;
            }
        }
    }
    return 0;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (strchr(host, 'x') == NULL) {
        return __real_getaddrinfo(host, service, hints, found);
    }
    atomic_fetch_add(&fake.lookups, 1);
    if (strcmp(host, "slow.example") == 0) {
        pthread_mutex_lock(&fake.mutex);
        fake.waiting++;
        pthread_cond_broadcast(&fake.changed);
        while (fake.is_stuck) {
            pthread_cond_wait(&fake.changed, &fake.mutex);
        }
        fake.waiting--;
        pthread_mutex_unlock(&fake.mutex);
        return EAI_AGAIN;
    }
    return resolve_here(hints, found);
}

/* The last of its addresses is the last of here.example's. */
int __wrap_getifaddrs(struct ifaddrs **found)
{
    static struct ifaddrs list[MANY];
    static struct sockaddr_in addresses[MANY];

    atomic_fetch_add(&fake.lists, 1);
    if (atomic_load(&fake.no_list)) {
        errno = EMFILE;
        return -1;
    }
    for (int i = 0; i < MANY; i++) {
        char address[32];

        snprintf(address, sizeof address, i < MANY - 1 ? "198.51.100.%d" : "192.0.3.%d", i < MANY - 1 ? i : MANY);
        addresses[i].sin_family = AF_INET;
        inet_pton(AF_INET, address, &addresses[i].sin_addr);
        list[i].ifa_addr = (struct sockaddr *)&addresses[i];
        list[i].ifa_next = i < MANY - 1 ? &list[i + 1] : NULL;
    }
    *found = list;
    return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *found)
{
    assert_non_null(found);
}

static void be_stuck(bool is_stuck)
{
    pthread_mutex_lock(&fake.mutex);
    fake.is_stuck = is_stuck;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.mutex);
}

static void wait_until_stuck(void)
{
    pthread_mutex_lock(&fake.mutex);
    while (fake.waiting == 0) {
        pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    pthread_mutex_unlock(&fake.mutex);
}

/* Those that are there before the first test: qemu has one of its own. */
static int threads_before;

static int count_threads(void)
{
    DIR *all = opendir("/proc/self/task");
    int count = -2; /* "." and ".." */

    while (all && readdir(all)) {
        count++;
    }
    closedir(all);
    return count;
}

/* ---- rows ---- */

static int begin(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;

    (void)state;
    fake.addresses = MANY;
    fake.is_elsewhere = false;
    atomic_store(&fake.no_list, false);
    atomic_store(&fake.later, 0);
    be_stuck(false);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, size) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0 ||
        connect(connection, (struct sockaddr *)&at, size) != 0) {
        return -1;
    }
    port = ntohs(at.sin_port);
    servers[0] = (as_ldap_server){"slow.example", port};
    servers[1] = (as_ldap_server){"here.example", port};
    return apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static int end(void **state)
{
    (void)state;
    be_stuck(false);
    while (count_threads() > threads_before) {
        sched_yield();
    }
    close(connection);
    close(listener);
    apr_pool_destroy(pool);
    return 0;
}

static const as_ldap_server *find_first(as_addresses *all, as_mono within)
{
    const as_ldap_server *const *found = as_addresses_find(all, connection, as_mono_read() + within, pool);

    assert_non_null(found);
    return found[0];
}

static void a_login_waits_until_names_are_known_and_no_longer(void **state)
{
    as_addresses *all = as_addresses_create(servers, 2);

    (void)state;
    be_stuck(true);
    assert_null(as_addresses_find(all, connection, as_mono_read() + AS_MONO_SECOND / 10, pool));
    assert_null(as_addresses_find(all, connection, as_mono_read() - 1, pool));
    be_stuck(false);
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    as_addresses_end(all);
}

/* A name without an address is tried again every few seconds: no login waits for that. */
static void a_name_that_is_tried_again_delays_no_login(void **state)
{
    as_addresses *all = as_addresses_create(servers, 2);
    int lookups;

    (void)state;
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    be_stuck(true);
    atomic_fetch_add(&fake.later, 6 * AS_MONO_SECOND);
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    wait_until_stuck();
    lookups = atomic_load(&fake.lookups);
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    assert_ptr_equal(find_first(all, -1), &servers[1]);
    assert_int_equal(atomic_load(&fake.lookups), lookups);
    as_addresses_end(all);
}

static void an_old_table_is_made_anew_first(void **state)
{
    as_addresses *all = as_addresses_create(&servers[1], 1);

    (void)state;
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    fake.is_elsewhere = true;
    atomic_fetch_add(&fake.later, 3600 * AS_MONO_SECOND);
    while (find_first(all, SOON)) {
        sched_yield();
    }
    as_addresses_end(all);
}

/* It may be the server, however that was named. */
static void a_name_that_never_resolved_may_be_anywhere(void **state)
{
    const as_ldap_server *const *found;
    as_addresses *all;

    (void)state;
    servers[2] = (as_ldap_server){"slow.example", port + 1};
    all = as_addresses_create(servers, 3);
    assert_ptr_equal(find_first(all, SOON), &servers[1]);
    found = as_addresses_find(all, connection, as_mono_read() + SOON, pool);
    assert_ptr_equal(found[1], &servers[0]);
    assert_null(found[2]);
    as_addresses_end(all);
}

static void a_list_that_failed_is_tried_again_soon(void **state)
{
    as_addresses *all;

    (void)state;
    servers[0] = servers[1];
    all = as_addresses_create(servers, 1);
    atomic_store(&fake.no_list, true);
    assert_null(find_first(all, SOON));
    atomic_store(&fake.no_list, false);
    atomic_fetch_add(&fake.later, 6 * AS_MONO_SECOND);
    while (!find_first(all, SOON)) {
        sched_yield();
    }
    as_addresses_end(all);
}

static void the_end_waits_for_no_name(void **state)
{
    as_addresses *all = as_addresses_create(servers, 2);

    (void)state;
    be_stuck(true);
    assert_null(as_addresses_find(all, connection, as_mono_read() - 1, pool));
    wait_until_stuck();
    as_addresses_end(all);
    assert_int_equal(count_threads(), threads_before + 1);
}

/* ---- binds ---- */

static int admitted;

static bool admit(void *data, const as_bind_target *target, const char *name, bool accepted)
{
    (void)data;
    (void)target;
    (void)name;
    (void)accepted;
    admitted++;
    return true;
}

static void note(void *data, const as_ldap_server_state *state)
{
    *(as_ldap_server_state *)data = *state;
}

static const char *const attributes[] = {"uid", NULL};

/* A bind that is not sent counts neither for its account nor against its server. */
static void a_bind_that_is_too_late_is_not_admitted(void **state)
{
    const as_directory_limits limits = {.in_flight = 4,
                                        .breaker_failures = 3,
                                        .breaker_time = SOON,
                                        .directories = 1,
                                        .servers = servers,
                                        .server_count = 2};
    const as_ldap_server his = {"127.0.0.1", port};
    const as_directory_settings settings = {
        .servers = &his, .server_count = 1, .base = "", .attributes = attributes, .attribute_count = 1};
    as_directories *all = as_directories_create(pool, &limits);
    const as_query query = {.settings = &settings,
                            .user = "ann",
                            .password = "secret",
                            .known_dn = "uid=ann",
                            .deadline = as_mono_read() + 2 * AS_MONO_SECOND,
                            .admitter = {.admit = admit, .is_foreign = true}};
    as_ldap_server_state seen = {.outages = -1};
    as_reply reply;

    (void)state;
    admitted = 0;
    be_stuck(true);
    as_directory_query(all, &query, pool, &reply);
    assert_int_equal(reply.failure, AS_FAILURE_TIMEOUT);
    assert_true(reply.repeated);
    assert_int_equal(admitted, 0);
    as_directories_visit(all, &settings, note, &seen);
    assert_int_equal(seen.outages, 0);
}

static as_bound judge(const as_reply *reply)
{
    (void)reply;
    return AS_BOUND_REFUSED;
}

static void a_bind_that_nobody_counts_needs_no_address(void **state)
{
    const as_directory_limits limits = {.in_flight = 4, .directories = 1, .servers = servers, .server_count = 2};
    const as_ldap_server his = {"127.0.0.1", port};
    const as_directory_settings settings = {
        .servers = &his, .server_count = 1, .base = "", .attributes = attributes, .attribute_count = 1};
    as_directories *all = as_directories_create(pool, &limits);
    as_group_user user = {.dn = "uid=ann", .password = "secret", .admitter = {.is_foreign = true}, .judge = judge};
    as_group_query query = {.deadline = as_mono_read() + 2 * AS_MONO_SECOND, .pool = pool, .user = &user};
    const int lookups = atomic_load(&fake.lookups), lists = atomic_load(&fake.lists);
    as_server_facts facts;
    as_reply reply;

    (void)state;
    query.entered = as_directories_enter(all, &settings, query.deadline, pool, &reply);
    assert_non_null(query.entered);
    assert_false(as_group_get_server(&query, &facts, &reply));
    as_directories_leave(query.entered);
    assert_true(user.sent);
    assert_int_equal(atomic_load(&fake.lookups), lookups);
    assert_int_equal(atomic_load(&fake.lists), lists);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_login_waits_until_names_are_known_and_no_longer),
        ROW(a_name_that_is_tried_again_delays_no_login),
        ROW(an_old_table_is_made_anew_first),
        ROW(a_name_that_never_resolved_may_be_anywhere),
        ROW(a_list_that_failed_is_tried_again_soon),
        ROW(the_end_waits_for_no_name),
        ROW(a_bind_that_is_too_late_is_not_admitted),
        ROW(a_bind_that_nobody_counts_needs_no_address),
    };

    apr_initialize();
    threads_before = count_threads();
    return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
