/* SPDX-License-Identifier: Apache-2.0
 *
 * --httpd: gets the settings in force in a section from httpd itself (httpd -t -D DUMP_AUTHSTATUS_JSON), so that there
 * is one reader of a configuration. httpd writes one object per line, including passwords.
 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/sha.h>

#include "core/text.h"

/* ---- objects ---- */

/* Parses a string in place; NULL: invalid. */
static char *take_string(char **at)
{
    char *from = *at, *to, *start;

    if (*from != '"') {
        return NULL;
    }
    for (start = to = ++from; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1] == 'u') {
            if (strnlen(from, 6) < 6) {
                return NULL; /* The output was cut off. */
            }
            *to++ =
                (char)strtol(apr_cstr_casecmpn(from, "\\u00", 4) ? "3f" : (char[]){from[4], from[5], '\0'}, NULL, 16);
            from += 5;
        } else {
            from += *from == '\\' && from[1] ? 1 : 0;
            *to++ = *from;
        }
    }
    if (*from != '"') {
        return NULL;
    }
    *at = from + 1;
    *to = '\0';
    return start;
}

static bool take(char **at, char wanted)
{
    *at += strspn(*at, " ,");
    if (**at != wanted) {
        return false;
    }
    ++*at;
    return true;
}

/* A section from httpd: texts and numbers by name, lists as arrays of texts. */
typedef struct section {
    apr_table_t *values;
    apr_hash_t *lists;                          /* arrays of const char * */
    unsigned char digest[SHA256_DIGEST_LENGTH]; /* of all but the position */
} section;

static bool take_list(char **at, apr_array_header_t *list)
{
    char *text;

    while (!take(at, ']')) {
        text = take_string(at);
        if (!text) {
            return false;
        }
        APR_ARRAY_PUSH(list, const char *) = text;
    }
    return true;
}

static bool take_member(char **at, section *into, apr_pool_t *pool)
{
    char *name, *text;

    *at += strspn(*at, " ,");
    name = take_string(at);
    if (!name || !take(at, ':')) {
        return false;
    }
    if (take(at, '[')) {
        apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
        apr_hash_set(into->lists, name, APR_HASH_KEY_STRING, texts);
        return take_list(at, texts);
    }
    if (**at == '"') {
        text = take_string(at);
    } else {
        text = *at;
        *at += strspn(*at, "-0123456789");
        if (**at && *at > text) {
            /* A comma or brace ends the number; a brace ends the object. */
            char *end = *at;
            *at += *end == '}' ? 0 : 1;
            if (*end != '}') {
                *end = '\0';
            }
        }
    }
    apr_table_setn(into->values, name, text ? text : "");
    return text != NULL;
}

static section *take_section(char *line, apr_pool_t *pool)
{
    section *made = apr_pcalloc(pool, sizeof(*made));
    const char *settings = strstr(line, "\"url\"");

    SHA256((const unsigned char *)(settings ? settings : line), strlen(settings ? settings : line), made->digest);
    made->values = apr_table_make(pool, 24);
    made->lists = apr_hash_make(pool);
    if (!take(&line, '{')) {
        return NULL;
    }
    while (!take(&line, '}')) {
        if (!take_member(&line, made, pool)) {
            return NULL;
        }
    }
    return made;
}

/* ---- choice of a section ---- */

static const char *get_value(const section *from, const char *name)
{
    return from ? apr_table_get(from->values, name) : NULL;
}

/* Never NULL. */
static const apr_array_header_t *get_texts(const section *from, const char *name, apr_pool_t *pool)
{
    const apr_array_header_t *texts = apr_hash_get(from->lists, name, APR_HASH_KEY_STRING);

    return texts ? texts : apr_array_make(pool, 1, sizeof(const char *));
}

static apr_int64_t get_number(const section *from, const char *name)
{
    const char *text = get_value(from, name);

    return text ? apr_strtoi64(text, NULL, 10) : 0;
}

/* Returns the name of a section's server, with its port where it has one. */
static const char *make_host(const section *one, apr_pool_t *pool)
{
    const apr_int64_t port = get_number(one, "port");

    return port > 0 ? apr_psprintf(pool, "%s:%" APR_INT64_T_FMT, get_value(one, "host"), port) : get_value(one, "host");
}

/* Returns the name of a section, behind that of the section it stands in. */
static const char *make_name(const section *one, apr_pool_t *pool)
{
    const char *within = get_value(one, "within"), *name = get_value(one, "name");

    return within && *within ? apr_pstrcat(pool, within, " ", name, NULL) : name;
}

static const char *refuse_several(const apr_array_header_t *sections, apr_pool_t *pool)
{
    const char *list = "there are several sections; choose one with --section:";
    int i;

    for (i = 0; i < sections->nelts; i++) {
        const section *one = APR_ARRAY_IDX(sections, i, const section *);
        const char *server = get_value(one, "server");

        list = apr_psprintf(pool, "%s\n  '%s %s'%s%s", list, make_host(one, pool), make_name(one, pool),
                            server ? " of " : "", server ? server : "");
    }
    return list;
}

/* httpd writes a <Directory> with a slash at its end. */
static bool is_named(const section *one, const char *name, apr_pool_t *pool)
{
    const char *argument = get_value(one, "argument");
    const size_t length = strlen(name);

    return (!strncmp(get_value(one, "name"), "<Directory ", 11) && !strncmp(argument, name, length) &&
            !strcmp(argument + length, "/")) ||
           !strcmp(argument, name) || !strcmp(get_value(one, "name"), name) || !strcmp(make_name(one, pool), name);
}

/* Returns whether a text is a server's name, a space, and the name of the section. */
static bool is_named_with_host(const section *one, const char *text, const char *host, apr_pool_t *pool)
{
    const size_t length = host ? strlen(host) : 0;

    return length > 0 && !strncasecmp(text, host, length) && text[length] == ' ' &&
           is_named(one, text + length + 1, pool);
}

/* Returns whether a section is the wanted one: by its argument, or by its name in an error message; with or without
 * its server in front: its name, which may have the port, or the file and line of its <VirtualHost>. */
static bool is_meant(const section *one, const char *wanted, apr_pool_t *pool)
{
    return !wanted || is_named(one, wanted, pool) || is_named_with_host(one, wanted, make_host(one, pool), pool) ||
           is_named_with_host(one, wanted, get_value(one, "host"), pool) ||
           is_named_with_host(one, wanted, get_value(one, "server"), pool);
}

static bool has_same_value(const section *one, const section *other, const char *name)
{
    const char *first = get_value(one, name), *second = get_value(other, name);

    return !strcmp(first ? first : "", second ? second : "");
}

static bool has_same_place(const section *one, const section *other)
{
    return has_same_value(one, other, "host") && has_same_value(one, other, "name") &&
           has_same_value(one, other, "server") && get_number(one, "port") == get_number(other, "port");
}

/* Adds a section to those that are meant. Of several with one name in one server the last has what all of them set,
 * but for those within others, of which each has what it sets itself. */
static void add_meant(apr_array_header_t *meant, const section *one)
{
    int i;

    for (i = 0; i < meant->nelts && !get_value(one, "within"); i++) {
        if (has_same_place(APR_ARRAY_IDX(meant, i, const section *), one)) {
            APR_ARRAY_IDX(meant, i, const section *) = one;
            return;
        }
    }
    APR_ARRAY_PUSH(meant, const section *) = one;
}

/* Returns the one section of a list, or the first of several in which the same is in force: a section of the server
 * that each virtual host has. NULL: they differ, or there is none. */
static const section *find_only(const apr_array_header_t *sections)
{
    const section *first = sections->nelts ? APR_ARRAY_IDX(sections, 0, const section *) : NULL;
    int i;

    for (i = 1; i < sections->nelts; i++) {
        if (memcmp(APR_ARRAY_IDX(sections, i, const section *)->digest, first->digest, sizeof(first->digest)) != 0) {
            return NULL;
        }
    }
    return first;
}

/* Adds the innermost sections that contain a path without a section of its own. */
static void find_around(const apr_array_header_t *sections, const char *path, apr_array_header_t *meant)
{
    size_t most = 0;
    int i;

    for (i = 0; i < sections->nelts && path && *path == '/'; i++) {
        const section *one = APR_ARRAY_IDX(sections, i, const section *);
        const char *argument = get_value(one, "argument");
        const size_t length = strlen(argument);

        if (*argument == '/' && length >= most && !strncmp(argument, path, length) &&
            (argument[length - 1] == '/' || path[length] == '/')) {
            meant->nelts = length > most ? 0 : meant->nelts;
            add_meant(meant, one);
            most = length;
        }
    }
}

static const char *choose(char *next, const char *wanted, apr_pool_t *pool, const section **chosen)
{
    apr_array_header_t *all = apr_array_make(pool, 16, sizeof(const section *));
    apr_array_header_t *meant = apr_array_make(pool, 4, sizeof(const section *));
    char *line;
    section *one;

    while ((line = next) != NULL && *line) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        one = take_section(line, pool);
        if (!one || !get_value(one, "argument") || !get_value(one, "name") || !get_value(one, "host") ||
            !get_value(one, "url")) {
            return "--httpd: its answer cannot be read; is its mod_authstatus of another version?";
        }
        APR_ARRAY_PUSH(all, const section *) = one;
        if (is_meant(one, wanted, pool)) {
            add_meant(meant, one);
        }
    }
    if (meant->nelts == 0) {
        find_around(all, wanted, meant);
    }
    *chosen = find_only(meant);
    return *chosen        ? NULL
           : meant->nelts ? refuse_several(meant, pool)
                          : apr_psprintf(pool, "there is no AuthLDAPURL in a section \"%s\"", wanted ? wanted : "");
}

/* ---- interpretation ---- */

static void take_servers(const section *from, as_directory_settings *settings, apr_pool_t *pool)
{
    const apr_array_header_t *texts = get_texts(from, "servers", pool);
    as_ldap_server *servers = apr_pcalloc(pool, ((size_t)texts->nelts + 1) * sizeof(*servers));
    int i;

    for (i = 0; i < texts->nelts; i++) {
        char *end;
        servers[i].port = (int)strtol(APR_ARRAY_IDX(texts, i, const char *), &end, 10);
        servers[i].host = *end ? end + 1 : end;
    }
    settings->servers = servers;
    settings->server_count = texts->nelts;
}

static const char *const *get_names(const section *from, const char *name, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_copy(pool, get_texts(from, name, pool));

    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

static void take_groups(const section *from, as_group_settings *groups, apr_pool_t *pool)
{
    groups->attributes = get_names(from, "group_attributes", pool);
    groups->subgroup_attributes = get_names(from, "subgroup_attributes", pool);
    groups->subgroup_classes = get_names(from, "subgroup_classes", pool);
    groups->attribute_is_dn = get_number(from, "group_attribute_is_dn") != 0;
    groups->max_depth = (int)get_number(from, "subgroup_depth");
    groups->compare_dn_on_server = get_number(from, "compare_dn_on_server") != 0;
    groups->compare_as_user = get_number(from, "compare_as_user") != 0;
    groups->search_as_user = get_number(from, "search_as_user") != 0;
    groups->mode = (as_groups_mode)get_number(from, "groups_mode");
}

/* Returns the container of a line by its path, "a1/n2": a kind and a number for each, from the outermost; NULL for an
 * empty path. Those that are known are in `containers`, by path. */
static const explain_container *take_container(apr_hash_t *containers, const char *path, apr_pool_t *pool)
{
    const char *inner = strrchr(path, '/');
    explain_container *container = apr_hash_get(containers, path, APR_HASH_KEY_STRING);
    const explain_container *outer;

    if (!*path || container) {
        return container;
    }
    outer = inner ? take_container(containers, apr_pstrmemdup(pool, path, (apr_size_t)(inner - path)), pool) : NULL;
    container = explain_container_make((explain_container_kind)(inner ? inner[1] : *path), outer, pool);
    apr_hash_set(containers, path, APR_HASH_KEY_STRING, container);
    return container;
}

static const char *take_require(const section *from, explain_wish *wish, apr_pool_t *pool)
{
    const apr_array_header_t *lines = get_texts(from, "require", pool);
    apr_hash_t *containers = apr_hash_make(pool);
    const char *error = NULL;
    int i;

    for (i = 0; i < lines->nelts && !error; i++) {
        const char *line = APR_ARRAY_IDX(lines, i, const char *), *space = strchr(line, ' ');
        const char *path = space ? apr_pstrmemdup(pool, line, (apr_size_t)(space - line)) : "";

        error = explain_add_require(wish, space ? space + 1 : line, take_container(containers, path, pool), pool);
    }
    return error;
}

static const char *apply(const section *from, explain_wish *wish, apr_pool_t *pool)
{
    as_directory_settings *settings = &wish->settings;
    const char *error = as_directory_parse_url(pool, get_value(from, "url"), NULL, settings);
    const char *password = get_value(from, "bind_password");

    if (error) {
        return error;
    }
    wish->url = get_value(from, "url");
    take_servers(from, settings, pool);
    settings->security = (as_security)get_number(from, "security");
    settings->deref = (int)get_number(from, "deref");
    settings->referrals = (as_referrals)get_number(from, "referrals");
    settings->bind_dn = get_value(from, "bind_dn");
    settings->bind_password = password ? explain_copy_secret(password, pool) : NULL;
    settings->verify_certificate = get_number(from, "verify_certificate") != 0;
    settings->ca_file = get_value(from, "ca_file");
    settings->client_certificate = get_value(from, "client_certificate");
    settings->client_key = get_value(from, "client_key");
    settings->connect_timeout = get_number(from, "connect_timeout");
    settings->operation_timeout = get_number(from, "operation_timeout");
    wish->deadline = get_number(from, "deadline");
    wish->sees_throttle = get_value(from, "throttle") != NULL;
    wish->throttle = (long)get_number(from, "throttle");
    wish->initial_bind = get_number(from, "initial_bind") != 0;
    if (get_value(from, "initial_bind_pattern")) {
        error = explain_set_pattern(wish, get_value(from, "initial_bind_pattern"), get_value(from, "initial_bind_name"),
                                    pool);
    }
    if (!error && get_value(from, "remote_user_attribute")) {
        error = explain_add_attribute(wish, get_value(from, "remote_user_attribute"), pool);
    }
    take_groups(from, &wish->groups, pool);
    return error ? error : take_require(from, wish, pool);
}

const char *explain_query_httpd(const char *program, const char *wanted, apr_pool_t *pool, explain_wish *wish)
{
    const section *chosen = NULL;
    char *answer = NULL;
    const char *error = explain_run_httpd(program, pool, &answer);

    if (!error) {
        error = choose(answer, wanted, pool, &chosen);
    }
    return error ? error : apply(chosen, wish, pool);
}
