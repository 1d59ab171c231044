/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a line with the mode word of an AuthLDAPURL ("": none), and its URL. What is taken must mean the same when it
 * is written out in full and read again.
 */
#include <apr_general.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <ldap.h>

#include "authstatus/ldap.h"
#include "fuzz.h"

#define HOST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:"
#define ATTRIBUTE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-;_"

static void check(const as_directory_settings *settings)
{
    must(settings->server_count >= 1 && settings->server_count <= 32);
    for (int i = 0; i < settings->server_count; i++) {
        const char *host = settings->servers[i].host;
        must(*host && !host[strspn(host, HOST)]);
        must(settings->servers[i].port >= 1 && settings->servers[i].port <= 65535);
    }
    must(settings->scope == LDAP_SCOPE_ONELEVEL || settings->scope == LDAP_SCOPE_SUBTREE);
    must(settings->base != NULL);
    must(settings->attribute_count >= 1 && settings->attributes[settings->attribute_count] == NULL);
    for (int i = 0; i < settings->attribute_count; i++) {
        must(*settings->attributes[i] && !settings->attributes[i][strspn(settings->attributes[i], ATTRIBUTE)]);
    }
    if (settings->filter) {
        size_t length = strlen(settings->filter);
        must(length >= 2 && settings->filter[0] == '(' && settings->filter[length - 1] == ')');
    }
}

/* Every octet that is no letter or digit as %xx. */
static char *escaped(apr_pool_t *pool, const char *text)
{
    char *all = apr_palloc(pool, 3 * strlen(text) + 1), *to = all;

    for (; *text; text++) {
        to +=
            apr_isalnum(*text) ? apr_snprintf(to, 2, "%c", *text) : apr_snprintf(to, 4, "%%%02X", (unsigned char)*text);
    }
    *to = '\0';
    return all;
}

static const char *written(apr_pool_t *pool, const as_directory_settings *settings)
{
    const char *url = "ldap://", *between = "";

    for (int i = 0; i < settings->server_count; i++, between = " ") {
        const as_ldap_server *server = &settings->servers[i];
        bool is_v6 = strchr(server->host, ':') != NULL;
        url = apr_psprintf(pool, "%s%s%s%s%s:%d", url, between, is_v6 ? "[" : "", server->host, is_v6 ? "]" : "",
                           server->port);
    }
    url = apr_pstrcat(pool, url, "/", escaped(pool, settings->base), "?", NULL);
    between = "";
    for (int i = 0; i < settings->attribute_count; i++, between = ",") {
        url = apr_pstrcat(pool, url, between, settings->attributes[i], NULL);
    }
    return apr_pstrcat(pool, url, settings->scope == LDAP_SCOPE_ONELEVEL ? "?one?" : "?sub?",
                       settings->filter ? escaped(pool, settings->filter) : "none", NULL);
}

static const char *word_for(as_security security)
{
    static const char *const words[] = {"NONE", "SSL", "STARTTLS"};

    return words[security];
}

static void read_url(apr_pool_t *pool, const char *mode, const char *url)
{
    as_directory_settings first = {0}, second = {0};
    const char *wrong = as_directory_parse_url(pool, url, mode, &first);

    if (wrong) {
        must(*wrong != '\0');
        return;
    }
    check(&first);
    must(as_directory_parse_url(pool, written(pool, &first), word_for(first.security), &second) == NULL);
    must(strcmp(as_directory_compute_fingerprint(pool, &first), as_directory_compute_fingerprint(pool, &second)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    char *text, *end;

    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    end = strchr(text, '\n');
    if (end) {
        *end = '\0';
        read_url(pool, *text ? text : NULL, end + 1);
    }
    apr_pool_destroy(pool);
    return 0;
}
