/* SPDX-License-Identifier: Apache-2.0
 *
 * From a user and a password to an answer: what this exchange knows already, what is remembered, what another request
 * asks at this moment, whether it is throttled, and then the directory.
 */
#include "private.h"

#include <ap_mpm.h>
#include <apr_strings.h>

#include "authstatus/ppolicy.h"

/* Of this process; made before its threads start, read-only from then on. */
static as_directories *directories;

apr_pool_t *as_pool_for_life(apr_pool_t *pool)
{
    apr_pool_t *apart;
    int threaded = 1;

    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && !threaded &&
                   apr_pool_create_unmanaged(&apart) == APR_SUCCESS
               ? apart
               : pool;
}

bool as_inquiry_child_init(apr_pool_t *pool, server_rec *s)
{
    as_directory_limits limits;
    int threads = 1;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS || threads < 1) {
        threads = 1;
    }
    limits = as_server_limits(as_server_of(s), threads);
    directories = as_directories_create(as_pool_for_life(pool), &limits);
    return directories != NULL;
}

/* One deadline for everything that an exchange asks, from its first question on. */
static apr_time_t deadline_of(as_exchange *exchange, const as_section *section)
{
    if (!exchange->deadline) {
        exchange->deadline = apr_time_now() + as_section_deadline(section);
    }
    return exchange->deadline;
}

/* ---- this exchange ---- */

static apr_status_t wipe_password(void *data)
{
    volatile char *octet = ((as_asked *)data)->password;

    while (*octet) {
        *octet++ = '\0';
    }
    return APR_SUCCESS;
}

static const as_answer *asked_before(const as_exchange *exchange, const as_subject *subject)
{
    const as_asked *asked;

    for (asked = exchange->asked; asked; asked = asked->next) {
        if (!strcmp(asked->directory, subject->directory) && !strcmp(asked->user, subject->user) &&
            !strcmp(asked->password, subject->password)) {
            return asked->answer;
        }
    }
    return NULL;
}

static void note_asked(as_exchange *exchange, const as_subject *subject, const as_answer *answer)
{
    as_asked *asked = apr_palloc(exchange->pool, sizeof(*asked));

    asked->next = exchange->asked;
    asked->directory = apr_pstrdup(exchange->pool, subject->directory);
    asked->user = apr_pstrdup(exchange->pool, subject->user);
    asked->password = apr_pstrdup(exchange->pool, subject->password);
    asked->answer = answer;
    apr_pool_cleanup_register(exchange->pool, asked, wipe_password, apr_pool_cleanup_null);
    exchange->asked = asked;
}

/* ---- the directory ---- */

/* Everything that one question needs. */
typedef struct as_inquiry {
    request_rec *r;
    apr_pool_t *pool; /* the exchange's: an answer may be needed after a subrequest has gone */
    const as_section *section;
    const as_directory_settings *settings;
    const char *directory; /* as_directory_name */
    as_subject subject;
    const char *initial_bind;
    apr_time_t deadline;
    as_memory *memory; /* NULL: nothing is remembered */
    as_answer *answer; /* from the exchange's pool */
} as_inquiry;

static void fill_from_reply(as_answer *answer, const as_reply *reply)
{
    answer->finding = as_outcome_find(reply);
    answer->dn = reply->dn;
    answer->values = reply->values;
    answer->server = reply->server;
    /* Why there was no answer; or the directory's own words. */
    answer->reason = reply->failure == AS_FAILURE_NONE ? reply->diagnostic : reply->reason;
    answer->wait = reply->retry_after;
}

static void ask(const as_inquiry *inquiry, const char *password, const char *known_dn, as_reply *reply)
{
    const as_question question = {.settings = inquiry->settings,
                                  .name = inquiry->directory,
                                  .user = inquiry->subject.user,
                                  .password = password,
                                  .initial_bind = inquiry->initial_bind,
                                  .known_dn = known_dn,
                                  .deadline = inquiry->deadline,
                                  .entered = true};

    as_directory_ask(directories, &question, inquiry->pool, reply);
    as_servers_write(directories, inquiry->directory);
}

/* May the search be left out for an entry that was found before? Not where the search itself says who may enter (a
 * filter), nor where it brings what the application relies on. */
static bool may_know_entry(const as_inquiry *inquiry)
{
    const as_directory_settings *settings = inquiry->settings;

    return inquiry->memory && !inquiry->initial_bind && settings->attribute_count == 1 &&
           (!settings->filter || !strcmp(settings->filter, "(objectClass=*)"));
}

/* Is it the entry's own name that the user logs in with ("uid=bob,..." for bob)? Then it cannot become another entry's
 * while this one has that DN. Only what needs no escaping in a DN. */
static bool is_named_after(const char *dn, const char *attribute, const char *user)
{
    const size_t attribute_length = strlen(attribute), user_length = strlen(user);

    return strspn(user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@") == user_length &&
           !ap_cstr_casecmpn(dn, attribute, attribute_length) && dn[attribute_length] == '=' &&
           !ap_cstr_casecmpn(dn + attribute_length + 1, user, user_length) &&
           dn[attribute_length + 1 + user_length] == ',';
}

/* Does a refusal prove that the entry is still there, and still the user's? A directory with a password policy speaks
 * of it for entries only (draft-behera-ldap-password-policy-11 9.1), and the name is in the DN. Where an unknown user
 * is to cost as much as a known one, the search is made all the same. */
static bool refusal_proves_entry(const as_inquiry *inquiry, const as_reply *reply)
{
    const as_directory_settings *settings = inquiry->settings;
    as_ppolicy policy;

    if (settings->uniform_timing) {
        return false;
    }
    policy = as_ppolicy_read(reply->controls, reply->control_count);
    return policy.present && !policy.contradictory &&
           is_named_after(reply->dn, settings->attributes[0], inquiry->subject.user);
}

/* A bind at the place where the entry was found before, and what is learnt from a search if that fails: the entry may
 * have moved. False: it is to be asked as if nothing had been known. */
static bool ask_known_entry(const as_inquiry *inquiry, as_reply *reply)
{
    as_remembered entry;
    as_reply search;

    if (!as_memory_entry(inquiry->memory, &inquiry->subject, apr_time_now(), inquiry->pool, &entry)) {
        return false;
    }
    ask(inquiry, inquiry->subject.password, entry.dn, reply);
    reply->dn = entry.dn;
    reply->values = entry.values;
    reply->entries = 1;
    if (reply->failure != AS_FAILURE_NONE || reply->code == 0 || refusal_proves_entry(inquiry, reply)) {
        return true;
    }
    ask(inquiry, NULL, NULL, &search);
    if (search.failure == AS_FAILURE_NONE && search.entries == 1 && search.dn && !strcmp(search.dn, entry.dn)) {
        return true;
    }
    as_memory_forget_entry(inquiry->memory, &inquiry->subject);
    return false;
}

static void keep_entry(const as_inquiry *inquiry, const as_reply *reply)
{
    const as_subject *subject = &inquiry->subject;
    as_remembered entry = {.dn = reply->dn, .values = reply->values, .value_count = inquiry->settings->attribute_count};

    if (reply->failure == AS_FAILURE_NONE && reply->step == AS_STEP_USER_BIND && reply->entries == 1 && reply->dn &&
        reply->values) {
        as_memory_keep_entry(inquiry->memory, subject, &entry,
                             is_named_after(reply->dn, inquiry->settings->attributes[0], subject->user),
                             apr_time_now());
    }
}

static void ask_directory(const as_inquiry *inquiry)
{
    const bool may_know = may_know_entry(inquiry);
    as_reply reply;

    if (!may_know || !ask_known_entry(inquiry, &reply)) {
        ask(inquiry, inquiry->subject.password, NULL, &reply);
        if (may_know) {
            keep_entry(inquiry, &reply);
        }
    }
    fill_from_reply(inquiry->answer, &reply);
}

/* ---- what is remembered ---- */

static void fill_from_memory(const as_inquiry *inquiry, const as_remembered *remembered, bool joined)
{
    as_answer *answer = inquiry->answer;

    answer->finding = remembered->finding;
    answer->dn = remembered->dn;
    answer->values = remembered->value_count == inquiry->settings->attribute_count ? remembered->values : NULL;
    answer->server = NULL;
    answer->reason = joined ? "as told to another request at the same moment" : "";
    answer->remembered = !joined;
    answer->wait = remembered->retry_after;
}

typedef bool as_recall(as_memory *memory, const as_subject *subject, apr_time_t now, apr_pool_t *pool,
                       as_remembered *answer);

static bool recall(const as_inquiry *inquiry, as_recall *from_memory)
{
    as_remembered remembered;

    if (!from_memory(inquiry->memory, &inquiry->subject, apr_time_now(), inquiry->pool, &remembered)) {
        return false;
    }
    fill_from_memory(inquiry, &remembered, false);
    return true;
}

static as_remembered to_remember(const as_inquiry *inquiry)
{
    const as_answer *answer = inquiry->answer;
    as_remembered remembered = {.finding = answer->finding,
                                .dn = answer->dn ? answer->dn : "",
                                .values = answer->values,
                                .value_count = answer->values ? inquiry->settings->attribute_count : 0,
                                .retry_after = answer->wait};

    return remembered;
}

static void find(const as_inquiry *inquiry, as_outcome outcome, long wait)
{
    as_answer *answer = inquiry->answer;

    memset(answer, 0, sizeof(*answer));
    answer->finding = as_finding_of(outcome);
    answer->reason = "";
    answer->wait = wait;
}

/* The directory, unless it must not be asked. */
static void ask_unless_throttled(const as_inquiry *inquiry)
{
    const as_throttle *throttle = inquiry->section->throttle;
    const char *client = inquiry->r->useragent_ip;
    apr_time_t stamp = 0;
    long wait;

    if (!throttle || !throttle->failures) {
        ask_directory(inquiry);
        return;
    }
    wait =
        as_throttle_admit(inquiry->memory, throttle, &inquiry->subject, client, apr_time_now(), inquiry->pool, &stamp);
    if (wait > 0) {
        find(inquiry, AS_OUTCOME_THROTTLED, wait);
        return;
    }
    ask_directory(inquiry);
    as_throttle_settle(inquiry->memory, throttle, &inquiry->subject, client, stamp, &inquiry->answer->finding,
                       apr_time_now(), inquiry->pool);
}

/* As the one who asks for all that ask the same at this moment. */
static void lead(const as_inquiry *inquiry, as_flight *flight)
{
    as_remembered remembered;

    /* The one before may have ended between our look at the memory and now. */
    if (!recall(inquiry, as_memory_recall_again)) {
        ask_unless_throttled(inquiry);
        remembered = to_remember(inquiry);
        as_memory_keep(inquiry->memory, &inquiry->subject, &remembered, apr_time_now(), inquiry->pool);
    }
    remembered = to_remember(inquiry);
    as_memory_end(flight, &remembered);
}

static void ask_with_others(const as_inquiry *inquiry)
{
    as_remembered remembered;
    as_flight *flight;
    bool leads;

    for (;;) {
        flight = as_memory_begin(inquiry->memory, &inquiry->subject, inquiry->deadline, inquiry->pool, &leads);
        if (leads) {
            lead(inquiry, flight);
            return;
        }
        switch (as_memory_wait(flight, inquiry->pool, &remembered)) {
        case AS_WAITED_ANSWER:
            fill_from_memory(inquiry, &remembered, true);
            return;
        case AS_WAITED_DEADLINE:
            find(inquiry, AS_OUTCOME_DIRECTORY_TIMEOUT, 0);
            return;
        case AS_WAITED_NOTHING:
            if (recall(inquiry, as_memory_recall_again)) {
                return;
            }
            break;
        }
    }
}

/* An outage that comes and goes is two lines, not one a request. */
static void log_store(const as_inquiry *inquiry)
{
    bool changed = false, away = as_memory_store_is_away(inquiry->memory, &changed);

    if (changed && away) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, inquiry->r,
                      "AS0084: the store of AuthStatusCache does not answer; logins go to the directory");
    } else if (changed) {
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, inquiry->r, "AS0085: the store of AuthStatusCache answers again");
    }
}

/* Everybody who waits, for the directory or for one who asks it, has a place inside AuthStatusInFlight. */
static void ask_from_inside(const as_inquiry *inquiry)
{
    as_reply reply;

    if (!as_directories_enter(directories, inquiry->settings, inquiry->directory, inquiry->deadline, inquiry->pool,
                              &reply)) {
        fill_from_reply(inquiry->answer, &reply);
        return;
    }
    if (inquiry->memory) {
        ask_with_others(inquiry);
    } else {
        ask_directory(inquiry);
    }
    as_directories_leave(directories);
}

/* ---- the way in ---- */

/* A directory that the user asks himself says what it says to that name: under another it may be another entry, or
 * none. */
static const char *asked_as(const as_inquiry *inquiry)
{
    return inquiry->initial_bind && inquiry->directory
               ? apr_pstrcat(inquiry->pool, inquiry->directory, " as ", inquiry->initial_bind, NULL)
               : inquiry->directory;
}

const as_answer *as_inquire(request_rec *r, as_exchange *exchange, const as_named *directory, const char *initial_bind,
                            const char *user, const char *password)
{
    const as_section *section = as_section_of(r);
    as_inquiry inquiry = {.r = r,
                          .pool = exchange->pool,
                          .section = section,
                          .settings = directory->settings,
                          .initial_bind = initial_bind};
    const as_answer *before;

    if (!directories) {
        return NULL;
    }
    inquiry.memory = as_store_memory();
    inquiry.subject.scope = directory->scope;
    inquiry.directory = directory->name;
    inquiry.subject.directory = asked_as(&inquiry);
    inquiry.subject.user = user;
    inquiry.subject.password = password;
    before = asked_before(exchange, &inquiry.subject);
    if (before) {
        return before;
    }
    as_memory_prepare(&inquiry.subject, exchange->pool);
    inquiry.answer = apr_pcalloc(exchange->pool, sizeof(*inquiry.answer));
    if (!inquiry.memory || !recall(&inquiry, as_memory_recall)) {
        inquiry.deadline = deadline_of(exchange, section);
        ask_from_inside(&inquiry);
    }
    if (inquiry.memory) {
        log_store(&inquiry);
    }
    inquiry.answer->directory = inquiry.directory;
    as_report_answered(r, inquiry.answer);
    note_asked(exchange, &inquiry.subject, inquiry.answer);
    return inquiry.answer;
}

bool as_inquire_whether_away(request_rec *r, as_exchange *exchange, const as_named *directory, as_answer *answer)
{
    as_reply reply;

    if (!directories) {
        return false;
    }
    as_directory_probe(directories, directory->settings, directory->name, deadline_of(exchange, as_section_of(r)),
                       r->pool, &reply);
    as_servers_write(directories, directory->name);
    fill_from_reply(answer, &reply);
    answer->directory = directory->name;
    as_report_answered(r, answer);
    return as_outcome_describe(answer->finding.outcome)->of == AS_CLASS_UNAVAILABLE;
}
