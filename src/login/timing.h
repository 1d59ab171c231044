/* SPDX-License-Identifier: Apache-2.0
 *
 * What a login was, for the delay of its answer.
 */
#ifndef AUTHSTATUS_LOGIN_TIMING_H
#define AUTHSTATUS_LOGIN_TIMING_H

#include "authstatus/login.h"

/* Begins with the first directory of a login. */
void as_timing_begin(as_timing *timing, const as_login_attempt *params);
/* Begin and end the part of a login that the cache cannot answer. `timings`: or NULL. */
void as_timing_enter(as_timing *timing, as_timings *timings, const as_login_directory *directory);
void as_timing_leave(as_timing *timing, as_timings *timings);
/* Records a query to this directory. `known`: about an entry found before, without a search. */
void as_timing_note_query(as_timing *timing, const as_login_directory *directory, bool known);
/* Records the answer of a directory. */
void as_timing_note_answer(as_timing *timing, const as_login_directory *directory, const as_finding *finding);

#endif
