/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations shared by the files of DUMP_AUTHSTATUS. For -t only.
 */
#ifndef AUTHSTATUS_HTTPD_DUMP_H
#define AUTHSTATUS_HTTPD_DUMP_H

#include "sections.h"

#include <apr_file_io.h>
#include <apr_hash.h>

/* The state of the dump of one section. */
typedef struct as_dump {
    apr_pool_t *pool;
    apr_file_t *out;
    const apr_array_header_t *refs;
    const apr_array_header_t *chain;
    const as_section_ref *ref;
    const apr_array_header_t *pieces; /* as_section_ref *: a section may be written several times; ref is one of them */
    const as_section *section;        /* in force */
    int warnings;
    as_directories *directories; /* made when first needed */
    apr_hash_t *lockouts;        /* as_lockout by as_directory_compute_fingerprint: no directory is queried twice */
    apr_hash_t *subjects;        /* what was warned of once for a server */
} as_dump;

/* Prints a line, of at most ten characters before `text`. */
void as_dump_say(as_dump *dump, const char *label, const char *text);
/* Prints and counts a warning. */
void as_dump_warn(as_dump *dump, const char *text);
/* Returns whether this server was not warned of the subject before; from now on it was. */
bool as_dump_is_news(as_dump *dump, const char *subject);
/* Returns the arguments of a directive in force, as written; NULL: there is none. */
const char *as_dump_argument(as_dump *dump, const char *directive);
/* Returns the directive of the section itself, from the last of its pieces that has it; `word`: its first argument,
 * NULL: any; NULL: there is none. */
const ap_directive_t *as_dump_find_own(const as_dump *dump, const char *directive, const char *word);
/* Returns whether the lines of Require of a piece are in force; *instead: the section whose lines replace them. */
bool as_dump_is_in_force(const as_dump *dump, const as_section_ref *piece, const as_section_ref **instead);
/* Returns the directory of the section, with the credentials that belong to it; NULL: it names none. */
const as_directory_settings *as_dump_find_directory(const as_dump *dump);

/* dump_doubts.c: warns of doubtful parts of a policy. */
void as_dump_warnings(as_dump *dump);
/* dump_differences.c: of directives that reveal a hidden section and that no mask reaches: in it, in sections of it, in
 * force from outside. */
void as_dump_warn_of_differences(as_dump *dump);

/* dump_contradictions.c: warns of words of a line of Require (without `not`) that cannot be met as they are written. */
void as_dump_warn_of_words(as_dump *dump, const char *name, const char *arguments);
/* Warns where the attributes of groups do not hold what AuthLDAPGroupAttributeIsDN says. */
void as_dump_warn_of_group_attributes(as_dump *dump);
/* Warns of directives that have no effect, or too much, without another one. */
void as_dump_warn_of_contradictions(as_dump *dump);

/* dump_access.c: warns of lines of Require that let in more than the lines beside them say. */
void as_dump_warn_of_access(as_dump *dump);

/* dump_error_documents.c: returns the file of a URL's path: by Alias, of the virtual host before the main server's,
 * else below DocumentRoot; NULL: there is neither. */
const char *as_dump_find_file(const as_dump *dump, const char *path);
/* Warns of pages of ErrorDocument that need a login themselves. */
void as_dump_error_documents(as_dump *dump);

/* dump_require.c: prints the lines of `Require ldap-*` of a section, and doubts about them. */
void as_dump_requirements(as_dump *dump);

#endif
