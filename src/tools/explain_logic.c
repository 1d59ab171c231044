/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads lines of Require, and combines them as mod_authz_core does: RequireAll, RequireAny, RequireNone, `not`. Each
 * line, and each container, has a set of results that are possible, as lines of other modules are not evaluated.
 */
#include "explain.h"

#include <string.h>

#include <apr_strings.h>

#include "core/text.h"

#define GRANTED ((unsigned)EXPLAIN_MAY_GRANT)
#define DENIED ((unsigned)EXPLAIN_MAY_DENY)
#define NEUTRAL ((unsigned)EXPLAIN_MAY_BE_NEUTRAL)

static unsigned evaluate_line(const explain_require *line)
{
    const explain_container *container = line->within;
    unsigned yes = line->negated ? NEUTRAL : GRANTED, no = DENIED;

    /* The line is neutral for other methods. */
    while (container && container->kind != EXPLAIN_IN_LIMIT) {
        container = container->outer;
    }
    no |= container ? NEUTRAL : 0U;
    switch (line->answer) {
    case EXPLAIN_YES:
        return yes;
    case EXPLAIN_NO:
        return no;
    case EXPLAIN_NOT_LOOKED_AT:
    case EXPLAIN_UNKNOWN:
        break;
    }
    return yes | no;
}

/* Combines the results of a container so far with those of one more line or container in it. */
static unsigned combine(explain_container_kind kind, unsigned results, unsigned more)
{
    /* In RequireAll a denial decides, elsewhere a grant; two results without the deciding one are the other one. */
    const unsigned decides = kind == EXPLAIN_IN_ALL ? DENIED : GRANTED, other = (GRANTED | DENIED) & ~decides;
    unsigned combined = (results | more) & decides;

    if (((results & other) && (more & (other | NEUTRAL))) || ((results & NEUTRAL) && (more & other))) {
        combined |= other;
    }
    return combined | (results & more & NEUTRAL);
}

/* Returns the container directly in `outer` that holds the line; NULL: the line stands in `outer` itself. */
static const explain_container *find_inner(const explain_require *line, const explain_container *outer)
{
    const explain_container *container = line->within, *inner = NULL;

    while (container != outer) {
        inner = container;
        container = container->outer;
    }
    return inner;
}

static bool is_within(const explain_require *line, const explain_container *outer)
{
    const explain_container *container = line->within;

    while (container && container != outer) {
        container = container->outer;
    }
    return container == outer;
}

/* Returns how a container combines what is in it: <Limit> as the one around it; NULL, the section: one line is enough.
 */
static explain_container_kind find_kind(const explain_container *container)
{
    while (container && container->kind == EXPLAIN_IN_LIMIT) {
        container = container->outer;
    }
    return container ? container->kind : EXPLAIN_IN_ANY;
}

/* Evaluates a container; its lines stand together. NULL: the section. */
static unsigned evaluate(const apr_array_header_t *lines, const explain_container *container)
{
    const explain_container_kind kind = find_kind(container);
    const explain_container *before = NULL;
    unsigned results = NEUTRAL;
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const explain_require *line = &APR_ARRAY_IDX(lines, i, explain_require);
        const explain_container *inner;

        if (!is_within(line, container)) {
            continue;
        }
        inner = find_inner(line, container);
        if (!inner || inner != before) {
            results = combine(kind, results, inner ? evaluate(lines, inner) : evaluate_line(line));
        }
        before = inner;
    }
    return !container || container->kind != EXPLAIN_IN_NONE
               ? results
               : (results & GRANTED ? DENIED : 0U) | (results & (DENIED | NEUTRAL) ? NEUTRAL : 0U);
}

unsigned explain_combine_require(const apr_array_header_t *lines)
{
    return evaluate(lines, NULL);
}

bool explain_is_combined(const explain_require *line)
{
    const explain_container *container = line->within;

    while (container && container->kind != EXPLAIN_IN_ALL && container->kind != EXPLAIN_IN_NONE) {
        container = container->outer;
    }
    return container != NULL;
}

bool explain_is_in_negation(const explain_require *line)
{
    const explain_container *container = line->within;

    while (container && container->kind != EXPLAIN_IN_NONE) {
        container = container->outer;
    }
    return line->negated || container;
}

explain_container *explain_container_make(explain_container_kind kind, const explain_container *outer, apr_pool_t *pool)
{
    explain_container *container = apr_palloc(pool, sizeof(*container));

    container->kind = kind;
    container->outer = outer;
    return container;
}

const char *explain_add_require(explain_wish *wish, const char *text, const explain_container *within, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 4, sizeof(const char *));
    char *at = apr_pstrdup(pool, text), *word;
    explain_require *require;
    const char *rest = "";
    bool negated = false;

    while ((word = explain_read_word(&at)) != NULL) {
        if (!negated && !words->nelts && as_text_is_equal(word, "not")) {
            negated = true;
            continue;
        }
        rest = words->nelts ? rest : apr_pstrdup(pool, at);
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    if (words->nelts < 1) {
        return "Require has no argument";
    }
    if (!wish->require) {
        wish->require = apr_array_make(pool, 4, sizeof(explain_require));
    }
    require = apr_array_push(wish->require);
    memset(require, 0, sizeof(*require));
    require->argc = words->nelts;
    APR_ARRAY_PUSH(words, const char *) = NULL;
    require->argv = (const char *const *)words->elts;
    require->rest = rest;
    require->negated = negated;
    require->within = within;
    return NULL;
}
