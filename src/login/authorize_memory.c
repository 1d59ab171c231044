/* SPDX-License-Identifier: Apache-2.0
 *
 * State of authorization: in a transaction, and in the cache of logins. Answers, sets of groups and memberships are
 * records of that cache, found by keyed hashes of the virtual host, the directory, the settings of groups, the
 * question and the entry's DN. A yes is cached as an acceptance, an answer that may be no as a refusal. Neither an
 * outage nor a misconfiguration is cached.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

struct as_authorized *as_authorized_get(as_login_memo *memo)
{
    if (!memo->authorized) {
        memo->authorized = apr_pcalloc(memo->pool, sizeof(*memo->authorized));
    }
    return memo->authorized;
}

bool as_key_is_same(const as_cache_key *a, const as_cache_key *b)
{
    return !strcmp(a->scope, b->scope) && !strcmp(a->directory, b->directory) && !strcmp(a->user, b->user) &&
           !strcmp(a->password, b->password);
}

/* ---- names: unequal objects have unequal names ---- */

as_group_settings as_group_settings_make_default(void)
{
    static const char *const attributes[] = {"member", "uniqueMember", NULL};
    static const char *const classes[] = {"groupOfNames", "groupOfUniqueNames", NULL};

    return (as_group_settings){.attributes = attributes,
                               .subgroup_attributes = attributes,
                               .subgroup_classes = classes,
                               .attribute_is_dn = true,
                               .max_depth = 10,
                               .compare_dn_on_server = true};
}

static const char *make_text_name(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, apr_ltoa(pool, (long)strlen(text)), ":", text, ",", NULL);
}

static const char *make_list_name(const char *const *texts, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(const char *));

    for (; texts && *texts; texts++) {
        APR_ARRAY_PUSH(parts, const char *) = make_text_name(*texts, pool);
    }
    return apr_pstrcat(pool, "(", apr_array_pstrcat(pool, parts, '\0'), ")", NULL);
}

/* The names of the default lists, so that the usual settings cost no loop. */
#define NAME_OF_attributes "(6:member,12:uniqueMember,)"
#define NAME_OF_subgroup_attributes NAME_OF_attributes
#define NAME_OF_subgroup_classes "(12:groupOfNames,18:groupOfUniqueNames,)"

const char *as_group_settings_make_name(const as_group_settings *groups, apr_pool_t *pool)
{
    const as_group_settings usual = as_group_settings_make_default();
    const char numbers[] = {
#define AS_GROUP_SETTING(type, name) (char)('0' + (int)groups->name),
#include "authstatus/setting.def"
        '\0'};

    return apr_pstrcat(pool,
#define AS_GROUP_LIST(name) groups->name == usual.name ? NAME_OF_##name : make_list_name(groups->name, pool),
#include "authstatus/setting.def"
                       numbers, NULL);
}

const char *as_requirement_make_name(const as_requirement *requirement, apr_pool_t *pool)
{
    /* What does not parse is "no" where an expression made it, and else a misconfiguration. */
    const char kind[] = {(char)((requirement->by_expression ? 'a' : 'A') + (int)requirement->kind), '\0'};

    return apr_pstrcat(pool, kind, make_text_name(requirement->text ? requirement->text : "", pool),
                       make_list_name(requirement->words, pool), NULL);
}

as_cache_key as_authorize_make_key(const as_authorizing *of, const char *what, const char *user)
{
    /* No directory's fingerprint has this form: records of logins and of lines are apart. */
    const as_cache_key key = {
        .scope = apr_pstrdup(of->pool, of->params->directory->scope),
        .directory = apr_pstrcat(of->pool, "authorize ", of->fingerprint, " ", of->identity, " ", what, NULL),
        .user = apr_pstrdup(of->pool, user),
        .password = of->password};

    return key;
}

/* ---- answers ---- */

/* Makes a record. Its texts are the values of its only attribute. */
static as_cached_answer make_record(as_outcome outcome, const char *const *texts, apr_pool_t *pool)
{
    as_values *values = apr_pcalloc(pool, 2 * sizeof(*values));
    const as_cached_answer cached = {.finding = as_finding_make(outcome), .dn = "", .values = values, .value_count = 1};

    values[0] = texts;
    return cached;
}

static int count_texts(const as_cached_answer *cached)
{
    int count = 0;

    while (cached->value_count == 1 && cached->values[0] && cached->values[0][count]) {
        count++;
    }
    return count;
}

enum { TEXT_FLAGS, TEXT_REASON, TEXT_EVIDENCE, TEXTS };

as_cached_answer as_authorization_make_cached(const as_authorization *answer, apr_pool_t *pool)
{
    const char **texts = apr_pcalloc(pool, (TEXTS + 1) * sizeof(*texts));
    as_cached_answer cached = make_record(answer->finding.outcome, texts, pool);

    cached.finding = answer->finding;
    cached.retry_after = answer->wait;
    texts[TEXT_FLAGS] =
        apr_pstrcat(pool, answer->unsafe_to_negate ? "u" : "", answer->missing ? "m" : "", answer->bounded ? "b" : "",
                    answer->elsewhere ? "e" : "", answer->unproven ? "p" : "", answer->ends_login ? "l" : "", NULL);
    texts[TEXT_REASON] = answer->reason;
    texts[TEXT_EVIDENCE] = answer->evidence;
    return cached;
}

void as_authorization_read_cached(as_authorization *answer, const as_cached_answer *cached, apr_pool_t *pool)
{
    const bool is_one = count_texts(cached) == TEXTS;
    const char *flags = is_one ? cached->values[0][TEXT_FLAGS] : "";

    answer->finding = cached->finding;
    answer->wait = cached->retry_after;
    answer->answer = AS_UNKNOWN;
    answer->reason = answer->evidence = "";
    if (!is_one) {
        answer->finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
        return;
    }
    if (cached->finding.outcome == AS_OUTCOME_GRANTED && cached->finding.proven) {
        answer->answer = AS_YES;
    } else if (cached->finding.outcome == AS_OUTCOME_NOT_AUTHORIZED) {
        answer->answer = AS_NO;
    }
    answer->unsafe_to_negate = strchr(flags, 'u') != NULL;
    answer->missing = strchr(flags, 'm') != NULL;
    answer->bounded = strchr(flags, 'b') != NULL;
    answer->elsewhere = strchr(flags, 'e') != NULL;
    answer->unproven = strchr(flags, 'p') != NULL;
    answer->ends_login = strchr(flags, 'l') != NULL;
    answer->reason = apr_pstrdup(pool, cached->values[0][TEXT_REASON]);
    answer->evidence = apr_pstrdup(pool, cached->values[0][TEXT_EVIDENCE]);
}

/* ---- texts ---- */

static apr_time_t compute_shorter_time(const as_cache *cache)
{
    const as_cache_times *times = as_cache_get_times(cache);

    return times->acceptance < times->refusal ? times->acceptance : times->refusal;
}

/* Reads texts. The first text is the time when they were read: the record may be older than its copy here. */
bool as_texts_get(const as_authorizing *of, as_cache_key *key, as_kept_texts *texts)
{
    const apr_time_t now = apr_time_now();
    as_cached_answer cached;

    if (!of->login->cache || !as_cache_get(of->login->cache, key, now, of->pool, &cached) ||
        cached.finding.outcome != AS_OUTCOME_NOT_AUTHORIZED || count_texts(&cached) < 1) {
        return false;
    }
    texts->born = apr_atoi64(cached.values[0][0]);
    texts->texts = cached.values[0] + 1;
    texts->count = count_texts(&cached) - 1;
    return texts->born <= now && now - texts->born < compute_shorter_time(of->login->cache);
}

void as_texts_put(const as_authorizing *of, as_cache_key *key, const as_kept_texts *texts)
{
    const char **values = apr_pcalloc(of->pool, ((size_t)texts->count + 2) * sizeof(*values));
    const as_cached_answer cached = make_record(AS_OUTCOME_NOT_AUTHORIZED, values, of->pool);

    if (!of->login->cache) {
        return;
    }
    values[0] = apr_psprintf(of->pool, "%" APR_TIME_T_FMT, texts->born);
    memcpy(values + 1, texts->texts, (size_t)texts->count * sizeof(*values));
    as_cache_put(of->login->cache, key, &cached, texts->born, of->pool);
}

/* ---- the entry's groups ---- */

as_user_groups *as_user_groups_get(as_authorizing *of)
{
    struct as_authorized *kept = as_authorized_get(of->memo);
    const char *dn = of->params->entry->dn;
    as_user_groups *user;

    for (user = kept->users; user; user = user->next) {
        if (!strcmp(user->directory, of->fingerprint) && !strcmp(user->dn, dn) &&
            !strcmp(user->identity, of->identity)) {
            return user;
        }
    }
    user = apr_pcalloc(of->pool, sizeof(*user));
    user->directory = of->fingerprint;
    user->dn = apr_pstrdup(of->pool, dn);
    user->identity = of->identity;
    user->next = kept->users;
    kept->users = user;
    return user;
}

/* Texts: "whole" or "part", the number of as_viewer, the SIDs, the groups. */
enum { MEMBERSHIP_WHOLE, MEMBERSHIP_VIEWER, MEMBERSHIP_SID, MEMBERSHIP_PRIMARY, MEMBERSHIP_GROUPS };

static void keep_membership(as_authorizing *of, as_user_groups *user, as_cache_key *key)
{
    const as_membership *membership = &user->membership;
    const char **texts = apr_pcalloc(of->pool, ((size_t)membership->group_count + MEMBERSHIP_GROUPS) * sizeof(*texts));
    const as_kept_texts kept = {
        .texts = texts, .count = membership->group_count + MEMBERSHIP_GROUPS, .born = user->born};
    char sid[AS_SID_TEXT_MAX];
    int i;

    texts[MEMBERSHIP_WHOLE] = membership->whole ? "whole" : "part";
    texts[MEMBERSHIP_VIEWER] = apr_itoa(of->pool, (int)membership->viewer);
    as_sid_write(&membership->sid, sid);
    texts[MEMBERSHIP_SID] = apr_pstrdup(of->pool, sid);
    as_sid_write(&membership->primary_group, sid);
    texts[MEMBERSHIP_PRIMARY] = apr_pstrdup(of->pool, sid);
    for (i = 0; i < membership->group_count; i++) {
        texts[MEMBERSHIP_GROUPS + i] = membership->groups[i];
    }
    as_texts_put(of, key, &kept);
    user->known = true;
    if (membership->group_count > 0) {
        as_group_note_member_of(&of->searches, membership->viewer);
    }
}

static bool recall_membership(as_authorizing *of, as_user_groups *user, as_cache_key *key)
{
    as_kept_texts kept;

    if (!as_texts_get(of, key, &kept) || kept.count < MEMBERSHIP_GROUPS) {
        return false;
    }
    user->membership.whole = !strcmp(kept.texts[MEMBERSHIP_WHOLE], "whole");
    user->membership.viewer = (as_viewer)apr_atoi64(kept.texts[MEMBERSHIP_VIEWER]);
    as_sid_parse(kept.texts[MEMBERSHIP_SID], &user->membership.sid);
    as_sid_parse(kept.texts[MEMBERSHIP_PRIMARY], &user->membership.primary_group);
    user->membership.groups = kept.texts + MEMBERSHIP_GROUPS;
    user->membership.group_count = kept.count - MEMBERSHIP_GROUPS;
    user->born = kept.born;
    user->known = true;
    return true;
}

/* Takes the membership that the login's own search returned from the same directory. */
static bool take_from_login(as_authorizing *of, as_user_groups *user, as_cache_key *key)
{
    const as_entry *entry = of->params->entry;

    if (!entry->membership || strcmp(entry->directory->fingerprint, of->fingerprint) != 0) {
        return false;
    }
    user->membership = *entry->membership;
    user->born = apr_time_now();
    keep_membership(of, user, key);
    return true;
}

static void use(as_authorizing *of, apr_time_t born)
{
    if (born < of->born) {
        of->born = born;
    }
}

bool as_user_membership_get(as_authorizing *of, as_user_groups *user)
{
    as_cache_key key = as_authorize_make_key(of, "membership by search", user->dn);
    const apr_time_t now = apr_time_now();

    if (!user->known && !take_from_login(of, user, &key) && !recall_membership(of, user, &key)) {
        if (!as_group_get_membership(&of->searches, user->dn, &user->membership, &of->reply)) {
            as_say_reply(of);
            return false;
        }
        user->born = now;
        keep_membership(of, user, &key);
    }
    use(of, user->born);
    return true;
}

static bool recall_tokens(as_authorizing *of, as_user_groups *user, as_cache_key *key)
{
    as_kept_texts kept;
    as_sid *sids;
    int i;

    if (!as_texts_get(of, key, &kept) || kept.count < 1) {
        return false;
    }
    sids = apr_pcalloc(of->pool, (size_t)kept.count * sizeof(*sids));
    for (i = 0; i < kept.count; i++) {
        if (!as_sid_parse(kept.texts[i], &sids[i])) {
            return false;
        }
    }
    user->tokens = sids;
    user->token_count = kept.count;
    user->tokens_born = kept.born;
    user->has_tokens = true;
    return true;
}

static void keep_tokens(as_authorizing *of, as_user_groups *user, as_cache_key *key)
{
    const char **texts = apr_pcalloc(of->pool, ((size_t)user->token_count + 1) * sizeof(*texts));
    const as_kept_texts kept = {.texts = texts, .count = user->token_count, .born = user->tokens_born};
    char text[AS_SID_TEXT_MAX];
    int i;

    for (i = 0; i < user->token_count; i++) {
        as_sid_write(&user->tokens[i], text);
        texts[i] = apr_pstrdup(of->pool, text);
    }
    as_texts_put(of, key, &kept);
}

bool as_user_tokens_are_known(as_authorizing *of, as_user_groups *user)
{
    as_cache_key key = as_authorize_make_key(of, "tokens", user->dn);
    bool known = user->has_tokens || recall_tokens(of, user, &key);

    if (known) {
        use(of, user->tokens_born);
    }
    return known;
}

bool as_user_tokens_get(as_authorizing *of, as_user_groups *user)
{
    as_cache_key key = as_authorize_make_key(of, "tokens", user->dn);
    const apr_time_t now = apr_time_now();

    if (as_user_tokens_are_known(of, user)) {
        return true;
    }
    if (!as_group_get_tokens(&of->searches, user->dn, &user->tokens, &user->token_count, &of->reply)) {
        as_say_reply(of);
        return false;
    }
    user->tokens_born = now;
    if (user->token_count > 0) {
        user->has_tokens = true;
        keep_tokens(of, user, &key);
    }
    return true;
}
