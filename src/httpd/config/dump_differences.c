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

/* Warns of the directives of one section. `chain`: of a section that is hidden, or part of what is; else NULL. */
static void warn_of_section(as_dump *dump, const as_section_ref *ref, const apr_array_header_t *chain)
{
    apr_size_t i;

    for (i = 0; i < REVEALING; i++) {
        const as_revealing *kind = &revealing[i];

        if (kind->scope == AS_SCOPE_IN_FORCE) {
            warn_of_directive(dump, kind, chain ? as_sections_find_directive(chain, kind->directive) : NULL);
        } else if (kind->scope == AS_SCOPE_EVERYWHERE || (chain && ref->kind != AS_SECTION_SERVER)) {
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
        const bool within = is_within(dump, ref, chain);

        programs = programs || (within && runs_programs(ref));
        warn_of_section(dump, ref, within ? chain : NULL);
    }
    if (programs && as_dump_is_news(dump, "programs")) {
        as_dump_warn(
            dump, "programs run here: what a script named nph- answers, a 403 of its own too, reaches the client past "
                  "every mask");
    }
}
