/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a login: its failures are counted once, after all providers. Until then each bind that was sent stands as
 * a failure in advance; the directory's answer confirms or withdraws it.
 */
#include "settle.h"

#include <string.h>

#include <apr_strings.h>

#include "core/hot.h"

/* Of an account with several servers: any mark. */
#define MARK_OF_ANY UINT32_MAX

/* An account that this login tried. */
struct as_counted_account {
    struct as_counted_account *next;
    const char *account;
    apr_time_t stamp; /* of the bind's admission; 0: no bind of it counts */
    apr_time_t noted; /* on the throttle's clock, before a bind was sent */
    bool accepted;    /* the directory accepted the password */
    bool answered;    /* the failure was recorded in the throttle */
    bool settled;     /* the login has ended */
    bool of_entry;    /* the bind is that of the entry found, after another name was accepted */
    as_guard guard;
    int server; /* with a guard: the index of the server that got the bind */
};

/* ---- names ---- */

static const char *const *list_accounts(const as_admission *admission, const char *name)
{
    return as_accounts_name(admission->params->directory->settings, name, admission->memo->pool);
}

/* ---- the memo ---- */

static bool is_noted(const as_login_memo *memo, const char *account)
{
    const struct as_counted_account *counted = memo->counted;

    while (counted && !counted->settled && strcmp(counted->account, account)) {
        counted = counted->next;
    }
    return counted && !counted->settled;
}

static struct as_counted_account *note_account(const as_admission *admission, const char *account)
{
    struct as_counted_account *counted = apr_pcalloc(admission->memo->pool, sizeof(*counted));

    counted->account = account;
    counted->noted = as_throttle_read_clock(admission->login->throttles);
    counted->next = admission->memo->counted;
    admission->memo->counted = counted;
    return counted;
}

/* Records the missing answer of an earlier bind for this account: the login must not wait for itself. */
static void note_no_answer(const as_admission *admission, const char *account)
{
    struct as_counted_account *counted;

    for (counted = admission->memo->counted; counted; counted = counted->next) {
        if (counted->stamp && !counted->answered && !strcmp(counted->account, account)) {
            as_throttle_record_answer(admission->login->throttles, account, counted->stamp);
            counted->answered = true;
        }
    }
}

static void withdraw(const as_admission *admission, struct as_counted_account *counted)
{
    if (counted->stamp) {
        as_throttle_withdraw(admission->login->throttles, counted->account, counted->stamp, admission->memo->pool);
        counted->stamp = 0;
    }
}

/* ---- around a query ---- */

/* Returns half of the time left until the deadline; the rest is for the bind. */
static as_mono compute_patience(const as_admission *admission)
{
    const as_mono now = as_mono_read();

    return now + (admission->deadline - now) / 2;
}

static const char *make_spelling(const as_admission *admission)
{
    const as_login_attempt *params = admission->params;

    return as_name_prepare(params->initial_bind ? params->initial_bind : params->user, admission->memo->pool);
}

long as_admission_get_wait(const as_admission *admission)
{
    const as_login_attempt *params = admission->params;
    as_throttles *throttles = admission->login->throttles;
    long of_user, of_client;

    if (!throttles || !params->throttle || !params->throttle->failures || admission->cached_key || admission->proven) {
        return 0;
    }
    of_client = as_throttle_check_client(throttles, params->throttle, params->client, admission->memo->pool);
    of_user = as_throttle_check_spelling(throttles, params->throttle, params->directory->fingerprint,
                                         make_spelling(admission), admission->memo->pool);
    return of_user > of_client ? of_user : of_client;
}

bool as_admission_can_count(const as_admission *admission)
{
    const as_login_attempt *params = admission->params;

    return !params->initial_bind || !admission->login->throttles || !params->throttle || !params->throttle->failures ||
           !params->throttle->by_user || as_account_is_nameable(params->initial_bind, admission->memo->pool);
}

void as_admission_begin_query(as_admission *admission)
{
    admission->before = admission->memo->counted;
    admission->refused = admission->superseded = false;
    admission->wait = 0;
}

/* Returns whether a bind of this query was sent for this account. */
static bool was_sent_for(const as_admission *admission, const char *account)
{
    const struct as_counted_account *bind = admission->memo->counted;

    while (bind != admission->before && strcmp(bind->account, account) != 0) {
        bind = bind->next;
    }
    return bind != admission->before;
}

/* Withdraws the admissions made since the memo was as `before`: the bind is not sent. */
static void take_back(const as_admission *admission, struct as_counted_account *before)
{
    while (admission->memo->counted != before) {
        withdraw(admission, admission->memo->counted);
        admission->memo->counted = admission->memo->counted->next;
    }
}

static bool admit_account(as_admission *admission, const as_target_account *target)
{
    const char *account = target->name;
    const as_counted_bind bind = {.account = account,
                                  .kind = admission->cached_key ? AS_BIND_CACHED : AS_BIND_GUESS,
                                  .patience = compute_patience(admission)};
    as_throttles *throttles = admission->login->throttles;
    const apr_time_t noted = as_throttle_read_clock(throttles);
    struct as_counted_account *counted;
    apr_time_t stamp;

    note_no_answer(admission, account);
    admission->wait = as_throttle_admit(throttles, as_target_get_throttle(admission, target->guard), &bind,
                                        admission->memo->pool, &stamp);
    if (admission->wait > 0) {
        return false;
    }
    counted = note_account(admission, account);
    counted->stamp = stamp;
    counted->noted = stamp ? stamp : noted;
    counted->guard = target->guard;
    counted->server = admission->target.index;
    counted->of_entry = admission->is_of_entry;
    return true;
}

/* Returns whether the password is still cached as accepted. The directory may have refused it to another request of any
 * process meanwhile. */
static bool is_still_cached(const as_admission *admission)
{
    as_cached_answer cached;

    return as_cache_get_again(admission->login->cache, admission->cached_key, apr_time_now(), admission->memo->pool,
                              &cached) &&
           as_outcome_describe(cached.finding.outcome)->of == AS_CLASS_GRANTED;
}

/* Admits a password that is no longer cached as a guess, unless its refusal is cached. */
static bool admit_forgotten(as_admission *admission, const as_bind_target *target, const char *name, bool accepted)
{
    const as_cache_key *key = admission->cached_key;
    as_cached_answer cached;

    admission->cached_key = NULL;
    if (as_cache_get(admission->login->cache, key, apr_time_now(), admission->memo->pool, &cached) &&
        as_outcome_describe(cached.finding.outcome)->of != AS_CLASS_GRANTED) {
        admission->refused = admission->superseded = true;
        return false;
    }
    return as_admission_admit(admission, target, name, accepted);
}

bool as_admission_admit(void *data, const as_bind_target *target, const char *name, bool accepted)
{
    as_admission *admission = data;
    const as_login_attempt *params = admission->params;
    struct as_counted_account *before = admission->memo->counted;
    const as_target_account *account;

    admission->target = *target;
    admission->is_of_entry = accepted;
    if (admission->proven) {
        return true;
    }
    account = as_target_list_accounts(admission, name, target);
    if (accepted && account->name && was_sent_for(admission, account->name)) {
        /* The directory has accepted this password for this account. */
        return true;
    }
    while (account[0].name && account[1].name && admit_account(admission, account)) {
        account++;
    }
    admission->refused = !account->name || admission->wait > 0 || !admit_account(admission, account);
    if (account->name && params->throttle && params->throttle->failures) {
        as_throttle_keep_spelling(admission->login->throttles, params->directory->fingerprint, make_spelling(admission),
                                  account->name);
    }
    if (!admission->refused && admission->cached_key && !is_still_cached(admission)) {
        take_back(admission, before);
        return admit_forgotten(admission, target, name, accepted);
    }
    if (admission->refused) {
        take_back(admission, before);
    }
    return !admission->refused;
}

as_admitter as_admission_get_admitter(as_admission *admission)
{
    return (as_admitter){.admit = admission->login->throttles ? as_admission_admit : NULL,
                         .data = admission,
                         .is_foreign = admission->params->directory->foreign};
}

void as_admission_accept(const as_admission *admission)
{
    struct as_counted_account *counted;

    for (counted = admission->memo->counted; counted != admission->before; counted = counted->next) {
        if (counted->guard != AS_GUARD_NONE) {
            /* Nobody knows which of the servers accepted the password. */
            withdraw(admission, counted);
        } else {
            counted->accepted = true;
        }
    }
}

bool as_admission_has_sent(const as_admission *admission)
{
    return admission->memo->counted != admission->before;
}

/* Returns whether a finding is a failure: the password is wrong, or the directory reports nothing about it. A
 * directory that has proven the password was not queried by a guesser, whatever it reports about the account. */
static bool is_failure(const as_finding *finding)
{
    return !finding->proven &&
           (as_outcome_describe(finding->outcome)->of == AS_CLASS_REFUSED ||
            finding->outcome == AS_OUTCOME_UNKNOWN_USER || finding->outcome == AS_OUTCOME_AMBIGUOUS_USER ||
            finding->outcome == AS_OUTCOME_WRONG_PASSWORD);
}

static bool is_success(const as_finding *finding)
{
    return finding->proven && as_outcome_describe(finding->outcome)->of == AS_CLASS_GRANTED;
}

/* Returns whether the bind was sent again later in the same query. */
static bool was_repeated(const as_admission *admission, const struct as_counted_account *bind)
{
    const struct as_counted_account *later = admission->memo->counted;

    while (later != bind && strcmp(later->account, bind->account) != 0) {
        later = later->next;
    }
    return later != bind;
}

/* Returns whether a success of this reply is the account's. */
static bool is_success_of(const struct as_counted_account *counted, const as_reply *reply)
{
    return counted->guard == AS_GUARD_NONE ||
           (counted->guard == AS_GUARD_TRUSTED && !reply->referral && counted->server == reply->server_index);
}

/* Returns whether an accepted bind is no failure, though its success does not end the account's count: it had no answer
 * and was sent again with the same password, or its server is not trusted. */
static bool is_no_failure(const as_admission *admission, const struct as_counted_account *counted,
                          const as_reply *reply)
{
    return was_repeated(admission, counted) ||
           (counted->guard == AS_GUARD_COUNTS && counted->server == reply->server_index);
}

/* Returns whether this bind was accepted, though the login failed: the search was not answered or did not find an
 * entry, or the entry that it found refused the password. */
static bool was_accepted(const as_admission *admission, const struct as_counted_account *counted, const as_reply *reply)
{
    return reply->accepted && !counted->of_entry &&
           (is_success_of(counted, reply) || is_no_failure(admission, counted, reply));
}

void as_admission_end_query(const as_admission *admission, const as_reply *reply)
{
    const as_finding finding = as_outcome_find(reply);
    const bool answered = reply->failure == AS_FAILURE_NONE;
    struct as_counted_account *counted;

    for (counted = admission->memo->counted; counted != admission->before; counted = counted->next) {
        if (answered && is_success(&finding)) {
            counted->accepted = is_success_of(counted, reply);
            if (is_no_failure(admission, counted, reply)) {
                withdraw(admission, counted);
            }
        } else if (was_accepted(admission, counted, reply) ||
                   (answered ? !is_failure(&finding) : admission->cached_key != NULL)) {
            withdraw(admission, counted);
        }
    }
}

/* ---- answers ---- */

static bool is_counted(const as_admission *admission, const char *name)
{
    const char *const *account = name && *name ? list_accounts(admission, name) : NULL;

    while (account && *account && !as_throttle_is_counted(admission->login->throttles, *account)) {
        account++;
    }
    return account && *account;
}

bool as_settle_is_counted(const as_admission *admission, const char *dn)
{
    return admission->login->throttles && !as_throttle_is_quiet(admission->login->throttles) &&
           (is_counted(admission, dn) || is_counted(admission, admission->params->initial_bind));
}

static void note_name(const as_admission *admission, const char *name)
{
    const char *const *account = name && *name ? list_accounts(admission, name) : NULL;

    for (; account && *account; account++) {
        if (!is_noted(admission->memo, *account)) {
            note_account(admission, *account);
        }
    }
}

void as_settle_note(const as_admission *admission, const as_answer *answer, bool afresh)
{
    admission->memo->failed_afresh = admission->memo->failed_afresh || (afresh && is_failure(&answer->finding));
    if (!afresh && admission->login->throttles && !as_throttle_is_quiet(admission->login->throttles)) {
        note_name(admission, answer->dn);
        note_name(admission, admission->params->initial_bind);
    }
}

static void settle_account(const as_login *login, struct as_counted_account *counted, bool granted, apr_pool_t *pool)
{
    if ((granted && counted->guard != AS_GUARD_COUNTS) || counted->accepted) {
        if (counted->stamp || as_throttle_is_counted(login->throttles, counted->account)) {
            as_throttle_record_success(login->throttles, counted->account, counted->noted, pool);
        }
        counted->stamp = 0;
    } else if (counted->stamp && !counted->answered) {
        as_throttle_record_answer(login->throttles, counted->account, counted->stamp);
        counted->answered = true;
    }
}

void as_login_settle(const as_login *login, as_login_memo *memo, const as_throttle *throttle, const char *client,
                     as_login_end end)
{
    struct as_counted_account *counted;

    if (login->throttles) {
        for (counted = memo->counted; counted && !counted->settled; counted = counted->next) {
            settle_account(login, counted, end == AS_LOGIN_GRANTED, memo->pool);
            counted->settled = true;
        }
        if (!memo->client_counted && throttle && throttle->by_client &&
            ((end == AS_LOGIN_REFUSED && memo->failed_afresh) || (end != AS_LOGIN_GRANTED && memo->guessed))) {
            as_throttle_count_client(login->throttles, throttle, client, memo->pool);
            memo->client_counted = true;
        }
    }
    memo->failed_afresh = memo->guessed = false;
}

/* Counts a bind that was sent without being counted in advance. */
static void count_refused(as_admission *admission, const char *dn)
{
    const as_target_account *account;
    apr_time_t stamp;

    for (account = as_target_list_accounts(admission, dn, &admission->target); account->name; account++) {
        const as_counted_bind bind = {.account = account->name, .kind = AS_BIND_REFUSED};

        as_throttle_admit(admission->login->throttles, as_target_get_throttle(admission, account->guard), &bind,
                          admission->memo->pool, &stamp);
        note_account(admission, account->name)->stamp = stamp;
    }
}

void as_settle_bind(as_admission *admission, const char *dn, const as_reply *bound)
{
    const as_finding finding = as_outcome_find(bound);
    const bool answered = bound->failure == AS_FAILURE_NONE, refused = answered && is_failure(&finding);
    as_login_end end = AS_LOGIN_UNKNOWN;

    if (refused) {
        end = AS_LOGIN_REFUSED;
    } else if (answered && is_success(&finding)) {
        end = admission->params->directory->foreign ? AS_LOGIN_GRANTED_ELSEWHERE : AS_LOGIN_GRANTED;
    }
    as_admission_end_query(admission, bound);
    if (admission->proven && refused) {
        count_refused(admission, dn);
    }
    admission->memo->failed_afresh = refused;
    as_login_settle(admission->login, admission->memo, admission->params->throttle, admission->params->client, end);
}

uint32_t as_login_get_mark(const as_login *login, const as_directory_settings *settings, const char *dn,
                           apr_pool_t *pool)
{
    const char *const *accounts = login->throttles && dn && *dn ? as_accounts_name(settings, dn, pool) : NULL;

    return accounts && accounts[0] && !accounts[1] ? as_throttle_get_mark(login->throttles, accounts[0]) : MARK_OF_ANY;
}

AS_HOT bool as_login_is_marked(const as_login *login, uint32_t mark)
{
    return login->throttles && (mark == MARK_OF_ANY ? !as_throttle_is_quiet(login->throttles)
                                                    : as_throttle_is_marked(login->throttles, mark));
}

void as_login_finish(const as_login *login, as_login_memo *memo)
{
    struct as_counted_account *counted;

    for (counted = memo->counted; counted && login->throttles; counted = counted->next) {
        if (counted->stamp) {
            as_throttle_record_failure(login->throttles, counted->account, counted->stamp, memo->pool);
        }
    }
    memo->counted = NULL;
}
