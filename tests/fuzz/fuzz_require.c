/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: an octet that chooses the kind, and the rest of a line of Require. It is read without a look behind its end;
 * what is read contains no more than the line, equal readings have one name, and what is a name reads as one (RFC
 * 4514).
 */
#include <apr_general.h>

#include "authstatus/dn.h"
#include "authstatus/require_line.h"
#include "fuzz.h"

static size_t length_of(const char *const *words)
{
    size_t length = 0;

    for (; words && *words; words++) {
        length += strlen(*words);
    }
    return length;
}

/* Each word once, and the whole line where there are several. */
static void check_words(const as_requirement *requirement, size_t size)
{
    const char *const *word;

    must(requirement->words != NULL && requirement->text == NULL);
    must(length_of(requirement->words) <= 2 * size + 1);
    for (word = requirement->words; requirement->kind == AS_REQUIRE_ATTRIBUTE && *word; word++) {
        must(strchr(*word, '=') || !word[1]);
    }
}

static void check(const as_requirement *requirement, size_t size, apr_pool_t *pool)
{
    const char *problem = as_requirement_check(requirement, pool);
    char normal[AS_DN_MAX];

    if (requirement->kind == AS_REQUIRE_USER || requirement->kind == AS_REQUIRE_ATTRIBUTE) {
        check_words(requirement, size);
        return;
    }
    must(requirement->text != NULL && requirement->words == NULL && strlen(requirement->text) <= size);
    if (!problem && (requirement->kind == AS_REQUIRE_GROUP || requirement->kind == AS_REQUIRE_DN)) {
        must(as_dn_normalize(requirement->text, strlen(requirement->text), normal, NULL) && *normal);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_requirement requirement, again;
    as_requirement_kind kind;
    apr_pool_t *pool;
    char *text;

    if (size < 1 || size > 4096) {
        return 0;
    }
    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    kind = (as_requirement_kind)(data[0] % AS_REQUIREMENT_COUNT);
    text = malloc(size); /* of its own, so that a look behind its end is seen */
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    as_requirement_parse(pool, kind, text, &requirement);
    as_requirement_parse(pool, kind, text, &again);
    must(requirement.kind == kind && !requirement.by_expression);
    must(strcmp(as_requirement_make_name(&requirement, pool), as_requirement_make_name(&again, pool)) == 0);
    check(&requirement, strlen(text), pool);
    apr_pool_destroy(pool);
    free(text);
    return 0;
}
