/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of directives, and the setters of those about outcomes. A wrong word stops the start-up with a sentence
 * that names the directive and the permitted words.
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
    return as_argument_read_time(cmd, text, apr_time_from_msec(10), &((as_section *)section)->deadline);
}

static const char *set_retry_after(cmd_parms *cmd, void *section, const char *text)
{
    return as_argument_read_time(cmd, text, apr_time_from_sec(1), &((as_section *)section)->retry_after);
}

static const char *set_in_flight(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);

    (void)section;
    return error ? error : as_argument_read_number(cmd, text, 1, 1000000, &server->in_flight);
}

static const char *set_breaker(cmd_parms *cmd, void *section, const char *failures, const char *interval)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);

    (void)section;
    if (!error) {
        error = as_argument_read_number(cmd, failures, 1, 1000000, &server->breaker_failures);
    }
    return error ? error : as_argument_read_time(cmd, interval, apr_time_from_msec(10), &server->breaker_time);
}

static const char *set_map(cmd_parms *cmd, void *into, const char *name, const char *status_word)
{
    as_section *section = into;
    as_outcome outcome = AS_OUTCOME_UNKNOWN_RESULT;
    as_class class_id = AS_CLASS_MISCONFIGURED;
    bool is_class;
    const char *error = as_argument_read_outcome(cmd, name, &outcome, &class_id, &is_class);
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
                            "%s: %s is not a status that it takes; use 401, 403, 404, 410, 429, 451, 500, 502 or 503",
                            cmd->cmd->name, as_argument_quote(cmd, status_word));
    }
    section->maps = 1;
    if (is_class) {
        section->map.of_class[class_id] = (short)status;
    } else {
        section->map.outcome[outcome] = (short)status;
    }
    return NULL;
}

/* Returns whether a text is a URL by RFC 3986 2: unreserved and reserved characters, and octets as %XX. Other
 * characters must be escaped, so that a page, a header and JSON have the same URL. */
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
    const char *error = as_argument_read_outcome(cmd, name, &outcome, &class_id, &is_class);

    if (error) {
        return error;
    }
    if (url[0] != '/' && strncmp(url, "https://", 8) && strncmp(url, "http://", 7)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: %s is not a URL that it takes; use one that begins with https://, http:// or /",
                            cmd->cmd->name, as_argument_quote(cmd, url));
    }
    if (!is_written_as_url(url)) {
        return apr_psprintf(cmd->temp_pool,
                            "%s: %s has a character that no URL has; write %%20 for a space, and each octet of what is "
                            "not ASCII as %%XX",
                            cmd->cmd->name, as_argument_quote(cmd, url));
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
    return as_argument_read_conditional(cmd, dialog_words, word, condition, &((as_section *)section)->dialog);
}

static const char *set_mask(cmd_parms *cmd, void *section, const char *word, const char *condition)
{
    return as_argument_read_conditional(cmd, mask_words, word, condition, &((as_section *)section)->mask);
}

static const char *check_auth_basic(cmd_parms *cmd)
{
    if (ap_find_linked_module("mod_auth_basic.c")) {
        return NULL;
    }
    return as_argument_refuse_unknown(cmd,
                                      apr_psprintf(cmd->temp_pool, "%s: mod_auth_basic is not loaded", cmd->cmd->name));
}

/* Counts the names of AuthBasicProvider, which is mod_auth_basic's. */
static const char *add_basic_provider(cmd_parms *cmd, void *into, const char *name)
{
    as_section *section = into;

    (void)name;
    section->basic_providers = section->basic_providers == AS_UNSET ? 1 : section->basic_providers + 1;
    return check_auth_basic(cmd);
}

/* Keeps whether AuthBasicUseDigestAlgorithm, which is mod_auth_basic's, lets it refuse all logins. */
static const char *set_basic_digest(cmd_parms *cmd, void *into, const char *word)
{
    ((as_section *)into)->basic_digest = ap_cstr_casecmp(word, "Off") != 0;
    return check_auth_basic(cmd);
}

/* Keeps AuthFormLoginRequiredLocation, which is mod_auth_form's. */
static const char *set_login_page(cmd_parms *cmd, void *into, const char *url)
{
    as_section *section = into;

    if (!ap_find_linked_module("mod_auth_form.c")) {
        return as_argument_refuse_unknown(
            cmd, apr_psprintf(cmd->temp_pool, "%s: mod_auth_form is not loaded", cmd->cmd->name));
    }
    section->login_page = url;
    return NULL;
}

/* Contexts of a directive, as named in directive.def. SERVER: the setter refuses a virtual host. */
#define WHERE_SECTIONS (RSRC_CONF | ACCESS_CONF)
#define WHERE_SERVER RSRC_CONF
#define WHERE_HOSTS RSRC_CONF
#define WHERE_OVERRIDE OR_AUTHCFG

#define IN_SECTION(member) (void *)APR_OFFSETOF(as_section, member)
#define IN_SERVER(member) (void *)APR_OFFSETOF(as_server, member)

/* What guides of httpd 2.0 and 2.2 have, and httpd's own sentence ("perhaps misspelled") explains to nobody. */
#define RETIRED(name, instead)                                                                                         \
    AP_INIT_RAW_ARGS(name, as_refuse_retired, (void *)(intptr_t)(instead), RSRC_CONF | OR_AUTHCFG,                     \
                     "refused: of httpd 2.2 and earlier; " instead)
#define NO_NEED "leave it out: httpd evaluates all lines of Require together (RequireAll, RequireAny)"
#define TRUST "write LDAPTrustedGlobalCert CA_BASE64 and the file"

const command_rec as_directives[] = {
    RETIRED("AuthLDAPAuthoritative", NO_NEED),
    RETIRED("AuthzLDAPAuthoritative", NO_NEED),
    RETIRED("AuthLDAPEnabled", "leave it out: AuthBasicProvider authstatus makes logins go to the directory"),
    RETIRED("AuthLDAPFrontPageHack", "leave it out"),
    RETIRED("AuthLDAPStartTLS", "write STARTTLS behind the URL of AuthLDAPURL"),
    RETIRED("LDAPTrustedCA", TRUST),
    RETIRED("LDAPTrustedCAType", TRUST),
#define AS_DIRECTIVE(name, arguments, where, setter, slot, explain, syntax, default, example, help)                    \
    AP_INIT_##arguments(#name, setter, slot, WHERE_##where, help),
#include "authstatus/directive.def"
    {.name = NULL}};
