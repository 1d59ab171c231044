/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS: pages of ErrorDocument that need a login themselves. httpd authorizes the page as a request of its
 * own: who was refused is refused there too, and sees "Additionally, a 403 Forbidden error was encountered".
 */
#include "dump.h"

#include <limits.h>

#include <apr_fnmatch.h>
#include <apr_strings.h>
#include <http_core.h>

/* ---- where a page is ---- */

/* Returns whether a path is in a section, as httpd's walks compare. */
static bool has_path(const as_section_ref *ref, as_section_kind kind, const char *path)
{
    const core_dir_config *core = ref->vector ? ap_get_core_module_config(ref->vector) : NULL;
    size_t length;

    if (ref->kind != kind || !path || !core || !core->d) {
        return false;
    }
    if (core->r) {
        return ap_regexec(core->r, path, 0, NULL, 0) == 0;
    }
    if (core->d_is_fnmatch) {
        return apr_fnmatch(core->d, path, APR_FNM_PATHNAME) == APR_SUCCESS;
    }
    length = strlen(core->d);
    return !strncmp(core->d, path, length) &&
           (length == 0 || core->d[length - 1] == '/' || path[length] == '/' || path[length] == '\0');
}

/* The file of a path by the first Alias that names it; NULL: none does. */
static const char *find_aliased(apr_pool_t *pool, const ap_directive_t *directive, const char *path)
{
    for (; directive; directive = directive->next) {
        const char *arguments = directive->args, *from;
        size_t length;

        if (ap_cstr_casecmp(directive->directive, "Alias")) {
            continue;
        }
        from = ap_getword_conf(pool, &arguments);
        length = strlen(from);
        if (length && !strncmp(from, path, length) && (from[length - 1] == '/' || strchr("/", path[length]))) {
            return apr_pstrcat(pool, ap_getword_conf(pool, &arguments), path + length, NULL);
        }
    }
    return NULL;
}

const char *as_dump_find_file(const as_dump *dump, const char *path)
{
    const as_section_ref *server = APR_ARRAY_IDX(dump->refs, 0, const as_section_ref *);
    const core_server_config *core = ap_get_core_module_config(server->server->module_config);
    const char *file = NULL;

    for (; server && !file; server = server->outer) {
        file = find_aliased(dump->pool, server->first, path);
    }
    return file || !core->ap_document_root ? file : apr_pstrcat(dump->pool, core->ap_document_root, path, NULL);
}

/* ---- who may read it ---- */

typedef enum as_admits { SAYS_NOTHING, ADMITS_BY_REQUEST, ADMITS_BY_LOGIN } as_admits;

/* Returns whether a line of Require depends on the request alone, or on the user. */
static as_admits find_admission(const ap_directive_t *directive)
{
    static const char *const by_request[] = {"all granted", "ip",     "host", "forward-dns", "local",
                                             "env",         "method", "expr", "not"};
    size_t i;

    for (i = 0; i < sizeof(by_request) / sizeof(by_request[0]); i++) {
        const size_t length = strlen(by_request[i]);
        if (!ap_cstr_casecmpn(directive->args, by_request[i], length) && strchr(" \t", directive->args[length])) {
            return ADMITS_BY_REQUEST;
        }
    }
    return ADMITS_BY_LOGIN;
}

static as_admits find_admission_within(const ap_directive_t *directive)
{
    as_admits most = SAYS_NOTHING, inner;

    for (; directive; directive = directive->next) {
        inner = SAYS_NOTHING;
        if (!ap_cstr_casecmp(directive->directive, "Require")) {
            inner = find_admission(directive);
        } else if (as_directive_may_contain_require(directive)) {
            inner = find_admission_within(directive->first_child);
        }
        most = inner > most ? inner : most;
    }
    return most;
}

static unsigned count_depth(const as_section_ref *ref)
{
    const core_dir_config *core = ap_get_core_module_config(ref->vector);

    return core->r ? UINT_MAX : core->d_components;
}

/* The section whose lines of Require decide about a page: the last <Location>, else the innermost <Directory>. */
static const as_section_ref *find_decider(const as_dump *dump, const char *path)
{
    const as_section_ref *location = NULL, *directory = NULL;
    const char *file = as_dump_find_file(dump, path);
    int i;

    for (i = 1; i < dump->refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);

        if (find_admission_within(ref->first) == SAYS_NOTHING) {
            continue;
        }
        if (has_path(ref, AS_SECTION_LOCATION, path)) {
            location = ref;
        } else if (has_path(ref, AS_SECTION_DIRECTORY, file) &&
                   (!directory || count_depth(ref) >= count_depth(directory))) {
            directory = ref;
        }
    }
    return location ? location : directory;
}

/* ---- the pages ---- */

/* The ErrorDocument of a status that is in force; NULL: none. */
static const ap_directive_t *find_document(const as_dump *dump, const char *status)
{
    const ap_directive_t *found = NULL;
    const as_section_ref *ref;
    int i;

    for (i = dump->chain->nelts - 1; i >= 0 && !found; i--) {
        for (ref = APR_ARRAY_IDX(dump->chain, i, const as_section_ref *); ref && !found;
             ref = ref->kind == AS_SECTION_SERVER ? ref->outer : NULL) {
            found = as_section_find_directive(ref, "ErrorDocument", status);
        }
    }
    return found;
}

static void warn_of_document(as_dump *dump, const ap_directive_t *document)
{
    const char *arguments = document->args, *status = ap_getword_conf(dump->pool, &arguments);
    char *path = ap_getword_conf(dump->pool, &arguments);
    const as_section_ref *decider;

    path[strcspn(path, "?#")] = '\0';
    decider = *path == '/' ? find_decider(dump, path) : NULL;
    if (!decider || find_admission_within(decider->first) != ADMITS_BY_LOGIN || !as_dump_is_news(dump, path)) {
        return;
    }
    as_dump_warn(dump, apr_psprintf(dump->pool,
                                    "the page of ErrorDocument %s %s (%s:%d) is itself in %s, which does not let "
                                    "everybody in: who is refused sees \"Additionally, a 403\" in its place; give the "
                                    "page a section with Require all granted",
                                    status, path, document->filename, document->line_num,
                                    as_section_make_name(dump->pool, decider)));
}

void as_dump_error_documents(as_dump *dump)
{
    static const char *const statuses[] = {"401", "403", "404", "410", "429", "451", "500", "502", "503"};
    size_t i;

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]) && as_section_is_on(dump->section); i++) {
        const ap_directive_t *document = find_document(dump, statuses[i]);

        if (document) {
            warn_of_document(dump, document);
        }
    }
}
