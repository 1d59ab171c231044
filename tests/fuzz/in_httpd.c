/* SPDX-License-Identifier: Apache-2.0
 *
 * What needs httpd has the real one: this is a module with all of mod_authstatus in it. httpd -t, once it has read its
 * configuration, runs the target that AUTHSTATUS_FUZZ_TARGET names:
 *
 *   directive  a line of the configuration: one of our directives and its arguments
 *   accept     the value of an Accept field
 *   path       the path of a resource that is masked
 *
 * AUTHSTATUS_FUZZ_ARGUMENTS, words, are libFuzzer's where there is one (WITH_LIBFUZZER); else the files to replay.
 */
#define AUTHSTATUS_REPLAY_MAIN replay_main
#include "httpd/answer/error_body.c"

#include <http_config.h>

#include "fuzz.h"
#include "httpd/mask/decoy.h"

#ifdef WITH_LIBFUZZER
/* httpd's own reader of expressions ends the process where it does not know what to do. */
#define IS_OF_HTTPD(arguments) (strstr(arguments, "expr=") != NULL)
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t size));
#else
#define IS_OF_HTTPD(arguments) false
#include "replay.c"
#endif

static server_rec *server;
static const char *chosen;

/* ---- directive ---- */

/* A server as at its start. */
static server_rec *new_server(apr_pool_t *pool)
{
    server_rec *fresh = apr_pmemdup(pool, server, sizeof(*fresh));

    fresh->module_config = ap_create_request_config(pool); /* an empty one of the right size */
    ap_set_core_module_config(fresh->module_config, ap_get_core_module_config(server->module_config));
    ap_set_module_config(fresh->module_config, &authstatus_module, as_server_create(pool, fresh));
    return fresh;
}

/* What is taken must be of use: a section that has it can be merged, and its directory be queried. */
static void check_section(apr_pool_t *pool, ap_conf_vector_t *vector, server_rec *fresh)
{
    as_section *taken = ap_get_module_config(vector, &authstatus_module);
    as_section *merged = as_section_merge(pool, as_section_create(pool, NULL), taken);
    const as_directory_source source = as_directory_source_find(merged, fresh, NULL);
    const as_directory_settings *directory = as_section_make_directory(&source, pool);
    as_directory_limits limits = as_server_get_limits(as_server_get(fresh), 16);

    must(directory == NULL || as_directory_compute_fingerprint(pool, directory) != NULL);
    must(limits.in_flight > 0 && limits.breaker_failures > 0 && limits.breaker_time > 0);
    must(as_section_get_deadline(merged) > 0);
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        short status = merged->map.outcome[i];
        must(status == 0 ||
             (as_verdict_takes_status(status) && as_outcome_describe((as_outcome)i)->of != AS_CLASS_GRANTED));
    }
}

static void run_directive(apr_pool_t *pool, char *line)
{
    const char *name = line + strspn(line, " \t"), *wrong;
    char *end = line + (name - line) + strcspn(name, " \t");
    ap_directive_t *directive = apr_pcalloc(pool, sizeof(*directive));
    server_rec *fresh = new_server(pool);
    ap_conf_vector_t *vector = ap_create_per_dir_config(pool);
    cmd_parms parms = {.pool = pool, .temp_pool = pool, .server = fresh, .override = RSRC_CONF | OR_ALL};

    directive->args = *end ? end + 1 : "";
    *end = '\0';
    directive->directive = name;
    directive->filename = "fuzz";
    /* Others' directives are theirs, and no program is run. */
    if (!ap_find_command(name, as_directives) || strstr(directive->args, "exec:") || IS_OF_HTTPD(directive->args)) {
        return;
    }
    ap_set_module_config(vector, &authstatus_module, as_section_create(pool, NULL));
    wrong = ap_walk_config(directive, &parms, vector);
    if (wrong) {
        must(strncasecmp(wrong, name, strlen(name)) == 0); /* it names the directive */
    } else {
        check_section(pool, vector, fresh);
    }
}

/* ---- accept ---- */

static void run_accept(apr_pool_t *pool, const char *value)
{
    request_rec *r = apr_pcalloc(pool, sizeof(*r));
    const char *field = value, *before = value, *range;
    int weight;
    bool answer;

    r->pool = pool;
    r->headers_in = apr_table_make(pool, 1);
    apr_table_setn(r->headers_in, "Accept", value);
    while (read_next_range(pool, &field, &range, &weight)) {
        must(field > before && weight >= 0 && weight <= 1000);
        before = field;
    }
    answer = prefers_json(r);
    must(answer == prefers_json(r));
    must(answer == false || strstr(value, "json") || strchr(value, '*') || ap_strcasestr(value, "application/"));
}

/* ---- path ---- */

static void run_path(apr_pool_t *pool, const char *path)
{
    request_rec *r = apr_pcalloc(pool, sizeof(*r));
    const as_decoys *all;

    r->pool = pool;
    r->server = server;
    r->per_dir_config = server->lookup_defaults;
    r->headers_in = apr_table_make(pool, 1);
    r->subprocess_env = apr_table_make(pool, 1);
    r->notes = apr_table_make(pool, 1);
    r->connection = apr_pcalloc(pool, sizeof(*r->connection));
    r->connection->notes = apr_table_make(pool, 1);
    must(as_decoys_post_config() == APR_SUCCESS);
    all = as_decoys_get(r, path);
    must(all->count >= 1);
    for (int i = 0; i < all->count; i++) {
        const as_decoy *decoy = as_decoy_make(r, all, i);

        must(decoy->path[0] == '/' && strstr(as_decoy_decode(r, decoy->path), decoy->name));
        must(!strstr(as_decoy_decode(r, as_decoy_undo(pool, decoy, decoy->path)), decoy->name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    char *text;

    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    text[strcspn(text, "\r\n")] = '\0';
    if (strcmp(chosen, "directive") == 0) {
        run_directive(pool, text);
    } else if (strcmp(chosen, "accept") == 0) {
        run_accept(pool, text);
    } else {
        must(strcmp(chosen, "path") == 0);
        run_path(pool, text);
    }
    apr_pool_destroy(pool);
    return 0;
}

/* ---- in httpd ---- */

static int run(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *words = getenv("AUTHSTATUS_FUZZ_ARGUMENTS");
    char **argv;
    int argc = 0;

    (void)pconf, (void)plog;
    server = s;
    chosen = getenv("AUTHSTATUS_FUZZ_TARGET");
    must(chosen && words);
    must(apr_tokenize_to_argv(apr_pstrcat(ptemp, "fuzz ", words, NULL), &argv, ptemp) == APR_SUCCESS);
    while (argv[argc]) {
        argc++;
    }
#ifdef WITH_LIBFUZZER
    exit(LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput));
#else
    exit(replay_main(argc, argv));
#endif
}

static void register_run(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_config(run, NULL, NULL, APR_HOOK_REALLY_LAST);
}

/* No AP_DECLARE_MODULE, which would say a second time whose lines of the log these are. */
extern module AP_MODULE_DECLARE_DATA authstatus_fuzz_module;
module AP_MODULE_DECLARE_DATA authstatus_fuzz_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_run, AP_MODULE_FLAG_NONE};
