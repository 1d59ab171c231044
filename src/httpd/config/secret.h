/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets that a directive names by file or program. Each function returns NULL, or a sentence that says what is wrong.
 */
#ifndef AUTHSTATUS_HTTPD_SECRET_H
#define AUTHSTATUS_HTTPD_SECRET_H

#include <stdbool.h>

#include <httpd.h>
#include <http_config.h>

#include "authstatus/secret_program.h"

/* Opens a file that holds a secret: a plain one, which its owner alone may read, who is root or the user who starts
 * httpd. Whoever else wrote it could have it used as the secret. */
const char *as_secret_open(apr_pool_t *pool, const char *path, apr_file_t **file);
/* The first line of such a file. It is wiped with the configuration's pool. */
const char *as_secret_of_file(cmd_parms *cmd, const char *name, char **secret);
/* The first line that a program prints. The program is killed, with its process group, when its time is over. */
const char *as_secret_of_program(cmd_parms *cmd, const char *command, char **secret);

#endif
