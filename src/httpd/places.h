/* SPDX-License-Identifier: Apache-2.0
 *
 * The places of a configuration: servers and the sections in them, each with its directives as they were written and
 * what is in force there. For start-up and -t only: the tree of directives is gone afterwards.
 *
 * What is in force depends on the request (which file a URL leads to, which <If> is true). Here it is what a section
 * gets from its server, from the sections of its own kind that contain it, and from itself.
 */
#ifndef AUTHSTATUS_HTTPD_PLACES_H
#define AUTHSTATUS_HTTPD_PLACES_H

#include "private.h"

#include <util_cfgtree.h>

typedef enum as_place_kind { AS_PLACE_SERVER, AS_PLACE_DIRECTORY, AS_PLACE_LOCATION, AS_PLACE_WITHIN } as_place_kind;

typedef struct as_place as_place;
struct as_place {
    as_place_kind kind; /* WITHIN: Files or If in another section or in a server */
    const server_rec *server;
    const as_place *outer; /* of WITHIN: the section it is in; of a virtual host: the main server */
    ap_conf_vector_t *vector;
    const ap_directive_t *section; /* as it was written; NULL: a server's default, or it was not found */
    const ap_directive_t *first;   /* the first directive in it */
    bool inherited;                /* a section of the main server, in a virtual host */
};

/* The places of a server, as_place *: itself first, then its sections in their order. */
const apr_array_header_t *as_places_of(apr_pool_t *pool, server_rec *main_server, server_rec *s);
/* Those that apply where `place` does, in the order in which the later one wins; `place` is one of them. */
const apr_array_header_t *as_places_chain(apr_pool_t *pool, const apr_array_header_t *places, const as_place *place);
/* Do both apply to the same, whatever that is? */
bool as_places_same(const as_place *one, const as_place *other);
/* Our configuration in force there. */
const as_section *as_places_section(apr_pool_t *pool, const apr_array_header_t *chain);
/* The directive of that name that is in force, as far as can be known; NULL: none. */
const ap_directive_t *as_places_directive(const apr_array_header_t *chain, const char *name);
/* The directive of that name which stands in the place itself; `word`: its arguments begin so, NULL: anyhow. */
const ap_directive_t *as_place_directive(const as_place *place, const char *name, const char *word);
/* Is there a `Require` in force that does not let everybody in? */
bool as_places_require(const apr_array_header_t *chain);
/* "<Location "/x">", "virtual host www.example.org:443" or "main server" */
const char *as_place_name(apr_pool_t *pool, const as_place *place);
/* "/etc/apache2/apache2.conf:12", or "" where it is not known. */
const char *as_place_source(apr_pool_t *pool, const as_place *place);
/* Is the report page served there? */
bool as_places_report(const apr_array_header_t *chain);

#endif
