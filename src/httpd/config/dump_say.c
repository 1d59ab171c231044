/* SPDX-License-Identifier: Apache-2.0
 *
 * Output functions of the dump, and access to a directive's arguments and to the directory of a section.
 */
#include "dump.h"

#include <apr_strings.h>
#include <http_core.h>

void as_dump_say(as_dump *dump, const char *label, const char *text)
{
    apr_file_printf(dump->out, "    %-10s %s\n", label, as_escape_unprintable(dump->pool, text));
}

void as_dump_warn(as_dump *dump, const char *text)
{
    dump->warnings++;
    as_dump_say(dump, "warning:", text);
}

bool as_dump_is_news(as_dump *dump, const char *subject)
{
    const char *key = apr_psprintf(dump->pool, "%pp %s", (const void *)dump->refs, subject);

    dump->subjects = dump->subjects ? dump->subjects : apr_hash_make(dump->pool);
    if (apr_hash_get(dump->subjects, key, APR_HASH_KEY_STRING)) {
        return false;
    }
    apr_hash_set(dump->subjects, key, APR_HASH_KEY_STRING, key);
    return true;
}

const char *as_dump_argument(as_dump *dump, const char *directive)
{
    const ap_directive_t *found = as_sections_find_directive(dump->chain, directive);

    return found ? found->args : NULL;
}

const ap_directive_t *as_dump_find_own(const as_dump *dump, const char *directive, const char *word)
{
    const ap_directive_t *found = NULL;
    int i;

    for (i = dump->pieces->nelts - 1; i >= 0 && !found; i--) {
        found = as_section_find_directive(APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *), directive, word);
    }
    return found;
}

/* Returns whether a section matches by a regular expression, and may apply to a part of another section alone. */
static bool has_expression(const as_section_ref *ref)
{
    const core_dir_config *core = ref->vector ? ap_get_core_module_config(ref->vector) : NULL;

    return core && core->r;
}

bool as_dump_is_in_force(const as_dump *dump, const as_section_ref *piece, const as_section_ref **instead)
{
    const apr_array_header_t *list = as_sections_list_requiring(dump->pool, dump->chain);
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (APR_ARRAY_IDX(list, i, const as_requiring).ref == piece) {
            return true;
        }
    }
    *instead = list->nelts ? APR_ARRAY_IDX(list, 0, const as_requiring).ref : NULL;
    return *instead && has_expression(*instead) && !as_sections_are_same(*instead, piece);
}

const as_directory_settings *as_dump_find_directory(const as_dump *dump)
{
    const as_directory_source source = as_directory_source_find(dump->section, dump->ref->server, NULL);

    return as_section_make_directory(&source, dump->pool);
}
