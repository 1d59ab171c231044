/* SPDX-License-Identifier: Apache-2.0
 *
 * Moments on a clock that nobody can set: microseconds of CLOCK_MONOTONIC. Every deadline is one of these, from the
 * first query of a transaction to the last wait for a server. Read by as_mono_now (authstatus/ldap.h).
 */
#ifndef AUTHSTATUS_MONO_H
#define AUTHSTATUS_MONO_H

#include <stdint.h>

typedef int64_t as_mono;
#define AS_MONO_SECOND INT64_C(1000000)

#endif
