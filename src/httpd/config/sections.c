/* SPDX-License-Identifier: Apache-2.0
 *
 * Matches sections in httpd's memory (vectors of configurations) with sections as written (the tree of directives).
 * httpd does not keep the connection: they are matched by kind, argument and order.
 */
#include "sections.h"

#include <apr_fnmatch.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_core.h>

/* The state of one walk over a server. */
typedef struct as_walk {
    apr_pool_t *pool;
    const server_rec *main_server;
    const ap_directive_t *host; /* the <VirtualHost>, NULL in the main server */
    apr_hash_t *seen;           /* directives already matched */
    apr_array_header_t *refs;
} as_walk;

/* ---- the tree of directives ---- */

static bool is(const ap_directive_t *directive, const char *name)
{
    return !ap_cstr_casecmp(directive->directive, name);
}

static bool is_of_kind(const ap_directive_t *directive, as_section_kind kind)
{
    switch (kind) {
    case AS_SECTION_DIRECTORY:
        return is(directive, "<Directory") || is(directive, "<DirectoryMatch");
    case AS_SECTION_LOCATION:
        return is(directive, "<Location") || is(directive, "<LocationMatch");
    case AS_SECTION_WITHIN:
        return as_directive_begins_with(directive, "<Files") || as_directive_begins_with(directive, "<If") ||
               as_directive_begins_with(directive, "<Else");
    case AS_SECTION_SERVER:
        break;
    }
    return is(directive, "<VirtualHost");
}

/* Returns the argument of a section, as httpd reads it. */
static const char *read_argument(apr_pool_t *pool, const ap_directive_t *section)
{
    const char *end = strrchr(section->args, '>');
    const char *rest =
        apr_pstrmemdup(pool, section->args, end ? (apr_size_t)(end - section->args) : strlen(section->args));
    const char *word = ap_getword_conf(pool, &rest);

    return strcmp(word, "~") ? word : ap_getword_conf(pool, &rest);
}

/* Returns the argument of a section as httpd keeps it: the path of a <Directory> in canonical form. */
static const char *make_path(apr_pool_t *pool, const ap_directive_t *section)
{
    const char *argument = read_argument(pool, section);
    char *canonical = NULL;

    if (is(section, "<Directory") && *argument == '/' &&
        apr_filepath_merge(&canonical, NULL, argument, APR_FILEPATH_TRUENAME, pool) == APR_SUCCESS) {
        return canonical;
    }
    return argument;
}

/* Compares paths; directories have a slash at their end, which is optional in the configuration. */
static bool is_same_path(const char *one, const char *other)
{
    size_t one_length = strlen(one), other_length = strlen(other);

    one_length -= one_length > 1 && one[one_length - 1] == '/';
    other_length -= other_length > 1 && other[other_length - 1] == '/';
    return one_length == other_length && !strncmp(one, other, one_length);
}

/* Returns the first unmatched section among siblings. <If> has no path: httpd names it "*If". */
static const ap_directive_t *match(as_walk *walk, const ap_directive_t *sibling, as_section_kind kind, const char *path)
{
    for (; sibling; sibling = sibling->next) {
        bool same;

        if (!is_of_kind(sibling, kind) || apr_hash_get(walk->seen, &sibling, sizeof(sibling))) {
            continue;
        }
        if (!strcmp(path, "*If")) {
            same = as_directive_begins_with(sibling, "<If") || as_directive_begins_with(sibling, "<Else");
        } else {
            same = !as_directive_begins_with(sibling, "<If") && is_same_path(make_path(walk->pool, sibling), path);
        }
        if (same) {
            apr_hash_set(walk->seen, apr_pmemdup(walk->pool, &sibling, sizeof(sibling)), sizeof(sibling), "");
            return sibling;
        }
    }
    return NULL;
}

static const ap_directive_t *find_host(const server_rec *s)
{
    const ap_directive_t *directive = ap_conftree;

    while (directive && !(is(directive, "<VirtualHost") && s->defn_name && !strcmp(directive->filename, s->defn_name) &&
                          directive->line_num == (int)s->defn_line_number)) {
        directive = directive->next;
    }
    return directive;
}

/* ---- the sections of a server ---- */

static as_section_ref *add_ref(as_walk *walk, as_section_kind kind, const server_rec *s, const as_section_ref *outer)
{
    as_section_ref *ref = apr_pcalloc(walk->pool, sizeof(*ref));

    ref->kind = kind;
    ref->server = s;
    ref->outer = outer;
    APR_ARRAY_PUSH(walk->refs, as_section_ref *) = ref;
    return ref;
}

static void add_within(as_walk *walk, const as_section_ref *outer, const apr_array_header_t *vectors);

static void add_section(as_walk *walk, as_section_kind kind, const as_section_ref *outer, ap_conf_vector_t *vector,
                        const ap_directive_t *siblings)
{
    const core_dir_config *core = ap_get_core_module_config(vector);
    as_section_ref *ref = add_ref(walk, kind, outer->server, outer);

    ref->vector = vector;
    if (core && core->d) {
        ref->section = match(walk, siblings, kind, core->d);
    }
    ref->first = ref->section ? ref->section->first_child : NULL;
    if (core) {
        add_within(walk, ref, core->sec_file);
        add_within(walk, ref, core->sec_if);
    }
}

static void add_within(as_walk *walk, const as_section_ref *outer, const apr_array_header_t *vectors)
{
    int i;

    for (i = 0; vectors && i < vectors->nelts; i++) {
        add_section(walk, AS_SECTION_WITHIN, outer, APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *), outer->first);
    }
}

/* Adds sections; those of the main server come first in a virtual host. */
static void add_sections(as_walk *walk, as_section_kind kind, const as_section_ref *server,
                         const apr_array_header_t *vectors, const apr_array_header_t *of_main)
{
    int i;

    for (i = 0; i < vectors->nelts; i++) {
        ap_conf_vector_t *vector = APR_ARRAY_IDX(vectors, i, ap_conf_vector_t *);
        bool inherited = walk->host && i < of_main->nelts && vector == APR_ARRAY_IDX(of_main, i, ap_conf_vector_t *);
        int first = walk->refs->nelts, j;

        add_section(walk, kind, server, vector, walk->host && !inherited ? walk->host->first_child : ap_conftree);
        for (j = first; j < walk->refs->nelts; j++) {
            APR_ARRAY_IDX(walk->refs, j, as_section_ref *)->inherited = inherited;
        }
    }
}

const apr_array_header_t *as_sections_list(apr_pool_t *pool, server_rec *main_server, server_rec *s)
{
    as_walk walk = {pool, main_server, s == main_server ? NULL : find_host(s), apr_hash_make(pool),
                    apr_array_make(pool, 16, sizeof(as_section_ref *))};
    const core_server_config *core = ap_get_core_module_config(s->module_config);
    const core_server_config *of_main = ap_get_core_module_config(main_server->module_config);
    const core_dir_config *defaults = ap_get_core_module_config(s->lookup_defaults);
    as_section_ref *server = add_ref(&walk, AS_SECTION_SERVER, s, NULL);

    server->vector = s->lookup_defaults;
    server->section = walk.host;
    server->first = walk.host ? walk.host->first_child : ap_conftree;
    if (s != main_server) {
        as_section_ref *outer = apr_pcalloc(pool, sizeof(*outer));
        outer->kind = AS_SECTION_SERVER;
        outer->server = main_server;
        outer->first = ap_conftree;
        server->outer = outer;
    }
    if (defaults) {
        add_within(&walk, server, defaults->sec_file);
        add_within(&walk, server, defaults->sec_if);
    }
    add_sections(&walk, AS_SECTION_DIRECTORY, server, core->sec_dir, of_main->sec_dir);
    add_sections(&walk, AS_SECTION_LOCATION, server, core->sec_url, of_main->sec_url);
    return walk.refs;
}

/* ---- the configuration in force ---- */

static const core_dir_config *get_core(const as_section_ref *ref)
{
    return ap_get_core_module_config(ref->vector);
}

/* Returns whether a section applies to all resources of `inner`, as httpd's walks compare. */
static bool contains(const as_section_ref *outer, const as_section_ref *inner)
{
    const core_dir_config *out = get_core(outer), *in = get_core(inner);
    size_t length;

    if (outer == inner) {
        return true;
    }
    if (outer->kind != inner->kind || !out || !in || !out->d || !in->d || in->r || in->d_is_fnmatch) {
        return false;
    }
    if (out->r) {
        return ap_regexec(out->r, in->d, 0, NULL, 0) == 0;
    }
    length = strlen(out->d);
    if (out->d_is_fnmatch || strncmp(out->d, in->d, length)) {
        return false;
    }
    return length == 0 || out->d[length - 1] == '/' || in->d[length] == '/' || in->d[length] == '\0';
}

bool as_sections_are_same(const as_section_ref *one, const as_section_ref *other)
{
    const core_dir_config *first = one->vector ? get_core(one) : NULL, *second = other->vector ? get_core(other) : NULL;

    return one == other || (one->kind == other->kind && one->kind != AS_SECTION_WITHIN && first && second && first->d &&
                            second->d && !strcmp(first->d, second->d) && !first->r == !second->r);
}

static int count_depth(const as_section_ref *ref)
{
    const core_dir_config *core = get_core(ref);

    /* Sections with expressions come after all others. */
    return core->r ? 1000000 : (int)core->d_components;
}

/* Sorts directories from the outermost to the innermost, as they apply. */
static void sort_directories(apr_array_header_t *chain, int from)
{
    int i, j;

    for (i = from + 1; i < chain->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(chain, i, const as_section_ref *);
        for (j = i; j > from && count_depth(APR_ARRAY_IDX(chain, j - 1, const as_section_ref *)) > count_depth(ref);
             j--) {
            APR_ARRAY_IDX(chain, j, const as_section_ref *) = APR_ARRAY_IDX(chain, j - 1, const as_section_ref *);
        }
        APR_ARRAY_IDX(chain, j, const as_section_ref *) = ref;
    }
}

const apr_array_header_t *as_sections_make_chain(apr_pool_t *pool, const apr_array_header_t *refs,
                                                 const as_section_ref *ref)
{
    apr_array_header_t *chain = apr_array_make(pool, 4, sizeof(const as_section_ref *));
    int i, from;

    if (ref->kind == AS_SECTION_WITHIN) {
        apr_array_cat(chain, as_sections_make_chain(pool, refs, ref->outer));
        APR_ARRAY_PUSH(chain, const as_section_ref *) = ref;
        return chain;
    }
    APR_ARRAY_PUSH(chain, const as_section_ref *) = APR_ARRAY_IDX(refs, 0, const as_section_ref *);
    from = chain->nelts;
    for (i = 1; i < refs->nelts && ref->kind != AS_SECTION_SERVER; i++) {
        const as_section_ref *other = APR_ARRAY_IDX(refs, i, const as_section_ref *);
        if (contains(other, ref)) {
            APR_ARRAY_PUSH(chain, const as_section_ref *) = other;
        }
    }
    if (ref->kind == AS_SECTION_DIRECTORY) {
        sort_directories(chain, from);
    }
    return chain;
}

const as_section *as_sections_merge_chain(apr_pool_t *pool, const apr_array_header_t *chain)
{
    void *section = as_section_create(pool, NULL);
    int i;

    for (i = 0; i < chain->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(chain, i, const as_section_ref *);
        void *own = ref->vector ? ap_get_module_config(ref->vector, &authstatus_module) : NULL;
        section = own ? as_section_merge(pool, section, own) : section;
    }
    return section;
}

/* Returns the last directive of that name; those in <Limit>, <RequireAll> and the like belong to the section itself. */
static const ap_directive_t *find_last(const ap_directive_t *directive, const char *name, const char *word)
{
    const ap_directive_t *found = NULL, *inner;

    for (; directive; directive = directive->next) {
        inner = as_directive_may_contain_require(directive) ? find_last(directive->first_child, name, word) : NULL;
        if (inner) {
            found = inner;
        } else if (is(directive, name) && !strncmp(directive->args, word, strlen(word))) {
            found = directive;
        }
    }
    return found;
}

const ap_directive_t *as_section_find_directive(const as_section_ref *ref, const char *name, const char *word)
{
    return find_last(ref->first, name, word ? word : "");
}

const ap_directive_t *as_sections_find_directive(const apr_array_header_t *chain, const char *name)
{
    const ap_directive_t *found = NULL;
    const as_section_ref *ref;
    int i;

    for (i = chain->nelts - 1; i >= 0 && !found; i--) {
        for (ref = APR_ARRAY_IDX(chain, i, const as_section_ref *); ref && !found;
             ref = ref->kind == AS_SECTION_SERVER ? ref->outer : NULL) {
            found = as_section_find_directive(ref, name, NULL);
        }
    }
    return found;
}

/* ---- descriptions ---- */

const char *as_section_make_name(apr_pool_t *pool, const as_section_ref *ref)
{
    const core_dir_config *core = ref->vector ? get_core(ref) : NULL;
    const server_rec *s = ref->server;

    if (ref->kind == AS_SECTION_SERVER) {
        const char *name = s->server_hostname ? s->server_hostname : "";
        const unsigned port = s->port || !s->addrs ? s->port : s->addrs->host_port;
        const char *text = apr_pstrcat(pool, s->is_virtual ? "virtual host " : "main server ", name, NULL);
        return port ? apr_psprintf(pool, "%s:%u", text, port) : text;
    }
    if (ref->section) {
        return apr_pstrcat(pool, ref->section->directive, " ", ref->section->args, NULL);
    }
    return apr_psprintf(pool, "a section of \"%s\"", core && core->d ? core->d : "");
}

const char *as_section_describe_source(apr_pool_t *pool, const as_section_ref *ref)
{
    return ref->section ? apr_psprintf(pool, "%s:%d", ref->section->filename, ref->section->line_num) : "";
}

const char *as_sections_find_handler(apr_pool_t *pool, const apr_array_header_t *chain)
{
    const ap_directive_t *handler = as_sections_find_directive(chain, "SetHandler");
    const char *arguments = handler ? handler->args : "", *name = ap_getword_conf(pool, &arguments);

    return strncmp(name, "authstatus", strlen("authstatus")) ? NULL : name;
}
