/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries the floor of logins, without httpd: commands on standard input, an answer for each on standard output, as a
 * line of JSON. The process caches, as one of httpd's does, until its input ends. Fields are parted by tabs:
 *
 *   directory URL BINDDN PASSWORD     the directory from now on
 *   negated 1|0                       whether the lines from now on stand in a negation
 *   groups MODE DEPTH CLASSES ATTRIBUTES IS_DN FLAGS   "Auto 10 group,groupOfNames member 1 compare,search"
 *   login USER PASSWORD               a transaction begins: the entry that the lines ask about
 *   find USER                         the same, of a login by another module
 *   again                             the same entry in a new transaction
 *   later SECONDS                     the clocks go so far ahead
 *   forget                            a new cache; what is known of servers and groups stays
 *   group|dn|filter|search TEXT       one line of Require
 *   group?|dn?|filter?|search? TEXT   the same, made by an expression
 *   user|attribute WORD...            likewise
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "authstatus/authorize.h"

#define WORDS 32

static apr_pool_t *process, *request;
static as_login login;
static as_login_memo memo;
static as_directory_settings settings;
static as_login_directory directory;
static as_group_settings groups;
static as_entry entry;
static bool negated;
static apr_time_t ahead;

/* These two take the place of libapr's and libc's own, for all that is linked. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    const int status = (int)syscall(SYS_clock_gettime, clock, now);

    now->tv_sec += apr_time_sec(ahead);
    return status;
}

apr_time_t apr_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

static void say_text(const char *name, const char *text)
{
    printf(", \"%s\": \"", name);
    for (; text && *text; text++) {
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\') {
            printf("\\u%04x", (unsigned char)*text);
        } else {
            putchar(*text);
        }
    }
    putchar('"');
}

static void say(const char *answer, const as_finding *finding, const as_operations *operations)
{
    printf("{\"answer\": \"%s\", \"outcome\": \"%s\", \"code\": %d", answer,
           as_outcome_describe(finding->outcome)->name, finding->has_code ? finding->code : -1);
    printf(", \"searches\": %d, \"compares\": %d, \"binds\": %d, \"microseconds\": %ld", operations->searches,
           operations->compares, operations->binds, (long)operations->took);
}

static void end_line(void)
{
    puts("}");
    fflush(stdout);
}

static void make_cache(void)
{
    static const as_cache_times times = {60 * APR_USEC_PER_SEC, 30 * APR_USEC_PER_SEC, 300 * APR_USEC_PER_SEC, 0};
    static const unsigned char key[] = "0123456789abcdef0123456789abcdef";

    login.cache = as_cache_create(process, &times, NULL, key, 32, 8192);
}

static void begin(void)
{
    apr_pool_clear(request);
    memset(&memo, 0, sizeof memo);
    memo.pool = request;
}

static void set_directory(char *const *words)
{
    const char *problem;

    memset(&settings, 0, sizeof settings);
    problem = as_directory_parse_url(process, words[1], NULL, &settings);
    if (problem) {
        fprintf(stderr, "%s\n", problem);
        exit(2);
    }
    settings.bind_dn = *words[2] ? apr_pstrdup(process, words[2]) : NULL;
    settings.bind_password = *words[2] ? apr_pstrdup(process, words[3]) : NULL;
    settings.connect_timeout = settings.operation_timeout = 10 * APR_USEC_PER_SEC;
    settings.session_ttl = -1;
    directory.settings = &settings;
    directory.fingerprint = as_directory_compute_fingerprint(process, &settings);
    directory.scope = "test";
}

static const char *const *list_of(const char *text)
{
    const char **list = apr_pcalloc(process, WORDS * sizeof(*list));
    char *state = NULL, *copy = apr_pstrdup(process, text), *word = apr_strtok(copy, ",", &state);

    for (int i = 0; word && i < WORDS - 1; i++, word = apr_strtok(NULL, ",", &state)) {
        list[i] = word;
    }
    return list;
}

static void set_groups(char *const *words)
{
    groups.mode = strcmp(words[1], "Auto") == 0     ? AS_GROUPS_AUTO
                  : strcmp(words[1], "Member") == 0 ? AS_GROUPS_MEMBER
                                                    : AS_GROUPS_MEMBER_OF;
    groups.max_depth = atoi(words[2]);
    groups.subgroup_classes = list_of(words[3]);
    groups.attributes = groups.subgroup_attributes = list_of(words[4]);
    groups.attribute_is_dn = atoi(words[5]) == 1;
    groups.compare_as_user = strstr(words[6], "compare") != NULL;
    groups.search_as_user = strstr(words[6], "search") != NULL;
    groups.compare_dn_on_server = strstr(words[6], "text") == NULL;
}

static void log_in(char *const *words)
{
    as_login_attempt attempt = {.directory = &directory,
                                .user = words[1],
                                .password = words[2],
                                .client = "127.0.0.1",
                                .membership = groups.mode == AS_GROUPS_MEMBER_OF ? AS_MEMBERSHIP_ALWAYS
                                              : groups.mode == AS_GROUPS_AUTO    ? AS_MEMBERSHIP_ON_AD
                                                                                 : AS_MEMBERSHIP_NONE,
                                .deadline = 5 * APR_USEC_PER_SEC};
    const as_operations none = {.searches = 0};
    const as_answer *answer;

    begin();
    answer = as_authenticate(&login, &memo, &attempt, NULL);
    memset(&entry, 0, sizeof entry);
    entry.directory = &directory;
    entry.dn = answer->dn;
    entry.values = answer->values;
    entry.user = apr_pstrdup(request, words[1]);
    entry.password = apr_pstrdup(request, words[2]);
    entry.membership = answer->membership;
    say(answer->finding.outcome == AS_OUTCOME_GRANTED ? "yes" : "no", &answer->finding, &none);
    say_text("dn", answer->dn);
    say_text("reason", answer->reason);
    end_line();
}

static void find(char *const *words)
{
    static const char *const names[] = {"no", "yes", "unknown"};
    const as_entry_attempt attempt = {
        .directory = &directory, .user = words[1], .groups = &groups, .deadline = 5 * APR_USEC_PER_SEC};
    const as_entry_lookup *lookup;

    begin();
    lookup = as_find_entry(&login, &memo, &attempt, NULL);
    entry = lookup->entry;
    say(names[lookup->found], &lookup->finding, &lookup->operations);
    say_text("dn", lookup->entry.dn);
    say_text("reason", lookup->reason);
    end_line();
}

/* The same entry for another transaction: from the process's pool, as its own goes. */
static void again(void)
{
    entry.dn = apr_pstrdup(process, entry.dn);
    entry.user = apr_pstrdup(process, entry.user);
    entry.password = apr_pstrdup(process, entry.password);
    entry.values = NULL;
    entry.membership = NULL;
    begin();
}

static void query(as_requirement_kind kind, bool by_expression, char *const *words)
{
    static const char *const names[] = {"no", "yes", "unknown"};
    const as_requirement requirement = {
        .kind = kind, .text = words[1], .words = (const char *const *)words + 1, .by_expression = by_expression};
    const as_authorize_attempt attempt = {.directory = &directory,
                                          .groups = &groups,
                                          .entry = kind == AS_REQUIRE_SEARCH ? NULL : &entry,
                                          .requirement = &requirement,
                                          .negated = negated,
                                          .deadline = 5 * APR_USEC_PER_SEC};
    const char *problem = as_requirement_check(&requirement, process);
    const as_authorization *answer = as_authorize(&login, &memo, &attempt, NULL);

    say(names[answer->answer], &answer->finding, &answer->operations);
    printf(", \"unsafe\": %s, \"missing\": %s, \"bounded\": %s, \"cached\": %s, \"wait\": %ld",
           answer->unsafe_to_negate ? "true" : "false", answer->missing ? "true" : "false",
           answer->bounded ? "true" : "false", answer->cached ? "true" : "false", answer->wait);
    say_text("reason", answer->reason);
    say_text("evidence", answer->evidence);
    say_text("server", answer->server);
    say_text("problem", problem);
    end_line();
}

static void obey(char *const *words)
{
    static const struct {
        const char *name;
        as_requirement_kind kind;
    } kinds[] = {{"user", AS_REQUIRE_USER},           {"group", AS_REQUIRE_GROUP},   {"dn", AS_REQUIRE_DN},
                 {"attribute", AS_REQUIRE_ATTRIBUTE}, {"filter", AS_REQUIRE_FILTER}, {"search", AS_REQUIRE_SEARCH}};
    size_t length = strcspn(words[0], "?");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].name) == length && strncmp(words[0], kinds[i].name, length) == 0) {
            query(kinds[i].kind, words[0][length] == '?', words);
            return;
        }
    }
    if (strcmp(words[0], "directory") == 0) {
        set_directory(words);
    } else if (strcmp(words[0], "negated") == 0) {
        negated = atoi(words[1]) == 1;
    } else if (strcmp(words[0], "groups") == 0) {
        set_groups(words);
    } else if (strcmp(words[0], "login") == 0) {
        log_in(words);
    } else if (strcmp(words[0], "find") == 0) {
        find(words);
    } else if (strcmp(words[0], "again") == 0) {
        again();
    } else if (strcmp(words[0], "later") == 0) {
        ahead += apr_time_from_sec(atoi(words[1]));
    } else if (strcmp(words[0], "forget") == 0) {
        make_cache();
    } else {
        exit(2);
    }
}

int main(void)
{
    const as_directory_limits limits = {.in_flight = 16, .breaker_failures = 50, .breaker_time = 1000000};
    static char line[65536];

    apr_initialize();
    apr_pool_create(&process, NULL);
    apr_pool_create(&request, process);
    login.directories = as_directories_create(process, &limits);
    groups = as_group_settings_make_default();
    make_cache();
    begin();
    while (fgets(line, sizeof line, stdin)) {
        char *words[WORDS + 1] = {NULL}, *at = line;

        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; at && i < WORDS; i++) {
            words[i] = strsep(&at, "\t");
        }
        obey(words);
    }
    apr_terminate();
    return 0;
}
