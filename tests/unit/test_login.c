/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins and authorization over a directory that is played here: the floor of LDAP is this file. Counts what is asked,
 * and fails where a test says so.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "authstatus/authorize.h"
#include "authstatus/dn.h"
#include "authstatus/groups.h"

#define SECOND APR_USEC_PER_SEC
#define GROUPS 12
#define ANN "uid=ann,o=x"

static apr_pool_t *process, *request;
static as_login login;
static as_login_memo memo;

/* ---- the directory ---- */

struct as_directory {
    int inside; /* slots taken */
};

static struct as_directory directory;

static struct {
    int count;
    bool has_user[GROUPS], has[GROUPS][GROUPS]; /* has[i][j]: group i has group j as a member */
    bool is_other[GROUPS];                      /* of a class that does not nest */
    bool is_hidden[GROUPS];                     /* its members cannot be searched for */
    bool is_gone[GROUPS];
} groups;

static struct {
    int queries, probes, operations, entered;
    int fail_at;     /* the operation that fails; 0: none */
    as_reply failed; /* with this */
    bool is_open;    /* the circuit is open */
    const char *password;
    bool unknown; /* nobody is found */
    bool known[GROUPS], comparable[GROUPS], server_known;
} ldap;

as_mono as_mono_read(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (as_mono)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void clear(as_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    reply->step = AS_STEP_SEARCH;
    reply->matched_dn = reply->diagnostic = reply->reason = "";
    reply->server = "fake:389";
}

as_directory *as_directories_enter(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                                   apr_pool_t *pool, as_reply *reply)
{
    (void)all;
    (void)settings;
    (void)deadline;
    (void)pool;
    clear(reply);
    if (ldap.is_open) {
        reply->failure = AS_FAILURE_CIRCUIT_OPEN;
        reply->reason = "open";
        reply->retry_after = 7;
        return NULL;
    }
    ldap.entered++;
    directory.inside++;
    return &directory;
}

void as_directories_leave(as_directory *entered)
{
    entered->inside--;
}

/* Does this operation fail? */
static bool fails(as_reply *reply)
{
    clear(reply);
    if (++ldap.operations == ldap.fail_at) {
        *reply = ldap.failed;
        return true;
    }
    return false;
}

void as_directory_query(as_directories *all, const as_query *question, apr_pool_t *pool, as_reply *reply)
{
    static const char *const mail[] = {"ann@x", NULL};
    static const as_values values[] = {mail, NULL};

    (void)all;
    (void)pool;
    ldap.queries++;
    if (fails(reply) || ldap.unknown) {
        return;
    }
    reply->entries = 1;
    reply->dn = ANN;
    reply->values = values;
    if (question->password) {
        reply->step = AS_STEP_USER_BIND;
        reply->code = strcmp(question->password, ldap.password) == 0 ? 0 : 49;
    }
}

void as_directory_probe(as_directories *all, const as_directory_settings *settings, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply)
{
    (void)all;
    (void)settings;
    (void)deadline;
    (void)pool;
    ldap.probes++;
    fails(reply);
}

static int number_of(const char *dn)
{
    return as_dn_is_within(dn, "o=x") && strncmp(dn, "cn=g", 4) == 0 ? atoi(dn + 4) : -1;
}

static const char *name_of(int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "cn=g%d,o=x", number);
}

bool as_group_get_server(as_group_query *query, as_server_facts *facts, as_reply *reply)
{
    static const char *const contexts[] = {"o=x", NULL};

    clear(reply);
    if (!ldap.server_known) {
        query->searches++;
        if (fails(reply)) {
            return false;
        }
    }
    ldap.server_known = true;
    facts->is_ad = false;
    facts->contexts = contexts;
    return true;
}

bool as_group_have_ad_ways_failed(const as_directory *entered)
{
    (void)entered;
    return false;
}

void as_group_note_ad_ways_failed(as_directory *entered)
{
    (void)entered;
}

bool as_group_hidden(as_group_query *query, const char *base, const char *const *classes, const char *const *attributes,
                     const char *const **hidden, as_reply *reply)
{
    static const char *const none[] = {NULL};

    (void)query;
    (void)base;
    (void)classes;
    (void)attributes;
    (void)reply;
    *hidden = none;
    return true;
}

bool as_group_was_member_of_seen(const as_group_query *query, bool by_login)
{
    (void)query;
    (void)by_login;
    return true;
}

void as_group_note_member_of(const as_group_query *query, bool by_login)
{
    (void)query;
    (void)by_login;
}

static void describe(int number, as_group_facts *facts, apr_pool_t *pool)
{
    static const char *const usual[] = {"groupOfNames", NULL}, *const other[] = {"groupOfURLs", NULL};

    facts->described = true;
    facts->exists = number >= 0 && number < groups.count && !groups.is_gone[number];
    facts->dn = facts->exists ? name_of(number, pool) : NULL;
    facts->classes = facts->exists && groups.is_other[number] ? other : usual;
    facts->searchable = facts->exists && !groups.is_hidden[number];
}

void as_group_get_facts(const as_group_query *query, const char *dn, const char *const *attributes,
                        as_group_facts *facts)
{
    const int number = number_of(dn);

    (void)attributes;
    memset(facts, 0, sizeof *facts);
    if (number >= 0 && number < groups.count) {
        facts->comparable = ldap.comparable[number];
        if (ldap.known[number]) {
            describe(number, facts, query->pool);
        }
    }
}

bool as_group_describe(as_group_query *query, const char *dn, const char *const *attributes, as_group_facts *facts,
                       as_reply *reply)
{
    const int number = number_of(dn);

    (void)attributes;
    query->searches++;
    memset(facts, 0, sizeof *facts);
    if (fails(reply)) {
        return false;
    }
    describe(number, facts, query->pool);
    if (facts->exists) {
        ldap.known[number] = true;
    }
    return true;
}

bool as_group_compare(as_group_query *query, const char *dn, const char *const *attributes, const char *const *values,
                      int count, int *codes, as_reply *reply)
{
    const int number = number_of(dn);

    (void)attributes;
    query->compares += count;
    if (fails(reply)) {
        codes[0] = reply->code;
        return reply->failure == AS_FAILURE_NONE && reply->code != 51 && reply->code != 52;
    }
    for (int i = 0; i < count; i++) {
        codes[i] = number < 0 || number >= groups.count || groups.is_gone[number] ? 32
                   : i > 0                                                        ? 16
                   : groups.has_user[number] && strcmp(values[i], ANN) == 0       ? 6
                                                                                  : 5;
    }
    return true;
}

void as_group_note_comparable(const as_group_query *query, const char *dn, const char *const *attributes)
{
    (void)query;
    (void)attributes;
    ldap.comparable[number_of(dn)] = true;
}

static bool has_value(int number, const char *value)
{
    const int member = number_of(value);

    return member >= 0 ? groups.has[number][member] : groups.has_user[number] && strcmp(value, ANN) == 0;
}

bool as_group_search(as_group_query *query, const as_group_level *level, const char *const **found, int *count,
                     as_reply *reply)
{
    const char **dns = apr_pcalloc(query->pool, (GROUPS + 1) * sizeof *dns);

    query->searches++;
    *count = 0;
    *found = dns;
    if (fails(reply)) {
        return false;
    }
    for (int number = 0; number < groups.count; number++) {
        bool has = false;

        for (int i = 0; i < level->value_count; i++) {
            has |= has_value(number, level->values[i]);
        }
        if (has && !groups.is_other[number] && !groups.is_hidden[number] && !groups.is_gone[number]) {
            dns[(*count)++] = name_of(number, query->pool);
        }
    }
    return true;
}

bool as_group_get_membership(as_group_query *query, const char *user_dn, as_membership *membership, as_reply *reply)
{
    const char **dns = apr_pcalloc(query->pool, (GROUPS + 1) * sizeof *dns);

    (void)user_dn;
    query->searches++;
    memset(membership, 0, sizeof *membership);
    membership->groups = dns;
    membership->whole = true;
    if (fails(reply)) {
        return false;
    }
    for (int number = 0; number < groups.count; number++) {
        if (groups.has_user[number]) {
            dns[membership->group_count++] = name_of(number, query->pool);
        }
    }
    return true;
}

bool as_group_test_chain(as_group_query *query, const char *user_dn, const char *group_dn, bool *is, as_reply *reply)
{
    (void)user_dn;
    (void)group_dn;
    query->searches++;
    *is = false;
    return !fails(reply);
}

bool as_group_get_tokens(as_group_query *query, const char *user_dn, const as_sid **sids, int *count, as_reply *reply)
{
    (void)user_dn;
    query->searches++;
    *sids = NULL;
    *count = 0;
    return !fails(reply);
}

bool as_group_test_filter(as_group_query *query, const char *dn, const char *filter, bool *does, as_reply *reply)
{
    (void)dn;
    query->searches++;
    *does = strstr(filter, "yes") != NULL;
    return !fails(reply);
}

bool as_group_count_entries(as_group_query *query, const char *filter, int *entries, as_reply *reply)
{
    query->searches++;
    *entries = strstr(filter, "one") ? 1 : strstr(filter, "two") ? 2 : 0;
    return !fails(reply);
}

bool as_group_is_filter(const char *filter)
{
    return filter[strlen(filter) - 1] == ')';
}

const char *as_group_escape(const char *value, apr_pool_t *pool)
{
    (void)pool;
    return value;
}

/* ---- what is asked ---- */

static const char *const attributes[] = {"uid", NULL};
static const as_directory_settings settings = {.base = "o=x",
                                               .attributes = attributes,
                                               .attribute_count = 1,
                                               .servers = &(as_ldap_server){"fake", 389},
                                               .server_count = 1};
static const as_login_directory place = {.settings = &settings, .fingerprint = "fake", .scope = "www"};
static as_group_settings rules;
static const as_entry ann = {.directory = &place, .dn = ANN, .user = "ann", .password = "secret"};

static void begin(void)
{
    apr_pool_clear(request);
    memset(&memo, 0, sizeof memo);
    memo.pool = request;
}

/* A process that has just begun. */
static int set_up(void **state)
{
    static const as_cache_times times = {60 * SECOND, 30 * SECOND, 300 * SECOND, 0};
    static const unsigned char key[] = "0123456789abcdef0123456789abcdef";

    (void)state;
    apr_pool_clear(process);
    apr_pool_create(&request, process);
    memset(&ldap, 0, sizeof ldap);
    memset(&groups, 0, sizeof groups);
    ldap.password = "secret";
    login.throttles = NULL;
    login.directories = (as_directories *)&directory;
    login.cache = as_cache_create(process, &times, NULL, key, 32, 256);
    rules = as_group_settings_make_default();
    begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(directory.inside, 0);
    return 0;
}

static as_reply a_failure(as_failure failure)
{
    as_reply reply;

    clear(&reply);
    reply.step = AS_STEP_CONNECT;
    reply.failure = failure;
    reply.reason = "told so";
    return reply;
}

static as_reply a_code(int code)
{
    as_reply reply;

    clear(&reply);
    reply.code = code;
    return reply;
}

static as_outcome log_in(const char *user, const char *password)
{
    const as_login_attempt attempt = {
        .directory = &place, .user = user, .password = password, .client = "192.0.2.1", .deadline = 5 * SECOND};

    return as_authenticate(&login, &memo, &attempt, NULL)->finding.outcome;
}

static const as_authorization *ask(as_requirement_kind kind, const char *text)
{
    const char **words = apr_pcalloc(request, 3 * sizeof *words);
    const as_requirement requirement = {.kind = kind, .text = text, .words = words};
    const as_authorize_attempt attempt = {
        .directory = &place, .groups = &rules, .entry = &ann, .requirement = &requirement, .deadline = 5 * SECOND};

    words[0] = text;
    return as_authorize(&login, &memo, &attempt, NULL);
}

static const as_authorization *ask_group(int number)
{
    return ask(AS_REQUIRE_GROUP, name_of(number, request));
}

/* ---- logins ---- */

static void a_login_is_remembered(void **state)
{
    (void)state;
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    assert_int_equal(log_in("ann", "wrong"), AS_OUTCOME_WRONG_PASSWORD);
    begin();
    assert_int_equal(log_in("ann", "wrong"), AS_OUTCOME_WRONG_PASSWORD);
    assert_true(ldap.queries > 1);
}

static void within_one_transaction_nothing_is_asked_twice(void **state)
{
    (void)state;
    login.cache = NULL;
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 2);
}

static void an_outage_is_not_remembered(void **state)
{
    (void)state;
    ldap.fail_at = 1;
    ldap.failed = a_failure(AS_FAILURE_DOWN);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_DIRECTORY_DOWN);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    ldap.is_open = true;
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED); /* from memory */
    assert_int_equal(log_in("ann", "other"), AS_OUTCOME_DIRECTORY_DOWN);
}

/* ---- while the directory is away ---- */

/* A process that caches nothing, but for an outage. */
static void serve_stale(void)
{
    static const as_cache_times times = {0, 0, 0, 600 * SECOND};
    static const unsigned char key[] = "0123456789abcdef0123456789abcdef";

    login.cache = as_cache_create(process, &times, NULL, key, 32, 256);
}

static void fail_from_now_on(as_reply how)
{
    begin();
    ldap.fail_at = ldap.operations + 1;
    ldap.failed = how;
}

static void a_login_is_served_stale_in_an_outage_alone(void **state)
{
    static const as_failure failures[] = {AS_FAILURE_DOWN, AS_FAILURE_TIMEOUT, AS_FAILURE_TLS, AS_FAILURE_LOCAL};
    static const int codes[] = {51, 52, 80, 1, 3, 11, 2, 34, 48, 53, 99};

    (void)state;
    serve_stale();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    for (size_t i = 0; i < sizeof failures / sizeof *failures + sizeof codes / sizeof *codes; i++) {
        const size_t code = i - sizeof failures / sizeof *failures;
        as_outcome outcome;
        as_class of;

        fail_from_now_on(i < sizeof failures / sizeof *failures ? a_failure(failures[i]) : a_code(codes[code]));
        of = as_outcome_describe(log_in("bob", "secret"))->of;
        fail_from_now_on(ldap.failed);
        outcome = log_in("ann", "secret");
        assert_int_equal(outcome == AS_OUTCOME_GRANTED_STALE, of == AS_CLASS_UNAVAILABLE);
        assert_int_equal(memo.stale != NULL, of == AS_CLASS_UNAVAILABLE);
        assert_true(outcome == AS_OUTCOME_GRANTED_STALE || as_outcome_describe(outcome)->of == AS_CLASS_MISCONFIGURED);
        fail_from_now_on(ldap.failed);
        assert_int_equal(as_outcome_describe(log_in("ann", "wrong"))->of, of);
    }
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    ldap.is_open = true;
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED_STALE);
    assert_int_equal(memo.stale->outage, AS_OUTCOME_DIRECTORY_DOWN);
    assert_string_equal(memo.stale->reason, "open");
}

static void a_line_is_served_stale_if_it_was_a_yes(void **state)
{
    (void)state;
    groups.count = 2;
    groups.has_user[0] = true;
    serve_stale();
    assert_int_equal(ask_group(0)->answer, AS_YES);
    assert_int_equal(ask_group(1)->answer, AS_NO);
    begin();
    ldap.is_open = true;
    assert_int_equal(ask_group(0)->answer, AS_YES);
    assert_true(ask_group(0)->stale && memo.stale);
    begin();
    assert_int_equal(ask_group(1)->answer, AS_UNKNOWN);
    assert_null(memo.stale);
    /* What was a member is none any more, and the directory has said so. */
    ldap.is_open = false;
    groups.has_user[0] = false;
    begin();
    assert_int_equal(ask_group(0)->answer, AS_NO);
    ldap.is_open = true;
    begin();
    assert_int_equal(ask_group(0)->answer, AS_UNKNOWN);
}

static as_outcome guess(const as_throttle *throttle, const char *password)
{
    const as_login_attempt attempt = {.directory = &place,
                                      .user = "ann",
                                      .password = password,
                                      .client = "192.0.2.1",
                                      .throttle = throttle,
                                      .deadline = 5 * SECOND};
    as_outcome outcome;

    begin();
    outcome = as_authenticate(&login, &memo, &attempt, NULL)->finding.outcome;
    as_login_settle(&login, &memo, throttle, "192.0.2.1",
                    as_outcome_describe(outcome)->of == AS_CLASS_GRANTED ? AS_LOGIN_GRANTED : AS_LOGIN_UNKNOWN);
    as_login_finish(&login, &memo);
    return outcome;
}

static void guesses_are_throttled_while_the_directory_is_away(void **state)
{
    static const as_throttle by[] = {{3, 300 * SECOND, true, false}, {3, 300 * SECOND, false, true}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        void *memory = apr_pcalloc(process, as_throttles_get_size());

        assert_true(as_throttles_begin(memory));
        ldap.is_open = false;
        serve_stale();
        login.throttles = as_throttles_create(process, memory, NULL);
        assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_GRANTED);
        ldap.is_open = true;
        assert_int_equal(guess(&by[i], "1"), AS_OUTCOME_DIRECTORY_DOWN);
        assert_int_equal(guess(&by[i], "2"), AS_OUTCOME_DIRECTORY_DOWN);
        if (by[i].by_user) {
            /* A right one ends the count, as ever. */
            assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_GRANTED_STALE);
            assert_int_equal(guess(&by[i], "1"), AS_OUTCOME_DIRECTORY_DOWN);
            assert_int_equal(guess(&by[i], "2"), AS_OUTCOME_DIRECTORY_DOWN);
        }
        assert_int_equal(guess(&by[i], "3"), AS_OUTCOME_DIRECTORY_DOWN);
        assert_int_equal(guess(&by[i], "4"), AS_OUTCOME_THROTTLED);
        assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_THROTTLED);
        ldap.is_open = false;
        login.throttles = NULL;
    }
}

static void nobody_is_found(void **state)
{
    (void)state;
    ldap.unknown = true;
    assert_int_equal(log_in("zoe", "secret"), AS_OUTCOME_UNKNOWN_USER);
}

/* ---- authorization ---- */

static void one_deadline_for_login_and_lines(void **state)
{
    as_mono deadline;

    (void)state;
    groups.count = 2;
    log_in("ann", "secret");
    deadline = memo.deadline;
    assert_true(deadline > 0);
    ask_group(0);
    ask(AS_REQUIRE_FILTER, "(a=yes)");
    assert_int_equal(memo.deadline, deadline);
}

static void an_answer_is_remembered(void **state)
{
    int operations;

    (void)state;
    groups.count = 2;
    groups.has_user[0] = true;
    assert_int_equal(ask_group(0)->answer, AS_YES);
    assert_int_equal(ask_group(1)->answer, AS_NO);
    operations = ldap.operations;
    begin();
    assert_int_equal(ask_group(0)->answer, AS_YES);
    assert_int_equal(ask_group(1)->answer, AS_NO);
    assert_true(ask_group(1)->cached);
    assert_int_equal(ldap.operations, operations);
    rules.max_depth = 3; /* other settings, another question */
    assert_int_equal(ask_group(1)->answer, AS_NO);
    assert_true(ldap.operations > operations);
}

static void a_missing_group_is_unsafe_to_negate(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const as_authorization *answer = ask_group(7);

        assert_int_equal(answer->answer, AS_NO);
        assert_true(answer->missing && answer->unsafe_to_negate);
        begin();
    }
}

static void the_set_answers_for_other_lines(void **state)
{
    int operations;

    (void)state;
    groups.count = 6;
    groups.has_user[0] = groups.has[1][0] = groups.has[2][1] = true;
    for (int i = 0; i < 6; i++) {
        ldap.known[i] = ldap.comparable[i] = true;
    }
    assert_int_equal(ask_group(5)->answer, AS_NO);
    operations = ldap.operations;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask_group(i)->answer, i < 3 ? AS_YES : AS_NO);
    }
    assert_int_equal(ldap.operations, operations);
    groups.is_other[4] = true; /* a group that the searches need not find keeps its compare */
    begin();
    login.cache = NULL;
    ask_group(5);
    operations = ldap.operations;
    assert_int_equal(ask_group(4)->answer, AS_NO);
    assert_true(ldap.operations > operations);
    groups.is_hidden[3] = true;
    begin();
    ask_group(5);
    assert_int_equal(ask_group(3)->answer, AS_UNKNOWN);
    ldap.comparable[5] = false; /* nor does one that was never compared */
    begin();
    ask_group(2);
    operations = ldap.operations;
    assert_int_equal(ask_group(5)->answer, AS_NO);
    assert_true(ldap.comparable[5] && ldap.operations > operations);
}

static void hidden_members_are_no_no(void **state)
{
    (void)state;
    groups.count = 1;
    groups.is_hidden[0] = true;
    assert_int_equal(ask_group(0)->answer, AS_UNKNOWN);
    assert_int_equal(ask_group(0)->finding.outcome, AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    rules.max_depth = 0;
    assert_int_equal(ask_group(0)->answer, AS_NO);
}

static void the_open_circuit_is_told(void **state)
{
    const as_authorization *answer;

    (void)state;
    groups.count = 1;
    ldap.is_open = true;
    answer = ask_group(0);
    assert_int_equal(answer->answer, AS_UNKNOWN);
    assert_int_equal(answer->finding.outcome, AS_OUTCOME_DIRECTORY_DOWN);
    assert_int_equal(answer->wait, 7);
    assert_int_equal(ldap.operations, 0);
}

static void the_entry_is_found_once(void **state)
{
    const as_entry_lookup *lookup = as_find_entry(&login, &memo, &place, "ann", &rules, 5 * SECOND, NULL);

    (void)state;
    assert_int_equal(lookup->found, AS_YES);
    assert_string_equal(lookup->entry.dn, ANN);
    assert_null(lookup->entry.password);
    begin();
    lookup = as_find_entry(&login, &memo, &place, "ann", &rules, 5 * SECOND, NULL);
    assert_int_equal(lookup->found, AS_YES);
    assert_string_equal(lookup->entry.dn, ANN);
    assert_int_equal(ldap.queries, 1);
    ldap.unknown = true;
    lookup = as_find_entry(&login, &memo, &place, "zoe", &rules, 5 * SECOND, NULL);
    assert_int_equal(lookup->found, AS_NO);
    assert_int_equal(lookup->finding.outcome, AS_OUTCOME_UNKNOWN_USER);
    ldap.fail_at = ldap.operations + 1;
    ldap.failed = a_failure(AS_FAILURE_TIMEOUT);
    lookup = as_find_entry(&login, &memo, &place, "eve", &rules, 5 * SECOND, NULL);
    assert_int_equal(lookup->found, AS_UNKNOWN);
    assert_int_equal(lookup->finding.outcome, AS_OUTCOME_DIRECTORY_TIMEOUT);
    assert_int_equal(as_find_entry(&login, &memo, &place, "", &rules, 5 * SECOND, NULL)->found, AS_NO);
}

static void what_can_never_be_answered(void **state)
{
    static const char *const none[] = {NULL}, *const word[] = {"title", NULL}, *const pair[] = {"title=x", NULL};
    const struct {
        as_requirement requirement;
        bool is_problem;
    } rows[] = {
        {{.kind = AS_REQUIRE_GROUP, .text = "cn=a,o=x"}, false}, {{.kind = AS_REQUIRE_GROUP, .text = "cn=a, b"}, true},
        {{.kind = AS_REQUIRE_GROUP, .text = ""}, true},          {{.kind = AS_REQUIRE_DN, .text = NULL}, true},
        {{.kind = AS_REQUIRE_FILTER, .text = "a=b"}, false},     {{.kind = AS_REQUIRE_FILTER, .text = "(a=b"}, true},
        {{.kind = AS_REQUIRE_USER, .words = none}, true},        {{.kind = AS_REQUIRE_USER, .words = word}, false},
        {{.kind = AS_REQUIRE_ATTRIBUTE, .words = word}, true},   {{.kind = AS_REQUIRE_ATTRIBUTE, .words = pair}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((as_requirement_check(&rows[i].requirement, request) != NULL) != rows[i].is_problem) {
            fail_msg("row %d", (int)i);
        }
    }
}

static void usual_settings_have_the_name_of_equal_ones(void **state)
{
    static const char *const members[] = {"member", "uniqueMember", NULL};
    static const char *const classes[] = {"groupOfNames", "groupOfUniqueNames", NULL};
    as_group_settings others = as_group_settings_make_default();
    const char *name = as_group_settings_make_name(&others, request);

    (void)state;
    others.attributes = others.subgroup_attributes = members;
    others.subgroup_classes = classes;
    assert_string_equal(as_group_settings_make_name(&others, request), name);
    for (int depth = 0; depth <= AS_SUBGROUP_DEPTH_MAX; depth++) {
        others.max_depth = depth;
        assert_int_equal(strcmp(as_group_settings_make_name(&others, request), name) == 0, depth == 10);
    }
}

/* ---- property: any group may be in any other; the answer is that of a search through all of them, whatever was asked
 * before, and whichever operation fails in whichever way it is unknown or the same ---- */

static unsigned random_of(unsigned below)
{
    static uint64_t seed = 20261128;

    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % below;
}

/* Is the user in the group, through at most `depth` more? Subgroups and the group itself are of a class that nests. */
static bool is_in(int group, int depth, bool is_top)
{
    if (groups.has_user[group] && (is_top || !groups.is_other[group])) {
        return true;
    }
    for (int inner = 0; depth > 0 && !groups.is_other[group] && inner < groups.count; inner++) {
        if (groups.has[group][inner] && is_in(inner, depth - 1, false)) {
            return true;
        }
    }
    return false;
}

static void make_groups(void)
{
    memset(&groups, 0, sizeof groups);
    groups.count = 2 + (int)random_of(GROUPS - 2);
    for (int i = 0; i < groups.count; i++) {
        groups.has_user[i] = random_of(5) == 0;
        groups.is_other[i] = random_of(6) == 0;
        for (int j = 0; j < groups.count; j++) {
            groups.has[i][j] = random_of((unsigned)groups.count) == 0;
        }
    }
}

static as_reply any_failure(void)
{
    static const int codes[] = {1, 2, 3, 4, 10, 11, 12, 34, 50, 51, 52, 53, 80, 99};
    static const as_failure failures[] = {AS_FAILURE_DOWN, AS_FAILURE_TIMEOUT, AS_FAILURE_TLS, AS_FAILURE_LOCAL};

    return random_of(2) ? a_code(codes[random_of(sizeof codes / sizeof codes[0])]) : a_failure(failures[random_of(4)]);
}

static void check(int number, bool may_be_unknown)
{
    const as_authorization *answer = ask_group(number);
    const bool is = is_in(number, rules.max_depth, true);

    if (answer->answer == AS_UNKNOWN) {
        const as_class of = as_outcome_describe(answer->finding.outcome)->of;

        assert_true(may_be_unknown);
        assert_true(of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED);
    } else if ((answer->answer == AS_YES) != is) {
        fail_msg("group %d: %s, with %d operations, the %d. failed (%s)", number, is ? "a member" : "no member",
                 ldap.operations, ldap.fail_at, answer->evidence);
    }
}

static void answers_are_those_of_all_the_groups(void **state)
{
    for (int round = 0; round < 600; round++) {
        const bool has_failure = round % 3 > 0;

        set_up(state);
        make_groups();
        rules.max_depth = (int)random_of(5);
        if (random_of(4) == 0) {
            login.cache = NULL;
        }
        ldap.fail_at = has_failure ? 1 + (int)random_of(12) : 0;
        ldap.failed = any_failure();
        for (int i = 0; i < 20; i++) {
            check((int)random_of((unsigned)groups.count), has_failure);
            if (random_of(4) == 0) {
                begin();
            }
        }
        assert_int_equal(directory.inside, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        ROW(a_login_is_remembered),
        ROW(within_one_transaction_nothing_is_asked_twice),
        ROW(an_outage_is_not_remembered),
        ROW(a_login_is_served_stale_in_an_outage_alone),
        ROW(a_line_is_served_stale_if_it_was_a_yes),
        ROW(guesses_are_throttled_while_the_directory_is_away),
        ROW(nobody_is_found),
        ROW(one_deadline_for_login_and_lines),
        ROW(an_answer_is_remembered),
        ROW(a_missing_group_is_unsafe_to_negate),
        ROW(the_set_answers_for_other_lines),
        ROW(hidden_members_are_no_no),
        ROW(the_open_circuit_is_told),
        ROW(the_entry_is_found_once),
        ROW(what_can_never_be_answered),
        ROW(usual_settings_have_the_name_of_equal_ones),
        ROW(answers_are_those_of_all_the_groups),
    };

    int failed;

    apr_initialize();
    apr_pool_create(&process, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
