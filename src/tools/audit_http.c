/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.x as octets: nothing in the server's answer is omitted or corrected.
 */
#include "audit.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define LARGEST_ANSWER (4 * 1024 * 1024)
#define CLOSE_WAIT_MS 120 /* a server that closes without a word of it does so at once */

static double read_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static char *copy(const char *text, size_t length)
{
    char *made = malloc(length + 1);

    if (!made) {
        abort();
    }
    memcpy(made, text, length);
    made[length] = '\0';
    return made;
}

/* Returns the end of the host: after the brackets of an IPv6 address, else at a colon, or at `end`. NULL: there is
 * none. */
static const char *find_end_of_host(const char *host, const char *end)
{
    const bool is_bracketed = *host == '[';
    const char *at = memchr(host, is_bracketed ? ']' : ':', (size_t)(end - host));

    if (is_bracketed) {
        return at && at > host + 1 ? at + 1 : NULL;
    }
    at = at ? at : end;
    return at > host ? at : NULL;
}

/* Returns whether a text is a number from 1 to 65535; getaddrinfo() takes larger ones modulo 65536. */
static bool is_port(const char *text, const char *end)
{
    long number = 0;

    for (; text < end && *text >= '0' && *text <= '9' && number <= 65535; text++) {
        number = number * 10 + *text - '0';
    }
    return text == end && number >= 1 && number <= 65535;
}

bool as_audit_parse_url(const char *text, as_audit_url *url)
{
    const char *host, *slash, *end, *colon;

    memset(url, 0, sizeof(*url));
    if (!strncasecmp(text, "https://", 8)) {
        url->tls = true;
        host = text + 8;
    } else if (!strncasecmp(text, "http://", 7)) {
        host = text + 7;
    } else {
        return false;
    }
    slash = strchr(host, '/');
    end = slash ? slash : host + strlen(host);
    colon = find_end_of_host(host, end);
    if (!colon || (colon < end && (*colon != ':' || colon + 1 == end)) || strpbrk(text, " \t\r\n#")) {
        return false;
    }
    if (colon < end && !is_port(colon + 1, end)) {
        return false;
    }
    url->port =
        colon < end ? copy(colon + 1, (size_t)(end - colon - 1)) : copy(url->tls ? "443" : "80", url->tls ? 3 : 2);
    url->host = copy(host, (size_t)(colon - host));
    url->path = slash ? copy(slash, strlen(slash)) : copy("/", 1);
    return true;
}

void as_audit_free_url(as_audit_url *url)
{
    free(url->host);
    free(url->port);
    free(url->path);
}

const char *as_audit_make_credentials(const as_audit_probe *probe, const as_audit_options *options)
{
    switch (probe->credentials) {
    case 1:
        return options->credential;
    case 2:
        return "Basic bm9ib2R5Ondyb25n"; /* nobody:wrong */
    case 3:
        return "Basic *";
    default:
        return NULL;
    }
}

char *as_audit_make_request(const as_audit_url *url, const as_audit_probe *probe, const as_audit_options *options)
{
    const char *value = as_audit_make_credentials(probe, options);
    char length[48] = "", *text = NULL;
    int written;

    if (!strcmp(probe->version, "0.9")) {
        written = asprintf(&text, "%s %s%s\r\n", probe->method, url->path, probe->path);
    } else {
        if (probe->body && !strstr(probe->fields, "Transfer-Encoding")) {
            snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(probe->body));
        }
        written =
            asprintf(&text, "%s %s%s HTTP/%s\r\nHost: %s:%s\r\n%s%s%s%s%s\r\n%s", probe->method, url->path, probe->path,
                     probe->version, url->host, url->port, value ? "Authorization: " : "", value ? value : "",
                     value ? "\r\n" : "", probe->fields, length, probe->body ? probe->body : "");
    }
    if (written < 0) {
        abort();
    }
    return text;
}

/* ---- the connection ---- */

/* Returns the host without the brackets of an IPv6 address; from malloc. */
static char *copy_host(const as_audit_url *url)
{
    const size_t length = strlen(url->host);

    return *url->host == '[' ? copy(url->host + 1, length - 2) : copy(url->host, length);
}

void as_audit_close(as_audit_wire *wire)
{
    SSL_free(wire->tls);
    SSL_CTX_free(wire->context);
    if (wire->fd >= 0) {
        close(wire->fd);
    }
}

/* Sets the name that the certificate must have. An address is no server name (RFC 6066 3). */
static bool name_server(SSL *tls, const as_audit_url *url)
{
    char *host = copy_host(url);
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1,
               good = is_address || (SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1);

    free(host);
    return good;
}

/* Returns why a handshake failed: the fault of the certificate, or that of the protocol. */
static const char *find_tls_fault(const SSL *tls)
{
    const long fault = SSL_get_verify_result(tls);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (fault != X509_V_OK) {
        return X509_verify_cert_error_string(fault);
    }
    return reason ? reason : "the server ended the handshake, or did not answer in time";
}

static bool start_tls(as_audit_wire *wire, const as_audit_url *url, const as_audit_options *options, char *error,
                      size_t size)
{
    static const unsigned char http2[] = "\2h2";

    wire->context = SSL_CTX_new(TLS_client_method());
    if (!wire->context || (options->ca_file ? SSL_CTX_load_verify_locations(wire->context, options->ca_file, NULL)
                                            : SSL_CTX_set_default_verify_paths(wire->context)) != 1) {
        snprintf(error, size, "the CA certificates cannot be read");
        return false;
    }
    SSL_CTX_set_verify(wire->context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    wire->tls = SSL_new(wire->context);
    if (!wire->tls || SSL_set_fd(wire->tls, wire->fd) != 1 || !name_server(wire->tls, url)) {
        snprintf(error, size, "no memory for TLS");
        return false;
    }
    if (wire->http2) {
        SSL_set_alpn_protos(wire->tls, http2, sizeof(http2) - 1);
    }
    ERR_clear_error();
    if (SSL_connect(wire->tls) != 1) {
        snprintf(error, size, "TLS: %s", find_tls_fault(wire->tls));
        return false;
    }
    return true;
}

bool as_audit_open(as_audit_wire *wire, const as_audit_url *url, const as_audit_options *options, bool http2,
                   char *error, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL, *address;
    struct timeval timeout = {options->timeout_ms / 1000, options->timeout_ms % 1000 * 1000};
    char *host = copy_host(url);
    int failed = getaddrinfo(host, url->port, &hints, &addresses);

    free(host);
    *wire = (as_audit_wire){.fd = -1, .http2 = http2};
    if (failed) {
        snprintf(error, size, "%s: %s", url->host, gai_strerror(failed));
        return false;
    }
    for (address = addresses; address && wire->fd < 0; address = address->ai_next) {
        wire->fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (wire->fd >= 0) {
            setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
            setsockopt(wire->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
            if (connect(wire->fd, address->ai_addr, address->ai_addrlen) != 0) {
                snprintf(error, size, "%s:%s: %s", url->host, url->port, strerror(errno));
                close(wire->fd);
                wire->fd = -1;
            }
        }
    }
    freeaddrinfo(addresses);
    if (wire->fd >= 0) {
        *error = '\0'; /* of an address before this one */
    }
    return wire->fd >= 0 && (!url->tls || start_tls(wire, url, options, error, size));
}

/* Reads as recv does. What can be read may be none of the answer (TLS 1.3: a session's ticket), so the time may pass in
 * here. */
static ssize_t read_tls(SSL *tls, char *buffer, size_t size)
{
    const int got = SSL_read(tls, buffer, (int)size);

    if (got > 0) {
        return got;
    }
    if (SSL_get_error(tls, got) == SSL_ERROR_WANT_READ) {
        errno = EAGAIN;
        return -1;
    }
    return 0;
}

ssize_t as_audit_take(as_audit_wire *wire, char *buffer, size_t size, int timeout_ms)
{
    struct pollfd poller = {.fd = wire->fd, .events = POLLIN};

    if (!(wire->tls && SSL_pending(wire->tls)) && poll(&poller, 1, timeout_ms) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    if (wire->tls) {
        return read_tls(wire->tls, buffer, size);
    }
    return recv(wire->fd, buffer, size, 0);
}

bool as_audit_send(as_audit_wire *wire, const char *text, size_t left)
{
    while (left) {
        ssize_t sent = wire->tls ? SSL_write(wire->tls, text, (int)left) : send(wire->fd, text, left, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text += sent;
        left -= (size_t)sent;
    }
    return true;
}

/* ---- the end of an answer (RFC 9112 6.3) ---- */

static const char *find_field(const char *head, const char *end, const char *name)
{
    const size_t length = strlen(name);

    while (head < end) {
        const char *next = memmem(head, (size_t)(end - head), "\r\n", 2);

        if (!strncasecmp(head, name, length) && head[length] == ':') {
            for (head += length + 1; *head == ' '; head++) {
            }
            return head;
        }
        head = next ? next + 2 : end;
    }
    return NULL;
}

/* Returns the head of the last answer in `text`, whose *end is behind it, and its *status; NULL: it is not whole. Any
 * number of interim answers (1xx) precede it; another protocol follows 101. */
static const char *find_last_head(const char *text, const char **end, int *status)
{
    for (;;) {
        *end = strstr(text, "\r\n\r\n");
        if (!*end || sscanf(text, "HTTP/%*1d.%*1d %3d", status) != 1) {
            return NULL;
        }
        *end += 4;
        if (*status < 100 || *status >= 200 || *status == 101) {
            return text;
        }
        text = *end;
    }
}

/* Returns whether the last answer in a text is complete. */
static bool is_whole(const char *text, size_t length, bool is_head)
{
    const char *end, *value, *head;
    int status;

    head = find_last_head(text, &end, &status);
    if (!head) {
        return false;
    }
    length -= (size_t)(head - text);
    text = head;
    if (is_head || status == 204 || status == 304) {
        return true;
    }
    value = find_field(text, end, "Transfer-Encoding");
    if (value && !strncasecmp(value, "chunked", 7)) {
        return length >= 5 && !memcmp(text + length - 5, "0\r\n\r\n", 5);
    }
    value = find_field(text, end, "Content-Length");
    return value && length - (size_t)(end - text) >= (size_t)strtoul(value, NULL, 10);
}

const char *as_audit_find_fault(const as_audit_answer *answer)
{
    int status;

    if (answer->length == 0) {
        return answer->late ? "no answer in time (-w waits longer)" : "the connection is closed without an answer";
    }
    if (sscanf(answer->octets, "HTTP/%*1d.%*1d %3d", &status) != 1) {
        return "the answer is not HTTP";
    }
    return answer->late  ? "the answer does not end in time (-w waits longer)"
           : answer->cut ? "the connection is closed within the answer"
                         : NULL;
}

/* Returns whether a whole answer says that its connection will be closed (RFC 9112 9.6). */
static bool has_announced_close(const char *text)
{
    const char *end, *head, *value;
    int status;

    head = find_last_head(text, &end, &status);
    value = head ? find_field(head, end, "Connection") : NULL;
    while (value && *value != '\r' && strncasecmp(value, "close", 5) != 0) {
        value++;
    }
    return value && *value != '\r';
}

/* Returns how long to wait for the next octets, in milliseconds. A server that has announced the end of the connection
 * closes it, at once or, on a busy machine, later. */
static int choose_wait(const as_audit_answer *answer, bool whole, const as_audit_options *options)
{
    return whole && !has_announced_close(answer->octets) ? CLOSE_WAIT_MS : options->timeout_ms;
}

/* Returns whether a text that is not whole says how long it is: its end is missing. */
static bool has_length(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");

    return !end || find_field(text, end, "Content-Length") || find_field(text, end, "Transfer-Encoding");
}

void as_audit_append(as_audit_answer *answer, const char *octets, size_t length)
{
    answer->octets = realloc(answer->octets, answer->length + length + 1);
    if (!answer->octets) {
        abort();
    }
    memcpy(answer->octets + answer->length, octets, length);
    answer->length += length;
    answer->octets[answer->length] = '\0';
}

bool as_audit_exchange(const as_audit_url *url, const as_audit_options *options, const char *request, bool is_head,
                       as_audit_answer *answer)
{
    as_audit_wire wire;
    char buffer[16384];
    bool whole = false;
    double begun;

    memset(answer, 0, sizeof(*answer));
    as_audit_append(answer, "", 0);
    if (!as_audit_open(&wire, url, options, false, answer->error, sizeof(answer->error))) {
        as_audit_close(&wire);
        return false;
    }
    begun = read_clock();
    if (!as_audit_send(&wire, request, strlen(request))) {
        snprintf(answer->error, sizeof(answer->error), "the request could not be sent");
    }
    while (answer->length < LARGEST_ANSWER && !answer->closed) {
        ssize_t got = as_audit_take(&wire, buffer, sizeof(buffer), choose_wait(answer, whole, options));
        if (got < 0 && errno == EAGAIN) {
            answer->late = !whole;
            break;
        }
        if (got <= 0) {
            answer->closed = true;
            answer->cut = !whole && has_length(answer->octets);
        } else {
            answer->took = answer->length ? answer->took : read_clock() - begun;
            /* What is compared of two large answers ends where it ends in both. */
            as_audit_append(answer, buffer,
                            (size_t)got > LARGEST_ANSWER - answer->length ? LARGEST_ANSWER - answer->length
                                                                          : (size_t)got);
            whole = is_whole(answer->octets, answer->length, is_head);
        }
    }
    as_audit_close(&wire);
    return answer->error[0] == '\0';
}

void as_audit_free_answer(as_audit_answer *answer)
{
    free(answer->octets);
    answer->octets = NULL;
}
