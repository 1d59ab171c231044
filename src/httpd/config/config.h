/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: read from directives, merged, and read-only once the server serves.
 */
#ifndef AUTHSTATUS_HTTPD_CONFIG_H
#define AUTHSTATUS_HTTPD_CONFIG_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_expr.h>
#include <ap_socache.h>

#include "authstatus/cache.h"
#include "authstatus/ldap.h"
#include "authstatus/login.h"
#include "authstatus/outcome.h"
#include "authstatus/verdict.h"
#include "mod_authstatus.h"

#ifdef AUTHSTATUS_FRONT_DOOR
extern module AP_MODULE_DECLARE_DATA authstatus_module;
#else
APLOG_USE_MODULE(authstatus);
#endif

/* ---- merge.c, policy.c ---- */

#define AS_UNSET (-1)

typedef enum as_dialog { AS_CHALLENGE_DIALOG, AS_CHALLENGE_QUIET } as_dialog;

/* A word that a directive sets, for the requests that an expression is true for; NULL: for all. */
typedef struct as_conditional {
    int word;
    const ap_expr_info_t *when;
} as_conditional;

/* The AuthLDAPURL of a section. */
typedef struct as_url {
    as_directory_settings parsed; /* servers, security, base, scope, filter, attributes */
    bool security_is_default;     /* neither ldaps: nor a mode word: LDAPTrustedMode decides */
} as_url;

/* AuthStatusMap and AuthStatusHelp: for an outcome, or for a class and all its outcomes that are not named. */
typedef struct as_map {
    short outcome[AS_OUTCOME_COUNT]; /* 0: not set */
    short of_class[AS_CLASS_COUNT];
} as_map;

typedef struct as_help {
    const char *outcome[AS_OUTCOME_COUNT]; /* NULL: not set */
    const char *of_class[AS_CLASS_COUNT];
} as_help;

/* Every member of a section's configuration, once: type, name, the value that says "not set here". From this list
 * come the struct, its creation and its merging. AuthStatusMap and AuthStatusHelp merge by their own rule. */
#define AS_SECTION_MEMBERS(X)                                                                                          \
    X(int, on, AS_UNSET)                                                                                               \
    X(const as_throttle *, throttle, NULL)                                                                             \
    X(const as_conditional *, mask, NULL)                                                                              \
    X(int, disclose, AS_UNSET)                                                                                         \
    X(const as_conditional *, dialog, NULL)                                                                            \
    X(apr_interval_time_t, deadline, AS_UNSET)                                                                         \
    X(apr_interval_time_t, retry_after, AS_UNSET)                                                                      \
    X(int, uniform_timing, AS_UNSET)                                                                                   \
    X(const as_url *, url, NULL)                                                                                       \
    X(const char *, bind_dn, NULL)                                                                                     \
    X(const char *, bind_password, NULL)                                                                               \
    X(int, bind_authoritative, AS_UNSET)                                                                               \
    X(int, deref, AS_UNSET)                                                                                            \
    X(const char *, remote_user_attribute, NULL)                                                                       \
    X(int, remote_user_is_dn, AS_UNSET)                                                                                \
    X(int, initial_bind_as_user, AS_UNSET)                                                                             \
    X(const ap_regex_t *, initial_bind_regex, NULL)                                                                    \
    X(const char *, initial_bind_name, NULL)                                                                           \
    X(int, referrals, AS_UNSET)                                                                                        \
    X(const char *, client_certificate, NULL)                                                                          \
    X(const char *, client_key, NULL)                                                                                  \
    X(int, maps, AS_UNSET)       /* 1: `map` has something in it */                                                    \
    X(int, helps, AS_UNSET)      /* 1: `help` has */                                                                   \
    X(int, of_request, AS_UNSET) /* 1: something of it was read for a request (.htaccess), and goes with it */

/* A section: directory, location, files, If, or a server's default. */
typedef struct as_section {
#define AS_MEMBER(type, name, unset) type name;
    AS_SECTION_MEMBERS(AS_MEMBER)
#undef AS_MEMBER
    as_map map;
    as_help help;
} as_section;

/* AuthStatusCache */
typedef struct as_cache_setting {
    bool off;
    const ap_socache_provider_t *provider; /* NULL where off */
    ap_socache_instance_t *instance;
} as_cache_setting;

/* AuthStatusCacheKey */
typedef struct as_key {
    const unsigned char *octets;
    apr_size_t length; /* AS_KEY_SIZE or more */
} as_key;

#define AS_SERVER_MEMBERS(X)                                                                                           \
    X(int, verify_certificate, AS_UNSET)                                                                               \
    X(const char *, ca_file, NULL)                                                                                     \
    X(const char *, client_certificate, NULL)                                                                          \
    X(const char *, client_key, NULL)                                                                                  \
    X(int, trusted_mode, AS_UNSET)                                                                                     \
    X(apr_interval_time_t, connect_timeout, AS_UNSET)                                                                  \
    X(apr_interval_time_t, operation_timeout, AS_UNSET)                                                                \
    X(apr_interval_time_t, session_ttl, AS_UNSET_TTL)                                                                  \
    X(int, in_flight, AS_UNSET)                                                                                        \
    X(int, breaker_failures, AS_UNSET)                                                                                 \
    X(apr_interval_time_t, breaker_time, AS_UNSET)                                                                     \
    X(const as_cache_setting *, cache, NULL)                                                                           \
    X(apr_interval_time_t, acceptance_time, AS_UNSET)                                                                  \
    X(apr_interval_time_t, refusal_time, AS_UNSET)                                                                     \
    X(const as_key *, cache_key, NULL)                                                                                 \
    X(int, throttles, AS_UNSET) /* 1: a section of this server has an AuthStatusThrottle */                            \
    X(int, masks, AS_UNSET)     /* set by as_mask_post_config: some section of it masks */

/* LDAPConnectionPoolTTL has a meaning for -1. */
#define AS_UNSET_TTL (-2)

/* A server or virtual host. */
typedef struct as_server {
#define AS_MEMBER(type, name, unset) type name;
    AS_SERVER_MEMBERS(AS_MEMBER)
#undef AS_MEMBER
} as_server;

void *as_section_create(apr_pool_t *pool, char *path);
void *as_section_merge(apr_pool_t *pool, void *outer, void *inner);
void *as_server_create(apr_pool_t *pool, server_rec *s);
void *as_server_merge(apr_pool_t *pool, void *main_server, void *virtual_host);

/* From now on sections are created for requests (.htaccess), until the configuration is read again. */
void as_settings_serve(bool serving);

/* The section and server in force for a request. Never NULL. */
const as_section *as_section_of(const request_rec *r);
const as_server *as_server_of(const server_rec *s);

/* What is in force, defaults filled in. */
bool as_section_is_on(const as_section *section);
apr_interval_time_t as_section_deadline(const as_section *section);
as_policy as_section_policy(const as_section *section, request_rec *r);
as_dialog as_section_dialog(const as_section *section, request_rec *r);
const char *as_section_help(const as_section *section, as_outcome outcome); /* URL or NULL */

/* The directory that a section names, or NULL if it has no AuthLDAPURL. Lives as long as `pool`. */
const as_directory_settings *as_section_directory(const as_section *section, const as_server *server, apr_pool_t *pool);

/* ---- interned.c ---- */

void as_interned_child_init(apr_pool_t *pool);
/* The directory of this request's section, with the attribute that becomes REMOTE_USER among what is asked for; or NULL
 * if it has no AuthLDAPURL. Lives as long as the request. Computed once for what the server's configuration says. */
const as_login_directory *as_intern_directory(request_rec *r, const as_section *section);

/* The limits of a process, from the main server. `threads`: that a process may have. */
as_directory_limits as_server_limits(const as_server *server, int threads);

/* ---- directives.c ---- */

extern const command_rec as_directives[];

#define AS_REPORT_HANDLER "authstatus-report"

/* ---- dump.c: httpd -t -D DUMP_AUTHSTATUS ---- */

void as_dump_test_config(apr_pool_t *pconf, server_rec *s);

#endif
