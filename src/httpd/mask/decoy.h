/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of missing resources beside a refused one, and the sections that apply to them.
 */
#ifndef AUTHSTATUS_HTTPD_DECOY_H
#define AUTHSTATUS_HTTPD_DECOY_H

#include <httpd.h>

#include "authstatus/decoy_name.h"

/* ---- decoy.c: paths of missing resources ---- */

/* Segments of a path that are tried. A deeper path is treated as its upper part: no request causes more work. */
#define AS_SEGMENTS_MAX 64

/* A part of a path that a decoy's name may replace. */
typedef struct as_decoy_spot {
    const char *begin, *end;
    int below; /* number of segments below this one */
    as_decoy_shape shape;
} as_decoy_spot;

typedef struct as_decoys {
    const char *path;                         /* normalised, percent-encoded */
    as_decoy_spot spots[2 * AS_SEGMENTS_MAX]; /* nearest first; of each segment: a name of its shape, with its
                                               * extension; then one that no pattern may know */
    int count;                                /* never 0 */
    const char *end, *extension;              /* of the last segment; its extensions, if it has any, else its end */
} as_decoys;

/* A decoy. Copies of its name in a text are undone. */
typedef struct as_decoy {
    char *path;       /* the requested path, with a missing name in place of one segment, or more; percent-encoded */
    const char *name; /* that name, decoded */
    as_decoy_name octets;
} as_decoy;

/* Draws the secret of this server's decoys. Call it before the first of them is made. */
apr_status_t as_decoys_post_config(void);
/* Returns the parts of a path that decoys replace; as long as the request. Never NULL. */
const as_decoys *as_decoys_get(request_rec *r, const char *path);
/* Returns the index of the segment that has so many below it; 0: there is none. */
int as_decoys_find_index(const as_decoys *all, int below);
/* Returns the index of a decoy that has another name for that segment and for each one below it. A pattern that knows a
 * segment wherever it is knows this decoy only if that segment is above; it may know the decoy of a segment alone. */
int as_decoys_get_tail(const as_decoys *all, int index, as_decoy_shape shape);
/* Tests the decoy with that index. */
typedef bool as_decoy_test(void *data, int index);
/* Returns the first segment from `low` on, below `high`, whose decoy passes the test, as those of all farther ones do;
 * `high`: there is none. Tests tails (as_decoys_get_searched). */
int as_decoys_search(int low, int high, const as_decoys *all, as_decoy_test *test, void *data);
/* Returns the decoy of a segment that is most like what was requested, of those that pass the test: that of the segment
 * alone, or a tail. */
int as_decoys_choose(int index, const as_decoys *all, as_decoy_test *test, void *data);
/* Returns whether the path has more segments than are tried. */
bool as_decoys_is_deep(const as_decoys *all);
/* Returns the decoy that a search tests for a segment: outward, fewer sections and rules know it. */
int as_decoys_get_searched(const as_decoys *all, int index);
/* Returns the part of the path that the decoy with that index replaces. */
as_decoy_spot as_decoys_get_spot(const as_decoys *all, int index);
/* Makes a decoy, from r->pool. `index`: below `count`, or of a tail. Call it before any hook of the pass: its name is
 * in nothing that the request has by then. */
const as_decoy *as_decoy_make(request_rec *r, const as_decoys *all, int index);
/* The same for names that are compared and go no further: one may be in what the request has. */
const as_decoy *as_decoy_sketch(request_rec *r, const as_decoys *all, int index);
/* Returns what rules of the server say to the name of a resource: HTTP_FORBIDDEN for RewriteRule [F], Redirect 403.
 * Runs the translate_name hooks of these two modules, and no other. */
int as_decoy_translate(request_rec *r);
/* Returns a percent-encoded path, or a part of it, as httpd decodes it. */
const char *as_decoy_decode(request_rec *r, const char *text);
/* Returns `text` with each copy of the decoy's name, or of a part of it, replaced by the original. */
char *as_decoy_undo(apr_pool_t *pool, const as_decoy *decoy, char *text);
/* Does the same for the names and values of a table; returns the table itself if there is nothing to replace. */
apr_table_t *as_decoy_undo_table(apr_pool_t *pool, const as_decoy *decoy, apr_table_t *table);

/* ---- section_set.c: sections that apply ---- */

/* Finds the modules that may refuse, and those that define logins. */
void as_section_sets_post_config(void);
/* Returns whether the same sections define the login of both requests, so that the same providers are queried. */
bool as_section_set_has_same_login(const request_rec *one, const request_rec *other);
/* Decoys of a refused request, by the sections that reach them. */
typedef struct as_nearby {
    int nearest;   /* that the sections which refused the request do not all reach */
    int between;   /* the next one outward that fewer sections reach, if it is not the last; -1: none */
    int farthest;  /* that the fewest reach */
    bool alike;    /* the same sections reach all that are farther than the nearest, and they are files */
    int low, high; /* segments between which a decoy may have to be searched for */
} as_nearby;

/* Finds them. `walked`: the walk to the file was not what refused it. False: it was refused by its name. */
bool as_decoys_find_nearby(request_rec *r, const as_decoys *all, bool walked, as_nearby *found);

/* Returns the file that a decoy of a request would be, and the path behind it; NULL for none. */
char *as_decoy_make_filename(request_rec *r, const as_decoys *all, int index, const char **path_info);

#endif
