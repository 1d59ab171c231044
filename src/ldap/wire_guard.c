/* SPDX-License-Identifier: Apache-2.0
 *
 * The layer between libldap and everything below it, TLS included. It checks the messages of both directions where
 * libldap does not:
 *
 *   - libldap bounds a message, but not how many there are: the messages for one request have a common bound.
 *   - libldap keeps unsolicited notifications (RFC 4511 4.4) as long as the session lives, and loses the memory of a
 *     Notice of Disconnection. Either notification ends the session here: no other is in use without being requested.
 */
#include "ldap_private.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

#define NOT_LDAP "an answer that is not LDAP"
#define TAG_INTEGER 0x02
#define ID_LENGTHS_MAX 4
#define ID_OCTETS_MAX 4

static int guard_control(Sockbuf_IO_Desc *io, int option, void *argument)
{
    return LBER_SBIOD_CTRL_NEXT(io, option, argument);
}

/* ---- messages that libldap reads ---- */

/* Converts octets, most significant first. */
static uint64_t read_octets(const unsigned char *octets, size_t count)
{
    uint64_t number = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        number = number << 8 | octets[i];
    }
    return number;
}

static bool is_head_whole(const as_incoming *in)
{
    return in->head_size >= 2 && (in->head[1] < 0x80 || in->head_size >= 2 + (size_t)(in->head[1] & 0x7f) ||
                                  in->head_size == sizeof(in->head));
}

/* Returns how many octets follow the head of a message (X.690 8.1.3). Other data than an LDAPMessage has no end. */
static uint64_t parse_length(const as_incoming *in)
{
    if (in->head[0] != LDAP_TAG_MESSAGE) {
        return UINT64_MAX;
    }
    return in->head[1] < 0x80 ? in->head[1] : read_octets(in->head + 2, in->head_size - 2);
}

static void begin_message(as_incoming *in)
{
    in->to_come = parse_length(in);
    in->too_large |= in->to_come > AS_MAX_PDU && in->to_come != UINT64_MAX;
    in->messages++;
    in->head_size = in->id_size = 0;
    in->id_known = in->to_come == UINT64_MAX;
}

/* Checks the messageID once all of it is there (RFC 4511 4.1.1.1). libldap reads one of any type, and one without
 * octets as 0. */
static void check_id(as_incoming *in)
{
    size_t head, length;

    if (in->id_size < 2) {
        return;
    }
    head = in->id[1] < 0x80 ? 2 : 2 + (size_t)(in->id[1] & 0x7f);
    if (in->id[0] != TAG_INTEGER || head > 2 + ID_LENGTHS_MAX) {
        in->refused = NOT_LDAP;
        return;
    }
    if (in->id_size < head) {
        return;
    }
    length = head == 2 ? in->id[1] : (size_t)read_octets(in->id + 2, head - 2);
    if (length < 1 || length > ID_OCTETS_MAX) {
        in->refused = NOT_LDAP;
    } else if (in->id_size >= head + length) {
        in->id_known = true;
        if (read_octets(in->id + head, length) == 0) {
            in->refused = "the server ended the session with a notification";
        }
    }
}

/* Takes octets of a message's content. Returns how many. */
static size_t follow_content(as_incoming *in, const unsigned char *octets, size_t size)
{
    size_t step = 1;

    if (in->id_known) {
        step = size < in->to_come ? size : (size_t)in->to_come;
    } else {
        in->id[in->id_size++] = *octets;
        check_id(in);
    }
    in->to_come -= step;
    return step;
}

bool as_incoming_follow(as_incoming *in, const unsigned char *octets, size_t size)
{
    in->octets += size;
    in->too_large |= in->octets > AS_MAX_ANSWER;
    while (size > 0 && !in->refused) {
        size_t step = 1;

        if (in->to_come > 0) {
            step = follow_content(in, octets, size);
        } else {
            in->head[in->head_size++] = *octets;
            if (is_head_whole(in)) {
                begin_message(in);
            }
        }
        octets += step;
        size -= step;
    }
    return !in->refused && in->octets <= AS_MAX_ANSWER;
}

/* ---- the layer ---- */

static ber_slen_t guard_read(Sockbuf_IO_Desc *io, void *buffer, ber_len_t size)
{
    as_wire *wire = io->sbiod_pvt;
    ber_slen_t got = LBER_SBIOD_READ_NEXT(io, buffer, size);
    int error = errno;

    if (got > 0 && !as_incoming_follow(&wire->incoming, buffer, (size_t)got)) {
        got = -1;
        error = ECONNABORTED;
    }
    errno = error;
    return got;
}

/* ---- requests that libldap sends ---- */

static ber_slen_t send_checked(Sockbuf_IO_Desc *io, void *buffer, ber_len_t size)
{
    as_wire *wire = io->sbiod_pvt;
    const char *filter = wire->filter;

    wire->filter = NULL;
    if (filter && !as_filter_is_whole(buffer, size, filter)) {
        errno = wire->error = ENOMEM;
        return -1;
    }
    return LBER_SBIOD_WRITE_NEXT(io, buffer, size);
}

/* Wipes the request after it was sent. The buffer is libldap's own encoding, which it keeps until the answer has
 * come and then frees unwiped; it needs the content no more, as it may follow no referral and never reconnects. */
static ber_slen_t guard_write(Sockbuf_IO_Desc *io, void *buffer, ber_len_t size)
{
    ber_slen_t sent = send_checked(io, buffer, size);
    int error = errno;

    if (sent > 0) {
        OPENSSL_cleanse(buffer, (size_t)sent);
    } else if (sent < 0 && !as_wire_would_block(error) && error != EINTR) {
        OPENSSL_cleanse(buffer, size); /* the session is over */
    }
    errno = error;
    return sent;
}

static int guard_close(Sockbuf_IO_Desc *io)
{
    (void)io;
    return 0;
}

Sockbuf_IO as_wire_guard = {as_wire_attach, as_wire_release, guard_control, guard_read, guard_write, guard_close};
