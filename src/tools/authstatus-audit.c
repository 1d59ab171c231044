/* SPDX-License-Identifier: Apache-2.0
 *
 * authstatus-audit: compares the answers of the administrator's own server for a forbidden and for a missing resource,
 * and prints the differences.
 */
#include "audit.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#define EXIT_SAME 0
#define EXIT_DIFFERENT 1
#define EXIT_USAGE 2
#define EXIT_UNREACHABLE 3
#define EXIT_UNWRITTEN 4

/* A smaller difference of times is noise. */
#define AREA_NOISE 0.05

/* Each probe is sent to both URLs. Safe methods (RFC 9110 9.2.1) come first; others are sent on demand. */
static const as_audit_probe probes[] = {
    {"GET", "GET", "", "1.1", "", NULL, false, 0},
    {"HEAD", "HEAD", "", "1.1", "", NULL, false, 0},
    {"OPTIONS", "OPTIONS", "", "1.1", "", NULL, false, 0},
    {"TRACE", "TRACE", "", "1.1", "", NULL, false, 0},
    {"PROPFIND", "PROPFIND", "", "1.1", "Depth: 0\r\n", NULL, false, 0},
    {"an unknown method", "SNIFF", "", "1.1", "", NULL, false, 0},
    {"HTTP/1.0", "GET", "", "1.0", "", NULL, false, 0},
    {"HTTP/1.0, kept", "GET", "", "1.0", "Connection: keep-alive\r\n", NULL, false, 0},
    {"HTTP/0.9", "GET", "", "0.9", "", NULL, false, 0},
    {"Connection: close", "GET", "", "1.1", "Connection: close\r\n", NULL, false, 0},
    {"a slash at the end", "GET", "/", "1.1", "", NULL, false, 0},
    {"a name below", "GET", "/below", "1.1", "", NULL, false, 0},
    {"a doubled slash", "GET", "//", "1.1", "", NULL, false, 0},
    {"an encoded slash", "GET", "%2f", "1.1", "", NULL, false, 0},
    {"dots", "GET", "/.", "1.1", "", NULL, false, 0},
    {"a query", "GET", "?a=b", "1.1", "", NULL, false, 0},
    {"a range", "GET", "", "1.1", "Range: bytes=0-0\r\n", NULL, false, 0},
    {"If-None-Match", "GET", "", "1.1", "If-None-Match: *\r\n", NULL, false, 0},
    {"If-Modified-Since", "GET", "", "1.1", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n", NULL, false, 0},
    {"If-Match", "GET", "", "1.1", "If-Match: \"x\"\r\n", NULL, false, 0},
    {"compression", "GET", "", "1.1", "Accept-Encoding: gzip, br\r\n", NULL, false, 0},
    {"JSON preferred", "GET", "", "1.1", "Accept: application/problem+json\r\n", NULL, false, 0},
    {"a language", "GET", "", "1.1", "Accept-Language: de\r\n", NULL, false, 0},
    {"an upgrade", "GET", "", "1.1",
     "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", NULL, false, 0},
    {"a body with GET", "GET", "", "1.1", "", "hello", false, 0},
    {"a broken body with GET", "GET", "", "1.1", "Transfer-Encoding: chunked\r\n", "zz\r\n", false, 0},
    {"Expect: 100-continue with GET", "GET", "", "1.1", "Expect: 100-continue\r\n", "hello", false, 0},
    {"the credentials", "GET", "", "1.1", "", NULL, false, 1},
    {"the credentials, HEAD", "HEAD", "", "1.1", "", NULL, false, 1},
    {"the credentials, OPTIONS", "OPTIONS", "", "1.1", "", NULL, false, 1},
    {"wrong credentials", "GET", "", "1.1", "", NULL, false, 2},
    {"unreadable credentials", "GET", "", "1.1", "", NULL, false, 3},
    {"POST", "POST", "", "1.1", "", "a=b", true, 0},
    {"POST, chunked", "POST", "", "1.1", "Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n0\r\n\r\n", true, 0},
    {"POST, Expect: 100-continue", "POST", "", "1.1", "Expect: 100-continue\r\n", "a=b", true, 0},
    {"POST, the credentials", "POST", "", "1.1", "", "a=b", true, 1},
    {"PUT", "PUT", "", "1.1", "", "hello", true, 0},
    {"PUT, the credentials", "PUT", "", "1.1", "", "hello", true, 1},
    {"PATCH", "PATCH", "", "1.1", "", "hello", true, 0},
    {"DELETE", "DELETE", "", "1.1", "", NULL, true, 0},
};

static void print_usage(FILE *out)
{
    fputs("usage: authstatus-audit [options] FORBIDDEN MISSING [FORBIDDEN MISSING ...]\n"
          "\n"
          "Compares the answers for the URL of a forbidden resource with those for a missing one of the same server, "
          "and\n"
          "prints the differences. Names of the same length compare best.\n"
          "\n"
          "  -u USER     also send credentials; the password is prompted for, or comes from -y\n"
          "  -y FILE     the password is the first line of FILE\n"
          "  -a          all methods, POST, PUT, PATCH and DELETE too. They may change something\n"
          "  -t NUMBER   compare that many pairs of answers by the clock as well\n"
          "  -C FILE     CA certificates in PEM; -k takes any certificate\n"
          "  -w SECONDS  wait that long for an answer (5)\n"
          "  --login     also fail to log in repeatedly, under an unused name: what a throttle reveals\n"
          "  --outage    the directory is unavailable now: it may be disclosed to a client with a proven password (-u) "
          "only\n"
          "  -v          print each request\n"
          "  --help, --version\n"
          "\n"
          "Exits with 0 if no probe distinguishes them, 1 if one does, 2 for wrong usage, 3 without an answer, 4 if "
          "this\nreport cannot be written.\n",
          out);
}

static void print_about(int option)
{
    if (option == 'h') {
        print_usage(stdout);
    } else {
        puts("authstatus-audit " AUTHSTATUS_VERSION);
    }
}

/* Sends one probe over one protocol. Returns false with answer->error; without error: the protocol is not supported. */
static bool send_probe(const as_audit_url *url, const as_audit_probe *probe, const as_audit_options *options,
                       bool http2, as_audit_answer *answer)
{
    char *request;
    bool good;

    if (http2) {
        return as_audit_http2_exchange(url, options, probe, answer);
    }
    request = as_audit_make_request(url, probe, options);
    good = as_audit_exchange(url, options, request, !strcmp(probe->method, "HEAD"), answer);
    OPENSSL_cleanse(request, strlen(request));
    free(request);
    return good;
}

static bool has_status(const as_audit_answer *answer, const char *status)
{
    return !strncmp(answer->octets, "HTTP/1.1 ", 9)
               ? !strncmp(answer->octets + 9, status, 3)
               : !strncmp(answer->octets, ":status: ", 9) && !strncmp(answer->octets + 9, status, 3);
}

/* Returns whether a difference is promised: an outage is disclosed to a client that has proven a password. */
static bool is_promised(const as_audit_probe *probe, const as_audit_options *options, const as_audit_answer *forbidden)
{
    return options->outage && probe->credentials == 1 && (has_status(forbidden, "503") || has_status(forbidden, "500"));
}

/* Asks whether the second URL is that of a missing resource, as others differ from hidden ones, or are no test of them.
 */
static void warn_of_present(const as_audit_answer *answer)
{
    if (answer->length > 12 && !strncmp(answer->octets, "HTTP/1.", 7) && !has_status(answer, "404")) {
        printf("  The second URL is answered by %.3s, not 404: is it that of a missing resource?\n",
               answer->octets + 9);
    }
}

/* Returns true if the answers differ. *reached is false if the server did not answer. */
static bool run_probe(const as_audit_url *forbidden, const as_audit_url *missing, const as_audit_probe *probe,
                      const as_audit_options *options, bool http2, bool *reached)
{
    /* printed without the password */
    const as_audit_options printable = {.credential = "Basic ..."};
    char *to_print = as_audit_make_request(forbidden, probe, &printable), title[96];
    as_audit_answer one, other;
    bool differ = false;

    snprintf(title, sizeof(title), "%s%s", probe->name, http2 ? ", over HTTP/2" : "");
    if (options->verbose) {
        printf("  %s\n", title);
    }
    *reached = send_probe(forbidden, probe, options, http2, &one);
    *reached = send_probe(missing, probe, options, http2, &other) && *reached;
    if (*reached && !http2 && probe == &probes[0] && as_audit_find_fault(&other)) {
        /* Two failures are alike, which proves nothing. */
        fprintf(stderr, "authstatus-audit: %s: %s\n", missing->path, as_audit_find_fault(&other));
        *reached = false;
    } else if (!*reached) {
        if (!http2) {
            fprintf(stderr, "authstatus-audit: %s\n", one.error[0] ? one.error : other.error);
        }
    } else if (is_promised(probe, options, &one)) {
        printf("  %s: the outage is disclosed, as to a client that has proven a password\n", title);
    } else {
        if (!http2 && probe == &probes[0]) {
            warn_of_present(&other);
        }
        differ = as_audit_compare(&one, &other, forbidden->path, missing->path, title, to_print);
    }
    as_audit_free_answer(&one);
    as_audit_free_answer(&other);
    free(to_print);
    return differ;
}

/* The results so far. */
typedef struct audit_tally {
    int found, probes;
} audit_tally;

/* Measures the time to the first octet of an answer, in milliseconds. Returns false, and prints why, without an answer.
 */
static bool measure(const as_audit_url *url, const as_audit_options *options, const char *request, double *took)
{
    as_audit_answer answer;
    const bool answered = as_audit_exchange(url, options, request, false, &answer) && answer.length > 0;

    if (!answered) {
        fprintf(stderr, "authstatus-audit: %s: %s\n", url->path,
                answer.error[0] ? answer.error : as_audit_find_fault(&answer));
    }
    *took = answer.took;
    as_audit_free_answer(&answer);
    return answered;
}

/* Compares times. Requests alternate, so that other load affects both alike. Returns false without an answer. */
static bool run_clock(const as_audit_url *forbidden, const as_audit_url *missing, const as_audit_options *options,
                      audit_tally *tally)
{
    const size_t count = (size_t)options->timing;
    char *to_forbidden = as_audit_make_request(forbidden, &probes[0], options);
    char *to_missing = as_audit_make_request(missing, &probes[0], options);
    double *one = calloc(count, sizeof(*one)), *other = calloc(count, sizeof(*other)), area;
    bool reached = true;
    size_t i;

    if (!one || !other) {
        abort();
    }
    for (i = 0; i < count && reached; i++) {
        reached = i % 2 ? measure(forbidden, options, to_forbidden, &one[i]) &&
                              measure(missing, options, to_missing, &other[i])
                        : measure(missing, options, to_missing, &other[i]) &&
                              measure(forbidden, options, to_forbidden, &one[i]);
    }
    area = as_audit_compute_area(one, other, count);
    free(one);
    free(other);
    free(to_forbidden);
    free(to_missing);
    if (!reached) {
        return false;
    }
    printf("  the clock: area under the curve %.3f in %zu pairs (0.5: no difference)\n", area, count);
    tally->found += area > 0.5 + AREA_NOISE || area < 0.5 - AREA_NOISE;
    tally->probes++;
    return true;
}

/* Makes all probes. Returns false without an answer. */
static bool run_all(const as_audit_url *forbidden, const as_audit_url *missing, const as_audit_options *options,
                    bool http2, audit_tally *tally)
{
    size_t i;

    for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        bool reached;

        if ((probes[i].is_unsafe && !options->unsafe) || (probes[i].credentials == 1 && !options->credential) ||
            (http2 && !as_audit_http2_may_send(&probes[i]))) {
            continue;
        }
        tally->found += run_probe(forbidden, missing, &probes[i], options, http2, &reached);
        if (!reached) {
            return false;
        }
        tally->probes++;
    }
    return true;
}

/* More failed logins of an unused name than a throttle is likely to allow. Each is compared. */
#define LOGINS 24

static bool run_logins(const as_audit_url *forbidden, const as_audit_url *missing, const as_audit_options *options,
                       audit_tally *tally)
{
    static const as_audit_probe login = {"a failed login, again and again", "GET", "", "1.1", "", NULL, false, 2};
    bool reached = true;
    int i;

    for (i = 0; i < LOGINS && reached; i++) {
        if (run_probe(forbidden, missing, &login, options, false, &reached)) {
            tally->found++;
            printf("      it was failure number %d\n", i + 1);
            break;
        }
    }
    tally->probes++;
    return reached;
}

/* Returns the number of differing probes, or -1: no answer. */
static int audit(const as_audit_url *forbidden, const as_audit_url *missing, const as_audit_options *options)
{
    audit_tally tally = {0, 0};

    printf("%s and %s\n", forbidden->path, missing->path);
    if (strlen(forbidden->path) != strlen(missing->path)) {
        printf("  The paths have different lengths: where a page shows its path, its Content-Length will differ.\n");
    }
    if (!run_all(forbidden, missing, options, false, &tally) ||
        (options->login && !run_logins(forbidden, missing, options, &tally))) {
        return -1;
    }
    if (!run_all(forbidden, missing, options, true, &tally) && options->verbose) {
        printf("  HTTP/2 is not spoken here\n");
    }
    if (options->timing && !run_clock(forbidden, missing, options, &tally)) {
        return -1;
    }
    printf("  %d of %d probes distinguish them\n", tally.found, tally.probes);
    return tally.found;
}

/* Audits one pair of URLs, as typed. */
static int audit_pair(const char *first, const char *second, const as_audit_options *options)
{
    as_audit_url forbidden = {.host = NULL}, missing = {.host = NULL};
    int result = EXIT_USAGE, found;

    if (!as_audit_parse_url(first, &forbidden) || !as_audit_parse_url(second, &missing)) {
        fprintf(stderr, "authstatus-audit: %s and %s: not two http:// or https:// URLs\n", first, second);
    } else if (forbidden.tls != missing.tls || strcasecmp(forbidden.host, missing.host) ||
               strcmp(forbidden.port, missing.port)) {
        fprintf(stderr, "authstatus-audit: %s and %s are not of the same server\n", first, second);
    } else if (!strcmp(forbidden.path, missing.path)) {
        fprintf(stderr, "authstatus-audit: %s twice: the second URL is that of a missing resource\n", first);
    } else {
        found = audit(&forbidden, &missing, options);
        result = found < 0 ? EXIT_UNREACHABLE : found > 0 ? EXIT_DIFFERENT : EXIT_SAME;
    }
    as_audit_free_url(&forbidden);
    as_audit_free_url(&missing);
    return result;
}

static int audit_pairs(char **urls, const as_audit_options *options)
{
    int result = EXIT_SAME;

    for (; urls[0] && result <= EXIT_DIFFERENT; urls += 2) {
        int one = audit_pair(urls[0], urls[1], options);
        result = one > result ? one : result;
    }
    return result;
}

static const struct option long_options[] = {{"help", no_argument, NULL, 'h'},
                                             {"version", no_argument, NULL, 'V'},
                                             {"login", no_argument, NULL, 'l'},
                                             {"outage", no_argument, NULL, 'o'},
                                             {NULL, 0, NULL, 0}};

/* Reads a whole number from 1 to `most`, or prints what the option takes. */
static bool read_number(char letter, const char *text, int most, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value < 1 || value > most) {
        fprintf(stderr, "authstatus-audit: -%c takes a whole number from 1 to %d\n", letter, most);
        return false;
    }
    *number = (int)value;
    return true;
}

/* The command line except the URLs. */
typedef struct command_line {
    as_audit_options options;
    const char *user, *file;
} command_line;

/* Returns -1, or the exit code if the program has nothing more to do. */
static int read_options(int argc, char **argv, command_line *into)
{
    as_audit_options *options = &into->options;
    int option, seconds, urls;

    while ((option = getopt_long(argc, argv, "u:y:at:C:kw:vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'u':
            into->user = optarg;
            break;
        case 'y':
            into->file = optarg;
            break;
        case 'a':
            options->unsafe = true;
            break;
        case 't':
            if (!read_number('t', optarg, 100000, &options->timing)) {
                return EXIT_USAGE;
            }
            break;
        case 'C':
            options->ca_file = optarg;
            break;
        case 'k':
            options->insecure = true;
            break;
        case 'w':
            if (!read_number('w', optarg, 3600, &seconds)) {
                return EXIT_USAGE;
            }
            options->timeout_ms = seconds * 1000;
            break;
        case 'l':
            options->login = true;
            break;
        case 'o':
            options->outage = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'V':
        case 'h':
            print_about(option);
            return EXIT_SAME;
        default:
            fputs("Try authstatus-audit --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    urls = argc - optind;
    if (urls < 2 || urls % 2 || (into->file && !into->user)) {
        print_usage(stderr);
        fprintf(stderr, "\nauthstatus-audit: %s\n",
                into->file && !into->user ? "-y needs -u" : "URLs come in pairs: a forbidden one, and a missing one");
        return EXIT_USAGE;
    }
    return -1;
}

/* Returns the exit status: a report that is lost says nothing of a difference. */
static int finish(int result)
{
    if (fflush(stdout) || ferror(stdout)) {
        fputs("authstatus-audit: the report could not be written\n", stderr);
        return EXIT_UNWRITTEN;
    }
    return result;
}

int main(int argc, char **argv)
{
    command_line line = {.options = {.timeout_ms = 5000}};
    char *credential = NULL;
    int result;

    signal(SIGPIPE, SIG_IGN);
    result = read_options(argc, argv, &line);
    if (result >= 0) {
        return finish(result);
    }
    if (line.user) {
        credential = as_audit_make_basic(line.user, line.file);
        if (!credential) {
            return EXIT_USAGE;
        }
        line.options.credential = credential;
    }
    result = audit_pairs(argv + optind, &line.options);
    if (credential) {
        OPENSSL_cleanse(credential, strlen(credential));
        free(credential);
    }
    return finish(result);
}
