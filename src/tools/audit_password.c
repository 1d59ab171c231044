/* SPDX-License-Identifier: Apache-2.0
 *
 * The credentials of -u: their password, from a file or the terminal, which is wiped.
 */
#include "audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

/* Returns false, and prints why, without a password that fits. */
static bool prompt_password(char *password, size_t size)
{
    char *typed = getpass("Password: ");
    const bool fits = typed && snprintf(password, size, "%s", typed) < (int)size;

    if (typed) {
        OPENSSL_cleanse(typed, strlen(typed));
    }
    if (!fits) {
        fprintf(stderr, "authstatus-audit: no password of at most %zu octets was typed\n", size - 1);
    }
    return fits;
}

/* The same of the first line of a file. The buffer of a FILE would keep a copy. */
static bool read_password(const char *file, char *password, size_t size)
{
    FILE *in = fopen(file, "r");
    bool read;

    if (!in) {
        fprintf(stderr, "authstatus-audit: %s: %s\n", file, strerror(errno));
        return false;
    }
    setvbuf(in, NULL, _IONBF, 0);
    read = fgets(password, (int)size, in) && strlen(password) + 1 < size;
    fclose(in);
    password[strcspn(password, "\r\n")] = '\0';
    if (!read || !*password) {
        fprintf(stderr, "authstatus-audit: %s: its first line is no password of at most %zu octets\n", file, size - 2);
        return false;
    }
    return true;
}

char *as_audit_make_basic(const char *user, const char *file)
{
    char password[512] = "", *pair = NULL, *value;
    int length;

    if (!(file ? read_password(file, password, sizeof(password)) : prompt_password(password, sizeof(password)))) {
        OPENSSL_cleanse(password, sizeof(password));
        return NULL;
    }
    length = asprintf(&pair, "%s:%s", user, password);
    OPENSSL_cleanse(password, sizeof(password));
    if (length < 0) {
        abort();
    }
    value = calloc(1, (size_t)length * 4 / 3 + 16);
    if (!value) {
        abort();
    }
    memcpy(value, "Basic ", 6);
    EVP_EncodeBlock((unsigned char *)value + 6, (unsigned char *)pair, length);
    OPENSSL_cleanse(pair, (size_t)length);
    free(pair);
    return value;
}
