/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: an octet that chooses the size of pieces, and what a directory sends. The pieces make no difference, and what
 * is accepted has no message whose number libldap reads as 0: those it keeps for the life of a session.
 */
#include "ldap/wire_guard.c"
#include "fuzz.h"

/* Reads message after message as libldap does. */
static void check_messages(const uint8_t *data, size_t size)
{
    struct berval all = {size, (char *)(intptr_t)data}, content;
    BerElement *ber = ber_init(&all);
    ber_int_t id;

    must(ber != NULL);
    while (ber_skip_element(ber, &content) == LDAP_TAG_MESSAGE) {
        BerElement *message = ber_init(&content);

        must(message != NULL);
        id = -1;
        if (ber_get_int(message, &id) != LBER_ERROR) {
            must(id != 0);
        }
        ber_free(message, 1);
    }
    ber_free(ber, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_incoming whole = {.octets = 0}, pieces = {.octets = 0};
    size_t piece, at;
    bool accepted, are_accepted = true;

    if (size < 2) {
        return 0;
    }
    piece = 1 + data[0] % 16;
    data++;
    size--;
    accepted = as_incoming_follow(&whole, data, size);
    for (at = 0; at < size; at += piece) {
        are_accepted = as_incoming_follow(&pieces, data + at, size - at < piece ? size - at : piece);
    }
    must(accepted == are_accepted);
    must(whole.octets == pieces.octets && whole.messages == pieces.messages && whole.to_come == pieces.to_come);
    must(whole.too_large == pieces.too_large && whole.refused == pieces.refused && whole.head_size == pieces.head_size);
    if (accepted) {
        check_messages(data, size);
    }
    return 0;
}
