/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a login: its failures are counted once, when all providers were asked. Until then each bind that was sent
 * stands as a failure in advance; what the directory answered decides what becomes of it.
 */
#include "settle.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/dn.h"
#include "authstatus/stringprep.h"

/* Of an account with several servers: all marks. */
#define MARK_OF_ANY UINT32_MAX

/* An account that this login met. */
struct as_met_account {
    struct as_met_account *next;
    const char *account;
    apr_time_t stamp; /* of the bind's admission; 0: no bind of it counts */
    apr_time_t met;   /* on the throttle's clock, before a bind was sent */
    bool accepted;    /* the directory accepted the password */
    bool answered;    /* the failure was told to the throttle */
    bool settled;     /* the login that met it has ended */
};

/* ---- names ---- */

static const char *prepare(const char *name, apr_pool_t *pool)
{
    const size_t length = strlen(name);
    const char *prepared =
        as_stringprep_prepare(name, length, apr_palloc(pool, AS_STRINGPREP_WORK(length) * sizeof(int32_t)));

    return prepared ? prepared : name;
}

/* The ports of a directory: one server, whether it is asked in clear, by StartTLS, by TLS or as a global catalog. */
static bool is_usual_port(int port)
{
    return port == 389 || port == 636 || port == 3268 || port == 3269;
}

static const char *name_server(const as_ldap_server *server, apr_pool_t *pool)
{
    char *host = apr_pstrdup(pool, prepare(server->host, pool));
    const apr_size_t length = strlen(host);

    if (length > 1 && host[length - 1] == '.') {
        host[length - 1] = '\0'; /* a name in full (RFC 1034 3.1) */
    }
    return is_usual_port(server->port) ? host : apr_psprintf(pool, "%s:%d", host, server->port);
}

/* Prepares the types and values of a DN in normal form, each for itself: insignificant spaces are at their ends. */
static const char *prepare_dn(const char *normal, apr_pool_t *pool)
{
    const char *prepared = "", *piece = normal, *at;

    for (at = normal;; at++) {
        if (at[0] == '\\' && at[1]) {
            at++;
        } else if (!*at || strchr(",+=", *at)) {
            prepared = apr_pstrcat(pool, prepared, prepare(apr_pstrmemdup(pool, piece, (apr_size_t)(at - piece)), pool),
                                   apr_pstrmemdup(pool, at, *at != '\0'), NULL);
            piece = at + 1;
        }
        if (!*at) {
            return prepared;
        }
    }
}

/* A DN is normalised (RFC 4514), any other bind name prepared (RFC 4518 2). */
static const char *name_subject(const char *name, apr_pool_t *pool)
{
    char *normal = apr_palloc(pool, AS_DN_MAX);
    const bool is_dn = as_dn_normalize(name, strlen(name), normal, NULL);

    return apr_pstrcat(pool, is_dn ? "dn " : "name ", is_dn ? prepare_dn(normal, pool) : prepare(name, pool), NULL);
}

/* The accounts of a name: one for each server of the directory, each once, as sections may name them in other lists.
 * They are copies of one account; a failure counts for all of them. NULL-terminated. */
static const char *const *name_accounts(const as_directory_settings *settings, const char *name, apr_pool_t *pool)
{
    const char **accounts = apr_pcalloc(pool, (size_t)(settings->server_count + 1) * sizeof(*accounts));
    const char *subject = name_subject(name, pool);
    int count = 0, i, at;

    for (i = 0; i < settings->server_count; i++) {
        const char *account = apr_pstrcat(pool, name_server(&settings->servers[i], pool), " ", subject, NULL);

        for (at = 0; at < count && strcmp(accounts[at], account) != 0; at++) {
        }
        accounts[at] = account;
        count += at == count;
    }
    return accounts;
}

static const char *const *accounts_of(const as_gate *gate, const char *name)
{
    return name_accounts(gate->asked->directory->settings, name, gate->memo->pool);
}

/* ---- the memo ---- */

static bool is_met(const as_login_memo *memo, const char *account)
{
    const struct as_met_account *counted = memo->counted;

    while (counted && !counted->settled && strcmp(counted->account, account)) {
        counted = counted->next;
    }
    return counted && !counted->settled;
}

static struct as_met_account *note_account(const as_gate *gate, const char *account)
{
    struct as_met_account *counted = apr_pcalloc(gate->memo->pool, sizeof(*counted));

    counted->account = account;
    counted->met = as_throttle_read_clock(gate->login->throttles);
    counted->next = gate->memo->counted;
    gate->memo->counted = counted;
    return counted;
}

/* Who has sent a bind for this account, and now sends another, does not wait for himself. */
static void note_no_answer(const as_gate *gate, const char *account)
{
    struct as_met_account *counted;

    for (counted = gate->memo->counted; counted; counted = counted->next) {
        if (counted->stamp && !counted->answered && !strcmp(counted->account, account)) {
            as_throttle_record_answer(gate->login->throttles, account, counted->stamp);
            counted->answered = true;
        }
    }
}

static void withdraw(const as_gate *gate, struct as_met_account *counted)
{
    if (counted->stamp) {
        as_throttle_withdraw(gate->login->throttles, counted->account, counted->stamp, gate->memo->pool);
        counted->stamp = 0;
    }
}

/* ---- around a query ---- */

/* Half of what is left of the deadline; the rest is the bind's. */
static as_mono patience_of(const as_gate *gate)
{
    const as_mono now = as_mono_read();

    return now + (gate->deadline - now) / 2;
}

static const char *spelling_of(const as_gate *gate)
{
    const as_login_attempt *asked = gate->asked;

    return prepare(asked->initial_bind ? asked->initial_bind : asked->user, gate->memo->pool);
}

long as_gate_wait(const as_gate *gate)
{
    const as_login_attempt *asked = gate->asked;
    as_throttles *throttles = gate->login->throttles;
    long of_user, of_client;

    if (!throttles || !asked->throttle || !asked->throttle->failures || gate->certain) {
        return 0;
    }
    of_client = as_throttle_check_client(throttles, asked->throttle, asked->client, gate->memo->pool);
    of_user = as_throttle_check_spelling(throttles, asked->throttle, asked->directory->fingerprint, spelling_of(gate),
                                         gate->memo->pool);
    return of_user > of_client ? of_user : of_client;
}

void as_gate_open(as_gate *gate)
{
    gate->before = gate->memo->counted;
    gate->refused = false;
    gate->wait = 0;
}

/* Was a bind of this query sent for this account? */
static bool was_sent_for(const as_gate *gate, const char *account)
{
    const struct as_met_account *bind = gate->memo->counted;

    while (bind != gate->before && strcmp(bind->account, account) != 0) {
        bind = bind->next;
    }
    return bind != gate->before;
}

/* Takes back what was admitted since the memo was as `before`: the bind is not sent. */
static void take_back(const as_gate *gate, struct as_met_account *before)
{
    while (gate->memo->counted != before) {
        withdraw(gate, gate->memo->counted);
        gate->memo->counted = gate->memo->counted->next;
    }
}

static bool admit_account(as_gate *gate, const char *account)
{
    as_throttles *throttles = gate->login->throttles;
    const apr_time_t met = as_throttle_read_clock(throttles);
    struct as_met_account *counted;
    apr_time_t stamp;

    note_no_answer(gate, account);
    gate->wait = as_throttle_admit(throttles, gate->asked->throttle, account, gate->certain, patience_of(gate),
                                   gate->memo->pool, &stamp);
    if (gate->wait > 0) {
        return false;
    }
    counted = note_account(gate, account);
    counted->stamp = stamp;
    counted->met = stamp ? stamp : met;
    return true;
}

bool as_gate_admit(void *data, const char *name, bool accepted)
{
    as_gate *gate = data;
    const as_login_attempt *asked = gate->asked;
    struct as_met_account *before = gate->memo->counted;
    const char *const *account = accounts_of(gate, name);

    if (accepted && *account && was_sent_for(gate, *account)) {
        /* The directory has accepted this password for this account. */
        return true;
    }
    while (account[0] && account[1] && admit_account(gate, *account)) {
        account++;
    }
    gate->refused = !*account || gate->wait > 0 || !admit_account(gate, *account);
    if (*account && asked->throttle && asked->throttle->failures) {
        as_throttle_keep_spelling(gate->login->throttles, asked->directory->fingerprint, spelling_of(gate), *account);
    }
    if (gate->refused) {
        take_back(gate, before);
    }
    return !gate->refused;
}

void as_gate_accept(const as_gate *gate)
{
    struct as_met_account *counted;

    for (counted = gate->memo->counted; counted != gate->before; counted = counted->next) {
        counted->accepted = true;
    }
}

bool as_gate_has_sent(const as_gate *gate)
{
    return gate->memo->counted != gate->before;
}

/* Does the directory say with it that the password is wrong, or nothing of it? A directory that has proven the password
 * was not asked by a guesser, whatever it says of the account. */
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

/* Was it sent again, later in the same query? */
static bool was_repeated(const as_gate *gate, const struct as_met_account *bind)
{
    const struct as_met_account *later = gate->memo->counted;

    while (later != bind && strcmp(later->account, bind->account) != 0) {
        later = later->next;
    }
    return later != bind;
}

void as_gate_close(const as_gate *gate, const as_reply *reply)
{
    const as_finding finding = as_outcome_find(reply);
    const bool answered = reply->failure == AS_FAILURE_NONE;
    struct as_met_account *counted;

    for (counted = gate->memo->counted; counted != gate->before; counted = counted->next) {
        if (answered && is_success(&finding)) {
            counted->accepted = true;
            if (was_repeated(gate, counted)) {
                /* It had no answer, and was the same password. */
                withdraw(gate, counted);
            }
        } else if (answered ? !is_failure(&finding) : gate->certain) {
            withdraw(gate, counted);
        }
    }
}

/* ---- answers ---- */

static bool is_counted(const as_gate *gate, const char *name)
{
    const char *const *account = name && *name ? accounts_of(gate, name) : NULL;

    while (account && *account && !as_throttle_is_counted(gate->login->throttles, *account)) {
        account++;
    }
    return account && *account;
}

bool as_settle_is_counted(const as_gate *gate, const char *dn)
{
    return gate->login->throttles && !as_throttle_is_quiet(gate->login->throttles) &&
           (is_counted(gate, dn) || is_counted(gate, gate->asked->initial_bind));
}

static void note_name(const as_gate *gate, const char *name)
{
    const char *const *account = name && *name ? accounts_of(gate, name) : NULL;

    for (; account && *account; account++) {
        if (!is_met(gate->memo, *account)) {
            note_account(gate, *account);
        }
    }
}

void as_settle_note(const as_gate *gate, const as_answer *answer, bool afresh)
{
    gate->memo->failed_afresh = gate->memo->failed_afresh || (afresh && is_failure(&answer->finding));
    if (!afresh && gate->login->throttles && !as_throttle_is_quiet(gate->login->throttles)) {
        note_name(gate, answer->dn);
        note_name(gate, gate->asked->initial_bind);
    }
}

static void settle_account(const as_login *login, struct as_met_account *counted, bool granted, apr_pool_t *pool)
{
    if (granted || counted->accepted) {
        if (counted->stamp || as_throttle_is_counted(login->throttles, counted->account)) {
            as_throttle_record_success(login->throttles, counted->account, counted->met, pool);
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
    struct as_met_account *counted;

    if (login->throttles) {
        for (counted = memo->counted; counted && !counted->settled; counted = counted->next) {
            settle_account(login, counted, end == AS_LOGIN_GRANTED, memo->pool);
            counted->settled = true;
        }
        if ((end == AS_LOGIN_REFUSED && memo->failed_afresh) || (end != AS_LOGIN_GRANTED && memo->guessed)) {
            as_throttle_count_client(login->throttles, throttle, client, memo->pool);
        }
    }
    memo->failed_afresh = memo->guessed = false;
}

uint32_t as_login_mark(const as_login *login, const as_directory_settings *settings, const char *dn, apr_pool_t *pool)
{
    const char *const *accounts = login->throttles && dn && *dn ? name_accounts(settings, dn, pool) : NULL;

    return accounts && accounts[0] && !accounts[1] ? as_throttle_get_mark(login->throttles, accounts[0]) : MARK_OF_ANY;
}

bool as_login_is_marked(const as_login *login, uint32_t mark)
{
    return login->throttles && (mark == MARK_OF_ANY ? !as_throttle_is_quiet(login->throttles)
                                                    : as_throttle_is_marked(login->throttles, mark));
}

void as_login_finish(const as_login *login, as_login_memo *memo)
{
    struct as_met_account *counted;

    for (counted = memo->counted; counted && login->throttles; counted = counted->next) {
        if (counted->stamp) {
            as_throttle_record_failure(login->throttles, counted->account, counted->stamp, memo->pool);
        }
    }
    memo->counted = NULL;
}
