/* SPDX-License-Identifier: Apache-2.0
 *
 * What is answered: a pure function of a finding and the policy in force.
 */
#ifndef AUTHSTATUS_VERDICT_H
#define AUTHSTATUS_VERDICT_H

#include "authstatus/outcome.h"

typedef enum as_disclose { AS_DISCLOSE_PROVEN, AS_DISCLOSE_ALWAYS, AS_DISCLOSE_NEVER } as_disclose;
typedef enum as_masking { AS_MASK_OFF, AS_MASK_FORBIDDEN, AS_MASK_ALL } as_masking;

/* The policy of the place that was asked for. */
typedef struct as_policy {
    as_disclose disclose;
    as_masking mask;
    bool plain;       /* this client sees the plain status: AuthStatusMask's expression is false */
    bool proven_here; /* this client has proven a password here within the last hour: All tells him an outage */
    long retry_after; /* seconds, for 503 */
    short status[AS_OUTCOME_COUNT];     /* AuthStatusMap for one outcome; 0: as its class */
    short class_status[AS_CLASS_COUNT]; /* AuthStatusMap for a class; 0: the default */
} as_policy;

/* The answer. */
typedef struct as_verdict {
    int status;       /* the HTTP status meant, 0: the request goes on. 401 stands for 407 in a forward proxy */
    bool challenge;   /* the answer has a WWW-Authenticate: exactly for 401 */
    bool masked;      /* it is to be answered as a missing resource, whatever `status` says */
    bool told;        /* the client may be told `shown` and the finding's details */
    as_outcome shown; /* the outcome that the client may see; wrong-password for one that may not be told */
    long retry_after; /* seconds for Retry-After, -1: none */
} as_verdict;

/* The answer for a finding. `wait`: seconds that the finding itself asks to wait (a throttle's, an open
 * breaker's), 0: none. */
as_verdict as_verdict_of(const as_finding *finding, const as_policy *policy, long wait);

/* The same for an outcome of class granted: it goes on and is told, whatever the policy says. */
as_verdict as_verdict_of_grant(as_outcome outcome);

/* True for the statuses that AuthStatusMap takes. */
bool as_verdict_takes_status(int status);

#endif
