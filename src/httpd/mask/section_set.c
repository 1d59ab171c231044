/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the sections of the configuration that apply to a path, without a walk: by comparing names alone, as one
 * number. Two paths with the same number are refused by the same sections, and log in by the same providers.
 *
 * With it the outermost segment of a refused path is found that causes the refusal: the decoy replaces that segment. A
 * wrong guess costs one walk more, and reveals nothing.
 */
#include "decoy.h"

#include "core/hash.h"

#include <unistd.h>

#include <apr_fnmatch.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#define MODULES_MAX 64

/* Modules whose directives make a section relevant. */
typedef struct as_kinds {
    int index[MODULES_MAX];
    int count;
} as_kinds;

static as_kinds of_refusal, of_login;

typedef struct as_section_set {
    request_rec *r;
    const char *filename;
    const as_kinds *kinds;
    uint64_t number;
} as_section_set;

/* ---- relevant modules ---- */

static void add_module(as_kinds *kinds, const char *name)
{
    const module *found = ap_find_linked_module(name);
    int i;

    for (i = 0; found && i < kinds->count; i++) {
        if (kinds->index[i] == found->module_index) {
            return;
        }
    }
    if (found && kinds->count < MODULES_MAX) {
        kinds->index[kinds->count++] = found->module_index;
    }
}

#define ADD_HOOKS(kinds, hook)                                                                                         \
    do {                                                                                                               \
        const apr_array_header_t *hooks = ap_hook_get_##hook();                                                        \
        int n;                                                                                                         \
        for (n = 0; hooks && n < hooks->nelts; n++) {                                                                  \
            add_module(kinds, APR_ARRAY_IDX(hooks, n, ap_LINK_##hook##_t).szName);                                     \
        }                                                                                                              \
    } while (0)

void as_section_sets_post_config(void)
{
    const module *each;

    of_refusal.count = of_login.count = 0;
    ADD_HOOKS(&of_refusal, access_checker);
    ADD_HOOKS(&of_refusal, access_checker_ex);
    ADD_HOOKS(&of_refusal, check_user_id);
    ADD_HOOKS(&of_refusal, auth_checker);
    ADD_HOOKS(&of_login, check_user_id);
    for (each = ap_top_module; each; each = each->next) {
        if (!strncmp(each->name, "mod_auth", 8)) {
            if (strncmp(each->name, "mod_authz_", 10)) {
                add_module(&of_login, each->name);
            }
            add_module(&of_refusal, each->name);
        }
    }
    /* [F], Redirect 403 */
    add_module(&of_refusal, "mod_rewrite.c");
    add_module(&of_refusal, "mod_alias.c");
}

static bool is_counted(const ap_conf_vector_t *vector, const as_kinds *kinds)
{
    int i;

    for (i = 0; i < kinds->count; i++) {
        if (((void *const *)vector)[kinds->index[i]]) {
            return true;
        }
    }
    return false;
}

/* ---- sections that apply (by httpd's manual) ---- */

static void add_number(as_section_set *set, const void *what)
{
    set->number = as_hash_number(set->number, (uint64_t)(uintptr_t)what);
}

static bool is_directory_above(const core_dir_config *core, const char *filename)
{
    apr_size_t length = strlen(core->d);
    const char *slash;
    char prefix[APR_PATH_MAX];

    if (core->r) {
        return !ap_regexec(core->r, filename, 0, NULL, 0);
    }
    if (!core->d_is_fnmatch) {
        length -= length > 1 && core->d[length - 1] == '/';
        return !strncmp(core->d, filename, length) &&
               (length == 1 || filename[length] == '/' || filename[length] == '\0');
    }
    for (slash = strchr(filename, '/'); slash; slash = strchr(slash + 1, '/')) {
        const apr_size_t size = (apr_size_t)(slash - filename) + 2;
        apr_cpystrn(prefix, filename, size < sizeof(prefix) ? size : sizeof(prefix));
        if (!apr_fnmatch(core->d, prefix, APR_FNM_PATHNAME)) {
            return true;
        }
    }
    return false;
}

static bool is_location_above(const core_dir_config *core, const char *uri)
{
    apr_size_t length = strlen(core->d);

    if (core->r) {
        return !ap_regexec(core->r, uri, 0, NULL, 0);
    }
    if (core->d_is_fnmatch) {
        return !apr_fnmatch(core->d, uri, APR_FNM_PATHNAME);
    }
    length -= length && core->d[length - 1] == '/';
    return !strncmp(core->d, uri, length) && (!length || uri[length] == '/' || uri[length] == '\0');
}

static bool is_name(const core_dir_config *core, const char *filename)
{
    const char *slash = strrchr(filename, '/'), *name = slash ? slash + 1 : filename;

    if (core->r) {
        return !ap_regexec(core->r, name, 0, NULL, 0);
    }
    return core->d_is_fnmatch ? !apr_fnmatch(core->d, name, APR_FNM_PATHNAME) : !strcmp(core->d, name);
}

/* Vary names the headers that httpd's own walk has evaluated, and no others. */
static bool is_true(request_rec *r, const core_dir_config *core)
{
    ap_expr_info_t condition;
    const char *error = NULL;

    if (!core->condition) {
        return false;
    }
    condition = *core->condition;
    condition.flags |= AP_EXPR_FLAG_DONT_VARY;
    return ap_expr_exec(r, &condition, &error) > 0;
}

static void add_vector(as_section_set *set, const ap_conf_vector_t *vector);

/* Adds Files and If of a section that applies. */
static void add_within(as_section_set *set, const core_dir_config *core)
{
    int i;

    for (i = 0; core && core->sec_file && i < core->sec_file->nelts; i++) {
        const ap_conf_vector_t *vector = APR_ARRAY_IDX(core->sec_file, i, ap_conf_vector_t *);
        const core_dir_config *within = ap_get_core_module_config(vector);
        if (is_counted(vector, set->kinds) && is_name(within, set->filename)) {
            add_vector(set, vector);
        }
    }
    for (i = 0; core && core->sec_if && i < core->sec_if->nelts; i++) {
        const ap_conf_vector_t *vector = APR_ARRAY_IDX(core->sec_if, i, ap_conf_vector_t *);
        if (is_counted(vector, set->kinds) && is_true(set->r, ap_get_core_module_config(vector))) {
            add_vector(set, vector);
        }
    }
}

static void add_vector(as_section_set *set, const ap_conf_vector_t *vector)
{
    if (is_counted(vector, set->kinds)) {
        add_number(set, vector);
    }
    add_within(set, ap_get_core_module_config(vector));
}

/* Returns whether an irrelevant section has others in it. */
static bool has_within(const ap_conf_vector_t *vector)
{
    const core_dir_config *core = ap_get_core_module_config(vector);

    return core && (core->sec_file || core->sec_if);
}

static void add_sections(as_section_set *set, const apr_array_header_t *vectors, const char *path,
                         bool (*applies)(const core_dir_config *core, const char *path))
{
    int i;

    for (i = 0; path && vectors && i < vectors->nelts; i++) {
        const ap_conf_vector_t *vector = APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *);
        const core_dir_config *core = ap_get_core_module_config(vector);
        if (core && core->d && (is_counted(vector, set->kinds) || has_within(vector)) && applies(core, path)) {
            add_vector(set, vector);
        }
    }
}

static void add_htaccess(as_section_set *set)
{
    const struct htaccess_result *each;

    for (each = set->r->htaccess; each; each = each->next) {
        if (each->htaccess && each->dir && !strncmp(each->dir, set->filename, strlen(each->dir))) {
            add_vector(set, each->htaccess);
        }
    }
}

static uint64_t compute_number(request_rec *r, const as_kinds *kinds, const char *uri, const char *filename)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);
    as_section_set set = {.r = r, .filename = filename, .kinds = kinds, .number = AS_HASH};

    if (filename && *filename == '/') {
        add_sections(&set, core->sec_dir, filename, is_directory_above);
        add_within(&set, ap_get_core_module_config(r->server->lookup_defaults));
        add_htaccess(&set);
    }
    add_sections(&set, core->sec_url, uri, is_location_above);
    return set.number;
}

static uint64_t compute_number_of_login(const request_rec *r)
{
    request_rec *copy = apr_pmemdup(r->pool, r, sizeof(*r)); /* an expression may be evaluated on it */

    return compute_number(copy, &of_login, copy->uri, copy->filename);
}

bool as_section_set_has_same_login(const request_rec *one, const request_rec *other)
{
    return compute_number_of_login(one) == compute_number_of_login(other);
}

/* ---- the segment that the decoy replaces ---- */

/* Returns the start of the segment with `below` others below it; NULL: there are fewer. */
static const char *find_segment(const char *path, int below)
{
    const char *at = path + strlen(path);

    do {
        while (at > path && at[-1] == '/') {
            at--;
        }
        while (at > path && at[-1] != '/') {
            at--;
        }
    } while (below-- > 0 && at > path);
    return at > path ? at : NULL;
}

/* Returns the requested path, as a path of files; NULL: it is none. */
static const char *find_file(request_rec *r)
{
    return r->filename && *r->filename == '/'
               ? apr_pstrcat(r->pool, r->filename, r->path_info ? r->path_info : "", NULL)
               : NULL;
}

/* Returns the name of the file that a decoy would be, and what is behind it. */
static char *make_filename(request_rec *r, const as_decoy_spot *spot, const char *name, const char *file,
                           const char **path_info)
{
    const char *at = file ? find_segment(file, spot->below) : NULL, *behind;
    char *decoy, *end;

    if (!at) {
        return NULL;
    }
    /* A tail has all that is behind its first name. */
    behind = strchr(name, '/') ? "" : at + strcspn(at, "/");
    decoy = apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, file, (apr_size_t)(at - file)), name,
                        apr_pstrmemdup(r->pool, spot->end, strcspn(spot->end, "/")), behind, NULL);
    if (r->finfo.filetype == APR_REG && r->filename && (apr_size_t)(at - file) > strlen(r->filename)) {
        /* Path info: it is still the file. */
        *path_info = decoy + strlen(r->filename);
        return r->filename;
    }
    end = decoy + (at - file) + strcspn(decoy + (at - file), "/");
    *path_info = apr_pstrdup(r->pool, end);
    *end = '\0';
    return decoy;
}

char *as_decoy_make_filename(request_rec *r, const as_decoys *all, int index, const char **path_info)
{
    const as_decoy_spot spot = as_decoys_get_spot(all, index);

    return make_filename(r, &spot, as_decoy_sketch(r, all, index)->name, find_file(r), path_info);
}

/* Returns the number of the sections that a decoy would be in. */
static uint64_t compute_number_of_decoy(request_rec *r, const as_decoys *all, int index, const char *file)
{
    const as_decoy *decoy = as_decoy_sketch(r, all, index);
    const as_decoy_spot spot = as_decoys_get_spot(all, index);
    const char *path = as_decoy_decode(r, decoy->path);
    const char *path_info = NULL;
    char *uri = r->uri;
    uint64_t number;

    r->uri = (char *)path;
    number = compute_number(r, &of_refusal, path, make_filename(r, &spot, decoy->name, file, &path_info));
    r->uri = uri;
    return number;
}

/* A walk that was refused on its way to the file: at a directory that may not be entered, a .htaccess that may not be
 * read, or a symbolic link. Returns how many segments are below it, or -1. */
static int find_blocked(request_rec *r, const char *file, int most)
{
    int below, found = -1;

    for (below = 0; below <= most; below++) {
        const char *at = find_segment(file, below);
        const char *end = at ? strchr(at, '/') : NULL;
        char *path;
        apr_finfo_t finfo;

        if (!at) {
            break;
        }
        path = end ? apr_pstrmemdup(r->pool, file, (apr_size_t)(end - file)) : apr_pstrdup(r->pool, file);
        if (apr_stat(&finfo, path, APR_FINFO_LINK | APR_FINFO_TYPE, r->pool) != APR_SUCCESS) {
            continue;
        }
        if (finfo.filetype == APR_LNK || (finfo.filetype == APR_DIR && access(path, X_OK)) ||
            (finfo.filetype == APR_DIR && !access(apr_pstrcat(r->pool, path, "/.htaccess", NULL), F_OK) &&
             access(apr_pstrcat(r->pool, path, "/.htaccess", NULL), R_OK))) {
            found = below;
        }
    }
    return found;
}

/* The decoys of a request, and what is searched for. */
typedef struct search {
    request_rec *r;
    const as_decoys *all;
    const char *file;
    uint64_t set;
} search;

static uint64_t get_number(const search *in, int index)
{
    return compute_number_of_decoy(in->r, in->all, index, in->file);
}

/* The number of the decoy that stands for a segment. */
static uint64_t get_searched_number(const search *in, int index)
{
    return get_number(in, as_decoys_get_searched(in->all, index));
}

static bool has_other_number(void *data, int index)
{
    const search *in = data;

    return get_number(in, index) != in->set;
}

static bool has_number(void *data, int index)
{
    return !has_other_number(data, index);
}

static int find_first(search *in, int low, uint64_t set, as_decoy_test *test)
{
    in->set = set;
    return as_decoys_search(low, in->all->count, in->all, test, in);
}

/* Returns the decoy of a segment that the sections of the request do not all reach. */
static int choose_other(search *in, int index, uint64_t here)
{
    in->set = here;
    return as_decoys_choose(index, in->all, has_other_number, in);
}

/* Returns the decoy of a segment that no more sections reach than its tail. */
static int choose_alike(search *in, int index)
{
    in->set = get_searched_number(in, index);
    return as_decoys_choose(index, in->all, has_number, in);
}

bool as_decoys_find_nearby(request_rec *r, const as_decoys *all, bool walked, as_nearby *found)
{
    search in = {.r = r, .all = all, .file = find_file(r)};
    const int last = all->count - 1;
    int below, nearest = 0, next, farthest = last, alike;
    uint64_t here;

    *found = (as_nearby){.nearest = 0, .between = -1, .farthest = last, .low = 1, .high = last};
    if (!walked) {
        below = in.file ? find_blocked(r, in.file, all->spots[last].below) : -1;
        found->nearest = as_decoys_find_index(all, below);
        return below >= 0;
    }
    here = compute_number(r, &of_refusal, r->uri, r->filename);
    if (get_number(&in, 0) == here) {
        /* Not the name itself is refused, wherever it is. */
        nearest = find_first(&in, 1, here, has_other_number);
        if (nearest > last) {
            found->alike = in.file != NULL;
            return true;
        }
    }
    next = find_first(&in, nearest + 1, get_searched_number(&in, nearest), has_other_number);
    found->alike = in.file && nearest < 2 && next > last;
    found->low = nearest + 1;
    /* A pattern for all of a URL may refuse farther decoys, and not the nearest. */
    if (next <= last && get_searched_number(&in, next) != here) {
        farthest = find_first(&in, next, get_searched_number(&in, last), has_number);
        found->between = next < farthest ? choose_alike(&in, next) : -1;
        found->low = next + 1;
        found->high = farthest;
    }
    found->nearest = choose_other(&in, nearest, here);
    /* Nothing farther is reached by fewer sections than the tail of the nearest. */
    alike = next > last ? choose_alike(&in, nearest) : found->nearest;
    found->farthest = alike != found->nearest ? alike : choose_alike(&in, farthest);
    return true;
}
