/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins of names whose entries were found before.
 */
#ifndef AUTHSTATUS_LOGIN_KNOWN_ENTRY_H
#define AUTHSTATUS_LOGIN_KNOWN_ENTRY_H

#include "authstatus/login.h"

/* A login, and how its directory is queried. */
typedef struct as_known {
    as_cache *cache; /* NULL: nothing is known */
    const as_login_attempt *params;
    const as_cache_key *key;
    apr_pool_t *pool;
    const void *data;
    /* Queries as `password` and `known_dn` of as_query say. `data`: as above. */
    void (*query)(const void *data, const char *password, const char *known_dn, as_reply *reply);
} as_known;

/* Queries the directory for a login, without a search where the entry is known and a search would change nothing. */
void as_known_query(const as_known *known, as_reply *reply);

#endif
