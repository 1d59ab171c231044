/* SPDX-License-Identifier: Apache-2.0
 *
 * The lookaside: finds a login that this process has cached by the octets of its Authorization header, without the hook
 * of mod_auth_basic, the only hook that is skipped, and without the provider. The visible result is the same.
 *
 * Conditions: a section of the server's configuration whose only AuthBasicProvider is ours, or an alias of ours;
 * the client's own request; a host that masks nothing; a header in canonical form; a plain grant without a log line.
 * All other requests authenticate in the usual way, and so does a request that another module has changed.
 */
#include "request.h"

#include "../mask/mask.h"
#include "../runtime/runtime.h"

#include <stdatomic.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <http_core.h>
#include <http_request.h>

#include "authstatus/credentials.h"

#define HEADER_MOST 512

/* The constant part of logins in a section. */
typedef struct as_plan {
    struct as_plan *next;
    const server_rec *server;
    const as_login_directory *directory;
    as_lookaside_key own;
    const char **variables; /* AUTHENTICATE_<attribute> of each attribute */
} as_plan;

/* A login, followed by its texts: r->user; the name that was sent, if that is another; the values of the variables. */
typedef struct as_known_login {
    uint32_t mark; /* of the account: while it may have failures, a login must end the count, in the usual way */
    int code;      /* this and the next two: of the finding, which has nothing else (is_plain) */
    bool proven, has_code;
    unsigned char renamed, variables;
} as_known_login;

static struct {
    apr_pool_t *pool; /* under the mutex; NULL: no plan can be made */
    apr_thread_mutex_t *mutex;
} plans;

void as_lookaside_child_init(apr_pool_t *pool)
{
    if (apr_pool_create(&plans.pool, pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&plans.mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        plans.pool = NULL;
    }
}

/* ---- plans ---- */

static as_plan *find_plan(const as_section *section, const server_rec *server)
{
    as_plan *plan = atomic_load_explicit(&section->plans, memory_order_acquire);

    while (plan && plan->server != server) {
        plan = plan->next;
    }
    return plan;
}

/* Returns whether logins in this section may be found by their headers. */
static bool is_suitable(const request_rec *r, const as_section *section)
{
    return plans.pool && !section->fleeting && section->of_request != 1 && section->basic_providers == 1 &&
           section->basic_digest != 1 && !as_flag_initial_bind_as_user(section) &&
           !as_server_has_mask(as_server_get(r->server)) && as_chain_has_basic();
}

static as_plan *make_plan(const request_rec *r, const as_section *section, const as_login_directory *directory)
{
    const as_directory_settings *settings = directory->settings;
    as_plan *plan = apr_pcalloc(plans.pool, sizeof(*plan));
    /* Without padding, as it is hashed. */
    const struct {
        const as_login_directory *directory;
        const as_section
            *section; /* what its provider, an alias too, makes of a login is known of this section alone */
        const server_rec *server;
    } about = {directory, section, r->server};
    int i;

    plan->server = r->server;
    plan->directory = directory;
    as_lookaside_make_key(as_process_get_cache(), &about, sizeof(about), &plan->own);
    plan->variables = apr_pcalloc(plans.pool, (size_t)(settings->attribute_count + 1) * sizeof(*plan->variables));
    for (i = 0; i < settings->attribute_count; i++) {
        plan->variables[i] = as_attribute_make_variable_name(plans.pool, "AUTHENTICATE_", settings->attributes[i]);
    }
    return plan;
}

/* Gets the plan of a section that stays, which is const elsewhere. */
static const as_plan *get_plan(const request_rec *r, const as_section *section, const as_login_directory *directory)
{
    as_section *owner = (as_section *)section;
    as_plan *plan;

    apr_thread_mutex_lock(plans.mutex);
    plan = find_plan(section, r->server);
    if (!plan) {
        plan = make_plan(r, section, directory);
        plan->next = atomic_load_explicit(&owner->plans, memory_order_relaxed);
        atomic_store_explicit(&owner->plans, plan, memory_order_release);
    }
    apr_thread_mutex_unlock(plans.mutex);
    return plan->directory == directory ? plan : NULL;
}

/* ---- requests ---- */

/* Returns the header of a request that may be looked up, or NULL. */
static const char *find_header(request_rec *r, const as_context *context)
{
    if (r->main || r->prev || r->user || r->proxyreq == PROXYREQ_PROXY || context->mask || context->found ||
        context->transaction->decided || context->transaction->truth || APLOG_R_IS_LEVEL(r, APLOG_DEBUG)) {
        return NULL;
    }
    return apr_table_get(r->headers_in, "Authorization");
}

/* Returns the section's AuthType where mod_auth_basic would read a header, else NULL. */
static const char *find_basic_type(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type && !ap_cstr_casecmp(type, "Basic") && ap_auth_name(r) ? type : NULL;
}

static bool look(const as_plan *plan, const char *header, as_moment now, as_lookaside_key *key,
                 as_lookaside_answer *answer)
{
    const size_t length = strlen(header);

    if (length > HEADER_MOST) {
        return false;
    }
    as_lookaside_hash(&plan->own, header, length, key);
    return as_lookaside_get(as_process_get_cache(), key, now, answer);
}

static const char *read_next_text(const char **at)
{
    const char *text = *at;

    *at += strlen(text) + 1;
    return text;
}

/* Leaves the request as mod_auth_basic and our provider do. */
static AS_HOT void publish(request_rec *r, as_context *context, const as_plan *plan, const char *type,
                           const as_lookaside_key *key, const as_lookaside_answer *answer)
{
    const char *texts = apr_pmemdup(r->pool, answer->data, answer->length), *at = texts + sizeof(as_known_login);
    const as_known_login *known = (const as_known_login *)texts;
    as_header_login *login;
    int i;

    r->ap_auth_type = (char *)type;
    r->user = (char *)read_next_text(&at);
    context->login = known->renamed ? read_next_text(&at) : NULL;
    if (as_section_get(r)->requires) {
        context->header_login = login = apr_palloc(r->pool, sizeof(*login));
        *login = (as_header_login){*key, answer->acceptance, at, known->variables};
    }
    for (i = 0; i < known->variables; i++) {
        apr_table_setn(r->subprocess_env, plan->variables[i], read_next_text(&at));
    }
    context->found = context->by_header = true;
    context->finding = (as_finding){.outcome = AS_OUTCOME_GRANTED,
                                    .proven = known->proven,
                                    .has_code = known->has_code,
                                    .code = known->code,
                                    .expires_in = -1,
                                    .grace_logins = -1};
    context->directory = plan->directory;
    context->transaction->memo.hit = plan->directory;
}

void as_lookaside_publish(request_rec *r, const char *prefix, const as_directory_settings *settings,
                          const as_header_login *login)
{
    const char *at = login->values;
    int i;

    for (i = 0; i < login->count; i++) {
        apr_table_setn(r->subprocess_env, as_attribute_make_variable_name(r->pool, prefix, settings->attributes[i]),
                       read_next_text(&at));
    }
}

AS_HOT as_looked as_lookaside_find_login(request_rec *r, as_context *context, int *status)
{
    const as_section *section = as_section_get(r);
    const as_plan *plan = find_plan(section, r->server);
    const char *header = plan ? find_header(r, context) : NULL;
    const char *type = header ? find_basic_type(r) : NULL;
    as_lookaside_answer answer;
    as_lookaside_key key;
    as_moment now;

    if (!type) {
        return AS_LOOKED_IN_VAIN;
    }
    now = as_cache_read_clock(as_process_get_cache(), apr_time_now());
    if (!look(plan, header, now, &key, &answer) ||
        as_login_is_marked(as_process_get_login(), ((const as_known_login *)(const void *)answer.data)->mark)) {
        return AS_LOOKED_IN_VAIN;
    }
    if (as_chain_has_more_before_basic()) {
        *status = as_chain_run_to_basic(r, context);
        if (*status == DECLINED &&
            (r->user || context->found || apr_table_get(r->headers_in, "Authorization") != header)) {
            /* Another module has changed the request. */
            *status = as_chain_run_from_basic(r, context);
            return AS_LOOKED_OTHERWISE;
        }
        if (*status != DECLINED) {
            return AS_LOOKED_OTHERWISE;
        }
    }
    publish(r, context, plan, type, &key, &answer);
    as_decide_quiet_grant(r, context, &context->finding, now.mono);
    return AS_LOOKED_AND_FOUND;
}

/* ---- writing ---- */

/* Returns whether this is a plain grant of ours from the cache, through mod_auth_basic, and without a log line. */
static bool is_plain(const request_rec *r, const as_context *context)
{
    const as_finding *finding = &context->finding;

    return context->found && !context->final && !context->reason && context->directory && context->answer &&
           context->answer->cached && context->answer->acceptance.stamp && finding->outcome == AS_OUTCOME_GRANTED &&
           finding->expires_in < 0 && finding->grace_logins < 0 && !finding->subcode[0] && !finding->of_name &&
           r->user && r->ap_auth_type && !ap_cstr_casecmp(r->ap_auth_type, "Basic");
}

typedef struct as_record_buffer {
    unsigned char data[AS_LOOKASIDE_DATA];
    size_t length;
    bool full;
} as_record_buffer;

static void append(as_record_buffer *buffer, const char *text)
{
    const size_t size = text ? strlen(text) + 1 : 0;

    if (!text || buffer->full || size > AS_LOOKASIDE_DATA - buffer->length) {
        buffer->full = true;
        return;
    }
    memcpy(buffer->data + buffer->length, text, size);
    buffer->length += size;
}

/* Writes a login to the buffer. Returns false if not all of it fits. */
static bool encode_login(const request_rec *r, const as_context *context, const as_plan *plan, as_record_buffer *buffer)
{
    as_known_login known;
    int i;

    memset(&known, 0, sizeof(known));
    known.code = context->finding.code;
    known.proven = context->finding.proven;
    known.has_code = context->finding.has_code;
    known.renamed = context->login != NULL;
    known.mark = as_login_get_mark(as_process_get_login(), plan->directory->settings, context->answer->dn, r->pool);
    buffer->length = sizeof(known);
    buffer->full = false;
    append(buffer, r->user);
    if (context->login) {
        append(buffer, context->login);
    }
    for (i = 0; context->answer->values && plan->variables[i] && !buffer->full; i++) {
        append(buffer, apr_table_get(r->subprocess_env, plan->variables[i]));
        known.variables++;
    }
    memcpy(buffer->data, &known, sizeof(known));
    return !buffer->full;
}

void as_lookaside_learn(request_rec *r, const as_context *context, const char *header)
{
    const as_section *section = as_section_get(r);
    const size_t length = strlen(header);
    const as_plan *plan;
    as_lookaside_key key;
    as_record_buffer buffer;

    if (r->main || r->prev || context->mask || r->proxyreq == PROXYREQ_PROXY || !is_plain(r, context) ||
        !is_suitable(r, section) || apr_table_get(r->headers_in, "Authorization") != header || length > HEADER_MOST ||
        !as_credentials_is_canonical(header)) {
        return;
    }
    plan = get_plan(r, section, context->directory);
    if (plan && encode_login(r, context, plan, &buffer)) {
        as_lookaside_hash(&plan->own, header, length, &key);
        as_lookaside_put(as_process_get_cache(), &key, &context->answer->acceptance, buffer.data, buffer.length,
                         as_cache_read_clock(as_process_get_cache(), apr_time_now()));
    }
}
