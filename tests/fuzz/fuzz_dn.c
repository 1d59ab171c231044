/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a DN. The normal form is a name of the same normal form, and its parents are those that its commas say.
 */
#include "authstatus/dn.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char normal[AS_DN_MAX], again[AS_DN_MAX], exact[AS_DN_MAX];
    size_t at = SIZE_MAX;
    const char *comma;

    if (!as_dn_normalize((const char *)data, size, normal, &at)) {
        must(at <= size && normal[0] == '\0');
        return 0;
    }
    must(strlen(normal) < AS_DN_MAX);
    must(as_dn_normalize(normal, strlen(normal), again, NULL));
    must(strcmp(normal, again) == 0);
    must(as_dn_is_same(normal, normal));
    if (as_dn_normalize_exactly((const char *)data, size, exact)) {
        must(as_dn_normalize_exactly(exact, strlen(exact), again) && strcmp(exact, again) == 0);
        must(as_dn_normalize(exact, strlen(exact), again, NULL) && strcmp(normal, again) == 0);
    }
    must(as_dn_is_within(normal, normal) && as_dn_is_within(normal, ""));
    for (comma = strchr(normal, ','); comma; comma = strchr(comma + 1, ',')) {
        must(as_dn_is_within(normal, comma + 1) && !as_dn_is_within(comma + 1, normal));
    }
    return 0;
}
