/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of `Require ldap-*` to a login that was found by its header (lookaside.c): found by that login, the section
 * and the line, in a tenth of the time that the cache takes. They point to records of the cache of this process and to
 * the login's own; whatever ends one of these ends them.
 */
#include "require.h"

#include "../runtime/runtime.h"

/* The data of an answer. */
typedef struct known {
    as_acceptance premise;
    uint64_t login; /* whose acceptance it is about: a later one may be another entry's */
    uint32_t answer;
    uint32_t hits; /* of the cache, where it gives this answer */
} known;

/* Returns whether the entry is of the very login that was found by the header. */
static bool is_same_login(const as_context *context)
{
    const as_acceptance *one = &context->header_login->acceptance;

    return context->answer && context->answer->acceptance.stamp == one->stamp &&
           context->answer->acceptance.cell == one->cell;
}

bool as_known_line_is_suited(const request_rec *r, const as_context *context, const as_require_line *line)
{
    const as_section *section = as_section_get(r);

    /* A line that was queried may have logged in once more; the others are about that entry, then. */
    return context->header_login && (context->by_header || is_same_login(context)) && line->stays &&
           !line->expression && line->kind != AS_REQUIRE_SEARCH && !section->fleeting && section->of_request != 1;
}

/* The section has the directory and the settings of groups; that of an AuthzProviderAlias, its own. */
static as_lookaside_key make_key(const request_rec *r, const as_header_login *login, const as_require_line *line)
{
    return as_lookaside_hash_numbers(&login->key, (uintptr_t)line, (uintptr_t)as_section_get(r));
}

static uint64_t get_number(const as_header_login *login)
{
    return (uint64_t)login->acceptance.cell << 32 | login->acceptance.stamp;
}

const as_authorization *as_known_line_recall(request_rec *r, as_context *context, const as_require_line *line)
{
    const as_lookaside_key key = make_key(r, context->header_login, line);
    as_cache *cache = as_process_get_cache();
    const as_moment now = as_cache_read_clock(cache, apr_time_now());
    as_authorization *authorization;
    as_lookaside_answer found;
    known of;

    if (!as_lookaside_get(cache, &key, now, &found) || found.length != sizeof(of)) {
        return NULL;
    }
    memcpy(&of, found.data, sizeof(of));
    if (of.login != get_number(context->header_login) ||
        (of.premise.stamp && !as_acceptance_is_valid(cache, &of.premise, now))) {
        return NULL;
    }
    if (of.hits) {
        as_cache_count_hits(cache, of.hits);
    }
    authorization = apr_pcalloc(context->transaction->pool, sizeof(*authorization));
    authorization->answer = (as_ternary)of.answer;
    authorization->finding = as_finding_make(of.answer == AS_YES ? AS_OUTCOME_GRANTED : AS_OUTCOME_NOT_AUTHORIZED);
    authorization->finding.proven = of.answer == AS_YES;
    authorization->reason = authorization->evidence = authorization->fingerprint = "";
    authorization->cached = true;
    as_authorize_note(&context->transaction->memo, &line->requirement, authorization);
    return authorization;
}

/* Returns what the answer is known by; NULL: by nothing that this process has, or it is to be seen each time. */
static const as_acceptance *choose_source(const as_context *context, const as_authorization *authorization)
{
    if (authorization->answer == AS_UNKNOWN || authorization->unsafe_to_negate || authorization->missing ||
        authorization->stale || !authorization->cached) {
        return NULL;
    }
    return authorization->from_login ? &context->header_login->acceptance : &authorization->source;
}

/* Returns whether another line of this evaluation has the same answer: the cache was not read for this line. */
static bool is_repeated(const as_evaluation *evaluation, const as_require_line *line,
                        const as_authorization *authorization)
{
    const as_answered *one = evaluation ? evaluation->answered : NULL;

    while (one && (one->line == line || one->authorization != authorization)) {
        one = one->next;
    }
    return one != NULL;
}

/* Counts the records that the cache reads for an answer. */
static uint32_t count_hits(const as_context *context, const as_require_line *line,
                           const as_authorization *authorization)
{
    if (authorization->from_login || is_repeated(context->evaluation, line, authorization)) {
        return 0;
    }
    return authorization->premise.stamp ? 2 : 1;
}

void as_known_line_learn(request_rec *r, const as_context *context, const as_require_line *line,
                         const as_authorization *authorization)
{
    const as_acceptance *source = is_same_login(context) ? choose_source(context, authorization) : NULL;
    as_cache *cache = as_process_get_cache();
    as_lookaside_key key;
    known of;

    if (source && source->stamp) {
        key = make_key(r, context->header_login, line);
        memset(&of, 0, sizeof(of));
        of.premise = authorization->premise;
        of.login = get_number(context->header_login);
        of.answer = (uint32_t)authorization->answer;
        of.hits = count_hits(context, line, authorization);
        as_lookaside_put(cache, &key, source, &of, sizeof(of), as_cache_read_clock(cache, apr_time_now()));
    }
}
