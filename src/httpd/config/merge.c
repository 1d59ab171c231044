/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of sections and servers: creation and merging.
 */
#include "config.h"

static bool serves;

void as_settings_serve(bool serving)
{
    serves = serving;
}

void *as_section_create(apr_pool_t *pool, char *path)
{
    as_section *section = apr_pcalloc(pool, sizeof(*section));

    (void)path;
#define AS_MEMBER(type, name, unset, identity) section->name = unset;
#include "section.def"
    section->of_request = serves ? 1 : AS_UNSET;
    return section;
}

/* Within one section an outcome goes before its class. Across sections the inner one goes before the outer one, so a
 * class that is set inside also ends what was set outside for its outcomes. */
static void merge_map(as_map *into, const as_map *outer, const as_map *inner)
{
    int i;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        into->of_class[i] = inner->of_class[i] ? inner->of_class[i] : outer->of_class[i];
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        bool ended = inner->of_class[as_outcome_describe((as_outcome)i)->of] != 0;
        into->outcome[i] = inner->outcome[i] || ended ? inner->outcome[i] : outer->outcome[i];
    }
}

static void merge_help(as_help *into, const as_help *outer, const as_help *inner)
{
    int i;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        into->of_class[i] = inner->of_class[i] ? inner->of_class[i] : outer->of_class[i];
    }
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        bool ended = inner->of_class[as_outcome_describe((as_outcome)i)->of] != NULL;
        into->outcome[i] = inner->outcome[i] || ended ? inner->outcome[i] : outer->outcome[i];
    }
}

void *as_section_merge(apr_pool_t *pool, void *outer_section, void *inner_section)
{
    const as_section *outer = outer_section, *inner = inner_section;
    as_section *merged = apr_pcalloc(pool, sizeof(*merged)); /* its padding is compared too, by dump.c */

#define AS_MEMBER(type, name, unset, identity) merged->name = inner->name == unset ? outer->name : inner->name;
#include "section.def"
    if (inner->maps == 1 && outer->maps == 1) {
        merge_map(&merged->map, &outer->map, &inner->map);
    } else {
        merged->map = inner->maps == 1 ? inner->map : outer->map;
    }
    if (inner->helps == 1 && outer->helps == 1) {
        merge_help(&merged->help, &outer->help, &inner->help);
    } else {
        merged->help = inner->helps == 1 ? inner->help : outer->help;
    }
    return merged;
}

void *as_server_create(apr_pool_t *pool, server_rec *s)
{
    as_server *server = apr_pcalloc(pool, sizeof(*server));

    (void)s;
#define AS_SERVER_MEMBER(type, name, unset, identity) server->name = unset;
#include "section.def"
    return server;
}

void *as_server_merge(apr_pool_t *pool, void *main_server, void *virtual_host)
{
    const as_server *outer = main_server, *inner = virtual_host;
    as_server *merged = apr_palloc(pool, sizeof(*merged));

#define AS_SERVER_MEMBER(type, name, unset, identity) merged->name = inner->name == unset ? outer->name : inner->name;
#include "section.def"
    return merged;
}

const as_section *as_section_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &authstatus_module);
}

const as_server *as_server_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &authstatus_module);
}
