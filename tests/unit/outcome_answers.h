/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of outcomes share: replies whose texts and controls lie against unreadable pages.
 */
#ifndef TESTS_OUTCOME_ANSWERS_H
#define TESTS_OUTCOME_ANSWERS_H

#include "guard_page.h"

#include <ldap.h>
#include <stdbool.h>
#include <stdlib.h>

#include "authstatus/outcome.h"
#include "authstatus/ppolicy.h"

#define UNPROVEN false
#define PROVEN true
#define NOT_SENT (-1L)

#define AD(data) "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data " data ", v3839"

typedef struct control_text {
    const char *oid;
    const char *hex;
} control_text;

#define PP(hex)                                                                                                        \
    {                                                                                                                  \
        AS_OID_PPOLICY, hex                                                                                            \
    }
#define NS4                                                                                                            \
    {                                                                                                                  \
        AS_OID_NETSCAPE_EXPIRED, "30"                                                                                  \
    }
#define NS5(hex)                                                                                                       \
    {                                                                                                                  \
        AS_OID_NETSCAPE_EXPIRING, hex                                                                                  \
    }

static const as_reply blank = {
    .step = AS_STEP_USER_BIND,
    .matched_dn = "",
    .diagnostic = "",
    .entries = 1,
    .dn = "uid=u,dc=lab,dc=test",
    .server = "127.0.0.1:389",
    .reason = "",
};

/* Returns the finding for a reply whose texts and controls lie against unreadable pages. */
static inline as_finding find(as_reply reply, const control_text *texts, size_t count)
{
    guarded values[3];
    as_control controls[3];
    guarded diagnostic = guarded_copy(reply.diagnostic, strlen(reply.diagnostic) + 1);
    assert_true(count <= 3);
    for (size_t i = 0; i < count; i++) {
        values[i] = guarded_hex(texts[i].hex);
        controls[i] = (as_control){texts[i].oid, (const unsigned char *)values[i].at, values[i].length};
    }
    reply.diagnostic = diagnostic.at;
    reply.diagnostic_length = diagnostic.length - 1;
    reply.controls = controls;
    reply.control_count = count;
    as_finding found = as_outcome_find(&reply);
    while (count > 0) {
        guarded_free(&values[--count]);
    }
    guarded_free(&diagnostic);
    return found;
}

typedef struct expectation {
    as_outcome outcome;
    bool proven;
    const char *subcode;
    long expires_in;
    long grace_logins;
} expectation;

static inline bool agrees(const char *name, const as_finding *found, const expectation *expected)
{
    if (found->outcome == expected->outcome && found->proven == expected->proven &&
        strcmp(found->subcode, expected->subcode) == 0 && found->expires_in == expected->expires_in &&
        found->grace_logins == expected->grace_logins) {
        return true;
    }
    print_error("%s: %s, %s, \"%s\", expires %ld, grace %ld; expected %s\n", name,
                as_outcome_describe(found->outcome)->name, found->proven ? "proven" : "unproven", found->subcode,
                found->expires_in, found->grace_logins, as_outcome_describe(expected->outcome)->name);
    return false;
}

#endif
