/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides a line of Require for an entry. Sources in this order, as in authenticate.c: earlier queries of this
 * transaction, the login, the cache, an identical query in progress, and then the directory.
 */
#include "authorize_private.h"

#include <string.h>

#include <apr_strings.h>

/* ---- requirements ---- */

static const char *find_problem_of_dn(const char *text, apr_pool_t *pool)
{
    char normal[AS_DN_MAX];
    size_t at = 0;

    if (!as_dn_normalize(text, strlen(text), normal, &at)) {
        return strchr(text, '=')
                   ? apr_psprintf(pool, "\"%.200s\" is not a DN (RFC 4514): octet %d cannot stand where it does", text,
                                  (int)at + 1)
                   : apr_psprintf(pool, "\"%.200s\" is not a DN (RFC 4514); write the whole of it: cn=%.200s,...", text,
                                  text);
    }
    return *normal ? NULL : "an empty DN is no entry's";
}

static const char *find_problem_of_filter(const char *text, apr_pool_t *pool)
{
    const char *whole = *text == '(' ? text : apr_pstrcat(pool, "(", text, ")", NULL);

    return as_filter_is_valid(whole) ? NULL : apr_psprintf(pool, "\"%.1000s\" is not a filter (RFC 4515)", text);
}

static const char *find_problem_of_words(const as_requirement *requirement, apr_pool_t *pool)
{
    const char *const *word;

    if (!requirement->words || !requirement->words[0]) {
        return requirement->kind == AS_REQUIRE_USER ? "there is no name; write Require ldap-user ann"
                                                    : "there is no attribute=value";
    }
    for (word = requirement->words; *word; word++) {
        const char *equals = strchr(*word, '=');

        if (requirement->kind == AS_REQUIRE_ATTRIBUTE && (!equals || equals == *word)) {
            return apr_psprintf(pool, "\"%.200s\" is not attribute=value", *word);
        }
    }
    return NULL;
}

const char *as_requirement_check(const as_requirement *requirement, apr_pool_t *pool)
{
    const char *text = requirement->text ? requirement->text : "";

    switch (requirement->kind) {
    case AS_REQUIRE_GROUP:
    case AS_REQUIRE_DN:
        return find_problem_of_dn(text, pool);
    case AS_REQUIRE_FILTER:
    case AS_REQUIRE_SEARCH:
        return find_problem_of_filter(text, pool);
    case AS_REQUIRE_USER:
    case AS_REQUIRE_ATTRIBUTE:
        break;
    }
    return find_problem_of_words(requirement, pool);
}

/* ---- one line ---- */

void as_authorizing_begin(as_authorizing *of, const as_login *login, as_login_memo *memo,
                          const as_authorize_attempt *params, const as_login_observer *observer)
{
    memset(of, 0, sizeof(*of));
    of->login = login;
    of->memo = memo;
    of->params = params;
    of->observer = observer;
    of->pool = memo->pool;
    of->fingerprint = apr_pstrdup(memo->pool, params->directory->fingerprint);
    of->born = apr_time_now();
    of->compares.pool = of->searches.pool = of->pool;
    as_user_begin(of);
    of->answer = apr_pcalloc(of->pool, sizeof(*of->answer));
    of->answer->fingerprint = of->fingerprint;
    of->answer->reason = of->answer->evidence = "";
}

static const as_authorization *find_earlier(const as_authorizing *of)
{
    const as_authorized_line *line;

    for (line = of->memo->authorized ? of->memo->authorized->lines : NULL; line; line = line->next) {
        if (as_key_is_same(&line->key, &of->key)) {
            return line->answer;
        }
    }
    return NULL;
}

static void note_line(as_login_memo *memo, const as_cache_key *key, const char *group, const as_authorization *answer)
{
    struct as_authorized *kept = as_authorized_get(memo);
    as_authorized_line *line = apr_pcalloc(memo->pool, sizeof(*line));

    line->next = kept->lines;
    line->key = *key;
    line->group = group;
    line->answer = answer;
    kept->lines = line;
}

static void note_authorization(as_authorizing *of)
{
    const as_requirement *requirement = of->params->requirement;
    const char *group = NULL;

    if (requirement->kind == AS_REQUIRE_GROUP && !of->to_prove) {
        group = requirement->name ? requirement->name : as_requirement_make_name(requirement, of->pool);
    }
    note_line(of->memo, &of->key, group, of->answer);
}

void as_authorize_note(as_login_memo *memo, const as_requirement *requirement, const as_authorization *answer)
{
    /* Every other key has a scope. */
    const as_cache_key key = {.scope = "", .directory = requirement->name, .user = "", .password = ""};

    if (requirement->kind == AS_REQUIRE_GROUP && answer->answer == AS_NO) {
        note_line(memo, &key, requirement->name, answer);
    }
}

/* ---- the directory ---- */

static void query(as_authorizing *of)
{
    const as_requirement *requirement = of->params->requirement;
    const char *problem = as_requirement_check(requirement, of->pool);

    if (of->to_prove) {
        as_prove(of);
    } else if (problem && requirement->by_expression) {
        as_say_no_unsafe(of, problem);
    } else if (problem) {
        as_say_unknown(of, AS_OUTCOME_DIRECTORY_MISCONFIGURED, problem);
    } else if (requirement->kind == AS_REQUIRE_GROUP) {
        as_decide_group(of);
    } else {
        as_decide_line(of);
    }
    of->answer->server = of->reply.server;
    as_user_end(of);
}

static bool get_cached(as_authorizing *of, bool again)
{
    as_cached_answer cached = {.value_count = 0};
    const apr_time_t now = apr_time_now();

    if (!(again ? as_cache_get_again : as_cache_get)(of->login->cache, &of->key, now, of->pool, &cached)) {
        return false;
    }
    as_authorization_read_cached(of->answer, &cached, of->pool);
    if (!of->to_prove || of->to_prove->source.stamp) {
        of->answer->source = cached.acceptance;
        of->answer->premise = of->to_prove ? of->to_prove->source : (as_acceptance){.stamp = 0};
    }
    return true;
}

static bool get_again(void *data)
{
    return get_cached(data, true);
}

static bool query_now(void *data)
{
    query(data);
    return true;
}

static as_cached_answer convert_to_cached(void *data)
{
    const as_authorizing *of = data;

    return as_authorization_make_cached(of->answer, of->pool);
}

static void take_coalesced(void *data, const as_cached_answer *cached)
{
    const as_authorizing *of = data;

    as_authorization_read_cached(of->answer, cached, of->pool);
}

static void give_up(void *data)
{
    as_say_unknown(data, AS_OUTCOME_DIRECTORY_TIMEOUT, "the deadline passed while an identical query was under way");
}

static const as_coalesced_calls calls = {.get_again = get_again,
                                         .query = query_now,
                                         .to_cache = convert_to_cached,
                                         .from_cache = take_coalesced,
                                         .give_up = give_up};

static void count_operations(as_authorizing *of, as_mono started)
{
    as_operations *operations = &of->answer->operations;

    operations->searches = of->searches.searches + of->compares.searches;
    operations->compares = of->searches.compares + of->compares.compares;
    operations->binds = of->searches.binds + of->compares.binds;
    operations->took = as_mono_read() - started;
    of->answer->cached = operations->searches + operations->compares + operations->binds == 0;
}

static void query_within_limit(as_authorizing *of)
{
    const as_mono started = as_mono_read();
    as_directory *entered = as_authorizing_enter(of);

    if (!entered) {
        of->answer->cached = false;
        as_say_reply(of);
        return;
    }
    of->compares.entered = of->searches.entered = entered;
    of->compares.deadline = of->searches.deadline = of->admission.deadline = of->deadline;
    as_authorizing_coalesce(of, &calls, of);
    as_directories_leave(entered);
    count_operations(of, started);
    as_authorizing_report_query(of);
}

/* Reports to the observer whether the directory answered. */
static void report(const as_authorizing *of)
{
    const as_authorization *answer = of->answer;
    const as_answer seen = {.finding = answer->finding,
                            .server = answer->server,
                            .reason = answer->reason,
                            .cached = answer->cached,
                            .wait = answer->wait,
                            .fingerprint = answer->fingerprint};
    as_store_state state = AS_STORE_UP;
    bool changed = false;

    if (of->observer && of->observer->answered && answer->server) {
        of->observer->answered(of->observer->data, &seen);
    }
    if (of->login->cache) {
        state = as_cache_get_store_state(of->login->cache, &changed);
    }
    if (changed && of->observer && of->observer->store_changed) {
        of->observer->store_changed(of->observer->data, state);
    }
}

/* Serves a cached yes for longer while the directory is unavailable. */
static void serve_stale(as_authorizing *of)
{
    const as_answer away = {
        .finding = of->answer->finding, .reason = of->answer->reason, .fingerprint = of->fingerprint};
    as_cached_answer cached;
    as_authorization served = *of->answer;

    if (of->answer->answer != AS_UNKNOWN || !as_stale_find(of->login, of->memo, &of->key, &away, &cached)) {
        return;
    }
    as_authorization_read_cached(&served, &cached, of->pool);
    if (served.answer == AS_YES) {
        served.server = NULL;
        served.cached = served.stale = true;
        *of->answer = served;
    }
}

/* The key includes everything that the answer depends on: for ldap-user, and groups of names, the name too. */
static void set_key(as_authorizing *of)
{
    const as_entry *entry = of->params->entry;
    const as_requirement *requirement = of->params->requirement;
    const char *what = requirement->name ? requirement->name : as_requirement_make_name(requirement, of->pool);

    of->key = as_authorize_make_key(of,
                                    apr_pstrcat(of->pool, what, " ",
                                                as_group_settings_make_name(of->params->groups, of->pool),
                                                !of->to_prove            ? ""
                                                : of->to_prove->unproven ? " proven"
                                                                         : " found",
                                                NULL),
                                    entry ? apr_pstrcat(of->pool, entry->dn, "\n", entry->user, NULL) : "");
}

static const as_authorization *answer_once(const as_login *login, as_login_memo *memo,
                                           const as_authorize_attempt *params, const as_authorization *to_prove,
                                           const as_login_observer *observer)
{
    as_authorizing of;
    const as_authorization *before;

    as_authorizing_begin(&of, login, memo, params, observer);
    of.to_prove = to_prove;
    if (!as_has_own_name(params, of.pool)) {
        as_say_no_unsafe(&of, "the directory of the login gave the entry a DN outside of the base of its AuthLDAPURL");
        of.answer->cached = of.answer->misnamed = true;
        return of.answer;
    }
    if (!to_prove && as_decide_without_query(&of)) {
        of.answer->cached = of.answer->from_login = true;
        return of.answer;
    }
    set_key(&of);
    before = find_earlier(&of);
    if (before) {
        return before;
    }
    as_cache_key_prepare(&of.key, of.pool);
    of.answer->cached = true;
    if (!login->cache || !get_cached(&of, false)) {
        of.deadline = as_deadline_get(memo, params->deadline);
        query_within_limit(&of);
        as_user_learn(&of);
        report(&of);
        serve_stale(&of);
    }
    note_authorization(&of);
    return of.answer;
}

const as_authorization *as_authorize(const as_login *login, as_login_memo *memo, const as_authorize_attempt *params,
                                     const as_login_observer *observer)
{
    const as_authorization *answer = answer_once(login, memo, params, NULL, observer);

    if (as_is_to_be_proven(params, answer)) {
        answer = answer_once(login, memo, params, answer, observer);
    }
    return as_qualify(params, answer, memo->pool);
}

/* Returns whether a group was answered with no, and no earlier line named the same one. */
static bool is_new_group(const as_authorized_line *line)
{
    const as_authorized_line *earlier = line->next;

    if (!line->group || line->answer->answer != AS_NO) {
        return false;
    }
    while (earlier && !(earlier->group && earlier->answer->answer == AS_NO && !strcmp(earlier->group, line->group))) {
        earlier = earlier->next;
    }
    return !earlier;
}

as_authorize_sums as_authorize_add_up(const as_login_memo *memo)
{
    as_authorize_sums sums = {.groups = 0};
    const as_authorized_line *line;

    for (line = memo->authorized ? memo->authorized->lines : NULL; line; line = line->next) {
        const as_operations *operations = &line->answer->operations;

        sums.groups += is_new_group(line);
        sums.operations.searches += operations->searches;
        sums.operations.compares += operations->compares;
        sums.operations.binds += operations->binds;
        sums.operations.took += operations->took;
    }
    return sums;
}
