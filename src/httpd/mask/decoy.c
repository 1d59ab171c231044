/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of resources that are missing, near to one that is refused.
 */
#include "mask.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

/* Octets of a name: as many as the segment has, so that no limit of the file system tells the two apart; but enough to
 * be nobody's, and no more than a file system takes. */
#define NAME_LEAST 8
#define NAME_MOST 255

/* The name that no file and no section of a configuration has: letters that mean nothing to anybody, and that no
 * answer shows. Drawn when httpd starts, for all its processes: a name for each request would fill what other modules
 * cache by name. A decoy's name is the beginning of it. */
static char unknown_name[NAME_MOST + 1];

apr_status_t as_decoys_post_config(void)
{
    unsigned char octets[NAME_MOST];
    apr_status_t status = apr_generate_random_bytes(octets, sizeof(octets));
    int i;

    for (i = 0; i < NAME_MOST; i++) {
        unknown_name[i] = (char)('a' + octets[i] % 26);
    }
    return status;
}

#ifdef AP_NORMALIZE_MERGE_SLASHES
/* The path as httpd will see it, but for its decoding. NULL for one that it will not take. */
static char *normalized(request_rec *r, const char *path)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);
    unsigned flags = AP_NORMALIZE_NOT_ABOVE_ROOT | AP_NORMALIZE_DECODE_UNRESERVED;
    char *copy = apr_pstrdup(r->pool, path);

    if (core->merge_slashes != AP_CORE_CONFIG_OFF) {
        flags |= AP_NORMALIZE_MERGE_SLASHES;
    }
    return ap_normalize_path(copy, flags) ? copy : NULL;
}

static const char *decoded(request_rec *r, const char *segment)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    unsigned flags = AP_UNESCAPE_URL_KEEP_UNRESERVED;
    char *copy = apr_pstrdup(r->pool, segment);

    if (core->allow_encoded_slashes && !core->decode_encoded_slashes) {
        flags |= AP_UNESCAPE_URL_KEEP_SLASHES;
    }
    ap_unescape_url_ex(copy, flags);
    return copy;
}
#else
/* Before 2.4.48 httpd decodes a path first: dots that are encoded would be others afterwards. */
static char *normalized(request_rec *r, const char *path)
{
    char *copy = apr_pstrdup(r->pool, path);

    if (strstr(path, "%2e") || strstr(path, "%2E")) {
        return NULL;
    }
    ap_no2slash(copy);
    ap_getparents(copy);
    return copy;
}

static const char *decoded(request_rec *r, const char *segment)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    char *copy = apr_pstrdup(r->pool, segment);

    if (core->allow_encoded_slashes) {
        ap_unescape_url_keep2f(copy, (int)core->decode_encoded_slashes);
    } else {
        ap_unescape_url(copy);
    }
    return copy;
}
#endif

/* Returns the length of what begins with the dot that ends the name itself: what it says of the type is said of a
 * missing one as well. */
static apr_size_t extensions(const char *begin, const char *end)
{
    const char *dot = begin + 1 < end ? memchr(begin + 1, '.', (apr_size_t)(end - begin - 1)) : NULL;

    return dot ? (apr_size_t)(end - dot) : 0;
}

static void add(as_decoys *all, const char *begin, const char *end, int below)
{
    const as_decoy_spot spot = {.begin = begin, .end = end, .below = below};

    all->spots[all->count++] = spot;
}

const as_decoys *as_decoys_of(request_rec *r, const char *path)
{
    /* The path of OPTIONS * has nothing that could be missing. */
    const char *from = path && *path == '/' ? normalized(r, path) : NULL, *begins[AS_SEGMENTS_MAX],
               *ends[AS_SEGMENTS_MAX], *octet;
    as_decoys *all = apr_pcalloc(r->pool, sizeof(*all));
    int count = 0, beyond = 0, i;

    all->path = octet = from ? from : "/";
    while (*octet) {
        octet += strspn(octet, "/");
        if (count < AS_SEGMENTS_MAX) {
            begins[count] = octet;
            ends[count] = octet + strcspn(octet, "/");
            count += ends[count] > begins[count];
        } else {
            beyond += *octet != '\0';
        }
        octet += strcspn(octet, "/");
    }
    for (i = count - 1; i >= 0; i--) {
        const apr_size_t kept = extensions(begins[i], ends[i]);
        add(all, begins[i], ends[i] - kept, beyond + count - 1 - i);
        if (kept) {
            /* Where it is the extension that is refused (FilesMatch). */
            add(all, begins[i], ends[i], beyond + count - 1 - i);
        }
    }
    if (!all->count) {
        /* The root of the site. */
        add(all, all->path + 1, all->path + 1, 0);
    }
    return all;
}

const as_decoy *as_decoy_make(request_rec *r, const as_decoys *all, int index)
{
    const as_decoy_spot *spot = &all->spots[index];
    const apr_size_t length = (apr_size_t)(spot->end - spot->begin);
    as_decoy *decoy = apr_palloc(r->pool, sizeof(*decoy));

    decoy->name = apr_pstrmemdup(r->pool, unknown_name,
                                 length < NAME_LEAST  ? NAME_LEAST
                                 : length > NAME_MOST ? NAME_LEAST
                                                      : length);
    decoy->segment = decoded(r, apr_pstrmemdup(r->pool, spot->begin, length));
    decoy->path = apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, all->path, (apr_size_t)(spot->begin - all->path)),
                              decoy->name, spot->end, NULL);
    return decoy;
}

/* ---- the decoy's name comes out of whatever it got into ---- */

/* Returns the next copy of the name in any case (RewriteMap's toupper), or NULL. */
static const char *find(const char *text, const char *name, apr_size_t length)
{
    for (; *text; text++) {
        if (apr_tolower(*text) == *name && !ap_cstr_casecmpn(text, name, length)) {
            return text;
        }
    }
    return NULL;
}

static const char *in_case_of(apr_pool_t *pool, const char *segment, const char *copy)
{
    char *upper, *octet;

    if (!apr_isupper(*copy)) {
        return segment;
    }
    upper = apr_pstrdup(pool, segment);
    for (octet = upper; *octet; octet++) {
        *octet = (char)apr_toupper(*octet);
    }
    return upper;
}

char *as_decoy_undo(apr_pool_t *pool, const as_decoy *decoy, char *text)
{
    const apr_size_t length = strlen(decoy->name);
    const char *found = text ? find(text, decoy->name, length) : NULL;
    char *clean = apr_pstrdup(pool, "");

    if (!found) {
        return text;
    }
    for (; found; found = find(text, decoy->name, length)) {
        clean = apr_pstrcat(pool, clean, apr_pstrmemdup(pool, text, (apr_size_t)(found - text)),
                            in_case_of(pool, decoy->segment, found), NULL);
        text += found - text + (apr_ssize_t)length;
    }
    return apr_pstrcat(pool, clean, text, NULL);
}

apr_table_t *as_decoy_undo_table(apr_pool_t *pool, const as_decoy *decoy, apr_table_t *table)
{
    const apr_array_header_t *entries = apr_table_elts(table);
    const apr_size_t length = strlen(decoy->name);
    apr_table_t *clean = NULL;
    int i;

    for (i = 0; i < entries->nelts && !clean; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        if (find(entry->key, decoy->name, length) || (entry->val && find(entry->val, decoy->name, length))) {
            clean = apr_table_make(pool, entries->nelts);
        }
    }
    for (i = 0; clean && i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        apr_table_addn(clean, as_decoy_undo(pool, decoy, entry->key), as_decoy_undo(pool, decoy, entry->val));
    }
    return clean ? clean : table;
}
