/* SPDX-License-Identifier: Apache-2.0
 *
 * DUMP_AUTHSTATUS: directives that reveal a hidden section and that no mask reaches (docs/hiding-a-tree.md, "Remaining
 * differences").
 */
#include "dump.h"

#include <apr_strings.h>
#include <http_core.h>

/* A directive of another module. */
typedef struct as_revealing {
    const char *directive;
    const char *harmless; /* an argument that reveals nothing; NULL: all do */
    bool in_section;      /* reveals it in a section alone: in force everywhere it is the same for what is missing */
    const char *sentence;
} as_revealing;

static const as_revealing revealing[] = {
    {"SSLVerifyClient", "none", true,
     "requests a certificate in this section and nowhere else, before anything is refused: use it for the whole "
     "virtual host"},
    {"SSLCipherSuite", NULL, true,
     "negotiates the connection anew in this section and nowhere else, before anything is refused: use it for the "
     "whole virtual host"},
    {"AllowMethods", "reset", true, "answers 405 in this section before anything is refused"},
    {"CheckSpelling", "off", false, "corrects a misspelt name to the name of what is hidden"},
    {"FallbackResource", "disabled", false,
     "answers for what is missing, but never for what is hidden: let its page be the ErrorDocument 404 as well"},
    {"Dav", "off", false,
     "reveals hidden resources of the whole virtual host to COPY and MOVE, whose Destination they are, and lists "
     "those in its own tree: use a virtual host of its own"},
};

#define REVEALING (sizeof(revealing) / sizeof(*revealing))

static bool is_harmless(apr_pool_t *pool, const as_revealing *kind, const ap_directive_t *directive)
{
    const char *arguments = directive->args;

    return kind->harmless && !ap_cstr_casecmp(ap_getword_conf(pool, &arguments), kind->harmless);
}

static void warn_of_directives(as_dump *dump, const as_section_ref *ref)
{
    apr_size_t i;

    for (i = 0; i < REVEALING; i++) {
        const ap_directive_t *directive = as_section_find_directive(ref, revealing[i].directive, NULL);
        if (directive && !(revealing[i].in_section && ref->kind == AS_SECTION_SERVER) &&
            !is_harmless(dump->pool, &revealing[i], directive)) {
            as_dump_warn(dump, apr_psprintf(dump->pool, "%s (%s:%d) %s", revealing[i].directive, directive->filename,
                                            directive->line_num, revealing[i].sentence));
        }
    }
}

/* Returns whether a section runs programs. */
static bool runs_programs(const as_section_ref *ref)
{
    return as_section_find_directive(ref, "ScriptAlias", NULL) ||
           as_section_find_directive(ref, "ScriptAliasMatch", NULL) ||
           as_section_find_directive(ref, "AddHandler", "cgi-script") ||
           as_section_find_directive(ref, "SetHandler", "cgi-script");
}

void as_dump_warn_of_differences(as_dump *dump)
{
    const bool whole = dump->ref->kind == AS_SECTION_SERVER;
    bool programs = false;
    int i;

    if (!dump->section->mask || dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    for (i = 0; i < dump->chain->nelts; i++) {
        programs = programs || runs_programs(APR_ARRAY_IDX(dump->chain, i, const as_section_ref *));
    }
    for (i = 0; whole && i < dump->refs->nelts; i++) {
        const as_section_ref *ref = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);
        programs = programs || runs_programs(ref);
        warn_of_directives(dump, ref);
    }
    if (!whole) {
        warn_of_directives(dump, dump->ref);
    }
    if (programs) {
        as_dump_warn(
            dump, "programs run here: what a script named nph- answers, a 403 of its own too, reaches the client past "
                  "every mask");
    }
}
