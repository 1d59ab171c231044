/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: the value of a password policy response control, and of Netscape's "expiring".
 */
#include "authstatus/ppolicy.h"
#include "fuzz.h"

static void check(const as_ppolicy *found)
{
    must(found->expires_in >= -1 && found->expires_in <= 2147483647L);
    must(found->grace_logins >= -1 && found->grace_logins <= 2147483647L);
    must(found->error >= AS_PPOLICY_NO_ERROR && found->error <= AS_PPOLICY_PASSWORD_TOO_LONG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_ppolicy out = {.expires_in = 7, .grace_logins = 8, .error = AS_PPOLICY_PASSWORD_TOO_SHORT};
    bool valid = as_ppolicy_parse(data, size, &out);
    check(&out);
    must(valid || (out.expires_in == 7 && out.grace_logins == 8 && out.error == AS_PPOLICY_PASSWORD_TOO_SHORT));
    must(!valid || out.expires_in < 0 || out.grace_logins < 0); /* a CHOICE */

    as_control controls[] = {{AS_OID_PPOLICY, data, size}, {AS_OID_NETSCAPE_EXPIRING, data, size}};
    as_ppolicy one = as_ppolicy_read(controls, 1);
    check(&one);
    must(one.contradictory == !valid);
    as_ppolicy two = as_ppolicy_read(controls, 2);
    check(&two);
    must(two.contradictory); /* no octets are both BER and digits */
    return 0;
}
