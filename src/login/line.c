/* SPDX-License-Identifier: Apache-2.0
 *
 * ldap-user, ldap-dn, ldap-attribute, ldap-filter and ldap-search.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "core/text.h"

static bool is_own_directory(const as_authorizing *of)
{
    return !strcmp(of->params->entry->directory->fingerprint, of->fingerprint);
}

/* ---- without a query ---- */

/* The name that was sent is a value of the URL's attribute: the entry was found by it. Another spelling of a name is
 * for the directory to compare: some attributes take "Ann" and "ann" for two people. */
static bool is_user_named(const as_authorizing *of)
{
    const char *const *word;

    for (word = of->params->requirement->words; word && *word && is_own_directory(of); word++) {
        if (!strcmp(*word, of->params->entry->user)) {
            return true;
        }
    }
    return false;
}

static bool has_value(as_values values, const char *wanted)
{
    for (; values && *values; values++) {
        if (!strcmp(*values, wanted)) {
            return true;
        }
    }
    return false;
}

static bool has_login_value(const as_authorizing *of, const char *pair)
{
    const as_entry *entry = of->params->entry;
    const as_directory_settings *settings = entry->directory->settings;
    const size_t length = strcspn(pair, "=");
    int i;

    for (i = 0; entry->values && pair[length] && i < settings->attribute_count; i++) {
        const char *attribute = settings->attributes[i];

        if (strlen(attribute) == length && !apr_cstr_casecmpn(attribute, pair, length) &&
            has_value(entry->values[i], pair + length + 1)) {
            return true;
        }
    }
    return false;
}

static bool is_attribute_known(const as_authorizing *of)
{
    const char *const *word;

    for (word = of->params->requirement->words; word && *word && is_own_directory(of); word++) {
        if (has_login_value(of, *word)) {
            return true;
        }
    }
    return false;
}

bool as_decide_without_query(as_authorizing *of)
{
    const as_requirement *requirement = of->params->requirement;
    bool is = false;

    switch (requirement->kind) {
    case AS_REQUIRE_USER:
        is = is_user_named(of);
        break;
    case AS_REQUIRE_DN:
        is = requirement->text && *requirement->text && as_dn_is_surely_same(requirement->text, of->params->entry->dn);
        break;
    case AS_REQUIRE_ATTRIBUTE:
        is = is_attribute_known(of);
        break;
    case AS_REQUIRE_GROUP:
    case AS_REQUIRE_FILTER:
    case AS_REQUIRE_SEARCH:
        break;
    }
    if (is) {
        as_say_yes(of, "known from the login");
    }
    return is;
}

/* ---- with a query ---- */

static void decide_match(as_authorizing *of, const char *filter, const char *yes, const char *no)
{
    bool does = false;

    if (!as_group_test_filter(&of->searches, of->params->entry->dn, filter, &does, &of->reply)) {
        as_say_reply(of);
    } else if (does) {
        as_say_yes(of, yes);
    } else {
        as_say_no_unproven(of, no);
    }
}

/* The directory compares the names as it did when it found the entry. NULL without memory. */
static const char *make_filter_of_names(const as_authorizing *of)
{
    const char *attribute = of->params->directory->settings->attributes[0], *filter = "(|";
    const char *const *word;

    for (word = of->params->requirement->words; *word; word++) {
        const char *value = as_group_escape(*word, of->pool);

        if (!value) {
            return NULL;
        }
        filter = apr_pstrcat(of->pool, filter, "(", attribute, "=", value, ")", NULL);
    }
    return apr_pstrcat(of->pool, filter, ")", NULL);
}

static void decide_user(as_authorizing *of)
{
    const char *filter = make_filter_of_names(of);

    if (filter) {
        decide_match(of, filter, "by name", "another name");
    } else {
        as_say_unknown(of, AS_OUTCOME_UNKNOWN_RESULT, "no memory");
    }
}

bool as_describe_entry(as_authorizing *of, const char *dn, as_group_facts *facts)
{
    as_group_get_facts(&of->searches, dn, NULL, facts);
    return (facts->described && (facts->fresh || !of->to_prove)) ||
           as_group_describe(&of->searches, dn, NULL, facts, &of->reply);
}

/* Compares two DNs as the LDAP server wrote them: the entry's, and the required one's. */
static void decide_dn(as_authorizing *of)
{
    const char *dn = of->params->requirement->text;
    as_group_facts facts;

    if (!of->params->groups->compare_dn_on_server) {
        as_say_no_unsafe(of, "another DN as text, and AuthLDAPCompareDNOnServer is Off");
        return;
    }
    if (!as_describe_entry(of, dn, &facts)) {
        if (of->reply.failure == AS_FAILURE_NONE && of->reply.code == AS_LDAP_INVALID_DN &&
            of->params->requirement->by_expression) {
            as_say_no_unsafe(of, "the directory reports that this is not a DN");
        } else {
            as_say_reply(of);
        }
    } else if (!facts.exists) {
        as_say_missing(of, dn);
    } else if (as_dn_is_surely_same(facts.dn, of->params->entry->dn)) {
        as_say_yes(of, "the same entry");
    } else if (as_group_is_alias(&facts)) {
        as_say_no_unsafe(of, apr_pstrcat(of->pool, dn, AS_REASON_ALIAS, NULL));
    } else {
        as_say_no_unproven(of, "another entry");
    }
}

static bool is_no(int code)
{
    return code == AS_LDAP_COMPARE_FALSE || code == AS_LDAP_NO_SUCH_ATTRIBUTE;
}

/* The pair can be nobody's, or the entry is gone, or hidden from the account. */
static bool is_dead(int code)
{
    return code == AS_LDAP_UNDEFINED_TYPE || code == AS_LDAP_INAPPROPRIATE_MATCHING || code == AS_LDAP_INVALID_SYNTAX ||
           code == AS_LDAP_NO_SUCH_OBJECT;
}

typedef enum as_compared { AS_COMPARED_TRUE, AS_COMPARED_FALSE, AS_COMPARED_DEAD, AS_COMPARED_UNKNOWN } as_compared;

/* Compares at most AS_GROUP_ATTRIBUTES_MAX pairs in one round trip. */
static as_compared compare_pairs(as_authorizing *of, const char *const *pairs, int count)
{
    const char *attributes[AS_GROUP_ATTRIBUTES_MAX + 1] = {NULL}, *values[AS_GROUP_ATTRIBUTES_MAX];
    int codes[AS_GROUP_ATTRIBUTES_MAX] = {0}, i;
    const as_compare compare = {
        .dn = of->params->entry->dn, .attributes = attributes, .values = values, .count = count, .codes = codes};
    as_compared compared = AS_COMPARED_FALSE;

    for (i = 0; i < count; i++) {
        const size_t length = strcspn(pairs[i], "=");

        attributes[i] = apr_pstrmemdup(of->pool, pairs[i], length);
        values[i] = pairs[i] + length + 1;
    }
    if (!as_group_compare(&of->compares, &compare, &of->reply)) {
        return AS_COMPARED_UNKNOWN;
    }
    for (i = 0; i < count; i++) {
        if (codes[i] == AS_LDAP_COMPARE_TRUE) {
            return AS_COMPARED_TRUE;
        }
        if (is_dead(codes[i]) && compared == AS_COMPARED_FALSE) {
            compared = AS_COMPARED_DEAD;
        } else if (!is_no(codes[i]) && !is_dead(codes[i])) {
            compared = AS_COMPARED_UNKNOWN;
        }
    }
    return compared;
}

/* Decides ldap-attribute: one true pair decides, even if others could not be compared. */
static void decide_attribute(as_authorizing *of)
{
    const char *const *words = of->params->requirement->words;
    const int count = as_text_count(words);
    int from;

    as_say_no(of, "another value");
    for (from = 0; from < count; from += AS_GROUP_ATTRIBUTES_MAX) {
        int left = count - from;

        switch (compare_pairs(of, words + from, left < AS_GROUP_ATTRIBUTES_MAX ? left : AS_GROUP_ATTRIBUTES_MAX)) {
        case AS_COMPARED_TRUE:
            as_say_yes(of, "by value");
            return;
        case AS_COMPARED_UNKNOWN:
            as_say_reply(of);
            if (as_outcome_describe(of->answer->finding.outcome)->of == AS_CLASS_UNAVAILABLE) {
                return;
            }
            break;
        case AS_COMPARED_DEAD:
            if (of->answer->answer == AS_NO) {
                as_say_no_unsafe(of, "the directory cannot compare an attribute of the line with its value");
            }
            break;
        case AS_COMPARED_FALSE:
            break;
        }
    }
}

/* The names of the pairs are valid here: the directory has compared them. NULL without memory. */
static const char *make_filter_of_pairs(const as_authorizing *of)
{
    const char *filter = "(|";
    const char *const *word;

    for (word = of->params->requirement->words; *word; word++) {
        const size_t length = strcspn(*word, "=");
        const char *value = as_group_escape(*word + length + 1, of->pool);

        if (!value) {
            return NULL;
        }
        filter = apr_pstrcat(of->pool, filter, "(", apr_pstrmemdup(of->pool, *word, length), "=", value, ")", NULL);
    }
    return apr_pstrcat(of->pool, filter, ")", NULL);
}

static const char *make_whole_filter(const as_authorizing *of)
{
    const char *text = of->params->requirement->text;

    return *text == '(' ? text : apr_pstrcat(of->pool, "(", text, ")", NULL);
}

static bool has_name(const char *const *names, int count, const char *name, size_t length)
{
    int i;

    for (i = 0; i < count; i++) {
        if (strlen(names[i]) == length && !apr_cstr_casecmpn(names[i], name, length)) {
            return true;
        }
    }
    return false;
}

/* Returns whether each test of the filter is of one of these attributes. In a value a parenthesis is escaped. */
static bool has_only(const char *filter, const char *const *names, int count)
{
    while ((filter = strpbrk(filter, "(\\")) != NULL) {
        if (*filter == '\\') {
            filter += filter[1] ? 2 : 1;
            continue;
        }
        filter += 1 + strspn(filter + 1, " ");
        if (*filter && !strchr("&|!", *filter) && !has_name(names, count, filter, strcspn(filter, "=~<>:; "))) {
            return false;
        }
    }
    return true;
}

/* Rules out attributes that the entry cannot have. Active Directory treats an attribute that this account may not read
 * as one that the entry lacks; Samba does so with one that does not exist. Returns false if the answer is given. */
static bool are_attributes_allowed(as_authorizing *of, const char *filter)
{
    const char *const *names;
    int count;

    if (!as_group_get_allowed_attributes(&of->searches, of->params->entry->dn, &names, &count, &of->reply)) {
        as_say_reply(of);
        return false;
    }
    if (!has_only(filter, names, count)) {
        as_say_no_unsafe(of, "it names an attribute that the entry cannot have (allowedAttributes)");
        return false;
    }
    return true;
}

/* Looks for what a compare does not find, and a search does: values that the server makes (memberOf of OpenLDAP's
 * dynlist). */
static void prove_compared(as_authorizing *of, const char *filter)
{
    bool does = false;

    if (!as_group_test_filter(&of->searches, of->params->entry->dn, filter, &does, &of->reply)) {
        as_say_reply(of);
    } else if (does) {
        as_say_yes(of, "by value, as a search finds it");
    } else {
        as_say_no(of, of->to_prove->evidence);
    }
}

/* Returns whether the negation of the filter must be tested. Except in Active Directory a compare has decided a pair
 * already. */
static bool begin_match(as_authorizing *of, const char *filter)
{
    as_server_facts server;

    if (!filter) {
        as_say_unknown(of, AS_OUTCOME_UNKNOWN_RESULT, "no memory");
        return false;
    }
    if (!as_group_get_server(&of->searches, &server, &of->reply)) {
        as_say_reply(of);
        return false;
    }
    if (server.is_ad) {
        return are_attributes_allowed(of, filter);
    }
    if (of->params->requirement->kind == AS_REQUIRE_ATTRIBUTE) {
        prove_compared(of, filter);
        return false;
    }
    return true;
}

void as_prove_match(as_authorizing *of)
{
    const as_requirement_kind kind = of->params->requirement->kind;
    const char *filter = kind == AS_REQUIRE_FILTER      ? make_whole_filter(of)
                         : kind == AS_REQUIRE_ATTRIBUTE ? make_filter_of_pairs(of)
                                                        : make_filter_of_names(of);
    bool does = false;

    if (!begin_match(of, filter)) {
        return;
    }
    if (!as_group_test_filter(&of->searches, of->params->entry->dn, apr_pstrcat(of->pool, "(!", filter, ")", NULL),
                              &does, &of->reply)) {
        as_say_reply(of);
    } else if (does) {
        as_say_no(of, kind == AS_REQUIRE_FILTER ? "the filter does not match" : "another name, or value");
    } else {
        as_say_no_unsafe(of, "neither the filter nor its negation matches: an attribute of it does not exist, or may "
                             "not be searched");
    }
}

static void decide_search(as_authorizing *of)
{
    const char *own = of->params->directory->settings->filter, *filter = make_whole_filter(of);
    int entries = 0;

    if (own) {
        filter = apr_pstrcat(of->pool, "(&", own, filter, ")", NULL);
    }
    if (!as_group_count_entries(&of->searches, filter, &entries, &of->reply)) {
        as_say_reply(of);
    } else if (entries == 1) {
        as_say_yes(of, "one entry");
    } else if (entries == 0 && of->reply.referral) {
        as_say_no_unsafe(of, "no entry here, and a part of the directory is elsewhere");
    } else {
        as_say_no(of, entries == 0 ? "no entry" : "more than one entry");
    }
}

void as_decide_line(as_authorizing *of)
{
    switch (of->params->requirement->kind) {
    case AS_REQUIRE_USER:
        decide_user(of);
        break;
    case AS_REQUIRE_DN:
        decide_dn(of);
        break;
    case AS_REQUIRE_ATTRIBUTE:
        decide_attribute(of);
        break;
    case AS_REQUIRE_FILTER:
        decide_match(of, make_whole_filter(of), "by the filter", "the filter does not match");
        break;
    case AS_REQUIRE_SEARCH:
        decide_search(of);
        break;
    case AS_REQUIRE_GROUP:
        break;
    }
}
