/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a line with the --section of authstatus-explain ("": none), and httpd's configuration. The programs that it
 * names are not run here, and its regular expressions not compiled: those are the system's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "fuzz.h"
#include "tools/explain.h"

/* In the place of explain_secret.c. */
const char *explain_run_secret_program(const char *command, apr_pool_t *pool, char **secret)
{
    (void)command, (void)pool, (void)secret;
    return "no program is run here";
}

const char *explain_read_secret_file(const char *path, apr_pool_t *pool, char **secret)
{
    *secret = apr_pstrdup(pool, path);
    return NULL;
}

char *explain_copy_secret(const char *secret, apr_pool_t *pool)
{
    return apr_pstrdup(pool, secret);
}

static const char *file_of(apr_pool_t *pool, const char *text, size_t length)
{
    int fd = memfd_create("configuration", 0);

    must(fd >= 0 && write(fd, text, length) == (ssize_t)length);
    return apr_psprintf(pool, "/proc/self/fd/%d", fd);
}

static void check_directives(const apr_array_header_t *directives, const char *file, size_t length)
{
    int line = 0;

    for (int i = 0; i < directives->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(directives, i, const explain_directive *);
        must(*directive->name && strcmp(directive->file, file) == 0);
        must(directive->line >= 1 && (size_t)directive->line <= length + 1 && directive->line > line);
        line = directive->line;
        for (int j = 0; j < directive->argc; j++) {
            must(directive->argv[j] != NULL);
        }
    }
}

static bool is_in(const apr_array_header_t *all, const explain_directive *one)
{
    for (int i = 0; i < all->nelts; i++) {
        if (APR_ARRAY_IDX(all, i, const explain_directive *) == one) {
            return true;
        }
    }
    return false;
}

static void apply(apr_array_header_t *chosen, apr_pool_t *pool)
{
    apr_array_header_t *applied = apr_array_make(pool, 8, sizeof(const explain_directive *));
    explain_wish wish;
    const char *wrong;

    for (int i = 0; i < chosen->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(chosen, i, const explain_directive *);
        if (strcasecmp(directive->name, "AuthLDAPInitialBindPattern") != 0) {
            APR_ARRAY_PUSH(applied, const explain_directive *) = directive;
        }
    }
    explain_set_defaults(&wish);
    wrong = explain_apply(applied, pool, &wish);
    if (wrong) {
        must(*wrong != '\0');
        return;
    }
    must(wish.url && wish.settings.server_count > 0 && wish.settings.attribute_count > 0);
    must(wish.deadline > 0 && wish.deadline <= apr_time_from_sec(86400));
    must(as_directory_compute_fingerprint(pool, &wish.settings) != NULL);
}

static void read_config(apr_pool_t *pool, const char *section, const char *text, size_t length)
{
    apr_array_header_t *files = apr_array_make(pool, 1, sizeof(const char *)), *directives, *chosen;
    const char *file = file_of(pool, text, length);
    const char *wrong;

    APR_ARRAY_PUSH(files, const char *) = file;
    wrong = explain_read_config(files, pool, &directives);
    must(close(atoi(strrchr(file, '/') + 1)) == 0);
    check_directives(directives, file, length);
    if (wrong) {
        must(strncmp(wrong, file, strlen(file)) == 0 || strstr(wrong, "cannot be read"));
    } else if (!explain_choose(directives, section, pool, &chosen)) {
        must(chosen->nelts > 0 && chosen->nelts <= directives->nelts);
        for (int i = 0; i < chosen->nelts; i++) {
            must(is_in(directives, APR_ARRAY_IDX(chosen, i, const explain_directive *)));
        }
        apply(chosen, pool);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    const char *section;
    apr_pool_t *pool;

    if (!end) {
        return 0;
    }
    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    section = apr_pstrmemdup(pool, (const char *)data, (size_t)(end - data));
    read_config(pool, *section ? section : NULL, (const char *)end + 1, size - (size_t)(end + 1 - data));
    apr_pool_destroy(pool);
    return 0;
}
