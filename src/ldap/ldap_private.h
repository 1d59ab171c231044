/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations shared by the files of src/ldap. Upward view: authstatus/ldap.h.
 *
 *   wire.c            a TCP connection under a deadline, and libldap's bytes through it (wire.h)
 *   wire_guard.c      checks the messages of both directions
 *   filter.c          filters as libldap takes them: valid ones, and one that it is about to send
 *   tls.c             TLS settings of a directory, shared by its sessions
 *   libldap.c         libldap in a process that loads it more than once
 *   tls_defaults.c    ldap.conf's TLS settings on this machine
 *   certificate.c     why a certificate was refused
 *   session.c         one LDAP session: bind, search, close
 *   session_open.c    opens a session
 *   response.c        libldap's messages into a reply
 *   trace.c           reports each step to an observer
 *   breaker.c         the circuit breaker of one server
 *   limiter.c         limits the queries that wait
 *   thread.c          waits by the monotonic clock, and threads beside those of the server
 *   account.c         the service account, while it is refused
 *   addresses.c       the servers of the configuration, by their addresses
 *   idle.c            idle sessions, and the limit of all open ones
 *   pool.c            lends sessions
 *   reaper.c          closes idle sessions of directories that are not queried any more
 *   settings.c        copies of a directory's settings
 *   fingerprint.c     the identity of a directory
 *   registry.c        the directories of this process
 *   referral.c        other servers that a search refers to
 *   search_bind.c     search and bind at one server
 *   operation.c       one search or compare of an authorization
 *   found.c           entries of a search with all values
 *   compare.c         a compare of several attributes of one entry
 *   membership.c      groups in the entry of a user
 *   group_rights.c    groups that an account may not look into
 *   groups.c          queries about groups
 *   facts.c           facts about a server and its groups
 *   failover.c        one deadline, over all servers
 *   lockout.c         after how many failures the directory locks an account
 *   url.c             AuthLDAPURL
 *   secret_program.c  memory for secrets, and the program of AuthLDAPBindPassword exec:
 */
#ifndef AUTHSTATUS_LDAP_PRIVATE_H
#define AUTHSTATUS_LDAP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <lber.h>
#include <ldap.h>

#include <apr_hash.h>
#include <apr_ring.h>
#include <apr_tables.h>
#include <apr_thread_mutex.h>

#include "authstatus/groups.h"
#include "authstatus/ldap.h"
#include "ber.h"
#include "limiter.h"
#include "wire.h"

/* Bounds on data from a server. */
#define AS_MAX_PDU 1048576        /* octets of one LDAP message; a larger one ends the session */
#define AS_MAX_ANSWER 4194304     /* octets of all messages while one request is answered */
#define AS_MAX_MESSAGES 100       /* messages in answer to one request */
#define AS_MAX_TEXT 4096          /* diagnosticMessage, matchedDN: cut there */
#define AS_MAX_VALUE 8192         /* value of an attribute, DN: a longer one counts as absent */
#define AS_MAX_CONTROLS 16        /* an answer with more is refused */
#define AS_MAX_CONTROL_VALUE 4096 /* a longer value is dropped: a known control without a value fails to parse */
#define AS_MAX_REFERRALS 16       /* URLs followed for one search */
/* A bound as part of a sentence. */
#define AS_TEXT_OF_(number) #number
#define AS_TEXT_OF(number) AS_TEXT_OF_(number)

/* filter.c: returns whether a search request (the whole LDAPMessage) has as many tests as the text of its filter. */
bool as_filter_is_whole(const unsigned char *message, size_t length, const char *filter);

/* tls.c: the TLS library's context of one directory: CA certificates, client certificate. Sessions of the same
 * verify_certificate may share it. */
typedef struct as_tls {
    apr_thread_mutex_t *mutex;
    LDAP *keeper;    /* the handle that owns the context; NULL: no session needed one yet */
    void *context;   /* of the TLS library */
    as_wire nowhere; /* of the keeper */
} as_tls;

apr_status_t as_tls_create(as_tls *tls, apr_pool_t *pool);
void as_tls_destroy(as_tls *tls);
/* Initializes libldap's TLS library, which libldap does without a lock; call while the process has one thread.
 * Returns false only without memory. */
bool as_tls_initialize(void);

/* libldap.c: keeps the program or library of this address loaded until the process ends. A program is anyway. */
void as_code_keep_loaded(const void *inside);
/* Has libldap initialize itself, if it has not, without a lock: it reads ldap.conf, and waits until the resolver knows
 * this host or gives up. It stays loaded, for it does this anew whenever it is loaded, and leaves memory and libsasl's
 * callbacks behind when it goes. */
void as_libldap_initialize(void);

/* tls_defaults.c: reads ldap.conf, unless as_directories_keep_defaults() has, and sets its values on a handle: another
 * module may have changed libldap's own default context. Returns false if libldap refuses a value. */
void as_tls_find_defaults(apr_pool_t *pool);
const char *as_tls_get_default_file(int option); /* NULL: not set in ldap.conf */
int as_tls_get_default_number(int option);       /* -1: libldap does not know it */
bool as_tls_set_default_authorities(LDAP *ld);
bool as_tls_set_default_files(LDAP *ld);
bool as_tls_set_default_numbers(LDAP *ld);
/* Makes the context, if there is none: reading all CA certificates of a system is slow, and must not happen where
 * other threads wait. as_tls_start reports a failure. */
void as_tls_prepare(as_tls *tls, const as_directory_settings *settings);
/* Performs the handshake on the wire. `tls` may be NULL: the session keeps its context to itself. Returns false with
 * *reason, the fault in words, or NULL if the library reports none (see as_certificate_explain); *began: it began. */
bool as_tls_start(as_tls *tls, LDAP *ld, const as_directory_settings *settings, apr_pool_t *pool, bool *began,
                  const char **reason);

/* breaker.c: of one server. Unlocked: the caller holds a lock. */
typedef enum as_breaker_pass {
    AS_BREAKER_FREE,  /* query the server */
    AS_BREAKER_PROBE, /* query the server, alone: the others wait for the result */
    AS_BREAKER_NONE   /* circuit open: do not query */
} as_breaker_pass;

typedef struct as_breaker {
    int limit;    /* outages in a row that open it; 0: never */
    as_mono time; /* how long it stays open */
    int outages;  /* in a row */
    bool open;
    bool probing;
    as_mono until; /* while open: time of the next probe */
} as_breaker;

as_breaker_pass as_breaker_enter(as_breaker *breaker, as_mono now);
/* Ends a pass other than NONE, once. `answered` false: an outage. */
void as_breaker_leave(as_breaker *breaker, as_mono now, as_breaker_pass pass, bool answered);
/* Ends a pass without a query: it has no effect. */
void as_breaker_cancel(as_breaker *breaker, as_breaker_pass pass);
/* Returns how long the circuit stays open; 0: a query may pass. */
as_mono as_breaker_get_wait(const as_breaker *breaker, as_mono now);

typedef enum as_kind {
    AS_KIND_SEARCH, /* bound as the service account, and never as another user */
    AS_KIND_VERIFY  /* bound as the last user verified; never used to search for another */
} as_kind;
#define AS_KINDS 2

/* One server of a directory, as this process sees it. */
typedef struct as_session as_session;
typedef struct as_peer as_peer;
APR_RING_HEAD(as_idle_sessions, as_session);
APR_RING_HEAD(as_peers, as_peer);
struct as_peer {
    APR_RING_ENTRY(as_peer) link; /* of all peers of the process */
    as_directory *directory;
    const as_ldap_server *address;
    const char *name;                       /* "host:port" */
    struct as_idle_sessions idle[AS_KINDS]; /* most recently used first; under the lock of `all->sessions` */
    atomic_int open;                        /* number of sessions */
    _Atomic as_mono distrusted;             /* sessions opened until then are not reused: one of them was found lost */
    apr_thread_mutex_t *mutex; /* of the breaker and the fault; NULL in a peer made by as_session_create_aside */
    as_breaker breaker;
    char fault[1024]; /* of its certificate, in words; "" if none is known */
    as_mono fault_until;
    _Atomic uint64_t queries; /* since the last report */
    _Atomic int64_t latency;
};

/* facts.c: facts about the server and its groups. NULL: no cache. */
typedef struct as_facts as_facts;

/* The owner of sessions: servers, TLS settings, bind identity. Many sections may share one: the one in the registry
 * has as_session_choose_settings, and a query works on a copy with the settings of its section. */
struct as_directory {
    as_directories *all;
    as_directory *shared; /* of a copy: the original in the registry */
    const as_directory_settings *settings;
    as_share *share;
    as_account *account; /* NULL outside the registry: its binds are not counted */
    as_tls *tls;
    as_peer *peers; /* as many as settings->server_count */
    apr_pool_t *pool;
    as_facts *facts;
    int users;    /* queries that use it; under the lock of `all`. From here on: in the registry alone, not in a copy */
    bool listed;  /* it is in the registry */
    as_mono used; /* time of the last use; under the lock of `all` */
    uint64_t hash;
    as_directory *next; /* in the same bucket */
};

/* One LDAP session. Used by one thread at a time. */
struct as_session {
    APR_RING_ENTRY(as_session) of_peer, of_age; /* while idle */
    as_session *next_condemned;
    bool condemned; /* counted as closed: its peer may be destroyed */
    as_mono idle_since;
    as_peer *peer;
    as_kind kind;
    LDAP *ld; /* NULL: not open */
    as_wire wire;
    bool bound;              /* AS_KIND_SEARCH: bound as the service account */
    bool dead;               /* not to be used again */
    bool reused;             /* it was open when it was lent */
    bool on_trial;           /* reused and without an answer since: the connection may be lost */
    bool unobserved;         /* without observer: to repeat a step only */
    bool refused;            /* not opened: the server's certificate was refused */
    as_mono opened, secured; /* start times of the two steps */
    unsigned long answers;   /* operations answered since it was opened */
};

typedef struct as_search {
    const char *base;
    int scope;
    const char *filter;
    const char *const *attributes; /* NULL-terminated */
    int attribute_count;
    int limit;            /* number of entries requested */
    bool with_membership; /* the attributes end with as_membership_attributes, which are not counted */
    apr_array_header_t
        *found; /* of as_found: receives entries with all values; NULL: the one entry goes into the reply */
    int deref;  /* LDAP_DEREF_* */
    apr_array_header_t *referrals; /* receives URLs (const char *); NULL: referrals are only noted */
} as_search;

/* account.c: the guard of the limits around the bind of a service account that a .htaccess file names. False: the bind
 * is not sent, with the reason in the reply. *begun: NULL where there is nothing to end. */
bool as_account_begin_guarded(const as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply,
                              void **begun);
/* Ends it with the reply to the bind; NULL: it was not sent. */
void as_account_end_guarded(const as_session *session, void *begun, const as_reply *reply, apr_pool_t *pool);

/* session.c. Each returns true if it got an LDAP result, of any code; the reply has the rest. A session that failed
 * in another way is dead: libldap would open the next connection by itself, unbound, so it is not used again. */
bool as_session_open(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply);
bool as_session_bind_service(as_session *session, as_mono deadline, apr_pool_t *pool, as_reply *reply);
/* Binds with the password policy request control. Neither text may be empty. */
bool as_session_bind_user(as_session *session, const char *dn, const char *password, as_mono deadline, apr_pool_t *pool,
                          as_reply *reply);
bool as_session_search(as_session *session, const as_search *search, as_mono deadline, apr_pool_t *pool,
                       as_reply *reply);
/* For operations of other files: sets the deadline of one, for which the bounds on its answer begin anew. */
void as_session_set_deadline(as_session *session, as_mono deadline, apr_interval_time_t longest);
/* Fails an operation that libldap has not sent. Returns false. Its session is dead, unless the arguments were wrong. */
bool as_session_fail_unsent(as_session *session, int code, as_step step, apr_pool_t *pool, as_reply *reply);

/* compare.c */
bool as_session_compare(as_session *session, const as_compare *compare, as_mono deadline, apr_pool_t *pool,
                        as_reply *reply);

/* Makes a session outside the pool, to another server or with other settings; not open. It lives in `pool`, and the
 * caller closes it. */
as_session *as_session_create_aside(const as_directory *directory, const as_directory_settings *settings,
                                    const as_ldap_server *address, apr_pool_t *pool);
bool as_session_is_usable(const as_session *session);
void as_session_close(as_session *session); /* never waits */
/* An answer that is to come. */
typedef struct as_awaited {
    int id;          /* of the request */
    int type;        /* of the response: LDAP_RES_... */
    bool queued;     /* libldap may have read it together with another one */
    as_step step;    /* of the reply */
    as_mono started; /* when the request was sent */
} as_awaited;
/* Reads the answer to an operation that has only one. */
bool as_session_finish(as_session *session, const as_awaited *awaited, apr_pool_t *pool, as_reply *reply);

/* certificate.c: puts the fault of a certificate that as_session_open refused before the TLS library's message, which
 * does not name it: fetches the certificate again, until `deadline`. Without effect after any other failure. */
#define AS_CERTIFICATE_REFUSED "the server's certificate was not accepted"
void as_certificate_explain(as_session *failed, as_mono deadline, apr_pool_t *pool, as_reply *reply);

/* trace.c: reports a step. `reply`: NULL for a successful connect or TLS. */
void as_trace(as_session *session, as_step step, const char *what, as_mono started, const as_reply *reply,
              apr_pool_t *pool);

/* found.c: an entry with all values. */
typedef struct as_found_value {
    const char *octets; /* NUL-terminated */
    size_t length;
} as_found_value;

typedef struct as_found_values {
    const as_found_value *values;
    int count;
    bool is_part; /* incomplete: a range of the values (MS-ADTS 3.1.1.3.1.3.3), or some were too long */
} as_found_values;

typedef struct as_found {
    const char *dn;
    as_found_values *attributes; /* as many as requested */
} as_found;

/* Adds an entry to search->found. Returns false if it is unreadable. */
bool as_found_add(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_reply *reply);
/* Returns the texts among the values, NULL-terminated, and *count; omits values with a NUL. */
const char *const *as_found_get_texts(const as_found_values *values, apr_pool_t *pool, int *count);
/* Returns the first of the values as a text; NULL: there is none. */
const char *as_found_get_first_text(const as_found_values *values);

/* response.c */
void as_reply_clear(as_reply *reply);
void as_reply_fail(as_reply *reply, as_step step, as_failure failure, const char *reason);
/* Returns whether the server did not answer, or is too busy (RFC 4511 Appendix A: busy, unavailable). */
bool as_reply_is_outage(const as_reply *reply);
/* Reads a message that ends an operation, and frees it. Returns false for an unacceptable message, with *reason. */
bool as_response_read_result(LDAP *ld, LDAPMessage *message, apr_array_header_t *referrals, apr_pool_t *pool,
                             as_reply *reply, const char **reason);
/* Returns false for an unreadable entry. */
bool as_response_read_entry(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_reply *reply);
void as_response_read_reference(LDAP *ld, LDAPMessage *reference, apr_array_header_t *referrals, apr_pool_t *pool,
                                as_reply *reply);

/* fingerprint.c: returns the settings of sessions: these, without the search parameters. */
as_directory_settings as_session_choose_settings(const as_directory_settings *settings);
/* Returns whether all settings are the same, and a hash that is equal then. */
bool as_settings_are_same(const as_directory_settings *one, const as_directory_settings *other);
uint64_t as_settings_compute_hash(const as_directory_settings *settings);

/* idle.c: the sessions of a process; those of directories named only by .htaccess are separate */
typedef struct as_sessions {
    pthread_mutex_t mutex;
    struct as_idle_sessions idle; /* most recently used first */
    int idle_count;
    int most;        /* limit of open sessions, not counting those in use */
    atomic_int open; /* in use, and idle */
    as_mono longest; /* idle time; 0: no limit besides the directory's own */
    as_mono swept;
} as_sessions;

bool as_sessions_create(as_sessions *sessions, int most, as_mono longest);
void as_sessions_destroy(as_sessions *sessions);
void as_idle_create(as_peer *peer);
void as_idle_destroy(as_peer *peer);
/* Closes sessions that were idle for too long. */
void as_idle_sweep(as_directories *all);
/* Closes idle sessions. Returns true if there was one. */
bool as_idle_close_all(as_directories *all);
/* Takes the session used last; NULL: there is none, or `fresh`. Then an idle one may be closed for a new one. */
as_session *as_idle_take(as_peer *peer, as_kind kind, bool fresh);
/* Keeps an open session, and takes ownership of it. */
void as_idle_keep(as_session *session);
/* Closes and frees a session that is not idle. */
void as_session_destroy(as_session *session);

/* reaper.c */
typedef struct as_reaper {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool runs, ends;
} as_reaper;

bool as_reaper_create(as_reaper *reaper);
/* Starts the thread, once; later calls have no effect. */
void as_reaper_start(as_directories *all);
void as_reaper_end(as_reaper *reaper);

/* pool.c: returns an open session, for AS_KIND_SEARCH a bound one; or NULL and a reply. `fresh`: a new one. */
as_session *as_pool_lend(as_peer *peer, as_kind kind, bool fresh, as_mono deadline, apr_pool_t *pool, as_reply *reply);
void as_pool_return(as_session *session);

/* settings.c: made from setting.def. The copy shares no memory with the original. */
const as_directory_settings *as_settings_copy(apr_pool_t *pool, const as_directory_settings *settings);
/* Wipes the secrets of a copy that is not used any more. */
void as_settings_wipe(const as_directory_settings *copy);

/* addresses.c */
typedef struct as_addresses as_addresses;

/* Makes the table of the servers that the configuration names, which must live until as_addresses_end. NULL: no
 * memory. */
as_addresses *as_addresses_create(const as_ldap_server *servers, int count);
/* Ends the table, without a wait: a thread that resolves a name frees it later. */
void as_addresses_end(as_addresses *all);
/* Returns the servers at whose address a connection ends, NULL-terminated, in `pool`: on a port that is the same, or as
 * usual. Names are resolved now and then by another thread. Waits for it at most half of the time until the deadline
 * where no table is known yet, and then returns NULL; a moment where the table is old; else not at all. Any thread. */
const as_ldap_server *const *as_addresses_find(as_addresses *all, int fd, as_mono deadline, apr_pool_t *pool);
/* Finds which servers of the configuration a session is connected to. Returns false if they are not known in time:
 * AS_REASON_NO_ADDRESSES. */
bool as_addresses_find_target(const as_session *session, as_mono deadline, apr_pool_t *pool, as_bind_target *target);
#define AS_REASON_NO_ADDRESSES "the addresses of the configuration's servers are not known yet; the bind was not sent"

/* registry.c */
#define AS_BUCKETS 512
struct as_directories {
    apr_pool_t *pool;
    as_directory_limits limits;
    apr_pool_t *scratch;             /* under the mutex, and empty whenever that is free */
    apr_thread_mutex_t *mutex;       /* of all members below, and of `users` and `used` of the directories in `table` */
    as_directory *table[AS_BUCKETS]; /* by the hash of their settings */
    int count;                       /* directories in it */
    struct as_peers peers;           /* of all directories in the table */
    int transient;                   /* directories in it that only .htaccess names */
    int users;                       /* queries that use any directory, in the table or not */
    apr_hash_t *shares;              /* as_share by the servers of a directory */
    as_share of_htaccess;
    as_reaper reaper;
    as_sessions sessions[2]; /* [1]: of directories that only .htaccess names */
    as_limiter limiter;
    as_addresses *addresses;
    char decoy[33]; /* 128 random bits, in hexadecimal: the name of no user */
    as_tracer *observer;
    void *observer_data;
};

/* Returns the sessions among which a directory's are counted. */
static inline as_sessions *as_sessions_get(const as_directory *directory)
{
    return &directory->all->sessions[directory->settings->of_htaccess];
}

/* Returns the directory of these settings, made if there is none, or NULL without memory. Give it back with
 * as_directory_put. */
as_directory *as_directory_get(as_directories *all, const as_directory_settings *settings);
void as_directory_put(as_directory *directory);

/* The work on one server. */
typedef struct as_task {
    const as_query *query; /* NULL: a probe */
    const as_directory_settings *settings;
    as_peer *peer;
    int server;       /* index of the peer in the settings, of the one that referred where it is another */
    as_mono deadline; /* on this server */
    apr_pool_t *pool;
    as_reply *reply;
    bool elsewhere; /* the reply is the failure of a server that this one referred to */
    void *data;     /* of as_failover_run */
} as_task;

typedef void as_work(as_task *task);

/* failover.c: does the work on one server after the other, until one answers. */
void as_failover_run(as_directory *entered, as_work *work, void *data, as_mono deadline, apr_pool_t *pool,
                     as_reply *reply);

/* An operation on a session; its result is in the reply. */
typedef bool as_step_of(const as_task *task, as_session *session, const void *argument);
/* search_bind.c: runs it on a session of this kind. */
void as_session_run_step(const as_task *task, as_kind kind, as_step_of *step, const void *argument);

/* operation.c: one of the two. */
typedef struct as_operation {
    const as_search *search;
    const as_compare *compare;
} as_operation;

void as_operation_run(as_group_query *query, const as_operation *operation, as_reply *reply);

/* membership.c: memberOf, objectSid, primaryGroupID */
#define AS_MEMBERSHIP_ATTRIBUTES 3
extern const char *const as_membership_attributes[];
/* groups.c: wanted of a search that reads no attributes. */
extern const char *const as_no_attributes[];
/* Makes the part of a key of facts that says who sees them: the account, and whether it follows aliases. */
const char *as_group_make_viewer_key(const as_group_query *query);
/* Reads the one entry of a search into the reply. Returns false if it is unreadable. */
bool as_membership_take(LDAP *ld, LDAPMessage *entry, apr_pool_t *pool, as_reply *reply);
/* Reads values in the order of as_membership_attributes. */
void as_membership_read(const as_found_values *values, apr_pool_t *pool, as_membership *membership);

/* facts.c */
as_facts *as_facts_create(apr_pool_t *pool);
bool as_facts_get_server(const as_facts *facts, as_server_facts *server, apr_pool_t *pool);
void as_facts_put_server(as_facts *facts, const as_server_facts *server);
bool as_facts_is_ad(const as_facts *facts);
bool as_facts_have_ad_ways_failed(const as_facts *facts);
void as_facts_note_ad_ways_failed(as_facts *facts);
void as_facts_get(as_facts *facts, const char *key, as_group_facts *group, apr_pool_t *pool);
void as_facts_note_described(as_facts *facts, const char *key, const as_group_facts *group);
void as_facts_note_comparable(as_facts *facts, const char *key);
/* The service account has seen memberOf, or a user in his own entry. Of the other viewers nothing is kept. */
bool as_facts_has_seen_member_of(const as_facts *facts, as_viewer viewer);
void as_facts_note_member_of(as_facts *facts, as_viewer viewer);

/* search_bind.c */
/* Whether a user's bind may be sent. */
typedef enum as_send { AS_SEND_ADMITTED, AS_SEND_REFUSED, AS_SEND_TOO_LATE } as_send;
/* Requests admission to bind as `dn` on this session, before the deadline of the task. `accepted`: as_admitter's. The
 * reason against it is in the reply. */
as_send as_bind_admit(const as_task *task, const as_session *session, const as_admitter *admitter, const char *dn,
                      bool accepted);
void as_search_bind_query(as_task *task);
void as_search_bind_probe(as_task *task);

/* referral.c: follows the URLs of a search without an entry; their result becomes the reply. Returns the session on
 * which the one entry was found, for the caller to close; or NULL. */
as_session *as_referrals_follow(as_task *task, const as_search *search);

#endif
