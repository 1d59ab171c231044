/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries of the directory for lines of Require and for entries.
 */
#include "authorize_private.h"

as_directory *as_authorizing_enter(as_authorizing *of)
{
    return as_directories_enter(of->login->directories, of->params->directory->settings, of->deadline, of->pool,
                                &of->reply);
}

void as_authorizing_coalesce(const as_authorizing *of, const as_coalesced_calls *calls, void *data)
{
    const as_coalesced coalesced = {.calls = calls,
                                    .cache = of->login->cache,
                                    .key = &of->key,
                                    .deadline = of->deadline,
                                    .pool = of->pool,
                                    .born = &of->born,
                                    .data = data};

    as_coalesce(&coalesced);
}

void as_authorizing_report_query(const as_authorizing *of)
{
    if (of->observer && of->observer->queried) {
        of->observer->queried(of->observer->data, of->login, of->params->directory->settings);
    }
}
