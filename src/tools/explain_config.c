/* SPDX-License-Identifier: Apache-2.0
 *
 * httpd's configuration, as far as it is needed here: lines, words, sections, Define. Nothing is included; what stands
 * in <IfModule>, <IfDefine> and their like counts.
 */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <openssl/crypto.h>

#include "core/text.h"

#define MAX_FILE (8 * 1024 * 1024)
#define MAX_LINE ((size_t)256 * 1024)
#define MAX_DEPTH 32

typedef struct reader {
    apr_pool_t *pool;
    const char *file;
    int line;
    apr_array_header_t *sections; /* const char *; NULL for one that does not count */
    apr_array_header_t *found;    /* const explain_directive * */
    apr_table_t *defined;
} reader;

/* Configurations have passwords in them: every copy of their text is wiped with the pool. */
typedef struct wiped {
    char *text;
    size_t size;
} wiped;

static apr_status_t wipe(void *data)
{
    wiped *buffer = data;

    OPENSSL_cleanse(buffer->text, buffer->size);
    return APR_SUCCESS;
}

static char *new_text(apr_pool_t *pool, size_t size)
{
    wiped *buffer = apr_palloc(pool, sizeof(*buffer));

    buffer->text = apr_pcalloc(pool, size);
    buffer->size = size;
    apr_pool_cleanup_register(pool, buffer, wipe, apr_pool_cleanup_null);
    return buffer->text;
}

/* ---- lines ---- */

static char *read_file(const char *path, apr_pool_t *pool, const char **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char *text = NULL;
    ssize_t got = -1;

    if (size > MAX_FILE) {
        errno = EFBIG;
    } else if (size >= 0 && lseek(fd, 0, SEEK_SET) == 0) {
        text = new_text(pool, (size_t)size + 1);
        got = read(fd, text, (size_t)size);
    }
    *error = got == size && size >= 0
                 ? NULL
                 : apr_psprintf(pool, "the configuration \"%s\" cannot be read: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* The next line, with those that a backslash at its end joins to it; NULL at the end. Counts in *line. */
static char *next_line(char **at, int *line)
{
    char *from = *at, *to = *at, *start = *at;

    if (!*from) {
        return NULL;
    }
    for (; *from && *from != '\n'; from++) {
        if (from[0] == '\\' && (from[1] == '\n' || (from[1] == '\r' && from[2] == '\n'))) {
            from += from[1] == '\n' ? 1 : 2;
            ++*line;
        } else if (*from != '\r') {
            *to++ = *from;
        }
    }
    ++*line;
    *at = *from ? from + 1 : from;
    *to = '\0';
    return start + strspn(start, " \t");
}

/* ---- words ---- */

/* ${NAME}: of a Define, else of the environment; what is neither stays as it is. */
static const char *value_of(const reader *in, const char *name)
{
    const char *value = apr_table_get(in->defined, name);

    return value ? value : getenv(name);
}

/* A text that grows. */
typedef struct growing {
    char *text;
    size_t length, size;
} growing;

/* False: it would be longer than any line means to be, as where a Define doubles itself. */
static bool grow(const reader *in, growing *to, const char *octets, size_t length)
{
    if (length > MAX_LINE - to->length) {
        return false;
    }
    if (to->length + length >= to->size) {
        char *longer = new_text(in->pool, 2 * (to->length + length) + 1);

        memcpy(longer, to->text, to->length);
        to->text = longer;
        to->size = 2 * (to->length + length) + 1;
    }
    memcpy(to->text + to->length, octets, length);
    to->length += length;
    return true;
}

/* NULL: the line becomes too long. */
static char *expand(const reader *in, const char *line)
{
    growing to = {new_text(in->pool, 1), 0, 1};
    const char *at = line, *open, *close, *value;
    bool fits = true;

    while (fits && (open = strstr(at, "${")) != NULL && (close = strchr(open, '}')) != NULL) {
        value = value_of(in, apr_pstrmemdup(in->pool, open + 2, (apr_size_t)(close - open - 2)));
        fits = grow(in, &to, at, (size_t)(open - at)) &&
               (value ? grow(in, &to, value, strlen(value)) : grow(in, &to, open, (size_t)(close - open + 1)));
        at = close + 1;
    }
    return fits && grow(in, &to, at, strlen(at)) ? to.text : NULL;
}

/* The next word, as ap_getword_conf() has it: quotes may be of both kinds; a backslash makes a quote or a backslash
 * literal. NULL at the end. Takes it apart where it stands. */
static char *next_word(char **at)
{
    char *from = *at + strspn(*at, " \t"), *to, *start;
    char quote = *from == '"' || *from == '\'' ? *from++ : '\0';

    if (!*from && !quote) {
        return NULL;
    }
    for (start = to = from; *from && (quote ? *from != quote : !as_text_is_blank(*from)); from++) {
        if (*from == '\\' && (from[1] == '\\' || (quote && from[1] == quote))) {
            from++;
        }
        *to++ = *from;
    }
    *at = *from ? from + 1 : from;
    *to = '\0';
    return start;
}

/* ---- sections ---- */

static bool counts_as_section(const char *name)
{
    static const char *const transparent[] = {"IfModule",    "IfDefine",   "IfVersion",  "IfFile",
                                              "IfDirective", "IfSection",  "Limit",      "LimitExcept",
                                              "RequireAll",  "RequireAny", "RequireNone"};
    size_t i;

    for (i = 0; i < sizeof(transparent) / sizeof(transparent[0]); i++) {
        if (as_text_equal(name, transparent[i])) {
            return false;
        }
    }
    return true;
}

static const char *open_section(reader *in, char *line)
{
    char *end = strrchr(line, '>'), *at = line + 1, *word;
    const char *label;

    if (!end) {
        return "a section without >";
    }
    if (in->sections->nelts == MAX_DEPTH) {
        return "too many sections within each other";
    }
    *end = '\0';
    label = next_word(&at);
    if (!label) {
        return "a section without a name";
    }
    if (!counts_as_section(label)) {
        APR_ARRAY_PUSH(in->sections, const char *) = NULL;
        return NULL;
    }
    while ((word = next_word(&at)) != NULL) {
        label = apr_pstrcat(in->pool, label, " ", word, NULL);
    }
    APR_ARRAY_PUSH(in->sections, const char *) = apr_pstrdup(in->pool, label);
    return NULL;
}

static const char *const *sections_now(const reader *in)
{
    const char **now = apr_pcalloc(in->pool, ((size_t)in->sections->nelts + 1) * sizeof(*now));
    int i, count = 0;

    for (i = 0; i < in->sections->nelts; i++) {
        const char *section = APR_ARRAY_IDX(in->sections, i, const char *);

        if (section) {
            now[count++] = section;
        }
    }
    return now;
}

/* ---- directives ---- */

static void add_directive(reader *in, const char *name, char *at)
{
    explain_directive *directive = apr_pcalloc(in->pool, sizeof(*directive));
    apr_array_header_t *words = apr_array_make(in->pool, 4, sizeof(const char *));
    char *word;

    while ((word = next_word(&at)) != NULL) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    directive->name = name;
    directive->argc = words->nelts;
    directive->argv = (const char *const *)words->elts;
    directive->sections = sections_now(in);
    directive->file = in->file;
    directive->line = in->line;
    APR_ARRAY_PUSH(in->found, const explain_directive *) = directive;
}

static void define(reader *in, char *at)
{
    const char *name = next_word(&at), *value = name ? next_word(&at) : NULL;

    if (name) {
        apr_table_set(in->defined, name, value ? value : "");
    }
}

static const char *read_line(reader *in, char *line)
{
    char *at, *name;

    if (!*line || *line == '#') {
        return NULL;
    }
    if (line[0] == '<' && line[1] == '/') {
        return apr_array_pop(in->sections) ? NULL : "the end of a section that was not begun";
    }
    line = expand(in, line);
    if (!line) {
        return "a line that becomes too long";
    }
    if (*line == '<') {
        return open_section(in, line);
    }
    at = line;
    name = next_word(&at);
    if (name && as_text_equal(name, "Define")) {
        define(in, at);
    } else if (name && explain_reads(name)) {
        add_directive(in, name, at);
    }
    return NULL;
}

static const char *read_one(reader *in, const char *file)
{
    const char *error;
    char *at = read_file(file, in->pool, &error), *line;

    in->file = file;
    in->line = 0;
    apr_array_clear(in->sections);
    while (at && !error && (line = next_line(&at, &in->line)) != NULL) {
        error = read_line(in, line);
        error = error ? apr_psprintf(in->pool, "%s:%d: %s", file, in->line, error) : NULL;
    }
    return error;
}

const char *explain_read_config(const apr_array_header_t *files, apr_pool_t *pool, apr_array_header_t **directives)
{
    reader in = {.pool = pool,
                 .sections = apr_array_make(pool, MAX_DEPTH, sizeof(const char *)),
                 .found = apr_array_make(pool, 32, sizeof(const explain_directive *)),
                 .defined = apr_table_make(pool, 8)};
    const char *error = NULL;
    int i;

    for (i = 0; i < files->nelts && !error; i++) {
        error = read_one(&in, APR_ARRAY_IDX(files, i, const char *));
    }
    *directives = in.found;
    return error;
}

/* ---- which of them ---- */

static const char *label_of(const char *const *sections, apr_pool_t *pool)
{
    const char *label = "";

    for (; *sections; sections++) {
        label = apr_pstrcat(pool, label, *label ? ", " : "", *sections, NULL);
    }
    return label;
}

/* By its argument, by the last word of it (an alias's name), or by all that an error message called it. */
static bool is_within(const explain_directive *directive, const char *section, apr_pool_t *pool)
{
    const char *const *at;

    for (at = directive->sections; *at; at++) {
        const char *argument = strchr(*at, ' '), *last = strrchr(*at, ' ');

        if ((argument && !strcmp(argument + 1, section)) || (last && !strcmp(last + 1, section)) ||
            !strcmp(*at, section)) {
            return true;
        }
    }
    return !strcmp(label_of(directive->sections, pool), section);
}

static const char *several(const apr_array_header_t *urls, apr_pool_t *pool)
{
    const char *list = "there are several AuthLDAPURLs; choose one with --section:";
    int i;

    for (i = 0; i < urls->nelts; i++) {
        const explain_directive *url = APR_ARRAY_IDX(urls, i, const explain_directive *);
        const char *label = label_of(url->sections, pool);

        list = apr_psprintf(pool, "%s\n  '%s' (%s:%d)", list, *label ? label : "server", url->file, url->line);
    }
    return list;
}

/* The places where a URL stands, each once. */
static apr_array_header_t *urls_in(const apr_array_header_t *directives, const char *section, apr_pool_t *pool)
{
    apr_array_header_t *urls = apr_array_make(pool, 4, sizeof(const explain_directive *));
    int i, j;

    for (i = 0; i < directives->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(directives, i, const explain_directive *);

        if (!as_text_equal(directive->name, "AuthLDAPURL") || (section && !is_within(directive, section, pool))) {
            continue;
        }
        for (j = 0; j < urls->nelts; j++) {
            const explain_directive *other = APR_ARRAY_IDX(urls, j, const explain_directive *);

            if (!strcmp(label_of(other->sections, pool), label_of(directive->sections, pool))) {
                break;
            }
        }
        if (j == urls->nelts) {
            APR_ARRAY_PUSH(urls, const explain_directive *) = directive;
        }
    }
    return urls;
}

/* How deep it stands, if that is around `place` or there; else -1. */
static int depth_towards(const explain_directive *directive, const char *const *place)
{
    int depth = 0;

    while (directive->sections[depth]) {
        if (!place[depth] || strcmp(directive->sections[depth], place[depth]) != 0) {
            return -1;
        }
        depth++;
    }
    return depth;
}

const char *explain_choose(const apr_array_header_t *directives, const char *section, apr_pool_t *pool,
                           apr_array_header_t **chosen)
{
    const apr_array_header_t *urls = urls_in(directives, section, pool);
    const explain_directive *url;
    int depth, i;

    if (urls->nelts == 0) {
        return section ? apr_psprintf(pool, "there is no AuthLDAPURL in a section \"%s\"", section)
                       : "there is no AuthLDAPURL (files that are included must be named by --config too)";
    }
    if (urls->nelts > 1) {
        return several(urls, pool);
    }
    url = APR_ARRAY_IDX(urls, 0, const explain_directive *);
    *chosen = apr_array_make(pool, 16, sizeof(const explain_directive *));
    for (depth = 0; depth <= MAX_DEPTH; depth++) {
        for (i = 0; i < directives->nelts; i++) {
            const explain_directive *directive = APR_ARRAY_IDX(directives, i, const explain_directive *);

            if (depth_towards(directive, url->sections) == depth) {
                APR_ARRAY_PUSH(*chosen, const explain_directive *) = directive;
            }
        }
    }
    return NULL;
}
