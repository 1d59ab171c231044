/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of directives, and the setters of those about outcomes. A wrong word stops the start-up with a sentence
 * that names the directive and the words allowed.
 */
#include "arguments.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

static const as_word_slot disclose_slot = {
    offsetof(as_section, disclose),
    {{"Proven", AS_DISCLOSE_PROVEN}, {"Always", AS_DISCLOSE_ALWAYS}, {"Never", AS_DISCLOSE_NEVER}, {NULL, 0}}};

static const as_word mask_words[] = {
    {"Off", AS_MASK_OFF}, {"Forbidden", AS_MASK_FORBIDDEN}, {"All", AS_MASK_ALL}, {NULL, 0}};

static const as_word dialog_words[] = {{"Dialog", AS_CHALLENGE_DIALOG}, {"Quiet", AS_CHALLENGE_QUIET}, {NULL, 0}};

static const char *set_deadline(cmd_parms *cmd, void *section, const char *text)
{
    return as_argument_time(cmd, text, apr_time_from_msec(10), &((as_section *)section)->deadline);
}

static const char *set_retry_after(cmd_parms *cmd, void *section, const char *text)
{
    return as_argument_time(cmd, text, apr_time_from_sec(1), &((as_section *)section)->retry_after);
}

static const char *set_in_flight(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server;
    const char *error = as_argument_main_server(cmd, &server);

    (void)section;
    return error ? error : as_argument_number(cmd, text, 1, 1000000, &server->in_flight);
}

static const char *set_breaker(cmd_parms *cmd, void *section, const char *failures, const char *interval)
{
    as_server *server;
    const char *error = as_argument_main_server(cmd, &server);

    (void)section;
    if (!error) {
        error = as_argument_number(cmd, failures, 1, 1000000, &server->breaker_failures);
    }
    return error ? error : as_argument_time(cmd, interval, apr_time_from_msec(10), &server->breaker_time);
}

static const char *set_map(cmd_parms *cmd, void *into, const char *name, const char *status_word)
{
    as_section *section = into;
    as_outcome outcome = AS_OUTCOME_UNKNOWN_RESULT;
    as_class class_id = AS_CLASS_MISCONFIGURED;
    bool is_class;
    const char *error = as_argument_outcome(cmd, name, &outcome, &class_id, &is_class);
    int status;

    if (error) {
        return error;
    }
    if ((is_class ? class_id : as_outcome_describe(outcome)->of) == AS_CLASS_GRANTED) {
        return apr_psprintf(cmd->temp_pool, "%s: \"%s\" is a success and cannot be mapped", cmd->cmd->name, name);
    }
    status = atoi(status_word);
    if (strlen(status_word) != 3 || !as_verdict_takes_status(status)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: \"%s\" is not a status that it takes; use 401, 403, 404, 410, 429, 451, 500, 502 or "
                            "503",
                            cmd->cmd->name, status_word);
    }
    section->maps = 1;
    if (is_class) {
        section->map.of_class[class_id] = (short)status;
    } else {
        section->map.outcome[outcome] = (short)status;
    }
    return NULL;
}

/* RFC 3986 2: unreserved and reserved characters, and octets as %XX. What is neither must be told by its octets, so
 * that a page, a header and JSON have the same URL. */
static bool is_written_as_url(const char *text)
{
    for (; *text; text++) {
        if (*text == '%') {
            if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2])) {
                return false;
            }
        } else if ((*text & 0x80) || (!apr_isalnum(*text) && !strchr("-._~:/?#[]@!$&'()*+,;=", *text))) {
            return false;
        }
    }
    return true;
}

static const char *set_help(cmd_parms *cmd, void *into, const char *name, const char *url)
{
    as_section *section = into;
    as_outcome outcome = AS_OUTCOME_UNKNOWN_RESULT;
    as_class class_id = AS_CLASS_MISCONFIGURED;
    bool is_class;
    const char *error = as_argument_outcome(cmd, name, &outcome, &class_id, &is_class);

    if (error) {
        return error;
    }
    if (url[0] != '/' && strncmp(url, "https://", 8) && strncmp(url, "http://", 7)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: \"%s\" is not a URL that it takes; use one that begins with https://, http:// or /",
                            cmd->cmd->name, url);
    }
    if (!is_written_as_url(url)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: \"%s\" has a character that no URL has; write %%20 for a space, and each octet of "
                            "what is not ASCII as %%XX",
                            cmd->cmd->name, url);
    }
    section->helps = 1;
    if (is_class) {
        section->help.of_class[class_id] = url;
    } else {
        section->help.outcome[outcome] = url;
    }
    return NULL;
}

static const char *set_challenge(cmd_parms *cmd, void *section, const char *word, const char *condition)
{
    return as_argument_conditional(cmd, dialog_words, word, condition, &((as_section *)section)->dialog);
}

static const char *set_mask(cmd_parms *cmd, void *section, const char *word, const char *condition)
{
    return as_argument_conditional(cmd, mask_words, word, condition, &((as_section *)section)->mask);
}

/* Server, virtual host and directory, but not .htaccess, which must not loosen anything. */
#define POLICY (RSRC_CONF | ACCESS_CONF)
#define SECTION_SLOT(member) (void *)APR_OFFSETOF(as_section, member)
#define SERVER_SLOT(member) (void *)APR_OFFSETOF(as_server, member)

const command_rec as_directives[] = {
    AP_INIT_FLAG("AuthStatus", ap_set_flag_slot, SECTION_SLOT(on), POLICY,
                 "On: each outcome of an authentication gets the status that HTTP means for it"),
    AP_INIT_TAKE2("AuthStatusMap", set_map, NULL, POLICY, "an outcome or a class of outcomes, and its status"),
    AP_INIT_TAKE12("AuthStatusMask", set_mask, NULL, POLICY,
                   "Off, Forbidden or All: which refusals answer as a missing resource; then \"expr=...\""),
    AP_INIT_TAKE1("AuthStatusDisclose", as_set_word, (void *)&disclose_slot, POLICY,
                  "Proven, Always or Never: which outcomes about an account the client may see"),
    AP_INIT_TAKE12("AuthStatusChallenge", set_challenge, NULL, POLICY,
                   "Dialog or Quiet: whether a challenge opens a browser's dialog; then \"expr=...\""),
    AP_INIT_TAKE2("AuthStatusHelp", set_help, NULL, POLICY,
                  "an outcome or a class of outcomes, and the URL where the person can repair it"),
    AP_INIT_TAKE1("AuthStatusRetryAfter", set_retry_after, NULL, POLICY, "the Retry-After of 503"),
    AP_INIT_TAKE1("AuthStatusDeadline", set_deadline, NULL, POLICY,
                  "all that the directory may take within one request"),
    AP_INIT_FLAG("AuthStatusUniformTiming", ap_set_flag_slot, SECTION_SLOT(uniform_timing), POLICY,
                 "On: an unknown user costs the directory the same work as a known one"),
    AP_INIT_TAKE1("AuthStatusInFlight", set_in_flight, NULL, RSRC_CONF,
                  "the number of requests of one child that may wait for the directory"),
    AP_INIT_TAKE2("AuthStatusBreaker", set_breaker, NULL, RSRC_CONF,
                  "after how many outages in a row a directory server is left alone, and for how long"),
    AP_INIT_TAKE1("AuthStatusCache", as_set_cache, NULL, RSRC_CONF, "Off, or a socache provider and its arguments"),
    AP_INIT_TAKE12("AuthStatusCacheTime", as_set_cache_time, NULL, RSRC_CONF,
                   "how long an acceptance, and a refusal, is remembered"),
    AP_INIT_TAKE1("AuthStatusCacheKey", as_set_cache_key, NULL, RSRC_CONF,
                  "a file with the secret that several machines share"),
    AP_INIT_TAKE123("AuthStatusThrottle", as_set_throttle, NULL, POLICY,
                    "Off, or a number of failures, a time, and User, Client or Both"),

    AP_INIT_TAKE12("AuthLDAPURL", as_set_url, NULL, OR_AUTHCFG,
                   "ldap[s]://host[:port][ host...]/base[?attribute[?scope[?filter]]], and NONE, SSL, TLS or STARTTLS"),
    AP_INIT_TAKE1("AuthLDAPBindDN", ap_set_string_slot, SECTION_SLOT(bind_dn), OR_AUTHCFG,
                  "the service account that searches for users"),
    AP_INIT_TAKE1("AuthLDAPBindPassword", as_set_bind_password, NULL, OR_AUTHCFG,
                  "its password, or exec: and a program that prints it"),
    AP_INIT_FLAG("AuthLDAPBindAuthoritative", ap_set_flag_slot, SECTION_SLOT(bind_authoritative), OR_AUTHCFG,
                 "Off: after a refused password the next provider is asked"),
    AP_INIT_TAKE1("AuthLDAPDereferenceAliases", as_set_word, (void *)&as_deref_slot, OR_AUTHCFG,
                  "never, searching, finding or always"),
    AP_INIT_TAKE1("AuthLDAPRemoteUserAttribute", ap_set_string_slot, SECTION_SLOT(remote_user_attribute), OR_AUTHCFG,
                  "the attribute of the user's entry that becomes REMOTE_USER"),
    AP_INIT_FLAG("AuthLDAPRemoteUserIsDN", ap_set_flag_slot, SECTION_SLOT(remote_user_is_dn), OR_AUTHCFG,
                 "On: the DN of the user's entry becomes REMOTE_USER"),
    AP_INIT_FLAG("AuthLDAPInitialBindAsUser", ap_set_flag_slot, SECTION_SLOT(initial_bind_as_user), OR_AUTHCFG,
                 "On: the search is made as the user who wants in"),
    AP_INIT_TAKE2("AuthLDAPInitialBindPattern", as_set_bind_pattern, NULL, OR_AUTHCFG,
                  "a regular expression for the user name, and the name to bind with"),

    AP_INIT_TAKE23("LDAPTrustedGlobalCert", as_set_global_cert, NULL, RSRC_CONF,
                   "CA_BASE64, CERT_BASE64 or KEY_BASE64, and a PEM file"),
    AP_INIT_TAKE23("LDAPTrustedClientCert", as_set_client_cert, NULL, OR_AUTHCFG,
                   "CERT_BASE64 or KEY_BASE64, and a PEM file"),
    AP_INIT_TAKE1("LDAPTrustedMode", as_set_server_word, (void *)&as_trusted_mode_slot, RSRC_CONF,
                  "NONE, SSL, TLS or STARTTLS: for an AuthLDAPURL that names none"),
    AP_INIT_FLAG("LDAPVerifyServerCert", as_set_verify, NULL, RSRC_CONF,
                 "Off: any certificate of a directory is taken"),
    AP_INIT_TAKE1("LDAPConnectionTimeout", as_set_server_seconds, SERVER_SLOT(connect_timeout), RSRC_CONF,
                  "seconds for the connection to a directory server"),
    AP_INIT_TAKE1("LDAPTimeout", as_set_server_seconds, SERVER_SLOT(operation_timeout), RSRC_CONF,
                  "seconds for a search or bind"),
    AP_INIT_TAKE1("LDAPReferrals", as_set_word, (void *)&as_referrals_slot, OR_AUTHCFG, "On, Off or default"),
    AP_INIT_TAKE1("LDAPConnectionPoolTTL", as_set_pool_ttl, NULL, RSRC_CONF,
                  "how long an idle connection is kept; 0: not at all, -1: for ever"),
    {.name = NULL}};
