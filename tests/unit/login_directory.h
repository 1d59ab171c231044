/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins and authorization over a directory that is played here: this file is the LDAP floor. It counts queries, and
 * fails where a test says so. To be included first.
 */
#ifndef AUTHSTATUS_TESTS_LOGIN_DIRECTORY_H
#define AUTHSTATUS_TESTS_LOGIN_DIRECTORY_H

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

static inline void clear(as_reply *reply)
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
static inline bool fails(as_reply *reply)
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

static inline int number_of(const char *dn)
{
    return as_dn_is_within(dn, "o=x") && strncmp(dn, "cn=g", 4) == 0 ? atoi(dn + 4) : -1;
}

static inline const char *name_of(int number, apr_pool_t *pool)
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

bool as_group_have_ad_ways_failed(const as_group_query *query, const char *user_dn)
{
    (void)query;
    return user_dn == NULL;
}

void as_group_note_ad_ways_failed(const as_group_query *query, const char *user_dn)
{
    (void)query;
    (void)user_dn;
}

bool as_group_find_hidden(as_group_query *query, const char *base, const char *const *classes,
                          const char *const *attributes, const char *const **hidden, as_reply *reply)
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

bool as_group_was_member_of_seen(const as_group_query *query, as_viewer viewer)
{
    (void)query;
    (void)viewer;
    return true;
}

void as_group_note_member_of(const as_group_query *query, as_viewer viewer)
{
    (void)query;
    (void)viewer;
}

static inline void describe(int number, as_group_facts *facts, apr_pool_t *pool)
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

bool as_group_compare(as_group_query *query, const as_compare *compare, as_reply *reply)
{
    const int number = number_of(compare->dn);
    int *codes = compare->codes;

    query->compares += compare->count;
    if (fails(reply)) {
        codes[0] = reply->code;
        return reply->failure == AS_FAILURE_NONE && reply->code != 51 && reply->code != 52;
    }
    for (int i = 0; i < compare->count; i++) {
        codes[i] = number < 0 || number >= groups.count || groups.is_gone[number]    ? 32
                   : i > 0                                                           ? 16
                   : groups.has_user[number] && strcmp(compare->values[i], ANN) == 0 ? 6
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

static inline bool has_value(int number, const char *value)
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

bool as_group_get_allowed_attributes(as_group_query *query, const char *dn, const char *const **names, int *count,
                                     as_reply *reply)
{
    return as_group_get_tokens(query, dn, (const as_sid **)names, count, reply);
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

bool as_filter_is_valid(const char *filter)
{
    return filter[strlen(filter) - 1] == ')';
}

const char *as_group_escape(const char *value, apr_pool_t *pool)
{
    (void)pool;
    return value;
}

/* ---- what is queried ---- */

static const char *const attributes[] = {"uid", NULL};
static const as_directory_settings settings = {.base = "o=x",
                                               .attributes = attributes,
                                               .attribute_count = 1,
                                               .servers = &(as_ldap_server){"fake", 389},
                                               .server_count = 1};
static const as_login_directory login_directory = {.settings = &settings, .fingerprint = "fake", .scope = "www"};
static as_group_settings rules;
static const as_entry ann = {.directory = &login_directory, .dn = ANN, .user = "ann", .password = "secret"};

static inline void begin(void)
{
    apr_pool_clear(request);
    memset(&memo, 0, sizeof memo);
    memo.pool = request;
}

/* A process that has just begun. */
static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    (void)state;
    assert_int_equal(directory.inside, 0);
    return 0;
}

static inline as_reply a_failure(as_failure failure)
{
    as_reply reply;

    clear(&reply);
    reply.step = AS_STEP_CONNECT;
    reply.failure = failure;
    reply.reason = "the diagnostic";
    return reply;
}

static inline as_reply a_code(int code)
{
    as_reply reply;

    clear(&reply);
    reply.code = code;
    return reply;
}

static inline as_outcome log_in(const char *user, const char *password)
{
    const as_login_attempt attempt = {.directory = &login_directory,
                                      .user = user,
                                      .password = password,
                                      .client = "192.0.2.1",
                                      .deadline = 5 * SECOND};

    return as_authenticate(&login, &memo, &attempt, NULL)->finding.outcome;
}

static inline const as_authorization *authorize(as_requirement_kind kind, const char *text)
{
    const char **words = apr_pcalloc(request, 3 * sizeof *words);
    const as_requirement requirement = {.kind = kind, .text = text, .words = words};
    const as_authorize_attempt attempt = {.directory = &login_directory,
                                          .groups = &rules,
                                          .entry = &ann,
                                          .requirement = &requirement,
                                          .deadline = 5 * SECOND};

    words[0] = text;
    return as_authorize(&login, &memo, &attempt, NULL);
}

static inline const as_authorization *authorize_group(int number)
{
    return authorize(AS_REQUIRE_GROUP, name_of(number, request));
}

/* Around all rows of a program. */
static inline int begin_process(void **state)
{
    (void)state;
    apr_initialize();
    apr_pool_create(&process, NULL);
    return 0;
}

static inline int end_process(void **state)
{
    (void)state;
    apr_terminate();
    return 0;
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
