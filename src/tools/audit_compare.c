/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides whether two answers can be distinguished.
 */
#include "audit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_SHOWN 160

typedef struct as_text {
    char *octets;
    size_t length;
} as_text;

static void add(as_text *text, const char *octets, size_t length)
{
    text->octets = realloc(text->octets, text->length + length + 1);
    if (!text->octets) {
        abort();
    }
    memcpy(text->octets + text->length, octets, length);
    text->length += length;
    text->octets[text->length] = '\0';
}

/* Returns the length of the path without its query, as it may occur in a page. */
static size_t measure_path(const char *path)
{
    return strcspn(path, "?");
}

char *as_audit_normalize(const as_audit_answer *answer, const char *path)
{
    const size_t length = measure_path(path);
    const char *at = answer->octets, *end = answer->octets + answer->length;
    as_text text = {NULL, 0};
    bool line_begins = true;

    add(&text, "", 0);
    while (at < end) {
        if (line_begins && !strncasecmp(at, "Date:", 5) && strstr(at, "\r\n")) {
            at = strstr(at, "\r\n") + 2;
        } else if (length > 1 && (size_t)(end - at) >= length && !memcmp(at, path, length)) {
            add(&text, "<path>", 6);
            at += length;
            line_begins = false;
        } else {
            add(&text, *at ? at : "<NUL>", *at ? 1 : 5);
            line_begins = *at++ == '\n';
        }
    }
    add(&text,
        answer->late     ? "<nothing more>"
        : answer->closed ? "<closed>"
                         : "<kept>",
        answer->late     ? 14
        : answer->closed ? 8
                         : 6);
    return text.octets;
}

/* Prints the line around `at`, printable and bounded. */
static void print_line(const char *label, const char *text, size_t at)
{
    const char *begin = text + at, *end = text + at;
    int printed = 0;

    while (begin > text && begin[-1] != '\n' && (size_t)(text + at - begin) < LONGEST_SHOWN / 2) {
        begin--;
    }
    while (*end && *end != '\n') {
        end++;
    }
    printf("      %-10s ", label);
    for (; begin < end && printed < LONGEST_SHOWN; begin++, printed++) {
        if (*begin != '\r') {
            putchar(isprint((unsigned char)*begin) ? *begin : '?');
        }
    }
    putchar('\n');
}

/* Returns the kind of text at `at`. */
static const char *find_kind(const char *text, size_t at)
{
    const char *head = strstr(text, "\r\n\r\n"), *line = strchr(text, '\n');

    if (line && text + at <= line) {
        return "status line";
    }
    if (!strcmp(text + at, "<kept>") || !strcmp(text + at, "<closed>") || !strcmp(text + at, "<nothing more>")) {
        return "connection";
    }
    return head && text + at <= head + 2 ? "header" : "body";
}

static void print_request(const char *request)
{
    printf("      to see it  ");
    for (; *request; request++) {
        if (*request == '\r') {
            printf("\\r");
        } else if (*request == '\n') {
            printf("\\n");
        } else {
            putchar(isprint((unsigned char)*request) ? *request : '?');
        }
    }
    putchar('\n');
}

bool as_audit_compare(const as_audit_answer *forbidden, const as_audit_answer *missing, const char *forbidden_path,
                      const char *missing_path, const char *title, const char *request)
{
    char *one = as_audit_normalize(forbidden, forbidden_path), *other = as_audit_normalize(missing, missing_path);
    size_t at = 0;
    const bool differ = strcmp(one, other) != 0;

    if (differ) {
        while (one[at] == other[at]) {
            at++;
        }
        printf("  %s: the %s differs\n", title, find_kind(one, at));
        print_line("forbidden:", one, at);
        print_line("missing:", other, at);
        print_request(request);
    }
    free(one);
    free(other);
    return differ;
}

double as_audit_compute_area(const double *a, const double *b, size_t count)
{
    double wins = 0;
    size_t i, j;

    for (i = 0; i < count; i++) {
        for (j = 0; j < count; j++) {
            wins += a[i] > b[j] ? 1 : a[i] < b[j] ? 0 : 0.5;
        }
    }
    return count ? wins / (double)(count * count) : 0.5;
}
