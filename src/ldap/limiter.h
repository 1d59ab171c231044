/* SPDX-License-Identifier: Apache-2.0
 *
 * State shared by the requests of a process while they wait: slots, and the service account of a directory.
 */
#ifndef AUTHSTATUS_LDAP_LIMITER_H
#define AUTHSTATUS_LDAP_LIMITER_H

#include <pthread.h>
#include <stdatomic.h>

#include <apr_ring.h>

#include "authstatus/ldap.h"

/* thread.c: a condition variable by the monotonic clock. Returns false without memory. */
bool as_cond_create(pthread_cond_t *cond);
/* Waits until a signal, or this time, or for no reason. Under the lock of `mutex`. */
void as_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, as_mono until);
/* Starts a thread that handles no signals: those of the server do. `attributes` NULL: the usual ones. Returns false
 * without one. */
bool as_thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *data), void *data);

/* Sets a time that only goes on: a thread that had to stop after it read the clock has an earlier one than is there. */
static inline void as_mono_advance(_Atomic as_mono *time, as_mono to)
{
    as_mono seen = atomic_load_explicit(time, memory_order_relaxed);

    while (seen < to &&
           !atomic_compare_exchange_weak_explicit(time, &seen, to, memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* limiter.c: a queued request; lives on its stack. */
typedef struct as_share as_share;
typedef struct as_waiter {
    APR_RING_ENTRY(as_waiter) link;
    pthread_cond_t wake;
    as_share *share;
    bool granted; /* removed from the queue, with a slot */
} as_waiter;

typedef struct as_limiter {
    pthread_mutex_t mutex;
    APR_RING_HEAD(as_limiter_queue, as_waiter) queue; /* of requests without a slot */
    int limit;                                        /* 0: none */
    int inside;
    as_mono full_since;       /* time when the last slot was taken */
    _Atomic as_mono answered; /* time of the last answer of any directory */
} as_limiter;

/* The part of the slots that one directory may use, or all directories together that only .htaccess names. */
struct as_share {
    int most;
    int inside;
    as_mono full_since;
    _Atomic as_mono answered; /* time of the last answer of one of its servers */
};

bool as_limiter_create(as_limiter *limiter, int limit);
void as_limiter_destroy(as_limiter *limiter);
/* Sets a share to one of so many parts, at least one slot. */
void as_share_create(as_share *share, const as_limiter *limiter, int parts);
/* Takes a slot. Returns false if the directory stopped answering or the deadline passed. */
bool as_limiter_enter(as_limiter *limiter, as_share *share, as_mono deadline);
void as_limiter_leave(as_limiter *limiter, as_share *share);
void as_limiter_note_answer(as_limiter *limiter, as_share *share);

/* account.c: binds of a service account that are in progress or were refused. In memory of one process or of all; a
 * process that ends in the midst of a bind leaves nothing that outlasts the bind's deadline. */
typedef struct as_account_state {
    _Atomic uint64_t id;          /* hash of the account; 0: none */
    _Atomic uint64_t word;        /* accepted, refused, in progress: account.c packs them */
    _Atomic as_mono trying_until; /* until then there may be binds in progress */
    _Atomic as_mono until, pause; /* end and length of the pause */
    atomic_int code;              /* of the last refusal */
} as_account_state;

/* The service account that a directory's sessions are bound as, for one process. */
typedef struct as_account {
    bool made;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    as_account_state *state; /* the own one, or a shared one */
    as_account_state own;
    char diagnostic[256]; /* of the last refusal that this process has seen */
} as_account;

/* Creates it, zeroed by the caller. The state of an account of the configuration is in `shared`, where that is not NULL
 * and not full. */
bool as_account_create(as_account *account, as_shared_accounts *shared, const as_directory_settings *settings,
                       apr_pool_t *pool);
void as_account_destroy(as_account *account);
/* Returns true if the circuit is open after too many refusals; the reply repeats the refusal. */
bool as_account_is_circuit_open(as_account *account, apr_pool_t *pool, as_reply *reply);
/* Starts one bind as the account; as_account_leave ends it. Returns false if the circuit is open or the deadline
 * passed; the reply has the reason. */
bool as_account_enter(as_account *account, as_mono deadline, apr_pool_t *pool, as_reply *reply);
void as_account_leave(as_account *account, const as_reply *reply);

#endif
