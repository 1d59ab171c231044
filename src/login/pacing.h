/* SPDX-License-Identifier: Apache-2.0
 *
 * What a login was, for the delay of its answer.
 */
#ifndef AUTHSTATUS_LOGIN_PACING_H
#define AUTHSTATUS_LOGIN_PACING_H

#include "authstatus/login.h"

/* Begins with the first directory of a login. */
void as_pacing_begin(as_pacing *pacing, const as_login_attempt *params);
/* Stand around all that a login does that the cache has no answer to. `paces`: or NULL. */
void as_pacing_enter(as_pacing *pacing, as_paces *paces, const as_login_directory *directory);
void as_pacing_leave(as_pacing *pacing, as_paces *paces);
/* Records a query to this directory. `known`: about an entry found before, without a search. */
void as_pacing_note_query(as_pacing *pacing, const as_login_directory *directory, bool known);
/* Records the answer of a directory. */
void as_pacing_note_answer(as_pacing *pacing, const as_login_directory *directory, const as_finding *finding);

#endif
