/* SPDX-License-Identifier: Apache-2.0
 *
 * Setters for AuthStatusCache, AuthStatusCacheTime, AuthStatusCacheKey, AuthStatusCacheEntries and AuthStatusThrottle.
 */
#include "arguments.h"

#include "secret.h"

#include "../runtime/runtime.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_core.h>

const char *as_set_cache(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);
    as_cache_setting *setting = apr_pcalloc(cmd->pool, sizeof(*setting));

    (void)section;
    if (!error) {
        error = as_socache_parse(cmd->pool, cmd->temp_pool, text, setting);
        error = error ? apr_psprintf(cmd->temp_pool, "%s: %s", cmd->cmd->name, error) : NULL;
    }
    server->cache = setting;
    return error;
}

#define STALE "stale="

static bool is_stale_word(const char *text)
{
    return text && !strncasecmp(text, STALE, strlen(STALE));
}

/* stale= comes last: after the time of refusals, or in its place. */
const char *as_set_cache_time(cmd_parms *cmd, void *section, const char *acceptance, const char *second,
                              const char *third)
{
    const char *refusal = is_stale_word(second) ? NULL : second, *stale = is_stale_word(second) ? second : third;
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);

    (void)section;
    if (!error && stale && (!is_stale_word(stale) || (third && stale != third))) {
        error = apr_psprintf(cmd->temp_pool,
                             "%s: %s is one too many; use the time of an acceptance, that of a refusal, and "
                             "stale=time",
                             cmd->cmd->name, as_argument_quote(cmd, third));
    }
    if (!error) {
        error = as_argument_read_time(cmd, acceptance, 0, &server->acceptance_time);
    }
    if (!error && refusal) {
        error = as_argument_read_time(cmd, refusal, 0, &server->refusal_time);
    }
    if (!error) {
        server->stale_time = 0;
        error = stale ? as_argument_read_time(cmd, stale + strlen(STALE), 0, &server->stale_time) : NULL;
    }
    return error;
}

const char *as_set_cache_entries(cmd_parms *cmd, void *section, const char *text)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);

    (void)section;
    return error ? error : as_argument_read_number(cmd, text, 1, 10000000, &server->cache_entries);
}

#define LONGEST_KEY 4096

/* Reads the key. Returns NULL and *key, or a sentence. */
static const char *read_key(apr_pool_t *pool, apr_pool_t *ptemp, const char *path, as_key *key)
{
    char *octets = as_secret_allocate(pool, LONGEST_KEY);
    apr_size_t length = LONGEST_KEY;
    apr_file_t *file;
    const char *error = as_secret_open(ptemp, path, &file);

    if (error) {
        return error;
    }
    if (apr_file_read_full(file, octets, LONGEST_KEY, &length) != APR_EOF) {
        length = 0;
    }
    apr_file_close(file);
    key->octets = (const unsigned char *)octets;
    key->length = length;
    return length < AS_KEY_SIZE ? "it does not have 32 to 4095 octets" : NULL;
}

const char *as_set_cache_key(cmd_parms *cmd, void *section, const char *file)
{
    as_server *server;
    const char *error = as_argument_get_main_server(cmd, &server);
    as_key *key = apr_pcalloc(cmd->pool, sizeof(*key));

    (void)section;
    if (!error) {
        error = read_key(cmd->pool, cmd->temp_pool, ap_server_root_relative(cmd->temp_pool, file), key);
        error = error ? apr_psprintf(cmd->temp_pool, "%s: the file %s is not taken: %s", cmd->cmd->name,
                                     as_argument_quote(cmd, file), error)
                      : NULL;
    }
    server->cache_key = key;
    return error;
}

typedef enum as_counted { AS_COUNTED_USER, AS_COUNTED_CLIENT, AS_COUNTED_BOTH } as_counted;

static const as_word counted_words[] = {
    {"User", AS_COUNTED_USER}, {"Client", AS_COUNTED_CLIENT}, {"Both", AS_COUNTED_BOTH}, {NULL, 0}};

const char *as_set_throttle(cmd_parms *cmd, void *into, const char *failures, const char *within,
                            const char *counted_word)
{
    as_section *section = into;
    as_throttle *throttle = apr_pcalloc(cmd->pool, sizeof(*throttle));
    as_server *server = ap_get_module_config(cmd->server->module_config, &authstatus_module);
    int counted = AS_COUNTED_USER;
    const char *error;

    section->throttle = throttle;
    if (!ap_cstr_casecmp(failures, "Off") && !within) {
        return NULL;
    }
    if (!within) {
        return apr_psprintf(cmd->temp_pool, "%s: use Off, or a number of failures, a time, and User, Client or Both",
                            cmd->cmd->name);
    }
    error = as_argument_read_number(cmd, failures, 1, AS_THROTTLE_MOST, &throttle->failures);
    if (!error) {
        error = as_argument_read_time(cmd, within, apr_time_from_sec(1), &throttle->within);
    }
    if (!error && counted_word) {
        error = as_argument_read_word(cmd, counted_words, counted_word, &counted);
    }
    throttle->by_user = counted != AS_COUNTED_CLIENT;
    throttle->by_client = counted != AS_COUNTED_USER;
    server->throttles = 1;
    if (!error) {
        as_configured_add_throttle(throttle);
    }
    return error;
}
