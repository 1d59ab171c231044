/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the servers that the configuration names, as it is read: in each process, like the module. Servers of
 * .htaccess files are temporary, and not counted.
 */
#include "config.h"

#include <apr_hash.h>
#include <apr_strings.h>

/* Of the configuration being read, or in force; in its pool. */
static struct {
    apr_hash_t *servers, *directories;
    apr_array_header_t *urls; /* const as_directory_settings *, of each different list of servers */
} named;

void as_named_begin(apr_pool_t *pconf)
{
    named.servers = apr_hash_make(pconf);
    named.directories = apr_hash_make(pconf);
    named.urls = apr_array_make(pconf, 8, sizeof(const as_directory_settings *));
}

void as_named_add(apr_pool_t *pconf, const as_directory_settings *url)
{
    const char *directory = "";
    int i;

    for (i = 0; named.servers && i < url->server_count; i++) {
        const char *server = apr_psprintf(pconf, "%s:%d", url->servers[i].host, url->servers[i].port);

        apr_hash_set(named.servers, server, APR_HASH_KEY_STRING, server);
        directory = apr_pstrcat(pconf, directory, server, " ", NULL);
    }
    if (named.directories && !apr_hash_get(named.directories, directory, APR_HASH_KEY_STRING)) {
        APR_ARRAY_PUSH(named.urls, const as_directory_settings *) = url;
        apr_hash_set(named.directories, directory, APR_HASH_KEY_STRING, directory);
    }
}

int as_named_get_servers(void)
{
    return named.servers ? (int)apr_hash_count(named.servers) : 0;
}

int as_named_get_directories(void)
{
    return named.directories ? (int)apr_hash_count(named.directories) : 0;
}

/* Returns whether a URL of the configuration has this server. */
static bool has_server(const as_directory_settings *url, const as_ldap_server *server, apr_pool_t *pool)
{
    int i = 0;

    while (i < url->server_count && !as_login_is_same_server(&url->servers[i], server, pool)) {
        i++;
    }
    return i < url->server_count;
}

static bool has_servers(const as_directory_settings *url, const as_directory_settings *others, apr_pool_t *pool)
{
    int i = 0;

    while (i < others->server_count && has_server(url, &others->servers[i], pool)) {
        i++;
    }
    return i == others->server_count;
}

bool as_named_is_list(const as_directory_settings *url, apr_pool_t *pool)
{
    int i = 0;

    while (named.urls && i < named.urls->nelts &&
           !has_servers(APR_ARRAY_IDX(named.urls, i, const as_directory_settings *), url, pool)) {
        i++;
    }
    return named.urls && i < named.urls->nelts;
}

bool as_named_is_server(const as_ldap_server *server, apr_pool_t *pool)
{
    int i = 0;

    while (named.urls && i < named.urls->nelts &&
           !has_server(APR_ARRAY_IDX(named.urls, i, const as_directory_settings *), server, pool)) {
        i++;
    }
    return named.urls && i < named.urls->nelts;
}
