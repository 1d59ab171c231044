/* SPDX-License-Identifier: Apache-2.0
 *
 * Interprets the directives of a configuration as src/httpd/config/directives*.c does, with the defaults of
 * src/httpd/config/policy.c.
 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include <ldap.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "core/text.h"

typedef enum group_list { GROUP_ATTRIBUTES, SUBGROUP_ATTRIBUTES, SUBGROUP_CLASSES, GROUP_LISTS } group_list;

/* Settings that wait until all directives are read. */
typedef struct pending {
    apr_pool_t *pool;
    explain_wish *wish;
    bool has_mode;
    as_security trusted_mode;
    const char *remote_user_attribute;
    const char *server_root;
    const explain_directive *require_of; /* the last one */
    const explain_directive *lists[GROUP_LISTS];
} pending;

typedef const char *directive_setter(pending *into, const explain_directive *directive);

void explain_set_defaults(explain_wish *wish)
{
    memset(wish, 0, sizeof(*wish));
    wish->deadline = apr_time_from_sec(5);
    wish->settings.deref = LDAP_DEREF_ALWAYS;
    wish->settings.verify_certificate = true;
    wish->settings.connect_timeout = apr_time_from_sec(10);
    wish->settings.operation_timeout = apr_time_from_sec(60);
    wish->settings.session_ttl = -1;
    /* The user of this program may see the timing. */
    wish->settings.uniform_timing = false;
}

bool explain_parse_time(const char *text, apr_interval_time_t *time)
{
    static const struct {
        const char *unit;
        apr_interval_time_t length;
    } units[] = {{"", 1000000}, {"ms", 1000}, {"s", 1000000}, {"min", 60000000}, {"h", APR_INT64_C(3600000000)}};
    char *end;
    apr_int64_t number = apr_strtoi64(text, &end, 10);
    size_t i;

    if (end == text || !as_text_is_digit(*text) || number > 86400000) {
        return false;
    }
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!strcmp(end, units[i].unit)) {
            *time = number * units[i].length;
            return *time <= apr_time_from_sec(86400);
        }
    }
    return false;
}

const char *explain_add_attribute(explain_wish *wish, const char *attribute, apr_pool_t *pool)
{
    as_directory_settings *settings = &wish->settings;
    const char **attributes;
    int i;

    for (i = 0; i < settings->attribute_count; i++) {
        if (as_text_is_equal(settings->attributes[i], attribute)) {
            return NULL;
        }
    }
    attributes = apr_pcalloc(pool, (size_t)(i + 2) * sizeof(*attributes));
    memcpy(attributes, settings->attributes, (size_t)i * sizeof(*attributes));
    attributes[i] = attribute;
    settings->attributes = attributes;
    settings->attribute_count = i + 1;
    return NULL;
}

/* Returns whether a directive is in an alias, whose context is not that of the sections that use it. */
static bool is_in_alias(const explain_directive *directive)
{
    const char *const *section;

    for (section = directive->sections; *section; section++) {
        if (!apr_cstr_casecmpn(*section, "AuthnProviderAlias ", strlen("AuthnProviderAlias "))) {
            return true;
        }
    }
    return false;
}

static const char *set_url(pending *into, const explain_directive *directive)
{
    const char *mode = directive->argc > 1 ? directive->argv[1] : NULL;

    into->wish->sees_throttle = !is_in_alias(directive);
    into->wish->url = directive->argv[0];
    into->has_mode = mode != NULL;
    return as_directory_parse_url(into->pool, directive->argv[0], mode, &into->wish->settings);
}

static const char *set_bind_dn(pending *into, const explain_directive *directive)
{
    into->wish->settings.bind_dn = directive->argv[0];
    return NULL;
}

/* Returns a path relative to ServerRoot, as httpd does. NULL: there is none in these files. */
static const char *make_path(const pending *into, const char *path)
{
    if (*path == '/') {
        return path;
    }
    return into->server_root ? apr_pstrcat(into->pool, into->server_root, "/", path, NULL) : NULL;
}

#define RELATIVE "a path that is not from / on is from ServerRoot on, which stands in none of these files"

static const char *run(const pending *into, const char *command, char **password)
{
    const bool quoted = *command == '"' || *command == '\'';

    if (quoted && command[1] != '/') {
        return "exec: with a relative path in quotes is not run here; write it from / on";
    }
    command = quoted ? command : make_path(into, command);
    return command ? explain_run_secret_program(command, into->pool, password) : "exec: " RELATIVE;
}

static const char *read_file(const pending *into, const char *path, char **password)
{
    const char *whole = make_path(into, path);
    const char *error = whole ? explain_read_secret_file(whole, into->pool, password) : "file: " RELATIVE;

    if (!error) {
        (*password)[strcspn(*password, "\r\n")] = '\0';
    }
    return error;
}

static const char *set_bind_password(pending *into, const explain_directive *directive)
{
    const char *text = directive->argv[0];
    char *password = NULL;
    const char *error = NULL;

    if (!directive->trusted && (!strncmp(text, "exec:", 5) || !strncmp(text, "file:", 5))) {
        return "exec: and file: are taken from a file of root's or of your own that nobody else may write, and never "
               "from .htaccess";
    }
    if (!strncmp(text, "exec:", 5)) {
        error = run(into, text + 5, &password);
    } else if (!strncmp(text, "file:", 5)) {
        error = read_file(into, text + 5, &password);
    } else {
        password = explain_copy_secret(text, into->pool);
    }
    into->wish->settings.bind_password = password;
    return error;
}

static const char *set_flag(const char *text, bool *flag)
{
    if (!as_text_is_equal(text, "on") && !as_text_is_equal(text, "off")) {
        return "it takes On or Off";
    }
    *flag = as_text_is_equal(text, "on");
    return NULL;
}

static const char *set_deref(pending *into, const explain_directive *directive)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"never", LDAP_DEREF_NEVER},     {"off", LDAP_DEREF_NEVER},     {"searching", LDAP_DEREF_SEARCHING},
                 {"finding", LDAP_DEREF_FINDING}, {"always", LDAP_DEREF_ALWAYS}, {"on", LDAP_DEREF_ALWAYS}};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (as_text_is_equal(directive->argv[0], words[i].word)) {
            into->wish->settings.deref = words[i].value;
            return NULL;
        }
    }
    return "it takes never, searching, finding or always";
}

static const char *set_remote_user_attribute(pending *into, const explain_directive *directive)
{
    into->remote_user_attribute = directive->argv[0];
    return NULL;
}

static const char *set_initial_bind(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->initial_bind);
}

static const char *set_initial_bind_pattern(pending *into, const explain_directive *directive)
{
    return directive->argc < 2 ? "it takes a regular expression and a name"
                               : explain_set_pattern(into->wish, directive->argv[0], directive->argv[1], into->pool);
}

static const char *set_referrals(pending *into, const explain_directive *directive)
{
    bool on = false;
    const char *error = NULL;

    if (as_text_is_equal(directive->argv[0], "default")) {
        into->wish->settings.referrals = AS_REFERRALS_DEFAULT;
        return NULL;
    }
    error = set_flag(directive->argv[0], &on);
    into->wish->settings.referrals = on ? AS_REFERRALS_ON : AS_REFERRALS_OFF;
    return error;
}

static const char *set_trusted_mode(pending *into, const explain_directive *directive)
{
    const char *word = directive->argv[0];

    if (as_text_is_equal(word, "SSL")) {
        into->trusted_mode = AS_SECURITY_SSL;
    } else if (as_text_is_equal(word, "TLS") || as_text_is_equal(word, "STARTTLS")) {
        into->trusted_mode = AS_SECURITY_STARTTLS;
    } else if (as_text_is_equal(word, "NONE")) {
        into->trusted_mode = AS_SECURITY_NONE;
    } else {
        return "it takes NONE, SSL, TLS or STARTTLS";
    }
    return NULL;
}

static const char *set_server_root(pending *into, const explain_directive *directive)
{
    into->server_root = directive->trusted ? directive->argv[0] : into->server_root;
    return NULL;
}

static const char *set_certificate(pending *into, const explain_directive *directive)
{
    as_directory_settings *settings = &into->wish->settings;
    const char *type = directive->argv[0], *path;

    if (directive->argc < 2) {
        return "it takes a type and a file";
    }
    path = make_path(into, directive->argv[1]);
    if (!path) {
        return RELATIVE;
    }
    if (as_text_is_equal(type, "CA_BASE64")) {
        settings->ca_file = path;
    } else if (as_text_is_equal(type, "CERT_BASE64")) {
        settings->client_certificate = path;
    } else if (as_text_is_equal(type, "KEY_BASE64")) {
        settings->client_key = path;
    } else {
        return "it takes CA_BASE64, CERT_BASE64 or KEY_BASE64";
    }
    return NULL;
}

static const char *set_verify(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->settings.verify_certificate);
}

static const char *set_seconds(const char *text, apr_interval_time_t *time)
{
    return text[strspn(text, "0123456789")] || !explain_parse_time(text, time) ? "it takes a number of seconds" : NULL;
}

static const char *set_connection_timeout(pending *into, const explain_directive *directive)
{
    return set_seconds(directive->argv[0], &into->wish->settings.connect_timeout);
}

static const char *set_timeout(pending *into, const explain_directive *directive)
{
    return set_seconds(directive->argv[0], &into->wish->settings.operation_timeout);
}

static const char *set_deadline(pending *into, const explain_directive *directive)
{
    return explain_parse_time(directive->argv[0], &into->wish->deadline) && into->wish->deadline > 0
               ? NULL
               : "it takes a time: a number, and ms, s, min or h after it";
}

/* Reads what concerns the directory's own limit; httpd checks the rest. */
static const char *set_throttle(pending *into, const explain_directive *directive)
{
    const bool by_user = directive->argc < 3 || !as_text_is_equal(directive->argv[2], "client");

    if (as_text_is_equal(directive->argv[0], "off")) {
        into->wish->throttle = 0;
        return NULL;
    }
    if (!as_text_is_digit(*directive->argv[0])) {
        return "it takes Off, or a number of failures and a time";
    }
    into->wish->throttle = by_user ? strtol(directive->argv[0], NULL, 10) : 0;
    return NULL;
}

/* ---- groups ---- */

/* A list replaces that of an outer section; further directives of the same section add to it. */
static const char *set_names(pending *into, const explain_directive *directive, group_list which,
                             const char *const **names)
{
    const explain_directive *before = into->lists[which];
    int count = 0, i;
    const char **all;

    if (before && explain_is_same_section(before, directive)) {
        while ((*names)[count]) {
            count++;
        }
    }
    all = apr_pcalloc(into->pool, ((size_t)(count + directive->argc) + 1) * sizeof(*all));
    for (i = 0; i < count + directive->argc; i++) {
        all[i] = i < count ? (*names)[i] : directive->argv[i - count];
    }
    into->lists[which] = directive;
    *names = all;
    return NULL;
}

static const char *set_group_attributes(pending *into, const explain_directive *directive)
{
    return set_names(into, directive, GROUP_ATTRIBUTES, &into->wish->groups.attributes);
}

static const char *set_subgroup_attributes(pending *into, const explain_directive *directive)
{
    return set_names(into, directive, SUBGROUP_ATTRIBUTES, &into->wish->groups.subgroup_attributes);
}

static const char *set_subgroup_classes(pending *into, const explain_directive *directive)
{
    return set_names(into, directive, SUBGROUP_CLASSES, &into->wish->groups.subgroup_classes);
}

static const char *set_subgroup_depth(pending *into, const explain_directive *directive)
{
    char *end;
    const long depth = strtol(directive->argv[0], &end, 10);

    into->wish->groups.max_depth = (int)depth;
    return *end || end == directive->argv[0] || depth < 0 || depth > AS_SUBGROUP_DEPTH_MAX ? "it takes 0 to 32" : NULL;
}

static const char *set_group_attribute_is_dn(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->groups.attribute_is_dn);
}

static const char *set_compare_dn_on_server(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->groups.compare_dn_on_server);
}

static const char *set_compare_as_user(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->groups.compare_as_user);
}

static const char *set_search_as_user(pending *into, const explain_directive *directive)
{
    return set_flag(directive->argv[0], &into->wish->groups.search_as_user);
}

static const char *set_groups_mode(pending *into, const explain_directive *directive)
{
    static const char *const words[] = {"Auto", "Member", "MemberOf"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (as_text_is_equal(directive->argv[0], words[i])) {
            into->wish->groups.mode = (as_groups_mode)i;
            return NULL;
        }
    }
    return "it takes Auto, Member or MemberOf";
}

static bool is_same_piece(const explain_directive *one, const explain_directive *other)
{
    return one->piece == other->piece && explain_is_same_section(one, other);
}

/* AuthMerging is Off by default: the innermost section with a Require decides. */
static const char *add_require(pending *into, const explain_directive *directive)
{
    if (into->require_of && !is_same_piece(into->require_of, directive)) {
        into->wish->require = NULL;
    }
    into->require_of = directive;
    return explain_add_require(into->wish, directive->text, directive->within, into->pool);
}

static const char *set_merging(pending *into, const explain_directive *directive)
{
    into->wish->merges = into->wish->merges || !as_text_is_equal(directive->argv[0], "Off");
    return NULL;
}

#define UNREAD NULL

static const struct {
    const char *name;
    directive_setter *set; /* NULL: it changes nothing here */
} setters[] = {
    {"ServerRoot", set_server_root},
    {"Require", add_require},
    {"AuthMerging", set_merging},
#define AS_DIRECTIVE(name, arguments, where, setter, slot, explain, ...) {#name, explain},
#include "authstatus/directive.def"
};

static directive_setter *find_setter(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(setters) / sizeof(setters[0]); i++) {
        if (as_text_is_equal(name, setters[i].name)) {
            return setters[i].set;
        }
    }
    return NULL;
}

bool explain_is_read(const char *name)
{
    return find_setter(name) != NULL;
}

static const char *apply_one(pending *into, const explain_directive *directive)
{
    directive_setter *set = find_setter(directive->name);
    const char *error = NULL;

    if (set) {
        error = directive->argc > 0 ? set(into, directive) : "it has no argument";
    }
    return error ? apr_psprintf(into->pool, "%s:%d: %s: %s", directive->file, directive->line, directive->name, error)
                 : NULL;
}

const char *explain_apply(const apr_array_header_t *chosen, apr_pool_t *pool, explain_wish *wish)
{
    pending into = {.pool = pool, .wish = wish, .trusted_mode = AS_SECURITY_NONE};
    const char *error = NULL;
    int i;

    for (i = 0; i < chosen->nelts && !error; i++) {
        error = apply_one(&into, APR_ARRAY_IDX(chosen, i, const explain_directive *));
    }
    if (error) {
        return error;
    }
    if (!into.has_mode && wish->settings.security == AS_SECURITY_NONE) {
        wish->settings.security = into.trusted_mode;
    }
    return into.remote_user_attribute ? explain_add_attribute(wish, into.remote_user_attribute, pool) : NULL;
}
