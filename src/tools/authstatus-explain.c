/* SPDX-License-Identifier: Apache-2.0
 *
 * authstatus-explain: queries a directory as mod_authstatus would, and reports each step.
 */
#include "explain.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <apr_general.h>

/* Hardens the process: a core file would contain passwords, and a directory that closes a connection must not end
 * the program. */
static void harden(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
}

static int explain(const explain_wish *wish, apr_pool_t *pool)
{
    const explain_story *story;

    if (!wish->json) {
        explain_print_begin(wish, pool);
    }
    story = explain_run_login(wish, wish->json ? NULL : explain_print_step, pool);
    if (!story) {
        fprintf(stderr, PROGRAM ": no memory\n");
        return EXIT_MISCONFIGURED;
    }
    if (wish->json) {
        explain_print_json(story);
    } else {
        explain_print_end(story);
    }
    return explain_choose_exit_code(story);
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    explain_options options;
    explain_wish wish;
    const char *error;
    bool done = false;
    int code = explain_read_command_line(argc, argv, pool, &options, &done);

    if (done || code) {
        return code;
    }
    error = explain_make_wish(&options, pool, &wish);
    if (error) {
        fprintf(stderr, PROGRAM ": %s\n", explain_escape_lines(error, pool));
        if (options.json) {
            explain_print_json_error(error);
        }
        return EXIT_USAGE;
    }
    return explain(&wish, pool);
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    int code;

    harden();
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, PROGRAM ": no memory\n");
        return EXIT_MISCONFIGURED;
    }
    code = run(argc, argv, pool);
    /* Wipes the passwords and closes the connections. */
    apr_pool_destroy(pool);
    apr_terminate();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, PROGRAM ": what was explained could not be written\n");
        return EXIT_USAGE;
    }
    return code;
}
