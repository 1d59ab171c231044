/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses arguments of directives; each error is a sentence.
 */
#include "arguments.h"

#include "log_tags.h"

#include "authstatus/credentials.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

/* Of a time: as hours that is less than an apr_interval_time_t holds, for every httpd. */
#define MOST_DIGITS 9

const char *as_argument_quote(const cmd_parms *cmd, const char *text)
{
    return apr_psprintf(cmd->temp_pool, "\"%.*s%s\"", AS_ARGUMENT_SHOWN, text,
                        strlen(text) > AS_ARGUMENT_SHOWN ? "..." : "");
}

static const char *list_allowed_words(apr_pool_t *pool, const as_word *words)
{
    const char *all = words->word;

    while ((++words)->word) {
        all = apr_pstrcat(pool, all, words[1].word ? ", " : " or ", words->word, NULL);
    }
    return all;
}

const char *as_argument_read_word(cmd_parms *cmd, const as_word *words, const char *word, int *value)
{
    const as_word *found;

    for (found = words; found->word; found++) {
        if (!ap_cstr_casecmp(found->word, word)) {
            *value = found->value;
            return NULL;
        }
    }
    return apr_psprintf(cmd->temp_pool, "%s: %s is not a word that it takes; use %s", cmd->cmd->name,
                        as_argument_quote(cmd, word), list_allowed_words(cmd->temp_pool, words));
}

const char *as_argument_read_number(cmd_parms *cmd, const char *text, long low, long high, int *number)
{
    char *end;
    apr_int64_t value = apr_strtoi64(text, &end, 10);

    if (!apr_isdigit(*text) || *end || value < low || value > high) {
        return apr_psprintf(cmd->temp_pool, "%s: %s is not a whole number from %ld to %ld", cmd->cmd->name,
                            as_argument_quote(cmd, text), low, high);
    }
    *number = (int)value;
    return NULL;
}

const char *as_argument_read_time(cmd_parms *cmd, const char *text, apr_interval_time_t low,
                                  apr_interval_time_t *interval)
{
    return as_argument_read_long_time(cmd, text, low, apr_time_from_sec(86400), interval);
}

const char *as_argument_read_long_time(cmd_parms *cmd, const char *text, apr_interval_time_t low,
                                       apr_interval_time_t high, apr_interval_time_t *interval)
{
    const char *unit = text + strspn(text, "0123456789");
    bool known = !*unit || !strcmp(unit, "ms") || !strcmp(unit, "s") || !strcmp(unit, "min") || !strcmp(unit, "h");

    if (unit == text || unit - text > MOST_DIGITS || !known ||
        ap_timeout_parameter_parse(text, interval, "s") != APR_SUCCESS || *interval < low || *interval > high) {
        return apr_psprintf(
            cmd->temp_pool,
            "%s: %s is not a time from %" APR_TIME_T_FMT "ms to %" APR_TIME_T_FMT "h; use a number and ms, s, min or h",
            cmd->cmd->name, as_argument_quote(cmd, text), apr_time_as_msec(low), apr_time_sec(high) / 3600);
    }
    return NULL;
}

const char *as_argument_check_utf8(cmd_parms *cmd, const char *text)
{
    return as_credentials_is_utf8(text)
               ? NULL
               : apr_psprintf(cmd->temp_pool, "%s: %s is not UTF-8, as names in a directory are (RFC 4511)",
                              cmd->cmd->name, as_argument_quote(cmd, text));
}

bool as_argument_is_quote(const char *at)
{
    return (at[0] & 0xff) == 0xe2 && (at[1] & 0xff) == 0x80 && (at[2] & 0xff) >= 0x98 && (at[2] & 0xff) <= 0x9f;
}

/* Returns whether the last character is a typographic quote that no other one opens: a name may end in its own. */
static bool ends_in_lone_quote(const char *text)
{
    const size_t length = strlen(text);
    const char *at;

    if (length <= 3 || !as_argument_is_quote(text + length - 3)) {
        return false;
    }
    for (at = text; at < text + length - 3; at++) {
        if (as_argument_is_quote(at)) {
            return false;
        }
    }
    return true;
}

const char *as_argument_check_quotes(cmd_parms *cmd, const char *text)
{
    return as_argument_is_quote(text) || ends_in_lone_quote(text)
               ? apr_psprintf(cmd->temp_pool, "%s: there is a typographic quote (U+201C or the like); write \" instead",
                              cmd->cmd->name)
               : NULL;
}

const char *as_argument_refuse_unknown(cmd_parms *cmd, const char *error)
{
    if (!(cmd->override & NONFATAL_UNKNOWN)) {
        return error;
    }
    AS_LOG_SERVER(0177, 0, cmd->server, cmd->directive->filename, cmd->directive->line_num, error);
    return NULL;
}

const char *as_refuse_retired(cmd_parms *cmd, void *section, const char *arguments)
{
    const char *error = apr_psprintf(cmd->temp_pool, "%s is a directive of httpd 2.2 and earlier; %s", cmd->cmd->name,
                                     (const char *)cmd->info);

    (void)section;
    (void)arguments;
    return as_argument_refuse_unknown(cmd, error);
}

static const char *list_outcomes(apr_pool_t *pool)
{
    const char *words = "";
    int i;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        if (i != AS_CLASS_GRANTED) {
            words = apr_pstrcat(pool, words, as_class_describe((as_class)i)->name, ", ", NULL);
        }
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        const as_outcome_info *outcome = as_outcome_describe((as_outcome)i);
        if (outcome->of != AS_CLASS_GRANTED) {
            words = apr_pstrcat(pool, words, i == AS_OUTCOME_COUNT - 1 ? "or " : "", outcome->name,
                                i == AS_OUTCOME_COUNT - 1 ? "" : ", ", NULL);
        }
    }
    return words;
}

const char *as_argument_read_outcome(cmd_parms *cmd, const char *name, as_outcome *outcome, as_class *class_id,
                                     bool *is_class)
{
    *is_class = as_class_find_by_name(name, class_id) && *class_id != AS_CLASS_THROTTLED;
    if (!*is_class && !as_outcome_find_by_name(name, outcome)) {
        return apr_psprintf(cmd->temp_pool, "%s: %s is no outcome and no class of outcomes; use one of %s",
                            cmd->cmd->name, as_argument_quote(cmd, name), list_outcomes(cmd->temp_pool));
    }
    return NULL;
}

/* Parses "expr=..." of a directive; it must not add a Vary to an answer that it decided about. */
static const char *parse_condition(cmd_parms *cmd, const char *text, const ap_expr_info_t **when)
{
    const char *error = NULL;

    *when = NULL;
    if (!text) {
        return NULL;
    }
    if (strncmp(text, "expr=", 5)) {
        return apr_psprintf(cmd->temp_pool, "%s: %s is not a condition; use \"expr=...\"", cmd->cmd->name,
                            as_argument_quote(cmd, text));
    }
    *when = ap_expr_parse_cmd(cmd, text + 5, AP_EXPR_FLAG_DONT_VARY, &error, NULL);
    return error ? apr_psprintf(cmd->temp_pool, "%s: the expression %s does not parse: %s", cmd->cmd->name,
                                as_argument_quote(cmd, text + 5), error)
                 : NULL;
}

const char *as_argument_read_conditional(cmd_parms *cmd, const as_word *words, const char *word, const char *condition,
                                         const as_conditional **conditional)
{
    as_conditional *parsed = apr_pcalloc(cmd->pool, sizeof(*parsed));
    const char *error = as_argument_read_word(cmd, words, word, &parsed->word);

    *conditional = parsed;
    return error ? error : parse_condition(cmd, condition, &parsed->when);
}

const char *as_argument_get_main_server(cmd_parms *cmd, as_server **server)
{
    *server = ap_get_module_config(cmd->server->module_config, &authstatus_module);
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

const char *as_set_word(cmd_parms *cmd, void *into, const char *word)
{
    const as_word_slot *slot = cmd->info;

    return as_argument_read_word(cmd, slot->words, word, (int *)((char *)into + slot->offset));
}

const char *as_set_server_word(cmd_parms *cmd, void *section, const char *word)
{
    (void)section;
    return as_set_word(cmd, ap_get_module_config(cmd->server->module_config, &authstatus_module), word);
}
