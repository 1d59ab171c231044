/* SPDX-License-Identifier: Apache-2.0
 *
 * AuthLDAPURL (RFC 4516, with more than one host), with the meaning that mod_authnz_ldap gives it.
 */
#include "ldap_private.h"

#include "authstatus/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define SYNTAX "ldap[s]://host[:port][ host[:port]...]/base[?attributes][?scope][?filter]"
#define WRONG_SCOPE "the scope of the URL must be one of one, sub (or left out, which is sub)"
#define BETWEEN_HOSTS ", \t"
#define MAX_SERVERS 32
#define MAX_ATTRIBUTES 100

/* The parts of the text. */
typedef struct as_url_parts {
    const char *hosts; /* with %xx decoded */
    const char *rest;  /* from the slash on, or "" */
    bool is_ldaps;
} as_url_parts;

static const char *check_mode(const char *mode, as_security *security)
{
    if (!mode || !apr_cstr_casecmp(mode, "NONE")) {
        *security = AS_SECURITY_NONE;
    } else if (!apr_cstr_casecmp(mode, "SSL")) {
        *security = AS_SECURITY_SSL;
    } else if (!apr_cstr_casecmp(mode, "TLS") || !apr_cstr_casecmp(mode, "STARTTLS")) {
        *security = AS_SECURITY_STARTTLS;
    } else {
        return "the word behind the URL must be one of NONE, SSL, TLS, STARTTLS; a URL with a space in it stands in "
               "quotes";
    }
    return NULL;
}

static int parse_hexadecimal(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_tolower(c) - 'a' + 10;
}

/* Decodes %xx (RFC 3986 2.1). Returns NULL where a % is not followed by two hexadecimal digits, or encodes NUL. */
static const char *unescape(apr_pool_t *pool, const char *text)
{
    char *plain = apr_palloc(pool, strlen(text) + 1), *to = plain;

    for (; *text; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2]) || (text[1] == '0' && text[2] == '0')) {
            return NULL;
        }
        *to++ = (char)(parse_hexadecimal(text[1]) << 4 | parse_hexadecimal(text[2]));
        text += 2;
    }
    *to = '\0';
    return plain;
}

static const char *split(apr_pool_t *pool, const char *url, as_url_parts *parts)
{
    const char *hosts, *end;

    if (!apr_cstr_casecmpn(url, "ldaps://", 8)) {
        parts->is_ldaps = true;
        hosts = url + 8;
    } else if (!apr_cstr_casecmpn(url, "ldap://", 7)) {
        parts->is_ldaps = false;
        hosts = url + 7;
    } else if (!apr_cstr_casecmpn(url, "ldapi://", 8)) {
        return "ldapi:// is not taken: a local socket has no deadline for its connection; write ldap://127.0.0.1/";
    } else {
        return "the URL must begin with ldap:// or ldaps://";
    }
    if (!unescape(pool, url)) {
        return strstr(url, "%00") ? "the URL has %00, which encodes no character of a name"
                                  : "the URL has a % that is not followed by two hexadecimal digits (write % itself as "
                                    "%25)";
    }
    if (!as_credentials_is_utf8(unescape(pool, url))) {
        return "the URL is not UTF-8, as names in a directory are (RFC 4511)";
    }
    end = hosts + strcspn(hosts, "/?");
    if (*end == '?') {
        return "the URL has no / between the hosts and the rest: " SYNTAX;
    }
    parts->hosts = unescape(pool, apr_pstrmemdup(pool, hosts, (apr_size_t)(end - hosts)));
    parts->rest = end;
    return NULL;
}

static bool read_port(const char *text, int *port)
{
    char *end = NULL;
    long number = apr_isdigit(*text) ? strtol(text, &end, 10) : 0;

    if (number < 1 || number > 65535 || *end) {
        return false;
    }
    *port = (int)number;
    return true;
}

/* With a colon only an IPv6 address is one: "host:389:636" is not. */
static bool is_host(const char *host)
{
    struct in6_addr address;

    if (strchr(host, ':')) {
        return inet_pton(AF_INET6, host, &address) == 1;
    }
    return *host && !host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")];
}

/* Parses name, name:port, [v6], [v6]:port, or a v6 without brackets, which cannot have a port. */
static const char *read_server(apr_pool_t *pool, char *text, as_ldap_server *server)
{
    const char *whole = apr_pstrdup(pool, text);
    char *port = NULL, *end = *text == '[' ? strchr(text, ']') : NULL;

    if (end) {
        *end++ = '\0';
        text++;
        port = *end ? end : NULL;
    } else if (strchr(text, ':') == strrchr(text, ':')) {
        port = strchr(text, ':');
    }
    if (port) {
        if (*port != ':' || !read_port(port + 1, &server->port)) {
            return apr_psprintf(pool, "the port in \"%.100s\" must be a number from 1 to 65535", whole);
        }
        *port = '\0';
    }
    if (!is_host(text) || strlen(text) > 255) {
        return apr_psprintf(pool, "\"%.100s\" is not the name or the address of a host", whole);
    }
    server->host = text;
    return NULL;
}

/* Returns the last port: httpd passes it to libldap as the port of every host without one. */
static int find_last_port(const as_ldap_server *servers, int count, int otherwise)
{
    while (count-- > 0) {
        if (servers[count].port) {
            return servers[count].port;
        }
    }
    return otherwise;
}

static const char *read_servers(apr_pool_t *pool, const as_url_parts *parts, as_directory_settings *settings)
{
    as_ldap_server *servers = apr_pcalloc(pool, MAX_SERVERS * sizeof(*servers));
    char *state = NULL, *text = apr_pstrdup(pool, parts->hosts);
    int count = 0, i, port;

    for (text = apr_strtok(text, BETWEEN_HOSTS, &state); text; text = apr_strtok(NULL, BETWEEN_HOSTS, &state)) {
        const char *wrong;

        if (count == MAX_SERVERS) {
            return "the URL names more than 32 hosts";
        }
        wrong = read_server(pool, text, &servers[count++]);
        if (wrong) {
            return wrong;
        }
    }
    if (count == 0) {
        servers[count++].host = "localhost";
    }
    port = find_last_port(servers, count, settings->security == AS_SECURITY_SSL ? LDAPS_PORT : LDAP_PORT);
    for (i = 0; i < count; i++) {
        servers[i].port = servers[i].port ? servers[i].port : port;
    }
    settings->servers = servers;
    settings->server_count = count;
    return NULL;
}

static const char *read_scope(int scope, as_directory_settings *settings)
{
    switch (scope) {
    case LDAP_SCOPE_ONELEVEL:
        settings->scope = LDAP_SCOPE_ONELEVEL;
        return NULL;
    case LDAP_SCOPE_DEFAULT:
    case LDAP_SCOPE_SUBTREE:
    case LDAP_SCOPE_BASE: /* as httpd does: a login within one entry makes no sense */
        settings->scope = LDAP_SCOPE_SUBTREE;
        return NULL;
    default:
        return WRONG_SCOPE;
    }
}

bool as_attribute_is_name(const char *name)
{
    return apr_isalnum(*name) && strlen(name) <= 255 &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-;_")];
}

static const char *read_attributes(apr_pool_t *pool, char **names, as_directory_settings *settings)
{
    const char **attributes = apr_pcalloc(pool, (MAX_ATTRIBUTES + 1) * sizeof(*attributes));
    int count = 0;

    for (; names && *names; names++) {
        const char *name = apr_pstrdup(pool, *names);

        if (count > 0 && (!strcmp(name, "*") || !strcmp(name, "+"))) {
            /* RFC 4511 4.5.1.8, RFC 3673: all attributes, which would be read and published under no name */
            continue;
        }
        if (!as_attribute_is_name(name)) {
            return apr_psprintf(pool, "\"%.100s\" in the URL is not the name of an attribute", name);
        }
        if (count == MAX_ATTRIBUTES) {
            return "the URL names more than 100 attributes";
        }
        attributes[count++] = name;
    }
    if (count == 0) {
        attributes[count++] = "uid";
    }
    settings->attributes = attributes;
    settings->attribute_count = count;
    return NULL;
}

/* Returns whether the text is exactly one filter: its last parenthesis closes the first. RFC 4515 3 requires escaped
 * parentheses in values; mod_authnz_ldap's backslash before them is accepted. */
static bool is_closed(const char *filter)
{
    int depth = 0;

    for (; *filter; filter++) {
        if (*filter == '\\' && filter[1]) {
            filter++;
        } else if (*filter == '(') {
            depth++;
        } else if (*filter == ')' && --depth == 0) {
            return filter[1] == '\0';
        }
    }
    return false;
}

static bool is_filter(const char *filter)
{
    return is_closed(filter) && as_filter_is_valid(filter);
}

static const char *read_filter(apr_pool_t *pool, const char *text, as_directory_settings *settings)
{
    if (!text) {
        settings->filter = "(objectClass=*)";
        return NULL;
    }
    if (!apr_cstr_casecmp(text, "none")) {
        settings->filter = NULL;
        return NULL;
    }
    settings->filter = *text == '(' ? apr_pstrdup(pool, text) : apr_pstrcat(pool, "(", text, ")", NULL);
    if (is_filter(settings->filter)) {
        return NULL;
    }
    /* Several filters in a row: httpd's enclosing parentheses make them "all of them". */
    settings->filter = apr_pstrcat(pool, "(&", text, ")", NULL);
    if (*text == '(' && is_filter(settings->filter)) {
        return NULL;
    }
    return apr_psprintf(pool, "\"%.1000s\" in the URL is not a search filter (RFC 4515)", text);
}

static const char *explain(int code)
{
    switch (code) {
    case LDAP_URL_ERR_BADSCOPE:
        return WRONG_SCOPE;
    case LDAP_URL_ERR_BADATTRS:
        return "the URL has no attributes where they belong: " SYNTAX;
    case LDAP_URL_ERR_BADFILTER:
        return "the URL has no filter where it belongs: " SYNTAX;
    case LDAP_URL_ERR_BADEXTS:
        return "the URL ends in a ? without an extension";
    case LDAP_URL_ERR_MEM:
        return "no memory";
    default:
        return "the URL is not of the form " SYNTAX;
    }
}

static const char *read_search(apr_pool_t *pool, const LDAPURLDesc *url, as_directory_settings *settings)
{
    const char *wrong;

    if (url->lud_crit_exts > 0) {
        return "the URL has a critical extension, and none is known";
    }
    settings->base = url->lud_dn ? apr_pstrdup(pool, url->lud_dn) : "";
    wrong = read_scope(url->lud_scope, settings);
    if (!wrong) {
        wrong = read_attributes(pool, url->lud_attrs, settings);
    }
    return wrong ? wrong : read_filter(pool, url->lud_filter, settings);
}

/* Returns whether a second URL begins within a text, before its filter or, with `anywhere`, in it as well. */
static bool has_second_url(const char *url, bool anywhere)
{
    int marks = 0;

    while (*url && *++url) {
        marks += *url == '?';
        if (marks >= 3 && !anywhere) {
            return false;
        }
        if (strchr(BETWEEN_HOSTS, url[-1]) &&
            (!apr_cstr_casecmpn(url, "ldap://", 7) || !apr_cstr_casecmpn(url, "ldaps://", 8))) {
            return true;
        }
    }
    return false;
}

static const char *parse_one(apr_pool_t *pool, const char *url, const char *mode, as_directory_settings *settings)
{
    as_url_parts parts;
    LDAPURLDesc *parsed = NULL;
    const char *wrong = check_mode(mode, &settings->security);
    int code;

    if (!wrong) {
        wrong = split(pool, url, &parts);
    }
    if (wrong) {
        return wrong;
    }
    if (parts.is_ldaps) {
        settings->security = AS_SECURITY_SSL; /* for any mode word, as httpd does */
    }
    wrong = read_servers(pool, &parts, settings);
    if (wrong) {
        return wrong;
    }
    code = ldap_url_parse(apr_pstrcat(pool, "ldap://", parts.rest, NULL), &parsed);
    if (code != LDAP_URL_SUCCESS) {
        return explain(code);
    }
    wrong = read_search(pool, parsed, settings);
    ldap_free_urldesc(parsed);
    return wrong;
}

/* Returns the word of check_mode() at the end of a text, behind a space; NULL: there is none. */
static const char *find_mode(const char *url)
{
    const char *space = strrchr(url, ' ');
    as_security security;

    return space && space[1] && !check_mode(space + 1, &security) ? space + 1 : NULL;
}

const char *as_directory_parse_url(apr_pool_t *pool, const char *url, const char *mode, as_directory_settings *settings)
{
    const char *wrong = parse_one(pool, url, mode, settings), *word = mode ? NULL : find_mode(url);

    if (has_second_url(url, wrong != NULL) || (mode && has_second_url(apr_pstrcat(pool, " ", mode, NULL), true))) {
        return "several servers stand in one URL, separated by spaces, in quotes: \"ldap://host1 "
               "host2:port/base?attribute\"";
    }
    if (word) {
        return apr_psprintf(pool, "write %s behind the quotes: \"ldap://host/base?attribute\" %s%s%s", word, word,
                            wrong ? "" : "; as the end of a name it is %20", wrong ? "" : word);
    }
    return wrong;
}
