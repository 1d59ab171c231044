/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses the arguments of a line of `Require ldap-*`: words, or one text.
 */
#include "authstatus/require_line.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

static const char *const names[] = {
#define AS_NAME(id, name) [AS_REQUIRE_##id] = name,
    AS_REQUIREMENT_LIST(AS_NAME)
#undef AS_NAME
};

const char *as_require_get_name(as_requirement_kind kind)
{
    return (unsigned)kind < AS_REQUIREMENT_COUNT ? names[kind] : "";
}

bool as_require_find_by_name(const char *name, as_requirement_kind *kind)
{
    int i;

    for (i = 0; i < AS_REQUIREMENT_COUNT; i++) {
        if (!apr_cstr_casecmp(names[i], name)) {
            *kind = (as_requirement_kind)i;
            return true;
        }
    }
    return false;
}

static const char *skip_space(const char *text)
{
    while (apr_isspace(*text)) {
        text++;
    }
    return text;
}

/* Removes the next word from *text: up to white space, or a quoted word. A backslash escapes itself, and the quote. As
 * ap_getword_conf does, which src/login cannot call. */
static char *take_word(apr_pool_t *pool, const char **text)
{
    const char *from = skip_space(*text);
    const char quote = *from == '"' || *from == '\'' ? *from : '\0';
    char *word = apr_palloc(pool, strlen(from) + 1), *into = word;

    from += quote != '\0';
    for (; *from && (quote ? *from != quote : !apr_isspace(*from)); from++) {
        if (from[0] == '\\' && (from[1] == '\\' || (quote && from[1] == quote))) {
            from++;
        }
        *into++ = *from;
    }
    *into = '\0';
    *text = skip_space(quote && *from ? from + 1 : from);
    return word;
}

/* Adds the whole line as a word where it has several: mod_authnz_ldap accepts a name with spaces without quotes. */
static void add_whole_line(apr_array_header_t *words, const char *text)
{
    if (words->nelts > 1) {
        APR_ARRAY_PUSH(words, const char *) = text;
    }
}

static void add_names(apr_array_header_t *words, const char *text)
{
    const char *rest = text;

    while (*rest) {
        APR_ARRAY_PUSH(words, const char *) = take_word(words->pool, &rest);
    }
    add_whole_line(words, text);
}

/* Adds pairs attribute=value or attribute="value"; several "=" count as one. */
static void add_pairs(apr_array_header_t *words, const char *text)
{
    const char *rest = text;

    while (*rest) {
        const size_t length = strcspn(rest, "=");
        const char *name = apr_pstrmemdup(words->pool, rest, length);

        rest += length;
        if (!*rest) {
            APR_ARRAY_PUSH(words, const char *) = name;
            return;
        }
        rest += strspn(rest, "=");
        APR_ARRAY_PUSH(words, const char *) = apr_pstrcat(words->pool, name, "=", take_word(words->pool, &rest), NULL);
    }
}

/* Removes the quotes around a DN. */
static const char *remove_quotes(apr_pool_t *pool, const char *text)
{
    const size_t length = strlen(text);

    return length >= 2 && text[0] == '"' && text[length - 1] == '"' ? apr_pstrmemdup(pool, text + 1, length - 2) : text;
}

static const char *trim(apr_pool_t *pool, const char *text)
{
    size_t length;

    text = skip_space(text);
    length = strlen(text);
    while (length > 0 && apr_isspace(text[length - 1]) && !(length > 1 && text[length - 2] == '\\')) {
        length--;
    }
    return apr_pstrmemdup(pool, text, length);
}

void as_requirement_parse(apr_pool_t *pool, as_requirement_kind kind, const char *text, as_requirement *requirement)
{
    apr_array_header_t *words = NULL;

    text = trim(pool, text);
    requirement->kind = kind;
    requirement->text = NULL;
    requirement->words = NULL;
    requirement->by_expression = false;
    switch (kind) {
    case AS_REQUIRE_USER:
        words = apr_array_make(pool, 4, sizeof(const char *));
        add_names(words, text);
        break;
    case AS_REQUIRE_ATTRIBUTE:
        words = apr_array_make(pool, 4, sizeof(const char *));
        add_pairs(words, text);
        break;
    case AS_REQUIRE_GROUP:
    case AS_REQUIRE_DN:
        requirement->text = remove_quotes(pool, text);
        break;
    case AS_REQUIRE_FILTER:
    case AS_REQUIRE_SEARCH:
        requirement->text = text;
        break;
    }
    if (words) {
        APR_ARRAY_PUSH(words, const char *) = NULL;
        requirement->words = (const char *const *)words->elts;
    }
}
