/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the servers that the configuration names, as it is read: in each process, like the module. Servers of
 * .htaccess files are temporary, and not counted.
 */
#include "config.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

/* Of the configuration being read, or in force; in its pool. */
static struct {
    apr_hash_t *servers, *directories;
    apr_array_header_t *all;   /* as_ldap_server, of `servers` */
    apr_array_header_t *lists; /* apr_hash_t *, of each different list of servers: by their names for trust */
    apr_hash_t *names;         /* of all of them, for the throttle */
    apr_hash_t *trusted;       /* and for trust */
    as_throttle throttle;      /* the strictest of accounts */
} configured;

void as_configured_begin(apr_pool_t *pconf)
{
    configured.servers = apr_hash_make(pconf);
    configured.directories = apr_hash_make(pconf);
    configured.lists = apr_array_make(pconf, 8, sizeof(apr_hash_t *));
    configured.names = apr_hash_make(pconf);
    configured.trusted = apr_hash_make(pconf);
    configured.all = apr_array_make(pconf, 8, sizeof(as_ldap_server));
    memset(&configured.throttle, 0, sizeof(configured.throttle));
}

void as_configured_add_throttle(const as_throttle *throttle)
{
    as_throttle *strictest = &configured.throttle;

    if (throttle->by_user) {
        strictest->failures =
            strictest->failures && strictest->failures < throttle->failures ? strictest->failures : throttle->failures;
        strictest->within = strictest->within > throttle->within ? strictest->within : throttle->within;
        strictest->by_user = true;
    }
}

const as_throttle *as_configured_get_throttle(void)
{
    return &configured.throttle;
}

static void add_list(apr_pool_t *pconf, const as_directory_settings *url)
{
    apr_hash_t *list = apr_hash_make(pconf);
    int i;

    for (i = 0; i < url->server_count; i++) {
        const char *name = as_login_name_server(&url->servers[i], pconf),
                   *trusted = as_login_name_trusted(&url->servers[i], pconf);

        apr_hash_set(list, trusted, APR_HASH_KEY_STRING, trusted);
        apr_hash_set(configured.trusted, trusted, APR_HASH_KEY_STRING, trusted);
        apr_hash_set(configured.names, name, APR_HASH_KEY_STRING, name);
    }
    APR_ARRAY_PUSH(configured.lists, apr_hash_t *) = list;
}

static void add_server(apr_pool_t *pconf, const as_ldap_server *server)
{
    as_ldap_server *copy = apr_array_push(configured.all);

    *copy = *server;
    copy->host = apr_pstrdup(pconf, server->host);
}

void as_configured_add(apr_pool_t *pconf, const as_directory_settings *url)
{
    const char *directory = "";
    int i;

    for (i = 0; configured.servers && i < url->server_count; i++) {
        const char *server = apr_psprintf(pconf, "%s:%d", url->servers[i].host, url->servers[i].port);

        if (!apr_hash_get(configured.servers, server, APR_HASH_KEY_STRING)) {
            apr_hash_set(configured.servers, server, APR_HASH_KEY_STRING, server);
            add_server(pconf, &url->servers[i]);
        }
        directory = apr_pstrcat(pconf, directory, server, " ", NULL);
    }
    if (configured.directories && !apr_hash_get(configured.directories, directory, APR_HASH_KEY_STRING)) {
        add_list(pconf, url);
        apr_hash_set(configured.directories, directory, APR_HASH_KEY_STRING, directory);
    }
}

int as_configured_get_servers(void)
{
    return configured.servers ? (int)apr_hash_count(configured.servers) : 0;
}

const as_ldap_server *as_configured_list_servers(void)
{
    return configured.all ? (const as_ldap_server *)configured.all->elts : NULL;
}

int as_configured_get_directories(void)
{
    return configured.directories ? (int)apr_hash_count(configured.directories) : 0;
}

/* Returns whether a list has each of these names. */
static bool has_names(const apr_hash_t *list, const char *const *names)
{
    while (*names && apr_hash_get((apr_hash_t *)list, *names, APR_HASH_KEY_STRING)) {
        names++;
    }
    return !*names;
}

static as_guard find_guard(const as_ldap_server *server, const char *trusted, apr_pool_t *pool)
{
    if (apr_hash_get(configured.trusted, trusted, APR_HASH_KEY_STRING)) {
        return AS_GUARD_TRUSTED;
    }
    return apr_hash_get(configured.names, as_login_name_server(server, pool), APR_HASH_KEY_STRING) ? AS_GUARD_COUNTS
                                                                                                   : AS_GUARD_NONE;
}

bool as_configured_has_list(const as_directory_settings *url, apr_pool_t *pool, as_guard *guards)
{
    const char **names = apr_pcalloc(pool, (apr_size_t)(url->server_count + 1) * sizeof(*names));
    int i;

    for (i = 0; configured.lists && i < url->server_count; i++) {
        names[i] = as_login_name_trusted(&url->servers[i], pool);
        guards[i] = find_guard(&url->servers[i], names[i], pool);
    }
    for (i = 0; configured.lists && i < configured.lists->nelts &&
                !has_names(APR_ARRAY_IDX(configured.lists, i, apr_hash_t *), names);
         i++) {
    }
    return configured.lists && i < configured.lists->nelts;
}
