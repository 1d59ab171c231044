/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: what authstatus-audit reads. The first octet says what it is: a URL (u), or what a server sent in answer to
 * HEAD (h) or to another method.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tools/audit_http.c"

#include "fuzz.h"

/* A URL that is taken has a host, and is all of what was given. */
static void read_url(const char *text)
{
    as_audit_url url;
    const char *at;

    if (!as_audit_parse_url(text, &url)) {
        return;
    }
    at = text + (url.tls ? strlen("https://") : strlen("http://"));
    must(*url.host != '\0' && strncmp(at, url.host, strlen(url.host)) == 0);
    must(*url.host != '[' || (strlen(url.host) > 2 && url.host[strlen(url.host) - 1] == ']'));
    at += strlen(url.host);
    if (*at == ':') {
        must(*url.port != '\0' && strncmp(at + 1, url.port, strlen(url.port)) == 0);
        at += 1 + strlen(url.port);
    }
    must(strcmp(*at ? at : "/", url.path) == 0);
    as_audit_free_url(&url);
}

static void read_answer(const uint8_t *data, size_t size, bool is_head)
{
    as_audit_answer answer = {.octets = NULL}, again = {.octets = NULL};
    char *one, *other;

    as_audit_append(&answer, (const char *)data, size);
    as_audit_append(&again, (const char *)data, size);
    /* An answer without the end of its head is none yet. */
    must(!is_whole(answer.octets, answer.length, is_head) || memmem(data, size, "\r\n\r\n", 4));
    must(as_audit_find_fault(&answer) || size > 0);
    one = as_audit_normalize(&answer, "/forbidden");
    other = as_audit_normalize(&again, "/forbidden");
    must(strcmp(one, other) == 0);
    must(!strstr(one, "/forbidden"));
    free(one);
    free(other);
    as_audit_free_answer(&answer);
    as_audit_free_answer(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] == 'u') {
        char *text = copy((const char *)data + 1, size - 1);
        read_url(text);
        free(text);
    } else {
        read_answer(data + 1, size - 1, data[0] == 'h');
    }
    return 0;
}
