/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule of three values against brute force: random trees of Require lines, evaluated as httpd evaluates them.
 */
#include "guard_page.h"

#include "authstatus/three_values.h"

#include <stdint.h>

/* ---- a tree of Require lines ---- */

typedef enum node_kind { ALL, ANY, NONE, LINE_YES, LINE_NO, LINE_ERROR, LINE_UNKNOWN, LINE_NEGATION } node_kind;
typedef enum truth { GRANTED, DENIED, NEUTRAL, ERROR } truth;

#define MOST_NODES 64
#define MOST_CHILDREN 5

typedef struct node {
    node_kind kind;
    bool negated;
    int question; /* of a line in doubt: lines may share it */
    int children[MOST_CHILDREN], child_count;
} node;

typedef struct tree {
    node nodes[MOST_NODES];
    int count, questions;
} tree;

typedef bool valuer(void *data, int question, as_doubt doubt);

/* As mod_authz_core does: a container ends at the first child that decides it, and a negated denial says nothing. */
static truth evaluate(const tree *t, int at, valuer *value, void *data)
{
    const node *n = &t->nodes[at];
    truth result = NEUTRAL, child;
    int i;

    switch (n->kind) {
    case LINE_YES:
        result = GRANTED;
        break;
    case LINE_NO:
        result = DENIED;
        break;
    case LINE_ERROR:
        return ERROR;
    case LINE_UNKNOWN:
        result = value(data, n->question, AS_DOUBT_UNKNOWN) ? GRANTED : DENIED;
        break;
    case LINE_NEGATION:
        result = value(data, n->question, AS_DOUBT_NEGATION) ? GRANTED : DENIED;
        break;
    case ALL:
    case ANY:
    case NONE:
        for (i = 0; i < n->child_count; i++) {
            child = evaluate(t, n->children[i], value, data);
            if (child == ERROR) {
                return ERROR;
            }
            if (child == NEUTRAL) {
                continue;
            }
            result = child;
            if (child == (n->kind == ALL ? DENIED : GRANTED)) {
                break;
            }
        }
        break;
    }
    if (n->negated || n->kind == NONE) {
        result = result == GRANTED ? DENIED : NEUTRAL;
    }
    return result;
}

static as_trial_result result_of(truth value)
{
    return value == GRANTED ? AS_TRIAL_GRANTED : value == ERROR ? AS_TRIAL_OTHER : AS_TRIAL_REFUSED;
}

/* ---- random trees ---- */

static uint32_t seed = 20261128;

static unsigned below(unsigned limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % limit;
}

static int grow(tree *t, int depth, int questions)
{
    const int at = t->count++;
    node *n = &t->nodes[at];
    const unsigned kind = below(20);
    int i;

    memset(n, 0, sizeof(*n));
    n->negated = at && below(4) == 0;
    if (at == 0 || (depth > 0 && kind < 8 && t->count < MOST_NODES - MOST_CHILDREN)) {
        n->kind = (node_kind)below(3);
        n->child_count = 1 + (int)below(MOST_CHILDREN);
        for (i = 0; i < n->child_count; i++) {
            const int child = t->count < MOST_NODES ? grow(t, depth - 1, questions) : -1;
            if (child < 0) {
                n->child_count = i;
                break;
            }
            t->nodes[at].children[i] = child;
        }
        return at;
    }
    n->kind = kind < 10   ? LINE_YES
              : kind < 12 ? LINE_NO
              : kind < 13 ? (below(4) ? LINE_NO : LINE_ERROR)
              : kind < 18 ? LINE_UNKNOWN
                          : LINE_NEGATION;
    /* A question is of one kind. */
    n->question = (int)below((unsigned)questions) * 2 + (n->kind == LINE_NEGATION);
    return at;
}

/* ---- the two ways to decide ---- */

typedef struct by_mask {
    unsigned unknown, negation;
} by_mask;

static bool value_by_mask(void *data, int question, as_doubt doubt)
{
    const by_mask *mask = data;

    return ((doubt == AS_DOUBT_UNKNOWN ? mask->unknown : mask->negation) >> question / 2 & 1) != 0;
}

static unsigned all_results(const tree *t, int questions, unsigned negations)
{
    by_mask mask = {0, 0};
    unsigned seen = 0;

    for (mask.unknown = 0; mask.unknown < 1U << questions; mask.unknown++) {
        for (mask.negation = 0; mask.negation < negations; mask.negation++) {
            seen |= 1U << result_of(evaluate(t, 0, value_by_mask, &mask));
        }
    }
    return seen;
}

typedef struct by_trial {
    as_trials trials;
    char questions[64]; /* their addresses are the questions */
    int evaluated;
} by_trial;

static bool value_by_trial(void *data, int question, as_doubt doubt)
{
    by_trial *trial = data;

    trial->evaluated++;
    return as_trials_get_value(&trial->trials, &trial->questions[question], doubt, AS_YES_EITHER, question);
}

static void try_all(const tree *t, by_trial *trial)
{
    memset(trial, 0, sizeof(*trial));
    while (as_trials_begin_next(&trial->trials)) {
        as_trials_add_result(&trial->trials, result_of(evaluate(t, 0, value_by_trial, trial)));
    }
}

static bool is_single(unsigned bits)
{
    return (bits & (bits - 1)) == 0;
}

static void check_tree(const tree *t, int questions, int *undecided)
{
    unsigned plain = all_results(t, questions, 1);
    by_trial trial;
    as_trial_result result;
    const void *question;
    bool decided;

    try_all(t, &trial);
    decided = as_trials_decide(&trial.trials, &result, &question);
    assert_true(trial.trials.runs <= AS_TRIALS_MOST);
    if (trial.trials.exhausted) {
        assert_false(decided);
        ++*undecided;
        return;
    }
    if (plain == 1U << AS_TRIAL_GRANTED && all_results(t, questions, 1U << questions) != plain) {
        assert_false(decided);
        assert_true(question && ((const char *)question - trial.questions) % 2 == 1);
        return;
    }
    assert_int_equal(decided, is_single(plain));
    if (decided) {
        assert_int_equal(plain, 1U << result);
        assert_null(question);
    } else {
        assert_true(question && ((const char *)question - trial.questions) % 2 == 0);
    }
}

static void test_random_trees_agree_with_brute_force(void **state)
{
    static tree t;
    int i, undecided = 0;

    (void)state;
    for (i = 0; i < 40000; i++) {
        const int questions = 1 + (int)below(5);
        t.count = 0;
        grow(&t, 4, questions);
        check_tree(&t, questions, &undecided);
    }
    /* A few trees with ten lines in doubt run out of tries. They stay undecided, which lets nobody in. */
    assert_true(undecided < 40);
}

/* ---- what can be said of single trees ---- */

static void plain_tree(tree *t, node_kind container, node_kind line, int lines)
{
    int i;

    memset(t, 0, sizeof(*t));
    t->count = 1;
    t->nodes[0].kind = container;
    for (i = 0; i < lines; i++) {
        const int at = t->count++;
        t->nodes[at].kind = line;
        t->nodes[at].question = i * 2;
        if (t->nodes[0].child_count < MOST_CHILDREN) {
            t->nodes[0].children[t->nodes[0].child_count++] = at;
        }
    }
}

static void expect(const tree *t, bool decided, as_trial_result result, int runs)
{
    by_trial trial;
    as_trial_result got;
    const void *question;

    try_all(t, &trial);
    assert_int_equal(as_trials_decide(&trial.trials, &got, &question), decided);
    if (decided) {
        assert_int_equal(got, result);
    }
    assert_int_equal(trial.trials.runs, runs);
}

static void test_without_doubt_there_is_one_run(void **state)
{
    tree t;

    (void)state;
    plain_tree(&t, ANY, LINE_YES, 3);
    expect(&t, true, AS_TRIAL_GRANTED, 1);
    plain_tree(&t, ALL, LINE_NO, 3);
    expect(&t, true, AS_TRIAL_REFUSED, 1);
    plain_tree(&t, ALL, LINE_ERROR, 1);
    expect(&t, true, AS_TRIAL_OTHER, 1);
}

static void test_unknown_lines_alone_take_two_runs(void **state)
{
    tree t;

    (void)state;
    plain_tree(&t, ANY, LINE_UNKNOWN, 5);
    expect(&t, false, AS_TRIAL_OTHER, 2);
    plain_tree(&t, ALL, LINE_UNKNOWN, 5);
    expect(&t, false, AS_TRIAL_OTHER, 2);
    plain_tree(&t, NONE, LINE_UNKNOWN, 5);
    expect(&t, true, AS_TRIAL_REFUSED, 6); /* RequireNone alone grants nobody */
}

static void test_a_line_behind_decides(void **state)
{
    tree t;

    (void)state;
    plain_tree(&t, ANY, LINE_UNKNOWN, 5);
    t.nodes[5].kind = LINE_YES;
    expect(&t, true, AS_TRIAL_GRANTED, 5);
    plain_tree(&t, ALL, LINE_UNKNOWN, 5);
    t.nodes[5].kind = LINE_NO;
    expect(&t, true, AS_TRIAL_REFUSED, 5);
}

static void test_a_missing_group_is_no_outside_of_a_negation(void **state)
{
    tree t;

    (void)state;
    plain_tree(&t, ANY, LINE_NEGATION, 2);
    expect(&t, true, AS_TRIAL_REFUSED, 1);
    t.nodes[2].kind = LINE_YES;
    expect(&t, true, AS_TRIAL_GRANTED, 3);
    plain_tree(&t, ALL, LINE_NEGATION, 2);
    t.nodes[2].kind = LINE_YES;
    t.nodes[1].negated = true;
    expect(&t, false, AS_TRIAL_OTHER, 2);
}

static void test_too_many_lines_are_never_decided(void **state)
{
    static as_trials trials;
    static char questions[AS_TRIAL_LINES_MOST + 1];
    as_trial_result result;
    const void *question;
    int i;

    (void)state;
    memset(&trials, 0, sizeof(trials));
    assert_true(as_trials_begin_next(&trials));
    for (i = 0; i <= AS_TRIAL_LINES_MOST; i++) {
        as_trials_get_value(&trials, &questions[i], AS_DOUBT_UNKNOWN, AS_YES_EITHER, i);
    }
    as_trials_add_result(&trials, AS_TRIAL_GRANTED);
    assert_false(as_trials_begin_next(&trials));
    assert_false(as_trials_decide(&trials, &result, &question));
    assert_ptr_equal(question, &questions[AS_TRIAL_LINES_MOST - 1]);
}

/* Evaluates so many lines, of which one is enough, or none may be true, and then the words of another module. */
static bool decide_many(as_doubt doubt, as_way_of_yes way, int lines, bool other, as_trial_result *result,
                        const void **question)
{
    static as_trials trials;
    static char questions[2 * AS_TRIAL_LINES_MOST];

    memset(&trials, 0, sizeof(trials));
    while (as_trials_begin_next(&trials)) {
        bool is = false;
        int i;

        for (i = 0; i < lines && !is; i++) {
            is = as_trials_get_value(&trials, &questions[i], doubt, way, i);
        }
        is = way == AS_YES_LOWERS ? other && !is : other || is;
        as_trials_add_result(&trials, is ? AS_TRIAL_GRANTED : AS_TRIAL_REFUSED);
        assert_true(trials.runs <= AS_TRIALS_MOST);
    }
    return as_trials_decide(&trials, result, question);
}

static void test_more_lines_of_one_way_are_decided_by_the_extremes(void **state)
{
    static const int many[] = {2, AS_TRIAL_LINES_MOST - 1, AS_TRIAL_LINES_MOST, AS_TRIAL_LINES_MOST + 1,
                               2 * AS_TRIAL_LINES_MOST};
    as_trial_result result;
    const void *question;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(many) / sizeof(*many); i++) {
        /* RequireAny, with and without a line that lets the user in */
        assert_true(decide_many(AS_DOUBT_UNKNOWN, AS_YES_RAISES, many[i], true, &result, &question));
        assert_int_equal(result, AS_TRIAL_GRANTED);
        assert_false(decide_many(AS_DOUBT_UNKNOWN, AS_YES_RAISES, many[i], false, &result, &question));
        assert_non_null(question);
        /* RequireNone, beside a line that lets the user in, or none */
        assert_false(decide_many(AS_DOUBT_UNKNOWN, AS_YES_LOWERS, many[i], true, &result, &question));
        assert_non_null(question);
        assert_true(decide_many(AS_DOUBT_UNKNOWN, AS_YES_LOWERS, many[i], false, &result, &question));
        assert_int_equal(result, AS_TRIAL_REFUSED);
        /* groups that do not exist */
        assert_false(decide_many(AS_DOUBT_NEGATION, AS_YES_LOWERS, many[i], true, &result, &question));
        assert_non_null(question);
        assert_true(decide_many(AS_DOUBT_NEGATION, AS_YES_LOWERS, many[i], false, &result, &question));
        assert_int_equal(result, AS_TRIAL_REFUSED);
    }
}

/* An XOR tree of many lines has more combinations than there are runs. */
static void test_runs_are_bounded(void **state)
{
    static as_trials trials;
    static char questions[10];
    as_trial_result result;
    const void *question;
    int i;

    (void)state;
    memset(&trials, 0, sizeof(trials));
    while (as_trials_begin_next(&trials)) {
        for (i = 0; i < 10; i++) {
            as_trials_get_value(&trials, &questions[i], AS_DOUBT_UNKNOWN, AS_YES_EITHER, 0);
        }
        as_trials_add_result(&trials, AS_TRIAL_GRANTED);
    }
    assert_int_equal(trials.runs, AS_TRIALS_MOST);
    assert_false(as_trials_decide(&trials, &result, &question));
    assert_ptr_equal(question, &questions[0]);
}

/* The line of the highest severity gives the status, whichever was met first. */
static void test_an_outage_goes_before_a_misconfiguration(void **state)
{
    static as_trials trials;
    static char questions[3];
    as_trial_result result;
    const void *question;

    (void)state;
    memset(&trials, 0, sizeof(trials));
    while (as_trials_begin_next(&trials)) {
        bool yes = as_trials_get_value(&trials, &questions[0], AS_DOUBT_UNKNOWN, AS_YES_EITHER, 1);
        yes = as_trials_get_value(&trials, &questions[1], AS_DOUBT_UNKNOWN, AS_YES_EITHER, 2) && yes;
        yes = as_trials_get_value(&trials, &questions[2], AS_DOUBT_UNKNOWN, AS_YES_EITHER, 2) && yes;
        as_trials_add_result(&trials, yes ? AS_TRIAL_GRANTED : AS_TRIAL_REFUSED);
    }
    assert_false(as_trials_decide(&trials, &result, &question));
    assert_ptr_equal(question, &questions[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_trees_agree_with_brute_force),
        cmocka_unit_test(test_without_doubt_there_is_one_run),
        cmocka_unit_test(test_unknown_lines_alone_take_two_runs),
        cmocka_unit_test(test_a_line_behind_decides),
        cmocka_unit_test(test_a_missing_group_is_no_outside_of_a_negation),
        cmocka_unit_test(test_too_many_lines_are_never_decided),
        cmocka_unit_test(test_more_lines_of_one_way_are_decided_by_the_extremes),
        cmocka_unit_test(test_runs_are_bounded),
        cmocka_unit_test(test_an_outage_goes_before_a_misconfiguration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
