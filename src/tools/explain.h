/* SPDX-License-Identifier: Apache-2.0
 *
 * authstatus-explain: declarations shared by its files.
 *
 *   authstatus-explain.c  from the command line to an exit code
 *   explain_options.c     the command line
 *   explain_config.c      httpd's configuration: lines, words, sections
 *   explain_line.c        the words of a line
 *   explain_sections.c    directives in force in a section
 *   explain_run_httpd.c   runs httpd, and reads what it writes
 *   explain_httpd.c       gets the settings in force from httpd itself
 *   explain_directives.c  the meaning of directives
 *   explain_initial_bind.c  AuthLDAPInitialBindPattern
 *   explain_secret.c      passwords: from files and the terminal, wiped
 *   explain_login.c       the query, and its steps as they end
 *   explain_require.c     lines of Require, after a granted login
 *   explain_logic.c       what they say together
 *   explain_words.c       octets, dates and codes in words
 *   explain_text.c        the explanation for a person
 *   explain_json.c        the explanation for a program
 *
 * Functions that can fail return NULL, or a sentence with the error, which never has a password in it.
 */
#ifndef AUTHSTATUS_EXPLAIN_H
#define AUTHSTATUS_EXPLAIN_H

#include <regex.h>
#include <stdio.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "authstatus/authorize.h"
#include "authstatus/ldap.h"
#include "authstatus/login.h"
#include "authstatus/outcome.h"
#include "authstatus/verdict.h"

#define PROGRAM "authstatus-explain"

/* Exit codes, one for each class of a login's outcome. */
#define EXIT_GRANTED 0 /* also: no fault as far as queried */
#define EXIT_USAGE 1
#define EXIT_UNAUTHENTICATED 2
#define EXIT_REFUSED 3
#define EXIT_UNAVAILABLE 4
#define EXIT_MISCONFIGURED 5
#define EXIT_FORBIDDEN 6 /* the login is granted, and no line of Require grants */

typedef enum explain_answer { EXPLAIN_NOT_LOOKED_AT, EXPLAIN_YES, EXPLAIN_NO, EXPLAIN_UNKNOWN } explain_answer;

/* What lines of Require stand in, within each other: RequireAll, RequireAny, RequireNone, Limit. Compared by address.
 */
typedef enum explain_container_kind {
    EXPLAIN_IN_ALL = 'a',
    EXPLAIN_IN_ANY = 'o',
    EXPLAIN_IN_NONE = 'n',
    EXPLAIN_IN_LIMIT = 'l'
} explain_container_kind;

typedef struct explain_container explain_container;
struct explain_container {
    explain_container_kind kind;
    const explain_container *outer; /* NULL: the section */
};

/* A line of Require, and its result. */
typedef struct explain_require {
    int argc;
    const char *const *argv; /* "ldap-group", ...; NULL-terminated */
    const char *rest;        /* behind the first word, as written */
    bool negated;            /* `not` was before the first word */
    const explain_container *within;
    const char *line;
    explain_answer answer; /* of the whole line: with `not` it is "yes" where nothing is forbidden */
    as_finding finding;    /* of an unknown line */
    const char *why;
} explain_require;

/* The subject of the explanation. */
typedef struct explain_wish {
    as_directory_settings settings;
    const char *url;            /* as given, for the headline */
    const char *user;           /* NULL: only check whether the directory answers */
    char *password;             /* wiped at the end; NULL: stop at the entry */
    bool password_was_prompted; /* a password could have been given */
    bool initial_bind;          /* AuthLDAPInitialBindAsUser */
    regex_t *initial_bind_pattern;
    const char *initial_bind_name;
    apr_interval_time_t deadline;
    bool json;
    bool sees_throttle;          /* an AuthStatusThrottle in force would have been seen */
    apr_array_header_t *require; /* explain_require; NULL: none is known */
    bool merges;                 /* AuthMerging And or Or: lines of other sections count as well */
    as_group_settings groups;    /* of its lines */
    long throttle;               /* AuthStatusThrottle: failures of a user that reach the directory; 0: none in force */
} explain_wish;

/* The command line, before the configuration is read. */
typedef struct explain_options {
    apr_array_header_t *configurations; /* files, const char * */
    const char *section;
    const char *httpd; /* NULL: the configuration, or a URL, is given */
    const char *url, *user;
    const char *bind_dn, *bind_password_file, *password_file;
    char *bind_password;
    bool prompt_bind_password, no_password, start_tls, json;
    int deref;                   /* -1: not given */
    apr_array_header_t *require; /* --require, const char * */
    apr_array_header_t *options; /* of -o, "name=value", const char * */
} explain_options;

/* explain_options.c: parses the command line. Returns EXIT_USAGE on an error; 0 and *done for --help and --version. */
int explain_read_command_line(int argc, char **argv, apr_pool_t *pool, explain_options *options, bool *done);
const char *explain_make_wish(const explain_options *options, apr_pool_t *pool, explain_wish *wish);

/* explain_line.c */
/* Returns the next word, as ap_getword_conf() does: both kinds of quotes; a backslash escapes a quote or a
 * backslash. NULL at the end. Modifies the text in place. */
char *explain_read_word(char **at);

/* explain_config.c */
typedef struct explain_directive {
    const char *name;
    int argc;
    const char *const *argv;
    const char *text;            /* the arguments as written; wiped with the pool */
    const char *const *sections; /* the enclosing sections, from the outermost, as "Location /a"; NULL-terminated */
    const char *file;
    int line;
    int piece; /* which section of the file, as one name may be written twice */
    const explain_container *within;
    bool trusted; /* the file belongs to root or to the calling user, and no other user may write it */
} explain_directive;

/* Reads the directives about LDAP and the deadline in these files, in order: const explain_directive *. */
const char *explain_read_config(const apr_array_header_t *files, apr_pool_t *pool, apr_array_header_t **directives);

/* explain_sections.c: chooses those in force in `section`, later ones overriding earlier ones; of credentials, those
 * that belong to its AuthLDAPURL. NULL: exactly one section must have one. */
bool explain_is_same_section(const explain_directive *one, const explain_directive *other);
const char *explain_choose(const apr_array_header_t *directives, const char *section, apr_pool_t *pool,
                           apr_array_header_t **chosen);

/* explain_run_httpd.c: runs it for its sections, an object a line. *answer is wiped with the pool. */
const char *explain_run_httpd(const char *program, apr_pool_t *pool, char **answer);
/* explain_httpd.c: gets the wish for one section from `program` -t. */
const char *explain_query_httpd(const char *program, const char *wanted, apr_pool_t *pool, explain_wish *wish);

/* explain_initial_bind.c: AuthLDAPInitialBindPattern. The name is that of --user, with $0 to $9 replaced; NULL: the
 * users do not search for themselves. */
const char *explain_set_pattern(explain_wish *wish, const char *pattern, const char *name, apr_pool_t *pool);
const char *explain_make_initial_bind_name(const explain_wish *wish, apr_pool_t *pool);

/* explain_directives.c */
void explain_set_defaults(explain_wish *wish);
/* Returns whether the directive of this name, in any case, affects the explanation. */
bool explain_is_read(const char *name);
const char *explain_apply(const apr_array_header_t *chosen, apr_pool_t *pool, explain_wish *wish);
const char *explain_add_attribute(explain_wish *wish, const char *attribute, apr_pool_t *pool);
/* Parses "500ms", "10s", "5min", "1h"; a bare number counts seconds. */
bool explain_parse_time(const char *text, apr_interval_time_t *time);

/* explain_logic.c */
/* Adds a line of Require: its arguments as written. */
const char *explain_add_require(explain_wish *wish, const char *text, const explain_container *within,
                                apr_pool_t *pool);
/* Returns which results are possible for all lines together (explain_require), as a set of these. */
enum { EXPLAIN_MAY_GRANT = 1, EXPLAIN_MAY_DENY = 2, EXPLAIN_MAY_BE_NEUTRAL = 4 };
unsigned explain_combine_require(const apr_array_header_t *lines);
/* Returns whether a line is in RequireAll or RequireNone, and does not decide alone. */
bool explain_is_combined(const explain_require *line);
/* Returns whether a yes of the line's condition forbids. */
bool explain_is_in_negation(const explain_require *line);
explain_container *explain_container_make(explain_container_kind kind, const explain_container *outer,
                                          apr_pool_t *pool);

/* explain_secret.c: results are wiped with the pool. */
const char *explain_read_secret_file(const char *path, apr_pool_t *pool, char **secret);
const char *explain_run_secret_program(const char *command, apr_pool_t *pool, char **secret);
/* Reads without echo. *secret is NULL if there is no terminal. */
const char *explain_prompt_secret(const char *prompt, apr_pool_t *pool, char **secret);
char *explain_copy_secret(const char *secret, apr_pool_t *pool);

/* A step after its end. */
typedef struct explain_step {
    as_step step;
    const char *server, *what;
    apr_interval_time_t took, lookup;
    bool well; /* it succeeded */
    bool answered;
    as_reply reply; /* of this step; only if not well, or answered */
    const unsigned char *certificate;
    size_t certificate_length;
} explain_step;

typedef struct explain_story {
    const explain_wish *wish;
    apr_pool_t *pool;
    apr_array_header_t *steps; /* explain_step */
    as_answer answer;
    bool queried;  /* a directory was queried; else the credentials alone decided */
    bool required; /* lines of Require were evaluated */
    bool decided;  /* and what they say together is certain */
    bool partial;  /* no fault as far as queried, which was not up to a password */
    as_finding finding;
    as_verdict verdict; /* under the defaults: AuthStatusDisclose Proven */
    as_verdict open;    /* under AuthStatusDisclose Always */
    as_lockout lockout; /* only if the directory answered; else its `where` is NULL */
} explain_story;

/* explain_login.c. `observe`: called for each step as it ends; may be NULL. */
typedef void explain_observer(const explain_story *story, const explain_step *step);
explain_story *explain_run_login(const explain_wish *wish, explain_observer *observe, apr_pool_t *pool);
int explain_choose_exit_code(const explain_story *story);

/* explain_require.c: the state of the login. */
typedef struct explain_authorizer {
    const as_login *login;
    as_login_memo *memo;
    const as_login_directory *directory;
} explain_authorizer;
/* Evaluates the lines after a granted login, and changes the story's finding if none grants. */
void explain_run_require(explain_story *story, const explain_authorizer *authorizer);
const char *explain_name_answer(explain_answer answer);

/* explain_words.c: texts for people; from the pool */

/* Makes a text printable on a terminal: octets that are not UTF-8, control it or change the direction of writing
 * become \xNN. */
const char *explain_escape_text(const char *text, size_t length, apr_pool_t *pool);
/* The same of lines: a line end stays. */
const char *explain_escape_lines(const char *text, apr_pool_t *pool);
/* Returns whether a character neither controls a terminal nor changes the direction of writing. */
bool explain_is_harmless(unsigned code);
/* Returns the octets of the character at `text`, and the character; 0: not UTF-8. */
size_t explain_read_utf8(const char *text, size_t length, unsigned *code);
const char *explain_write_hex(const unsigned char *octets, size_t length, apr_pool_t *pool);
const char *explain_name_step(as_step step);
const char *explain_format_ldap_code(const as_finding *finding, apr_pool_t *pool); /* "49/pp1", as in the logs; or "" */
const char *explain_name_control(const char *oid);
const char *explain_describe_control(const as_control *control, apr_pool_t *pool);
/* Returns advice for the administrator; NULL: there is none. */
const char *explain_find_advice(const explain_story *story);
typedef struct explain_certificate {
    const char *subject, *issuer, *not_before, *not_after; /* the dates in RFC 3339 format */
    long days_left;
} explain_certificate;
bool explain_read_certificate(const explain_step *step, apr_pool_t *pool, explain_certificate *certificate);

/* explain_text.c */
void explain_print_begin(const explain_wish *wish, apr_pool_t *pool);
void explain_print_step(const explain_story *story, const explain_step *step);
void explain_print_end(const explain_story *story);

/* explain_json.c */
void explain_print_json(const explain_story *story);
/* Prints the object that there is in place of an explanation: a sentence, and EXIT_USAGE. */
void explain_print_json_error(const char *error);

#endif
