/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a distinguished name, up to AS_DN_MAX octets. Pure functions; any thread.
 */
#ifndef AUTHSTATUS_CORE_DN_WRITER_H
#define AUTHSTATUS_CORE_DN_WRITER_H

#include <stddef.h>

#include "authstatus/dn.h"

typedef struct as_dn_writer {
    char *at;
    size_t used; /* AS_DN_MAX: it is full */
} as_dn_writer;

static inline void as_dn_put(as_dn_writer *to, char octet)
{
    if (to->used < AS_DN_MAX) {
        to->at[to->used++] = octet;
    }
}

#endif
