/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

#include <apr_strings.h>

#define SECOND APR_USEC_PER_SEC
#define HOUR (3600 * SECOND)

static as_proofs *make(void)
{
    as_proofs *proofs = apr_pcalloc(pool, as_proofs_get_size());

    assert_true(as_proofs_begin(proofs));
    return proofs;
}

static void proven_for_an_hour(void **state)
{
    as_proofs *proofs = make();
    const as_proof ann = as_proof_make(proofs, "host:80", "ann", "right");
    const as_proof others[] = {
        as_proof_make(proofs, "host:80", "ann", "wrong"), as_proof_make(proofs, "host:80", "bob", "right"),
        as_proof_make(proofs, "other:80", "ann", "right"), as_proof_make(proofs, "host:80a", "nn", "right")};

    (void)state;
    assert_false(as_proofs_has_at(proofs, ann, SECOND));
    as_proofs_add_at(proofs, ann, SECOND);
    assert_true(as_proofs_has_at(proofs, ann, SECOND));
    assert_true(as_proofs_has_at(proofs, ann, HOUR));
    assert_false(as_proofs_has_at(proofs, ann, HOUR + SECOND));
    /* From the future: the memory outlasted a restart of the machine's clock. */
    assert_false(as_proofs_has_at(proofs, ann, SECOND - 1));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(as_proofs_has_at(proofs, others[i], SECOND));
    }
    as_proofs_add_at(proofs, ann, HOUR);
    assert_true(as_proofs_has_at(proofs, ann, 2 * HOUR - SECOND));
}

static void nobody_without_a_key(void **state)
{
    as_proofs *proofs = apr_pcalloc(pool, as_proofs_get_size());
    const as_proof nobody = as_proof_make(proofs, "host:80", "ann", "right"), none = as_proof_make(NULL, "h", "a", "p");

    (void)state;
    assert_true(nobody.high == 0 && nobody.low == 0 && none.high == 0 && none.low == 0);
    as_proofs_add_at(proofs, nobody, SECOND);
    assert_false(as_proofs_has_at(proofs, nobody, SECOND));
    as_proofs_add(NULL, nobody);
    assert_false(as_proofs_has(NULL, nobody));
}

/* Bounded: what is new goes in, what is old goes, and what comes again stays. */
static void a_full_table(void **state)
{
    as_proofs *proofs = make();
    const as_proof ann = as_proof_make(proofs, "host:80", "ann", "right");
    int held = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        const as_proof other = as_proof_make(proofs, "host:80", apr_itoa(pool, i), "right");
        as_proofs_add_at(proofs, other, SECOND + i);
        assert_true(as_proofs_has_at(proofs, other, SECOND + i));
    }
    as_proofs_add_at(proofs, ann, 2 * SECOND);
    assert_true(as_proofs_has_at(proofs, ann, 2 * SECOND));
    for (int i = 0; i < 100000; i++) {
        held += as_proofs_has_at(proofs, as_proof_make(proofs, "host:80", apr_itoa(pool, i), "right"), 2 * SECOND);
    }
    assert_true(held > 7000 && held <= 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(proven_for_an_hour),
        ROW(nobody_without_a_key),
        ROW(a_full_table),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("proofs", tests, NULL, NULL);
}
