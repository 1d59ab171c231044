/* SPDX-License-Identifier: Apache-2.0
 *
 * From an entry and a line of Require to an answer. A stub: every answer is unknown.
 */
#include "authstatus/authorize.h"

as_group_settings as_group_settings_default(void)
{
    static const char *const attributes[] = {"member", "uniqueMember", NULL};
    static const char *const classes[] = {"groupOfNames", "groupOfUniqueNames", NULL};

    return (as_group_settings){.attributes = attributes,
                               .subgroup_attributes = attributes,
                               .subgroup_classes = classes,
                               .attribute_is_dn = true,
                               .max_depth = 10,
                               .compare_dn_on_server = true};
}

const char *as_requirement_problem(const as_requirement *requirement, apr_pool_t *pool)
{
    (void)requirement;
    (void)pool;
    return NULL;
}

const as_authorization *as_authorize(const as_login *login, as_login_memo *memo, const as_authorize_attempt *attempt,
                                     const as_login_observer *observer)
{
    as_authorization *answer = apr_pcalloc(memo->pool, sizeof(*answer));

    (void)login;
    (void)observer;
    answer->answer = AS_UNKNOWN;
    answer->finding = as_finding_of(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    answer->reason = answer->evidence = "";
    answer->fingerprint = attempt->directory->fingerprint;
    return answer;
}

const as_entry_lookup *as_find_entry(const as_login *login, as_login_memo *memo, const as_login_directory *directory,
                                     const char *user, const as_group_settings *groups, apr_interval_time_t deadline,
                                     const as_login_observer *observer)
{
    as_entry_lookup *lookup = apr_pcalloc(memo->pool, sizeof(*lookup));

    (void)login;
    (void)groups;
    (void)deadline;
    (void)observer;
    lookup->found = AS_UNKNOWN;
    lookup->finding = as_finding_of(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    lookup->entry.directory = directory;
    lookup->entry.user = user;
    lookup->reason = "";
    lookup->fingerprint = directory->fingerprint;
    return lookup;
}

as_authorize_sums as_authorize_sum(const as_login_memo *memo)
{
    (void)memo;
    return (as_authorize_sums){.groups = 0};
}
