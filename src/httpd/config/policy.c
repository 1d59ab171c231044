/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings in force for a request: policy, limits and directory, with defaults.
 */
#include "config.h"

#include <ldap.h>

#include <apr_strings.h>

#define DEFAULT_DEADLINE apr_time_from_sec(5)
#define DEFAULT_RETRY_AFTER apr_time_from_sec(10)
#define DEFAULT_BREAKER_FAILURES 5
#define DEFAULT_BREAKER_TIME apr_time_from_sec(10)
/* mod_ldap's own */
#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(10)
#define DEFAULT_OPERATION_TIMEOUT apr_time_from_sec(60)
#define DEFAULT_SESSION_TTL (-1)

static int choose_or_default(int value, int otherwise)
{
    return value == AS_UNSET ? otherwise : value;
}

static apr_interval_time_t choose_time_or_default(apr_interval_time_t value, apr_interval_time_t otherwise)
{
    return value == AS_UNSET ? otherwise : value;
}

apr_interval_time_t as_section_get_deadline(const as_section *section)
{
    return choose_time_or_default(section->deadline, DEFAULT_DEADLINE);
}

/* Returns whether a condition's expression is true for this request. httpd logs an error of its evaluation, which
 * counts as `otherwise`. */
static bool applies(const as_conditional *conditional, request_rec *r, bool otherwise)
{
    const char *error = NULL;
    int result;

    if (!conditional->when) {
        return true;
    }
    result = ap_expr_exec(r, conditional->when, &error);
    return result < 0 ? otherwise : result > 0;
}

as_policy as_section_get_policy(const as_section *section, request_rec *r)
{
    as_policy policy = {.disclose = AS_DISCLOSE_PROVEN, .mask = AS_MASK_OFF};

    if (section->disclose != AS_UNSET) {
        policy.disclose = (as_disclose)section->disclose;
    }
    if (section->mask) {
        policy.mask = (as_masking)section->mask->word;
        policy.plain = !applies(section->mask, r, true);
    }
    policy.retry_after = (long)apr_time_sec(choose_time_or_default(section->retry_after, DEFAULT_RETRY_AFTER));
    memcpy(policy.status, section->map.outcome, sizeof(policy.status));
    memcpy(policy.class_status, section->map.of_class, sizeof(policy.class_status));
    return policy;
}

as_dialog as_section_get_dialog(const as_section *section, request_rec *r)
{
    const as_conditional *dialog = section->dialog;

    return dialog && applies(dialog, r, false) ? (as_dialog)dialog->word : AS_CHALLENGE_DIALOG;
}

AS_HOT const char *as_section_find_help(const as_section *section, as_outcome outcome)
{
    const char *url;

    if (section->helps != 1) {
        return NULL;
    }
    url = section->help.outcome[outcome];
    return url ? url : section->help.of_class[as_outcome_describe(outcome)->of];
}

/* Sets a client certificate with its key: they are one identity. Those of the server's configuration are for the
 * directories that it names, not for those of a .htaccess. */
static void set_certificate(as_directory_settings *settings, const as_directory_source *source, const as_server *server)
{
    if (source->client_certificate || source->client_key) {
        settings->client_certificate = source->client_certificate;
        settings->client_key = source->client_key;
    } else if (source->url->written != AS_WRITTEN_HTACCESS) {
        settings->client_certificate = server->client_certificate;
        settings->client_key = server->client_key;
    }
}

const as_directory_settings *as_section_make_directory(const as_directory_source *source, apr_pool_t *pool)
{
    const as_server *server = as_server_get(source->server);
    as_directory_settings *settings;

    if (!source->url) {
        return NULL;
    }
    settings = apr_pmemdup(pool, &source->url->parsed, sizeof(*settings));
    if (source->url->security_is_default && server->trusted_mode != AS_UNSET) {
        settings->security = (as_security)server->trusted_mode;
    }
    settings->deref = choose_or_default(source->deref, LDAP_DEREF_ALWAYS);
    settings->referrals = (as_referrals)choose_or_default(source->referrals, AS_REFERRALS_DEFAULT);
    settings->bind_dn = source->bind_dn;
    settings->bind_password = source->bind_password;
    settings->account_of_htaccess = source->bind_dn && source->account_of_htaccess;
    settings->verify_certificate = server->verify_certificate != 0;
    settings->ca_file = server->ca_file;
    set_certificate(settings, source, server);
    settings->connect_timeout = choose_time_or_default(server->connect_timeout, DEFAULT_CONNECT_TIMEOUT);
    settings->operation_timeout = choose_time_or_default(server->operation_timeout, DEFAULT_OPERATION_TIMEOUT);
    settings->session_ttl = server->session_ttl == AS_UNSET_TTL ? DEFAULT_SESSION_TTL : server->session_ttl;
    settings->uniform_timing = as_flag_value_uniform_timing(source->uniform_timing);
    return settings;
}

static const char *const *choose_names(const as_names *names, const char *const *otherwise)
{
    return names ? names->names : otherwise;
}

as_group_settings as_section_get_groups(const as_section *section)
{
    as_group_settings groups = as_group_settings_make_default();

    groups.attributes = choose_names(section->group_attributes, groups.attributes);
    groups.subgroup_attributes = choose_names(section->subgroup_attributes, groups.subgroup_attributes);
    groups.subgroup_classes = choose_names(section->subgroup_classes, groups.subgroup_classes);
    groups.attribute_is_dn = as_flag_group_attribute_is_dn(section);
    groups.max_depth = choose_or_default(section->subgroup_depth, groups.max_depth);
    groups.compare_dn_on_server = as_flag_compare_dn_on_server(section);
    groups.compare_as_user = as_flag_compare_as_user(section);
    groups.search_as_user = as_flag_search_as_user(section);
    groups.mode = (as_groups_mode)choose_or_default(section->groups, AS_GROUPS_AUTO);
    return groups;
}

as_membership_wish as_section_get_membership(const as_section *section)
{
    if (!(section->requires & AS_REQUIRES_GROUPS) || section->groups == AS_GROUPS_MEMBER) {
        return AS_MEMBERSHIP_NONE;
    }
    return section->groups == AS_GROUPS_MEMBER_OF ? AS_MEMBERSHIP_ALWAYS : AS_MEMBERSHIP_ON_AD;
}

as_directory_limits as_server_get_limits(const as_server *server, int threads)
{
    as_directory_limits limits = {.guard = {.begin = NULL}};

    limits.directories = as_configured_get_directories();
    limits.servers = as_configured_list_servers();
    limits.server_count = as_configured_get_servers();
    limits.in_flight = choose_or_default(server->in_flight, threads > 1 ? threads / 2 : 1);
    limits.breaker_failures = choose_or_default(server->breaker_failures, DEFAULT_BREAKER_FAILURES);
    limits.breaker_time = choose_time_or_default(server->breaker_time, DEFAULT_BREAKER_TIME);
    return limits;
}
