/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of authstatus-audit share: two URLs of one server, probes, and what came back.
 */
#ifndef AUTHSTATUS_TOOLS_AUDIT_H
#define AUTHSTATUS_TOOLS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

/* A URL, taken apart; all strings of malloc. */
typedef struct as_audit_url {
    bool tls;
    char *host, *port;
    char *path; /* with its query, begins with a slash */
} as_audit_url;

/* How to reach the server. */
typedef struct as_audit_options {
    bool insecure;          /* any certificate */
    const char *ca_file;    /* NULL: the system's */
    int timeout_ms;         /* for each exchange */
    bool unsafe;            /* methods that may change something, too (RFC 9110 9.2.1) */
    const char *credential; /* value of an Authorization field, or NULL */
    bool login;             /* failed logins of one user after the other, until a throttle would forbid more */
    bool outage;            /* the directory is away now */
    int timing;             /* pairs of requests that a clock compares; 0: none */
    bool verbose;
} as_audit_options;

/* One way to ask. `path` is written behind the URL's own path. */
typedef struct as_audit_probe {
    const char *name;
    const char *method;
    const char *path;
    const char *version; /* "1.0" or "1.1"; "0.9": without a version and fields */
    const char *fields;  /* more lines, each with its CR LF; "" */
    const char *body;    /* sent as it is, NULL: none */
    bool is_unsafe;
    int credentials; /* 0: none, 1: those of the options, 2: wrong ones, 3: unreadable ones */
} as_audit_probe;

/* All that a server sent in answer to one request. */
typedef struct as_audit_answer {
    char *octets; /* of malloc, NUL-terminated */
    size_t length;
    bool closed;     /* the server ended the connection */
    bool late;       /* the timeout ended the wait for the rest */
    double took;     /* ms to the first octet */
    char error[256]; /* "" or why there is no answer */
} as_audit_answer;

/* audit_http.c */
bool as_audit_parse_url(const char *text, as_audit_url *url);
void as_audit_free_url(as_audit_url *url);
/* The request as it is sent; of malloc. */
char *as_audit_request(const as_audit_url *url, const as_audit_probe *probe, const as_audit_options *options);
/* Sends it on a connection of its own. What is in `answer` is freed with as_audit_free_answer. False: see its error. */
bool as_audit_exchange(const as_audit_url *url, const as_audit_options *options, const char *request, bool is_head,
                       as_audit_answer *answer);
void as_audit_free_answer(as_audit_answer *answer);

/* Of the kind that the probe names, or NULL. */
const char *as_audit_credentials(const as_audit_probe *probe, const as_audit_options *options);

/* A connection. */
typedef struct as_audit_wire {
    int fd;
    bool http2;
    SSL_CTX *context;
    SSL *tls;
} as_audit_wire;

/* `http2`: offers it by ALPN. False: see `error`. */
bool as_audit_open(as_audit_wire *wire, const as_audit_url *url, const as_audit_options *options, bool http2,
                   char *error, size_t size);
/* As read(2): 0 at the end, -1 with EAGAIN after `timeout_ms`. */
ssize_t as_audit_take(as_audit_wire *wire, char *buffer, size_t size, int timeout_ms);
bool as_audit_send(as_audit_wire *wire, const char *text, size_t left);
void as_audit_close(as_audit_wire *wire);
void as_audit_append(as_audit_answer *answer, const char *octets, size_t length);

/* audit_http2.c */
/* Can this probe be made over HTTP/2? Never, where the program was built without libnghttp2. */
bool as_audit_http2_can(const as_audit_probe *probe);
/* The same as as_audit_exchange; the answer is written as one of HTTP/1.1 would be. False, and no error: the server
 * does not speak it. */
bool as_audit_http2_exchange(const as_audit_url *url, const as_audit_options *options, const as_audit_probe *probe,
                             as_audit_answer *answer);

/* audit_compare.c */
/* Makes of an answer what two may be compared by: without Date, and with the request's own path replaced. Of malloc. */
char *as_audit_normalize(const as_audit_answer *answer, const char *path);
/* Prints how the two differ, and how to see it. True if they do. */
bool as_audit_compare(const as_audit_answer *forbidden, const as_audit_answer *missing, const char *forbidden_path,
                      const char *missing_path, const char *title, const char *request);
/* The area under the ROC curve: how often one of `a` took longer than one of `b`. 0.5: a clock cannot tell. */
double as_audit_area(const double *a, const double *b, size_t count);

#endif
