/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of outcome.def, by number and by name.
 */
#include "authstatus/outcome.h"

#include "hash.h"
#include "text.h"

static const as_outcome_info outcomes[] = {
#define AS_OUTCOME(id, name, class_id, tag, level, sentence, when)                                                     \
    {name, AS_CLASS_##class_id, "AS" #tag, AS_LEVEL_##level, sentence},
#include "authstatus/outcome.def"
};

static const as_class_info classes[] = {
#define AS_CLASS(id, name, status, note) {name, status},
#include "authstatus/outcome.def"
};

const as_outcome_info *as_outcome_describe(as_outcome outcome)
{
    return &outcomes[(unsigned)outcome < AS_OUTCOME_COUNT ? outcome : AS_OUTCOME_UNKNOWN_RESULT];
}

const as_class_info *as_class_describe(as_class class_id)
{
    return &classes[(unsigned)class_id < AS_CLASS_COUNT ? class_id : AS_CLASS_MISCONFIGURED];
}

uint64_t as_outcome_hash_order(void)
{
    uint64_t hash = AS_HASH;

    for (unsigned i = 0; i < AS_OUTCOME_COUNT; i++) {
        hash = as_hash_text(hash, outcomes[i].name);
    }
    return hash;
}

bool as_outcome_find_by_name(const char *name, as_outcome *outcome)
{
    for (unsigned i = 0; i < AS_OUTCOME_COUNT; i++) {
        if (as_text_is_equal(name, outcomes[i].name)) {
            *outcome = (as_outcome)i;
            return true;
        }
    }
    return false;
}

bool as_class_find_by_name(const char *name, as_class *class_id)
{
    for (unsigned i = 0; i < AS_CLASS_COUNT; i++) {
        if (as_text_is_equal(name, classes[i].name)) {
            *class_id = (as_class)i;
            return true;
        }
    }
    return false;
}

bool as_outcome_is_about_account(as_outcome outcome)
{
    as_class of = as_outcome_describe(outcome)->of;
    return of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED;
}

as_finding as_finding_make(as_outcome outcome)
{
    return (as_finding){.outcome = outcome, .expires_in = -1, .grace_logins = -1};
}
