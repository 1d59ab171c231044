/* SPDX-License-Identifier: Apache-2.0
 *
 * httpd -t -D DUMP_AUTHSTATUS: the policy in force in each section that has a directive of ours, in words. What is
 * doubtful about it: dump_doubts.c.
 */
#include "dump.h"

#include <ldap.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

static const char *format_seconds(apr_pool_t *pool, apr_interval_time_t interval)
{
    return interval % APR_USEC_PER_SEC ? apr_psprintf(pool, "%" APR_TIME_T_FMT " ms", apr_time_as_msec(interval))
                                       : apr_psprintf(pool, "%" APR_TIME_T_FMT " s", apr_time_sec(interval));
}

/* ---- the policy ---- */

/* Returns the condition of a directive as written: the parsed one has no text. */
static const char *get_condition(as_dump *dump, const char *directive, const as_conditional *conditional)
{
    const char *arguments = conditional && conditional->when ? as_dump_argument(dump, directive) : NULL;
    const char *expression;

    if (!conditional || !conditional->when) {
        return "";
    }
    if (!arguments) {
        return ", where a condition holds";
    }
    ap_getword_conf(dump->pool, &arguments);
    expression = ap_getword_conf(dump->pool, &arguments);
    return apr_pstrcat(dump->pool, ", where ", strlen(expression) > 5 ? expression + 5 : "a condition holds", NULL);
}

static void say_statuses(as_dump *dump)
{
    const as_map *map = &dump->section->map;
    const char *text = "";
    int i, j;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        const as_class_info *class_info = as_class_describe((as_class)i);
        if (i != AS_CLASS_GRANTED) {
            text = apr_psprintf(dump->pool, "%s%s%s %d", text, *text ? ", " : "", class_info->name,
                                map->of_class[i] ? map->of_class[i] : class_info->status);
        }
        for (j = 0; j < AS_OUTCOME_COUNT; j++) {
            const as_outcome_info *outcome = as_outcome_describe((as_outcome)j);
            if (outcome->of == (as_class)i && map->outcome[j]) {
                text = apr_psprintf(dump->pool, "%s (%s %d)", text, outcome->name, map->outcome[j]);
            }
        }
    }
    as_dump_say(dump, "statuses", text);
}

static void say_mask(as_dump *dump)
{
    static const char *const words[] = {"nothing", "every 403 answers as a missing resource",
                                        "every 403, and every answer of a login, answers as a missing resource"};
    const as_conditional *mask = dump->section->mask;
    const int word = mask ? mask->word : AS_MASK_OFF;

    as_dump_say(dump, "masked",
                apr_pstrcat(dump->pool, words[word],
                            word == AS_MASK_OFF ? "" : get_condition(dump, "AuthStatusMask", mask), NULL));
}

static void say_disclosure(as_dump *dump)
{
    static const char *const words[] = {"of accounts, what the directory reported after the right password",
                                        "of accounts, whatever the directory reported",
                                        "of accounts nothing: each failure is a plain 401"};
    const as_section *section = dump->section;

    as_dump_say(dump, "disclosed", words[section->disclose == AS_UNSET ? AS_DISCLOSE_PROVEN : section->disclose]);
    if (section->dialog && section->dialog->word == AS_CHALLENGE_QUIET) {
        as_dump_say(dump, "challenge",
                    apr_pstrcat(dump->pool, "without a dialog in browsers",
                                get_condition(dump, "AuthStatusChallenge", section->dialog), NULL));
    }
}

/* Returns the directory's own limit; NULL: the section names no directory. */
static const as_lockout *find_lockout(as_dump *dump)
{
    static const as_directory_limits limits = {.in_flight = 1, .breaker_failures = 1};
    const as_directory_settings *settings = as_dump_find_directory(dump);
    const char *name = settings ? as_directory_compute_fingerprint(dump->pool, settings) : NULL;
    as_lockout *lockout;

    if (!name) {
        return NULL;
    }
    if (!dump->lockouts) {
        dump->lockouts = apr_hash_make(dump->pool);
        dump->directories = as_directories_create(dump->pool, &limits);
    }
    lockout = apr_hash_get(dump->lockouts, name, APR_HASH_KEY_STRING);
    if (!lockout && dump->directories) {
        lockout = apr_pcalloc(dump->pool, sizeof(*lockout));
        as_directory_read_lockout(dump->directories, settings, as_mono_read() + as_section_get_deadline(dump->section),
                                  dump->pool, lockout);
        apr_hash_set(dump->lockouts, name, APR_HASH_KEY_STRING, lockout);
    }
    return lockout;
}

/* Prints the directory's limit, which it queries: no request waits for this list. */
static void say_lockout(as_dump *dump, const as_throttle *throttle)
{
    const as_lockout *lockout = throttle->by_user ? find_lockout(dump) : NULL;

    if (!lockout) {
        return;
    }
    if (lockout->failures <= 0) {
        as_dump_say(dump, "lockout",
                    apr_pstrcat(dump->pool,
                                lockout->failures == 0 ? "the directory locks no account: "
                                                       : "the directory's own limit is not known: ",
                                lockout->where, NULL));
        return;
    }
    as_dump_say(dump, "lockout",
                apr_psprintf(dump->pool, "the directory locks an account after %d failure%s (%s)", lockout->failures,
                             lockout->failures == 1 ? "" : "s", lockout->where));
    if (throttle->failures >= lockout->failures) {
        as_dump_warn(dump,
                     apr_psprintf(dump->pool,
                                  "AuthStatusThrottle lets %d failures of a user reach the directory, which locks an "
                                  "account after %d: accounts can be locked through the web",
                                  throttle->failures, lockout->failures));
    }
}

static void say_throttle(as_dump *dump)
{
    const as_throttle *throttle = dump->section->throttle;

    if (!throttle || !throttle->failures) {
        as_dump_say(dump, "throttle", "none");
        return;
    }
    as_dump_say(dump, "throttle",
                apr_psprintf(dump->pool, "%d failures of a %s within %s", throttle->failures,
                             !throttle->by_client ? "user"
                             : throttle->by_user  ? "user or a client"
                                                  : "client",
                             format_seconds(dump->pool, throttle->within)));
    say_lockout(dump, throttle);
}

/* Prints which credentials of outer sections are not in force here. */
static void say_left_out(as_dump *dump)
{
    const as_credentials credentials =
        as_section_get_credentials(dump->section, as_server_get(dump->ref->server), NULL);
    const char *names = as_credentials_explain_left_out(dump->pool, dump->section, &credentials);

    if (*names) {
        as_dump_say(dump, "not used", apr_pstrcat(dump->pool, names, ": for the servers of another AuthLDAPURL", NULL));
    }
}

/* Prints the directory without password and base, which is not secret, but long. */
static void say_directory(as_dump *dump)
{
    static const char *const security[] = {"without TLS", "ldaps", "StartTLS"};
    const as_directory_settings *settings = as_dump_find_directory(dump);
    const char *text = "";
    int i;

    if (!settings) {
        return;
    }
    for (i = 0; i < settings->server_count; i++) {
        text = apr_psprintf(dump->pool, strchr(settings->servers[i].host, ':') ? "%s%s[%s]:%d" : "%s%s%s:%d", text,
                            i ? ", then " : "", settings->servers[i].host, settings->servers[i].port);
    }
    text =
        apr_psprintf(dump->pool, "%s (%s%s), as %s, within %s", text, security[settings->security],
                     settings->security != AS_SECURITY_NONE && !settings->verify_certificate ? ", any certificate" : "",
                     settings->bind_dn ? settings->bind_dn : "nobody",
                     format_seconds(dump->pool, as_section_get_deadline(dump->section)));
    as_dump_say(dump, "directory", text);
    say_left_out(dump);
}

#define AS_FLAG(name, member, identity, where, explain, otherwise, example, label, when_on, when_off, help)            \
    _Static_assert(sizeof(label) <= sizeof("warning:  "), "the label is longer than its column");                      \
    static void say_##member(as_dump *dump)                                                                            \
    {                                                                                                                  \
        as_dump_say(dump, label, as_flag_##member(dump->section) ? when_on : when_off);                                \
    }
#include "authstatus/directive.def"

/* Prints the flags that differ from their defaults; say_on() has printed AuthStatus. */
static void say_flags(as_dump *dump)
{
#define AS_FLAG(name, member, identity, where, explain, otherwise, ...)                                                \
    if (as_flag_##member(dump->section) != AS_FLAG_##otherwise && strcmp(#name, "AuthStatus") != 0) {                  \
        say_##member(dump);                                                                                            \
    }
#include "authstatus/directive.def"
}

static void say_sign_in(as_dump *dump)
{
    const char *type = as_dump_argument(dump, "AuthType"), *provider = as_dump_argument(dump, "AuthBasicProvider");

    if (type) {
        as_dump_say(dump, "sign-in",
                    apr_pstrcat(dump->pool, type, provider ? " by " : "", provider ? provider : "", NULL));
    }
}

/* ---- a section, a server, all ---- */

/* Returns whether a section is unchanged since its creation. Both began as zeros, padding included. */
static bool is_unchanged(const as_dump *dump, const as_section *section)
{
    as_section *empty = as_section_create(dump->pool, NULL);

    empty->merged = section->merged; /* of two without settings */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    return !memcmp(section, empty, sizeof(*section));
}

/* Returns whether a section has a directive of ours, or a page of ours as its handler. A server always has a section of
 * ours. */
static bool is_of_interest(const as_dump *dump, const as_section_ref *ref)
{
    const as_section *section = ref->vector ? ap_get_module_config(ref->vector, &authstatus_module) : NULL;

    if (section && ref->kind == AS_SECTION_SERVER && is_unchanged(dump, section)) {
        section = NULL;
    }
    return section || as_sections_find_handler(dump->pool, as_sections_make_chain(dump->pool, dump->refs, ref));
}

/* Returns whether a section of several pieces was printed already, at its first piece. */
static bool was_disclosed(const as_dump *dump, int index)
{
    int i;

    for (i = 0; i < index; i++) {
        const as_section_ref *before = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);
        if (as_sections_are_same(before, dump->ref) && is_of_interest(dump, before)) {
            return true;
        }
    }
    return false;
}

/* Returns the pieces of a section, as_section_ref *. */
static const apr_array_header_t *list_pieces(const as_dump *dump)
{
    apr_array_header_t *pieces = apr_array_make(dump->pool, 2, sizeof(const as_section_ref *));
    int i;

    for (i = 0; i < dump->refs->nelts; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->refs, i, const as_section_ref *);
        if (as_sections_are_same(piece, dump->ref)) {
            APR_ARRAY_PUSH(pieces, const as_section_ref *) = piece;
        }
    }
    return pieces;
}

static void say_where(as_dump *dump)
{
    int i;

    apr_file_printf(dump->out, "  %s\n",
                    dump->ref->kind == AS_SECTION_SERVER
                        ? "everywhere"
                        : as_escape_unprintable(dump->pool, as_section_make_name(dump->pool, dump->ref)));
    for (i = 0; i < dump->pieces->nelts && dump->ref->kind != AS_SECTION_SERVER; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->pieces, i, const as_section_ref *);
        if (piece->section) {
            as_dump_say(dump, "at", as_section_describe_source(dump->pool, piece));
        }
    }
}

static void dump_section(as_dump *dump)
{
    dump->section = as_sections_merge_chain(dump->pool, dump->chain);
    dump->pieces = list_pieces(dump);
    say_where(dump);
    say_on(dump);
    say_sign_in(dump);
    say_directory(dump);
    say_flags(dump);
    if (as_section_is_on(dump->section)) {
        say_statuses(dump);
        say_disclosure(dump);
        say_mask(dump);
        say_throttle(dump);
    }
    as_dump_requirements(dump);
    as_dump_warnings(dump);
    as_dump_error_documents(dump);
}

static bool has_directive_of_ours(const ap_directive_t *directive)
{
    while (directive && !as_directive_begins_with(directive, "AuthStatus") &&
           !as_directive_begins_with(directive, "AuthLDAP")) {
        directive = directive->next;
    }
    return directive != NULL;
}

/* Prints the places of <Proxy>, which mod_proxy merges: what is in force there is unknown. Returns how many there are.
 */
static int say_proxies(as_dump *dump)
{
    const ap_directive_t *directive;
    int found = 0;

    for (directive = dump->ref->first; directive; directive = directive->next) {
        if ((!ap_cstr_casecmp(directive->directive, "<Proxy") ||
             !ap_cstr_casecmp(directive->directive, "<ProxyMatch")) &&
            has_directive_of_ours(directive->first_child)) {
            apr_file_printf(dump->out, "  %s %s\n", directive->directive,
                            as_escape_unprintable(dump->pool, directive->args));
            as_dump_say(dump, "at", apr_psprintf(dump->pool, "%s:%d", directive->filename, directive->line_num));
            as_dump_say(dump, "policy", "not shown: mod_proxy decides what is in force here");
            found++;
        }
    }
    return found;
}

void as_dump_test_config(apr_pool_t *pconf, server_rec *s)
{
    as_dump dump = {.warnings = 0};
    server_rec *each;
    int i, shown;

    if (!ap_exists_config_define("DUMP_AUTHSTATUS") || apr_pool_create(&dump.pool, pconf) != APR_SUCCESS ||
        apr_file_open_stdout(&dump.out, dump.pool) != APR_SUCCESS) {
        return;
    }
    for (each = s; each; each = each->next) {
        dump.refs = as_sections_list(dump.pool, s, each);
        dump.ref = APR_ARRAY_IDX(dump.refs, 0, const as_section_ref *);
        apr_file_printf(dump.out, "%s%s%s%s\n",
                        as_escape_unprintable(dump.pool, as_section_make_name(dump.pool, dump.ref)),
                        dump.ref->section ? "  (" : "",
                        as_escape_unprintable(dump.pool, as_section_describe_source(dump.pool, dump.ref)),
                        dump.ref->section ? ")" : "");
        for (i = 0, shown = say_proxies(&dump); i < dump.refs->nelts; i++) {
            dump.ref = APR_ARRAY_IDX(dump.refs, i, const as_section_ref *);
            dump.chain = as_sections_make_chain(dump.pool, dump.refs, dump.ref);
            if (is_of_interest(&dump, dump.ref) && !was_disclosed(&dump, i)) {
                dump_section(&dump);
                shown++;
            }
        }
        if (!shown) {
            apr_file_puts("  no section has a directive of mod_authstatus\n", dump.out);
        }
    }
    apr_file_printf(dump.out, "%d warning%s\n", dump.warnings, dump.warnings == 1 ? "" : "s");
}
