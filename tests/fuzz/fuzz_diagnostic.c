/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a diagnosticMessage.
 */
#include "authstatus/diagnostic.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_diagnostic found = as_diagnostic_read((const char *)data, size);
    must(found.dialect >= AS_DIALECT_NONE && found.dialect <= AS_DIALECT_TRANSPORT);
    must((found.dialect == AS_DIALECT_AD) == (found.number > 0));
    must((found.dialect == AS_DIALECT_NDS) == (found.number < 0));
    return 0;
}
