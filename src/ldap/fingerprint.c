/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of a directory: SHA-256 over all its settings (setting.def).
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_escape.h>
#include <openssl/evp.h>

#define DIGEST_SIZE 32

/* Each field is preceded by its length, so that no two lists of fields hash the same octets. */
static bool add_bytes(EVP_MD_CTX *digest, const void *bytes, size_t length)
{
    uint64_t size = length;

    return EVP_DigestUpdate(digest, &size, sizeof(size)) == 1 && EVP_DigestUpdate(digest, bytes, length) == 1;
}

static bool add_number(EVP_MD_CTX *digest, int64_t number)
{
    return EVP_DigestUpdate(digest, &number, sizeof(number)) == 1;
}

/* NULL differs from the empty text. */
static bool add_text(EVP_MD_CTX *digest, const char *text)
{
    return add_number(digest, text != NULL) && (!text || add_bytes(digest, text, strlen(text)));
}

static bool add_servers(EVP_MD_CTX *digest, const as_ldap_server *servers, int count)
{
    bool added = add_number(digest, count);
    int i;

    for (i = 0; i < count && added; i++) {
        added = add_text(digest, servers[i].host) && add_number(digest, servers[i].port);
    }
    return added;
}

static bool add_texts(EVP_MD_CTX *digest, const char *const *texts, int count)
{
    bool added = add_number(digest, count);
    int i;

    for (i = 0; i < count && added; i++) {
        added = add_text(digest, texts[i]);
    }
    return added;
}

static bool add_settings(EVP_MD_CTX *digest, const as_directory_settings *settings)
{
    bool added = true;

#define ADD_NUMBER(name) add_number(digest, (int64_t)settings->name)
#define ADD_TEXT(name) add_text(digest, settings->name)
#define ADD_SECRET(name) ADD_TEXT(name)
#define ADD_SERVERS(name, count) add_servers(digest, settings->name, settings->count)
#define ADD_TEXTS(name, count) add_texts(digest, settings->name, settings->count)
#define AS_SETTING(kind, type, name) added = added && ADD_##kind(name);
#define AS_SETTING_LIST(kind, type, name, count) added = added && ADD_##kind(name, count);
#include "authstatus/setting.def"
    return added;
}

as_directory_settings as_session_choose_settings(const as_directory_settings *settings)
{
    as_directory_settings session = *settings;

    session.base = session.filter = NULL;
    session.attributes = NULL;
    session.scope = session.attribute_count = session.deref = 0;
    session.referrals = AS_REFERRALS_DEFAULT;
    session.uniform_timing = false;
    return session;
}

const char *as_directory_compute_fingerprint(apr_pool_t *pool, const as_directory_settings *settings)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool done = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 && add_settings(digest, settings) &&
                EVP_DigestFinal_ex(digest, bytes, &length) == 1 && length == DIGEST_SIZE;

    EVP_MD_CTX_free(digest);
    return done ? apr_pescape_hex(pool, bytes, DIGEST_SIZE, 0) : NULL;
}
