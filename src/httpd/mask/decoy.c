/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of missing resources beside a refused one.
 */
#include "decoy.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* Names are tried until one occurs nowhere in the request: the client's own octets must stay unchanged. The last one
 * is too long to be guessed. */
#define ATTEMPTS 4

/* Drawn when httpd starts, for all its processes: a name for each request would fill caches of other modules that
 * are keyed by name. */
static unsigned char secret[AS_DECOY_SECRET];

apr_status_t as_decoys_post_config(void)
{
    return apr_generate_random_bytes(secret, sizeof(secret));
}

/* Returns the settings with which httpd decodes a path: the virtual host's, as it knows no section yet. Those of a
 * section do not have AllowEncodedSlashes. */
static const core_dir_config *get_settings(const request_rec *r)
{
    return ap_get_core_module_config(r->server->lookup_defaults);
}

/* Decodes slashes where httpd does (AllowEncodedSlashes On): they separate segments. Returns whether there were any. */
static bool decode_slashes(const request_rec *r, char *path)
{
    const core_dir_config *core = get_settings(r);
    char *to = path;
    bool any = false;

    if (!core->allow_encoded_slashes || !core->decode_encoded_slashes) {
        return false;
    }
    while (*path) {
        if (!ap_cstr_casecmpn(path, "%2f", 3)) {
            *to++ = '/';
            path += 3;
            any = true;
        } else {
            *to++ = *path++;
        }
    }
    *to = '\0';
    return any;
}

#ifdef AP_NORMALIZE_MERGE_SLASHES
/* Returns the path as httpd will see it, before decoding of all but slashes. NULL for one that httpd refuses. */
static char *normalize(request_rec *r, const char *path)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);
    unsigned flags = AP_NORMALIZE_NOT_ABOVE_ROOT | AP_NORMALIZE_DECODE_UNRESERVED;
    char *copy = apr_pstrdup(r->pool, path);

    if (core->merge_slashes != AP_CORE_CONFIG_OFF) {
        flags |= AP_NORMALIZE_MERGE_SLASHES;
    }
    if (!ap_normalize_path(copy, flags)) {
        return NULL;
    }
    /* httpd does the same: decoded slashes may have made other segments of dots. */
    return !decode_slashes(r, copy) || ap_normalize_path(copy, flags & ~(unsigned)AP_NORMALIZE_DECODE_UNRESERVED)
               ? copy
               : NULL;
}

const char *as_decoy_decode(request_rec *r, const char *text)
{
    const core_dir_config *core = get_settings(r);
    unsigned flags = AP_UNESCAPE_URL_KEEP_UNRESERVED;
    char *copy = apr_pstrdup(r->pool, text);

    if (core->allow_encoded_slashes && !core->decode_encoded_slashes) {
        flags |= AP_UNESCAPE_URL_KEEP_SLASHES;
    }
    ap_unescape_url_ex(copy, flags);
    return copy;
}
#else
/* Before 2.4.48 httpd decodes a path first, so that encoded dots change their meaning. */
static char *normalize(request_rec *r, const char *path)
{
    char *copy = apr_pstrdup(r->pool, path);

    if (strstr(path, "%2e") || strstr(path, "%2E")) {
        return NULL;
    }
    decode_slashes(r, copy);
    ap_no2slash(copy);
    ap_getparents(copy);
    return copy;
}

const char *as_decoy_decode(request_rec *r, const char *text)
{
    const core_dir_config *core = get_settings(r);
    char *copy = apr_pstrdup(r->pool, text);

    if (core->allow_encoded_slashes) {
        ap_unescape_url_keep2f(copy, (int)core->decode_encoded_slashes);
    } else {
        ap_unescape_url(copy);
    }
    return copy;
}
#endif

/* Returns the length of the extensions, with the first dot: a missing resource has the same type. */
static apr_size_t measure_extensions(const char *begin, const char *end)
{
    const char *dot = begin + 1 < end ? memchr(begin + 1, '.', (apr_size_t)(end - begin - 1)) : NULL;

    return dot ? (apr_size_t)(end - dot) : 0;
}

static void add(as_decoys *all, const char *begin, const char *end, int below, as_decoy_shape shape)
{
    const as_decoy_spot spot = {.begin = begin, .end = end, .below = below, .shape = shape};

    all->spots[all->count++] = spot;
}

const as_decoys *as_decoys_get(request_rec *r, const char *path)
{
    /* The path of OPTIONS * has no segment that could be missing. */
    const char *from = path && *path == '/' ? normalize(r, path) : NULL, *begins[AS_SEGMENTS_MAX],
               *ends[AS_SEGMENTS_MAX], *octet, *last = NULL;
    as_decoys *all = apr_pcalloc(r->pool, sizeof(*all));
    int count = 0, beyond = 0, i;

    all->path = octet = from ? from : "/";
    while (*octet) {
        octet += strspn(octet, "/");
        last = *octet ? octet : last;
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
        add(all, begins[i], ends[i] - measure_extensions(begins[i], ends[i]), beyond + count - 1 - i, AS_DECOY_ALIKE);
        /* Where the pattern is refused, or the extension (FilesMatch). */
        add(all, begins[i], ends[i], beyond + count - 1 - i, AS_DECOY_PLAIN);
    }
    if (last) {
        all->end = last + strcspn(last, "/");
        all->extension = all->end - measure_extensions(last, all->end);
    } else {
        /* The root of the site. */
        all->end = all->extension = all->path + 1;
        add(all, all->end, all->end, 0, AS_DECOY_ALIKE);
    }
    return all;
}

int as_decoys_find_index(const as_decoys *all, int below)
{
    int i;

    for (i = 0; i < all->count; i++) {
        if (all->spots[i].below == below) {
            return i;
        }
    }
    return 0;
}

/* Tails are behind the decoys of single segments: two of each segment, as those are. */
int as_decoys_get_tail(const as_decoys *all, int index, as_decoy_shape shape)
{
    return all->count + (index & ~1) + (shape == AS_DECOY_PLAIN);
}

bool as_decoys_is_deep(const as_decoys *all)
{
    return all->spots[0].below > 0;
}

int as_decoys_get_searched(const as_decoys *all, int index)
{
    /* The tail of the last segment is that segment. */
    return index < 2 && !as_decoys_is_deep(all) ? index : as_decoys_get_tail(all, index, AS_DECOY_PLAIN);
}

as_decoy_spot as_decoys_get_spot(const as_decoys *all, int index)
{
    as_decoy_spot spot;

    if (index < all->count) {
        return all->spots[index];
    }
    spot = all->spots[(index - all->count) & ~1];
    spot.shape = (index - all->count) & 1 ? AS_DECOY_PLAIN : AS_DECOY_ALIKE;
    spot.end = spot.shape == AS_DECOY_PLAIN ? all->end : all->extension;
    return spot;
}

int as_decoys_search(int low, int high, const as_decoys *all, as_decoy_test *test, void *data)
{
    while (low < high) {
        const int middle = (low + high) / 2;
        if (test(data, as_decoys_get_searched(all, middle))) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

int as_decoys_choose(int index, const as_decoys *all, as_decoy_test *test, void *data)
{
    const int alone = index & ~1, tail = as_decoys_get_tail(all, index, AS_DECOY_ALIKE);

    if (as_decoys_get_searched(all, index) == index) {
        return index;
    }
    if (index == alone && test(data, alone)) {
        return alone;
    }
    if (test(data, alone + 1)) {
        return alone + 1;
    }
    return test(data, tail) ? tail : as_decoys_get_searched(all, index);
}

/* ---- names ---- */

static int has_no_copy(void *data, const char *key, const char *value)
{
    const as_decoy_name *name = data;

    return !as_decoy_name_is_in(name, key) && !(value && as_decoy_name_is_in(name, value));
}

static bool is_in_table(const apr_table_t *table, const as_decoy_name *name)
{
    return !apr_table_do(has_no_copy, (void *)name, table, NULL);
}

/* Returns whether the name, or a significant part of it, is in the request at its arrival: what the client has sent,
 * and what modules have added by then. It would be taken for a copy of the decoy. */
static bool is_in_arrival(const request_rec *r, const as_decoys *all, const as_decoy_name *name)
{
    return as_decoy_name_is_in(name, all->path) || (r->unparsed_uri && as_decoy_name_is_in(name, r->unparsed_uri)) ||
           is_in_table(r->headers_in, name) || is_in_table(r->subprocess_env, name) || is_in_table(r->notes, name) ||
           is_in_table(r->connection->notes, name);
}

static as_decoy *make(request_rec *r, const as_decoys *all, int index, bool sketch)
{
    const as_decoy_spot spot = as_decoys_get_spot(all, index);
    const apr_size_t length = (apr_size_t)(spot.end - spot.begin);
    as_decoy *decoy = apr_palloc(r->pool, sizeof(*decoy));
    char text[AS_DECOY_TEXT_MAX];
    unsigned attempt = 0;

    do {
        const as_decoy_draw how = {
            .secret = secret, .attempt = attempt, .least = attempt < ATTEMPTS ? AS_DECOY_PROBABLE : AS_DECOY_CERTAIN};

        as_decoy_name_make(&decoy->octets, spot.begin, length, spot.shape, &how);
    } while (attempt++ < ATTEMPTS && !sketch && is_in_arrival(r, all, &decoy->octets));
    as_decoy_name_write(&decoy->octets, text);
    decoy->name = as_decoy_decode(r, text);
    decoy->path = apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, all->path, (apr_size_t)(spot.begin - all->path)), text,
                              spot.end, NULL);
    return decoy;
}

const as_decoy *as_decoy_make(request_rec *r, const as_decoys *all, int index)
{
    return make(r, all, index, false);
}

const as_decoy *as_decoy_sketch(request_rec *r, const as_decoys *all, int index)
{
    return make(r, all, index, true);
}

int as_decoy_translate(request_rec *r)
{
    const apr_array_header_t *hooks = ap_hook_get_translate_name();
    int i, status = DECLINED;

    for (i = 0; hooks && i < hooks->nelts && status == DECLINED; i++) {
        const ap_LINK_translate_name_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_translate_name_t);
        if (!strcmp(hook->szName, "mod_rewrite.c") || !strcmp(hook->szName, "mod_alias.c")) {
            status = hook->pFunc(r);
        }
    }
    return status;
}

/* ---- removing the decoy's name from all data of the request ---- */

char *as_decoy_undo(apr_pool_t *pool, const as_decoy *decoy, char *text)
{
    apr_size_t size;
    char *clean;

    if (!text || !as_decoy_name_is_in(&decoy->octets, text)) {
        return text;
    }
    size = as_decoy_name_undo(&decoy->octets, text, NULL, 0) + 1;
    clean = apr_palloc(pool, size);
    as_decoy_name_undo(&decoy->octets, text, clean, size);
    return clean;
}

/* A table in progress. */
typedef struct as_decoy_table {
    apr_pool_t *pool;
    const as_decoy *decoy;
    apr_table_t *clean;
} as_decoy_table;

static int add_clean(void *data, const char *key, const char *value)
{
    const as_decoy_table *table = data;

    apr_table_addn(table->clean, as_decoy_undo(table->pool, table->decoy, (char *)key),
                   as_decoy_undo(table->pool, table->decoy, (char *)value));
    return 1;
}

apr_table_t *as_decoy_undo_table(apr_pool_t *pool, const as_decoy *decoy, apr_table_t *table)
{
    as_decoy_table cleaning = {.pool = pool, .decoy = decoy};

    if (!is_in_table(table, &decoy->octets)) {
        return table;
    }
    cleaning.clean = apr_table_make(pool, apr_table_elts(table)->nelts);
    apr_table_do(add_clean, &cleaning, table, NULL);
    return cleaning.clean;
}
