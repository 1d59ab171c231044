/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS: directives that reveal a hidden section and that no mask reaches (docs/hiding-a-tree.md, "Remaining
 * differences").
 */
#include "dump.h"

#include <apr_strings.h>
#include <http_core.h>

/* Where a directive reveals what a section hides. */
typedef enum as_scope {
    AS_SCOPE_SECTION,   /* in that section or one in it: in force everywhere it is the same for what is missing */
    AS_SCOPE_IN_FORCE,  /* the same, or in force there from outside */
    AS_SCOPE_EVERYWHERE /* in any section of the virtual host */
} as_scope;

/* A directive of another module. */
typedef struct as_revealing {
    const char *directive;
    const char *harmless; /* an argument that reveals nothing; NULL: all do */
    as_scope scope;
    const char *sentence;
} as_revealing;

static const as_revealing revealing[] = {
    {"SSLVerifyClient", "none", AS_SCOPE_SECTION,
     "requests a certificate in this section and nowhere else, before anything is refused: use it for the whole "
     "virtual host"},
    {"SSLCipherSuite", NULL, AS_SCOPE_SECTION,
     "negotiates the connection anew in this section and nowhere else, before anything is refused: use it for the "
     "whole virtual host"},
    {"AllowMethods", "reset", AS_SCOPE_SECTION, "answers 405 in this section before anything is refused"},
    {"CheckSpelling", "off", AS_SCOPE_IN_FORCE, "corrects a misspelt name to the name of what is hidden"},
    {"FallbackResource", "disabled", AS_SCOPE_IN_FORCE,
     "answers for what is missing, but never for what is hidden: let its page be the ErrorDocument 404 as well"},
    {"Dav", "off", AS_SCOPE_EVERYWHERE,
     "reveals hidden resources of the whole virtual host to COPY and MOVE, whose Destination they are, and lists "
     "those in its own tree: use a virtual host of its own"},
};

#define REVEALING (sizeof(revealing) / sizeof(*revealing))

static bool is_harmless(apr_pool_t *pool, const as_revealing *kind, const ap_directive_t *directive)
{
    const char *arguments = directive->args;

    return kind->harmless && !ap_cstr_casecmp(ap_getword_conf(pool, &arguments), kind->harmless);
}

static void warn_of_directive(as_dump *dump, const as_revealing *kind, const ap_directive_t *directive)
{
    if (directive && !is_harmless(dump->pool, kind, directive) &&
        as_dump_is_news(dump, apr_psprintf(dump->pool, "%pp", (const void *)directive))) {
        as_dump_warn(dump, apr_psprintf(dump->pool, "%s (%s:%d) %s", kind->directive, directive->filename,
                                        directive->line_num, kind->sentence));
    }
}

/* ---- which sections concern what the dumped one hides ---- */

typedef enum as_relation {
    AS_RELATION_NONE,
    AS_RELATION_OUTER, /* a section of another kind (Directory or Location, Files of the server) that may contain it */
    AS_RELATION_WITHIN /* the section itself, another piece of it, or one in it, of either kind */
} as_relation;

/* Returns whether a section with this chain is the one that is dumped, another piece of it, or in it. */
static bool is_within(const as_dump *dump, const as_section_ref *ref, const apr_array_header_t *chain)
{
    bool found = as_sections_are_same(ref, dump->ref);
    int i;

    for (i = 0; i < chain->nelts && !found; i++) {
        found = APR_ARRAY_IDX(chain, i, const as_section_ref *) == dump->ref;
    }
    return found;
}

static as_section_kind find_kind(const as_section_ref *ref)
{
    return ref->kind == AS_SECTION_WITHIN ? find_kind(ref->outer) : ref->kind;
}

/* Returns the folder of a section, by Alias and DocumentRoot; NULL: it has none, or an expression. */
static const char *find_folder(const as_dump *dump, const as_section_ref *ref)
{
    const core_dir_config *core;

    if (ref->kind == AS_SECTION_WITHIN) {
        return find_folder(dump, ref->outer);
    }
    core = ref->vector ? ap_get_core_module_config(ref->vector) : NULL;
    if (!core || !core->d || core->r || core->d_is_fnmatch || *core->d != '/') {
        return NULL;
    }
    return ref->kind == AS_SECTION_LOCATION ? as_dump_find_file(dump, core->d) : core->d;
}

/* Returns whether a folder is another one or in it; a slash at the end is optional. */
static bool is_in_folder(const char *folder, const char *outer)
{
    size_t length = strlen(outer);

    length -= length > 0 && outer[length - 1] == '/';
    return !strncmp(folder, outer, length) && (folder[length] == '/' || folder[length] == '\0');
}

static as_relation find_relation(const as_dump *dump, const as_section_ref *ref, const apr_array_header_t *chain)
{
    const as_section_kind kind = find_kind(ref), own = find_kind(dump->ref);
    const char *folder, *own_folder;

    if (is_within(dump, ref, chain)) {
        return AS_RELATION_WITHIN;
    }
    /* <Files> and <If> of a server may be true anywhere. */
    if (own == AS_SECTION_SERVER) {
        return AS_RELATION_WITHIN;
    }
    if (kind == AS_SECTION_SERVER && ref->kind == AS_SECTION_WITHIN) {
        return AS_RELATION_OUTER;
    }
    if (kind == own || kind == AS_SECTION_SERVER) {
        return AS_RELATION_NONE;
    }
    folder = find_folder(dump, ref);
    own_folder = find_folder(dump, dump->ref);
    if (!folder || !own_folder) {
        return AS_RELATION_NONE;
    }
    return is_in_folder(folder, own_folder)   ? AS_RELATION_WITHIN
           : is_in_folder(own_folder, folder) ? AS_RELATION_OUTER
                                              : AS_RELATION_NONE;
}

/* ---- directives ---- */

/* Returns the directive in force in a section that concerns the dumped one. A <Location> overrides a <Directory>. */
static const ap_directive_t *find_in_force(const as_dump *dump, const as_section_ref *ref,
                                           const apr_array_header_t *chain, const char *name)
{
    int i;

    if (find_kind(ref) == find_kind(dump->ref) || dump->ref->kind == AS_SECTION_SERVER) {
        return as_sections_find_directive(chain, name);
    }
    for (i = 1; i < dump->chain->nelts && find_kind(dump->ref) == AS_SECTION_LOCATION; i++) {
        if (as_section_find_directive(APR_ARRAY_IDX(dump->chain, i, const as_section_ref *), name, NULL)) {
            return NULL;
        }
    }
    return as_section_find_directive(ref, name, NULL);
}

static void warn_of_section(as_dump *dump, const as_section_ref *ref, const apr_array_header_t *chain,
                            as_relation relation)
{
    apr_size_t i;

    for (i = 0; i < REVEALING; i++) {
        const as_revealing *kind = &revealing[i];

        if (kind->scope == AS_SCOPE_IN_FORCE && relation != AS_RELATION_NONE) {
            warn_of_directive(dump, kind, find_in_force(dump, ref, chain, kind->directive));
        } else if (kind->scope == AS_SCOPE_EVERYWHERE ||
                   (kind->scope == AS_SCOPE_SECTION && relation == AS_RELATION_WITHIN &&
                    ref->kind != AS_SECTION_SERVER)) {
            warn_of_directive(dump, kind, as_section_find_directive(ref, kind->directive, NULL));
        }
    }
}

/* Returns whether a section runs programs; a virtual host does where the main server does. */
static bool runs_programs(const as_section_ref *ref)
{
    bool found = false;

    for (; ref && !found; ref = ref->kind == AS_SECTION_SERVER ? ref->outer : NULL) {
        found = as_section_find_directive(ref, "ScriptAlias", NULL) ||
                as_section_find_directive(ref, "ScriptAliasMatch", NULL) ||
                as_section_find_directive(ref, "AddHandler", "cgi-script") ||
                as_section_find_directive(ref, "SetHandler", "cgi-script");
    }
    return found;
}

void as_dump_warn_of_differences(as_dump *dump)
{
    bool programs = false;
    int i;

    if (!dump->section->mask || dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    for (i = 0; i < dump->chain->nelts; i++) {
        programs = programs || runs_programs(APR_ARRAY_IDX(dump->chain, i, const as_section_ref *));
    }
    for (i = 0; i < dump->refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);
        const apr_array_header_t *chain = as_sections_make_chain(dump->pool, dump->refs, ref);
        const as_relation relation = find_relation(dump, ref, chain);

        programs = programs || (relation != AS_RELATION_NONE && runs_programs(ref));
        warn_of_section(dump, ref, chain, relation);
    }
    if (programs && as_dump_is_news(dump, "programs")) {
        as_dump_warn(
            dump, "programs run here: what a script named nph- answers, a 403 of its own too, reaches the client past "
                  "every mask");
    }
}
