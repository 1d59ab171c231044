/* SPDX-License-Identifier: Apache-2.0
 *
 * When a failed login is answered, so that its duration does not reveal what it failed for: a wrong password, an
 * account that is locked, a name that nobody has. Pure: durations in, a duration out. All times in microseconds.
 */
#ifndef AUTHSTATUS_UNIFORM_TIMING_H
#define AUTHSTATUS_UNIFORM_TIMING_H

#include <stddef.h>
#include <stdint.h>

#include "authstatus/mono.h"

/* What a login ended with. A name may be known to the first directory of a section or to a later one, which takes
 * longer. */
typedef enum as_timed {
    AS_TIMED_WRONG,     /* the first directory knows the name, and refused the password */
    AS_TIMED_REFUSED,   /* the same, and it refused the account: locked, disabled, ... */
    AS_TIMED_AMBIGUOUS, /* the first directory has several entries of that name */
    AS_TIMED_ELSEWHERE, /* one of these in a later directory */
    AS_TIMED_UNKNOWN,   /* no directory knows the name */
    AS_TIMED_PROVEN,    /* the password was right: never delayed, and compared with while few were wrong */
    AS_TIMED_COUNT
} as_timed;

#define AS_TIMING_SAMPLES 256
#define AS_TIMING_ENOUGH 8 /* durations that say something about others */

/* The last durations of one kind. */
typedef struct as_duration_ring {
    as_mono latest; /* time of the last one */
    uint32_t noted; /* number of all of them, wraps */
    uint32_t count; /* of those that are kept */
    uint32_t took[AS_TIMING_SAMPLES];
    uint32_t sorted[AS_TIMING_SAMPLES];
} as_duration_ring;

/* Of logins that can be compared: of one section, one way and one load. Zero-initialised. Unlocked: the caller holds a
 * lock. */
typedef struct as_durations {
    as_duration_ring rings[AS_TIMED_COUNT];
} as_durations;

/* Records how long a login of this kind took, before any delay. `now`: on the monotonic clock, as below. */
void as_durations_note(as_durations *durations, as_timed kind, as_mono took, as_mono now);

/* Load of a process: as many logins are in progress at directories, this one too. Under load all of them take longer.
 */
#define AS_TIMING_LOADS 5
#define AS_TIMING_CROWD 3 /* from this load on they wait for each other more than for the directory */
static inline int as_load_choose(int in_progress)
{
    return in_progress <= 1 ? 0 : in_progress <= 2 ? 1 : in_progress <= 4 ? 2 : in_progress <= 8 ? 3 : 4;
}

/* A failed login that is about to be answered. */
typedef struct as_timed_login {
    const as_durations *durations;
    const as_durations
        *calm; /* the same without load, for kinds of which too little is known under this one; or durations */
    int load;
    as_timed kind;
    as_mono took;
} as_timed_login;

/* Returns after what time it is to be answered; never less than it took, and at most a second more. */
as_mono as_uniform_time_choose(const as_timed_login *login, as_mono now);

/* Passwords of one class of length: hashing a long one takes longer, and {CRYPT} refuses a too long one at once. */
#define AS_TIMING_LENGTHS 4
static inline int as_length_class_choose(size_t password_length)
{
    return password_length < 64 ? 0 : password_length < 256 ? 1 : password_length < 512 ? 2 : 3;
}

#endif
