/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session does not send: a bind that proves nothing, and what there is no time left for. And the messages that
 * end it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_general.h>

#include "../../src/ldap/ldap_private.h"

static apr_pool_t *pool;
static as_directories *all;
static as_ldap_server server = {.host = "127.0.0.1"};
static const char *const attributes[] = {"uid", NULL};
static const as_directory_settings settings = {
    .servers = &server, .server_count = 1, .base = "", .attributes = attributes, .attribute_count = 1};

/* A server that accepts connections and says nothing, and the session to it. */
static int listening, taken;
static as_directory *entered;
static as_session *session;

static int begin(void **state)
{
    const as_directory_limits limits = {.in_flight = 4, .breaker_failures = 3, .breaker_time = 1, .directories = 1};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const as_mono deadline = as_mono_read() + 60 * AS_MONO_SECOND;
    socklen_t size = sizeof(at);
    as_reply reply;

    (void)state;
    apr_pool_create(&pool, NULL);
    listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listening, 4), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &size), 0);
    server.port = ntohs(at.sin_port);
    all = as_directories_create(pool, &limits);
    entered = as_directories_enter(all, &settings, deadline, pool, &reply);
    session = as_session_create_aside(entered, &settings, &server, pool);
    as_reply_clear(&reply);
    assert_true(as_session_open(session, deadline, pool, &reply));
    taken = accept(listening, NULL, NULL);
    return taken >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    as_session_close(session);
    as_directories_leave(entered);
    close(taken);
    close(listening);
    apr_pool_destroy(pool);
    return 0;
}

static bool was_sent(void)
{
    struct pollfd wanted = {.fd = taken, .events = POLLIN};

    return poll(&wanted, 1, 0) != 0;
}

/* RFC 4513 5.1.1, 5.1.2: directories accept such a bind for any name. */
static void test_a_bind_without_a_name_or_a_password(void **state)
{
    static const char *const binds[][2] = {{"", "secret"}, {"uid=ann,dc=example", ""}, {"", ""}};
    as_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(binds) / sizeof(*binds); i++) {
        as_reply_clear(&reply);
        assert_false(as_session_bind_user(session, binds[i][0], binds[i][1], as_mono_read() + AS_MONO_SECOND / 10, pool,
                                          &reply));
        assert_int_equal(reply.failure, AS_FAILURE_LOCAL);
        assert_false(was_sent());
    }
}

/* A process that was stopped for a while goes on after its deadline. That is an outage, and no mistake of the filter.
 */
static void test_a_search_after_its_deadline(void **state)
{
    const as_search search = {.base = "dc=example",
                              .scope = LDAP_SCOPE_SUBTREE,
                              .filter = "(uid=ann)",
                              .attributes = attributes,
                              .attribute_count = 1,
                              .limit = 2};
    static const int late[] = {0, 500, 1000, 1500, 2000, 10000}; /* milliseconds */
    as_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(late) / sizeof(*late); i++) {
        as_reply_clear(&reply);
        assert_false(
            as_session_search(session, &search, as_mono_read() - late[i] * AS_MONO_SECOND / 1000, pool, &reply));
        assert_int_equal(reply.failure, AS_FAILURE_TIMEOUT);
    }
}

/* ---- as_bind_admit ---- */

static bool note_admission(void *data, const as_bind_target *target, const char *name, bool accepted)
{
    (void)target;
    (void)name;
    (void)accepted;
    ++*(int *)data;
    return true;
}

/* A bind that is not sent counts for nobody. */
static void test_a_bind_after_its_deadline(void **state)
{
    int admitted = 0;
    const as_admitter admitter = {.admit = note_admission, .data = &admitted};
    as_reply reply;
    as_task task = {.settings = &settings, .pool = pool, .reply = &reply};

    (void)state;
    as_reply_clear(&reply);
    task.deadline = as_mono_read() - 1;
    assert_int_equal(as_bind_admit(&task, session, &admitter, "uid=ann,dc=example", false), AS_SEND_TOO_LATE);
    assert_int_equal(reply.failure, AS_FAILURE_TIMEOUT);
    assert_int_equal(admitted, 0);
    as_reply_clear(&reply);
    task.deadline = as_mono_read() + 60 * AS_MONO_SECOND;
    assert_int_equal(as_bind_admit(&task, session, &admitter, "uid=ann,dc=example", false), AS_SEND_ADMITTED);
    assert_int_equal(admitted, 1);
}

/* ---- as_incoming_follow ---- */

#define MESSAGE(octets, is_good)                                                                                       \
    {                                                                                                                  \
        octets, sizeof(octets) - 1, is_good                                                                            \
    }

/* Octets of messages, and whether the session goes on. In whole, and octet by octet. */
static const struct {
    const char *octets;
    size_t length;
    bool is_good;
} messages[] = {
    /* SEQUENCE { messageID INTEGER, ... } (RFC 4511 4.1.1) */
    MESSAGE("\x30\x05\x02\x01\x01\x61\x00", true),
    MESSAGE("\x30\x84\x00\x00\x00\x05\x02\x01\x7f\x61\x00", true),
    MESSAGE("\x30\x08\x02\x04\x7f\xff\xff\xff\x61\x00", true),
    MESSAGE("\x30\x05\x02\x01\x01\x61\x00\x30\x05\x02\x01\x02\x61\x00", true),
    /* A notification (4.4), written in three ways, and behind an answer. */
    MESSAGE("\x30\x05\x02\x01\x00\x78\x00", false),
    MESSAGE("\x30\x06\x02\x81\x01\x00\x78\x00", false),
    MESSAGE("\x30\x08\x02\x04\x00\x00\x00\x00\x78\x00", false),
    MESSAGE("\x30\x05\x02\x01\x01\x61\x00\x30\x05\x02\x01\x00\x78\x00", false),
    /* What libldap takes for an ID: of another type, none, and one of five octets. */
    MESSAGE("\x30\x05\x04\x01\x01\x61\x00", false),
    MESSAGE("\x30\x04\x02\x00\x61\x00", false),
    MESSAGE("\x30\x09\x02\x05\x00\x00\x00\x00\x01\x61\x00", false),
};

static void test_messages_that_end_a_session(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        const unsigned char *octets = (const unsigned char *)messages[i].octets;
        as_incoming whole = {.head_size = 0}, slow = {.head_size = 0};
        bool goes_on = true;

        assert_int_equal(as_incoming_follow(&whole, octets, messages[i].length), messages[i].is_good);
        for (size_t at = 0; at < messages[i].length; at++) {
            goes_on = as_incoming_follow(&slow, octets + at, 1) && goes_on;
        }
        assert_int_equal(goes_on, messages[i].is_good);
        assert_true((whole.refused == NULL) == messages[i].is_good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_bind_without_a_name_or_a_password, begin, end),
        cmocka_unit_test_setup_teardown(test_a_search_after_its_deadline, begin, end),
        cmocka_unit_test_setup_teardown(test_a_bind_after_its_deadline, begin, end),
        cmocka_unit_test(test_messages_that_end_a_session),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
