/* SPDX-License-Identifier: Apache-2.0
 *
 * The logins that one transaction has made, with their answers.
 */
#ifndef AUTHSTATUS_LOGIN_QUERIED_H
#define AUTHSTATUS_LOGIN_QUERIED_H

#include "authstatus/login.h"

/* A login that was made. */
typedef struct as_queried {
    struct as_queried *next;
    const char *scope;
    const char *directory; /* the cache key's */
    const char *user;
    char *password; /* wiped when the memo's pool is cleared */
    const as_answer *answer;
} as_queried;

/* Returns the login with this key, or NULL. */
as_queried *as_queried_find(const as_login_memo *memo, const as_cache_key *key);
/* Returns the login that found this entry, with this name and password; or NULL. */
as_queried *as_queried_find_by_entry(const as_login_memo *memo, const char *dn, const char *user, const char *password);
void as_queried_note(as_login_memo *memo, const as_cache_key *key, const as_answer *answer);
/* The key that it is cached under. */
as_cache_key as_queried_get_key(const as_queried *queried);
/* The directory has refused the password of a login that was granted: ends the acceptance, here and in the cache. */
void as_queried_refuse(as_queried *queried, const as_login *login, as_login_memo *memo, const as_finding *finding);

#endif
