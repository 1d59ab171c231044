/* SPDX-License-Identifier: Apache-2.0
 *
 *     Accept-Language = #( language-range [ weight ] )      RFC 9110 12.5.4
 *     language-range  = ( 1*8ALPHA *( "-" 1*8alphanum ) ) / "*"      RFC 4647 2.1
 *     weight          = OWS ";" OWS "q=" qvalue
 */
#include "authstatus/language.h"

#include <stddef.h>
#include <string.h>

#include "text.h"

/* ---- the texts ---- */

enum {
#define AS_LANGUAGE(id, tag, direction) LANGUAGE_##id,
#include "authstatus/language.def"
    LANGUAGE_COUNT
};

static const as_language languages[LANGUAGE_COUNT] = {
#define AS_LANGUAGE(id, tag_text, direction_text) {.tag = (tag_text), .direction = (direction_text)},
#include "authstatus/language.def"
};

/* Ranges that select a language whose tag they do not begin. */
static const struct {
    const char *range;
    int language;
} ranges[] = {
#define AS_LANGUAGE_RANGE(id, range_text) {.range = (range_text), .language = LANGUAGE_##id},
#include "authstatus/language.def"
};

/* NULL: there is no translation. */
static const char *const sentences[AS_OUTCOME_COUNT][LANGUAGE_COUNT] = {
#define AS_OUTCOME(id, name, class_id, tag, level, sentence, ...) [AS_OUTCOME_##id][LANGUAGE_EN] = (sentence),
#include "authstatus/outcome.def"
#define AS_SENTENCE(id, language, text) [AS_OUTCOME_##id][LANGUAGE_##language] = (text),
#include "sentences.def"
};

static const char *const phrases[AS_PHRASE_COUNT][LANGUAGE_COUNT] = {
#define AS_PHRASE_ID(id, text) [AS_PHRASE_##id][LANGUAGE_EN] = (text),
#include "authstatus/language.def"
#define AS_PHRASE(id, language, text) [AS_PHRASE_##id][LANGUAGE_##language] = (text),
#include "phrases.def"
};

/* Returns the text in a language, else in English. */
static const char *choose_text(const char *const texts[LANGUAGE_COUNT], const as_language *language)
{
    const char *text = texts[language - languages];

    return text ? text : texts[LANGUAGE_EN];
}

const char *as_language_get_sentence(const as_language *language, as_outcome outcome)
{
    return choose_text(sentences[outcome], language);
}

const char *as_language_get_phrase(const as_language *language, as_phrase phrase)
{
    return choose_text(phrases[phrase], language);
}

const as_language *as_language_get(int index)
{
    return index >= 0 && index < LANGUAGE_COUNT ? &languages[index] : NULL;
}

/* ---- selection ---- */

/* A language range with its weight in thousandths. */
typedef struct as_range {
    const char *at;
    size_t length;
    int weight;
} as_range;

static const char *skip_blanks(const char *at)
{
    while (as_text_is_blank(*at)) {
        at++;
    }
    return at;
}

int as_qvalue_read(const char *at)
{
    int weight, scale = 100;

    if (*at != '0' && *at != '1') {
        return 1000;
    }
    weight = (*at++ - '0') * 1000;
    if (*at == '.') {
        while (as_text_is_digit(*++at) && scale > 0) {
            weight += (*at - '0') * scale;
            scale /= 10;
        }
    }
    return weight > 1000 ? 1000 : weight;
}

/* Reads the next range of the field. Returns the text after it, or NULL at the end. */
static const char *read_next_range(const char *at, as_range *range)
{
    while (as_text_is_blank(*at) || *at == ',') {
        at++;
    }
    if (*at == '\0') {
        return NULL;
    }
    range->at = at;
    range->weight = 1000;
    while (as_text_is_alnum(*at) || *at == '-' || *at == '*') {
        at++;
    }
    range->length = (size_t)(at - range->at);
    at = skip_blanks(at);
    if (*at == ';') {
        at = skip_blanks(at + 1);
        if (as_text_convert_to_lower(*at) == 'q' && at[1] == '=') {
            range->weight = as_qvalue_read(at + 2);
        }
    }
    while (*at != '\0' && *at != ',') {
        at++;
    }
    return at;
}

static bool begins_with(const char *text, const char *with, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (as_text_convert_to_lower(text[i]) != as_text_convert_to_lower(with[i]) || text[i] == '\0') {
            return false;
        }
    }
    return true;
}

/* How exactly a range names a tag: not at all, by a more specific tag ("de-AT" for de), by a prefix ("pt" for pt-br),
 * or by the same tag. */
typedef enum as_exactness { NAMES_NOT, NAMES_MORE, NAMES_PREFIX, NAMES_TAG } as_exactness;

static as_exactness compare_tag(const as_range *range, const char *tag)
{
    const size_t length = strlen(tag), least = length < range->length ? length : range->length;

    if (least == 0 || !begins_with(tag, range->at, least)) {
        return NAMES_NOT;
    }
    if (length == range->length) {
        return NAMES_TAG;
    }
    if (length > least) {
        return tag[least] == '-' ? NAMES_PREFIX : NAMES_NOT;
    }
    return range->at[least] == '-' ? NAMES_MORE : NAMES_NOT;
}

/* Compares a range with the tag of a language, and with the other ranges of the table: "zh-Hans-CN" with "zh-hans". */
static as_exactness compare_language(const as_range *range, int language)
{
    as_exactness exactness = compare_tag(range, languages[language].tag);

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].language == language && range->length >= strlen(ranges[i].range)) {
            const as_exactness by_range = compare_tag(range, ranges[i].range);

            exactness = by_range > exactness ? by_range : exactness;
        }
    }
    return exactness;
}

/* What the ranges of a field say of one language. The most exact of those that are its tag or a prefix of it decides
 * its weight, so that "pt-BR;q=0, pt" refuses pt-br. */
typedef struct as_wish {
    as_exactness exactness; /* NAMES_NOT: no range names the language */
    int weight;
} as_wish;

static void read_wishes(const char *at, as_wish wishes[LANGUAGE_COUNT])
{
    as_range range;

    while (at && (at = read_next_range(at, &range)) != NULL) {
        for (int i = 0; i < LANGUAGE_COUNT; i++) {
            const as_exactness exactness = compare_language(&range, i);

            /* A refusal of "de-AT" does not refuse de. */
            if (exactness == NAMES_NOT || (exactness == NAMES_MORE && range.weight == 0)) {
                continue;
            }
            if (exactness > wishes[i].exactness ||
                (exactness == wishes[i].exactness && range.weight > wishes[i].weight)) {
                wishes[i] = (as_wish){.exactness = exactness, .weight = range.weight};
            }
        }
    }
}

/* Returns whether this range may select the language: no other range decides about it. */
static bool is_chosen(const as_range *range, int language, const as_wish *wish)
{
    const as_exactness exactness = compare_language(range, language);

    return exactness == NAMES_MORE ? wish->exactness == NAMES_MORE || wish->weight > 0
                                   : exactness != NAMES_NOT && exactness == wish->exactness;
}

/* Returns the first language that no range of the field names; NULL: each is named. */
static const as_language *find_unnamed(const as_wish wishes[LANGUAGE_COUNT])
{
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        if (wishes[i].exactness == NAMES_NOT) {
            return &languages[i];
        }
    }
    return NULL;
}

/* The range "*" stands for the languages that no other range names (RFC 9110 12.5.4), so that "en;q=0, *" is not
 * English. */
const as_language *as_language_find(const char *accept_language)
{
    const char *at = accept_language;
    const as_language *best = &languages[0], *unnamed;
    as_wish wishes[LANGUAGE_COUNT] = {{.exactness = NAMES_NOT}};
    int weight = 0, others = 0;
    as_range range;

    read_wishes(accept_language, wishes);
    while (at && (at = read_next_range(at, &range)) != NULL) {
        if (range.length == 1 && *range.at == '*') {
            others = range.weight > others ? range.weight : others;
            continue;
        }
        for (int i = 0; i < LANGUAGE_COUNT && range.weight > weight; i++) {
            if (is_chosen(&range, i, &wishes[i])) {
                best = &languages[i];
                weight = range.weight;
            }
        }
    }
    unnamed = others > weight ? find_unnamed(wishes) : NULL;
    return unnamed ? unnamed : best;
}

as_phrase as_phrase_find_title(as_class of)
{
    switch (of) {
    case AS_CLASS_UNAUTHENTICATED:
        return AS_PHRASE_TITLE_UNAUTHENTICATED;
    case AS_CLASS_REFUSED:
        return AS_PHRASE_TITLE_REFUSED;
    case AS_CLASS_FORBIDDEN:
        return AS_PHRASE_TITLE_FORBIDDEN;
    case AS_CLASS_THROTTLED:
        return AS_PHRASE_TITLE_THROTTLED;
    case AS_CLASS_UNAVAILABLE:
        return AS_PHRASE_TITLE_UNAVAILABLE;
    case AS_CLASS_MISCONFIGURED:
        return AS_PHRASE_TITLE_MISCONFIGURED;
    case AS_CLASS_GRANTED:
    case AS_CLASS_COUNT:
        break;
    }
    return AS_PHRASE_COUNT;
}

as_phrase as_phrase_find_advice(as_class of)
{
    const as_phrase title = as_phrase_find_title(of);

    return title == AS_PHRASE_COUNT
               ? title
               : (as_phrase)(title - AS_PHRASE_TITLE_UNAUTHENTICATED + AS_PHRASE_DO_UNAUTHENTICATED);
}
