/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP connection under a deadline, and libldap's bytes through it.
 */
#include "ldap_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

/* A connection that fails silently (a firewall that dropped an idle connection) is detected when sent data is not
 * acknowledged for this long; a slow server does acknowledge. */
#define UNACKNOWLEDGED_MS 1500
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_COUNT 3
/* Descriptors that a resolver may open at a time: a file, and a socket for each family. */
#define RESOLVER_DESCRIPTORS 3

as_mono as_mono_read(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (as_mono)now.tv_sec * AS_MONO_SECOND + now.tv_nsec / 1000;
}

as_mono as_mono_choose_earlier(as_mono a, as_mono b)
{
    return a < b ? a : b;
}

/* Waits for `events` until `deadline`. Returns 1: they, or an error, occurred; 0: the deadline passed; -1: errno. */
static int wait_until(int fd, short events, as_mono deadline)
{
    for (;;) {
        struct pollfd poller = {.fd = fd, .events = events};
        as_mono left = deadline - as_mono_read();
        int ready;

        if (left < 0) {
            left = 0;
        }
        if (left > 60 * AS_MONO_SECOND) {
            left = 60 * AS_MONO_SECOND;
        }
        /* Rounded up: a wait that ends early would only be repeated. */
        ready = poll(&poller, 1, (int)((left + 999) / 1000));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return ready;
        }
        if (deadline <= as_mono_read()) {
            return 0;
        }
    }
}

static int fail_late(as_wire *wire)
{
    wire->timed_out = true;
    errno = ETIMEDOUT;
    return -1;
}

static bool wait_on_wire(as_wire *wire, short events)
{
    int ready = wait_until(wire->fd, events, wire->deadline);

    if (ready > 0) {
        return true;
    }
    if (ready == 0) {
        fail_late(wire);
    } else {
        wire->error = errno;
    }
    return false;
}

static bool has_ahead(const as_wire *wire)
{
    return wire->taken < wire->ahead_size;
}

int as_wire_attach(Sockbuf_IO_Desc *io, void *wire)
{
    io->sbiod_pvt = wire;
    return 0;
}

int as_wire_release(Sockbuf_IO_Desc *io)
{
    io->sbiod_pvt = NULL;
    return 0;
}

static int io_control(Sockbuf_IO_Desc *io, int option, void *argument)
{
    const as_wire *wire = io->sbiod_pvt;

    (void)argument;
    return option == LBER_SB_OPT_DATA_READY && wire && has_ahead(wire);
}

/* Receives octets as soon as there are any, until the deadline. Like recv. A peer that never stops sending keeps a
 * TLS library within one read of libldap, so the deadline is checked even where no wait is needed. */
static ssize_t receive(as_wire *wire, void *buffer, size_t size)
{
    for (;;) {
        ssize_t got;

        if (wire->deadline <= as_mono_read()) {
            return fail_late(wire);
        }
        got = recv(wire->fd, buffer, size, MSG_DONTWAIT);
        if (got >= 0) {
            wire->closed = got == 0;
            return got;
        }
        if (errno == EINTR) {
            continue;
        }
        if (!as_wire_would_block(errno)) {
            wire->error = errno;
            return -1;
        }
        if (!wait_on_wire(wire, POLLIN)) {
            return -1;
        }
    }
}

bool as_wire_read_ahead(as_wire *wire)
{
    ssize_t got;

    if (has_ahead(wire)) {
        return true;
    }
    /* The answer takes longer than the request: a read without a wait would be in vain. */
    if (!wait_on_wire(wire, POLLIN)) {
        return false;
    }
    got = receive(wire, wire->ahead, sizeof(wire->ahead));
    wire->taken = 0;
    wire->ahead_size = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* libldap examines errno after a failure of its own too: a stale EAGAIN or EINTR would make it retry forever. So
 * errno is 0 after every success. */
static ber_slen_t io_read(Sockbuf_IO_Desc *io, void *buffer, ber_len_t size)
{
    as_wire *wire = io->sbiod_pvt;
    ssize_t got;

    if (has_ahead(wire)) {
        size_t left = wire->ahead_size - wire->taken;

        got = (ssize_t)(size < left ? size : left);
        memcpy(buffer, wire->ahead + wire->taken, (size_t)got);
        wire->taken += (size_t)got;
    } else {
        got = receive(wire, buffer, size);
    }
    if (got >= 0) {
        errno = 0;
    }
    return got;
}

static ber_slen_t io_write(Sockbuf_IO_Desc *io, void *buffer, ber_len_t size)
{
    as_wire *wire = io->sbiod_pvt;

    for (;;) {
        ssize_t sent = send(wire->fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0) {
            errno = 0;
            return sent;
        }
        if (errno == EINTR) {
            continue;
        }
        if (!as_wire_would_block(errno)) {
            wire->error = errno;
            return -1;
        }
        if (!wait_on_wire(wire, POLLOUT)) {
            return -1;
        }
    }
}

static int io_close(Sockbuf_IO_Desc *io)
{
    as_wire *wire = io->sbiod_pvt;

    if (wire->fd >= 0) {
        close(wire->fd);
        wire->fd = -1;
    }
    return 0;
}

Sockbuf_IO as_wire_io = {as_wire_attach, as_wire_release, io_control, io_read, io_write, io_close};

bool as_wire_is_quiet(const as_wire *wire)
{
    return wire->fd >= 0 && !has_ahead(wire) && wait_until(wire->fd, POLLIN, 0) == 0;
}

static const char *format_error(int error, apr_pool_t *pool)
{
    char text[120];

    apr_strerror(APR_FROM_OS_ERROR(error), text, sizeof(text));
    return apr_pstrdup(pool, text);
}

const char *as_wire_find_fault(const as_wire *wire, apr_pool_t *pool)
{
    if (wire->incoming.refused) {
        return wire->incoming.refused;
    }
    if (wire->timed_out) {
        return "no answer in time";
    }
    if (wire->error) {
        return format_error(wire->error, pool);
    }
    return wire->closed ? "the server closed the connection" : NULL;
}

static void tune(int fd)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
#ifdef TCP_KEEPIDLE
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
#endif
#ifdef TCP_USER_TIMEOUT
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
#endif
    };
    size_t i;

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(options[i].value));
    }
}

/* Connects to one address. Returns the descriptor, or -1 with errno; ETIMEDOUT also for a deadline that passed. */
static int connect_to(const struct addrinfo *address, as_mono deadline)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    int error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0) {
        return -1;
    }
    tune(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
        return fd;
    }
    if (errno != EINPROGRESS && errno != EINTR) {
        error = errno;
    } else if (wait_until(fd, POLLOUT, deadline) <= 0) {
        error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0) {
        return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

/* Tries the addresses in the resolver's order; each gets its share of the time that is left, so that a dead one
 * leaves time for the next. */
static int connect_to_any(const struct addrinfo *addresses, as_mono deadline)
{
    const struct addrinfo *address;
    int left = 0, fd = -1;

    errno = EHOSTUNREACH;
    for (address = addresses; address; address = address->ai_next) {
        left++;
    }
    for (address = addresses; address && fd < 0; address = address->ai_next) {
        as_mono now = as_mono_read();

        if (deadline <= now) {
            errno = ETIMEDOUT;
            return -1;
        }
        fd = connect_to(address, now + (deadline - now) / left--);
    }
    return fd;
}

static bool is_lack_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE;
}

/* Returns EMFILE or ENFILE if the resolver may have lacked descriptors, else 0. The resolver reports a file that it
 * could not open as a name that does not exist. */
static int find_lack_of_descriptors(void)
{
    int fds[RESOLVER_DESCRIPTORS], count = 0, error = 0;

    while (count < RESOLVER_DESCRIPTORS && error == 0) {
        fds[count] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        error = fds[count] < 0 ? errno : 0;
        count += fds[count] >= 0;
    }
    while (count > 0) {
        close(fds[--count]);
    }
    return is_lack_of_descriptors(error) ? error : 0;
}

/* Reports an address that was not found. */
static void report_not_found(as_wire *wire, const char *host, int error, apr_pool_t *pool, as_failure *failure,
                             const char **reason)
{
    const int system_error = error == EAI_SYSTEM ? errno : 0;

    *failure = AS_FAILURE_DOWN;
    wire->error = is_lack_of_descriptors(system_error) ? system_error : find_lack_of_descriptors();
    *reason = apr_psprintf(pool, "the address of %s is not found: %s", host,
                           wire->error ? format_error(wire->error, pool) : gai_strerror(error));
    wire->error = wire->error ? wire->error : system_error;
}

bool as_wire_connect(as_wire *wire, const as_ldap_server *address, apr_pool_t *pool, as_failure *failure,
                     const char **reason)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int error = getaddrinfo(address->host, apr_itoa(pool, address->port), &hints, &addresses);

    wire->timed_out = wire->closed = false;
    wire->error = 0;
    wire->taken = wire->ahead_size = 0;
    memset(&wire->incoming, 0, sizeof(wire->incoming));
    wire->looked_up = as_mono_read();
    if (error) {
        report_not_found(wire, address->host, error, pool, failure, reason);
        return false;
    }
    wire->fd = connect_to_any(addresses, wire->deadline);
    error = errno;
    freeaddrinfo(addresses);
    if (wire->fd >= 0) {
        return true;
    }
    wire->error = error;
    *failure = error == ETIMEDOUT ? AS_FAILURE_TIMEOUT : AS_FAILURE_DOWN;
    *reason = apr_pstrcat(pool, "no connection: ", format_error(error, pool), NULL);
    return false;
}
