/* SPDX-License-Identifier: Apache-2.0
 *
 * The sentences of the built-in pages in several languages. Pure functions on values; any thread.
 */
#ifndef AUTHSTATUS_LANGUAGE_H
#define AUTHSTATUS_LANGUAGE_H

#include "authstatus/outcome.h"

typedef enum as_phrase {
#define AS_PHRASE_ID(id, text) AS_PHRASE_##id,
#include "authstatus/language.def"
    AS_PHRASE_COUNT
} as_phrase;

/* A row of language.def. Static: only pointers that the functions below returned are languages. */
typedef struct as_language {
    const char *tag;       /* as in Content-Language */
    const char *direction; /* "ltr" or "rtl" */
} as_language;

/* Return a text in UTF-8: in English where the language has none. Static, never NULL. */
const char *as_language_get_sentence(const as_language *language, as_outcome outcome);
const char *as_language_get_phrase(const as_language *language, as_phrase phrase);

/* Reads a qvalue (RFC 9110 12.4.2). Returns thousandths; 1000, the default, for a text that is not a qvalue. */
int as_qvalue_read(const char *at);

/* Finds the language that a client prefers by the value of Accept-Language (RFC 9110 12.5.4) and the lookup of RFC
 * 4647 3.4, where "pt" also finds pt-br, unless a range that names it more exactly refuses it ("pt-BR;q=0, pt").
 * Returns English for NULL or without a match. Takes time in proportion to the value's length. Never NULL. */
const as_language *as_language_find(const char *accept_language);

/* Returns the language with this number, from 0 on; NULL after the last. */
const as_language *as_language_get(int index);

/* Returns heading or advice for an outcome of this class; AS_PHRASE_COUNT for a grant, which has no page. */
as_phrase as_phrase_find_title(as_class of);
as_phrase as_phrase_find_advice(as_class of);

#endif
