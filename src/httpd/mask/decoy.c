/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of resources that are missing, near to one that is refused.
 */
#include "mask.h"

#include <apr_strings.h>
#include <http_core.h>

/* Segments of a path that are tried. Below that a path stands for what is above it: no request makes more work. */
#define SEGMENTS_MAX 16
#define NAME_LENGTH 24

/* The name that no file and no section of a configuration has: letters that mean nothing to anybody, and that no
 * answer shows. Set when httpd starts, for all its processes: a name for each request would cost more than the way, and
 * fill what other modules remember of names. */
static char unknown_name[NAME_LENGTH + 1];

apr_status_t as_decoys_post_config(void)
{
    unsigned char octets[NAME_LENGTH];
    apr_status_t status = apr_generate_random_bytes(octets, sizeof(octets));
    int i;

    for (i = 0; i < NAME_LENGTH; i++) {
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

/* Adds the path with the segment from `begin` to `end` replaced, but for the last `kept` octets of it. */
static void add(request_rec *r, apr_array_header_t *all, const char *path, const char *begin, const char *end,
                apr_size_t kept)
{
    as_decoy *stand_in = apr_array_push(all);

    end -= kept;
    stand_in->name = unknown_name;
    stand_in->segment = decoded(r, apr_pstrmemdup(r->pool, begin, (apr_size_t)(end - begin)));
    stand_in->path =
        apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, path, (apr_size_t)(begin - path)), stand_in->name, end, NULL);
}

/* From the dot that ends the name itself: what it says of the type is said of a missing one as well. */
static apr_size_t extensions(const char *begin, const char *end)
{
    const char *dot = begin + 1 < end ? memchr(begin + 1, '.', (apr_size_t)(end - begin - 1)) : NULL;

    return dot ? (apr_size_t)(end - dot) : 0;
}

const apr_array_header_t *as_decoys(request_rec *r, const char *path)
{
    /* The path of OPTIONS * has nothing that could be missing. */
    const char *from = path && *path == '/' ? normalized(r, path) : NULL, *begins[SEGMENTS_MAX], *ends[SEGMENTS_MAX],
               *octet;
    apr_array_header_t *all = apr_array_make(r->pool, 4, sizeof(as_decoy));
    int count = 0;

    octet = from ? from : "";
    while (*octet && count < SEGMENTS_MAX) {
        while (*octet == '/') {
            octet++;
        }
        begins[count] = octet;
        ends[count] = octet += strcspn(octet, "/");
        count += ends[count] > begins[count];
    }
    while (count-- > 0) {
        apr_size_t kept = extensions(begins[count], ends[count]);
        add(r, all, from, begins[count], ends[count], kept);
        if (kept) {
            /* Where it is the extension that is refused (FilesMatch). */
            add(r, all, from, begins[count], ends[count], 0);
        }
    }
    if (!all->nelts) {
        /* The root of the site. */
        const char *root = "/", *end = root + 1;
        add(r, all, root, end, end, 0);
    }
    return all;
}

char *as_decoy_undo(apr_pool_t *pool, const as_decoy *stand_in, char *text)
{
    const char *found = text ? strstr(text, stand_in->name) : NULL;

    if (!found) {
        return text;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (apr_size_t)(found - text)), stand_in->segment,
                       found + strlen(stand_in->name), NULL);
}
