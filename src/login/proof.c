/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides when a "no" may be negated into a yes. A search without a result means that there is no entry, or that this
 * account may not see it; a group in no naming context of a directory may belong to another, or be misspelled.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

bool as_is_same_server(const as_directory_settings *a, const as_directory_settings *b)
{
    int i;

    if (a->server_count != b->server_count || a->security != b->security) {
        return false;
    }
    for (i = 0; i < a->server_count; i++) {
        if (a->servers[i].port != b->servers[i].port || apr_cstr_casecmp(a->servers[i].host, b->servers[i].host) != 0) {
            return false;
        }
    }
    return true;
}

/* Returns whether an entry was found on other servers, where its DN has no meaning for these. */
static bool is_entry_of_others(const as_authorize_attempt *params)
{
    return params->entry && !as_is_same_server(params->entry->directory->settings, params->directory->settings);
}

/* Returns a DN as directories compare it (RFC 4518 2); NULL: it does not parse. */
static const char *prepare(const char *dn, apr_pool_t *pool)
{
    char normal[AS_DN_MAX];

    return as_dn_normalize(dn, strlen(dn), normal, NULL) ? as_dn_prepare(normal, pool) : NULL;
}

/* Returns whether an entry is below the base of its directory. True for a base that does not parse. */
static bool is_below_its_base(const as_entry *entry, apr_pool_t *pool)
{
    const char *base = prepare(entry->directory->settings->base, pool), *dn = prepare(entry->dn, pool);

    return !base || (dn && as_dn_is_within(dn, base));
}

bool as_has_own_name(const as_authorize_attempt *params, apr_pool_t *pool)
{
    const bool is_name_of_others =
        is_entry_of_others(params) || (params->of_login && params->requirement->kind == AS_REQUIRE_DN);

    return !params->entry || !is_name_of_others || is_below_its_base(params->entry, pool);
}

bool as_is_to_be_proven(const as_authorize_attempt *params, const as_authorization *answer)
{
    return params->negated && answer->answer == AS_NO && !answer->unsafe_to_negate &&
           (answer->unproven || params->requirement->kind == AS_REQUIRE_ATTRIBUTE ||
            (is_entry_of_others(params) && !answer->elsewhere));
}

/* Looks for an entry of this name in the directory queried. Returns false if the answer is already given. */
static bool find_entry_here(as_authorizing *of)
{
    const char *dn = of->params->entry->dn;
    as_group_facts facts;

    if (!as_describe_entry(of, dn, &facts)) {
        as_say_reply(of);
        return false;
    }
    if (!facts.exists) {
        as_say_no_unsafe(of, "the entry that logged in is on other servers, and not in this directory");
    }
    return facts.exists;
}

void as_prove(as_authorizing *of)
{
    if (is_entry_of_others(of->params) && !find_entry_here(of)) {
        return;
    }
    if (!of->to_prove->unproven && of->params->requirement->kind != AS_REQUIRE_ATTRIBUTE) {
        as_say_no(of, of->to_prove->evidence);
    } else if (of->params->requirement->kind == AS_REQUIRE_GROUP) {
        as_prove_group(of);
    } else if (of->params->requirement->kind == AS_REQUIRE_DN) {
        as_decide_line(of);
    } else {
        as_prove_match(of);
    }
}

const as_authorization *as_qualify(const as_authorize_attempt *params, const as_authorization *answer, apr_pool_t *pool)
{
    as_authorization *copy;

    if (answer->answer != AS_NO || answer->unsafe_to_negate || !answer->elsewhere || params->of_login) {
        return answer;
    }
    copy = apr_pmemdup(pool, answer, sizeof(*copy));
    copy->unsafe_to_negate = copy->missing = true;
    copy->reason = apr_pstrcat(pool, params->requirement->text, " is in no naming context of this directory", NULL);
    copy->evidence = "";
    copy->source.stamp = 0;
    return copy;
}
