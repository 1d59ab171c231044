/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as it was before its first hook, so that it can go its way a second time.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

/* What hooks set in a request, and nothing that its connection or its body has a part in. X(member) */
#define AS_SNAPSHOT_MEMBERS(X)                                                                                         \
    X(status)                                                                                                          \
    X(status_line)                                                                                                     \
    X(proxyreq)                                                                                                        \
    X(allowed)                                                                                                         \
    X(mtime)                                                                                                           \
    X(range)                                                                                                           \
    X(clength)                                                                                                         \
    X(chunked)                                                                                                         \
    X(content_type)                                                                                                    \
    X(handler)                                                                                                         \
    X(content_encoding)                                                                                                \
    X(content_languages)                                                                                               \
    X(vlist_validator)                                                                                                 \
    X(user)                                                                                                            \
    X(ap_auth_type)                                                                                                    \
    X(uri)                                                                                                             \
    X(filename)                                                                                                        \
    X(canonical_filename)                                                                                              \
    X(path_info)                                                                                                       \
    X(args)                                                                                                            \
    X(used_path_info)                                                                                                  \
    X(eos_sent)                                                                                                        \
    X(per_dir_config)                                                                                                  \
    X(log)                                                                                                             \
    X(htaccess)                                                                                                        \
    X(output_filters)                                                                                                  \
    X(input_filters)                                                                                                   \
    X(no_cache)                                                                                                        \
    X(no_local_copy)                                                                                                   \
    X(parsed_uri)                                                                                                      \
    X(finfo)

#define AS_SNAPSHOT_TABLES(X)                                                                                          \
    X(headers_in)                                                                                                      \
    X(headers_out)                                                                                                     \
    X(err_headers_out)                                                                                                 \
    X(subprocess_env)                                                                                                  \
    X(notes)

struct as_snapshot {
    request_rec r; /* only the members above are filled in */
    core_request_config core;
    char *path;                   /* httpd decodes parsed_uri.path in place */
    ap_conf_vector_t *of_modules; /* what each had in request_config */
};

/* Walk caches are found by how often a request has been walked: a second way begins anew. */
static void forget_walks(request_rec *r)
{
    apr_size_t note;

    for (note = 0; note < AP_NUM_STD_NOTES; note++) {
        *ap_get_request_note(r, note) = NULL;
    }
}

/* Ours stays what it is; the core's is a struct that is kept by value. */
static void copy_of_modules(ap_conf_vector_t *to, const ap_conf_vector_t *from)
{
    module *m;

    for (m = ap_top_module; m; m = m->next) {
        if (m != &authstatus_module && m != &core_module) {
            ap_set_module_config(to, m, ap_get_module_config(from, m));
        }
    }
}

static void copy_methods(request_rec *r, ap_method_list_t *methods)
{
    r->allowed_methods = ap_make_method_list(r->pool, 2);
    ap_copy_method_list(r->allowed_methods, methods);
}

as_snapshot *as_snapshot_take(request_rec *r)
{
    as_snapshot *kept = apr_pcalloc(r->pool, sizeof(*kept));

#define AS_KEEP(member) kept->r.member = r->member;
    AS_SNAPSHOT_MEMBERS(AS_KEEP)
#undef AS_KEEP
#define AS_KEEP(table) kept->r.table = apr_table_copy(r->pool, r->table);
    AS_SNAPSHOT_TABLES(AS_KEEP)
#undef AS_KEEP
    kept->r.allowed_methods = r->allowed_methods;
    copy_methods(r, kept->r.allowed_methods);
    kept->core = *(core_request_config *)ap_get_core_module_config(r->request_config);
    kept->path = apr_pstrdup(r->pool, r->parsed_uri.path);
    kept->of_modules = ap_create_request_config(r->pool);
    copy_of_modules(kept->of_modules, r->request_config);
    return kept;
}

void as_snapshot_restore(request_rec *r, const as_snapshot *kept)
{
    core_request_config *core = ap_get_core_module_config(r->request_config);

#define AS_KEEP(member) r->member = kept->r.member;
    AS_SNAPSHOT_MEMBERS(AS_KEEP)
#undef AS_KEEP
#define AS_KEEP(table) r->table = apr_table_copy(r->pool, kept->r.table);
    AS_SNAPSHOT_TABLES(AS_KEEP)
#undef AS_KEEP
    copy_methods(r, kept->r.allowed_methods);
    if (kept->path) {
        r->uri = r->parsed_uri.path = apr_pstrdup(r->pool, kept->path);
    }
    core->document_root = kept->core.document_root;
    core->context_document_root = kept->core.context_document_root;
    core->context_prefix = kept->core.context_prefix;
    core->response_code_strings = kept->core.response_code_strings;
    core->deliver_script = kept->core.deliver_script;
    core->suppress_charset = kept->core.suppress_charset;
    copy_of_modules(r->request_config, kept->of_modules);
    forget_walks(r);
}

const char *as_snapshot_path(const as_snapshot *kept)
{
    return kept->path;
}
