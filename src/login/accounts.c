/* SPDX-License-Identifier: Apache-2.0
 *
 * The names under which the throttle counts accounts: a server and the subject of a bind, however both are written.
 */
#include "settle.h"

#include <netinet/in.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "authstatus/dn.h"
#include "authstatus/stringprep.h"

#include "core/text.h"

#define NAME_PARTS 64 /* of a DN that a user types */

const char *as_name_prepare(const char *name, apr_pool_t *pool)
{
    const size_t length = strlen(name);
    const char *prepared =
        as_stringprep_prepare(name, length, apr_palloc(pool, AS_STRINGPREP_WORK(length) * sizeof(int32_t)));

    return prepared ? prepared : name;
}

static const char *name_host(const as_ldap_server *server, apr_pool_t *pool)
{
    char *host = apr_pstrdup(pool, as_name_prepare(server->host, pool));
    const apr_size_t length = strlen(host);

    if (length > 1 && host[length - 1] == '.') {
        host[length - 1] = '\0'; /* a name in full (RFC 1034 3.1) */
    }
    return host;
}

const char *as_login_name_server(const as_ldap_server *server, apr_pool_t *pool)
{
    const char *host = name_host(server, pool);

    return as_port_is_usual(server->port) ? host : apr_psprintf(pool, "%s:%d", host, server->port);
}

const char *as_login_name_trusted(const as_ldap_server *server, apr_pool_t *pool)
{
    const char *host = name_host(server, pool);

    return as_port_is_usual(server->port) && server->port < IPPORT_RESERVED
               ? host
               : apr_psprintf(pool, "%s:%d", host, server->port);
}

/* Undoes the escapes of a type or a value of a DN in normal form, which are a backslash and two digits, in place. A NUL
 * is left out, as the preparation maps it to nothing. */
static void unescape(char *piece)
{
    char *to = piece;
    const char *from = piece;

    while (*from) {
        const bool is_escape = from[0] == '\\' && from[1] && from[2];

        *to = is_escape ? (char)(as_text_get_hex_value(from[1]) * 16 + as_text_get_hex_value(from[2])) : *from;
        to += *to != '\0';
        from += is_escape ? 3 : 1;
    }
    *to = '\0';
}

/* Escapes what ends a type or a value of a DN. */
static const char *escape(const char *piece, apr_pool_t *pool)
{
    char *escaped = apr_palloc(pool, 3 * strlen(piece) + 1), *to = escaped;

    for (; *piece; piece++) {
        if (strchr(",+=\\", *piece)) {
            to += apr_snprintf(to, 4, "\\%02x", (unsigned)*piece);
        } else {
            *to++ = *piece;
        }
    }
    *to = '\0';
    return escaped;
}

/* Prepares a type or a value of a DN in normal form. What is escaped is prepared as well: control characters are mapped
 * to a space or to nothing (RFC 4518 2.2), and a directory takes a wide comma for a comma (2.3). */
static const char *prepare_piece(const char *piece, apr_size_t length, apr_pool_t *pool)
{
    char *plain = apr_pstrmemdup(pool, piece, length);

    unescape(plain);
    return escape(as_name_prepare(plain, pool), pool);
}

/* The types and values are prepared one by one: their insignificant spaces are at their ends. The memory must be linear
 * in the length, as a name may be thousands of pieces. */
const char *as_dn_prepare(const char *normal, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 16, sizeof(const char *));
    const char *piece = normal, *at;

    for (at = normal;; at++) {
        if (at[0] == '\\' && at[1]) {
            at++;
        } else if (!*at || strchr(",+=", *at)) {
            APR_ARRAY_PUSH(pieces, const char *) = prepare_piece(piece, (apr_size_t)(at - piece), pool);
            APR_ARRAY_PUSH(pieces, const char *) = apr_pstrmemdup(pool, at, *at != '\0');
            piece = at + 1;
        }
        if (!*at) {
            return apr_array_pstrcat(pool, pieces, '\0');
        }
    }
}

/* Returns a DN in normal form (RFC 4514, with what directories read beyond it), or NULL. */
static const char *normalize_dn(const char *name, apr_pool_t *pool)
{
    char *normal = apr_palloc(pool, AS_DN_MAX), *plain = apr_palloc(pool, AS_DN_MAX);

    return as_dn_read_dialect(name, strlen(name), plain) && as_dn_normalize(plain, strlen(plain), normal, NULL) ? normal
                                                                                                                : NULL;
}

/* Prepares a bind name that is no DN. Samba skips spaces beside the sign of user@domain and of DOMAIN\user. */
static const char *prepare_bind_name(const char *name, apr_pool_t *pool)
{
    char *prepared = apr_pstrdup(pool, as_name_prepare(name, pool)), *to = prepared;
    const char sign = strchr(prepared, '@') ? '@' : '\\';
    const char *from;

    for (from = prepared; *from; from++) {
        if (*from != ' ' || !(from[1] == sign || (to > prepared && to[-1] == sign))) {
            *to++ = *from;
        }
    }
    *to = '\0';
    return prepared;
}

/* Names the subject of a bind. A DN is normalised, any other bind name prepared (RFC 4518 2). */
static const char *name_subject(const char *name, apr_pool_t *pool)
{
    const char *dn = normalize_dn(name, pool);

    return dn ? apr_pstrcat(pool, "dn ", as_dn_prepare(dn, pool), NULL)
              : apr_pstrcat(pool, "name ", prepare_bind_name(name, pool), NULL);
}

/* Returns whether a DN in normal form has a type that is a number, and whose name is not known. */
static bool has_numeric_type(const char *dn)
{
    bool begins = true;

    for (; *dn && !(begins && *dn >= '0' && *dn <= '9'); dn++) {
        begins = *dn == ',' || *dn == '+';
        dn += *dn == '\\' && dn[1];
    }
    return *dn != '\0';
}

/* Returns whether a DN in normal form has a NUL: Samba skips what follows it in a value, whatever it is. */
static bool has_nul(const char *dn)
{
    return strstr(dn, "\\00") != NULL;
}

/* Returns whether Samba reads a name that is no DN in any number of spellings: it undoes escapes in user@domain and
 * skips what follows a NUL, skips the middle of a canonical name (domain/unit/user), and what follows a SID. */
static bool has_many_spellings(const char *name, apr_pool_t *pool)
{
    const char *prepared = as_name_prepare(name, pool);

    if (strpbrk(prepared, "@\\")) {
        return strchr(prepared, '@') && strchr(prepared, '\\');
    }
    return strchr(prepared, '/') || (strncmp(prepared, "s-", 2) == 0 && as_text_is_digit(prepared[2]));
}

bool as_account_is_nameable(const char *name, apr_pool_t *pool)
{
    const char *dn;

    if (!strchr(name, '=')) {
        return !has_many_spellings(name, pool);
    }
    dn = normalize_dn(name, pool);
    return dn && !has_numeric_type(dn) && !has_nul(dn);
}

bool as_bind_name_is_too_long(const char *name)
{
    int parts = 1;

    if (!strchr(name, '=')) {
        return false;
    }
    for (; *name && parts <= NAME_PARTS; name++) {
        parts += strchr(",;+", *name) != NULL;
        name += name[0] == '\\' && name[1];
    }
    return parts > NAME_PARTS;
}

const char **as_accounts_name(const as_directory_settings *settings, const char *name, apr_pool_t *pool)
{
    const char **accounts = apr_pcalloc(pool, (size_t)(settings->server_count + 1) * sizeof(*accounts));
    const char *subject = name_subject(name, pool);
    int count = 0, i, at;

    for (i = 0; i < settings->server_count; i++) {
        const char *account = apr_pstrcat(pool, as_login_name_server(&settings->servers[i], pool), " ", subject, NULL);

        for (at = 0; at < count && strcmp(accounts[at], account) != 0; at++) {
        }
        accounts[at] = account;
        count += at == count;
    }
    return accounts;
}

const char *as_account_name_at(const as_ldap_server *server, const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, as_login_name_server(server, pool), " ", name_subject(name, pool), NULL);
}

bool as_account_is_at(const char *account, const as_ldap_server *server, apr_pool_t *pool)
{
    const char *name = as_login_name_server(server, pool);
    const size_t length = strlen(name);

    return strncmp(account, name, length) == 0 && account[length] == ' ';
}
