/* SPDX-License-Identifier: Apache-2.0
 *
 * Output functions of the dump, and access to a directive's arguments.
 */
#include "dump.h"

void as_dump_say(as_dump *dump, const char *label, const char *text)
{
    apr_file_printf(dump->out, "    %-10s %s\n", label, as_escape_unprintable(dump->pool, text));
}

void as_dump_warn(as_dump *dump, const char *text)
{
    dump->warnings++;
    as_dump_say(dump, "warning:", text);
}

const char *as_dump_argument(as_dump *dump, const char *directive)
{
    const ap_directive_t *found = as_sections_find_directive(dump->chain, directive);

    return found ? found->args : NULL;
}
