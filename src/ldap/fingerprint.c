/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity of a directory: SHA-256 over all its settings (setting.def). Within a process settings are compared
 * themselves, which is cheaper; equal ones are found by a hash.
 */
#include "ldap_private.h"

#include "core/hash.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>
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

    char *text = done ? apr_pstrdup(pool, apr_pescape_hex(pool, bytes, DIGEST_SIZE, 0)) : NULL;

    EVP_MD_CTX_free(digest);
    if (text && settings->of_htaccess) {
        text[0] = AS_FINGERPRINT_OF_HTACCESS;
    }
    return text;
}

/* ---- within a process ---- */

static uint64_t hash_servers(uint64_t hash, const as_ldap_server *servers, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        hash = as_hash_number(as_hash_text(hash, servers[i].host), (uint64_t)servers[i].port);
    }
    return hash;
}

static uint64_t hash_texts(uint64_t hash, const char *const *texts, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        hash = as_hash_text(hash, texts[i]);
    }
    return hash;
}

uint64_t as_settings_compute_hash(const as_directory_settings *settings)
{
    uint64_t hash = AS_HASH;

#define HASH_NUMBER(name) as_hash_number(hash, (uint64_t)settings->name)
#define HASH_TEXT(name) as_hash_text(hash, settings->name)
#define HASH_SECRET(name) HASH_TEXT(name)
#define HASH_SERVERS(name, count) hash_servers(hash, settings->name, settings->count)
#define HASH_TEXTS(name, count) hash_texts(hash, settings->name, settings->count)
#define AS_SETTING(kind, type, name) hash = HASH_##kind(name);
#define AS_SETTING_LIST(kind, type, name, count) hash = HASH_##kind(name, count);
#include "authstatus/setting.def"
    return hash;
}

static bool is_same_text(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

static bool are_same_servers(const as_ldap_server *one, const as_ldap_server *other, int count)
{
    int i;

    for (i = 0; i < count && one[i].port == other[i].port && is_same_text(one[i].host, other[i].host); i++) {
    }
    return i >= count;
}

static bool are_same_texts(const char *const *one, const char *const *other, int count)
{
    int i;

    for (i = 0; i < count && is_same_text(one[i], other[i]); i++) {
    }
    return i >= count;
}

bool as_settings_are_same(const as_directory_settings *one, const as_directory_settings *other)
{
    bool same = true;

#define SAME_NUMBER(name) one->name == other->name
#define SAME_TEXT(name) is_same_text(one->name, other->name)
#define SAME_SECRET(name) SAME_TEXT(name)
#define SAME_SERVERS(name, count) are_same_servers(one->name, other->name, one->count)
#define SAME_TEXTS(name, count) are_same_texts(one->name, other->name, one->count)
#define AS_SETTING(kind, type, name) same = same && SAME_##kind(name);
#define AS_SETTING_LIST(kind, type, name, count) same = same && one->count == other->count && SAME_##kind(name, count);
#include "authstatus/setting.def"
    return same;
}
