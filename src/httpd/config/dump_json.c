/* SPDX-License-Identifier: Apache-2.0
 *
 * httpd -t -D DUMP_AUTHSTATUS_JSON: the directory of each section as it is in force, an object a line.
 * authstatus-explain
 * --httpd reads it, so that there is one reader of a configuration. Passwords are written into the pipe alone whose
 * descriptor AUTHSTATUS_DUMP_FD names: who made it has started this httpd.
 */
#include "sections.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <apr_file_io.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

typedef struct as_json_line {
    apr_pool_t *pool;
    apr_file_t *out;
    bool secrets; /* passwords may be written */
    bool more;    /* the object already has a member */
} as_json_line;

/* Quotes a text (RFC 8259 7). Octets that are not UTF-8 stay unchanged: the reader is a program. */
static const char *quote(apr_pool_t *pool, const char *text)
{
    char *json = apr_palloc(pool, 6 * strlen(text) + 3), *to = json;

    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
            *to++ = *text;
        } else if ((unsigned char)*text < 0x20) {
            to += apr_snprintf(to, 7, "\\u%04x", (unsigned char)*text);
        } else {
            *to++ = *text;
        }
    }
    *to++ = '"';
    *to = '\0';
    return json;
}

static void put_name(as_json_line *line, const char *name)
{
    apr_file_printf(line->out, "%s\"%s\": ", line->more ? ", " : "{", name);
    line->more = true;
}

static void put_text(as_json_line *line, const char *name, const char *text)
{
    if (text) {
        put_name(line, name);
        apr_file_puts(quote(line->pool, text), line->out);
    }
}

static void put_number(as_json_line *line, const char *name, apr_int64_t number)
{
    put_name(line, name);
    apr_file_printf(line->out, "%" APR_INT64_T_FMT, number);
}

static void put_texts(as_json_line *line, const char *name, const apr_array_header_t *texts)
{
    int i;

    put_name(line, name);
    for (i = 0; i < texts->nelts; i++) {
        apr_file_printf(line->out, "%s%s", i ? ", " : "[", quote(line->pool, APR_ARRAY_IDX(texts, i, const char *)));
    }
    apr_file_puts(texts->nelts ? "]" : "[]", line->out);
}

/* ---- one section ---- */

static void put_servers(as_json_line *line, const as_directory_settings *settings)
{
    apr_array_header_t *servers = apr_array_make(line->pool, 2, sizeof(const char *));
    int i;

    for (i = 0; i < settings->server_count; i++) {
        APR_ARRAY_PUSH(servers, const char *) =
            apr_psprintf(line->pool, "%d %s", settings->servers[i].port, settings->servers[i].host);
    }
    put_texts(line, "servers", servers);
}

static void put_directory(as_json_line *line, const as_directory_source *source)
{
    const as_directory_settings *settings = as_section_make_directory(source, line->pool);

    put_text(line, "url", source->url->text);
    put_servers(line, settings);
    put_number(line, "security", settings->security);
    put_number(line, "deref", settings->deref);
    put_number(line, "referrals", settings->referrals);
    put_text(line, "bind_dn", settings->bind_dn);
    put_text(line, "bind_password", line->secrets ? settings->bind_password : NULL);
    put_number(line, "verify_certificate", settings->verify_certificate);
    put_text(line, "ca_file", settings->ca_file);
    put_text(line, "client_certificate", settings->client_certificate);
    put_text(line, "client_key", settings->client_key);
    put_number(line, "connect_timeout", settings->connect_timeout);
    put_number(line, "operation_timeout", settings->operation_timeout);
    put_text(line, "remote_user_attribute", source->remote_user_attribute);
}

static void put_initial_bind(as_json_line *line, const as_section *section, const as_server *server,
                             const apr_array_header_t *chain)
{
    const as_credentials credentials = as_section_get_credentials(section, server, NULL);
    const ap_directive_t *pattern = chain ? as_sections_find_directive(chain, "AuthLDAPInitialBindPattern") : NULL;
    const char *arguments = pattern ? pattern->args : NULL;

    put_number(line, "initial_bind", as_flag_value_initial_bind_as_user(credentials.initial_bind_as_user));
    if (credentials.initial_bind_regex && arguments) {
        put_text(line, "initial_bind_pattern", ap_getword_conf(line->pool, &arguments));
        put_text(line, "initial_bind_name", ap_getword_conf(line->pool, &arguments));
    }
}

/* The lines of Require of a section. Before each stands the path of the containers that it is in, "a1/n2 ": a kind and
 * a number for each, from the outermost; kinds: all, or (any), none, limit. */
typedef struct as_json_require {
    apr_pool_t *pool;
    apr_array_header_t *lines; /* const char * */
    int containers;            /* number so far */
} as_json_require;

static const char *enter_container(as_json_require *require, const char *path, char kind)
{
    return apr_psprintf(require->pool, "%s%s%c%d", path, *path ? "/" : "", kind, ++require->containers);
}

/* Returns 0 for a directive that contains none. */
static char find_kind_of_container(const ap_directive_t *directive)
{
    return !as_directive_may_contain_require(directive)             ? '\0'
           : as_directive_begins_with(directive, "<Limit")          ? 'l'
           : !ap_cstr_casecmp(directive->directive, "<RequireAll")  ? 'a'
           : !ap_cstr_casecmp(directive->directive, "<RequireNone") ? 'n'
                                                                    : 'o';
}

static void find_require(as_json_require *require, const ap_directive_t *directive, const char *path)
{
    for (; directive; directive = directive->next) {
        const char kind = find_kind_of_container(directive);

        if (kind) {
            find_require(require, directive->first_child, enter_container(require, path, kind));
        } else if (!ap_cstr_casecmp(directive->directive, "Require")) {
            APR_ARRAY_PUSH(require->lines, const char *) = apr_pstrcat(require->pool, path, " ", directive->args, NULL);
        }
    }
}

/* Finds the lines of the first `count` sections in force: AuthMerging joins each with all before it. */
static void find_merged(as_json_require *require, const apr_array_header_t *list, int count, const char *path)
{
    const as_requiring *last = &APR_ARRAY_IDX(list, count - 1, as_requiring);

    if (count > 1) {
        path = enter_container(require, path, last->merging == AS_MERGING_AND ? 'a' : 'o');
        find_merged(require, list, count - 1, path);
        path = enter_container(require, path, 'o');
    }
    find_require(require, last->ref->first, path);
}

static void put_require(as_json_line *line, const apr_array_header_t *chain)
{
    as_json_require require = {line->pool, apr_array_make(line->pool, 4, sizeof(const char *)), 0};
    const apr_array_header_t *list = as_sections_list_requiring(line->pool, chain);

    if (list->nelts) {
        find_merged(&require, list, list->nelts, "");
    }
    put_texts(line, "require", require.lines);
}

static void put_names(as_json_line *line, const char *name, const char *const *names)
{
    apr_array_header_t *texts = apr_array_make(line->pool, 4, sizeof(const char *));

    for (; names && *names; names++) {
        APR_ARRAY_PUSH(texts, const char *) = *names;
    }
    put_texts(line, name, texts);
}

static void put_groups(as_json_line *line, const as_section *section)
{
    const as_group_settings groups = as_section_get_groups(section);

    put_names(line, "group_attributes", groups.attributes);
    put_names(line, "subgroup_attributes", groups.subgroup_attributes);
    put_names(line, "subgroup_classes", groups.subgroup_classes);
    put_number(line, "group_attribute_is_dn", groups.attribute_is_dn);
    put_number(line, "subgroup_depth", groups.max_depth);
    put_number(line, "compare_dn_on_server", groups.compare_dn_on_server);
    put_number(line, "compare_as_user", groups.compare_as_user);
    put_number(line, "search_as_user", groups.search_as_user);
    put_number(line, "groups_mode", groups.mode);
}

/* Distinguishes sections of one name: where a virtual host begins, and the section that another stands in; "" for one
 * that stands in a server. */
static void put_place(as_json_line *line, const apr_array_header_t *chain)
{
    const as_section_ref *server = APR_ARRAY_IDX(chain, 0, const as_section_ref *);
    const as_section_ref *ref = APR_ARRAY_IDX(chain, chain->nelts - 1, const as_section_ref *);

    if (server->section) {
        put_text(line, "server", as_section_describe_source(line->pool, server));
    }
    if (ref->kind == AS_SECTION_WITHIN) {
        put_text(line, "within",
                 ref->outer->kind == AS_SECTION_SERVER ? "" : as_section_make_name(line->pool, ref->outer));
    }
}

/* `chain`: NULL for an alias, whose context is unknown. The place of a section is in front of its settings. */
static void put_section(as_json_line *line, const as_section *section, const server_rec *server, const char *argument,
                        const char *name, const apr_array_header_t *chain)
{
    const as_directory_source source = as_directory_source_find(section, server, NULL);
    const as_throttle *throttle = section->throttle;

    if (!source.url) {
        return;
    }
    line->more = false;
    put_text(line, "argument", argument);
    put_text(line, "name", name);
    put_text(line, "host", server->server_hostname ? server->server_hostname : "");
    put_number(line, "port", server->is_virtual && server->addrs ? server->addrs->host_port : server->port);
    if (chain) {
        put_place(line, chain);
    }
    put_directory(line, &source);
    put_initial_bind(line, section, as_server_get(server), chain);
    put_number(line, "deadline", as_section_get_deadline(section));
    put_groups(line, section);
    if (chain) {
        put_number(line, "throttle", throttle && throttle->by_user ? throttle->failures : 0);
        put_require(line, chain);
    }
    apr_file_puts("}\n", line->out);
}

/* ---- all ---- */

static void put_sections(as_json_line *line, server_rec *main_server, server_rec *server)
{
    const apr_array_header_t *refs = as_sections_list(line->pool, main_server, server);
    int i;

    for (i = 0; i < refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(refs, i, const as_section_ref *);
        const apr_array_header_t *chain = as_sections_make_chain(line->pool, refs, ref);
        const core_dir_config *core = ref->vector ? ap_get_core_module_config(ref->vector) : NULL;

        put_section(line, as_sections_merge_chain(line->pool, chain), server, core && core->d ? core->d : "",
                    as_section_make_name(line->pool, ref), chain);
    }
}

static void put_aliases(as_json_line *line, server_rec *server)
{
    const apr_array_header_t *aliases = as_aliases_get();
    int i;

    for (i = 0; aliases && i < aliases->nelts; i++) {
        const as_alias *alias = &APR_ARRAY_IDX(aliases, i, as_alias);
        const char *arguments = alias->directive->args, *name;

        ap_getword_conf(line->pool, &arguments); /* the provider */
        name = ap_getword_conf(line->pool, &arguments);
        put_section(line, as_section_merge(line->pool, as_section_create(line->pool, NULL), alias->section), server,
                    apr_pstrmemdup(line->pool, name, strcspn(name, ">")),
                    apr_pstrcat(line->pool, alias->directive->directive, " ", alias->directive->args, NULL), NULL);
    }
}

/* Opens the pipe, if there is one; else standard output. */
static bool open_output(as_json_line *line)
{
    const char *number = getenv("AUTHSTATUS_DUMP_FD");
    struct stat status;
    apr_os_file_t fd = number ? atoi(number) : -1;

    line->secrets = fd > 2 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
    return (line->secrets ? apr_os_file_put(&line->out, &fd, APR_FOPEN_WRITE, line->pool)
                          : apr_file_open_stdout(&line->out, line->pool)) == APR_SUCCESS;
}

void as_dump_json_test_config(apr_pool_t *pconf, server_rec *s)
{
    as_json_line line = {.more = false};
    server_rec *each;

    if (!ap_exists_config_define("DUMP_AUTHSTATUS_JSON") || apr_pool_create(&line.pool, pconf) != APR_SUCCESS ||
        !open_output(&line)) {
        return;
    }
    each = s;
    do { /* there is a main server */
        put_sections(&line, s, each);
        each = each->next;
    } while (each);
    put_aliases(&line, s);
}
