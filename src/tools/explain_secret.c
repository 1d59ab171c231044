/* SPDX-License-Identifier: Apache-2.0
 *
 * Passwords: from files, programs and the terminal. Each is kept once, and wiped with its pool.
 */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <apr_strings.h>

#include "authstatus/secret_program.h"

#define MAX_SECRET 4096

typedef struct secret {
    char text[MAX_SECRET + 1];
    size_t length;
} secret;

static secret *create_secret(apr_pool_t *pool)
{
    return (secret *)(void *)as_secret_allocate(pool, sizeof(secret));
}

char *explain_copy_secret(const char *text, apr_pool_t *pool)
{
    const size_t size = strlen(text) + 1;

    return memcpy(as_secret_allocate(pool, size), text, size);
}

/* Reads unbuffered, so that stdio keeps no copy. Returns false: too long, or errno. */
static bool read_all(int fd, secret *into)
{
    ssize_t got;

    do {
        got = read(fd, into->text + into->length, sizeof(into->text) - into->length);
        if (got > 0) {
            into->length += (size_t)got;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got == 0 && into->length > MAX_SECRET) {
        errno = EFBIG;
        return false;
    }
    into->text[into->length < MAX_SECRET ? into->length : MAX_SECRET] = '\0';
    return got == 0;
}

/* Removes the line end that editors and `echo` append. */
static void drop_line_end(secret *from)
{
    char *end = strchr(from->text, '\0');

    if (end > from->text && end[-1] == '\n') {
        *--end = '\0';
    }
    if (end > from->text && end[-1] == '\r') {
        *--end = '\0';
    }
}

const char *explain_read_secret_file(const char *path, apr_pool_t *pool, char **found)
{
    secret *file = create_secret(pool);
    const char *fault;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return apr_psprintf(pool, "the password file \"%s\" cannot be read: %s", path, strerror(errno));
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077)) {
        fprintf(stderr, PROGRAM ": warning: others can read the password file \"%s\"\n",
                explain_escape_text(path, strlen(path), pool));
    }
    if (!read_all(fd, file)) {
        close(fd);
        return apr_psprintf(pool, "the password file \"%s\" cannot be read: %s", path, strerror(errno));
    }
    close(fd);
    fault = as_secret_find_fault(file->text, file->length, false);
    if (!fault && strlen(file->text) < file->length && file->text[strcspn(file->text, "\r\n")]) {
        fault = "has a NUL octet";
    }
    if (fault) {
        return apr_psprintf(pool, "the password file \"%s\" %s", path, fault);
    }
    drop_line_end(file);
    *found = file->text;
    return NULL;
}

/* Runs the program of AuthLDAPBindPassword exec: as httpd does. */
const char *explain_run_secret_program(const char *command, apr_pool_t *pool, char **found)
{
    secret *line = create_secret(pool);
    const char *fault;
    char **argv = NULL;

    if (apr_tokenize_to_argv(command, &argv, pool) != APR_SUCCESS || !argv[0]) {
        return "no program after exec:";
    }
    fault = as_secret_run_program(argv, line->text, pool);
    if (fault) {
        return apr_psprintf(pool, "the program \"%s\" gave no password: %s", argv[0], fault);
    }
    *found = line->text;
    return NULL;
}

/* ---- the terminal ---- */

static struct {
    int fd;
    struct termios before;
} terminal = {.fd = -1};

static void restore(void)
{
    if (terminal.fd >= 0) {
        tcsetattr(terminal.fd, TCSAFLUSH, &terminal.before);
    }
}

/* Restores the terminal when the program is ended at the prompt. */
static void restore_and_end(int number)
{
    restore();
    signal(number, SIG_DFL);
    raise(number);
}

static bool silence(int fd)
{
    struct termios quiet;

    if (tcgetattr(fd, &terminal.before) != 0) {
        return false;
    }
    quiet = terminal.before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    terminal.fd = fd;
    signal(SIGINT, restore_and_end);
    signal(SIGTERM, restore_and_end);
    signal(SIGHUP, restore_and_end);
    signal(SIGQUIT, restore_and_end);
    return tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
}

static void restore_echo(int fd)
{
    restore();
    terminal.fd = -1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (write(fd, "\n", 1) < 0) {
        return; /* the terminal is gone */
    }
}

static bool read_line(int fd, secret *into)
{
    char *end = NULL;
    ssize_t got;

    do {
        got = read(fd, into->text + into->length, MAX_SECRET - into->length);
        if (got > 0) {
            end = memchr(into->text + into->length, '\n', (size_t)got);
            into->length += (size_t)got;
        }
    } while ((got > 0 && !end && into->length < MAX_SECRET) || (got < 0 && errno == EINTR));
    into->text[strcspn(into->text, "\r\n")] = '\0';
    return end != NULL;
}

const char *explain_prompt_secret(const char *prompt, apr_pool_t *pool, char **found)
{
    secret *typed = create_secret(pool);
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool done;

    *found = NULL;
    if (fd < 0) {
        return NULL;
    }
    done = silence(fd) && write(fd, prompt, strlen(prompt)) >= 0 && read_line(fd, typed);
    restore_echo(fd);
    close(fd);
    if (!done) {
        return "no password was read from the terminal";
    }
    *found = typed->text;
    return NULL;
}
