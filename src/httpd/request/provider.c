/* SPDX-License-Identifier: Apache-2.0
 *
 * The authentication provider `authstatus`: queries the directory and leaves its finding in the request's context for
 * the hooks of hooks.c. mod_auth_basic and mod_auth_form call it; in httpd 2.4 a provider can only return granted,
 * denied, not found and error.
 */
#include "request.h"

#include "../mask/mask.h"
#include "../runtime/runtime.h"

#include <openssl/crypto.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

#include "authstatus/credentials.h"

#include "core/text.h"

/* ---- the query ---- */

/* AuthLDAPInitialBindPattern: returns the name under which the user's bind for the search is made. */
static const char *make_initial_bind_name(request_rec *r, const as_section *section, const char *user)
{
    const as_credentials credentials = as_section_get_credentials(section, as_server_get(r->server), r);
    ap_regmatch_t match[AP_MAX_REG_MATCH];
    const char *name = user;

    if (!as_flag_value_initial_bind_as_user(credentials.initial_bind_as_user)) {
        return NULL;
    }
    if (credentials.initial_bind_regex && credentials.initial_bind_name &&
        !ap_regexec(credentials.initial_bind_regex, user, AP_MAX_REG_MATCH, match, 0)) {
        const char *substituted = ap_pregsub(r->pool, credentials.initial_bind_name, user, AP_MAX_REG_MATCH, match);
        name = substituted ? substituted : user;
    }
    apr_table_set(r->subprocess_env, "LDAP_BINDASUSER", name);
    return name;
}

/* ---- reports of the login ---- */

static void publish_stats(void *data, const as_login *login, const as_directory_settings *settings)
{
    (void)data;
    as_server_stats_write(login->directories, settings);
}

/* Logs a change of the store once, not for each request. */
static void log_store(void *data, as_store_state state)
{
    const request_rec *r = data;

    switch (state) {
    case AS_STORE_DOWN:
        AS_LOG_REQUEST(0084, 0, r);
        break;
    case AS_STORE_SLOW:
        AS_LOG_REQUEST(0310, 0, r);
        break;
    case AS_STORE_UP:
        AS_LOG_REQUEST(0085, 0, r);
        break;
    }
}

static void log_answer(void *data, const as_answer *answer)
{
    as_log_answered(data, answer);
}

as_login_observer as_observer_make(request_rec *r)
{
    const as_login_observer observer = {
        .data = r, .queried = publish_stats, .store_changed = log_store, .answered = log_answer};

    return observer;
}

/* ---- after a grant ---- */

static void find_without_directory(as_context *context, as_outcome outcome, const char *reason)
{
    context->finding = as_finding_make(outcome);
    context->answer = NULL;
    context->reason = reason;
}

/* Returns whether a name can be a user's: one that is typed has no control characters either. */
static bool is_name(const char *name)
{
    const char *at = name;

    while (*at && !as_text_is_control(*at)) {
        at++;
    }
    return !*at;
}

/* Sets REMOTE_USER as the directory spells it. Without such a name in the entry there is a finding: the typed name
 * would then stand for another identity than the configured one. */
static void replace_user(request_rec *r, as_context *context, const as_section *section,
                         const as_directory_settings *settings, const as_answer *answer)
{
    const char *replacement = NULL;
    int i;

    if (section->remote_user_attribute) {
        for (i = 0; answer->values && i < settings->attribute_count && !replacement; i++) {
            if (!ap_cstr_casecmp(settings->attributes[i], section->remote_user_attribute)) {
                replacement = as_get_first_value(answer->values[i]);
            }
        }
    } else if (as_flag_remote_user_is_dn(section)) {
        replacement = answer->dn;
    } else {
        return;
    }
    if (!replacement || !*replacement) {
        find_without_directory(context, AS_OUTCOME_DIRECTORY_MISCONFIGURED,
                               "the entry does not have what AuthLDAPRemoteUserAttribute names");
        return;
    }
    if (!is_name(replacement)) {
        find_without_directory(context, AS_OUTCOME_UNKNOWN_RESULT,
                               "what AuthLDAPRemoteUserAttribute names has a control character in this entry");
        return;
    }
    context->login = apr_pstrdup(r->pool, r->user ? r->user : "");
    r->user = apr_pstrdup(r->pool, replacement);
}

/* ---- the provider ---- */

/* Checks the octets that were sent, where they are known: mod_auth_basic ends its decoded copy at the first NUL. */
static as_outcome check_credentials(request_rec *r, const char *user, const char *password)
{
    const char *header = as_authorization_get_header(r), *type = ap_auth_type(r), *sent_user, *sent_password;
    as_outcome outcome = AS_OUTCOME_NO_CREDENTIALS;

    if (header && type && !ap_cstr_casecmp(type, "Basic")) {
        const apr_size_t size = strlen(header) + 1;
        char *buffer = apr_palloc(r->pool, size);

        outcome = as_credentials_read(header, buffer, size, &sent_user, &sent_password);
        OPENSSL_cleanse(buffer, size);
    }
    return outcome == AS_OUTCOME_MALFORMED_CREDENTIALS ? outcome : as_credentials_check(user, password);
}

static void find(request_rec *r, as_context *context, const as_section *section, const char *user, const char *password)
{
    const as_login_directory *directory = as_intern_directory(r, section);
    const as_login *login = as_process_get_login();
    const as_login_observer observer = as_observer_make(r);
    as_login_attempt attempt = {.user = user,
                                .password = password,
                                .membership = as_section_get_membership(section),
                                .client = r->useragent_ip,
                                .throttle = section->throttle,
                                .deadline = as_section_get_deadline(section)};
    as_outcome outcome = check_credentials(r, user, password);
    const as_answer *answer;

    context->found = true;
    context->final = false;
    /* Of other credentials, if they were sent before. */
    context->by_header = false;
    context->header_login = NULL;
    as_mask_note_credentials(r, context, user, password);
    memset(&context->entry, 0, sizeof(context->entry));
    context->entry.directory = directory;
    if (outcome != AS_OUTCOME_GRANTED) {
        find_without_directory(context, outcome, NULL);
        return;
    }
    if (!directory) {
        find_without_directory(context, AS_OUTCOME_DIRECTORY_MISCONFIGURED, "there is no AuthLDAPURL here");
        return;
    }
    if (!login) {
        find_without_directory(context, AS_OUTCOME_UNKNOWN_RESULT, "no memory was left when the process started");
        return;
    }
    attempt.directory = directory;
    attempt.initial_bind = make_initial_bind_name(r, section, user);
    /* A login whose search used the user's own bind is made each time: found by its header it could be another
     * user's. */
    context->directory = directory->stays && !attempt.initial_bind ? directory : NULL;
    answer = as_authenticate(login, &context->transaction->memo, &attempt, &observer);
    context->answer = answer;
    context->finding = answer->finding;
    context->reason = NULL;
    if (as_outcome_describe(context->finding.outcome)->of != AS_CLASS_GRANTED) {
        return;
    }
    as_publish_attributes(r, AUTHN_PREFIX, directory->settings, answer->values);
    replace_user(r, context, section, directory->settings, answer);
}

/* Returns the result for httpd where AuthStatus is On. A refusal that mod_auth_basic would log as a wrong password,
 * which a ban might follow, is an error for it; hooks.c keeps it a refusal. */
static authn_status choose_result_when_on(as_context *context, const as_section *section)
{
    const as_outcome outcome = context->finding.outcome;

    switch (as_outcome_describe(outcome)->of) {
    case AS_CLASS_GRANTED:
        return AUTH_GRANTED;
    case AS_CLASS_UNAUTHENTICATED:
        if (outcome == AS_OUTCOME_UNKNOWN_USER || !as_flag_bind_authoritative(section)) {
            return AUTH_USER_NOT_FOUND;
        }
        return AUTH_DENIED;
    case AS_CLASS_REFUSED:
        if (!as_flag_bind_authoritative(section)) {
            return AUTH_USER_NOT_FOUND;
        }
        context->final = true;
        return AUTH_GENERAL_ERROR;
    case AS_CLASS_THROTTLED:
        context->final = true;
        return AUTH_GENERAL_ERROR;
    case AS_CLASS_FORBIDDEN:
    case AS_CLASS_UNAVAILABLE:
    case AS_CLASS_MISCONFIGURED:
    case AS_CLASS_COUNT:
        break;
    }
    return AUTH_GENERAL_ERROR;
}

/* Returns the result where it is Off: as mod_authnz_ldap answers, which admits a user whose password must be
 * changed. An outage and a refused service account stay errors. */
static authn_status choose_result_when_off(request_rec *r, as_context *context, const as_section *section,
                                           bool is_logged)
{
    const as_outcome outcome = context->finding.outcome;
    const as_verdict none = {.status = 0, .shown = outcome, .retry_after = -1};

    if (!is_logged) {
        as_log_outcome(r, context, &context->finding, &none);
    }
    switch (as_outcome_describe(outcome)->of) {
    case AS_CLASS_GRANTED:
        return AUTH_GRANTED;
    case AS_CLASS_UNAUTHENTICATED:
    case AS_CLASS_REFUSED:
        if (outcome == AS_OUTCOME_PASSWORD_MUST_CHANGE && context->finding.code == 0) {
            return AUTH_GRANTED;
        }
        if (outcome == AS_OUTCOME_UNKNOWN_USER || outcome == AS_OUTCOME_AMBIGUOUS_USER ||
            !as_flag_bind_authoritative(section)) {
            return AUTH_USER_NOT_FOUND;
        }
        return AUTH_DENIED;
    case AS_CLASS_FORBIDDEN:
    case AS_CLASS_THROTTLED:
    case AS_CLASS_UNAVAILABLE:
    case AS_CLASS_MISCONFIGURED:
    case AS_CLASS_COUNT:
        break;
    }
    return AUTH_GENERAL_ERROR;
}

/* Returns whether a module's directives may choose who grants logins: those of authorization choose among the users,
 * those of the core (<Limit>) choose nobody. */
static bool may_choose(const module *one)
{
    const command_rec *command = one->cmds;

    while (command && command->name && !(command->req_override & OR_AUTHCFG)) {
        command++;
    }
    return command && command->name && one != &core_module && strncmp(one->name, "mod_authz_", strlen("mod_authz_")) &&
           strcmp(one->name, "mod_access_compat.c");
}

/* Returns whether a .htaccess file has directives that may choose who grants logins: a password file, a provider. A
 * section in it may have any. */
static bool has_choice(const ap_conf_vector_t *file)
{
    const core_dir_config *core = ap_get_core_module_config(file);
    module *one = ap_top_module;

    while (one && !(may_choose(one) && ap_get_module_config(file, one))) {
        one = one->next;
    }
    return one || (core && (core->sec_file || core->sec_if));
}

/* Returns whether a .htaccess file may have chosen who grants logins here. */
static bool may_be_chosen_by_htaccess(const request_rec *r)
{
    const struct htaccess_result *read = r->htaccess;

    while (read && !(read->htaccess && has_choice(read->htaccess))) {
        read = read->next;
    }
    return read != NULL;
}

void as_provider_settle(request_rec *r, as_context *context, bool granted)
{
    const as_login *login = as_process_get_login();
    const as_class of = as_outcome_describe(context->finding.outcome)->of;
    as_login_end end = AS_LOGIN_UNKNOWN;

    if (!login) {
        return;
    }
    if (granted || (context->found && of == AS_CLASS_GRANTED)) {
        end = may_be_chosen_by_htaccess(r) ? AS_LOGIN_GRANTED_ELSEWHERE : AS_LOGIN_GRANTED;
    } else if (context->found && (of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED)) {
        end = AS_LOGIN_REFUSED;
    }
    as_login_settle(login, &context->transaction->memo, as_section_get(r)->throttle, r->useragent_ip, end);
}

void as_provider_delay(const request_rec *r, as_context *context, bool granted)
{
    const as_login *login = as_process_get_login();
    const as_section *section = as_section_get(r);

    if (login) {
        as_login_delay(login, &context->transaction->memo,
                       section->fleeting || section->of_request == 1 ? NULL : section, granted);
    }
}

/* Keeps the entry for Require ldap-*: of the login that was made, and of no other with the same name. */
static void keep_entry(request_rec *r, as_context *context, const char *user, const char *password)
{
    const as_answer *answer = context->answer;
    as_entry *entry = &context->entry;

    entry->dn = answer->dn;
    entry->values = answer->values;
    entry->membership = answer->membership;
    entry->user = apr_pstrdup(r->pool, user);
    entry->password = password;
}

static as_login_end get_end(as_class of)
{
    if (of == AS_CLASS_GRANTED) {
        return AS_LOGIN_GRANTED;
    }
    return of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED ? AS_LOGIN_REFUSED : AS_LOGIN_UNKNOWN;
}

const as_answer *as_provider_complete(request_rec *r, as_context *context)
{
    const char *header = as_authorization_get_header(r), *user, *password;
    const as_section *section = as_section_get(r);
    const as_login_observer observer = as_observer_make(r);
    as_login_attempt attempt = {.membership = as_section_get_membership(section),
                                .client = r->useragent_ip,
                                .throttle = section->throttle,
                                .deadline = as_section_get_deadline(section)};
    as_login_memo *memo = &context->transaction->memo;
    const as_answer *answer = NULL;
    apr_size_t size;
    char *buffer;
    as_class of;

    if (!context->by_header || !header) {
        return NULL;
    }
    size = strlen(header) + 1;
    buffer = apr_palloc(r->pool, size);
    if (as_credentials_read(header, buffer, size, &user, &password) == AS_OUTCOME_GRANTED) {
        attempt.directory = context->entry.directory = context->directory;
        attempt.user = user;
        attempt.password = password;
        answer = as_authenticate(as_process_get_login(), memo, &attempt, &observer);
        of = as_outcome_describe(answer->finding.outcome)->of;
        as_login_settle(as_process_get_login(), memo, section->throttle, r->useragent_ip, get_end(of));
        /* The login that granted this request has been answered: this one is not delayed. */
        as_login_begin(memo);
        if (of == AS_CLASS_GRANTED && answer->dn && answer->dn[0]) {
            context->by_header = false;
            context->answer = answer;
            keep_entry(r, context, user, NULL);
            answer = NULL;
        }
    }
    OPENSSL_cleanse(buffer, size);
    return answer;
}

static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    const as_section *section = as_section_get(r);
    as_context *context = as_context_get(r);
    /* httpd runs the chain once more where all of it declined (AuthBasicAuthoritative Off). */
    const as_answer *before = context->answer;
    authn_status status;

    find(r, context, section, user ? user : "", password ? password : "");
    status = as_section_is_on(section)
                 ? choose_result_when_on(context, section)
                 : choose_result_when_off(r, context, section, before && before == context->answer);
    if (status == AUTH_GRANTED && context->answer && context->answer->dn && context->answer->dn[0]) {
        keep_entry(r, context, user, password);
    }
    if (!(context->running & (AS_PHASE_AUTHN | AS_PHASE_HANDLER))) {
        /* No hook of ours sees the end of the chain. */
        as_provider_settle(r, context, status == AUTH_GRANTED);
        as_provider_delay(r, context, status == AUTH_GRANTED);
    }
    return status;
}

/* No get_realm_hash: a directory does not reveal passwords, so there is no Digest. */
const authn_provider as_provider = {&check_password, NULL};
