/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations shared by the files of authstatus-audit: two URLs of one server, probes, and answers.
 */
#ifndef AUTHSTATUS_TOOLS_AUDIT_H
#define AUTHSTATUS_TOOLS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

/* The parts of a URL; all strings from malloc. */
typedef struct as_audit_url {
    bool tls;
    char *host, *port;
    char *path; /* with its query, begins with a slash */
} as_audit_url;

/* Options of connections. */
typedef struct as_audit_options {
    bool insecure;          /* accept any certificate */
    const char *ca_file;    /* NULL: the system's */
    int timeout_ms;         /* for each exchange */
    bool unsafe;            /* also use methods that may change something (RFC 9110 9.2.1) */
    const char *credential; /* value of an Authorization field, or NULL */
    bool login;             /* failed logins of one user in sequence, until a throttle would forbid more */
    bool outage;            /* the directory is unavailable now */
    int timing;             /* pairs of requests whose times are compared; 0: none */
    bool verbose;
} as_audit_options;

/* One form of request. `path` is appended to the URL's own path. */
typedef struct as_audit_probe {
    const char *name;
    const char *method;
    const char *path;
    const char *version; /* "1.0" or "1.1"; "0.9": without a version and fields */
    const char *fields;  /* more lines, each with its CR LF; "" */
    const char *body;    /* sent unchanged, NULL: none */
    bool is_unsafe;
    int credentials; /* 0: none, 1: those of the options, 2: wrong ones, 3: unreadable ones */
} as_audit_probe;

/* All octets of a server's answer to one request. */
typedef struct as_audit_answer {
    char *octets; /* from malloc, NUL-terminated */
    size_t length;
    bool closed;     /* the server ended the connection */
    bool late;       /* the timeout ended the wait for the rest */
    bool cut;        /* the connection ended within the answer */
    double took;     /* ms to the first octet */
    char error[256]; /* "" or the reason for a missing answer */
} as_audit_answer;

/* audit_http.c: parses an absolute http:// or https:// URL. Free the result, of a failure too, with as_audit_free_url.
 */
bool as_audit_parse_url(const char *text, as_audit_url *url);
void as_audit_free_url(as_audit_url *url);
/* Returns the request as it is sent; from malloc. */
char *as_audit_make_request(const as_audit_url *url, const as_audit_probe *probe, const as_audit_options *options);
/* Sends a request on a connection of its own. Free the content of `answer` with as_audit_free_answer. Returns false
 * with answer->error. */
bool as_audit_exchange(const as_audit_url *url, const as_audit_options *options, const char *request, bool is_head,
                       as_audit_answer *answer);
void as_audit_free_answer(as_audit_answer *answer);

/* Returns why an answer is nothing to compare others with: none came, it is not HTTP, it did not end; NULL: it is. */
const char *as_audit_find_fault(const as_audit_answer *answer);

/* Returns credentials of the kind that the probe names, or NULL. */
const char *as_audit_make_credentials(const as_audit_probe *probe, const as_audit_options *options);

/* A connection. */
typedef struct as_audit_wire {
    int fd;
    bool http2;
    SSL_CTX *context;
    SSL *tls;
} as_audit_wire;

/* Opens a connection. `http2`: offers it by ALPN. Returns false with `error`. */
bool as_audit_open(as_audit_wire *wire, const as_audit_url *url, const as_audit_options *options, bool http2,
                   char *error, size_t size);
/* Reads like read(2): returns 0 at the end, -1 with EAGAIN after `timeout_ms`. */
ssize_t as_audit_take(as_audit_wire *wire, char *buffer, size_t size, int timeout_ms);
/* Writes all of it. Returns false if the connection ends before. */
bool as_audit_send(as_audit_wire *wire, const char *text, size_t left);
void as_audit_close(as_audit_wire *wire);
/* Appends octets, and a NUL behind them. */
void as_audit_append(as_audit_answer *answer, const char *octets, size_t length);

/* audit_password.c: returns the value of an Authorization field of the Basic scheme; from malloc, for the caller to
 * wipe. `file`: its first line is the password; NULL: prompts for it. NULL without a password: prints why. */
char *as_audit_make_basic(const char *user, const char *file);

/* audit_http2.c: returns whether this probe can be made over HTTP/2. Never, if the program was built without
 * libnghttp2. */
bool as_audit_http2_may_send(const as_audit_probe *probe);
/* Does the same as as_audit_exchange; the answer is written in the form of HTTP/1.1. Returns false without error:
 * the server does not support HTTP/2. */
bool as_audit_http2_exchange(const as_audit_url *url, const as_audit_options *options, const as_audit_probe *probe,
                             as_audit_answer *answer);

/* audit_compare.c: makes an answer comparable: without Date, and with the request's own path replaced. From malloc. */
char *as_audit_normalize(const as_audit_answer *answer, const char *path);
/* Prints how the two differ, and how to reproduce it. Returns true if they do. */
bool as_audit_compare(const as_audit_answer *forbidden, const as_audit_answer *missing, const char *forbidden_path,
                      const char *missing_path, const char *title, const char *request);
/* Returns the area under the ROC curve: how often one of `a` took longer than one of `b`. 0.5: no difference. */
double as_audit_compute_area(const double *a, const double *b, size_t count);

#endif
