/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs httpd -t -D DUMP_AUTHSTATUS_JSON, and reads what it writes into a pipe, including passwords.
 */
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "authstatus/secret_program.h"

#define MAX_DUMP (16 * 1024 * 1024)
#define PIPE_IN_HTTPD 9
#define PATIENCE 60000     /* milliseconds without output */
#define PATIENCE_AT_END 10 /* seconds from SIGTERM to SIGKILL */
#define LOOK_AGAIN 10      /* milliseconds */

extern char **environ;

typedef struct dump {
    char *text;
    size_t length, size;
} dump;

static char **make_environment(apr_pool_t *pool)
{
    size_t count = 0, i;
    char **more;

    while (environ[count]) {
        count++;
    }
    more = apr_pcalloc(pool, (count + 2) * sizeof(*more));
    for (i = 0; i < count; i++) {
        more[i] = environ[i];
    }
    more[count] = apr_psprintf(pool, "AUTHSTATUS_DUMP_FD=%d", PIPE_IN_HTTPD);
    return more;
}

/* Starts httpd with the end of a pipe. Returns 0 or an errno. */
static int spawn(const char *program, int end, apr_pool_t *pool, pid_t *pid)
{
    char *argv[] = {apr_pstrdup(pool, program), apr_pstrdup(pool, "-t"), apr_pstrdup(pool, "-D"),
                    apr_pstrdup(pool, "DUMP_AUTHSTATUS_JSON"), NULL};
    posix_spawn_file_actions_t actions;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, end, PIPE_IN_HTTPD);
    error = posix_spawnp(pid, program, &actions, NULL, argv, make_environment(pool));
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Reads once; returns false at the end, or after a long silence. A tool that was stopped (SIGSTOP) goes on. */
static bool read_more(int fd, dump *into)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    ssize_t got;
    int ready;

    if (into->length + 1 >= into->size) {
        return false;
    }
    ready = poll(&wanted, 1, PATIENCE);
    if (ready <= 0) {
        return ready < 0 && errno == EINTR;
    }
    got = read(fd, into->text + into->length, into->size - into->length - 1);
    into->length += got > 0 ? (size_t)got : 0;
    return got > 0 || (got < 0 && errno == EINTR);
}

/* Ends an httpd that has further output, or does not end: SIGTERM, and if that is not heard, SIGKILL. */
static void end(pid_t pid)
{
    const as_mono deadline = as_mono_read() + PATIENCE_AT_END * AS_MONO_SECOND;
    int status;
    pid_t got;

    kill(pid, SIGTERM);
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (as_mono_read() > deadline) {
            kill(pid, SIGKILL);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
            }
            return;
        }
        poll(NULL, 0, LOOK_AGAIN);
    }
}

const char *explain_run_httpd(const char *program, apr_pool_t *pool, char **answer)
{
    dump read = {.text = as_secret_allocate(pool, MAX_DUMP), .size = MAX_DUMP};
    int ends[2], error;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return apr_psprintf(pool, "--httpd: no pipe: %s", strerror(errno));
    }
    error = spawn(program, ends[1], pool, &pid);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return apr_psprintf(pool, "--httpd: \"%s\" cannot be run: %s; name another: --httpd=/usr/sbin/apachectl",
                            program, strerror(error));
    }
    while (read_more(ends[0], &read)) {
    }
    close(ends[0]);
    end(pid);
    *answer = read.text;
    return read.length > 0 ? NULL
                           : apr_psprintf(pool,
                                          "--httpd: \"%s -t -D DUMP_AUTHSTATUS_JSON\" reported no section with an "
                                          "AuthLDAPURL; what does \"%s -t\" say?",
                                          program, program);
}
