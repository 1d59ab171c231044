/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP connection of libldap.
 */
#ifndef AUTHSTATUS_LDAP_WIRE_H
#define AUTHSTATUS_LDAP_WIRE_H

#include <errno.h>

#include <lber.h>

#include "authstatus/ldap.h"

as_mono as_mono_choose_earlier(as_mono a, as_mono b);

/* Returns whether an operation on a non-blocking socket failed with an errno that says: later. */
static inline bool as_wire_would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* wire_guard.c: the messages that libldap reads. Zero-initialised. */
typedef struct as_incoming {
    unsigned char head[10]; /* tag and length of the message at hand */
    size_t head_size;
    unsigned char id[10]; /* its messageID */
    size_t id_size;
    bool id_known;       /* all of it was read */
    uint64_t to_come;    /* octets of it that libldap has not read yet */
    uint64_t octets;     /* of all messages since the last request */
    unsigned messages;   /* that began since then */
    bool too_large;      /* a message of more than AS_MAX_PDU octets, or more than AS_MAX_ANSWER in all */
    const char *refused; /* reason why no more is accepted; NULL: there is none */
} as_incoming;

/* Follows what libldap reads, in pieces of any size. Returns false if no more is accepted. A message of more than
 * AS_MAX_PDU octets is only noted: libldap refuses it, without an error of its own. */
bool as_incoming_follow(as_incoming *in, const unsigned char *octets, size_t size);

/* wire.c: one TCP connection. Its descriptor is non-blocking and owned by the wire. */
typedef struct as_wire {
    int fd;            /* -1: none */
    as_mono deadline;  /* no wait lasts longer; set before each operation */
    bool timed_out;    /* the deadline ended a wait */
    bool closed;       /* the peer ended the connection */
    as_mono looked_up; /* time when the addresses of the name were known */
    int error;         /* errno of the system call that failed, 0: none */
    as_incoming incoming;
    const char *filter; /* of the search to be sent next, else NULL */
    /* Octets received that libldap has not read yet: it reads the head of a message, then the rest, then the next. */
    size_t taken, ahead_size;
    unsigned char ahead[2048];
} as_wire;

/* Connects. Returns false with *failure and *reason (in pool). getaddrinfo() cannot be bounded from within a thread:
 * the resolver's own limits (resolv.conf, "timeout" and "attempts") apply to names, and none to addresses. */
bool as_wire_connect(as_wire *wire, const as_ldap_server *address, apr_pool_t *pool, as_failure *failure,
                     const char **reason);
/* Returns whether an idle connection is usable: data, an end or an error make it useless. */
bool as_wire_is_quiet(const as_wire *wire);
/* Waits for data to read. Returns false on an error, the peer's end, or the deadline. */
bool as_wire_read_ahead(as_wire *wire);
/* Returns the reason for a failed operation as the wire saw it, or NULL if the wire is sound. */
const char *as_wire_find_fault(const as_wire *wire, apr_pool_t *pool);
/* The beginning and the end of a layer whose argument is an as_wire, for lber: the wire is the layer's from one to the
 * other. Return 0. */
int as_wire_attach(Sockbuf_IO_Desc *io, void *wire);
int as_wire_release(Sockbuf_IO_Desc *io);
/* Reads and writes for libldap; its argument is the as_wire. Never returns EAGAIN: it waits for the peer, at most
 * until the wire's deadline, and then fails. So nothing in libldap or the TLS library can spin or block, at whatever
 * point the peer stops: in the handshake, within a PDU, with a full window. Needs no SIGPIPE handler. */
extern Sockbuf_IO as_wire_io;
/* wire_guard.c: a layer above it, and above TLS. Checks the messages that libldap reads; checks the requests that it
 * sends, and wipes them afterwards, as they may contain passwords. Its argument is the as_wire. */
extern Sockbuf_IO as_wire_guard;

#endif
