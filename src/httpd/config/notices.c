/* SPDX-License-Identifier: Apache-2.0
 *
 * Notices at start-up: directives that are accepted but have no effect here, and times that make another one moot.
 */
#include "arguments.h"
#include "sections.h"

#include <apr_strings.h>
#include <apr_tables.h>

/* A directive without effect: its first place. */
typedef struct as_without_effect {
    const char *name, *reason, *file;
    int line;
} as_without_effect;

/* Of the configuration being read; in its pool. */
static apr_array_header_t *without_effect;

void as_notices_pre_config(apr_pool_t *pconf)
{
    without_effect = apr_array_make(pconf, 4, sizeof(as_without_effect));
}

const char *as_set_without_effect(cmd_parms *cmd, void *section, const char *text)
{
    as_without_effect *notice;
    int i;

    (void)section;
    (void)text;
    for (i = 0; without_effect && i < without_effect->nelts; i++) {
        if (!ap_cstr_casecmp(APR_ARRAY_IDX(without_effect, i, as_without_effect).name, cmd->cmd->name)) {
            return NULL;
        }
    }
    if (without_effect) {
        notice = apr_array_push(without_effect);
        notice->name = apr_pstrdup(without_effect->pool, cmd->cmd->name);
        notice->reason = apr_pstrdup(without_effect->pool, cmd->info);
        notice->file = apr_pstrdup(without_effect->pool, cmd->directive->filename ? cmd->directive->filename : "-");
        notice->line = cmd->directive->line_num;
    }
    return NULL;
}

/* LDAPTimeout is for one operation, AuthStatusDeadline for the whole login. */
static bool note_timeout(const as_section_ref *ref, const as_section *section, const as_server *server,
                         apr_pool_t *ptemp, server_rec *s)
{
    const apr_interval_time_t deadline = as_section_get_deadline(section);

    if (server->operation_timeout == AS_UNSET || server->operation_timeout <= deadline || !section->url) {
        return false;
    }
    AS_LOG_SERVER(0176, 0, s, (long)apr_time_sec(server->operation_timeout), (long)apr_time_sec(deadline),
                  as_section_make_name(ptemp, ref));
    return true;
}

/* Warns where stale answers are compared with the password here, as no directory counts failures. */
static void note_guesses(server_rec *main_server)
{
    const as_server *server = as_server_get(main_server);
    const server_rec *s;
    bool throttled = false;

    for (s = main_server; s; s = s->next) {
        throttled = throttled || as_server_get(s)->throttles > 0;
    }
    if (server->stale_time > 0 && !throttled) {
        AS_LOG_SERVER(0221, 0, main_server);
    }
}

void as_notices_post_config(apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *s;
    bool noticed = false;
    int i;

    for (i = 0; without_effect && i < without_effect->nelts; i++) {
        const as_without_effect *notice = &APR_ARRAY_IDX(without_effect, i, as_without_effect);

        AS_LOG_SERVER(0175, 0, main_server, notice->name, notice->file, notice->line, notice->reason);
    }
    note_guesses(main_server);
    for (s = main_server; s && !noticed; s = s->next) {
        const apr_array_header_t *refs = as_sections_list(ptemp, main_server, s);

        for (i = 0; i < refs->nelts && !noticed; i++) {
            const as_section_ref *ref = APR_ARRAY_IDX(refs, i, as_section_ref *);
            const as_section *section = as_sections_merge_chain(ptemp, as_sections_make_chain(ptemp, refs, ref));

            noticed = note_timeout(ref, section, as_server_get(s), ptemp, main_server);
        }
    }
}
