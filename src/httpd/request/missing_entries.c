/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that are named by Require lines and do not exist: those that this process has warned of within the last
 * hour.
 */
#include "request.h"

#include <pthread.h>

#include <apr_sha1.h>

#define HOUR apr_time_from_sec(3600)
/* With more missing entries, warnings repeat earlier. */
#define MISSING_MOST 256

typedef struct as_missing {
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_time_t warned; /* 0: free slot */
} as_missing;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static as_missing known[MISSING_MOST];

/* Returns the slot of an entry: its own, a free one, or that of the oldest warning. */
static as_missing *find_slot(const unsigned char *digest)
{
    as_missing *oldest = known, *each;

    for (each = known; each < known + MISSING_MOST; each++) {
        if (!memcmp(each->digest, digest, APR_SHA1_DIGESTSIZE)) {
            return each;
        }
        if (each->warned < oldest->warned) {
            oldest = each;
        }
    }
    memcpy(oldest->digest, digest, APR_SHA1_DIGESTSIZE);
    oldest->warned = 0;
    return oldest;
}

bool as_require_is_news(const char *fingerprint, const char *dn)
{
    const apr_time_t now = apr_time_now();
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha1;
    as_missing *slot;
    bool news;

    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, fingerprint, (unsigned)strlen(fingerprint) + 1);
    apr_sha1_update(&sha1, dn, (unsigned)strlen(dn));
    apr_sha1_final(digest, &sha1);
    pthread_mutex_lock(&mutex);
    slot = find_slot(digest);
    news = !slot->warned || now - slot->warned >= HOUR || now < slot->warned;
    if (news) {
        slot->warned = now;
    }
    pthread_mutex_unlock(&mutex);
    return news;
}
