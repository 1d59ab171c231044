/* SPDX-License-Identifier: Apache-2.0
 *
 * What a directory is known by: SHA-256 over everything that its settings say.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_escape.h>
#include <openssl/evp.h>

#define DIGEST_SIZE 32

/* Each field goes in with its length in front, so that no two lists of fields give the same octets. */
static bool add_bytes(EVP_MD_CTX *digest, const void *bytes, size_t length)
{
    uint64_t size = length;

    return EVP_DigestUpdate(digest, &size, sizeof(size)) == 1 && EVP_DigestUpdate(digest, bytes, length) == 1;
}

static bool add_number(EVP_MD_CTX *digest, int64_t number)
{
    return EVP_DigestUpdate(digest, &number, sizeof(number)) == 1;
}

/* NULL is not the empty text. */
static bool add_text(EVP_MD_CTX *digest, const char *text)
{
    return add_number(digest, text != NULL) && (!text || add_bytes(digest, text, strlen(text)));
}

static bool add_servers(EVP_MD_CTX *digest, const as_directory_settings *settings)
{
    bool added = add_number(digest, settings->server_count);
    int i;

    for (i = 0; i < settings->server_count && added; i++) {
        added = add_text(digest, settings->servers[i].host) && add_number(digest, settings->servers[i].port);
    }
    return added;
}

static bool add_attributes(EVP_MD_CTX *digest, const as_directory_settings *settings)
{
    bool added = add_number(digest, settings->attribute_count);
    int i;

    for (i = 0; i < settings->attribute_count && added; i++) {
        added = add_text(digest, settings->attributes[i]);
    }
    return added;
}

static bool add_texts(EVP_MD_CTX *digest, const as_directory_settings *settings)
{
    return add_text(digest, settings->base) && add_text(digest, settings->filter) &&
           add_text(digest, settings->bind_dn) && add_text(digest, settings->bind_password) &&
           add_text(digest, settings->ca_file) && add_text(digest, settings->ca_directory) &&
           add_text(digest, settings->client_certificate) && add_text(digest, settings->client_key);
}

static bool add_numbers(EVP_MD_CTX *digest, const as_directory_settings *settings)
{
    return add_number(digest, settings->security) && add_number(digest, settings->scope) &&
           add_number(digest, settings->deref) && add_number(digest, settings->referrals) &&
           add_number(digest, settings->verify_certificate) && add_number(digest, settings->uniform_timing) &&
           add_number(digest, settings->connect_timeout) && add_number(digest, settings->operation_timeout) &&
           add_number(digest, settings->session_ttl);
}

const char *as_directory_fingerprint(apr_pool_t *pool, const as_directory_settings *settings)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool done = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 && add_servers(digest, settings) &&
                add_attributes(digest, settings) && add_texts(digest, settings) && add_numbers(digest, settings) &&
                EVP_DigestFinal_ex(digest, bytes, &length) == 1 && length == DIGEST_SIZE;

    EVP_MD_CTX_free(digest);
    return done ? apr_pescape_hex(pool, bytes, DIGEST_SIZE, 0) : NULL;
}
