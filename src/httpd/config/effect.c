/* SPDX-License-Identifier: Apache-2.0
 *
 * Refuses directives of ours in sections where httpd accepts them but they have no effect.
 */
#include "sections.h"

/* The restrictions of a section. */
typedef struct as_confine {
    const char *section; /* as in httpd's tree of directives */
    const char *only; /* NULL: no directive AuthStatus* has an effect; else those without effect, separated by spaces */
    const char *reason;
} as_confine;

/* An alias is a provider with a directory of its own: the section that uses it decides the answer. */
#define ANSWERS                                                                                                        \
    "AuthStatus AuthStatusMap AuthStatusMask AuthStatusDisclose AuthStatusChallenge AuthStatusHelp "                   \
    "AuthStatusRetryAfter AuthStatusGroups "

static const as_confine confines[] = {
    {"<Proxy", "AuthStatusMask", "a proxied request is never answered as a missing resource; use it in <Location>"},
    {"<ProxyMatch", "AuthStatusMask",
     "a proxied request is never answered as a missing resource; use it in <LocationMatch>"},
    {"<AuthnProviderAlias", ANSWERS, "the section that uses the alias decides what is answered; use it there"},
    {"<AuthzProviderAlias", ANSWERS "AuthStatusThrottle AuthStatusUniformTiming",
     "the section that uses the alias decides what is answered; use it there"},
    {"<Limit", NULL, "it holds for every method; use it outside"},
    {"<LimitExcept", NULL, "it holds for every method; use it outside"},
};

static bool is_in(const char *list, const char *name)
{
    const size_t length = strlen(name);

    for (; list && *list; list += strcspn(list, " "), list += *list == ' ') {
        if (strcspn(list, " ") == length && !ap_cstr_casecmpn(list, name, length)) {
            return true;
        }
    }
    return false;
}

/* Returns the section around a directive in which it has no effect; NULL: it has one. */
static const as_confine *find_confining(const ap_directive_t *directive)
{
    const ap_directive_t *outer;
    apr_size_t i;

    for (outer = directive->parent; outer; outer = outer->parent) {
        for (i = 0; i < sizeof(confines) / sizeof(confines[0]); i++) {
            if (!ap_cstr_casecmp(outer->directive, confines[i].section) &&
                (!confines[i].only || is_in(confines[i].only, directive->directive))) {
                return &confines[i];
            }
        }
    }
    return NULL;
}

static bool check(const ap_directive_t *directive, const server_rec *s)
{
    bool good = true;

    for (; directive; directive = directive->next) {
        const as_confine *confine = NULL;

        if (as_directive_begins_with(directive, "AuthStatus")) {
            confine = find_confining(directive);
        }
        if (confine) {
            AS_LOG_SERVER(0151, 0, s, directive->filename, directive->line_num, directive->directive, confine->section,
                          confine->reason);
            good = false;
        }
        good = check(directive->first_child, s) && good;
    }
    return good;
}

int as_effect_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    return check(ap_conftree, s) ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
