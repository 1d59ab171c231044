/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads httpd's configuration as far as needed: lines, words, sections, Define. Includes are not followed; the content
 * of <IfModule>, <IfDefine> and the like counts. It contains passwords: every copy of its text is wiped with the pool.
 */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "authstatus/secret_program.h"
#include "core/text.h"

#define MAX_FILE (8 * 1024 * 1024)
#define MAX_LINE ((size_t)256 * 1024)
#define MAX_DEPTH 32

/* An open section. */
typedef struct frame {
    const char *name;                   /* NULL for one that is ignored */
    const explain_container *container; /* NULL: none within the last section that is not ignored */
    int piece;                          /* number of that section in the file */
} frame;

typedef struct reader {
    apr_pool_t *pool;
    const char *file;
    int line;
    bool trusted;                             /* of the file */
    int pieces;                               /* number of sections so far */
    apr_array_header_t *sections;             /* frame */
    apr_array_header_t *found;                /* const explain_directive * */
    apr_table_t *defined, *defined_by_others; /* by trusted files; by others */
} reader;

/* ---- lines ---- */

/* Returns whether a file belongs to root or to the calling user, and no other user may write it. A .htaccess is
 * never trusted more than its author. */
static bool is_trusted(int fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat status;

    return fstat(fd, &status) == 0 && (status.st_uid == 0 || status.st_uid == geteuid()) &&
           !(status.st_mode & (S_IWGRP | S_IWOTH)) && strcmp(slash ? slash + 1 : path, ".htaccess") != 0;
}

static char *read_file(const char *path, apr_pool_t *pool, bool *trusted, const char **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char *text = NULL;
    ssize_t got = -1;

    if (size > MAX_FILE) {
        errno = EFBIG;
    } else if (size >= 0 && lseek(fd, 0, SEEK_SET) == 0) {
        text = as_secret_allocate(pool, (size_t)size + 1);
        got = read(fd, text, (size_t)size);
    }
    *trusted = fd >= 0 && is_trusted(fd, path);
    *error = got == size && size >= 0
                 ? NULL
                 : apr_psprintf(pool, "the configuration \"%s\" cannot be read: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* Returns the next line, with lines joined by a backslash; NULL at the end. Counts in *line. */
static char *read_next_line(char **at, int *line)
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

/* Returns the value of ${NAME}: of a Define, else of the environment; other texts stay unchanged. A definition in a
 * file that others may write holds for such files alone. */
static const char *find_value(const reader *in, const char *name)
{
    const char *value = in->trusted ? NULL : apr_table_get(in->defined_by_others, name);

    value = value ? value : apr_table_get(in->defined, name);
    return value ? value : getenv(name);
}

/* A growing text. */
typedef struct growing {
    char *text;
    size_t length, size;
} growing;

/* Appends octets. Returns false for a text longer than any reasonable line, as when a Define doubles itself. */
static bool grow(const reader *in, growing *to, const char *octets, size_t length)
{
    if (length > MAX_LINE - to->length) {
        return false;
    }
    if (to->length + length >= to->size) {
        char *longer = as_secret_allocate(in->pool, 2 * (to->length + length) + 1);

        memcpy(longer, to->text, to->length);
        to->text = longer;
        to->size = 2 * (to->length + length) + 1;
    }
    memcpy(to->text + to->length, octets, length);
    to->length += length;
    return true;
}

/* Expands a line. Returns NULL if it becomes too long. */
static char *expand(const reader *in, const char *line)
{
    growing to = {as_secret_allocate(in->pool, 1), 0, 1};
    const char *at = line, *open, *close, *value;
    bool fits = true;

    while (fits && (open = strstr(at, "${")) != NULL && (close = strchr(open, '}')) != NULL) {
        value = find_value(in, apr_pstrmemdup(in->pool, open + 2, (apr_size_t)(close - open - 2)));
        fits = grow(in, &to, at, (size_t)(open - at)) &&
               (value ? grow(in, &to, value, strlen(value)) : grow(in, &to, open, (size_t)(close - open + 1)));
        at = close + 1;
    }
    return fits && grow(in, &to, at, strlen(at)) ? to.text : NULL;
}

/* ---- sections ---- */

/* Returns the kind of a container of lines of Require; 0: it is none. */
static int find_container_kind(const char *name)
{
    static const struct {
        const char *name;
        explain_container_kind kind;
    } kinds[] = {{"RequireAll", EXPLAIN_IN_ALL},
                 {"RequireAny", EXPLAIN_IN_ANY},
                 {"RequireNone", EXPLAIN_IN_NONE},
                 {"Limit", EXPLAIN_IN_LIMIT},
                 {"LimitExcept", EXPLAIN_IN_LIMIT}};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (as_text_is_equal(name, kinds[i].name)) {
            return (int)kinds[i].kind;
        }
    }
    return 0;
}

static bool is_counted_as_section(const char *name)
{
    static const char *const transparent[] = {"IfModule",    "IfDefine",   "IfVersion",  "IfFile",
                                              "IfDirective", "IfSection",  "Limit",      "LimitExcept",
                                              "RequireAll",  "RequireAny", "RequireNone"};
    size_t i;

    for (i = 0; i < sizeof(transparent) / sizeof(transparent[0]); i++) {
        if (as_text_is_equal(name, transparent[i])) {
            return false;
        }
    }
    return true;
}

/* Returns the innermost open section. */
static frame get_innermost(const reader *in)
{
    return in->sections->nelts ? APR_ARRAY_IDX(in->sections, in->sections->nelts - 1, frame) : (frame){NULL, NULL, 0};
}

/* Opens a section that is ignored, but for the lines of Require that stand together in it. */
static void open_container(reader *in, const char *name)
{
    const int kind = find_container_kind(name);
    frame inner = get_innermost(in);

    inner.name = NULL;
    if (kind) {
        inner.container = explain_container_make((explain_container_kind)kind, inner.container, in->pool);
    }
    APR_ARRAY_PUSH(in->sections, frame) = inner;
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
    label = explain_read_word(&at);
    if (!label) {
        return "a section without a name";
    }
    if (!is_counted_as_section(label)) {
        open_container(in, label);
        return NULL;
    }
    while ((word = explain_read_word(&at)) != NULL) {
        label = apr_pstrcat(in->pool, label, " ", word, NULL);
    }
    APR_ARRAY_PUSH(in->sections, frame) = (frame){apr_pstrdup(in->pool, label), NULL, ++in->pieces};
    return NULL;
}

static const char *const *copy_sections(const reader *in)
{
    const char **now = apr_pcalloc(in->pool, ((size_t)in->sections->nelts + 1) * sizeof(*now));
    int i, count = 0;

    for (i = 0; i < in->sections->nelts; i++) {
        const char *section = APR_ARRAY_IDX(in->sections, i, frame).name;

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

    directive->text = memcpy(as_secret_allocate(in->pool, strlen(at) + 1), at, strlen(at) + 1);
    while ((word = explain_read_word(&at)) != NULL) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    directive->name = name;
    directive->argc = words->nelts;
    APR_ARRAY_PUSH(words, const char *) = NULL;
    directive->argv = (const char *const *)words->elts;
    directive->sections = copy_sections(in);
    directive->file = in->file;
    directive->line = in->line;
    directive->trusted = in->trusted;
    directive->within = get_innermost(in).container;
    directive->piece = get_innermost(in).piece;
    APR_ARRAY_PUSH(in->found, const explain_directive *) = directive;
}

static void define(reader *in, char *at)
{
    const char *name = explain_read_word(&at), *value = name ? explain_read_word(&at) : NULL;

    if (name) {
        apr_table_setn(in->trusted ? in->defined : in->defined_by_others, name, value ? value : "");
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
    name = explain_read_word(&at);
    if (name && as_text_is_equal(name, "Define")) {
        define(in, at);
    } else if (name && explain_is_read(name)) {
        add_directive(in, name, at);
    }
    return NULL;
}

static const char *read_one(reader *in, const char *file)
{
    const char *error;
    char *at = read_file(file, in->pool, &in->trusted, &error), *line;

    in->file = file;
    in->line = 0;
    apr_array_clear(in->sections);
    while (at && !error && (line = read_next_line(&at, &in->line)) != NULL) {
        error = read_line(in, line);
        error = error ? apr_psprintf(in->pool, "%s:%d: %s", file, in->line, error) : NULL;
    }
    return error;
}

const char *explain_read_config(const apr_array_header_t *files, apr_pool_t *pool, apr_array_header_t **directives)
{
    reader in = {.pool = pool,
                 .sections = apr_array_make(pool, MAX_DEPTH, sizeof(frame)),
                 .found = apr_array_make(pool, 32, sizeof(const explain_directive *)),
                 .defined = apr_table_make(pool, 8),
                 .defined_by_others = apr_table_make(pool, 8)};
    const char *error = NULL;
    int i;

    for (i = 0; i < files->nelts && !error; i++) {
        error = read_one(&in, APR_ARRAY_IDX(files, i, const char *));
    }
    *directives = in.found;
    return error;
}
