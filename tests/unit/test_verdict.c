/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include "authstatus/verdict.h"

static const as_policy plain_policy = {.disclose = AS_DISCLOSE_PROVEN, .retry_after = 10};

#define UNPROVEN false
#define PROVEN true

typedef struct verdict_row {
    as_outcome outcome;
    bool proven;
    as_disclose disclose;
    int status;
    bool disclosed;
    as_outcome shown;
} verdict_row;

static const verdict_row disclosures[] = {
    /* Proven */
    {AS_OUTCOME_GRANTED, PROVEN, AS_DISCLOSE_PROVEN, 0, true, AS_OUTCOME_GRANTED},
    {AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, AS_DISCLOSE_PROVEN, 0, true, AS_OUTCOME_PASSWORD_EXPIRING},
    {AS_OUTCOME_GRACE_LOGIN, PROVEN, AS_DISCLOSE_PROVEN, 0, true, AS_OUTCOME_GRACE_LOGIN},
    {AS_OUTCOME_NO_CREDENTIALS, UNPROVEN, AS_DISCLOSE_PROVEN, 401, true, AS_OUTCOME_NO_CREDENTIALS},
    {AS_OUTCOME_MALFORMED_CREDENTIALS, UNPROVEN, AS_DISCLOSE_PROVEN, 401, true, AS_OUTCOME_MALFORMED_CREDENTIALS},
    {AS_OUTCOME_EMPTY_PASSWORD, UNPROVEN, AS_DISCLOSE_PROVEN, 401, true, AS_OUTCOME_EMPTY_PASSWORD},
    {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_AMBIGUOUS_USER, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_DENIED, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_ACCOUNT_DISABLED, PROVEN, AS_DISCLOSE_PROVEN, 403, true, AS_OUTCOME_ACCOUNT_DISABLED},
    {AS_OUTCOME_ACCOUNT_DISABLED, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, AS_DISCLOSE_PROVEN, 403, true, AS_OUTCOME_PASSWORD_EXPIRED},
    {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, AS_DISCLOSE_PROVEN, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, AS_DISCLOSE_PROVEN, 403, true, AS_OUTCOME_PASSWORD_MUST_CHANGE},
    {AS_OUTCOME_NOT_AUTHORIZED, UNPROVEN, AS_DISCLOSE_PROVEN, 403, true, AS_OUTCOME_NOT_AUTHORIZED},
    {AS_OUTCOME_ACCESS_DENIED, UNPROVEN, AS_DISCLOSE_PROVEN, 403, true, AS_OUTCOME_ACCESS_DENIED},
    {AS_OUTCOME_THROTTLED, UNPROVEN, AS_DISCLOSE_PROVEN, 429, true, AS_OUTCOME_THROTTLED},
    {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, AS_DISCLOSE_PROVEN, 503, true, AS_OUTCOME_DIRECTORY_DOWN},
    {AS_OUTCOME_TLS_FAILED, UNPROVEN, AS_DISCLOSE_PROVEN, 500, true, AS_OUTCOME_TLS_FAILED},
    {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, AS_DISCLOSE_PROVEN, 500, true, AS_OUTCOME_UNKNOWN_RESULT},
    /* Always */
    {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, AS_DISCLOSE_ALWAYS, 401, true, AS_OUTCOME_UNKNOWN_USER},
    {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, AS_DISCLOSE_ALWAYS, 401, true, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, AS_DISCLOSE_ALWAYS, 403, true, AS_OUTCOME_ACCOUNT_LOCKED},
    {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, AS_DISCLOSE_ALWAYS, 403, true, AS_OUTCOME_PASSWORD_EXPIRED},
    /* Never */
    {AS_OUTCOME_GRACE_LOGIN, PROVEN, AS_DISCLOSE_NEVER, 0, true, AS_OUTCOME_GRACE_LOGIN},
    {AS_OUTCOME_NO_CREDENTIALS, UNPROVEN, AS_DISCLOSE_NEVER, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_EMPTY_PASSWORD, UNPROVEN, AS_DISCLOSE_NEVER, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, AS_DISCLOSE_NEVER, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, AS_DISCLOSE_NEVER, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, AS_DISCLOSE_NEVER, 401, false, AS_OUTCOME_WRONG_PASSWORD},
    {AS_OUTCOME_NOT_AUTHORIZED, UNPROVEN, AS_DISCLOSE_NEVER, 403, true, AS_OUTCOME_NOT_AUTHORIZED},
    {AS_OUTCOME_THROTTLED, UNPROVEN, AS_DISCLOSE_NEVER, 429, true, AS_OUTCOME_THROTTLED},
    {AS_OUTCOME_DIRECTORY_BUSY, UNPROVEN, AS_DISCLOSE_NEVER, 503, true, AS_OUTCOME_DIRECTORY_BUSY},
};

static as_finding finding_of(as_outcome outcome, bool proven)
{
    as_finding finding = as_finding_make(outcome);
    finding.proven = proven;
    return finding;
}

static void test_disclosures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof disclosures / sizeof disclosures[0]; i++) {
        const verdict_row *row = &disclosures[i];
        as_policy policy = plain_policy;
        policy.disclose = row->disclose;
        as_finding finding = finding_of(row->outcome, row->proven);
        as_verdict verdict = as_verdict_make(&finding, &policy, 0);
        if (verdict.status != row->status || verdict.disclosed != row->disclosed || verdict.shown != row->shown ||
            verdict.masked) {
            fail_msg("row %zu, %s: status %d, disclosed %d, shown %s", i, as_outcome_describe(row->outcome)->name,
                     verdict.status, verdict.disclosed, as_outcome_describe(verdict.shown)->name);
        }
    }
}

static int status_of(as_outcome outcome, bool proven, const as_policy *policy)
{
    as_finding finding = finding_of(outcome, proven);
    return as_verdict_make(&finding, policy, 0).status;
}

static void test_map(void **state)
{
    (void)state;
    as_policy policy = plain_policy;
    policy.class_status[AS_CLASS_REFUSED] = 451;
    policy.status[AS_OUTCOME_ACCOUNT_EXPIRED] = 410;
    policy.status[AS_OUTCOME_WRONG_PASSWORD] = 403;
    policy.status[AS_OUTCOME_GRANTED] = 403;
    policy.class_status[AS_CLASS_GRANTED] = 500;

    assert_int_equal(status_of(AS_OUTCOME_ACCOUNT_DISABLED, PROVEN, &policy), 451);
    assert_int_equal(status_of(AS_OUTCOME_ACCOUNT_EXPIRED, PROVEN, &policy), 410);
    /* what is unproven follows wrong-password, whatever it is mapped to itself */
    assert_int_equal(status_of(AS_OUTCOME_ACCOUNT_EXPIRED, UNPROVEN, &policy), 403);
    assert_int_equal(status_of(AS_OUTCOME_UNKNOWN_USER, UNPROVEN, &policy), 403);
    assert_int_equal(status_of(AS_OUTCOME_DENIED, UNPROVEN, &policy), 403);
    assert_int_equal(status_of(AS_OUTCOME_NO_CREDENTIALS, UNPROVEN, &policy), 401);
    /* grants cannot be mapped */
    assert_int_equal(status_of(AS_OUTCOME_GRANTED, PROVEN, &policy), 0);
    assert_int_equal(status_of(AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, &policy), 0);

    policy.disclose = AS_DISCLOSE_NEVER;
    assert_int_equal(status_of(AS_OUTCOME_ACCOUNT_EXPIRED, PROVEN, &policy), 401);
    assert_int_equal(status_of(AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, &policy), 401);
    assert_int_equal(status_of(AS_OUTCOME_NO_CREDENTIALS, UNPROVEN, &policy), 401);
}

typedef struct retry_row {
    as_outcome outcome;
    short status; /* mapped to; 0: not mapped */
    long wait;
    long retry_after;
} retry_row;

static const retry_row retries[] = {
    {AS_OUTCOME_THROTTLED, 0, 42, 42},         {AS_OUTCOME_THROTTLED, 0, 0, 1},
    {AS_OUTCOME_THROTTLED, 0, -5, 1},          {AS_OUTCOME_DIRECTORY_DOWN, 0, 0, 10},
    {AS_OUTCOME_DIRECTORY_DOWN, 0, 3, 3},      {AS_OUTCOME_DIRECTORY_OVERLOAD, 0, 0, 10},
    {AS_OUTCOME_THROTTLED, 503, 42, 42},       {AS_OUTCOME_THROTTLED, 503, 0, 10},
    {AS_OUTCOME_THROTTLED, 403, 42, -1},       {AS_OUTCOME_DIRECTORY_DOWN, 500, 3, -1},
    {AS_OUTCOME_DIRECTORY_DOWN, 429, 3, 3},    {AS_OUTCOME_DIRECTORY_DOWN, 429, 0, 1},
    {AS_OUTCOME_UNKNOWN_RESULT, 0, 0, -1},     {AS_OUTCOME_UNKNOWN_RESULT, 503, 0, 10},
    {AS_OUTCOME_NOT_AUTHORIZED, 429, 0, 1},    {AS_OUTCOME_NO_CREDENTIALS, 0, 7, -1},
    {AS_OUTCOME_WRONG_PASSWORD, 503, 999, 10}, {AS_OUTCOME_GRANTED, 0, 7, -1},
};

static void test_retry_after(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof retries / sizeof retries[0]; i++) {
        const retry_row *row = &retries[i];
        as_policy policy = plain_policy;
        policy.status[row->outcome] = row->status;
        as_finding finding = finding_of(row->outcome, UNPROVEN);
        as_verdict verdict = as_verdict_make(&finding, &policy, row->wait);
        if (verdict.retry_after != row->retry_after) {
            fail_msg("row %zu: %ld", i, verdict.retry_after);
        }
    }
}

typedef struct mask_row {
    as_masking mask;
    bool plain;
    short status; /* of access-denied */
    bool masked;
} mask_row;

/* AuthStatusMap makes no masked answer visible. */

static const mask_row masks[] = {
    {AS_MASK_OFF, false, 403, false},      {AS_MASK_OFF, false, 401, false},      {AS_MASK_OFF, false, 404, true},
    {AS_MASK_OFF, true, 404, true},        {AS_MASK_FORBIDDEN, false, 403, true}, {AS_MASK_FORBIDDEN, true, 403, false},
    {AS_MASK_FORBIDDEN, false, 401, true}, {AS_MASK_FORBIDDEN, false, 404, true}, {AS_MASK_FORBIDDEN, false, 410, true},
    {AS_MASK_FORBIDDEN, false, 503, true}, {AS_MASK_FORBIDDEN, true, 410, false}, {AS_MASK_ALL, true, 429, false},
    {AS_MASK_ALL, false, 401, true},       {AS_MASK_ALL, false, 403, true},       {AS_MASK_ALL, true, 401, false},
    {AS_MASK_ALL, true, 403, false},       {AS_MASK_ALL, true, 404, true},        {AS_MASK_ALL, false, 429, true},
    {AS_MASK_ALL, false, 500, true},       {AS_MASK_ALL, false, 410, true},
};

static void test_masks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        const mask_row *row = &masks[i];
        as_policy policy = plain_policy;
        policy.mask = row->mask;
        policy.plain = row->plain;
        policy.status[AS_OUTCOME_ACCESS_DENIED] = row->status;
        as_finding finding = as_finding_make(AS_OUTCOME_ACCESS_DENIED);
        as_verdict verdict = as_verdict_make(&finding, &policy, 0);
        assert_int_equal(verdict.status, row->status);
        if (verdict.masked != row->masked || verdict.disclosed == row->masked) {
            fail_msg("row %zu: masked %d, disclosed %d", i, verdict.masked, verdict.disclosed);
        }
    }
}

/* What is masked of each class, by its default status. `known`: the client has proven a password here. */
static const struct {
    as_outcome outcome;
    as_masking mask;
    bool known;
    short mapped;
    bool masked;
} classes[] = {
    {AS_OUTCOME_WRONG_PASSWORD, AS_MASK_FORBIDDEN, false, 0, false},
    {AS_OUTCOME_WRONG_PASSWORD, AS_MASK_ALL, false, 0, true},
    {AS_OUTCOME_WRONG_PASSWORD, AS_MASK_ALL, true, 410, true},
    {AS_OUTCOME_THROTTLED, AS_MASK_FORBIDDEN, false, 0, false},
    {AS_OUTCOME_THROTTLED, AS_MASK_ALL, false, 0, true},
    {AS_OUTCOME_THROTTLED, AS_MASK_ALL, true, 0, true},
    {AS_OUTCOME_DIRECTORY_DOWN, AS_MASK_FORBIDDEN, false, 0, false},
    {AS_OUTCOME_DIRECTORY_DOWN, AS_MASK_ALL, false, 0, true},
    {AS_OUTCOME_DIRECTORY_DOWN, AS_MASK_ALL, false, 502, true},
    {AS_OUTCOME_DIRECTORY_DOWN, AS_MASK_ALL, true, 0, false},
    {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, AS_MASK_ALL, false, 0, true},
    {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, AS_MASK_ALL, true, 0, false},
    {AS_OUTCOME_ACCOUNT_LOCKED, AS_MASK_FORBIDDEN, false, 0, true},
    {AS_OUTCOME_ACCOUNT_LOCKED, AS_MASK_FORBIDDEN, false, 410, true},
    {AS_OUTCOME_ACCOUNT_LOCKED, AS_MASK_FORBIDDEN, false, 401, false},
    {AS_OUTCOME_NOT_AUTHORIZED, AS_MASK_FORBIDDEN, false, 429, true},
    {AS_OUTCOME_GRANTED, AS_MASK_ALL, false, 0, false},
};

static void test_masked_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        as_policy policy = plain_policy;
        policy.mask = classes[i].mask;
        policy.proven_here = classes[i].known;
        policy.status[classes[i].outcome] = classes[i].mapped;
        as_finding finding = finding_of(classes[i].outcome, PROVEN);
        if (as_verdict_make(&finding, &policy, 0).masked != classes[i].masked) {
            fail_msg("row %zu: masked %d", i, !classes[i].masked);
        }
    }
}

static void test_statuses(void **state)
{
    (void)state;
    static const int taken[] = {401, 403, 404, 410, 429, 451, 500, 502, 503};
    size_t count = 0;
    for (int status = -1; status < 1000; status++) {
        if (as_verdict_takes_status(status)) {
            assert_true(count < sizeof taken / sizeof taken[0]);
            assert_int_equal(status, taken[count++]);
        }
    }
    assert_int_equal(count, sizeof taken / sizeof taken[0]);
}

/* --- for every finding and policy --- */

static bool equal(const as_verdict *a, const as_verdict *b)
{
    return a->status == b->status && a->challenge == b->challenge && a->masked == b->masked &&
           a->disclosed == b->disclosed && a->shown == b->shown && a->retry_after == b->retry_after;
}

static void check_verdict(const as_finding *finding, const as_policy *policy, long wait)
{
    as_verdict verdict = as_verdict_make(finding, policy, wait);
    as_finding wrong = as_finding_make(AS_OUTCOME_WRONG_PASSWORD);
    as_verdict as_wrong = as_verdict_make(&wrong, policy, 0);
    bool grant = as_outcome_describe(finding->outcome)->of == AS_CLASS_GRANTED;
    bool about_request = finding->outcome == AS_OUTCOME_NO_CREDENTIALS ||
                         finding->outcome == AS_OUTCOME_MALFORMED_CREDENTIALS ||
                         finding->outcome == AS_OUTCOME_EMPTY_PASSWORD;

    assert_int_equal(verdict.challenge, verdict.status == 401);
    assert_int_equal(verdict.status == 0, grant);
    assert_int_equal(verdict.retry_after >= 0, verdict.status == 429 || verdict.status == 503);
    assert_true(!(verdict.disclosed && verdict.masked));
    assert_true(verdict.shown == finding->outcome ||
                (!verdict.disclosed && verdict.shown == AS_OUTCOME_WRONG_PASSWORD));
    if (grant) {
        assert_true(verdict.disclosed);
    }
    if (as_outcome_is_about_account(finding->outcome) &&
        (policy->disclose == AS_DISCLOSE_NEVER ||
         (policy->disclose == AS_DISCLOSE_PROVEN && !finding->proven && !about_request))) {
        assert_true(equal(&verdict, &as_wrong));
        assert_false(verdict.disclosed);
    }
}

/* Each outcome and, through it, its class mapped to one status. */
static void check_mapped(as_policy policy, as_outcome outcome, short status, bool by_class)
{
    if (by_class) {
        policy.class_status[as_outcome_describe(outcome)->of] = status;
    } else {
        policy.status[outcome] = status;
    }
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        for (int proven = 0; proven < 2; proven++) {
            as_finding finding = finding_of((as_outcome)i, proven);
            check_verdict(&finding, &policy, 0);
            check_verdict(&finding, &policy, 30);
        }
    }
}

/* That of a grant depends on nothing. */
static void check_grants(const as_policy *policy)
{
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        as_finding finding = finding_of((as_outcome)i, true);
        as_verdict verdict = as_verdict_make(&finding, policy, 30), grant = as_verdict_make_for_grant((as_outcome)i);
        if (as_outcome_describe((as_outcome)i)->of != AS_CLASS_GRANTED) {
            continue;
        }
        assert_int_equal(verdict.status, grant.status);
        assert_int_equal(verdict.challenge, grant.challenge);
        assert_int_equal(verdict.masked, grant.masked);
        assert_int_equal(verdict.disclosed, grant.disclosed);
        assert_int_equal(verdict.shown, grant.shown);
        assert_int_equal(verdict.retry_after, grant.retry_after);
    }
}

static void test_every_verdict(void **state)
{
    (void)state;
    static const short statuses[] = {0, 401, 403, 404, 410, 429, 451, 500, 502, 503};
    for (int n = 0; n < 3 * 3 * 2; n++) {
        as_policy policy = plain_policy;
        policy.disclose = (as_disclose)(n % 3);
        policy.mask = (as_masking)(n / 3 % 3);
        policy.plain = n / 9;
        check_grants(&policy);
        for (size_t s = 0; s < sizeof statuses / sizeof statuses[0]; s++) {
            for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
                check_mapped(policy, (as_outcome)i, statuses[s], false);
                check_mapped(policy, (as_outcome)i, statuses[s], true);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disclosures),    cmocka_unit_test(test_map),
        cmocka_unit_test(test_retry_after),    cmocka_unit_test(test_masks),
        cmocka_unit_test(test_masked_classes), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_every_verdict),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
