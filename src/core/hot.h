/* SPDX-License-Identifier: Apache-2.0
 *
 * Marks of functions by how many requests call them.
 */
#ifndef AUTHSTATUS_CORE_HOT_H
#define AUTHSTATUS_CORE_HOT_H

/* Each cached login calls it. These functions are beside each other in memory, so that a processor loads few lines and
 * pages for them. */
#define AS_HOT __attribute__((hot))
/* Few requests call it: the others do not make its stack frame. */
#define AS_RARELY __attribute__((noinline))

#endif
