/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a decoy: what stands in a path in place of one segment of it, so that nothing has that path. The name has
 * the shape of the segment (length, letters, digits, case, all other octets), so that a pattern matches both or
 * neither; and each octet of it stands for one octet of the segment, so that a copy of it, or of a part of it, is
 * undone whatever was done to the copy: percent-encoded, decoded, encoded twice, in another case. It may stand in place
 * of several segments, each of which is then known by itself.
 *
 * Pure functions on values; any thread. Segments are octets of a URL's path (RFC 3986 3.3), percent-encoded.
 */
#ifndef AUTHSTATUS_DECOY_NAME_H
#define AUTHSTATUS_DECOY_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define AS_DECOY_SECRET 256                             /* octets that no client knows */
#define AS_DECOY_OCTETS_MAX 255                         /* of a name, decoded: as many as a file system takes */
#define AS_DECOY_TEXT_MAX (3 * AS_DECOY_OCTETS_MAX + 1) /* of a name, percent-encoded, with its NUL */
#define AS_DECOY_PROBABLE 20                            /* weight of a copy: four letters, or seven digits */
#define AS_DECOY_CERTAIN 60                             /* twelve letters */

typedef enum as_decoy_shape {
    AS_DECOY_ALIKE, /* letters for letters, digits for digits, the rest as it is */
    AS_DECOY_PLAIN  /* letters also for digits, and for punctuation that is never encoded (RFC 3986 2.3) */
} as_decoy_shape;

typedef struct as_decoy_octet {
    char name;    /* of the decoy */
    char segment; /* that it stands for; NUL: none */
    char weight;  /* as evidence of a copy's origin; 0: it is the segment's own octet */
} as_decoy_octet;

typedef struct as_decoy_name {
    as_decoy_octet octets[AS_DECOY_OCTETS_MAX];
    size_t count;
    int least;           /* the weight from which a copy counts as one */
    const char *segment; /* percent-encoded; not owned */
    size_t length, used; /* octets of it; those that the name stands for, where it is longer than a name may be */
    /* Octets that a copy may begin with, in lower case: the first of them, and the next of the same; index + 1, 0:
     * none. */
    unsigned char first[256], next[AS_DECOY_OCTETS_MAX];
} as_decoy_name;

/* How a name is drawn. */
typedef struct as_decoy_draw {
    const unsigned char *secret; /* AS_DECOY_SECRET octets */
    unsigned attempt;            /* another name for the same segment */
    int least; /* AS_DECOY_PROBABLE or AS_DECOY_CERTAIN, of each segment: a short one's name is longer */
} as_decoy_draw;

/* Makes the name for a segment of so many octets, which must outlive it. */
void as_decoy_name_make(as_decoy_name *name, const char *segment, size_t length, as_decoy_shape shape,
                        const as_decoy_draw *how);
/* Writes it percent-encoded. */
void as_decoy_name_write(const as_decoy_name *name, char text[AS_DECOY_TEXT_MAX]);
/* True where `text` has a copy of the name, or of as much of it as counts. */
bool as_decoy_name_is_in(const as_decoy_name *name, const char *text);
/* Writes `text`, in which each copy is the segment, into `size` octets with its NUL, as snprintf does. Returns the
 * length of what it would have written. */
size_t as_decoy_name_undo(const as_decoy_name *name, const char *text, char *out, size_t size);

#endif
