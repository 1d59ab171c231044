/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rooms of the httpd side share. Nothing else includes httpd's headers.
 */
#ifndef AUTHSTATUS_HTTPD_PRIVATE_H
#define AUTHSTATUS_HTTPD_PRIVATE_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_expr.h>
#include <mod_auth.h>

#include <ap_socache.h>

#include "authstatus/directory.h"
#include "authstatus/memory.h"
#include "authstatus/outages.h"
#include "authstatus/outcome.h"
#include "authstatus/verdict.h"
#include "mod_authstatus.h"

#ifdef AUTHSTATUS_FRONT_DOOR
extern module AP_MODULE_DECLARE_DATA authstatus_module;
#else
APLOG_USE_MODULE(authstatus);
#endif

/* ---- settings.c: the configuration, read-only once the server serves ---- */

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

/* ---- named.c: directories that this process has met ---- */

/* A directory with its as_directory_name, and the virtual host that asks it. */
typedef struct as_named {
    const as_directory_settings *settings;
    const char *name;
    const char *scope; /* of what is remembered */
} as_named;

void as_named_child_init(apr_pool_t *pool);
/* The directory of this request's section, with the attribute that becomes REMOTE_USER among what is asked for; or NULL
 * if it has no AuthLDAPURL. Lives as long as the request. Computed once for what the server's configuration says. */
const as_named *as_named_directory(request_rec *r, const as_section *section);

/* The limits of a process, from the main server. `threads`: that a process may have. */
as_directory_limits as_server_limits(const as_server *server, int threads);

/* ---- directives.c ---- */

extern const command_rec as_directives[];

/* ---- context.c: what is known of a request ---- */

/* Which of httpd's hooks is being run by our own hook of the same name, so that it passes when met again. */
typedef enum as_phase {
    AS_PHASE_ACCESS = 1,
    AS_PHASE_AUTHN = 2,
    AS_PHASE_AUTHZ = 4,
    AS_PHASE_HANDLER = 8,
    AS_PHASE_QUICK = 16
} as_phase;

/* An answer to a login, wherever it came from. Lives as long as its exchange. */
typedef struct as_answer {
    as_finding finding;
    const char *dn;            /* NULL or "": no entry was found */
    const char *const *values; /* as in as_reply */
    const char *server;        /* that told it, NULL: it was remembered, or nobody was asked */
    const char *reason;        /* for the log: why nobody answered, or the directory's own words; never NULL */
    bool remembered;
    long wait;             /* as in as_verdict_of */
    const char *directory; /* as_directory_name of the one that was to be asked */
} as_answer;

/* A question that was asked, with its answer: no directory is asked twice within an exchange. */
typedef struct as_asked as_asked;
struct as_asked {
    const as_asked *next;
    const char *directory; /* as_directory_name */
    const char *user;
    char *password; /* wiped when the exchange ends */
    const as_answer *answer;
};

/* What the requests of one exchange share: the client's request, its internal redirects and its subrequests. */
typedef struct as_exchange as_exchange;
struct as_exchange {
    apr_pool_t *pool;    /* of the client's request: outlives redirects and subrequests */
    apr_time_t deadline; /* for the directory; 0: it was not asked yet */
    const as_asked *asked;
    bool decided; /* `finding`, `verdict` and `server` hold; a denial stays, a grant may still become one */
    as_finding finding;
    as_verdict verdict;
    const char *help;         /* AuthStatusHelp's URL for what is shown, or NULL */
    const char *challenge;    /* the value of the challenge that was sent with it, or NULL */
    const as_exchange *truth; /* of a masked answer: what was decided, while the rest is as a missing resource has it */
};

/* How a request is being masked. */
typedef struct as_mask as_mask;

/* One request of an exchange. */
typedef struct as_context {
    as_exchange *exchange;
    unsigned running; /* as_phase bits */
    bool found;       /* `finding` is what the provider found for this request's credentials */
    as_finding finding;
    const as_answer *answer; /* that it was found in, or NULL */
    const char *reason;      /* more for the log, or NULL */
    bool final;              /* the finding is a refusal that no other module may turn into a grant */
    const char *login;       /* the user name as it was sent, where r->user was replaced; else NULL */
    bool ldap_denied;        /* a Require ldap-* did not grant */
    bool masked;             /* the verdict on it is to be answered as a missing resource */
    as_mask *mask;           /* NULL where nothing is masked */
} as_context;

/* The context of a request; made when first asked for. Never NULL. */
as_context *as_context_of(request_rec *r);
/* The same, but NULL where nothing was made. */
as_context *as_context_peek(const request_rec *r);
/* The exchange of a request, whichever of its requests made it; NULL where none did. */
as_exchange *as_exchange_peek(const request_rec *r);

/* ---- store.c: what processes share ---- */

/* Parses an AuthStatusCache. NULL and *setting, or a sentence without the directive's name. */
const char *as_store_parse(apr_pool_t *pool, apr_pool_t *ptemp, const char *text, as_cache_setting *setting);
int as_store_pre_config(apr_pool_t *pconf);
int as_store_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
/* False: no memory; nothing would be remembered, and nobody throttled, for as long as the child lives. */
bool as_store_child_init(apr_pool_t *pool, server_rec *s);
/* NULL: nothing is remembered (AuthStatusCache Off). */
as_memory *as_store_memory(void);
/* Memory that the processes share, and that outlasts restarts, until the server is stopped. Zeros when it is new. */
apr_status_t as_outlasting_memory(server_rec *s, const char *key, apr_size_t size, void **into, bool *is_new);
/* NULL before the configuration is read. */
as_counters *as_store_counters(void);

/* ---- remote.c ---- */

/* What a call to a store on another machine works on; of malloc, defined by who makes it. */
typedef struct as_remote_job as_remote_job;
typedef void as_remote_work(as_remote_job *job, apr_pool_t *pool);

/* Runs `work` on a thread of its own, with a pool that is emptied behind it, and waits for it for about half a second.
 * The job; or NULL: it did not end, or there was no thread for it, and the job is freed when it can be. Any thread. */
as_remote_job *as_remote_run(as_remote_work *work, as_remote_job *job);

/* ---- inquiry.c ---- */

/* For what a child has as long as it lives: `pool`, the child's; or, under prefork, one that is never cleaned up. Such
 * a child ends within a signal handler (prefork.c, just_die), which may have found it in malloc, or in the midst of
 * what a cleanup would free. */
apr_pool_t *as_pool_for_life(apr_pool_t *pool);

/* False: no memory; every login would be an error for as long as the child lives. */
bool as_inquiry_child_init(apr_pool_t *pool, server_rec *s);
/* Who is this user, and is this the password? `initial_bind`: as in as_question. NULL without memory. */
const as_answer *as_inquire(request_rec *r, as_exchange *exchange, const as_named *directory, const char *initial_bind,
                            const char *user, const char *password);
/* Is the directory out of reach? Fills in *answer, from r->pool. */
bool as_inquire_whether_away(request_rec *r, as_exchange *exchange, const as_named *directory, as_answer *answer);

/* ---- provider.c ---- */

extern const authn_provider as_provider;
/* Is the directory of this request's section out of reach? Its answer is the context's then. */
bool as_provider_directory_is_away(request_rec *r, as_context *context);

/* ---- authz.c: Require ldap-* ---- */

void as_authz_wrap_ldap(apr_pool_t *pconf);

/* ---- phases.c: the hooks ---- */

int as_phase_access(request_rec *r);
int as_phase_authn(request_rec *r);
int as_phase_authz(request_rec *r);
int as_phase_fixups(request_rec *r);
int as_phase_handler(request_rec *r);
int as_phase_log(request_rec *r);

/* ---- mask.c and mask_*.c: the answer of a missing resource ---- */

int as_mask_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* Does any section of this server mask anything? */
bool as_server_masks(const as_server *server);
int as_mask_quick_handler(request_rec *r, int lookup);
int as_mask_post_perdir(request_rec *r);
int as_mask_type_checker(request_rec *r);
int as_mask_handler(request_rec *r);
void as_mask_register_filters(void);
void as_mask_insert_filters(request_rec *r);
void as_mask_insert_error_filters(request_rec *r);
/* The status that a hook returns for a verdict, masked or not; OK for a grant. */
int as_mask_decided(request_rec *r, as_context *context, const as_verdict *verdict);
/* Around an authentication, whose result is remembered for the case that the request goes its way again; and that
 * result, if it was made. */
void as_mask_login_begins(request_rec *r, as_context *context);
void as_mask_login_ends(request_rec *r, as_context *context, int status);
bool as_mask_login_was_made(request_rec *r, as_context *context, int *status);

/* ---- body.c: what the person reads ---- */

void as_body_register_filter(void);
void as_body_insert_filter(request_rec *r);

/* ---- servers.c: what all processes know of the directory servers, for the report page ---- */

apr_status_t as_servers_post_config(apr_pool_t *pconf);
void as_servers_child_init(apr_pool_t *pool);
/* Tells the other processes what this one sees of a directory (as_directory_name). Behind each question to it. */
void as_servers_write(as_directories *directories, const char *directory);

/* ---- page.c and page_*.c: the report page ---- */

#define AS_REPORT_HANDLER "authstatus-report"

int as_page_post_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
int as_page_handler(request_rec *r);
/* mod_status asks for its figures too. */
void as_page_register_status(void);
/* A text as a string of JSON, with its quotes. */
const char *as_json_string(apr_pool_t *pool, const char *text);

/* ---- switch.c: sign in as someone else ---- */

int as_switch_handler(request_rec *r);

/* ---- dump.c: httpd -t -D DUMP_AUTHSTATUS ---- */

void as_dump_test_config(apr_pool_t *pconf, server_rec *s);

/* ---- challenge.c ---- */

/* Makes the answer of `r` carry a challenge (RFC 9110 11.6.1) or none, in the form that `dialog` asks for. Returns the
 * value that is sent, or NULL. */
const char *as_challenge_set(request_rec *r, bool wanted, as_dialog dialog);
/* Puts a challenge back that was sent for an earlier request of the exchange; NULL: none. */
void as_challenge_restore(request_rec *r, const char *value);

/* ---- report.c: the one place that logs and publishes ---- */

/* Outages are counted from the server's start on, over its restarts. */
apr_status_t as_report_post_config(server_rec *s);
/* An answer came: outages of its directory that are over are logged as such. */
void as_report_answered(const request_rec *r, const as_answer *answer);

/* Decides the request by a finding: logs it, publishes it, sets the headers of the answer. Returns the status that the
 * hook is to return; OK for a grant. `wait` as in as_verdict_of. */
int as_report_decide(request_rec *r, as_context *context, const as_finding *finding, long wait);
/* The same for an answer that another module made and that stays as it is: logs and records, and changes nothing. */
void as_report_as_is(request_rec *r, const as_context *context, const as_finding *finding, int status);
/* Only logs, for a provider whose section is not On. */
void as_report_log(request_rec *r, const as_context *context, const as_finding *finding, const as_verdict *verdict);
void as_report_variables(request_rec *r, const as_exchange *exchange);
void as_report_notes(const request_rec *r, const as_exchange *exchange);

#endif
