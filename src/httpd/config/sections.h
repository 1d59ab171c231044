/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections of a configuration: servers and the sections in them, each with its directives as they were written and
 * what is in force there. For start-up and -t only: the tree of directives is gone afterwards.
 *
 * The settings in force depend on the request (which file a URL leads to, which <If> is true). Here they are those of
 * a section's server, of the sections of its own kind that contain it, and its own.
 */
#ifndef AUTHSTATUS_HTTPD_SECTIONS_H
#define AUTHSTATUS_HTTPD_SECTIONS_H

#include "config.h"

#include <util_cfgtree.h>

#include <apr_cstr.h>

typedef enum as_section_kind {
    AS_SECTION_SERVER,
    AS_SECTION_DIRECTORY,
    AS_SECTION_LOCATION,
    AS_SECTION_WITHIN
} as_section_kind;

typedef struct as_section_ref as_section_ref;
struct as_section_ref {
    as_section_kind kind; /* WITHIN: Files or If in another section or in a server */
    const server_rec *server;
    const as_section_ref *outer; /* of WITHIN: the section it is in; of a virtual host: the main server */
    ap_conf_vector_t *vector;
    const ap_directive_t *section; /* as written; NULL: a server's default, or it was not found */
    const ap_directive_t *first;   /* the first directive in it */
    bool inherited;                /* a section of the main server, in a virtual host */
};

/* Returns whether the name of a directive begins so, in any case. */
static inline bool as_directive_begins_with(const ap_directive_t *directive, const char *prefix)
{
    return !ap_cstr_casecmpn(directive->directive, prefix, strlen(prefix));
}

/* Returns whether a section may contain lines of Require that are the outer section's: <RequireAll>, <LimitExcept>. */
static inline bool as_directive_may_contain_require(const ap_directive_t *directive)
{
    return as_directive_begins_with(directive, "<Require") || as_directive_begins_with(directive, "<Limit");
}

/* Returns the sections of a server, as_section_ref *: itself first, then its sections in order. */
const apr_array_header_t *as_sections_list(apr_pool_t *pool, server_rec *main_server, server_rec *s);
/* Returns those that apply where `ref` does, later ones overriding earlier ones; `ref` is one of them. */
const apr_array_header_t *as_sections_make_chain(apr_pool_t *pool, const apr_array_header_t *refs,
                                                 const as_section_ref *ref);
/* Returns whether both always apply to the same resources. */
bool as_sections_are_same(const as_section_ref *one, const as_section_ref *other);
/* Returns our configuration in force there. */
const as_section *as_sections_merge_chain(apr_pool_t *pool, const apr_array_header_t *chain);
/* Returns the directive of that name in force, as far as can be known; NULL: none. */
const ap_directive_t *as_sections_find_directive(const apr_array_header_t *chain, const char *name);
/* Returns the directive of that name in the section itself; `word`: its first argument, NULL: any. */
const ap_directive_t *as_section_find_directive(const as_section_ref *ref, const char *name, const char *word);

/* AuthMerging: how lines of Require are combined with those of the sections before. */
typedef enum as_merging { AS_MERGING_OFF, AS_MERGING_AND, AS_MERGING_OR } as_merging;

/* A section whose lines of Require are in force. */
typedef struct as_requiring {
    const as_section_ref *ref;
    as_merging merging; /* with those before it in the list */
} as_requiring;

/* Returns the sections of a chain whose lines of Require are in force, as_requiring. */
apr_array_header_t *as_sections_list_requiring(apr_pool_t *pool, const apr_array_header_t *chain);
/* Returns whether a `Require` in force does not grant everybody. */
bool as_sections_have_require(apr_pool_t *pool, const apr_array_header_t *chain);

/* Returns "<Location "/x">", "virtual host www.example.org:443" or "main server". */
const char *as_section_make_name(apr_pool_t *pool, const as_section_ref *ref);
/* Returns "/etc/apache2/apache2.conf:12", or "" if unknown. */
const char *as_section_describe_source(apr_pool_t *pool, const as_section_ref *ref);
/* printable.c: returns the text with \xNN instead of characters that control a terminal or the direction of
 * writing. */
const char *as_escape_unprintable(apr_pool_t *pool, const char *text);
/* Returns the handler of SetHandler that is in force there, if its name begins as ours do; NULL: it does not. */
const char *as_sections_find_handler(apr_pool_t *pool, const apr_array_header_t *chain);

#endif
