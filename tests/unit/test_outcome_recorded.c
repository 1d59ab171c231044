/* SPDX-License-Identifier: Apache-2.0
 *
 * Recorded answers (directory-answers.tsv) with what they mean (expected-outcomes.tsv). The files lie in
 * $srcdir/tests/unit, or in TESTS_DATA where srcdir is not set.
 */
#include "outcome_answers.h"

#ifndef TESTS_DATA
#define TESTS_DATA "tests/unit"
#endif

#define LEAST_ANSWERS 456

#define ANSWER_COLUMNS 7
#define EXPECTED_COLUMNS 9
#define KEY_COLUMNS 4 /* server, state, password, ppolicy_requested */
#define LONGEST_LINE 1024

static FILE *open_data(const char *name)
{
    char path[1024];
    const char *srcdir = getenv("srcdir");
    if (srcdir != NULL) {
        snprintf(path, sizeof path, "%s/tests/unit/%s", srcdir, name);
    } else {
        snprintf(path, sizeof path, "%s/%s", TESTS_DATA, name);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s cannot be opened", path);
    }
    return file;
}

/* The next line that is no comment, divided at its tabs. */
static bool next_line(FILE *file, char *line, char **columns, size_t count)
{
    do {
        if (fgets(line, LONGEST_LINE, file) == NULL) {
            return false;
        }
    } while (line[0] == '#');
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < count; i++) {
        columns[i] = line;
        line += strcspn(line, "\t");
        assert_true((*line == '\0') == (i == count - 1));
        *line++ = '\0';
    }
    return true;
}

/* OID=hex, divided by "; " */
static size_t split_controls(char *text, control_text *controls)
{
    size_t count = 0;
    while (*text != '\0') {
        assert_true(count < 3);
        char *hex = strchr(text, '=');
        assert_non_null(hex);
        *hex++ = '\0';
        controls[count++] = (control_text){text, hex};
        text = hex + strcspn(hex, ";");
        if (*text == ';') {
            *text++ = '\0';
            text += strspn(text, " ");
        }
    }
    return count;
}

static long number_or_none(const char *text)
{
    return strcmp(text, "-") == 0 ? NOT_SENT : strtol(text, NULL, 10);
}

static expectation read_expectation(char **columns)
{
    expectation expected = {
        .proven = strcmp(columns[5], "proven") == 0,
        .subcode = strcmp(columns[6], "-") == 0 ? "" : columns[6],
        .expires_in = number_or_none(columns[7]),
        .grace_logins = number_or_none(columns[8]),
    };
    assert_true(as_outcome_find_by_name(columns[4], &expected.outcome));
    return expected;
}

/* libldap's -1 is what the floor of the directory reports as a failure. */
static as_reply recorded_reply(char **columns)
{
    as_reply reply = blank;
    reply.code = (int)strtol(columns[4], NULL, 10);
    reply.failure = reply.code < 0 ? AS_FAILURE_DOWN : AS_FAILURE_NONE;
    reply.diagnostic = columns[5];
    return reply;
}

/* The files go line by line together, so that neither has a row that the other has not. */
static void test_recorded_answers(void **state)
{
    (void)state;
    FILE *answers = open_data("directory-answers.tsv");
    FILE *expectations = open_data("expected-outcomes.tsv");
    char answer_line[LONGEST_LINE], expected_line[LONGEST_LINE], name[LONGEST_LINE];
    char *answer[ANSWER_COLUMNS], *expected[EXPECTED_COLUMNS];
    size_t rows = 0, failures = 0;

    assert_true(next_line(answers, answer_line, answer, ANSWER_COLUMNS));
    assert_true(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
    for (; next_line(answers, answer_line, answer, ANSWER_COLUMNS); rows++) {
        assert_true(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
        for (size_t i = 0; i < KEY_COLUMNS; i++) {
            assert_string_equal(answer[i], expected[i]);
        }
        control_text controls[3];
        size_t count = split_controls(answer[6], controls);
        as_finding found = find(recorded_reply(answer), controls, count);
        expectation meant = read_expectation(expected);
        snprintf(name, sizeof name, "%s, %s, %s, %s", answer[0], answer[1], answer[2], answer[3]);
        failures += agrees(name, &found, &meant) ? 0 : 1;
    }
    assert_false(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
    fclose(answers);
    fclose(expectations);
    assert_int_equal(failures, 0);
    assert_true(rows >= LEAST_ANSWERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded_answers)};

    return cmocka_run_group_tests_name("recorded answers", tests, NULL, NULL);
}
