/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for secrets, and the program that AuthLDAPBindPassword exec: names. httpd and authstatus-explain run it alike:
 * no shell, an environment of PATH alone, ten seconds, and its exit status counts.
 */
#ifndef AUTHSTATUS_SECRET_PROGRAM_H
#define AUTHSTATUS_SECRET_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

/* Longest first line of a program or a file, in octets. */
#define AS_SECRET_LINE_MAX 1024
/* How long a program may take, in seconds. The manual names it. */
#define AS_SECRET_PROGRAM_SECONDS 10

/* Allocates `size` zeroed octets for a secret, which are wiped with the pool. Never NULL. */
char *as_secret_allocate(apr_pool_t *pool, size_t size);
/* Runs a program, argv[0] with its path, and reads the first line that it prints into `line`: AS_SECRET_LINE_MAX + 1
 * octets of the caller's, all zero, which the caller wipes. Returns NULL, or what is wrong, from `pool`: it cannot be
 * run, did not end in time (it is killed then, with its process group), ended with another status than 0 or by a
 * signal, printed nothing or too long a line. Any thread. */
const char *as_secret_run_program(char **argv, char *line, apr_pool_t *pool);
/* Cuts such a text behind its first line, and wipes the rest. Returns false if the line is too long. */
bool as_secret_cut_line(char *line);
/* Returns the rest of a sentence about a first line that no password has, of `length` octets that were read; NULL:
 * none. NULs at the end are none. `is_printed`: by a program, else it is a file's. Before the line is cut. Any
 * thread. */
const char *as_secret_find_fault(const char *line, size_t length, bool is_printed);

#endif
