/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthLDAPInitialBindPattern: the name of the first bind, from the user's name.
 */
#include "explain.h"

#include <apr_strings.h>

static apr_status_t free_pattern(void *pattern)
{
    regfree(pattern);
    return APR_SUCCESS;
}

/* httpd uses Perl's regular expressions; the parts used here are the same in POSIX's. */
const char *explain_set_pattern(explain_wish *wish, const char *pattern, const char *name, apr_pool_t *pool)
{
    regex_t *compiled = apr_pcalloc(pool, sizeof(*compiled));

    if (regcomp(compiled, pattern, REG_EXTENDED) != 0) {
        return "AuthLDAPInitialBindPattern: this program knows POSIX's extended regular expressions alone, and that is "
               "none";
    }
    apr_pool_cleanup_register(pool, compiled, free_pattern, apr_pool_cleanup_null);
    wish->initial_bind_pattern = compiled;
    wish->initial_bind_name = name;
    return NULL;
}

/* Replaces $0 to $9 in the name by the matches of the pattern. */
const char *explain_make_initial_bind_name(const explain_wish *wish, apr_pool_t *pool)
{
    regmatch_t match[10];
    const char *at, *name = "";

    if (!wish->initial_bind) {
        return NULL;
    }
    if (!wish->initial_bind_pattern || regexec(wish->initial_bind_pattern, wish->user, 10, match, 0) != 0) {
        return wish->user;
    }
    for (at = wish->initial_bind_name; *at; at++) {
        if (*at == '$' && at[1] >= '0' && at[1] <= '9') {
            const regmatch_t *group = &match[*++at - '0'];

            if (group->rm_so >= 0) {
                name = apr_pstrcat(
                    pool, name,
                    apr_pstrmemdup(pool, wish->user + group->rm_so, (apr_size_t)(group->rm_eo - group->rm_so)), NULL);
            }
        } else {
            at += *at == '\\' && at[1] ? 1 : 0;
            name = apr_pstrcat(pool, name, apr_pstrmemdup(pool, at, 1), NULL);
        }
    }
    return name;
}
