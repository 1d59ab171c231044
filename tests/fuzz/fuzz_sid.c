/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a SID, and behind it primaryGroupID as a text. What is read is what was there; what is written is read back.
 */
#include "authstatus/sid.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[AS_SID_TEXT_MAX], number[32] = "";
    as_sid sid, group, again;
    size_t length = size >= 2 ? 8 + 4 * (size_t)data[1] : 0;

    if (!as_sid_read(data, size < length ? size : length, &sid)) {
        must(sid.length == 0);
        return 0;
    }
    must(sid.length == length && memcmp(sid.octets, data, length) == 0);
    as_sid_write(&sid, text);
    must(as_sid_parse(text, &again) && as_sid_is_same(&sid, &again));
    if (size - length < sizeof number) {
        memcpy(number, data + length, size - length);
    }
    if (as_sid_make_primary_group(&sid, number, &group)) {
        must(group.length == sid.length && memcmp(group.octets, sid.octets, sid.length - 4) == 0);
    } else {
        must(group.length == 0);
    }
    return 0;
}
