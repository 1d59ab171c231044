/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of Require: the cache, groups, and what no directory is queried for.
 */
#include "login_directory.h"

#include "../../src/login/authorize_private.h"

/* ---- authorization ---- */

static void one_deadline_for_login_and_lines(void **state)
{
    as_mono deadline;

    (void)state;
    groups.count = 2;
    log_in("ann", "secret");
    deadline = memo.deadline;
    assert_true(deadline > 0);
    authorize_group(0);
    authorize(AS_REQUIRE_FILTER, "(a=yes)");
    assert_int_equal(memo.deadline, deadline);
}

static void an_answer_is_cached(void **state)
{
    int operations;

    (void)state;
    groups.count = 2;
    groups.has_user[0] = true;
    assert_int_equal(authorize_group(0)->answer, AS_YES);
    assert_int_equal(authorize_group(1)->answer, AS_NO);
    operations = ldap.operations;
    begin();
    assert_int_equal(authorize_group(0)->answer, AS_YES);
    assert_int_equal(authorize_group(1)->answer, AS_NO);
    assert_true(authorize_group(1)->cached);
    assert_int_equal(ldap.operations, operations);
    rules.max_depth = 3; /* other settings, another question */
    assert_int_equal(authorize_group(1)->answer, AS_NO);
    assert_true(ldap.operations > operations);
}

static void a_missing_group_is_unsafe_to_negate(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const as_authorization *answer = authorize_group(7);

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
    assert_int_equal(authorize_group(5)->answer, AS_NO);
    operations = ldap.operations;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(authorize_group(i)->answer, i < 3 ? AS_YES : AS_NO);
    }
    assert_int_equal(ldap.operations, operations);
    groups.is_other[4] = true; /* a group that the searches need not find keeps its compare */
    begin();
    login.cache = NULL;
    authorize_group(5);
    operations = ldap.operations;
    assert_int_equal(authorize_group(4)->answer, AS_NO);
    assert_true(ldap.operations > operations);
    groups.is_hidden[3] = true;
    begin();
    authorize_group(5);
    assert_int_equal(authorize_group(3)->answer, AS_UNKNOWN);
    ldap.comparable[5] = false; /* nor does one that was never compared */
    begin();
    authorize_group(2);
    operations = ldap.operations;
    assert_int_equal(authorize_group(5)->answer, AS_NO);
    assert_true(ldap.comparable[5] && ldap.operations > operations);
}

static void hidden_members_are_no_no(void **state)
{
    (void)state;
    groups.count = 1;
    groups.is_hidden[0] = true;
    assert_int_equal(authorize_group(0)->answer, AS_UNKNOWN);
    assert_int_equal(authorize_group(0)->finding.outcome, AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    rules.max_depth = 0;
    assert_int_equal(authorize_group(0)->answer, AS_NO);
}

/* What the login knows of its entry is what another directory need not have. */
static void a_name_of_another_directory(void **state)
{
    static const as_login_directory other = {.settings = &settings, .fingerprint = "other", .scope = "www"};
    static const char *const name[] = {"ann", NULL}, *const pair[] = {"uid=ann", NULL};
    static const as_values values[] = {name};
    const as_entry entry = {.directory = &login_directory, .dn = ANN, .user = "ann", .values = values};
    const as_requirement requirements[] = {{.kind = AS_REQUIRE_USER, .words = name},
                                           {.kind = AS_REQUIRE_ATTRIBUTE, .words = pair}};

    (void)state;
    for (size_t i = 0; i < sizeof requirements / sizeof requirements[0]; i++) {
        as_authorize_attempt attempt = {.directory = &login_directory,
                                        .groups = &rules,
                                        .entry = &entry,
                                        .requirement = &requirements[i],
                                        .deadline = 5 * SECOND};
        const int operations = ldap.operations;

        assert_int_equal(as_authorize(&login, &memo, &attempt, NULL)->answer, AS_YES);
        assert_int_equal(ldap.operations, operations);
        attempt.directory = &other;
        assert_int_not_equal(as_authorize(&login, &memo, &attempt, NULL)->answer, AS_YES);
        assert_true(ldap.operations > operations);
    }
}

/* What the user may see of the groups, and what the service account: two records, with the same password in the key. */
static void the_viewer_is_part_of_the_key(void **state)
{
    const as_authorize_attempt attempt = {.directory = &login_directory};
    static const char *const identities[] = {"", "compares ", "searches", "compares searches"};
    as_authorizing of = {.pool = request, .params = &attempt, .fingerprint = "fake", .password = "secret"};
    as_cache_key keys[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        of.identity = identities[i];
        keys[i] = as_authorize_make_key(&of, "membership by search", ANN);
        for (int j = 0; j < i; j++) {
            assert_false(as_key_is_same(&keys[i], &keys[j]));
        }
    }
}

static void the_open_circuit_is_reported(void **state)
{
    const as_authorization *answer;

    (void)state;
    groups.count = 1;
    ldap.is_open = true;
    answer = authorize_group(0);
    assert_int_equal(answer->answer, AS_UNKNOWN);
    assert_int_equal(answer->finding.outcome, AS_OUTCOME_DIRECTORY_DOWN);
    assert_int_equal(answer->wait, 7);
    assert_int_equal(ldap.operations, 0);
}

static const as_entry_lookup *find_entry_of(const char *user)
{
    const as_entry_attempt attempt = {
        .directory = &login_directory, .user = user, .groups = &rules, .deadline = 5 * SECOND};

    return as_find_entry(&login, &memo, &attempt, NULL);
}

static void the_entry_is_found_once(void **state)
{
    const as_entry_lookup *lookup = find_entry_of("ann");

    (void)state;
    assert_int_equal(lookup->found, AS_YES);
    assert_string_equal(lookup->entry.dn, ANN);
    assert_null(lookup->entry.password);
    begin();
    lookup = find_entry_of("ann");
    assert_int_equal(lookup->found, AS_YES);
    assert_string_equal(lookup->entry.dn, ANN);
    assert_int_equal(ldap.queries, 1);
    ldap.unknown = true;
    lookup = find_entry_of("zoe");
    assert_int_equal(lookup->found, AS_NO);
    assert_int_equal(lookup->finding.outcome, AS_OUTCOME_UNKNOWN_USER);
    ldap.fail_at = ldap.operations + 1;
    ldap.failed = a_failure(AS_FAILURE_TIMEOUT);
    lookup = find_entry_of("eve");
    assert_int_equal(lookup->found, AS_UNKNOWN);
    assert_int_equal(lookup->finding.outcome, AS_OUTCOME_DIRECTORY_TIMEOUT);
    assert_int_equal(find_entry_of("")->found, AS_NO);
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

/* ---- property: any group may be in any other; the answer is that of a search through all of them, whatever was
 * queried before, and whichever operation fails in whichever way it is unknown or the same ---- */

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
    const as_authorization *answer = authorize_group(number);
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
        ROW(one_deadline_for_login_and_lines),
        ROW(an_answer_is_cached),
        ROW(a_missing_group_is_unsafe_to_negate),
        ROW(the_set_answers_for_other_lines),
        ROW(hidden_members_are_no_no),
        ROW(a_name_of_another_directory),
        ROW(the_viewer_is_part_of_the_key),
        ROW(the_open_circuit_is_reported),
        ROW(the_entry_is_found_once),
        ROW(what_can_never_be_answered),
        ROW(usual_settings_have_the_name_of_equal_ones),
        ROW(answers_are_those_of_all_the_groups),
    };

    return cmocka_run_group_tests(tests, begin_process, end_process);
}
