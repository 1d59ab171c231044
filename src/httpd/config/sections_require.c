/* SPDX-License-Identifier: Apache-2.0
 *
 * Which sections' lines of Require are in force, as mod_authz_core merges them: those of the last section that has
 * lines replace all before them, unless it has AuthMerging And or Or. AuthMerging Off without lines removes them.
 */
#include "sections.h"

#include <http_core.h>

static bool is(const ap_directive_t *directive, const char *name)
{
    return !ap_cstr_casecmp(directive->directive, name);
}

/* Returns 0: no Require; 1: all grant everybody; 2: some does not. */
static int find_strictest_require(const ap_directive_t *directive)
{
    int most = 0, inner;

    for (; directive; directive = directive->next) {
        if (as_directive_may_contain_require(directive)) {
            inner = find_strictest_require(directive->first_child);
        } else {
            inner = !is(directive, "Require") ? 0 : ap_cstr_casecmp(directive->args, "all granted") ? 2 : 1;
        }
        most = inner > most ? inner : most;
    }
    return most;
}

static as_merging find_merging(const as_section_ref *ref)
{
    const ap_directive_t *directive = as_section_find_directive(ref, "AuthMerging", NULL);

    return !directive                                 ? AS_MERGING_OFF
           : !ap_cstr_casecmp(directive->args, "And") ? AS_MERGING_AND
           : !ap_cstr_casecmp(directive->args, "Or")  ? AS_MERGING_OR
                                                      : AS_MERGING_OFF;
}

apr_array_header_t *as_sections_list_requiring(apr_pool_t *pool, const apr_array_header_t *chain)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(as_requiring));
    int i;

    for (i = 0; i < chain->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(chain, i, const as_section_ref *);
        const as_merging merging = find_merging(ref);
        const bool has_lines = find_strictest_require(ref->first) > 0;

        if (merging == AS_MERGING_OFF && (has_lines || as_section_find_directive(ref, "AuthMerging", NULL))) {
            apr_array_clear(list);
        }
        if (has_lines) {
            *(as_requiring *)apr_array_push(list) = (as_requiring){ref, merging};
        }
    }
    return list;
}

bool as_sections_have_require(apr_pool_t *pool, const apr_array_header_t *chain)
{
    const apr_array_header_t *list = as_sections_list_requiring(pool, chain);
    bool found = false;
    int i;

    for (i = 0; i < list->nelts && !found; i++) {
        found = find_strictest_require(APR_ARRAY_IDX(list, i, const as_requiring).ref->first) == 2;
    }
    return found;
}
