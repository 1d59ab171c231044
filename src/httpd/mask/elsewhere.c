/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests whose path leads to no section that masks. Where all sections of a server that mask are <Location>s with a
 * plain path, a request with another path is not prepared for a second pass: that would cost more than the rest of this
 * module. Another module may lead it, or a subrequest, to such a section all the same (RewriteRule [PT],
 * DirectoryIndex). That is noticed when the section is known: the request starts again, as one that may be masked.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

/* ---- at start-up: the paths ---- */

/* Returns the path of a <Location> without its last slash; NULL: it is a pattern, or matches every path. */
static const char *find_path(apr_pool_t *pool, const ap_conf_vector_t *location)
{
    const core_dir_config *core = ap_get_core_module_config(location);
    apr_size_t length = core && core->d ? strlen(core->d) : 0;

    if (length < 2 || core->r || core->d_is_fnmatch || core->d[0] != '/') {
        return NULL;
    }
    return apr_pstrmemdup(pool, core->d, length - (core->d[length - 1] == '/'));
}

const char *const *as_elsewhere_find_paths(apr_pool_t *pool, const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);
    const char **paths = apr_pcalloc(pool, ((apr_size_t)core->sec_url->nelts + 1) * sizeof(*paths));
    int i, count = 0;

    if (as_htaccess_is_possible(s) || as_reach_find(s->lookup_defaults) != AS_REACH_NONE ||
        as_reach_find_of_all(core->sec_dir) != AS_REACH_NONE) {
        return NULL;
    }
    for (i = 0; i < core->sec_url->nelts; i++) {
        ap_conf_vector_t *location = APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *);

        if (as_reach_find(location) != AS_REACH_NONE) {
            paths[count] = find_path(pool, location);
            if (!paths[count++]) {
                return NULL;
            }
        }
    }
    return paths;
}

/* ---- a request ---- */

/* Returns whether httpd leaves a path as it was sent: nothing to decode, no slashes to merge, no dots to remove. */
static bool is_normal(const char *path)
{
    static const char is_special[256] = {['\0'] = 1, ['%'] = 1, ['/'] = 1};

    for (;; path++) {
        while (!is_special[(unsigned char)*path]) {
            path++;
        }
        if (*path != '/' || path[1] == '/' || path[1] == '.') {
            return !*path;
        }
    }
}

static bool begins_with(const char *path, const char *prefix)
{
    while (*prefix && *path == *prefix) {
        path++;
        prefix++;
    }
    return !*prefix;
}

/* Returns whether nothing of a request is set that modules set: what as_snapshot_take_late takes for granted. */
static bool is_as_read(const request_rec *r)
{
    return !((uintptr_t)r->prev | (uintptr_t)r->filename | (uintptr_t)r->handler | (uintptr_t)r->user |
             (uintptr_t)as_context_peek(r) | (uintptr_t)r->proxyreq);
}

bool as_elsewhere_is(const request_rec *r, const char *const *masked_paths)
{
    const char *const *path = masked_paths;

    if (!path || r->uri[0] != '/' || !is_as_read(r)) {
        return false;
    }
    while (*path && !begins_with(r->uri, *path)) {
        path++;
    }
    return !*path && is_normal(r->uri);
}

/* Returns the request that `r` is, or is a subrequest of, if it is one of these. */
static as_elsewhere *find_current(const request_rec *r)
{
    as_elsewhere *one = ap_get_module_config(r->connection->conn_config, &authstatus_module);

    while (r->main) {
        r = r->main;
    }
    return one && one->r == r ? one : NULL;
}

bool as_elsewhere_note_reach(const request_rec *r, const as_section *section)
{
    as_elsewhere *one = as_reach_find_of_section(section) != AS_REACH_NONE ? find_current(r) : NULL;

    if (one) {
        one->led_astray = true;
    }
    return one && !r->main;
}

bool as_elsewhere_is_handling(const request_rec *r)
{
    const as_elsewhere *one = find_current(r);

    return one && one->handling;
}
