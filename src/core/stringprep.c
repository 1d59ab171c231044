/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 4518 2, by utf8proc. Characters that RFC 4518 prohibits (2.4) are kept: the directory itself refuses such a
 * name. U+0130 is both "i" with a dot above, by RFC 4518, and "i", by the lower case of Unicode alone, which OpenLDAP
 * uses: so the dot is dropped.
 */
#include "authstatus/stringprep.h"

#include <utf8proc.h>

#define DOT_ABOVE 0x307

/* Maps a code point (RFC 4518 2.2). utf8proc drops a soft hyphen as ignorable. */
static utf8proc_int32_t map(utf8proc_int32_t code, void *data)
{
    const utf8proc_int32_t space = ' ', nothing = 0xad;
    const utf8proc_category_t category = utf8proc_category(code);

    (void)data;
    if ((code >= '\t' && code <= '\r') || code == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
        category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP) {
        return space;
    }
    if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || code == 0xfffc) {
        return nothing;
    }
    return code;
}

/* Drops dots above an "i", in place, from characters in canonical decomposition. Returns how many characters are left.
 */
static utf8proc_ssize_t drop_dots(utf8proc_int32_t *codes, utf8proc_ssize_t count)
{
    utf8proc_int32_t base = 0;
    utf8proc_ssize_t to = 0;

    for (utf8proc_ssize_t i = 0; i < count; i++) {
        base = utf8proc_get_property(codes[i])->combining_class == 0 ? codes[i] : base;
        if (codes[i] != DOT_ABOVE || base != 'i') {
            codes[to++] = codes[i];
        }
    }
    return to;
}

/* Removes insignificant spaces, in place. */
static void remove_spaces(char *name)
{
    char *to = name;

    for (const char *from = name; *from != '\0'; from++) {
        if (*from != ' ' || (to > name && to[-1] != ' ')) {
            *to++ = *from;
        }
    }
    if (to > name && to[-1] == ' ') {
        to--;
    }
    *to = '\0';
}

const char *as_stringprep_prepare(const char *name, size_t length, int32_t *work)
{
    const utf8proc_option_t options =
        (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    const utf8proc_ssize_t most = (utf8proc_ssize_t)AS_STRINGPREP_WORK(length) - 1;
    utf8proc_ssize_t codes = utf8proc_decompose_custom((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)length, work,
                                                       most, options, map, NULL);

    if (codes < 0 || codes > most || utf8proc_reencode(work, drop_dots(work, codes), options) < 0) {
        return NULL;
    }
    remove_spaces((char *)work);
    return (const char *)work;
}
