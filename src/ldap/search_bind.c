/* SPDX-License-Identifier: Apache-2.0
 *
 * The query of one server: finds the user's entry, and verifies the password.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

#include "authstatus/dn.h"
#include "authstatus/ppolicy.h"

/* Returns whether a kept session was lost. The server may have closed it, or a relay, a tunnel or a firewall may
 * have dropped it and discard the request silently: that proves nothing about the server. */
static bool was_lost_while_kept(const as_session *session, const as_reply *reply)
{
    return session->dead && session->reused &&
           (reply->failure == AS_FAILURE_DOWN || (reply->failure == AS_FAILURE_TIMEOUT && session->on_trial));
}

/* Runs the step on a session of this kind, and again on a fresh connection if a kept one was lost. The server may
 * have seen the lost request: repeating a search is harmless, a bind at most counts a wrong password twice. */
void as_session_run_step(const as_task *task, as_kind kind, as_step_of *step, const void *argument)
{
    bool fresh = false, again;

    do {
        as_session *session = as_pool_lend(task->peer, kind, fresh, task->deadline, task->pool, task->reply);

        if (!session) {
            return;
        }
        step(task, session, argument);
        again = was_lost_while_kept(session, task->reply) && task->deadline > as_mono_read();
        if (was_lost_while_kept(session, task->reply)) {
            /* A restart, or a relay that drops connections, ends all of them: they need not fail one by one. */
            atomic_store(&task->peer->distrusted, as_mono_read());
        }
        as_pool_return(session);
        fresh = true;
    } while (again);
}

/* Makes the filter. RFC 4515 3: octets of the user's name that are special in a filter, or not UTF-8, are escaped. */
static const char *make_filter(const as_directory_settings *settings, const char *user, apr_pool_t *pool)
{
    struct berval name = {strlen(user), (char *)(intptr_t)user}, escaped = {0, NULL};
    const char *filter;

    if (ldap_bv2escaped_filter_value(&name, &escaped) != 0) {
        return NULL;
    }
    filter = apr_pstrcat(pool, settings->filter ? "(&" : "", settings->filter ? settings->filter : "", "(",
                         settings->attributes[0], "=", escaped.bv_val, settings->filter ? "))" : ")", NULL);
    if (escaped.bv_val != name.bv_val) {
        ber_memfree(escaped.bv_val);
    }
    return filter;
}

static void forget_entry(as_reply *reply)
{
    reply->entries = 0;
    reply->referral = false;
    reply->dn = NULL;
    reply->values = NULL;
    reply->membership = NULL;
}

static bool search(const as_task *task, as_session *session, const void *argument)
{
    const as_search *wanted = argument;
    as_reply *reply = task->reply;

    forget_entry(reply);
    if (wanted->referrals) {
        apr_array_clear(wanted->referrals);
    }
    if (!as_session_search(session, wanted, task->deadline, task->pool, reply)) {
        forget_entry(reply);
        return false;
    }
    /* The limit was two entries: with more, or with a smaller limit of the server's, one entry is not the only one. */
    if (reply->code == LDAP_SIZELIMIT_EXCEEDED && reply->entries == 1) {
        reply->entries = 2;
        reply->dn = NULL;
        reply->values = NULL;
        reply->membership = NULL;
    }
    return true;
}

/* Returns the attributes of the URL, and those of memberships. */
static const char *const *add_membership_attributes(const as_directory_settings *settings, apr_pool_t *pool)
{
    const char **all =
        apr_pcalloc(pool, ((size_t)settings->attribute_count + AS_MEMBERSHIP_ATTRIBUTES + 1) * sizeof(*all));

    memcpy(all, settings->attributes, (size_t)settings->attribute_count * sizeof(*all));
    memcpy(all + settings->attribute_count, as_membership_attributes, AS_MEMBERSHIP_ATTRIBUTES * sizeof(*all));
    return all;
}

static bool needs_membership(const as_task *task)
{
    const as_membership_wish wish = task->query->membership;

    return wish == AS_MEMBERSHIP_ALWAYS ||
           (wish == AS_MEMBERSHIP_ON_AD && as_facts_is_ad(task->peer->directory->facts));
}

static bool make_search(const as_task *task, as_search *search)
{
    const as_directory_settings *settings = task->settings;

    memset(search, 0, sizeof(*search));
    search->base = settings->base;
    search->scope = settings->scope;
    search->limit = 2; /* enough to detect several */
    search->filter = make_filter(settings, task->query->user, task->pool);
    search->attributes = settings->attributes;
    search->attribute_count = settings->attribute_count;
    if (needs_membership(task)) {
        search->with_membership = true;
        search->attributes = add_membership_attributes(settings, task->pool);
    }
    search->deref = settings->deref;
    if (settings->referrals == AS_REFERRALS_ON) {
        search->referrals = apr_array_make(task->pool, 4, sizeof(const char *));
    }
    if (!search->filter) {
        as_reply_fail(task->reply, AS_STEP_SEARCH, AS_FAILURE_LOCAL, "no memory");
    }
    return search->filter != NULL;
}

static bool has_found_one(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE && reply->code == LDAP_SUCCESS && reply->entries == 1 && reply->dn;
}

static bool has_found_none_or_many(const as_reply *reply)
{
    return reply->failure == AS_FAILURE_NONE && reply->entries != 1 &&
           (reply->code == LDAP_SUCCESS || reply->code == LDAP_SIZELIMIT_EXCEEDED);
}

typedef struct as_user_bind {
    const char *dn;
    const char *password;
    bool is_decoy; /* the decoy: a name that no user has, and a password that no user sent */
    bool accepted; /* the password was accepted under another name */
} as_user_bind;

/* Fails a bind before it is sent. One that was sent before, and lost, has failed already. */
static void fail_unsent(const as_task *task, as_failure failure, const char *reason)
{
    if (!as_reply_is_outage(task->reply)) {
        as_reply_fail(task->reply, AS_STEP_USER_BIND, failure, reason);
        task->reply->repeated = failure == AS_FAILURE_TIMEOUT;
    }
}

as_send as_bind_admit(const as_task *task, const as_session *session, const as_admitter *admitter, const char *dn,
                      bool accepted)
{
    as_bind_target target = {.index = task->server};

    if (admitter->admit && (admitter->is_foreign || task->elsewhere) &&
        !as_addresses_find_target(session, task->deadline, task->pool, &target)) {
        fail_unsent(task, AS_FAILURE_TIMEOUT, AS_REASON_NO_ADDRESSES);
        return AS_SEND_TOO_LATE;
    }
    /* What is not sent must not count. */
    if (task->deadline <= as_mono_read()) {
        fail_unsent(task, AS_FAILURE_TIMEOUT, "the deadline passed before the bind was sent");
        return AS_SEND_TOO_LATE;
    }
    if (admitter->admit && !admitter->admit(admitter->data, &target, dn, accepted)) {
        fail_unsent(task, AS_FAILURE_LOCAL, "the bind was not admitted");
        return AS_SEND_REFUSED;
    }
    return AS_SEND_ADMITTED;
}

static bool verify(const as_task *task, as_session *session, const void *argument)
{
    static const as_admitter everybody = {.admit = NULL};
    const as_user_bind *login = argument;
    const as_admitter *admitter = login->is_decoy ? &everybody : &task->query->admitter;

    bool answered = as_bind_admit(task, session, admitter, login->dn, login->accepted) == AS_SEND_ADMITTED &&
                    as_session_bind_user(session, login->dn, login->password, task->deadline, task->pool, task->reply);

    task->reply->bind_name = login->dn;
    return answered;
}

/* Binds as the entry that was found. */
static void verify_known(const as_task *task, const as_user_bind *login, as_session *found_on)
{
    if (found_on) {
        verify(task, found_on, login);
    } else {
        as_session_run_step(task, AS_KIND_VERIFY, verify, login);
    }
}

/* Makes the bind that a known user would cost, for a name that no user has and a password that no user sent. Its answer
 * is ignored except an outage: that would have been an outage for a known user too. */
static void verify_decoy(const as_task *task)
{
    const as_directory *directory = task->peer->directory;
    const char *decoy = directory->all->decoy, *base = task->settings->base;
    size_t length = strnlen(task->query->password, sizeof(directory->all->decoy) - 1);
    as_user_bind nobody = {.dn = apr_pstrcat(task->pool, "cn=", decoy, *base ? "," : NULL, base, NULL),
                           .password = apr_pstrmemdup(task->pool, decoy, length),
                           .is_decoy = true};
    as_reply searched = *task->reply;

    as_session_run_step(task, AS_KIND_VERIFY, verify, &nobody);
    if (!as_reply_is_outage(task->reply)) {
        *task->reply = searched;
    }
}

static void verify_found(as_task *task, as_session *found_on)
{
    as_user_bind login = {.dn = task->reply->dn, .password = task->query->password};

    task->elsewhere = task->elsewhere || found_on;
    verify_known(task, &login, found_on);
}

static bool has_referral(const as_reply *reply, const as_search *search)
{
    return search->referrals && search->referrals->nelts > 0 && reply->entries == 0 &&
           reply->failure == AS_FAILURE_NONE && (reply->code == LDAP_SUCCESS || reply->code == LDAP_REFERRAL);
}

/* Notes whose rights decided which groups the entry shows. */
static void note_viewer(const as_task *task, as_viewer viewer)
{
    as_reply *reply = task->reply;
    as_membership *membership;

    if (reply->membership) {
        membership = apr_pmemdup(task->pool, reply->membership, sizeof(*membership));
        membership->viewer = viewer;
        reply->membership = membership;
    }
}

static void search_as_service(as_task *task)
{
    const as_directory_settings *settings = task->settings;
    as_session *found_on = NULL;
    as_search wanted;

    if (!make_search(task, &wanted)) {
        return;
    }
    as_session_run_step(task, AS_KIND_SEARCH, search, &wanted);
    if (has_referral(task->reply, &wanted)) {
        found_on = as_referrals_follow(task, &wanted);
    }
    if (task->query->password && has_found_one(task->reply)) {
        verify_found(task, found_on);
    } else if (task->query->password && settings->uniform_timing && has_found_none_or_many(task->reply)) {
        verify_decoy(task);
    }
    note_viewer(task, found_on ? AS_VIEWER_ELSEWHERE : AS_VIEWER_SERVICE);
    if (found_on) {
        as_session_close(found_on);
        task->reply->referral = true; /* The entry is not this server's. */
    }
}

/* Returns whether the answer to a bind restricts the account to a change of its password. */
static bool is_restricted(const as_reply *bound)
{
    as_ppolicy policy = as_ppolicy_read(bound->controls, bound->control_count);

    return policy.contradictory || policy.netscape_expired || policy.error != AS_PPOLICY_NO_ERROR;
}

static bool is_search_refused(const as_reply *searched)
{
    return searched->code == LDAP_INSUFFICIENT_ACCESS || searched->code == LDAP_UNWILLING_TO_PERFORM;
}

/* Returns what the bind was answered, about the entry that was found. */
static as_reply join_bind_and_search(const as_reply *bound, const as_reply *searched)
{
    as_reply reply = *bound;

    reply.entries = searched->entries;
    reply.referral = searched->referral;
    reply.dn = searched->dn;
    reply.values = searched->values;
    reply.membership = searched->membership;
    return reply;
}

/* Returns whether a typed name is a DN that does not lie below the base: it may lead to another database, or by a proxy
 * to another server. */
static bool is_foreign_name(const char *name, const char *base)
{
    char plain[AS_DN_MAX], normal[AS_DN_MAX], normal_base[AS_DN_MAX];

    return as_dn_normalize(base, strlen(base), normal_base, NULL) && as_dn_read_dialect(name, strlen(name), plain) &&
           as_dn_normalize(plain, strlen(plain), normal, NULL) && !as_dn_is_within(normal, normal_base);
}

/* Binds under the name that the user typed. */
static bool verify_typed(const as_task *task, as_session *session, const as_user_bind *user)
{
    as_reply *reply = task->reply;
    const bool answered = verify(task, session, user);

    if (reply->step == AS_STEP_USER_BIND && (!answered || reply->code != LDAP_SUCCESS)) {
        reply->typed_name = answered;
        reply->foreign_name = is_foreign_name(user->dn, task->settings->base);
    }
    return answered;
}

/* AuthLDAPInitialBindAsUser: the user's own account searches. Only the user bound last may search on a session. The
 * entry found may differ from the name that was bound, so it is bound too; not so where it has that very name, as a
 * second bind would use up another grace login. */
static bool bind_search_bind(const as_task *task, as_session *session, const void *argument)
{
    const as_query *query = task->query;
    as_user_bind user = {.dn = query->initial_bind, .password = query->password}, entry;
    as_reply bound;

    forget_entry(task->reply);
    task->reply->accepted = false;
    if (!verify_typed(task, session, &user)) {
        return false;
    }
    if (task->reply->code != LDAP_SUCCESS) {
        return true;
    }
    task->reply->accepted = true;
    bound = *task->reply;
    if (!search(task, session, argument)) {
        return false;
    }
    if (has_found_one(task->reply)) {
        if (!strcmp(task->reply->dn, query->initial_bind)) {
            *task->reply = join_bind_and_search(&bound, task->reply);
            return true;
        }
        entry = (as_user_bind){.dn = task->reply->dn, .password = query->password, .accepted = true};
        return verify(task, session, &entry);
    }
    /* draft-behera-ldap-password-policy-11 8.1: the bind has the reason, the search only the refusal. */
    if (is_search_refused(task->reply) && is_restricted(&bound)) {
        *task->reply = bound;
    }
    return true;
}

void as_search_bind_query(as_task *task)
{
    const as_query *query = task->query;
    as_user_bind known = {.dn = query->known_dn, .password = query->password};
    as_search wanted;

    if (known.dn && known.password && !*known.dn) {
        /* As a search that found nothing. */
        as_reply_fail(task->reply, AS_STEP_SEARCH, AS_FAILURE_NONE, NULL);
        verify_decoy(task);
    } else if (known.dn && known.password) {
        verify_known(task, &known, NULL);
    } else if (!query->initial_bind || !query->password) {
        search_as_service(task);
    } else if (make_search(task, &wanted)) {
        wanted.referrals = NULL;
        as_session_run_step(task, AS_KIND_VERIFY, bind_search_bind, &wanted);
        note_viewer(task, AS_VIEWER_OWNER);
    }
}

void as_search_bind_probe(as_task *task)
{
    static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
    const as_search base = {.base = task->settings->base,
                            .scope = LDAP_SCOPE_BASE,
                            .filter = "(objectClass=*)",
                            .attributes = nothing,
                            .limit = 1,
                            .deref = task->settings->deref};

    as_session_run_step(task, AS_KIND_SEARCH, search, &base);
    forget_entry(task->reply); /* not this user's entry */
}
