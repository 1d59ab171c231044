/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the directives in force in one section, in httpd's order: the server, its virtual host, the sections of the
 * same kind that contain it, itself; and the credentials among them that belong to its AuthLDAPURL.
 */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "core/text.h"

/* ---- sections ---- */

static const char *make_label(const char *const *sections, apr_pool_t *pool)
{
    const char *label = "";

    for (; *sections; sections++) {
        label = apr_pstrcat(pool, label, *label ? ", " : "", *sections, NULL);
    }
    return label;
}

static bool is_host(const char *section)
{
    return section && !apr_cstr_casecmpn(section, "VirtualHost ", strlen("VirtualHost "));
}

static size_t count_places(const char *const *sections)
{
    size_t count = 0;

    while (sections[count]) {
        count++;
    }
    return count;
}

/* Returns whether the innermost section of the directive is the wanted one: by its argument, by its last word (an
 * alias's name), or by its name in an error message. */
static bool is_within(const explain_directive *directive, const char *section, apr_pool_t *pool)
{
    const size_t count = count_places(directive->sections);
    const char *innermost = count ? directive->sections[count - 1] : "";
    const char *argument = strchr(innermost, ' '), *last = strrchr(innermost, ' ');

    return (argument && !strcmp(argument + 1, section)) || (last && !strcmp(last + 1, section)) ||
           !strcmp(innermost, section) || !strcmp(make_label(directive->sections, pool), section);
}

/* Returns whether a path contains another one, as httpd's walks compare. */
static bool contains_path(const char *outer, const char *inner)
{
    const size_t length = strlen(outer);

    return !strncmp(outer, inner, length) &&
           (length == 0 || outer[length - 1] == '/' || inner[length] == '/' || inner[length] == '\0');
}

/* Returns whether <Location> or <Directory> `outer` applies to all resources of `inner`. */
static bool contains(const char *outer, const char *inner)
{
    const char *outer_path = strchr(outer, ' '), *inner_path = strchr(inner, ' ');

    if (!strcmp(outer, inner)) {
        return true;
    }
    return outer_path && inner_path && outer_path - outer == inner_path - inner &&
           !apr_cstr_casecmpn(outer, inner, (apr_size_t)(outer_path - outer)) &&
           (!apr_cstr_casecmpn(outer, "Location ", 9) || !apr_cstr_casecmpn(outer, "Directory ", 10)) &&
           !strpbrk(outer_path + 1, "~*?[") && contains_path(outer_path + 1, inner_path + 1);
}

/* Returns whether the directive is in force in a section. */
static bool applies(const explain_directive *directive, const char *const *section)
{
    const char *const *own = directive->sections;

    if (is_host(*own)) {
        if (!is_host(*section) || strcmp(*own, *section) != 0) {
            return false;
        }
        own++;
    }
    section += is_host(*section) ? 1 : 0;
    if (own[0] && !own[1]) {
        return section[0] && contains(own[0], section[0]);
    }
    for (; *own; own++, section++) {
        if (!*section || strcmp(*own, *section) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- the order ---- */

typedef struct ranked {
    const explain_directive *directive;
    int at; /* in the configuration */
} ranked;

/* Returns the depth of nesting: inner sections come after outer ones. */
static size_t count_depth(const explain_directive *directive)
{
    return count_places(directive->sections) - (is_host(directive->sections[0]) ? 1 : 0);
}

/* Directories apply from the outermost to the innermost in any order; locations in their order. */
static size_t measure_directory_path(const explain_directive *directive)
{
    const char *section = directive->sections[is_host(directive->sections[0]) ? 1 : 0];

    return section && !apr_cstr_casecmpn(section, "Directory ", 10) ? strlen(section) : 0;
}

static int compare_order(const void *one, const void *other)
{
    const ranked *a = one, *b = other;
    const size_t keys[][2] = {{count_depth(a->directive) > 0, count_depth(b->directive) > 0},
                              {count_depth(a->directive) > 1, count_depth(b->directive) > 1},
                              {is_host(a->directive->sections[0]), is_host(b->directive->sections[0])},
                              {measure_directory_path(a->directive), measure_directory_path(b->directive)},
                              {(size_t)a->at, (size_t)b->at}};
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static apr_array_header_t *find_in_force(const apr_array_header_t *directives, const char *const *section,
                                         apr_pool_t *pool)
{
    apr_array_header_t *found = apr_array_make(pool, 16, sizeof(ranked));
    apr_array_header_t *chosen = apr_array_make(pool, 16, sizeof(const explain_directive *));
    int i;

    for (i = 0; i < directives->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(directives, i, const explain_directive *);

        if (applies(directive, section)) {
            ranked *one = apr_array_push(found);
            one->directive = directive;
            one->at = i;
        }
    }
    qsort(found->elts, (size_t)found->nelts, sizeof(ranked), compare_order);
    for (i = 0; i < found->nelts; i++) {
        APR_ARRAY_PUSH(chosen, const explain_directive *) = APR_ARRAY_IDX(found, i, ranked).directive;
    }
    return chosen;
}

/* ---- credentials ---- */

static bool is_url(const explain_directive *directive)
{
    return as_text_is_equal(directive->name, "AuthLDAPURL");
}

static bool is_credential(const explain_directive *directive)
{
    static const char *const names[] = {"AuthLDAPBindDN", "AuthLDAPBindPassword", "AuthLDAPInitialBindAsUser",
                                        "AuthLDAPInitialBindPattern", "LDAPTrustedClientCert"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (as_text_is_equal(directive->name, names[i])) {
            return true;
        }
    }
    return false;
}

bool explain_is_same_section(const explain_directive *one, const explain_directive *other)
{
    size_t i;

    for (i = 0; one->sections[i] && other->sections[i] && !strcmp(one->sections[i], other->sections[i]); i++) {
    }
    return !one->sections[i] && !other->sections[i] && !strcmp(one->file, other->file);
}

/* Is a credential of one file for a URL of the other? What the administrator's files say never goes to the servers of a
 * file that others may write, as it never goes where .htaccess says. */
static bool share_credentials(const explain_directive *credential, const explain_directive *url)
{
    return !strcmp(credential->file, url->file) || (credential->trusted && url->trusted);
}

/* Returns the AuthLDAPURL of the directive: of its section, else the one in force around it; NULL: none. */
static const explain_directive *find_home(const apr_array_header_t *chosen, int at)
{
    const explain_directive *directive = APR_ARRAY_IDX(chosen, at, const explain_directive *), *home = NULL;
    int i;

    for (i = 0; i < chosen->nelts; i++) {
        const explain_directive *url = APR_ARRAY_IDX(chosen, i, const explain_directive *);
        if (is_url(url) && share_credentials(directive, url) && (i < at || explain_is_same_section(url, directive))) {
            home = url;
        }
    }
    return home;
}

/* A URL; LDAPTrustedMode says how TLS is begun where it says nothing itself. */
static bool parse(const explain_directive *url, const char *mode, as_directory_settings *settings, apr_pool_t *pool)
{
    as_directory_settings other;

    memset(settings, 0, sizeof(*settings));
    memset(&other, 0, sizeof(other));
    if (url->argc == 0 || as_directory_parse_url(pool, url->argv[0], url->argc > 1 ? url->argv[1] : NULL, settings)) {
        return false;
    }
    if (mode && url->argc == 1 && !as_directory_parse_url(pool, url->argv[0], mode, &other)) {
        settings->security = other.security;
    }
    return true;
}

/* Compares servers, ports and TLS mode. A URL that does not parse is reported where it is read. */
static bool has_same_servers(const explain_directive *one, const explain_directive *other, const char *mode,
                             apr_pool_t *pool)
{
    as_directory_settings first, second;

    return one == other || (parse(one, mode, &first, pool) && parse(other, mode, &second, pool) &&
                            first.security == second.security && as_directory_has_same_servers(&first, &second));
}

/* Removes the credentials that belong to other servers, as the module does (src/httpd/config/credentials.c). */
static apr_array_header_t *find_own_credentials(const apr_array_header_t *chosen, apr_pool_t *pool)
{
    apr_array_header_t *own = apr_array_make(pool, chosen->nelts, sizeof(const explain_directive *));
    const explain_directive *url = NULL, *home;
    const char *mode = NULL;
    int i;

    for (i = 0; i < chosen->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(chosen, i, const explain_directive *);
        url = is_url(directive) ? directive : url;
        mode = as_text_is_equal(directive->name, "LDAPTrustedMode") && directive->argc > 0 ? directive->argv[0] : mode;
    }
    for (i = 0; i < chosen->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(chosen, i, const explain_directive *);
        home = is_credential(directive) ? find_home(chosen, i) : NULL;
        if (!is_credential(directive) ||
            (home && url && share_credentials(directive, url) && has_same_servers(home, url, mode, pool))) {
            APR_ARRAY_PUSH(own, const explain_directive *) = directive;
        }
    }
    return own;
}

/* ---- choice of a section ---- */

/* Returns the sentence with a line for each section. */
static const char *list_sections(const char *list, const apr_array_header_t *found, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < found->nelts; i++) {
        const explain_directive *one = APR_ARRAY_IDX(found, i, const explain_directive *);
        const char *label = make_label(one->sections, pool);

        list = apr_psprintf(pool, "%s\n  '%s' (%s:%d)", list, *label ? label : "server", one->file, one->line);
    }
    return list;
}

/* Returns the wanted sections, each once; without a name those that have a URL. */
static apr_array_header_t *find_sections(const apr_array_header_t *directives, const char *section, apr_pool_t *pool)
{
    apr_array_header_t *found = apr_array_make(pool, 4, sizeof(const explain_directive *));
    int i, j;

    for (i = 0; i < directives->nelts; i++) {
        const explain_directive *directive = APR_ARRAY_IDX(directives, i, const explain_directive *);

        if (section ? !is_within(directive, section, pool) : !is_url(directive)) {
            continue;
        }
        for (j = 0; j < found->nelts; j++) {
            const explain_directive *other = APR_ARRAY_IDX(found, j, const explain_directive *);

            if (!strcmp(make_label(other->sections, pool), make_label(directive->sections, pool))) {
                break;
            }
        }
        if (j == found->nelts) {
            APR_ARRAY_PUSH(found, const explain_directive *) = directive;
        }
    }
    return found;
}

static bool has_url(const apr_array_header_t *chosen)
{
    int i;

    for (i = 0; i < chosen->nelts; i++) {
        if (is_url(APR_ARRAY_IDX(chosen, i, const explain_directive *))) {
            return true;
        }
    }
    return false;
}

#define ELSEWHERE " (Include and Use are not followed: name each file by --config, or let httpd read it: --httpd)"

/* Names the sections that there are instead: one may be spelled otherwise (/wiki and /wiki/), or in a virtual host. */
static const char *refuse_unknown(const apr_array_header_t *directives, const char *section, apr_pool_t *pool)
{
    const apr_array_header_t *others = find_sections(directives, NULL, pool);
    const char *sentence = section
                               ? apr_psprintf(pool, "there is no AuthLDAPURL in a section \"%s\"" ELSEWHERE, section)
                               : "there is no AuthLDAPURL" ELSEWHERE;

    return others->nelts ? list_sections(apr_pstrcat(pool, sentence, "; there is one in:", NULL), others, pool)
                         : sentence;
}

const char *explain_choose(const apr_array_header_t *directives, const char *section, apr_pool_t *pool,
                           apr_array_header_t **chosen)
{
    const apr_array_header_t *found = find_sections(directives, section, pool);
    /* A path without a section of its own is in those that contain it: of a URL, else of a file. */
    const char *path[] = {section && *section == '/' ? apr_pstrcat(pool, "Location ", section, NULL) : NULL, NULL};
    const char *file[] = {section && *section == '/' ? apr_pstrcat(pool, "Directory ", section, NULL) : NULL, NULL};

    if (found->nelts > 1) {
        return list_sections("there are several AuthLDAPURLs; choose one with --section:", found, pool);
    }
    if (found->nelts == 0 && !path[0]) {
        return refuse_unknown(directives, section, pool);
    }
    *chosen = find_in_force(
        directives,
        found->nelts ? APR_ARRAY_IDX(found, 0, const explain_directive *)->sections : (const char *const *)path, pool);
    if (!has_url(*chosen) && found->nelts == 0) {
        *chosen = find_in_force(directives, (const char *const *)file, pool);
    }
    if (!has_url(*chosen)) {
        return refuse_unknown(directives, section, pool);
    }
    *chosen = find_own_credentials(*chosen, pool);
    return NULL;
}
