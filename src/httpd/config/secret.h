/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets, for example from a file or program in a directive. Functions that read one return NULL, or a sentence with
 * the error.
 */
#ifndef AUTHSTATUS_HTTPD_SECRET_H
#define AUTHSTATUS_HTTPD_SECRET_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

#include "authstatus/secret_program.h"

/* Opens a file with a secret: a regular file, readable by its owner alone, who is root or the user who starts httpd.
 * Another writer could choose the secret. */
const char *as_secret_open(apr_pool_t *pool, const char *path, apr_file_t **file);
/* Reads the first line of such a file. It is wiped with the configuration's pool. */
const char *as_secret_read_file(cmd_parms *cmd, const char *name, char **secret);
/* Reads the first line of a program's output. The program is killed, with its process group, after its time. */
const char *as_secret_read_program(cmd_parms *cmd, const char *command, char **secret);

#endif
