/* SPDX-License-Identifier: Apache-2.0
 *
 * What authenticate.c hands to settle.c: the throttle around the binds of one query, and the end of a login.
 */
#ifndef AUTHSTATUS_LOGIN_SETTLE_H
#define AUTHSTATUS_LOGIN_SETTLE_H

#include "authstatus/login.h"

/* The throttle of one login's queries. */
typedef struct as_gate {
    const as_login *login;
    as_login_memo *memo;
    const as_login_attempt *asked;
    as_mono deadline;
    bool certain; /* the password was accepted a moment ago: a bind with it is no guess */
    /* Of the last query: */
    struct as_met_account *before; /* what the memo had counted when it began */
    bool refused;                  /* a bind was not admitted */
    long wait;                     /* seconds, then */
} as_gate;

/* Returns how long this client, or the account that this name is known to lead to, has to wait; 0: not at all. */
long as_gate_wait(const as_gate *gate);
/* Begins a query. */
void as_gate_open(as_gate *gate);
/* Admits a bind under this name; as_query's `admit`. */
bool as_gate_admit(void *gate, const char *name, bool accepted);
/* Ends a query: notes what its answer makes of the binds that were admitted. */
void as_gate_close(const as_gate *gate, const as_reply *reply);
/* The password is right, though the directory did not say so now: binds of this query are no failures. */
void as_gate_accept(const as_gate *gate);
/* Was a bind of this query sent? */
bool as_gate_has_sent(const as_gate *gate);

/* Are there failures of the account that this answer is about? */
bool as_settle_is_counted(const as_gate *gate, const char *dn);
/* A provider gave this answer: from the directory, unless it was remembered or another's. */
void as_settle_note(const as_gate *gate, const as_answer *answer, bool afresh);

/* ---- stale.c: while the directory is away ---- */

/* Replaces an answer of class unavailable by the acceptance of this password, where one may still serve. A password
 * that is not the one that was accepted counts as a failure of the account, and of the client; a throttled account is
 * throttled. */
void as_stale_login(as_gate *gate, const as_cache_key *key, as_answer *answer);
/* The same for an answer that is found without a password: `away` is what the directory's would be. True: *cached is
 * the one that serves, and the memo knows. */
bool as_stale_find(const as_login *login, as_login_memo *memo, const as_cache_key *key, const as_answer *away,
                   as_cached_answer *cached);

/* ---- authenticate.c ---- */

/* One deadline for everything that a transaction queries, from its first query on. */
as_mono as_deadline_of(as_login_memo *memo, apr_interval_time_t within);

#endif
