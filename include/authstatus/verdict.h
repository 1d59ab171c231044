/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict: a pure function of a finding and the policy in force.
 */
#ifndef AUTHSTATUS_VERDICT_H
#define AUTHSTATUS_VERDICT_H

#include "authstatus/outcome.h"

typedef enum as_disclose { AS_DISCLOSE_PROVEN, AS_DISCLOSE_ALWAYS, AS_DISCLOSE_NEVER } as_disclose;
typedef enum as_masking { AS_MASK_OFF, AS_MASK_FORBIDDEN, AS_MASK_ALL } as_masking;

/* The policy of the requested resource. */
typedef struct as_policy {
    as_disclose disclose;
    as_masking mask;
    bool plain;       /* this client gets the plain status: AuthStatusMask's expression is false */
    bool proven_here; /* this client has proven a password here within the last hour: All shows it an outage */
    long retry_after; /* seconds, for 503 */
    short status[AS_OUTCOME_COUNT];     /* AuthStatusMap for one outcome; 0: as its class */
    short class_status[AS_CLASS_COUNT]; /* AuthStatusMap for a class; 0: the default */
} as_policy;

/* The decision how to answer. */
typedef struct as_verdict {
    int status;       /* the intended HTTP status; 0: the request continues. 401 stands for 407 in a forward proxy */
    bool challenge;   /* the answer has a WWW-Authenticate field: exactly for 401 */
    bool masked;      /* answer as for a missing resource, whatever `status` is */
    bool disclosed;   /* `shown` and the finding's details may be disclosed to the client */
    as_outcome shown; /* the outcome that the client may see; wrong-password where the outcome is not disclosed */
    long retry_after; /* seconds for Retry-After, -1: none */
} as_verdict;

/* Makes the verdict of a finding. `wait`: seconds to wait that the finding implies (a throttle's, an open
 * breaker's), 0: none. */
as_verdict as_verdict_make(const as_finding *finding, const as_policy *policy, long wait);

/* Makes the verdict of an outcome of class granted: the request continues and the outcome is disclosed under any
 * policy. */
as_verdict as_verdict_make_for_grant(as_outcome outcome);

/* Returns true for the statuses that AuthStatusMap accepts. */
bool as_verdict_takes_status(int status);

#endif
