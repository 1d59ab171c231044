/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: read from directives, merged, and read-only once the server serves.
 *
 * For all headers of src/httpd, unless a declaration says otherwise. Threads: *_pre_config, *_post_config and setters
 * of directives run in the parent, which has one thread; *_child_init run once in each child, before its threads start;
 * what takes a request_rec runs in the thread of that request; all else in any thread. Ownership: what is returned is
 * from the pool that is passed, or from r->pool, and lives as long; nothing that is passed is kept. Errors: hooks and
 * functions that return int return httpd's codes (OK, DECLINED, HTTP_...); apr_status_t is APR's; functions that
 * return nothing cannot fail, as httpd ends a process without memory.
 */
#ifndef AUTHSTATUS_HTTPD_CONFIG_H
#define AUTHSTATUS_HTTPD_CONFIG_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_expr.h>
#include <ap_socache.h>

#include "authstatus/authorize.h"
#include "authstatus/cache.h"
#include "authstatus/ldap.h"
#include "authstatus/login.h"
#include "authstatus/outcome.h"
#include "authstatus/verdict.h"
#include "core/hot.h"
#include "mod_authstatus.h"

#ifdef AUTHSTATUS_FRONT_DOOR
extern module AP_MODULE_DECLARE_DATA authstatus_module;
#else
APLOG_USE_MODULE(authstatus);
#endif
/* The same record, which each hook finds without a table of the dynamic linker. */
extern module as_this_module __attribute__((visibility("hidden")));

#include "log_tags.h"

#define AS_PROVIDER "authstatus"

/* ---- merge.c, policy.c ---- */

#define AS_UNSET (-1)

typedef enum as_dialog { AS_CHALLENGE_DIALOG, AS_CHALLENGE_QUIET } as_dialog;

/* A word set by a directive for requests for which an expression is true; NULL: for all. */
typedef struct as_conditional {
    int word;
    const ap_expr_info_t *when;
} as_conditional;

/* The place of a directive; later ones need more caution. */
typedef enum as_written {
    AS_WRITTEN_SERVER,   /* the server's configuration */
    AS_WRITTEN_HTACCESS, /* .htaccess */
    AS_WRITTEN_ALIAS     /* <AuthnProviderAlias> or <AuthzProviderAlias> */
} as_written;

/* The AuthLDAPURL of a section. */
typedef struct as_url {
    as_directory_settings parsed; /* servers, security, base, scope, filter, attributes */
    bool security_is_default;     /* neither ldaps: nor a mode word: LDAPTrustedMode decides */
    as_written written;
    const char *text;
} as_url;

/* AuthStatusMap and AuthStatusHelp: for an outcome, or for a class and all its outcomes without a value of their
 * own. */
typedef struct as_map {
    short outcome[AS_OUTCOME_COUNT]; /* 0: not set */
    short of_class[AS_CLASS_COUNT];
} as_map;

typedef struct as_help {
    const char *outcome[AS_OUTCOME_COUNT]; /* NULL: not set */
    const char *of_class[AS_CLASS_COUNT];
} as_help;

/* AS_CREDENTIALS_<identity>(...) expands for the members of section.def that are credentials. */
#define AS_CREDENTIALS_OF_POLICY(...)
#define AS_CREDENTIALS_OF_DIRECTORY(...)
#define AS_CREDENTIALS_OF_ACCOUNT(...) __VA_ARGS__
#define AS_CREDENTIALS_OF_CERTIFICATE(...) __VA_ARGS__
#define AS_CREDENTIALS_OF_BIND(...) __VA_ARGS__

typedef enum as_credential {
#define AS_MEMBER(type, name, unset, identity) AS_CREDENTIALS_##identity(AS_CREDENTIAL_##name, )
#include "section.def"
    AS_CREDENTIAL_COUNT
} as_credential;

/* The usable credentials; each as in a section. */
typedef struct as_credentials {
#define AS_MEMBER(type, name, unset, identity) AS_CREDENTIALS_##identity(type name;)
#include "section.def"
} as_credentials;

/* The home of a credential. */
typedef struct as_home {
    const as_url *url; /* NULL: none is in force there */
    as_written written;
} as_home;

/* The kinds of lines `Require ldap-*` in a section, or in one that it is merged of. */
enum { AS_REQUIRES_LINES = 1, AS_REQUIRES_GROUPS = 2, AS_REQUIRES_SEARCHES = 4 };

/* Names of attributes or classes: a list to which a directive adds. NULL-terminated. */
#define AS_NAMES_MOST 10
typedef struct as_names {
    int count;
    const char *names[AS_NAMES_MOST + 1];
} as_names;

/* A section: directory, location, files, If, or a server's default. */
typedef struct as_section {
    /* In one cache line with `on`, for each request reads these. */
    struct as_plan *_Atomic plans; /* of lookaside.c, one for each virtual host; never if it is fleeting */
    bool fleeting;                 /* lives as long as a request; else as long as the process serves */
    unsigned requires;             /* AS_REQUIRES_* */
#define AS_MEMBER(type, name, unset, identity) type name;
#include "section.def"
    as_map map;
    as_help help;
    as_written written; /* of a section that was read */
    as_written referrals_written;
    bool merged; /* merged of others: its credentials have the homes below */
    as_home homes[AS_CREDENTIAL_COUNT];
} as_section;

/* as_flag_on(section) and the like: the flag of a section, with its default; as_flag_value_on(value): of its value,
 * which may be AS_UNSET. */
#define AS_FLAG_On true
#define AS_FLAG_Off false
#define AS_FLAG(name, member, identity, where, explain, otherwise, ...)                                                \
    static inline bool as_flag_value_##member(int value)                                                               \
    {                                                                                                                  \
        return value == AS_UNSET ? AS_FLAG_##otherwise : value != 0;                                                   \
    }                                                                                                                  \
    static inline bool as_flag_##member(const as_section *section)                                                     \
    {                                                                                                                  \
        return as_flag_value_##member(section->member);                                                                \
    }
#include "authstatus/directive.def"

/* Returns whether AuthStatus is On. */
static inline bool as_section_is_on(const as_section *section)
{
    return as_flag_on(section);
}

/* AuthStatusCache */
typedef struct as_cache_setting {
    bool off;
    const ap_socache_provider_t *provider; /* NULL where off */
    ap_socache_instance_t *instance;
    const char *arguments; /* arguments of the provider; NULL: none */
} as_cache_setting;

/* AuthStatusCacheKey */
typedef struct as_key {
    const unsigned char *octets;
    apr_size_t length; /* AS_KEY_SIZE or more */
} as_key;

/* LDAPConnectionPoolTTL has a meaning for -1. */
#define AS_UNSET_TTL (-2)

/* A server or virtual host. */
typedef struct as_server {
#define AS_SERVER_MEMBER(type, name, unset, identity) type name;
#include "section.def"
} as_server;

/* httpd's hooks for the configuration of a directory and of a server: as_section and as_server, from `pool`. */
void *as_section_create(apr_pool_t *pool, char *path);
/* Returns whether a section of the configuration (none of a server, of an alias or of .htaccess) has a directive of
 * ours. */
bool as_sections_were_made(void);
/* While the process serves, two sections that stay have one merge, which stays too. */
void *as_section_merge(apr_pool_t *pool, void *outer, void *inner);
/* Starts the merges of this process, from `pool`. */
void as_merges_child_init(apr_pool_t *pool);
void *as_server_create(apr_pool_t *pool, server_rec *s);
void *as_server_merge(apr_pool_t *pool, void *main_server, void *virtual_host);

/* The sources of a directory's settings: the server, and the members of a section that are OF_DIRECTORY, OF_ACCOUNT
 * or OF_CERTIFICATE; credentials only if they belong to its servers. Equal sources make equal settings. */
typedef struct as_directory_source {
    const server_rec *server;
    bool account_of_htaccess; /* a .htaccess file has AuthLDAPBindDN */
#define AS_SOURCE_OF_DIRECTORY(type, name) type name;
#define AS_SOURCE_OF_ACCOUNT(type, name) type name;
#define AS_SOURCE_OF_CERTIFICATE(type, name) type name;
#define AS_SOURCE_OF_BIND(type, name)
#define AS_SOURCE_OF_POLICY(type, name)
#define AS_MEMBER(type, name, unset, identity) AS_SOURCE_##identity(type, name)
#include "section.def"
#undef AS_SOURCE_OF_DIRECTORY
#undef AS_SOURCE_OF_ACCOUNT
#undef AS_SOURCE_OF_CERTIFICATE
#undef AS_SOURCE_OF_BIND
#undef AS_SOURCE_OF_POLICY
} as_directory_source;

/* Finds the sources of a section's settings; their texts are the section's. `r`: as in as_section_get_credentials. */
as_directory_source as_directory_source_find(const as_section *section, const server_rec *server, const request_rec *r);

/* Sets whether sections are created for requests (.htaccess), until the configuration is read again. */
void as_settings_serve(bool serving);

/* ---- in_use.c ---- */

/* Returns whether a request can match a section with a directive of ours. Call it after the configuration was read. */
bool as_is_in_use(apr_pool_t *ptemp, const server_rec *main_server);

/* ---- credentials.c ---- */

/* Gives the credentials of a merged section their homes. */
void as_credentials_merge(as_section *merged, const as_section *outer, const as_section *inner);
/* Returns the credentials that belong to the servers of the section's AuthLDAPURL. `r`: the request, so that an
 * alias gets only its own; NULL: none. */
as_credentials as_section_get_credentials(const as_section *section, const as_server *server, const request_rec *r);
/* Returns whether AuthLDAPBindDN was written in a .htaccess file. */
bool as_credentials_are_of_htaccess(const as_section *section);
/* Names the directives in force that cannot be used because they belong to other servers: "" if there are none. */
const char *as_credentials_explain_left_out(apr_pool_t *pool, const as_section *section,
                                            const as_credentials *credentials);

/* Return the section and server in force for a request. Never NULL. */
static inline const as_section *as_section_get(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &as_this_module);
}

static inline const as_server *as_server_get(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &as_this_module);
}

/* Return the settings in force, with defaults. A time is in microseconds; an expression that fails is as false. */
apr_interval_time_t as_section_get_deadline(const as_section *section);
as_policy as_section_get_policy(const as_section *section, request_rec *r);
as_dialog as_section_get_dialog(const as_section *section, request_rec *r);
/* Returns the URL of AuthStatusHelp, the section's own; NULL: there is none. */
const char *as_section_find_help(const as_section *section, as_outcome outcome);

/* Returns the settings of the directory of a section, or NULL if it has no AuthLDAPURL. Lives as long as `pool`. */
const as_directory_settings *as_section_make_directory(const as_directory_source *source, apr_pool_t *pool);

/* Returns how groups are decided in a section, with defaults. Lists are those of the section. */
as_group_settings as_section_get_groups(const as_section *section);
/* Returns which groups of the user the search of a login must read. */
as_membership_wish as_section_get_membership(const as_section *section);

/* ---- configured.c: servers in the configuration, without .htaccess files ---- */

/* Starts counting anew, with the configuration. */
void as_configured_begin(apr_pool_t *pconf);
/* Counts the servers of an AuthLDAPURL. */
void as_configured_add(apr_pool_t *pconf, const as_directory_settings *url);
/* Return the number of servers, and the number of directories: different lists of servers. */
int as_configured_get_servers(void);
int as_configured_get_directories(void);
/* Adds an AuthStatusThrottle. The strictest of all: the fewest failures in the longest time, or none. */
void as_configured_add_throttle(const as_throttle *throttle);
const as_throttle *as_configured_get_throttle(void);
/* Returns the servers themselves, as many as as_configured_get_servers says; they live as long as the configuration. */
const as_ldap_server *as_configured_list_servers(void);
/* Returns whether an AuthLDAPURL of the configuration has all of these servers. Fills in the guard of each of them. Any
 * thread, while the process serves. */
bool as_configured_has_list(const as_directory_settings *url, apr_pool_t *pool, as_guard *guards);

/* ---- interned.c ---- */

/* Returns the scope of cached answers and proofs: virtual hosts share none, whatever directory they share; but the same
 * virtual host on several machines is one scope. */
const char *as_server_make_scope(const server_rec *s, apr_pool_t *pool);
/* Starts the interned directories of this process, which live as long as `pool`. */
void as_interned_child_init(apr_pool_t *pool);
/* Returns the directory of this request's section, with the attribute for REMOTE_USER among those requested; or NULL
 * if it has no AuthLDAPURL. Lives as long as the request. Computed once for the server's configuration. */
const as_login_directory *as_intern_directory(request_rec *r, const as_section *section);

/* Returns the limits of a process, from the main server. `threads`: of a process. */
as_directory_limits as_server_get_limits(const as_server *server, int threads);

/* ---- directives.c ---- */

/* The directives of this module, made from directive.def. */
extern const command_rec as_directives[];

/* The values of SetHandler. */
#define AS_REPORT_HANDLER "authstatus-report"
#define AS_RELOGIN_HANDLER "authstatus-switch"

/* ---- effect.c ---- */

/* Stops the start where a directive of ours stands in a section in which it has no effect. */
int as_effect_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* ---- notices.c: notices at start-up ---- */

/* Before the configuration is read. */
void as_notices_pre_config(apr_pool_t *pconf);
/* After it has been read, while the tree of directives exists. */
void as_notices_post_config(apr_pool_t *ptemp, server_rec *main_server);

/* ---- dump.c: httpd -t -D DUMP_AUTHSTATUS ---- */

/* Hook test_config: writes the dump to standard output, if it is wanted. */
void as_dump_test_config(apr_pool_t *pconf, server_rec *s);

/* ---- dump_json.c: httpd -t -D DUMP_AUTHSTATUS_JSON ---- */

/* Hook test_config: writes a line of JSON for each section, if it is wanted; secrets only to authstatus-explain. */
void as_dump_json_test_config(apr_pool_t *pconf, server_rec *s);

/* An <AuthnProviderAlias> or <AuthzProviderAlias> with a URL or a credential. */
typedef struct as_alias {
    as_section *section;
    const struct ap_directive_t *directive;
} as_alias;

/* directives_ldap.c: returns those of this configuration; NULL: there are none. */
const apr_array_header_t *as_aliases_get(void);

#endif
