/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking a directory. libldap and APR; knows no request, no outcome, no log: it returns a reply.
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

/* Returns the moment that it is. Any thread. */
as_mono as_mono_now(void);

typedef enum as_security { AS_SECURITY_NONE, AS_SECURITY_SSL, AS_SECURITY_STARTTLS } as_security;

typedef enum as_referrals {
    AS_REFERRALS_DEFAULT, /* libldap does not follow; a referral instead of an entry is reported */
    AS_REFERRALS_ON,      /* libldap follows them */
    AS_REFERRALS_OFF
} as_referrals;

/* A server of AuthLDAPURL, in the order given. */
typedef struct as_ldap_server {
    const char *host; /* name or address; an IPv6 address without brackets */
    int port;
} as_ldap_server;

/* One directory: everything that AuthLDAP* and LDAP* directives say of it. Two that are equal are one directory. */
typedef struct as_directory_settings {
#define AS_SETTING(kind, type, name) type name;
#define AS_SETTING_LIST(kind, type, name, count)                                                                       \
    type name;                                                                                                         \
    int count;
#include "authstatus/setting.def"
} as_directory_settings;

/* Limits of a process, from the server's configuration. */
typedef struct as_directory_limits {
    int in_flight;   /* AuthStatusInFlight: questions of this process that may wait */
    int directories; /* that the configuration names, by their servers; with more than one none may take all slots */
    int breaker_failures; /* AuthStatusBreaker */
    apr_interval_time_t breaker_time;
} as_directory_limits;

/* Parses an AuthLDAPURL: ldap[s]://host[:port][ host[:port]...]/base[?attribute[,...]][?scope][?filter]], and its
 * mode word (NULL, NONE, SSL, TLS or STARTTLS in any case). Sets servers, security, base, scope, filter, attributes.
 * Defaults as mod_authnz_ldap has them: localhost, port 389 or 636, uid, sub, (objectClass=*).
 * Returns NULL, or a sentence that says what is wrong. Everything is allocated from `pool`. */
const char *as_directory_parse_url(apr_pool_t *pool, const char *url, const char *mode,
                                   as_directory_settings *settings);

/* What a directory is known by: equal exactly for equal settings. 64 lower-case hexadecimal digits of a SHA-256 over
 * all of them, so nothing can be read from it that the settings keep secret. */
const char *as_directory_fingerprint(apr_pool_t *pool, const as_directory_settings *settings);

/* Copies what ldap.conf says of TLS into `lasting`, which lives as long as the process and through all restarts; a
 * second call finds the copy. To be called in the parent of all processes before another module has used libldap.
 * Where nobody calls it, as_directories_create() reads ldap.conf for itself. */
void as_directories_keep_defaults(apr_pool_t *lasting);

/* All directories of a process. */
typedef struct as_directories as_directories;
/* One of them. */
typedef struct as_directory as_directory;

/* To be called once, where there is memory: OpenSSL looks for a digest when it first wants it, and a process in which
 * that failed never finds one again (OpenSSL 3.0). In the parent of all processes, so that no child begins with that
 * search. False only without memory. */
bool as_directories_prepare(apr_pool_t *pool);

/* Made once in each process, before its threads start; lives as long as `pool`, whose cleanup closes every session.
 * NULL only without memory. */
as_directories *as_directories_create(apr_pool_t *pool, const as_directory_limits *limits);

/* Is the search for the user to bring what his entry says of his groups? */
typedef enum as_membership_wish {
    AS_MEMBERSHIP_NONE,
    AS_MEMBERSHIP_ON_AD, /* from a server that is known to be Active Directory */
    AS_MEMBERSHIP_ALWAYS /* memberOf, from any server */
} as_membership_wish;

/* One question: who is this user, and is this the password. */
typedef struct as_query {
    const as_directory_settings *settings;
    const char *user;         /* UTF-8, not empty; escaped here for the filter */
    const char *password;     /* UTF-8, not empty; NULL: only find the user's entry */
    const char *initial_bind; /* AuthLDAPInitialBindAsUser: the name that searches, with `password`; else NULL */
    const char *known_dn;     /* where the user's entry was found before: the search is left out; else NULL */
    as_membership_wish membership;
    as_directory *entered; /* of as_directories_enter, for the same settings; NULL: the question takes a slot itself */
    as_mono deadline;      /* nothing of this question takes longer */
    /* Called before each bind with `password` is sent, the same again after a lost session too; false: it is not sent,
     * and the reply is AS_FAILURE_LOCAL, or that of the bind before. `accepted`: the last bind of this question was
     * accepted, under its name (AuthLDAPInitialBindAsUser). NULL: all are sent. */
    bool (*admit)(void *data, const char *name, bool accepted);
    void *admit_data;
} as_query;

/* Asks. Always fills in the whole reply; what it points to lives as long as `pool`. Blocks at most until the
 * deadline. Any thread. A password is given to libldap alone, and no copy of it is kept.
 * Follows: search (service account, or initial_bind's session), then bind as the entry found, with the password
 * policy request control, never critical (draft-behera-ldap-password-policy-11 6.1). Empty DNs are never bound
 * (RFC 4513 5.1.2): an entry without a DN counts as none. */
void as_directory_query(as_directories *all, const as_query *question, apr_pool_t *pool, as_reply *reply);

/* Takes one of the slots of this process for requests that may wait for a directory (limits.in_flight), for one who
 * waits for another's question as well as for one who asks. as_directory_query takes one by itself where the question
 * does not say `entered`. Returns the directory, to be given back with as_directories_leave; or NULL, and the reply
 * says why: the circuits of all its servers are open, the deadline has passed, or all slots are taken and no answer has
 * come for a tenth of a second. */
as_directory *as_directories_enter(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                                   apr_pool_t *pool, as_reply *reply);
void as_directories_leave(as_directory *entered);

/* Does the directory answer at all? Service bind if there is no session, and a search for the base alone. The reply
 * is that of the last step. */
void as_directory_probe(as_directories *all, const as_directory_settings *settings, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply);

/* After how many failures in a row the directory itself locks an account, as far as the account that searches may know.
 */
typedef struct as_lockout {
    int failures;      /* 0: none do; AS_LOCKOUT_MOST: so many or more; -1: it could not be read */
    const char *where; /* what says so, or why it could not be read */
} as_lockout;

#define AS_LOCKOUT_MOST 1024

/* Asks Active Directory, OpenLDAP's password policies or 389 Directory Server for it, by searches alone. For who looks
 * at a configuration: no login does this. Blocks at most until the deadline; everything lives as long as `pool`. */
void as_directory_lockout(as_directories *all, const as_directory_settings *settings, as_mono deadline,
                          apr_pool_t *pool, as_lockout *lockout);

/* What a server looks like from this process, for the report page. */
typedef struct as_ldap_server_state {
    const char *server;          /* "host:port" */
    bool of_htaccess;            /* this is about directories that .htaccess files name, of that server */
    int sessions;                /* open at the moment, of both kinds and of all directories */
    int outages;                 /* in a row */
    as_mono open_until;          /* the last circuit breaker that is open closes then; 0: none is open */
    apr_uint64_t questions;      /* since they were last told */
    apr_interval_time_t latency; /* of answered operations, moving average */
} as_ldap_server_state;

typedef void as_ldap_server_visitor(void *data, const as_ldap_server_state *state);
/* Tells the servers of one directory, each with all that this process knows of it. Any thread; one at a time, for what
 * is told is not told again. */
void as_directories_visit(as_directories *all, const as_directory_settings *settings, as_ldap_server_visitor *visit,
                          void *data);

/* A step of a question, as it ended; all it points to lives as long as the question's pool. */
typedef struct as_trace_step {
    as_step step;
    const char *server;         /* "host:port" */
    const char *what;           /* connect: the address, "" if none was reached; TLS: protocol and cipher; binds: the
                                   name, "" for anonymous; search: the filter. Never a password */
    const as_reply *reply;      /* NULL: connect or TLS went well; else a failure, or an answer whatever its code. It
                                   is not to be kept: the next step writes to it */
    apr_interval_time_t took;   /* on a clock that nobody sets */
    apr_interval_time_t lookup; /* connect: how much of that was the lookup of the name */
    const unsigned char *certificate; /* TLS: the server's, in DER; NULL: not known */
    size_t certificate_length;
} as_trace_step;

/* Tells `observer` every step from now on, in the thread that asks; NULL: nobody, as from the start. To be set before
 * the first question. */
typedef void as_tracer(void *data, const as_trace_step *sight);
void as_directories_trace(as_directories *all, as_tracer *observer, void *data);

#endif
