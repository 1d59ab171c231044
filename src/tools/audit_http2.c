/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 (RFC 9113): by ALPN over TLS, with prior knowledge without.
 */
#include "audit.h"

#include <string.h>

#ifdef HAVE_NGHTTP2

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <nghttp2/nghttp2.h>

#define FIELDS_MAX 16
#define FIELD_SIZE 4200

/* One exchange. */
typedef struct stream {
    as_audit_answer *answer;
    const char *body; /* the unsent part */
    bool has_fields;  /* the head of the answer has begun */
    bool has_body;
    bool ended;
} stream;

bool as_audit_http2_may_send(const as_audit_probe *probe)
{
    return !strcmp(probe->version, "1.1") && !strstr(probe->fields, "Transfer-Encoding") &&
           !strstr(probe->fields, "Connection") && !strstr(probe->fields, "Expect");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *data)
{
    stream *of = data;

    (void)session;
    (void)frame;
    (void)flags;
    of->has_fields = true;
    as_audit_append(of->answer, (const char *)name, name_length);
    as_audit_append(of->answer, ": ", 2);
    as_audit_append(of->answer, (const char *)value, value_length);
    as_audit_append(of->answer, "\r\n", 2);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *octets, size_t length,
                   void *data)
{
    stream *of = data;

    (void)session;
    (void)flags;
    (void)id;
    if (!of->has_body) {
        as_audit_append(of->answer, "\r\n", 2);
        of->has_body = true;
    }
    as_audit_append(of->answer, (const char *)octets, length);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *data)
{
    stream *of = data;
    char text[48];

    (void)session;
    (void)id;
    if (error) {
        snprintf(text, sizeof(text), "\r\n<reset: %u>", error);
        as_audit_append(of->answer, text, strlen(text));
    }
    of->ended = true;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *data)
{
    stream *of = data;
    const size_t left = strlen(of->body), length = left < size ? left : size;

    (void)session;
    (void)id;
    (void)source;
    memcpy(buffer, of->body, length);
    of->body += length;
    *flags |= *of->body ? 0 : (uint32_t)NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

/* The fields of a request, in memory of its own. */
typedef struct fields {
    nghttp2_nv all[FIELDS_MAX];
    char text[FIELDS_MAX][FIELD_SIZE];
    size_t count;
} fields;

static void add(fields *of, const char *name, size_t name_length, const char *value, size_t value_length)
{
    char *text;
    size_t i;

    if (of->count == FIELDS_MAX || name_length + value_length > FIELD_SIZE) {
        return;
    }
    text = of->text[of->count];
    for (i = 0; i < name_length; i++) {
        text[i] = (char)tolower((unsigned char)name[i]);
    }
    memcpy(text + name_length, value, value_length);
    of->all[of->count].name = (uint8_t *)text;
    of->all[of->count].namelen = name_length;
    of->all[of->count].value = (uint8_t *)text + name_length;
    of->all[of->count].valuelen = value_length;
    of->all[of->count++].flags = NGHTTP2_NV_FLAG_NONE;
}

static void add_text(fields *of, const char *name, const char *value)
{
    add(of, name, strlen(name), value, strlen(value));
}

static void add_all(fields *of, const as_audit_url *url, const as_audit_options *options, const as_audit_probe *probe)
{
    const char *line = probe->fields, *credentials = as_audit_make_credentials(probe, options);
    char value[FIELD_SIZE];

    of->count = 0;
    add_text(of, ":method", probe->method);
    add_text(of, ":scheme", url->tls ? "https" : "http");
    snprintf(value, sizeof(value), "%s:%s", url->host, url->port);
    add_text(of, ":authority", value);
    snprintf(value, sizeof(value), "%s%s", url->path, probe->path);
    add_text(of, ":path", value);
    if (credentials) {
        add_text(of, "authorization", credentials);
    }
    if (probe->body) {
        snprintf(value, sizeof(value), "%zu", strlen(probe->body));
        add_text(of, "content-length", value);
    }
    for (; *line; line = strstr(line, "\r\n") + 2) {
        const char *colon = strchr(line, ':'), *end = strstr(line, "\r\n");
        add(of, line, (size_t)(colon - line), colon + 2, (size_t)(end - colon - 2));
    }
}

static nghttp2_session *begin(stream *of)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;

    if (nghttp2_session_callbacks_new(&callbacks)) {
        abort();
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_client_new(&session, callbacks, of)) {
        abort();
    }
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static bool send_pending(nghttp2_session *session, as_audit_wire *wire)
{
    const uint8_t *octets;
    ssize_t length;

    while ((length = nghttp2_session_mem_send(session, &octets)) > 0) {
        if (!as_audit_send(wire, (const char *)octets, (size_t)length)) {
            return false;
        }
    }
    return length == 0;
}

/* Runs the session until the stream has ended. Returns false if the server does not support HTTP/2. */
static bool converse(nghttp2_session *session, as_audit_wire *wire, const as_audit_options *options, stream *of)
{
    char buffer[16384];

    while (!of->ended) {
        ssize_t got;

        if (!send_pending(session, wire)) {
            return of->has_fields;
        }
        got = as_audit_take(wire, buffer, sizeof(buffer), options->timeout_ms);
        if (got <= 0) {
            of->answer->late = got < 0 && errno == EAGAIN;
            of->answer->closed = !of->answer->late;
            return of->has_fields;
        }
        if (nghttp2_session_mem_recv(session, (const uint8_t *)buffer, (size_t)got) < 0) {
            return of->has_fields;
        }
    }
    return true;
}

static bool is_speaking_http2(const as_audit_wire *wire)
{
    const unsigned char *chosen = NULL;
    unsigned length = 0;

    if (!wire->tls) {
        return true;
    }
    SSL_get0_alpn_selected(wire->tls, &chosen, &length);
    return length == 2 && !memcmp(chosen, "h2", 2);
}

bool as_audit_http2_exchange(const as_audit_url *url, const as_audit_options *options, const as_audit_probe *probe,
                             as_audit_answer *answer)
{
    const nghttp2_data_provider body = {.read_callback = read_body};
    fields *request = calloc(1, sizeof(*request));
    stream of = {.answer = answer, .body = probe->body};
    nghttp2_session *session;
    as_audit_wire wire;
    bool good = false;

    if (!request) {
        abort();
    }
    memset(answer, 0, sizeof(*answer));
    as_audit_append(answer, "", 0);
    if (as_audit_open(&wire, url, options, true, answer->error, sizeof(answer->error)) && is_speaking_http2(&wire)) {
        session = begin(&of);
        add_all(request, url, options, probe);
        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
        nghttp2_submit_request(session, NULL, request->all, request->count, probe->body ? &body : NULL, NULL);
        good = converse(session, &wire, options, &of);
        nghttp2_session_del(session);
    }
    as_audit_close(&wire);
    OPENSSL_cleanse(request, sizeof(*request));
    free(request);
    return good;
}

#else

bool as_audit_http2_may_send(const as_audit_probe *probe)
{
    (void)probe;
    return false;
}

bool as_audit_http2_exchange(const as_audit_url *url, const as_audit_options *options, const as_audit_probe *probe,
                             as_audit_answer *answer)
{
    (void)url;
    (void)options;
    (void)probe;
    memset(answer, 0, sizeof(*answer));
    return false;
}

#endif
