/* SPDX-License-Identifier: Apache-2.0
 *
 * What the requests of a process have in common while they wait: slots, and the service account of a directory.
 */
#ifndef AUTHSTATUS_LDAP_LIMITER_H
#define AUTHSTATUS_LDAP_LIMITER_H

#include <pthread.h>
#include <stdatomic.h>

#include <apr_ring.h>

#include "authstatus/ldap.h"

/* limiter.c */
/* Who queues; lives on his stack. */
typedef struct as_share as_share;
typedef struct as_waiter {
    APR_RING_ENTRY(as_waiter) link;
    pthread_cond_t wake;
    as_share *share;
    bool granted; /* out of the queue, with a slot */
} as_waiter;

typedef struct as_limiter {
    pthread_mutex_t mutex;
    pthread_condattr_t monotonic;
    APR_RING_HEAD(as_limiter_queue, as_waiter) queue; /* of those for whom there is no slot */
    int limit;                                        /* 0: none */
    int inside;
    as_mono full_since;       /* when the last slot was taken */
    _Atomic as_mono answered; /* when a directory last answered anything */
} as_limiter;

/* The part of the slots that one directory may have, or all those together that only .htaccess names. */
struct as_share {
    int most;
    int inside;
    as_mono full_since;
    _Atomic as_mono answered; /* when one of its servers last answered anything */
};

bool as_limiter_create(as_limiter *limiter, int limit);
void as_limiter_destroy(as_limiter *limiter);
/* One part of so many, but never none. */
void as_share_create(as_share *share, const as_limiter *limiter, int parts);
/* False: refused, because the directory stopped answering or the deadline passed. */
bool as_limiter_enter(as_limiter *limiter, as_share *share, as_mono deadline);
void as_limiter_leave(as_limiter *limiter, as_share *share);
void as_limiter_answered(as_limiter *limiter, as_share *share);

/* account.c: the service account that sessions are bound as */
typedef struct as_account {
    bool made;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool taken;           /* the last bind was a success */
    int trying;           /* binds on their way */
    int refusals;         /* in a row */
    as_mono until, pause; /* left alone until then, for so long */
    int code;             /* of the last refusal */
    char diagnostic[256];
} as_account;

bool as_account_create(as_account *account);
void as_account_destroy(as_account *account);
/* True: it was refused too often, and the reply repeats that. */
bool as_account_is_left_alone(as_account *account, apr_pool_t *pool, as_reply *reply);
/* Lets one bind of it begin, which as_account_leave ends. False: left alone, or the deadline passed; the reply says so.
 */
bool as_account_enter(as_account *account, as_mono deadline, apr_pool_t *pool, as_reply *reply);
void as_account_leave(as_account *account, const as_reply *reply);

#endif
