/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of directives: each function returns NULL, or a sentence that names the directive and what it takes.
 */
#ifndef AUTHSTATUS_HTTPD_ARGUMENTS_H
#define AUTHSTATUS_HTTPD_ARGUMENTS_H

#include "config.h"

/* A word and its value; a NULL word ends a list. */
typedef struct as_word {
    const char *word;
    int value;
} as_word;

/* The target of a word: an int of the section or server, and the permitted words. */
typedef struct as_word_slot {
    size_t offset;
    as_word words[8];
} as_word_slot;

/* The longest quotation from an argument: httpd cuts its lines, and the words that are permitted come last. */
#define AS_ARGUMENT_SHOWN 200

/* Quotes an argument for a sentence, cut after AS_ARGUMENT_SHOWN octets. */
const char *as_argument_quote(const cmd_parms *cmd, const char *text);

/* Finds a word, in any case, in a list that a NULL word ends. */
const char *as_argument_read_word(cmd_parms *cmd, const as_word *words, const char *word, int *value);
/* Parses a whole number from `low` to `high`. */
const char *as_argument_read_number(cmd_parms *cmd, const char *text, long low, long high, int *number);
/* Parses a time in the syntax of httpd's own directives, from `low` to a day: 500ms, 10s, 5min, 1h; a bare number
 * counts seconds. */
const char *as_argument_read_time(cmd_parms *cmd, const char *text, apr_interval_time_t low,
                                  apr_interval_time_t *interval);
/* As as_argument_read_time, up to `high`, at most 10 years. */
const char *as_argument_read_long_time(cmd_parms *cmd, const char *text, apr_interval_time_t low,
                                       apr_interval_time_t high, apr_interval_time_t *interval);
/* Checks that a text is UTF-8, as a directory's strings are. */
const char *as_argument_check_utf8(cmd_parms *cmd, const char *text);
/* Returns whether U+2018 to U+201F is here: typographic quotes, single and double. */
bool as_argument_is_quote(const char *at);
/* Checks that a text has no typographic quotes around it, which pages and word processors make of ". */
const char *as_argument_check_quotes(cmd_parms *cmd, const char *text);
/* Parses a word, and "expr=..." or NULL; the expression must not add a Vary to an answer that it decided. */
const char *as_argument_read_conditional(cmd_parms *cmd, const as_word *words, const char *word, const char *condition,
                                         const as_conditional **conditional);
/* Parses the name of an outcome or of a class (*is_class); `throttled`, which is both, is the outcome. */
const char *as_argument_read_outcome(cmd_parms *cmd, const char *name, as_outcome *outcome, as_class *class_id,
                                     bool *is_class);

/* Returns the configuration of the main server; a sentence if the directive stands elsewhere. */
const char *as_argument_get_main_server(cmd_parms *cmd, as_server **server);

/* Set any word slot of a section, or of a server. */
const char *as_set_word(cmd_parms *cmd, void *section, const char *word);
const char *as_set_server_word(cmd_parms *cmd, void *section, const char *word);

/* Returns the error of a directive that httpd would not know without this module; NULL, and a warning, under
 * AllowOverride Nonfatal=Unknown and All, with which httpd ignores those that it does not know. */
const char *as_argument_refuse_unknown(cmd_parms *cmd, const char *error);

/* Refuses a directive of httpd 2.2 or earlier that httpd 2.4 does not have. cmd->info: what to write instead. */
const char *as_refuse_retired(cmd_parms *cmd, void *section, const char *arguments);

/* ---- directives_ldap.c: setters for directives of mod_authnz_ldap and mod_ldap ----
 * Setters have httpd's signature: `section` is the as_section of the place, into which they write; they return NULL, or
 * a sentence that stops the start. */

extern const as_word_slot as_deref_slot, as_referrals_slot, as_trusted_mode_slot;

const char *as_set_url(cmd_parms *cmd, void *section, const char *text, const char *mode);
const char *as_set_remote_user_attribute(cmd_parms *cmd, void *section, const char *text);
const char *as_set_authorize_prefix(cmd_parms *cmd, void *section, const char *text);
const char *as_set_bind_dn(cmd_parms *cmd, void *section, const char *text);
/* cmd->info: offset of an int of the section */
const char *as_set_flag(cmd_parms *cmd, void *section, int on);
const char *as_set_referrals(cmd_parms *cmd, void *section, const char *word);
const char *as_set_bind_password(cmd_parms *cmd, void *section, const char *text);
const char *as_set_bind_pattern(cmd_parms *cmd, void *section, const char *pattern, const char *name);
const char *as_set_global_cert(cmd_parms *cmd, void *section, const char *type, const char *file,
                               const char *passphrase);
const char *as_set_client_cert(cmd_parms *cmd, void *section, const char *type, const char *file,
                               const char *passphrase);
const char *as_set_verify(cmd_parms *cmd, void *section, int on);
/* cmd->info: offset of an interval of the server */
const char *as_set_server_seconds(cmd_parms *cmd, void *section, const char *text);
const char *as_set_pool_ttl(cmd_parms *cmd, void *section, const char *text);

/* ---- directives_groups.c ---- */

extern const as_word_slot as_groups_slot;

/* cmd->info: offset of an as_names of the section. Adds a name. */
const char *as_set_names(cmd_parms *cmd, void *section, const char *name);
const char *as_set_subgroup_depth(cmd_parms *cmd, void *section, const char *text);

/* ---- directives_cache.c ---- */

const char *as_set_cache(cmd_parms *cmd, void *section, const char *text);
const char *as_set_cache_time(cmd_parms *cmd, void *section, const char *acceptance, const char *second,
                              const char *third);
const char *as_set_cache_key(cmd_parms *cmd, void *section, const char *file);
const char *as_set_cache_entries(cmd_parms *cmd, void *section, const char *number);
const char *as_set_throttle(cmd_parms *cmd, void *section, const char *failures, const char *within,
                            const char *counted);

/* ---- notices.c ---- */

/* Accepts any argument, and notes that it has no effect; cmd->info: the reason. */
const char *as_set_without_effect(cmd_parms *cmd, void *section, const char *text);

#endif
