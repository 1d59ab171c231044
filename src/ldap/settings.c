/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of a directory's settings, made from setting.def, and the comparison of their servers.
 */
#include "ldap_private.h"

#include <string.h>

#include <openssl/crypto.h>

#include <apr_cstr.h>
#include <apr_strings.h>

static const char *copy_text(apr_pool_t *pool, const char *text)
{
    return text ? apr_pstrdup(pool, text) : NULL;
}

static const as_ldap_server *copy_servers(apr_pool_t *pool, const as_ldap_server *from, int count)
{
    as_ldap_server *servers = apr_pcalloc(pool, (size_t)count * sizeof(*servers));
    int i;

    for (i = 0; i < count; i++) {
        servers[i].host = apr_pstrdup(pool, from[i].host);
        servers[i].port = from[i].port;
    }
    return servers;
}

static const char *const *copy_texts(apr_pool_t *pool, const char *const *from, int count)
{
    const char **texts = apr_pcalloc(pool, ((size_t)count + 1) * sizeof(*texts));
    int i;

    for (i = 0; i < count; i++) {
        texts[i] = apr_pstrdup(pool, from[i]);
    }
    return texts;
}

const as_directory_settings *as_settings_copy(apr_pool_t *pool, const as_directory_settings *settings)
{
    as_directory_settings *own = apr_pcalloc(pool, sizeof(*own));

#define COPY_NUMBER(name) own->name = settings->name;
#define COPY_TEXT(name) own->name = copy_text(pool, settings->name);
#define COPY_SECRET(name) COPY_TEXT(name)
#define COPY_SERVERS(name, count) own->name = copy_servers(pool, settings->name, settings->count);
#define COPY_TEXTS(name, count) own->name = copy_texts(pool, settings->name, settings->count);
#define AS_SETTING(kind, type, name) COPY_##kind(name)
#define AS_SETTING_LIST(kind, type, name, count) COPY_##kind(name, count) own->count = settings->count;
#include "authstatus/setting.def"
    return own;
}

/* The text is in a private copy that is not used any more. */
static void wipe_text(const char *text)
{
    if (text) {
        OPENSSL_cleanse((char *)(intptr_t)text, strlen(text));
    }
}

void as_settings_wipe(const as_directory_settings *copy)
{
#define WIPE_NUMBER(name)
#define WIPE_TEXT(name)
#define WIPE_SECRET(name) wipe_text(copy->name);
#define AS_SETTING(kind, type, name) WIPE_##kind(name)
#include "authstatus/setting.def"
}

/* ---- comparison ---- */

static bool has_server(const as_directory_settings *settings, const as_ldap_server *server)
{
    int i;

    for (i = 0; i < settings->server_count; i++) {
        if (settings->servers[i].port == server->port && !apr_cstr_casecmp(settings->servers[i].host, server->host)) {
            return true;
        }
    }
    return false;
}

static bool has_servers(const as_directory_settings *settings, const as_directory_settings *others)
{
    int i;

    for (i = 0; i < others->server_count && has_server(settings, &others->servers[i]); i++) {
    }
    return i == others->server_count;
}

bool as_directory_has_same_servers(const as_directory_settings *one, const as_directory_settings *other)
{
    return has_servers(one, other) && has_servers(other, one);
}
