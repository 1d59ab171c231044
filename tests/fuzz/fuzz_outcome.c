/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a whole answer.
 *     step(1) code(1, signed) entries(1) flags(1) length(1) *OCTET [length(1) *OCTET] diagnostic
 * with one or two controls, whose kinds and number are in the flags.
 */
#include "authstatus/outcome.h"
#include "authstatus/ppolicy.h"
#include "authstatus/verdict.h"
#include "fuzz.h"

#define FLAG_REFERRAL 0x01U
#define FLAG_NO_DN 0x02U
#define FLAG_TWO_CONTROLS 0x04U
#define KIND_SHIFT 4

#define HEADER 4

static size_t take_control(const uint8_t *data, size_t size, unsigned kind, as_control *control)
{
    static const char *const oids[] = {AS_OID_PPOLICY, AS_OID_NETSCAPE_EXPIRED, AS_OID_NETSCAPE_EXPIRING, "1.2.3"};
    size_t length = size > 0 ? data[0] : 0;
    if (size == 0 || length > size - 1) {
        *control = (as_control){oids[kind & 3U], NULL, 0};
        return 0;
    }
    *control = (as_control){oids[kind & 3U], data + 1, length};
    return length + 1;
}

static void check(const as_reply *reply, const as_finding *found)
{
    as_class of = as_outcome_describe(found->outcome)->of;
    must((unsigned)found->outcome < AS_OUTCOME_COUNT);
    must(memchr(found->subcode, '\0', AS_SUBCODE_SIZE) != NULL);
    must(of != AS_CLASS_GRANTED || (reply->step == AS_STEP_USER_BIND && reply->code == 0 && found->proven &&
                                    reply->dn != NULL && *reply->dn != '\0'));
    must(!found->proven || of == AS_CLASS_GRANTED || of == AS_CLASS_REFUSED);

    as_policy policy = {.disclose = AS_DISCLOSE_PROVEN, .retry_after = 10};
    as_verdict verdict = as_verdict_make(found, &policy, reply->retry_after);
    must((verdict.status == 401) == verdict.challenge);
    must((verdict.status == 0) == (of == AS_CLASS_GRANTED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER) {
        return 0;
    }
    unsigned flags = data[3];
    as_control controls[2];
    as_reply reply = {
        .step = (as_step)(data[0] % (AS_STEP_USER_BIND + 1)),
        .code = (int8_t)data[1],
        .matched_dn = "",
        .entries = data[2] % 3U,
        .referral = (flags & FLAG_REFERRAL) != 0,
        .dn = (flags & FLAG_NO_DN) != 0 ? "" : "uid=u",
        .reason = "",
        .controls = controls,
        .control_count = (flags & FLAG_TWO_CONTROLS) != 0 ? 2 : 1,
    };
    data += HEADER;
    size -= HEADER;
    for (size_t i = 0; i < reply.control_count; i++) {
        size_t taken = take_control(data, size, flags >> (KIND_SHIFT + 2 * i), &controls[i]);
        data += taken;
        size -= taken;
    }
    reply.diagnostic = (const char *)data;
    reply.diagnostic_length = size;
    as_finding found = as_outcome_find(&reply);
    check(&reply, &found);
    return 0;
}
