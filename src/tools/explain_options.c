/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: options of ldapsearch, where it has them.
 */
#include "explain.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <ldap.h>

#include <apr_strings.h>

#include "authstatus/require_line.h"
#include "core/text.h"

enum {
    OPTION_CONFIG = 256,
    OPTION_SECTION,
    OPTION_PASSWORD_FILE,
    OPTION_NO_PASSWORD,
    OPTION_JSON,
    OPTION_REQUIRE,
    OPTION_HTTPD,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"section", required_argument, NULL, OPTION_SECTION},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"no-password", no_argument, NULL, OPTION_NO_PASSWORD},
    {"httpd", optional_argument, NULL, OPTION_HTTPD},
    {"require", required_argument, NULL, OPTION_REQUIRE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: " PROGRAM " [options] URL [user]\n"
    "       " PROGRAM " [options] --httpd[=PROGRAM] [--section NAME] [user]\n"
    "       " PROGRAM " [options] --config FILE [--section NAME] [user]\n"
    "\n"
    "Queries a directory as mod_authstatus would, and reports each step, the outcome and the status.\n"
    "URL is an AuthLDAPURL: 'ldaps://dc1.example.org/dc=example,dc=org?sAMAccountName'.\n"
    "Without a user: does the directory answer, and does it take the service account?\n"
    "\n"
    "  -D name               the service account (AuthLDAPBindDN)\n"
    "  -W                    prompt for its password\n"
    "  -y file               read its password from a file\n"
    "  -w password           its password; others may see it, better -W or -y\n"
    "  -Z                    StartTLS (-ZZ is the same: nothing goes on without it)\n"
    "  -a never|always|search|find   aliases\n"
    "  -o name=value         tls_cacert, tls_cacertdir, tls_cert, tls_key, tls_reqcert=never|demand, nettimeout,\n"
    "                        timeout, referrals=on|off, deadline: a time as 5s or 500ms\n"
    "  --password-file file  read the user's password from a file, not at a prompt\n"
    "  --no-password         explain as far as the user's entry\n"
    "  --httpd[=program]     get what is in force in a section from httpd itself: program -t, by default apachectl\n"
    "  --config file         take the AuthLDAP* and LDAP* directives from httpd's configuration; may be repeated\n"
    "  --section name        of it, the section with this argument: /secure, or the name of an AuthnProviderAlias\n"
    "  --require line        after a login: does `Require line` grant the user? \"ldap-group cn=staff,...\"; may be\n"
    "                        repeated, one is enough; in place of the lines of the section\n"
    "  --json                for programs\n"
    "  --version\n"
    "\n"
    "exit code: 0 granted (or nothing wrong so far), 1 usage, 2 unauthenticated, 3 refused, 4 unavailable,\n"
    "           5 misconfigured, 6 forbidden (no line of Require grants)\n";

/* Takes a secret from the command line: it disappears from the list of processes. */
static char *take_from_command_line(char *argument, apr_pool_t *pool)
{
    char *copy = explain_copy_secret(argument, pool);

    memset(argument, 'x', strlen(argument));
    return copy;
}

static bool read_deref(const char *word, int *deref)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"never", LDAP_DEREF_NEVER},
                 {"always", LDAP_DEREF_ALWAYS},
                 {"search", LDAP_DEREF_SEARCHING},
                 {"find", LDAP_DEREF_FINDING}};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (as_text_is_equal(word, words[i].word)) {
            *deref = words[i].value;
            return true;
        }
    }
    fprintf(stderr, PROGRAM ": -a takes never, always, search or find\n");
    return false;
}

static bool read_option(int letter, apr_pool_t *pool, explain_options *options)
{
    switch (letter) {
    case 'D':
        options->bind_dn = optarg;
        break;
    case 'w':
        options->bind_password = take_from_command_line(optarg, pool);
        break;
    case 'W':
        options->prompt_bind_password = true;
        break;
    case 'y':
        options->bind_password_file = optarg;
        break;
    case 'Z':
        options->start_tls = true;
        break;
    case 'x': /* ldapsearch's option for a simple bind, which is always made here */
        break;
    case 'a':
        return read_deref(optarg, &options->deref);
    case 'o':
        APR_ARRAY_PUSH(options->options, const char *) = optarg;
        break;
    case OPTION_CONFIG:
        APR_ARRAY_PUSH(options->configurations, const char *) = optarg;
        break;
    case OPTION_SECTION:
        options->section = optarg;
        break;
    case OPTION_PASSWORD_FILE:
        options->password_file = optarg;
        break;
    case OPTION_NO_PASSWORD:
        options->no_password = true;
        break;
    case OPTION_HTTPD:
        options->httpd = optarg ? optarg : "apachectl";
        break;
    case OPTION_REQUIRE:
        APR_ARRAY_PUSH(options->require, const char *) = optarg;
        break;
    case OPTION_JSON:
        options->json = true;
        break;
    default:
        return false;
    }
    return true;
}

/* Returns NULL, or what is wrong. */
static const char *read_operands(int argc, char **argv, explain_options *options)
{
    int left = argc - optind;

    if (options->httpd && options->configurations->nelts > 0) {
        return "--httpd and --config exclude each other";
    }
    if (options->configurations->nelts == 0 && !options->httpd) {
        if (options->section) {
            return "--section needs --httpd or --config";
        }
        if (left < 1) {
            return "there is no URL, no --httpd and no --config";
        }
        options->url = argv[optind++];
        left--;
    }
    if (left > 0) {
        options->user = argv[optind];
    }
    return left <= 1 ? NULL : "there are too many arguments (a program of one's own follows --httpd after =)";
}

/* Returns whether --json is there, perhaps behind an option that was not understood. */
static bool has_json_option(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--json")) {
            return true;
        }
    }
    return false;
}

/* Prints what is wrong with the command line for a program as well. Returns the exit code. */
static int print_usage_error(bool json, const char *wrong)
{
    if (json) {
        explain_print_json_error(wrong);
    }
    return EXIT_USAGE;
}

int explain_read_command_line(int argc, char **argv, apr_pool_t *pool, explain_options *options, bool *done)
{
    const char *wrong;
    int letter;

    memset(options, 0, sizeof(*options));
    options->deref = -1;
    options->configurations = apr_array_make(pool, 2, sizeof(const char *));
    options->require = apr_array_make(pool, 2, sizeof(const char *));
    options->options = apr_array_make(pool, 4, sizeof(const char *));
    while ((letter = getopt_long(argc, argv, "D:w:Wy:Zxa:o:", long_options, NULL)) != -1) {
        if (letter == OPTION_HELP || letter == OPTION_VERSION) {
            fputs(letter == OPTION_HELP ? usage : PROGRAM " " AUTHSTATUS_VERSION "\n", stdout);
            *done = true;
            return 0;
        }
        if (!read_option(letter, pool, options)) {
            fprintf(stderr, "Try " PROGRAM " --help\n");
            return print_usage_error(has_json_option(argc, argv),
                                     "an option that does not exist, or lacks its argument");
        }
    }
    wrong = read_operands(argc, argv, options);
    if (wrong) {
        fprintf(stderr, "%s\n" PROGRAM ": %s\n", usage, wrong);
        return print_usage_error(options->json, wrong);
    }
    return 0;
}

/* ---- -o ---- */

typedef const char *option_setter(const char *value, explain_wish *wish);

static const char *set_ca_file(const char *value, explain_wish *wish)
{
    wish->settings.ca_file = value;
    return NULL;
}

static const char *set_ca_directory(const char *value, explain_wish *wish)
{
    wish->settings.ca_directory = value;
    return NULL;
}

static const char *set_certificate(const char *value, explain_wish *wish)
{
    wish->settings.client_certificate = value;
    return NULL;
}

static const char *set_key(const char *value, explain_wish *wish)
{
    wish->settings.client_key = value;
    return NULL;
}

/* The module has two modes: `allow` means never, and `try` and `hard` mean demand. */
static const char *set_verify(const char *value, explain_wish *wish)
{
    bool off = as_text_is_equal(value, "never") || as_text_is_equal(value, "allow");

    if (!off && !as_text_is_equal(value, "demand") && !as_text_is_equal(value, "hard") &&
        !as_text_is_equal(value, "try")) {
        return "it takes never or demand";
    }
    wish->settings.verify_certificate = !off;
    return NULL;
}

static const char *set_time(const char *value, apr_interval_time_t *time)
{
    return explain_parse_time(value, time) && *time > 0 ? NULL
                                                        : "it takes a time: a number, and ms, s, min or h after it";
}

static const char *set_connect_timeout(const char *value, explain_wish *wish)
{
    return set_time(value, &wish->settings.connect_timeout);
}

static const char *set_timeout(const char *value, explain_wish *wish)
{
    return set_time(value, &wish->settings.operation_timeout);
}

static const char *set_deadline(const char *value, explain_wish *wish)
{
    return set_time(value, &wish->deadline);
}

static const char *set_referrals(const char *value, explain_wish *wish)
{
    if (!as_text_is_equal(value, "on") && !as_text_is_equal(value, "off")) {
        return "it takes on or off";
    }
    wish->settings.referrals = as_text_is_equal(value, "on") ? AS_REFERRALS_ON : AS_REFERRALS_OFF;
    return NULL;
}

static const struct {
    const char *name;
    option_setter *set;
} named_options[] = {
    {"tls_cacert", set_ca_file}, {"tls_cacertdir", set_ca_directory}, {"tls_cert", set_certificate},
    {"tls_key", set_key},        {"tls_reqcert", set_verify},         {"nettimeout", set_connect_timeout},
    {"timeout", set_timeout},    {"deadline", set_deadline},          {"referrals", set_referrals},
};

static const char *apply_named(const char *option, apr_pool_t *pool, explain_wish *wish)
{
    const char *equals = strchr(option, '='), *name, *error;
    size_t i;

    if (!equals || !equals[1]) {
        return apr_psprintf(pool, "-o %s: it takes name=value", option);
    }
    name = apr_pstrmemdup(pool, option, (apr_size_t)(equals - option));
    for (i = 0; i < sizeof(named_options) / sizeof(named_options[0]); i++) {
        if (as_text_is_equal(name, named_options[i].name)) {
            error = named_options[i].set(equals + 1, wish);
            return error ? apr_psprintf(pool, "-o %s: %s", name, error) : NULL;
        }
    }
    return apr_psprintf(pool, "-o %s: there is no such option, see --help", name);
}

/* ---- combination ---- */

static const char *apply_configuration(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    apr_array_header_t *directives, *chosen;
    const char *error = explain_read_config(options->configurations, pool, &directives);

    if (!error) {
        error = explain_choose(directives, options->section, pool, &chosen);
    }
    return error ? error : explain_apply(chosen, pool, wish);
}

static const char *apply_url(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    const char *error;

    if (options->url) {
        wish->url = options->url;
        error = as_directory_parse_url(pool, options->url, options->start_tls ? "STARTTLS" : NULL, &wish->settings);
        return error ? apr_psprintf(pool, "%s: %s", options->url, error) : NULL;
    }
    if (options->httpd) {
        error = explain_query_httpd(options->httpd, options->section, pool, wish);
    } else {
        error = apply_configuration(options, pool, wish);
    }
    if (!error && options->start_tls) {
        wish->settings.security = AS_SECURITY_STARTTLS;
    }
    return error;
}

static const char *apply_service_account(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    const char *error = NULL;
    char *password = options->bind_password;

    if (options->bind_dn) {
        wish->settings.bind_dn = options->bind_dn;
        wish->settings.bind_password = NULL;
    }
    if (options->bind_password_file) {
        error = explain_read_secret_file(options->bind_password_file, pool, &password);
    } else if (options->prompt_bind_password) {
        const char *prompt = apr_psprintf(
            pool, "Password of the service account %s: ",
            wish->settings.bind_dn ? explain_escape_text(wish->settings.bind_dn, strlen(wish->settings.bind_dn), pool)
                                   : "");

        error = explain_prompt_secret(prompt, pool, &password);
        if (!error && !password) {
            error = "-W: there is no terminal to prompt for the password; use -y";
        }
    }
    if (password) {
        wish->settings.bind_password = password;
    }
    if (!error && wish->settings.bind_dn && (!wish->settings.bind_password || !*wish->settings.bind_password)) {
        error = "the service account has no password, and a bind without one proves nothing: use -W or -y";
    }
    return error;
}

static const char *apply_user(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    const char *prompt, *error;

    wish->user = options->user;
    if (!options->user) {
        return options->password_file ? "--password-file needs a user" : NULL;
    }
    if (options->no_password) {
        return options->password_file ? "--no-password and --password-file exclude each other" : NULL;
    }
    if (options->password_file) {
        wish->password_was_prompted = true;
        return explain_read_secret_file(options->password_file, pool, &wish->password);
    }
    prompt = apr_psprintf(pool, "Password of %s (none: explain as far as the entry): ",
                          explain_escape_text(options->user, strlen(options->user), pool));
    error = explain_prompt_secret(prompt, pool, &wish->password);
    if (!error && wish->password && !*wish->password) {
        wish->password = NULL;
    }
    wish->password_was_prompted = wish->password != NULL;
    return error;
}

/* Returns the text behind the directive's own name, where a whole line was pasted. */
static const char *skip_directive(const char *line)
{
    line += strspn(line, " \t");
    return !strncasecmp(line, "Require ", 8) ? line + 8 : line;
}

/* Refuses a line whose name is no line's: another module would never answer it. Returns a sentence, or NULL. */
static const char *check_line(const explain_require *line, apr_pool_t *pool)
{
    const char *names = "";
    as_requirement_kind kind;
    int i;

    if (strncasecmp(line->argv[0], "ldap", 4) != 0 || as_require_find_by_name(line->argv[0], &kind)) {
        return NULL;
    }
    for (i = 0; i < AS_REQUIREMENT_COUNT; i++) {
        names = apr_pstrcat(pool, names, i ? ", " : "", as_require_get_name((as_requirement_kind)i), NULL);
    }
    return apr_psprintf(pool, "--require: there is no Require %s; use one of %s", line->argv[0], names);
}

/* --require replaces the lines of the section. */
static const char *apply_require(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    const char *error = NULL;
    int i;

    for (i = 0; i < options->require->nelts && !error; i++) {
        wish->require = i ? wish->require : NULL;
        error = explain_add_require(wish, skip_directive(APR_ARRAY_IDX(options->require, i, const char *)), NULL, pool);
        error = error ? error : check_line(&APR_ARRAY_IDX(wish->require, i, explain_require), pool);
    }
    return error;
}

const char *explain_make_wish(const explain_options *options, apr_pool_t *pool, explain_wish *wish)
{
    const char *error;
    int i;

    explain_set_defaults(wish);
    wish->groups = as_group_settings_make_default();
    wish->json = options->json;
    error = apply_url(options, pool, wish);
    for (i = 0; i < options->options->nelts && !error; i++) {
        error = apply_named(APR_ARRAY_IDX(options->options, i, const char *), pool, wish);
    }
    if (options->deref >= 0) {
        wish->settings.deref = options->deref;
    }
    if (!error) {
        error = apply_service_account(options, pool, wish);
    }
    if (!error) {
        error = apply_require(options, pool, wish);
    }
    if (!error) {
        error = apply_user(options, pool, wish);
    }
    if (!error && wish->user && wish->initial_bind && !wish->password) {
        error =
            "AuthLDAPInitialBindAsUser: the search is made as the user himself, so without his password no query is "
            "possible; use --password-file, or a terminal";
    }
    return error;
}
