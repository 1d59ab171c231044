/* SPDX-License-Identifier: Apache-2.0
 *
 * A request at its arrival, and a pass that starts from it. A pass has a pool, tables, a configuration vector and
 * filters of its own, so the state of an earlier pass (pool userdata, notes, walk caches, filters) does not exist in
 * it. The lists in this file name the data that is handed over; nothing is cleaned up.
 */
#include "passes.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

/* From pass to pass: how far the body was read, which cannot be undone, and the id of the request's log lines.
 * X(member) */
#define AS_HANDED_OVER(X)                                                                                              \
    X(read_body)                                                                                                       \
    X(read_chunked)                                                                                                    \
    X(remaining)                                                                                                       \
    X(read_length)                                                                                                     \
    X(expecting_100)                                                                                                   \
    X(body_table)                                                                                                      \
    X(trailers_in)                                                                                                     \
    X(log_id)

/* Most requests arrive with all of these empty. X(table) */
#define AS_OTHER_TABLES(X)                                                                                             \
    X(headers_out)                                                                                                     \
    X(err_headers_out)                                                                                                 \
    X(subprocess_env)                                                                                                  \
    X(notes)

/* More filters than any request starts with. */
#define FILTERS_MAX 16

/* The filters of a request: those before its connection's. The structs are the request's own and live as long. */
typedef struct chain {
    ap_filter_t *filters[FILTERS_MAX];
    ap_filter_t *connection; /* the first one of the connection */
    int count;
} chain;

struct as_snapshot {
    as_own own; /* not part of what is saved */
    request_rec r;
    as_client_names names;
    core_request_config core;
    chain output, input;
    int count_of_headers_in;
    int others;        /* entries of other tables; 0, of most requests: of what depends on them nothing is set */
    bool has_trailers; /* it is a redirect, and its header has had them merged */
    int count_of_connection_notes;
#define AS_TABLE(table) int count_of_##table;
    AS_OTHER_TABLES(AS_TABLE)
#undef AS_TABLE
    void *modules[1]; /* modules_end of them: results of post_read_request hooks in request_config. Behind them the
                       * entries of all tables, in their order, and of the connection's notes */
};

/* Members of a vector of configurations in use, and the core's own create_request. Set before requests come. */
static int modules_end;
/* No constants: what a compiler makes of a struct's assignment is slower than memcpy. */
static apr_size_t size_of_request, size_of_modules, size_of_fixed;
static int (*create_core)(request_rec *r);

void as_snapshot_post_config(void)
{
    const apr_array_header_t *hooks = ap_hook_get_create_request();
    const module *each;
    int i;

    modules_end = 1;
    for (each = ap_top_module; each; each = each->next) {
        modules_end = each->module_index >= modules_end ? each->module_index + 1 : modules_end;
    }
    size_of_request = sizeof(request_rec);
    size_of_modules = (apr_size_t)modules_end * sizeof(void *);
    size_of_fixed = offsetof(as_snapshot, modules) + size_of_modules;
    create_core = NULL;
    for (i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_create_request_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_create_request_t);
        create_core = strcmp(hook->szName, "core.c") ? create_core : hook->pFunc;
    }
}

/* Returns those of a connection. The texts are the connection's. */
static inline as_client_names get_client_names(const conn_rec *c)
{
    const as_client_names names = {
        .host = c->remote_host, .logname = c->remote_logname, .double_reverse = c->double_reverse};

    return names;
}

static void set_client_names(conn_rec *c, const as_client_names *names)
{
    c->remote_host = names->host;
    c->remote_logname = names->logname;
    c->double_reverse = names->double_reverse;
}

/* httpd's own notes: a pass does not undo them. They say how the connection ends, and which password was hashed last.
 */
static const char *const notes_of_httpd[] = {"short-lingering-close", "conn_cache_note"};

#define NOTES_OF_HTTPD (sizeof(notes_of_httpd) / sizeof(*notes_of_httpd))

/* Restores the entries of the connection's notes in their place: modules may hold that table. What they say is the
 * connection's. */
static AS_RARELY void replace_connection_notes(apr_table_t *notes, const apr_table_entry_t *entries, int count)
{
    const char *values[NOTES_OF_HTTPD];
    apr_size_t i;
    int each;

    for (i = 0; i < NOTES_OF_HTTPD; i++) {
        values[i] = apr_table_get(notes, notes_of_httpd[i]);
    }
    apr_table_clear(notes);
    for (each = 0; each < count; each++) {
        apr_table_addn(notes, entries[each].key, entries[each].val);
    }
    for (i = 0; i < NOTES_OF_HTTPD; i++) {
        if (values[i]) {
            apr_table_setn(notes, notes_of_httpd[i], values[i]);
        }
    }
}

static void restore_connection_notes(conn_rec *c, const apr_table_entry_t *entries, int count)
{
    if (count || !apr_is_empty_table(c->notes)) {
        replace_connection_notes(c->notes, entries, count);
    }
}

as_connection_state as_connection_state_get(apr_pool_t *pool, const conn_rec *c)
{
    const as_connection_state state = {.names = get_client_names(c),
                                       .notes = apr_is_empty_table(c->notes) ? NULL : apr_table_copy(pool, c->notes)};

    return state;
}

void as_connection_state_set(conn_rec *c, const as_connection_state *state)
{
    const apr_array_header_t *entries = state->notes ? apr_table_elts(state->notes) : NULL;

    set_client_names(c, &state->names);
    restore_connection_notes(c, entries ? (const apr_table_entry_t *)(const void *)entries->elts : NULL,
                             entries ? entries->nelts : 0);
}

static inline void keep_chain(chain *kept, ap_filter_t *filter, const ap_filter_t *connection)
{
    int i;

#pragma GCC unroll 16
    for (i = 0; i < FILTERS_MAX; i++) {
        if (!filter || filter == connection) {
            break;
        }
        kept->filters[i] = filter;
        filter = filter->next;
    }
    kept->count = i;
    kept->connection = filter;
}

/* Returns the array of a table, with which it begins, as APR promises (apr_is_empty_table). */
static const apr_array_header_t *get_entries(const apr_table_t *table)
{
    return (const apr_array_header_t *)table;
}

/* Copies without the check of a known size (_FORTIFY_SOURCE), for each copy here is as long as what was allocated for
 * it: the checks would take a tenth of the time of a snapshot. */
#define COPY(to, from, size) __builtin_memcpy((to), (from), (size))

/* Copies the entries of a table. Returns the octet behind the copy. */
static inline char *keep_entries(char *next, const apr_array_header_t *entries)
{
    const apr_size_t size = (apr_size_t)entries->nelts * sizeof(apr_table_entry_t);

    return (char *)COPY(next, entries->elts, size) + size;
}

/* Keeps the entries of the tables that are empty for most requests. */
static AS_RARELY void keep_others(as_snapshot *kept, const request_rec *r, char *next)
{
    kept->has_trailers = get_entries(r->trailers_in)->nelts != 0;
#define AS_TABLE(table)                                                                                                \
    kept->count_of_##table = get_entries(r->table)->nelts;                                                             \
    next = keep_entries(next, get_entries(r->table));
    AS_OTHER_TABLES(AS_TABLE)
#undef AS_TABLE
    kept->count_of_connection_notes = get_entries(r->connection->notes)->nelts;
    keep_entries(next, get_entries(r->connection->notes));
}

as_snapshot *as_snapshot_make(const request_rec *r)
{
    const int sent = get_entries(r->headers_in)->nelts;
    int others = get_entries(r->connection->notes)->nelts + get_entries(r->trailers_in)->nelts;
    as_snapshot *kept;
    char *next;

#define AS_TABLE(table) others += get_entries(r->table)->nelts;
    AS_OTHER_TABLES(AS_TABLE)
#undef AS_TABLE
    kept = apr_palloc(r->pool, size_of_fixed + (apr_size_t)(sent + others) * sizeof(apr_table_entry_t));
    kept->count_of_headers_in = sent;
    next = keep_entries((char *)kept + size_of_fixed, get_entries(r->headers_in));
    if (others) {
        keep_others(kept, r, next);
    }
    kept->others = others;
    COPY(&kept->r, r, size_of_request);
    COPY(kept->modules, r->request_config, size_of_modules);
    kept->names = get_client_names(r->connection);
    kept->core = *(const core_request_config *)ap_get_core_module_config(r->request_config);
    keep_chain(&kept->output, r->output_filters, r->connection->output_filters);
    keep_chain(&kept->input, r->input_filters, r->connection->input_filters);
    return kept;
}

/* By then httpd has found the request's <Location>, with its LogLevel, and mod_proxy its ProxyPass, where that is
 * mapped before the path is decoded. */
static const char *const notes_of_proxy[] = {"proxy-nocanon", "proxy-noquery", "proxy-noencode"};

as_snapshot *as_snapshot_make_late(const request_rec *r)
{
    as_snapshot *kept;
    apr_size_t i;

    for (i = 0; i < sizeof(notes_of_proxy) / sizeof(*notes_of_proxy); i++) {
        apr_table_unset(r->notes, notes_of_proxy[i]);
    }
    kept = as_snapshot_make(r);
    kept->r.per_dir_config = r->server->lookup_defaults;
    kept->r.log = NULL;
    kept->r.filename = NULL;
    kept->r.handler = NULL;
    kept->r.proxyreq = PROXYREQ_NONE;
    return kept;
}

static apr_table_t *make_table(apr_pool_t *pool, const apr_table_entry_t *entries, int count)
{
    apr_table_t *table = apr_table_make(pool, count + 8);
    int i;

    for (i = 0; i < count; i++) {
        apr_table_addn(table, entries[i].key, entries[i].val);
    }
    return table;
}

/* Links the filters as they were. They are handed over, for an input filter knows how far the body was read, and a
 * request that was redirected shares its filters with the one before it. */
static ap_filter_t *link_chain(request_rec *r, const chain *kept, const ap_filter_t *old_protocol,
                               ap_filter_t **protocol)
{
    ap_filter_t *next = kept->connection;
    int i;

    *protocol = next;
    for (i = kept->count - 1; i >= 0; i--) {
        ap_filter_t *filter = kept->filters[i];
        filter->next = next;
        filter->r = r;
        next = filter;
        if (kept->filters[i] == old_protocol) {
            *protocol = filter;
        }
    }
    return next;
}

static void create_request_config(request_rec *r, const as_snapshot *kept)
{
    core_request_config *core, fresh;

    r->request_config = ap_create_request_config(r->pool);
    memcpy(r->request_config, kept->modules, size_of_modules);
    /* Made after the request was saved. */
    ap_set_module_config(r->request_config, &authstatus_module,
                         ap_get_module_config(kept->r.request_config, &authstatus_module));
    create_core(r);
    core = ap_get_core_module_config(r->request_config);
    fresh = *core;
    *core = kept->core;
    core->notes = fresh.notes;
    core->bb = fresh.bb;
}

/* Returns whether httpd's filter has begun to read the body. Any other filter: true. */
static bool is_body_begun(const as_snapshot *kept)
{
    int i;

    for (i = 0; i < kept->input.count; i++) {
        if (!ap_cstr_casecmp(kept->input.filters[i]->frec->name, "http_in")) {
            return kept->input.filters[i]->ctx != NULL;
        }
    }
    return true;
}

/* mod_auth_form sets an empty kept_body without having read one that is no form. A handler would read that one, and
 * httpd the body as the connection's next request. */
void as_snapshot_forget_unread_body(request_rec *r, const as_snapshot *kept)
{
    if (!is_body_begun(kept)) {
        r->kept_body = kept->r.kept_body;
    }
}

/* Adds the trailers that an earlier pass read, as httpd does when it reads them. */
static void merge_trailers(request_rec *r, const as_snapshot *kept)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);

    if (core->merge_trailers == AP_MERGE_TRAILERS_ENABLE && !(kept->others && kept->has_trailers) &&
        !apr_is_empty_table(r->trailers_in)) {
        r->headers_in = apr_table_overlay(r->pool, r->headers_in, r->trailers_in);
    }
}

/* A pass of a request, which is known by its configuration vector. */
typedef struct pass_end {
    request_rec *r;
    const as_snapshot *kept;
    const ap_conf_vector_t *request_config;
} pass_end;

/* Gives the request what it had at its arrival, if it is this pass: the pass's pool ends before the cleanups of the
 * request's own pool, which may use the request. */
static apr_status_t end_pass(void *data)
{
    const pass_end *end = data;
    request_rec *r = end->r;
    const int status = r->status;

    if (r->request_config == end->request_config) {
        *r = end->kept->r;
        r->status = status;
    }
    return APR_SUCCESS;
}

/* Call it before modules register cleanups with the pass's pool: these are called first. */
static void register_end(request_rec *r, const as_snapshot *kept)
{
    pass_end *end = apr_palloc(r->pool, sizeof(*end));

    end->r = r;
    end->kept = kept;
    end->request_config = r->request_config;
    apr_pool_cleanup_register(r->pool, end, end_pass, apr_pool_cleanup_null);
}

apr_status_t as_snapshot_begin(request_rec *r, const as_snapshot *kept, as_pass_reach reach)
{
    const apr_table_entry_t *entries = (const apr_table_entry_t *)((const char *)kept + size_of_fixed);
    request_rec fresh = kept->r;
    apr_status_t status = create_core ? apr_pool_create(&fresh.pool, kept->r.pool) : APR_EGENERAL;
    int count;

    if (status != APR_SUCCESS) {
        return status;
    }
#define AS_MEMBER(member) fresh.member = r->member;
    AS_HANDED_OVER(AS_MEMBER)
#undef AS_MEMBER
    fresh.headers_in = make_table(fresh.pool, entries, kept->count_of_headers_in);
    entries += kept->count_of_headers_in;
#define AS_TABLE(table)                                                                                                \
    count = kept->others ? kept->count_of_##table : 0;                                                                 \
    fresh.table = make_table(fresh.pool, entries, count);                                                              \
    entries += count;
    AS_OTHER_TABLES(AS_TABLE)
#undef AS_TABLE
    fresh.allowed_methods = ap_make_method_list(fresh.pool, 2);
    fresh.trailers_out = apr_table_make(fresh.pool, 2);
    *r = fresh;
    merge_trailers(r, kept);
    set_client_names(r->connection, &kept->names);
    restore_connection_notes(r->connection, entries, kept->others ? kept->count_of_connection_notes : 0);
    if (reach == AS_PASS_CONNECTED) {
        r->output_filters = link_chain(r, &kept->output, kept->r.proto_output_filters, &r->proto_output_filters);
        r->input_filters = link_chain(r, &kept->input, kept->r.proto_input_filters, &r->proto_input_filters);
    } else {
        as_mask_isolate(r);
    }
    create_request_config(r, kept);
    register_end(r, kept);
    if (r->unparsed_uri) {
        /* httpd decodes a path in its own buffer. Host and port are those that it has found in the header. */
        ap_parse_uri(r, r->unparsed_uri);
        fresh.parsed_uri.path = r->parsed_uri.path;
        fresh.parsed_uri.query = r->parsed_uri.query;
        r->parsed_uri = fresh.parsed_uri;
        r->status = kept->r.status;
        r->hostname = kept->r.hostname;
        r->filename = kept->r.filename;
        r->uri = kept->r.proxyreq ? kept->r.uri : r->uri;
    }
    return APR_SUCCESS;
}

struct as_pass {
    request_rec r;
    as_connection_state connection;
    chain output, input;
};

as_pass *as_snapshot_save_pass(const request_rec *r, const as_snapshot *kept)
{
    as_pass *pass = apr_palloc(kept->r.pool, sizeof(*pass));

    pass->r = *r;
    pass->connection = as_connection_state_get(kept->r.pool, r->connection);
    keep_chain(&pass->output, r->output_filters, r->connection->output_filters);
    keep_chain(&pass->input, r->input_filters, r->connection->input_filters);
    return pass;
}

void as_snapshot_restore_pass(request_rec *r, const as_pass *pass)
{
    request_rec again = pass->r;

#define AS_MEMBER(member) again.member = r->member;
    AS_HANDED_OVER(AS_MEMBER)
#undef AS_MEMBER
    *r = again;
    as_connection_state_set(r->connection, &pass->connection);
    r->output_filters = link_chain(r, &pass->output, pass->r.proto_output_filters, &r->proto_output_filters);
    r->input_filters = link_chain(r, &pass->input, pass->r.proto_input_filters, &r->proto_input_filters);
}

char *as_snapshot_make_path(const request_rec *r)
{
    const char *uri = r->unparsed_uri;
    apr_uri_t parsed;

    if (!uri) {
        return NULL;
    }
    /* As ap_parse_uri does: this is not a host. */
    while (uri[0] == '/' && uri[1] == '/') {
        uri++;
    }
    return apr_uri_parse(r->pool, uri, &parsed) == APR_SUCCESS ? parsed.path : NULL;
}

void as_snapshot_end(request_rec *r, const as_snapshot *kept)
{
    r->pool = kept->r.pool;
}
