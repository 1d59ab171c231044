/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for secrets; and the program of AuthLDAPBindPassword exec:, and the first line that it prints.
 */
#include "authstatus/secret_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <apr_strings.h>

#include "authstatus/ldap.h"

typedef struct as_wiped {
    size_t size;
    char octets[];
} as_wiped;

static apr_status_t wipe(void *data)
{
    as_wiped *secret = data;

    OPENSSL_cleanse(secret->octets, secret->size);
    return APR_SUCCESS;
}

char *as_secret_allocate(apr_pool_t *pool, size_t size)
{
    as_wiped *secret = apr_pcalloc(pool, sizeof(*secret) + size);

    secret->size = size;
    apr_pool_cleanup_register(pool, secret, wipe, apr_pool_cleanup_null);
    return secret->octets;
}

/* How often the end of a program is polled. */
#define LOOK_AGAIN 10 /* milliseconds */

bool as_secret_cut_line(char *line)
{
    const size_t end = strcspn(line, "\r\n");

    OPENSSL_cleanse(line + end, AS_SECRET_LINE_MAX + 1 - end);
    return end < AS_SECRET_LINE_MAX;
}

const char *as_secret_find_fault(const char *line, size_t length, bool is_printed)
{
    const size_t end = strcspn(line, "\r\n");
    size_t after = end;

    if (!strncmp(line, "\xef\xbb\xbf", 3) || !strncmp(line, "\xff\xfe", 2) || !strncmp(line, "\xfe\xff", 2)) {
        return is_printed
                   ? "begins with a byte order mark, which would be part of the password; print it without"
                   : "begins with a byte order mark, which would be part of the password; save it as plain UTF-8";
    }
    while (after < length && line[after] == '\0') { /* a password that is padded with NULs ends there */
        after++;
    }
    return end < after && after < length ? "has a NUL octet, where a password would end (UTF-16?)" : NULL;
}

/* A program that runs, and what it has printed. */
typedef struct as_program {
    pid_t pid;
    int out; /* non-blocking */
    char *line;
    size_t length;
    as_mono deadline;
    int ended; /* of waitpid() */
    bool lost; /* its end is not known */
} as_program;

static void read_output(as_program *program)
{
    char rest[4096];
    ssize_t got;

    do {
        if (program->length < AS_SECRET_LINE_MAX) {
            got = read(program->out, program->line + program->length, AS_SECRET_LINE_MAX - program->length);
            program->length += got > 0 ? (size_t)got : 0;
        } else {
            got = read(program->out, rest, sizeof(rest));
        }
        /* One that prints without end is never read empty. */
    } while ((got > 0 || (got < 0 && errno == EINTR)) && as_mono_read() <= program->deadline);
    OPENSSL_cleanse(rest, sizeof(rest));
}

/* Reads what the program prints until it ends. A process that it leaves behind may keep the pipe open. False: its time
 * is over. */
static bool wait_for_program(as_program *program)
{
    struct pollfd wanted = {.fd = program->out, .events = POLLIN};
    pid_t got;

    for (;;) {
        poll(&wanted, 1, LOOK_AGAIN);
        if (wanted.revents & POLLHUP) {
            poll(NULL, 0, LOOK_AGAIN); /* nothing more will come; its end may take a moment */
        }
        got = waitpid(program->pid, &program->ended, WNOHANG);
        read_output(program);
        if (got != 0 && !(got < 0 && errno == EINTR)) {
            program->lost = got < 0; /* the parent of this process ignores SIGCHLD */
            return true;
        }
        if (as_mono_read() > program->deadline) {
            return false;
        }
    }
}

static void kill_program(as_program *program)
{
    kill(-program->pid, SIGKILL);
    while (waitpid(program->pid, &program->ended, 0) < 0 && errno == EINTR) {
    }
}

/* Starts a program in a process group of its own, with its output in a pipe. Returns 0 or an errno. */
static int spawn(as_program *program, char **argv)
{
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults, none;
    int ends[2], error;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    error = posix_spawn(&program->pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    program->out = ends[0];
    fcntl(program->out, F_SETFL, O_NONBLOCK);
    if (error) {
        close(program->out);
    }
    return error;
}

/* Says why there is no secret; NULL: there is one. */
static const char *judge(apr_pool_t *pool, const as_program *program)
{
    const char *fault = as_secret_find_fault(program->line, program->length, true);

    if (program->lost) {
        return "its exit status is not known";
    }
    if (WIFSIGNALED(program->ended)) {
        return apr_psprintf(pool, "it was ended by signal %d", WTERMSIG(program->ended));
    }
    if (WEXITSTATUS(program->ended) != 0) {
        return apr_psprintf(pool, "it ended with status %d", WEXITSTATUS(program->ended));
    }
    if (!as_secret_cut_line(program->line)) {
        return "its first line is too long";
    }
    if (fault) {
        return apr_pstrcat(pool, "its first line ", fault, NULL);
    }
    return *program->line ? NULL : "it printed nothing";
}

const char *as_secret_run_program(char **argv, char *line, apr_pool_t *pool)
{
    as_program program = {.line = line, .deadline = as_mono_read() + AS_SECRET_PROGRAM_SECONDS * AS_MONO_SECOND};
    const int error = spawn(&program, argv);
    const char *fault;
    char text[200];

    if (error) {
        return apr_psprintf(pool, "it cannot be run: %s", apr_strerror(error, text, sizeof(text)));
    }
    if (wait_for_program(&program)) {
        fault = judge(pool, &program);
    } else {
        kill_program(&program);
        fault = apr_psprintf(pool, "it did not end within %d s", AS_SECRET_PROGRAM_SECONDS);
    }
    close(program.out);
    return fault;
}
