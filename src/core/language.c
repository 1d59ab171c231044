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

#define AS_SENTENCE(id, text) .sentence[AS_OUTCOME_##id] = (text),
#define AS_PHRASE(id, text) .phrase[AS_PHRASE_##id] = (text),

enum {
#define AS_LANGUAGE(id, tag, direction) LANGUAGE_##id,
#include "authstatus/language.def"
    LANGUAGE_COUNT
};

/* clang-format off */
static const as_language languages[LANGUAGE_COUNT] = {
    [LANGUAGE_EN] = {.tag = "en", .direction = "ltr",
#include "languages/en.def"
    },
    [LANGUAGE_DE] = {.tag = "de", .direction = "ltr",
#include "languages/de.def"
    },
    [LANGUAGE_FR] = {.tag = "fr", .direction = "ltr",
#include "languages/fr.def"
    },
    [LANGUAGE_ES] = {.tag = "es", .direction = "ltr",
#include "languages/es.def"
    },
    [LANGUAGE_IT] = {.tag = "it", .direction = "ltr",
#include "languages/it.def"
    },
    [LANGUAGE_NL] = {.tag = "nl", .direction = "ltr",
#include "languages/nl.def"
    },
    [LANGUAGE_PT_BR] = {.tag = "pt-br", .direction = "ltr",
#include "languages/pt-br.def"
    },
    [LANGUAGE_PL] = {.tag = "pl", .direction = "ltr",
#include "languages/pl.def"
    },
    [LANGUAGE_JA] = {.tag = "ja", .direction = "ltr",
#include "languages/ja.def"
    },
    [LANGUAGE_ZH_CN] = {.tag = "zh-cn", .direction = "ltr",
#include "languages/zh-cn.def"
    },
};
/* clang-format on */

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

/* Returns whether a range selects a language: the same tag, a prefix of it ("pt" for pt-br), or a more specific tag
 * ("de-AT" for de). */
static bool is_meant(const as_range *range, const char *tag)
{
    const size_t length = strlen(tag), least = length < range->length ? length : range->length;

    return least > 0 && begins_with(tag, range->at, least) &&
           (length == range->length || (length > least ? tag[least] : range->at[least]) == '-');
}

const as_language *as_language_find(const char *accept_language)
{
    const char *at = accept_language;
    const as_language *best = &languages[0];
    int weight = 0;
    as_range range;

    while (at && (at = read_next_range(at, &range)) != NULL) {
        for (int i = 0; i < LANGUAGE_COUNT && range.weight > weight; i++) {
            if (is_meant(&range, languages[i].tag)) {
                best = &languages[i];
                weight = range.weight;
            }
        }
    }
    return best;
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
