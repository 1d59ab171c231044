/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries of a directory. libldap and APR; knows no request, no outcome, no log: it returns a reply.
 *
 * Threads: as_directory and everything below it is shared by the threads of a process. Settings are read-only
 * once a directory has been made of them.
 */
#ifndef AUTHSTATUS_LDAP_H
#define AUTHSTATUS_LDAP_H

#include <apr_pools.h>
#include <apr_time.h>

#include "authstatus/mono.h"
#include "authstatus/reply.h"

/* Returns the current time. Any thread. */
as_mono as_mono_read(void);

typedef enum as_security { AS_SECURITY_NONE, AS_SECURITY_SSL, AS_SECURITY_STARTTLS } as_security;

typedef enum as_referrals {
    AS_REFERRALS_DEFAULT, /* LDAPReferrals is not set, or "default": not followed */
    AS_REFERRALS_ON,      /* followed where the directory has no entry of its own (referral.c) */
    AS_REFERRALS_OFF      /* not followed; a referral in place of an entry is reported */
} as_referrals;

/* A server of AuthLDAPURL, in the order given. */
typedef struct as_ldap_server {
    const char *host; /* name or address; an IPv6 address without brackets */
    int port;
} as_ldap_server;

/* One directory: all its AuthLDAP* and LDAP* directives. Equal settings are one directory. */
typedef struct as_directory_settings {
#define AS_SETTING(kind, type, name) type name;
#define AS_SETTING_LIST(kind, type, name, count)                                                                       \
    type name;                                                                                                         \
    int count;
#include "authstatus/setting.def"
} as_directory_settings;

/* The server that gets a bind. */
typedef struct as_bind_target {
    int index; /* in the settings; of the one that referred, where it is another; -1: none gets the bind */
    const as_ldap_server *const *configured; /* those of the limits that are at its address, NULL-terminated; NULL: it
                                                was not looked up */
} as_bind_target;

/* The result of a bind that as_account_guard admitted. */
typedef enum as_guarded {
    AS_GUARDED_NO_FAILURE, /* accepted, not sent, or an answer that does not concern the account */
    AS_GUARDED_FAILURE     /* refused, or without an answer */
} as_guarded;

/* Decides before each bind of a service account that a .htaccess file names whether it is sent. Any thread. */
typedef struct as_account_guard {
    const void *data;
    /* Returns NULL if the bind must not be sent; else `end` follows, with the value that it returned. Blocks at most
     * until the deadline. Guard without `begin`: all are sent. */
    void *(*begin)(const void *data, const as_directory_settings *settings, const as_bind_target *target,
                   as_mono deadline, apr_pool_t *pool);
    void (*end)(const void *data, void *begun, as_guarded result, apr_pool_t *pool);
} as_account_guard;

/* Refused service accounts of the configuration, in memory that the processes of a server share: zeroed, and aligned as
 * malloc aligns. Atomics, and no lock that a killed process could keep. */
typedef struct as_shared_accounts as_shared_accounts;
size_t as_shared_accounts_get_size(void);

/* Limits of a process, from the server's configuration. */
typedef struct as_directory_limits {
    int in_flight;   /* AuthStatusInFlight: queries of this process that may wait */
    int directories; /* number in the configuration, by their servers; with more than one, none may take all slots */
    int breaker_failures; /* AuthStatusBreaker */
    apr_interval_time_t breaker_time;
    const as_ldap_server *servers; /* that the configuration names, `server_count` of them */
    int server_count;
    as_account_guard guard;
    as_shared_accounts *accounts; /* outlives the directories; NULL: refusals are counted by process */
} as_directory_limits;

/* Returns whether a port is one of the usual ports of a directory: they are one server, by plain LDAP, StartTLS, TLS or
 * as a global catalog. */
static inline bool as_port_is_usual(int port)
{
    return port == 389 || port == 636 || port == 3268 || port == 3269;
}

/* Returns whether two servers have an address and a port in common, or each a usual port: one server under two names,
 * perhaps. Resolves the names, however long that takes: not for requests. False for a name without an address. */
bool as_servers_share_address(const as_ldap_server *one, const as_ldap_server *other);

/* Returns whether a text can be an attribute's: a name or an OID, with options (RFC 4512 2.5). */
bool as_attribute_is_name(const char *name);
/* Returns whether libldap takes a text for a filter (RFC 4515; the outermost parentheses may be missing). Any thread.
 */
bool as_filter_is_valid(const char *filter);

/* Parses an AuthLDAPURL: ldap[s]://host[:port][ host[:port]...]/base[?attribute[,...]][?scope][?filter]], and its
 * mode word (NULL, NONE, SSL, TLS or STARTTLS in any case). Sets servers, security, base, scope, filter, attributes.
 * Defaults as mod_authnz_ldap: localhost, port 389 or 636, uid, sub, (objectClass=*). Returns NULL, or a sentence
 * with the error. Everything is allocated from `pool`. */
const char *as_directory_parse_url(apr_pool_t *pool, const char *url, const char *mode,
                                   as_directory_settings *settings);

/* Returns the identity of a directory: equal exactly for equal settings. 64 lower-case hexadecimal digits of a
 * SHA-256 over all settings, so it reveals no secret setting; with of_htaccess a mark replaces its first octet. */
const char *as_directory_compute_fingerprint(apr_pool_t *pool, const as_directory_settings *settings);
#define AS_FINGERPRINT_OF_HTACCESS 'h'
static inline bool as_fingerprint_is_of_htaccess(const char *fingerprint)
{
    return fingerprint[0] == AS_FINGERPRINT_OF_HTACCESS;
}

/* Returns whether two AuthLDAPURLs name the same servers and ports, in any order, hosts in any case. Credentials that
 * stand with one may be used for the other then, if its TLS mode is the same as well: the caller compares that. */
bool as_directory_has_same_servers(const as_directory_settings *one, const as_directory_settings *other);

/* Initializes libldap, which may wait for the resolver: in the parent, so that no child waits before it serves. Copies
 * ldap.conf's TLS settings into `lasting`, which lives as long as the process and through all restarts; a second call
 * finds the copy. Call it in the parent of all processes before another module has used libldap. Without the call,
 * as_directories_create() does both itself. */
void as_directories_keep_defaults(apr_pool_t *lasting);

/* All directories of a process. */
typedef struct as_directories as_directories;
/* One of them. */
typedef struct as_directory as_directory;

/* Prepares OpenSSL, once, while there is memory: OpenSSL looks up a digest at its first use, and a process in which
 * that failed never finds it again (OpenSSL 3.0). Call it in the parent of all processes, so that no child starts
 * with that lookup. Returns false only without memory. */
bool as_directories_prepare(apr_pool_t *pool);

/* Creates the directories of a process, once, before its threads start; they live as long as `pool`, whose cleanup
 * closes every session. NULL only without memory. */
as_directories *as_directories_create(apr_pool_t *pool, const as_directory_limits *limits);

/* Decides before each bind of a user, also one that is repeated after a lost session, whether it is sent. */
typedef struct as_admitter {
    /* False: the bind is not sent, and the reply is AS_FAILURE_LOCAL, or that of the bind before. `accepted`: the last
     * bind of the query was accepted, under its name (AuthLDAPInitialBindAsUser). NULL: all are sent. */
    bool (*admit)(void *data, const as_bind_target *target, const char *name, bool accepted);
    void *data;
    bool is_foreign; /* find out which servers of the configuration get the binds; for referrals it is always done */
} as_admitter;

/* Whether the search for the user also reads the groups in the entry. */
typedef enum as_membership_wish {
    AS_MEMBERSHIP_NONE,
    AS_MEMBERSHIP_ON_AD, /* from a server known to be Active Directory */
    AS_MEMBERSHIP_ALWAYS /* memberOf, from any server */
} as_membership_wish;

/* One query: finds the user, and verifies the password. */
typedef struct as_query {
    const as_directory_settings *settings;
    const char *user;         /* UTF-8, not empty; escaped here for the filter */
    const char *password;     /* UTF-8, not empty; NULL: only find the user's entry */
    const char *initial_bind; /* AuthLDAPInitialBindAsUser: the name that searches, with `password`; else NULL */
    const char *known_dn; /* the user's entry as found earlier, or "" of a user who has none: no search; else NULL */
    as_membership_wish membership;
    as_directory *entered; /* of as_directories_enter, for the same settings; NULL: the query takes a slot itself */
    as_mono deadline;      /* end of the query */
    as_admitter admitter;  /* of the binds with `password` */
} as_query;

/* Runs a query. Always fills in the whole reply, which lives as long as `pool`. Blocks at most until the deadline.
 * Any thread. Only libldap gets the password, and no copy of it is kept. Sends a search (service account, or
 * initial_bind's session), then a bind as the entry found, with the password policy request control, never critical
 * (draft-behera-ldap-password-policy-11 6.1). Never binds an empty DN (RFC 4513 5.1.2): an entry without a DN does
 * not count. */
void as_directory_query(as_directories *all, const as_query *query, apr_pool_t *pool, as_reply *reply);

/* Takes one of the slots of this process for requests that may wait for a directory (limits.in_flight), for a
 * request that queries as well as for one that waits for another's query. as_directory_query takes one itself if the
 * query has no `entered`. Returns the directory, to be given back with as_directories_leave; or NULL, with the
 * reason in the reply: the circuits of all its servers are open, the deadline has passed, or all slots are taken and
 * no answer has come for a tenth of a second. */
as_directory *as_directories_enter(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                                   apr_pool_t *pool, as_reply *reply);
void as_directories_leave(as_directory *entered);

/* Checks whether the directory answers: a service bind if there is no session, and a search for the base alone. The
 * reply is that of the last step. */
void as_directory_probe(as_directories *all, const as_directory_settings *settings, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply);

/* After how many failures in a row the directory itself locks an account, as far as the searching account may know. */
typedef struct as_lockout {
    int failures;      /* 0: never; AS_LOCKOUT_MOST: so many or more; -1: unreadable */
    const char *where; /* the source, or why it is unreadable */
} as_lockout;

#define AS_LOCKOUT_MOST 1024

/* Reads it from Active Directory, OpenLDAP's password policies or 389 Directory Server, by searches alone. For
 * checks of a configuration: logins do not use it. Blocks at most until the deadline; everything lives as long as
 * `pool`. */
void as_directory_read_lockout(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                               apr_pool_t *pool, as_lockout *lockout);

/* The state of a server as this process sees it, for the report page. */
typedef struct as_ldap_server_state {
    const char *server;          /* "host:port" */
    bool of_htaccess;            /* state of that server for directories that .htaccess files name */
    int sessions;                /* open now, of both kinds and of all directories */
    int outages;                 /* in a row */
    as_mono open_until;          /* time when the last open circuit breaker closes; 0: none is open */
    apr_uint64_t questions;      /* since the last visit */
    apr_interval_time_t latency; /* of answered operations, moving average */
} as_ldap_server_state;

typedef void as_ldap_server_visitor(void *data, const as_ldap_server_state *state);
/* Visits the servers of one directory, with all that this process knows of each. Any thread; one at a time, as
 * counts are reported once. */
void as_directories_visit(as_directories *all, const as_directory_settings *settings, as_ldap_server_visitor *visit,
                          void *data);

/* A step of a query, after its end; everything lives as long as the query's pool. */
typedef struct as_trace_step {
    as_step step;
    const char *server;    /* "host:port" */
    const char *what;      /* connect: the address, "" if none was reached; TLS: protocol and cipher; binds: the
                              name, "" for anonymous; search: the filter. Never a password */
    const as_reply *reply; /* NULL: connect or TLS succeeded; else a failure, or an answer of any code. Do not keep it:
                            * the next step writes to it */
    apr_interval_time_t took;         /* on a monotonic clock */
    apr_interval_time_t lookup;       /* connect: the part spent on the lookup of the name */
    const unsigned char *certificate; /* TLS: the server's certificate, in DER; NULL: not known */
    size_t certificate_length;
} as_trace_step;

/* Reports every step to `observer` from now on, in the querying thread; NULL: to none, the default. Call it before
 * the first query. */
typedef void as_tracer(void *data, const as_trace_step *step);
void as_directories_trace(as_directories *all, as_tracer *observer, void *data);

#endif
