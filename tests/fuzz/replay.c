/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives a target every file of the corpus directories (or single files) that are named as arguments. No file at all
 * is a failure: a corpus that has moved must not pass.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "fuzz.h"

#define LARGEST_INPUT (1024 * 1024)

/* The input has memory of exactly its size, so that a sanitizer sees one octet read too far. */
static size_t replay_file(const char *path)
{
    static uint8_t buffer[LARGEST_INPUT];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    uint8_t *exact = malloc(size > 0 ? size : 1);
    must(exact != NULL);
    memcpy(exact, buffer, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static size_t replay(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;
    if (directory == NULL) {
        if (errno == ENOTDIR) {
            return replay_file(path);
        }
        perror(path);
        exit(EXIT_FAILURE);
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            char name[4096];
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            count += replay_file(name);
        }
    }
    closedir(directory);
    return count;
}

/* in_httpd.c has it under another name. */
#ifndef AUTHSTATUS_REPLAY_MAIN
#define AUTHSTATUS_REPLAY_MAIN main
#endif
int AUTHSTATUS_REPLAY_MAIN(int argc, char **argv);

int AUTHSTATUS_REPLAY_MAIN(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay(argv[i]);
    }
    printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
