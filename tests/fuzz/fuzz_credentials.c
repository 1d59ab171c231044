/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: the value of an Authorization header, which has no NUL.
 */
#include "authstatus/credentials.h"
#include "fuzz.h"

static void check_refused(const char *user, const char *password, const char *buffer, size_t size)
{
    must(user == NULL && password == NULL);
    for (size_t i = 0; i < size; i++) {
        must(buffer[i] == '\0');
    }
}

static void check_accepted(const char *user, const char *password, const char *buffer, size_t size)
{
    must(user == buffer && password == user + strlen(user) + 1);
    must(password + strlen(password) < buffer + size);
    must(*user != '\0' && *password != '\0' && strchr(user, ':') == NULL);
    must(as_credentials_check(user, password) == AS_OUTCOME_GRANTED);
}

static void read_into(const char *header, size_t size)
{
    const char *user;
    const char *password;
    char *buffer = calloc(1, size + 1);
    must(buffer != NULL);
    as_outcome outcome = as_credentials_read(header, buffer, size, &user, &password);
    must(outcome == AS_OUTCOME_GRANTED || outcome == AS_OUTCOME_NO_CREDENTIALS ||
         outcome == AS_OUTCOME_MALFORMED_CREDENTIALS || outcome == AS_OUTCOME_EMPTY_PASSWORD);
    if (outcome == AS_OUTCOME_GRANTED) {
        check_accepted(user, password, buffer, size);
    } else {
        check_refused(user, password, buffer, size);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *header = malloc(size + 1);
    must(header != NULL);
    memcpy(header, data, size);
    header[size] = '\0';
    read_into(header, strlen(header) * 3 / 4 + 1);
    read_into(header, strlen(header) / 2);
    free(header);
    return 0;
}
