/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets that a directive names by file or program: AuthLDAPBindPassword file: and exec:, AuthStatusCacheKey. Read
 * while the configuration is read, as the user who starts httpd, who is root as a rule.
 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <apr_strings.h>
#include <http_core.h>

/* Longest first line of a file or program. */
#define LONGEST_LINE 1024
/* How often a program is asked whether it has ended. */
#define LOOK_AGAIN 10 /* milliseconds */

/* Wipes a secret when the configuration goes. */
static apr_status_t wipe(void *secret)
{
    OPENSSL_cleanse(secret, LONGEST_LINE + 1);
    return APR_SUCCESS;
}

static char *make_line(apr_pool_t *pool)
{
    char *line = apr_pcalloc(pool, LONGEST_LINE + 1);

    apr_pool_cleanup_register(pool, line, wipe, apr_pool_cleanup_null);
    return line;
}

/* Cuts the text behind its first line. False: the line is too long. */
static bool cut_line(char *line)
{
    const size_t end = strcspn(line, "\r\n");

    OPENSSL_cleanse(line + end, LONGEST_LINE + 1 - end);
    return end < LONGEST_LINE;
}

/* ---- files ---- */

const char *as_secret_open(apr_pool_t *pool, const char *path, apr_file_t **file)
{
    apr_finfo_t info;
    apr_uid_t uid;
    apr_gid_t gid;

    if (!path || apr_file_open(file, path, APR_FOPEN_READ, 0, pool) != APR_SUCCESS) {
        return "it cannot be read";
    }
    if (apr_file_info_get(&info, APR_FINFO_PROT | APR_FINFO_TYPE | APR_FINFO_OWNER, *file) == APR_SUCCESS &&
        info.filetype == APR_REG && !(info.protection & ~(APR_FPROT_UREAD | APR_FPROT_UWRITE)) &&
        (info.user == 0 || (apr_uid_current(&uid, &gid, pool) == APR_SUCCESS && info.user == uid))) {
        return NULL;
    }
    apr_file_close(*file);
    return "it is no plain file, or readable by others, or of another owner; it must be a plain file that its owner "
           "alone may read, and the owner root or who starts httpd";
}

const char *as_secret_of_file(cmd_parms *cmd, const char *name, char **secret)
{
    char *line = make_line(cmd->pool);
    apr_size_t length = 0;
    apr_file_t *file;
    apr_status_t status;
    const char *error;

    error = as_secret_open(cmd->temp_pool, ap_server_root_relative(cmd->temp_pool, name), &file);
    if (error) {
        return apr_psprintf(cmd->temp_pool, "the file after file:, \"%s\", is not taken: %s", name, error);
    }
    status = apr_file_read_full(file, line, LONGEST_LINE, &length);
    apr_file_close(file);
    *secret = line;
    if (status != APR_SUCCESS && status != APR_EOF) {
        return "the file after file: cannot be read";
    }
    return cut_line(line) ? NULL : "the first line of the file after file: is too long";
}

/* ---- programs ---- */

/* A program that runs, and what it has printed. */
typedef struct as_program {
    pid_t pid;
    int out; /* non-blocking */
    char *line;
    size_t length;
    apr_time_t deadline;
    int ended; /* what waitpid() told */
} as_program;

static void read_output(as_program *program)
{
    char rest[4096];
    ssize_t got;

    do {
        if (program->length < LONGEST_LINE) {
            got = read(program->out, program->line + program->length, LONGEST_LINE - program->length);
            program->length += got > 0 ? (size_t)got : 0;
        } else {
            got = read(program->out, rest, sizeof(rest));
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
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
            return true;
        }
        if (apr_time_now() > program->deadline) {
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
    if (WIFSIGNALED(program->ended)) {
        return apr_psprintf(pool, "it was ended by signal %d", WTERMSIG(program->ended));
    }
    if (WEXITSTATUS(program->ended) != 0) {
        return apr_psprintf(pool, "it ended with status %d", WEXITSTATUS(program->ended));
    }
    if (!cut_line(program->line)) {
        return "its first line is too long";
    }
    return *program->line ? NULL : "it printed nothing";
}

static const char *run(apr_pool_t *pool, as_program *program, char **argv)
{
    char text[200];
    int error = spawn(program, argv);
    const char *fault;

    if (error) {
        return apr_psprintf(pool, "it cannot be run: %s", apr_strerror(error, text, sizeof(text)));
    }
    if (wait_for_program(program)) {
        fault = judge(pool, program);
    } else {
        kill_program(program);
        fault = apr_psprintf(pool, "it did not end within %d s", AS_SECRET_PROGRAM_SECONDS);
    }
    close(program->out);
    return fault;
}

const char *as_secret_of_program(cmd_parms *cmd, const char *command, char **secret)
{
    as_program program = {.deadline = apr_time_now() + apr_time_from_sec(AS_SECRET_PROGRAM_SECONDS)};
    const char *fault;
    char **argv;

    if (apr_tokenize_to_argv(command, &argv, cmd->temp_pool) != APR_SUCCESS || !argv[0]) {
        return "no program after exec:";
    }
    argv[0] = ap_server_root_relative(cmd->temp_pool, argv[0]);
    if (!argv[0]) {
        return "the program after exec: has no path";
    }
    program.line = make_line(cmd->pool);
    fault = run(cmd->temp_pool, &program, argv);
    *secret = program.line;
    return fault ? apr_psprintf(cmd->temp_pool, "the program after exec:, \"%s\", gave no password: %s", argv[0], fault)
                 : NULL;
}
