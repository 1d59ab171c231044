/* SPDX-License-Identifier: Apache-2.0
 *
 * A module for tests of the mask: counts how often a request is walked, and leaves its trace in each place in which a
 * module may leave one, in each early hook. What it finds there at the beginning of a walk goes into a header of the
 * answer, X-Walker, and what differs from the beginning of the first walk into X-Changed; how often a request was
 * walked goes into the error log, at the end.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <apr_strings.h>
#include <string.h>

module AP_MODULE_DECLARE_DATA walker_module;

#define NAME "walker"

static apr_status_t pass_on(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    return ap_pass_brigade(filter->next, brigade);
}

static apr_status_t read_on(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t octets)
{
    return ap_get_brigade(filter->next, brigade, mode, block, octets);
}

static int has_filter(const ap_filter_t *filter)
{
    while (filter && strcmp(filter->frec->name, NAME)) {
        filter = filter->next;
    }
    return filter != NULL;
}

static const char *found(request_rec *r)
{
    void *data = NULL;

    apr_pool_userdata_get(&data, NAME, r->pool);
    return apr_psprintf(
        r->pool, "pool=%d notes=%d config=%d env=%d in=%d out=%d err=%d output=%d input=%d args=%d hidden=%d",
        data != NULL, apr_table_get(r->notes, NAME) != NULL,
        ap_get_module_config(r->request_config, &walker_module) != NULL, apr_table_get(r->subprocess_env, NAME) != NULL,
        apr_table_get(r->headers_in, NAME) != NULL, apr_table_get(r->headers_out, NAME) != NULL,
        apr_table_get(r->err_headers_out, NAME) != NULL, has_filter(r->output_filters), has_filter(r->input_filters),
        r->args && strstr(r->args, NAME) ? 1 : 0, apr_table_get(r->connection->notes, NAME "-hidden") != NULL);
}

/* ---- all that a request has ---- */

static const char *describe_table(apr_pool_t *pool, const char *name, const apr_table_t *table)
{
    const apr_array_header_t *fields = apr_table_elts(table);
    const char *text = apr_pstrcat(pool, name, "{", NULL);
    int i;

    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        text = apr_pstrcat(pool, text, field->key, ": ", field->val, "; ", NULL);
    }
    return apr_pstrcat(pool, text, "} ", NULL);
}

static const char *describe_filters(apr_pool_t *pool, const char *name, const ap_filter_t *filter)
{
    const char *text = apr_pstrcat(pool, name, "[", NULL);

    for (; filter; filter = filter->next) {
        text = apr_pstrcat(pool, text, filter->frec->name, " ", NULL);
    }
    return apr_pstrcat(pool, text, "] ", NULL);
}

static const char *or_none(const char *text)
{
    return text ? text : "(none)";
}

static const char *describe_members(request_rec *r)
{
    return apr_psprintf(r->pool,
                        "user=%s type=%s handler=%s content=%s encoding=%s args=%s file=%s info=%s method=%s line=%s "
                        "protocol=%s host=%s status=%d/%s address=%s no_cache=%d no_local_copy=%d allowed=%d "
                        "header_only=%d used=%d length=%d mtime=%d found=%d client=%s double=%d range=%s",
                        or_none(r->user), or_none(r->ap_auth_type), or_none(r->handler), or_none(r->content_type),
                        or_none(r->content_encoding), or_none(r->args), or_none(r->filename), or_none(r->path_info),
                        r->method, r->the_request, r->protocol, or_none(r->hostname), r->status,
                        or_none(r->status_line), r->useragent_ip, r->no_cache, r->no_local_copy, (int)r->allowed,
                        r->header_only, r->used_path_info, (int)r->clength, (int)r->mtime, (int)r->finfo.filetype,
                        or_none(r->connection->remote_host), r->connection->double_reverse, or_none(r->range));
}

/* But for the URL, which is the decoy's. */
static const char *describe(request_rec *r)
{
    apr_pool_t *pool = r->pool;

    return apr_pstrcat(
        pool, describe_table(pool, "headers_in", r->headers_in), describe_table(pool, "headers_out", r->headers_out),
        describe_table(pool, "err_headers_out", r->err_headers_out),
        describe_table(pool, "subprocess_env", r->subprocess_env), describe_table(pool, "notes", r->notes),
        describe_table(pool, "trailers_in", r->trailers_in), describe_table(pool, "trailers_out", r->trailers_out),
        describe_table(pool, "connection", r->connection->notes), describe_filters(pool, "output", r->output_filters),
        describe_filters(pool, "proto_output", r->proto_output_filters),
        describe_filters(pool, "input", r->input_filters),
        describe_filters(pool, "proto_input", r->proto_input_filters), describe_members(r), NULL);
}

/* ---- traces ---- */

/* Changes a field of the client's in its place, removes another, and adds to a third. */
static void change_fields(request_rec *r)
{
    const apr_array_header_t *fields = apr_table_elts(r->headers_in);
    int i;

    for (i = 0; i < fields->nelts; i++) {
        apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        if (!strcmp(field->key, "X-Sent")) {
            field->val = (char *)"changed";
        }
    }
    apr_table_unset(r->headers_in, "X-Gone");
    apr_table_merge(r->headers_in, "X-Merged", NAME);
    apr_table_set(r->headers_in, "X-Set", NAME);
}

/* Puts other tables in the place of the request's. */
static void replace_tables(request_rec *r)
{
    r->headers_in = apr_table_copy(r->pool, r->headers_in);
    r->headers_out = apr_table_copy(r->pool, r->headers_out);
    r->err_headers_out = apr_table_copy(r->pool, r->err_headers_out);
    r->subprocess_env = apr_table_copy(r->pool, r->subprocess_env);
    r->notes = apr_table_copy(r->pool, r->notes);
}

static void remove_filter(request_rec *r, const char *name)
{
    ap_filter_t *filter = r->output_filters;

    while (filter && ap_cstr_casecmp(filter->frec->name, name)) {
        filter = filter->next;
    }
    if (filter) {
        ap_remove_output_filter(filter);
    }
}

static void change_members(request_rec *r)
{
    r->user = r->ap_auth_type = apr_pstrdup(r->pool, NAME);
    r->content_encoding = NAME;
    r->no_cache = r->no_local_copy = 1;
    r->allowed |= AP_METHOD_BIT << M_PATCH;
    r->mtime = 1;
    r->clength = 1;
    r->range = NAME;
    r->connection->remote_host = apr_pstrdup(r->connection->pool, NAME ".example");
    r->connection->double_reverse = -1;
}

static void leave(request_rec *r)
{
    change_fields(r);
    change_members(r);
    remove_filter(r, "CONTENT_LENGTH");
    apr_pool_userdata_set(NAME, NAME, NULL, r->pool);
    ap_set_module_config(r->request_config, &walker_module, (void *)NAME);
    apr_table_setn(r->notes, NAME, NAME);
    apr_table_addn(r->connection->notes, NAME, NAME);
    apr_table_setn(r->subprocess_env, NAME, NAME);
    apr_table_setn(r->headers_in, NAME, NAME);
    apr_table_setn(r->headers_out, NAME, NAME);
    apr_table_setn(r->err_headers_out, NAME, NAME);
    ap_add_output_filter(NAME, NULL, r, r->connection);
    ap_add_input_filter(NAME, NULL, r, r->connection);
    r->args = apr_pstrcat(r->pool, r->args ? r->args : "", "&" NAME, NULL);
}

/* Returns what is remembered of a connection's request: it outlives the walks. */
static apr_table_t *get_memory(conn_rec *c)
{
    void *memory = NULL;

    apr_pool_userdata_get(&memory, NAME "-memory", c->pool);
    if (!memory) {
        memory = apr_table_make(c->pool, 4);
        apr_pool_userdata_setn(memory, NAME "-memory", NULL, c->pool);
    }
    return memory;
}

/* Returns the name of what is remembered about this request. */
static const char *make_name(const request_rec *r)
{
    apr_pool_t *pool = r->pool;
    int depth = 0;

    for (; r->prev; r = r->prev) {
        depth++;
    }
    return apr_psprintf(pool, NAME "%d", depth);
}

/* Returns what differs from the first walk of this request. */
static const char *compare(request_rec *r)
{
    apr_table_t *memory = get_memory(r->connection);
    const char *now = describe(r), *name = make_name(r), *first = apr_table_get(memory, name);

    if (!first) {
        apr_table_set(memory, name, now);
    }
    return !first || !strcmp(first, now) ? "no" : apr_psprintf(r->pool, "from %s to %s", first, now);
}

/* A request, and what it had at its arrival. */
typedef struct arrival {
    request_rec *r;
    const ap_conf_vector_t *request_config;
} arrival;

/* Cleans up after a request, as modules do that need it for that: what it has must still exist. */
static apr_status_t clean_up(void *data)
{
    const arrival *arrived = data;
    const request_rec *r = arrived->r;

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server, "cleanup=%s of %s",
                 r->request_config == arrived->request_config ? "arrived" : "pass", r->unparsed_uri);
    return APR_SUCCESS;
}

static void register_cleanup(request_rec *r)
{
    arrival *arrived = apr_palloc(r->pool, sizeof(*arrived));

    arrived->r = r;
    arrived->request_config = r->request_config;
    apr_pool_cleanup_register(r->pool, arrived, clean_up, apr_pool_cleanup_null);
}

static int begin(request_rec *r)
{
    const char *walks = apr_table_get(get_memory(r->connection), NAME), *state, *difference;

    if (r->main) {
        return DECLINED;
    }
    state = found(r);
    difference = compare(r);
    leave(r);
    if (strstr(r->uri, "secret")) {
        apr_table_setn(r->connection->notes, NAME "-hidden", NAME);
    }
    if (!r->prev) {
        if (!walks) {
            register_cleanup(r);
        }
        apr_table_setn(r->err_headers_out, "X-Walker", state);
        apr_table_set(get_memory(r->connection), NAME, apr_itoa(r->pool, walks ? atoi(walks) + 1 : 1));
    }
    apr_table_addn(r->err_headers_out, "X-Changed", difference);
    return DECLINED;
}

static int go_on(request_rec *r)
{
    if (!r->main) {
        replace_tables(r);
        leave(r);
    }
    return DECLINED;
}

static int end(request_rec *r)
{
    apr_table_t *memory = get_memory(r->connection);
    const char *walks = apr_table_get(memory, NAME);

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server, "walks=%s of %s", walks ? walks : "0", r->unparsed_uri);
    apr_table_unset(memory, NAME);
    for (; r; r = r->next) {
        apr_table_unset(memory, make_name(r));
    }
    return DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    /* In front of and behind what other filters of a request there are. */
    ap_register_output_filter(NAME, pass_on, NULL, AP_FTYPE_PROTOCOL + 3);
    ap_register_input_filter(NAME, read_on, NULL, AP_FTYPE_PROTOCOL + 3);
    ap_hook_translate_name(begin, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(go_on, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_perdir_config(go_on, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_header_parser(go_on, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access(go_on, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_type_checker(go_on, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(go_on, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(end, NULL, NULL, APR_HOOK_LAST);
}

AP_DECLARE_MODULE(walker) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
                             AP_MODULE_FLAG_NONE};
