/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluates lines of Require after a granted login, by the module's own authorization (as_authorize). Lines of other
 * modules are not evaluated, and reported as such.
 */
#include "explain.h"

#include <string.h>

#include <apr_strings.h>
#include <ldap.h>

#include "authstatus/require_line.h"
#include "core/text.h"

static const char *join(const char *const *words, int count, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < count; i++) {
        text = apr_pstrcat(pool, text, i ? " " : "", words[i], NULL);
    }
    return text;
}

/* Returns whether the value of a text depends on the request, as httpd's expressions do. */
static bool is_expression(const char *text)
{
    for (; *text; text++) {
        if ((text[0] == '%' && text[1] == '{') || (text[0] == '$' && as_text_is_digit(text[1]))) {
            return true;
        }
    }
    return false;
}

/* Reads a constant as httpd reads an expression without a variable: a backslash before octal digits is an octet, and
 * before others it escapes the character. */
static const char *read_constant(const char *text, apr_pool_t *pool)
{
    static const char names[] = "ntrbf", controls[] = "\n\t\r\b\f";
    char *value = apr_palloc(pool, strlen(text) + 1), *to = value;

    while (*text) {
        if (text[0] != '\\' || !text[1]) {
            *to++ = *text++;
        } else if (text[1] >= '0' && text[1] <= '7') {
            int octet = 0, digits = 0;

            for (text++; digits < 3 && *text >= '0' && *text <= '7'; digits++) {
                octet = 8 * octet + (*text++ - '0');
            }
            *to++ = (char)octet;
        } else {
            const char *name = strchr(names, text[1]);

            *to++ = name ? controls[name - names] : text[1];
            text += 2;
        }
    }
    *to = '\0';
    return value;
}

/* Returns false for a line of another module, or an expression that only a request can evaluate. */
static bool make_requirement(const explain_require *require, apr_pool_t *pool, as_requirement *requirement)
{
    as_requirement_kind kind;

    if (!as_require_find_by_name(require->argv[0], &kind) || is_expression(require->rest)) {
        return false;
    }
    memset(requirement, 0, sizeof(*requirement));
    as_requirement_parse(pool, kind, read_constant(require->rest, pool), requirement);
    return true;
}

static bool is_named(const explain_require *require, const char *user)
{
    int i = 1;

    while (i < require->argc && strcmp(require->argv[i], user) != 0) {
        i++;
    }
    return i < require->argc;
}

static void answer_without_directory(explain_require *require, const char *user)
{
    const char *name = require->argv[0];
    const bool first_is = require->argc > 1 && as_text_is_equal(name, "all");
    bool yes;

    if (as_text_is_equal(name, "valid-user") || (first_is && as_text_is_equal(require->argv[1], "granted"))) {
        yes = true;
    } else if (as_text_is_equal(name, "user")) {
        yes = is_named(require, user);
    } else if (first_is && as_text_is_equal(require->argv[1], "denied")) {
        yes = false;
    } else {
        return;
    }
    require->answer = yes != require->negated ? EXPLAIN_YES : EXPLAIN_NO;
}

/* Says why a line has its answer; "" where there is no more to say. */
static const char *describe(const as_authorization *answer, apr_pool_t *pool)
{
    const char *text = *answer->evidence ? answer->evidence : answer->reason;

    if (*text) {
        return text;
    }
    if (answer->answer == AS_UNKNOWN && answer->finding.has_code) {
        return apr_psprintf(pool, "LDAP %s, %s", explain_format_ldap_code(&answer->finding, pool),
                            ldap_err2string(answer->finding.code));
    }
    return answer->missing ? "it does not exist" : "";
}

/* Takes over the answer of a line. In a negation a "no" that is not proven is unknown. */
static void take_answer(explain_require *require, const as_authorization *answer)
{
    const bool unsafe = answer->answer == AS_NO && answer->unsafe_to_negate && explain_is_in_negation(require);

    require->finding = unsafe ? as_finding_make(AS_OUTCOME_DIRECTORY_MISCONFIGURED) : answer->finding;
    if (unsafe || answer->answer == AS_UNKNOWN) {
        require->answer = EXPLAIN_UNKNOWN;
    } else {
        require->answer = (answer->answer == AS_YES) != require->negated ? EXPLAIN_YES : EXPLAIN_NO;
    }
}

static void decide(explain_story *story, const explain_authorizer *authorizer, explain_require *require,
                   const as_requirement *requirement)
{
    const as_entry entry = {.directory = authorizer->directory,
                            .dn = story->answer.dn,
                            .values = story->answer.values,
                            .user = story->wish->user,
                            .password = story->wish->password,
                            .membership = story->answer.membership};
    const as_authorize_attempt attempt = {.directory = authorizer->directory,
                                          .groups = &story->wish->groups,
                                          .entry = requirement->kind == AS_REQUIRE_SEARCH ? NULL : &entry,
                                          .requirement = requirement,
                                          .negated = explain_is_in_negation(require),
                                          .deadline = story->wish->deadline};
    const as_authorization *answer;
    const char *problem = as_requirement_check(requirement, story->pool);

    if (problem) {
        require->answer = EXPLAIN_UNKNOWN;
        require->finding = as_finding_make(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
        require->why = problem;
        return;
    }
    answer = as_authorize(authorizer->login, authorizer->memo, &attempt, NULL);
    take_answer(require, answer);
    require->why = describe(answer, story->pool);
}

/* Concludes from all lines together, as far as it is certain: a line that was not evaluated might be either. */
static void conclude(explain_story *story)
{
    const apr_array_header_t *lines = story->wish->require;
    const unsigned results = explain_combine_require(lines);
    const explain_require *unknown = NULL;
    bool open = story->wish->merges;
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const explain_require *require = &APR_ARRAY_IDX(lines, i, explain_require);

        open = open || require->answer == EXPLAIN_NOT_LOOKED_AT;
        unknown = require->answer == EXPLAIN_UNKNOWN ? require : unknown;
    }
    if (story->wish->merges || results == EXPLAIN_MAY_BE_NEUTRAL) {
        return;
    }
    story->decided = !(results & EXPLAIN_MAY_GRANT) || results == EXPLAIN_MAY_GRANT || (unknown && !open);
    if (!(results & EXPLAIN_MAY_GRANT)) {
        story->finding = as_finding_make(AS_OUTCOME_NOT_AUTHORIZED);
    } else if (results != EXPLAIN_MAY_GRANT && story->decided) {
        story->finding = unknown->finding;
    }
}

void explain_run_require(explain_story *story, const explain_authorizer *authorizer)
{
    as_requirement requirement;
    int i;

    if (!story->wish->require || as_outcome_describe(story->finding.outcome)->of != AS_CLASS_GRANTED) {
        return;
    }
    for (i = 0; i < story->wish->require->nelts; i++) {
        explain_require *require = &APR_ARRAY_IDX(story->wish->require, i, explain_require);

        require->line = apr_pstrcat(story->pool, require->negated ? "not " : "",
                                    join(require->argv, require->argc, story->pool), NULL);
        require->why = "";
        if (make_requirement(require, story->pool, &requirement)) {
            decide(story, authorizer, require, &requirement);
        } else {
            answer_without_directory(require, story->wish->user);
        }
    }
    story->required = true;
    conclude(story);
}

const char *explain_name_answer(explain_answer answer)
{
    static const char *const words[] = {[EXPLAIN_NOT_LOOKED_AT] = "not looked at",
                                        [EXPLAIN_YES] = "yes",
                                        [EXPLAIN_NO] = "no",
                                        [EXPLAIN_UNKNOWN] = "unknown"};

    return words[answer];
}
