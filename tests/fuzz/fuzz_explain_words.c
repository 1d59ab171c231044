/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: what a directory said, for a terminal. The first octet says what it is: a certificate (c), a control (p), a
 * text.
 */
#include <apr_general.h>

#include "authstatus/ppolicy.h"
#include "fuzz.h"
#include "tools/explain.h"

/* Nothing in it moves a cursor, ends a line or turns the direction of writing. */
static void check(const char *text)
{
    size_t left = strlen(text), size;

    for (; left; text += size, left -= size) {
        unsigned code = 0;
        size = explain_read_utf8(text, left, &code);
        must(size > 0 && code >= 0x20 && code != 0x7f && !(code >= 0x80 && code <= 0x9f) &&
             !(code >= 0x202a && code <= 0x202e));
    }
}

static void read_certificate(const uint8_t *data, size_t size, apr_pool_t *pool)
{
    explain_step step = {.certificate = data, .certificate_length = size};
    explain_certificate read;

    if (explain_read_certificate(&step, pool, &read)) {
        check(read.subject);
        check(read.issuer);
        check(read.not_before);
        check(read.not_after);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_control control = {AS_OID_PPOLICY, data + 1, size - 1};
    apr_pool_t *pool;

    if (size == 0) {
        return 0;
    }
    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    if (data[0] == 'c') {
        read_certificate(data + 1, size - 1, pool);
    } else if (data[0] == 'p') {
        check(explain_describe_control(&control, pool));
        must(strlen(explain_write_hex(data, size, pool)) == 2 * size);
    } else {
        check(explain_escape_text((const char *)data + 1, size - 1, pool));
    }
    apr_pool_destroy(pool);
    return 0;
}
