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
} named;

void as_named_begin(apr_pool_t *pconf)
{
    named.servers = apr_hash_make(pconf);
    named.directories = apr_hash_make(pconf);
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
    if (named.directories) {
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
