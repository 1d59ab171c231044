/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets from a file or program in a directive: AuthLDAPBindPassword file: and exec:, AuthStatusCacheKey. Read with
 * the configuration, as the user who starts httpd, usually root.
 */
#include "secret.h"

#include <apr_strings.h>
#include <http_core.h>

/* ---- files ---- */

/* Opens without blocking: a FIFO may have no writer. */
const char *as_secret_open(apr_pool_t *pool, const char *path, apr_file_t **file)
{
    apr_finfo_t info;
    apr_uid_t uid;
    apr_gid_t gid;

    if (!path || apr_file_open(file, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, 0, pool) != APR_SUCCESS) {
        return "it cannot be read";
    }
    if (apr_file_info_get(&info, APR_FINFO_PROT | APR_FINFO_TYPE | APR_FINFO_OWNER, *file) == APR_SUCCESS &&
        info.filetype == APR_REG && !(info.protection & ~(APR_FPROT_UREAD | APR_FPROT_UWRITE)) &&
        (info.user == 0 || (apr_uid_current(&uid, &gid, pool) == APR_SUCCESS && info.user == uid))) {
        return NULL;
    }
    apr_file_close(*file);
    return "it is no plain file, or readable by others, or of another owner; it must be a plain file that its owner "
           "alone may read, and the owner root or who starts httpd";
}

const char *as_secret_read_file(cmd_parms *cmd, const char *name, char **secret)
{
    char *line = as_secret_allocate(cmd->pool, AS_SECRET_LINE_MAX + 1);
    apr_size_t length = 0;
    apr_file_t *file;
    apr_status_t status;
    const char *error;

    error = as_secret_open(cmd->temp_pool, ap_server_root_relative(cmd->temp_pool, name), &file);
    if (error) {
        return apr_psprintf(cmd->temp_pool, "the file after file:, \"%.200s\", is not taken: %s", name, error);
    }
    status = apr_file_read_full(file, line, AS_SECRET_LINE_MAX, &length);
    apr_file_close(file);
    *secret = line;
    if (status != APR_SUCCESS && status != APR_EOF) {
        return "the file after file: cannot be read";
    }
    error = as_secret_find_fault(line, length, false);
    if (error) {
        return apr_pstrcat(cmd->temp_pool, "the first line of the file after file: ", error, NULL);
    }
    return as_secret_cut_line(line) ? NULL : "the first line of the file after file: is too long";
}

/* ---- programs ---- */

const char *as_secret_read_program(cmd_parms *cmd, const char *command, char **secret)
{
    const char *fault;
    char **argv, *line;

    if (apr_tokenize_to_argv(command, &argv, cmd->temp_pool) != APR_SUCCESS || !argv[0]) {
        return "no program after exec:";
    }
    argv[0] = ap_server_root_relative(cmd->temp_pool, argv[0]);
    if (!argv[0]) {
        return "the program after exec: has no path";
    }
    line = as_secret_allocate(cmd->pool, AS_SECRET_LINE_MAX + 1);
    fault = as_secret_run_program(argv, line, cmd->temp_pool);
    *secret = line;
    return fault ? apr_psprintf(cmd->temp_pool, "the program after exec:, \"%.200s\", gave no password: %s", argv[0],
                                fault)
                 : NULL;
}
