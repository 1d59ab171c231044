/* SPDX-License-Identifier: Apache-2.0
 *
 * httpd -t -D DUMP_AUTHSTATUS: the policy in force in each section that has a directive of ours, in words, and what is
 * doubtful about it.
 */
#include "dump.h"

#include <ldap.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>

static const char *in_seconds(apr_pool_t *pool, apr_interval_time_t interval)
{
    return interval % APR_USEC_PER_SEC ? apr_psprintf(pool, "%" APR_TIME_T_FMT " ms", apr_time_as_msec(interval))
                                       : apr_psprintf(pool, "%" APR_TIME_T_FMT " s", apr_time_sec(interval));
}

/* ---- the policy ---- */

/* The condition of a directive as it was written: the parsed one has no text. */
static const char *condition(as_dump *dump, const char *directive, const as_conditional *conditional)
{
    const char *arguments = conditional && conditional->when ? as_dump_argument(dump, directive) : NULL;

    if (!conditional || !conditional->when) {
        return "";
    }
    ap_getword_conf(dump->pool, &arguments);
    return apr_pstrcat(dump->pool, ", where ", ap_getword_conf(dump->pool, &arguments) + 5, NULL);
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

    as_dump_say(
        dump, "masked",
        apr_pstrcat(dump->pool, words[word], word == AS_MASK_OFF ? "" : condition(dump, "AuthStatusMask", mask), NULL));
}

static void say_disclosure(as_dump *dump)
{
    static const char *const words[] = {"of accounts, what the directory told after the right password",
                                        "of accounts, whatever the directory told",
                                        "of accounts nothing: each failure is a plain 401"};
    const as_section *section = dump->section;

    as_dump_say(dump, "told", words[section->disclose == AS_UNSET ? AS_DISCLOSE_PROVEN : section->disclose]);
    if (section->dialog && section->dialog->word == AS_CHALLENGE_QUIET) {
        as_dump_say(dump, "challenge",
                    apr_pstrcat(dump->pool, "without a dialog in browsers",
                                condition(dump, "AuthStatusChallenge", section->dialog), NULL));
    }
}

/* The directory of this section, with the credentials that belong to it; NULL: it names none. */
static const as_directory_settings *directory_of(as_dump *dump)
{
    const as_directory_source source = as_directory_source_of(dump->section, dump->place->server, NULL);

    return as_section_directory(&source, dump->pool);
}

/* What this section's directory says of its own limit; NULL: the section names no directory. */
static const as_lockout *lockout_of(as_dump *dump)
{
    static const as_directory_limits limits = {.in_flight = 1, .breaker_failures = 1};
    const as_directory_settings *settings = directory_of(dump);
    const char *name = settings ? as_directory_fingerprint(dump->pool, settings) : NULL;
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
        as_directory_lockout(dump->directories, settings, as_mono_now() + as_section_deadline(dump->section),
                             dump->pool, lockout);
        apr_hash_set(dump->lockouts, name, APR_HASH_KEY_STRING, lockout);
    }
    return lockout;
}

/* The directory is asked: whoever wants this list is no request that waits. */
static void say_lockout(as_dump *dump, const as_throttle *throttle)
{
    const as_lockout *lockout = throttle->by_user ? lockout_of(dump) : NULL;

    if (!lockout) {
        return;
    }
    if (lockout->failures <= 0) {
        as_dump_say(dump, "lockout",
                    apr_pstrcat(dump->pool,
                                lockout->failures == 0 ? "the directory locks nobody: "
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
                             in_seconds(dump->pool, throttle->within)));
    say_lockout(dump, throttle);
}

/* Says which credentials of outer sections do not hold here. */
static void say_left_out(as_dump *dump)
{
    const as_credentials credentials = as_section_credentials(dump->section, as_server_of(dump->place->server), NULL);
    const char *names = as_credentials_left_out(dump->pool, dump->section, &credentials);

    if (*names) {
        as_dump_say(dump, "not used", apr_pstrcat(dump->pool, names, ": for the servers of another AuthLDAPURL", NULL));
    }
}

/* No password, and no base: whose names are no secret, but long. */
static void say_directory(as_dump *dump)
{
    static const char *const security[] = {"without TLS", "ldaps", "StartTLS"};
    const as_directory_settings *settings = directory_of(dump);
    const char *text = "";
    int i;

    if (!settings) {
        return;
    }
    for (i = 0; i < settings->server_count; i++) {
        text = apr_psprintf(dump->pool, "%s%s%s:%d", text, i ? ", then " : "", settings->servers[i].host,
                            settings->servers[i].port);
    }
    text = apr_psprintf(dump->pool, "%s (%s), as %s, within %s", text, security[settings->security],
                        settings->bind_dn ? settings->bind_dn : "nobody",
                        in_seconds(dump->pool, as_section_deadline(dump->section)));
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

/* Says the flags that are not as they are by default; say_on() has said AuthStatus. */
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

/* ---- what is doubtful ---- */

static bool is_word(const char *arguments, const char *word)
{
    return arguments && !ap_cstr_casecmpn(arguments + (*arguments == '"'), word, strlen(word));
}

static void doubt_basic(as_dump *dump)
{
    if (is_word(as_dump_argument(dump, "AuthType"), "Basic") && as_section_is_on(dump->section) &&
        !(as_dump_argument(dump, "SSLEngine") && !is_word(as_dump_argument(dump, "SSLEngine"), "off")) &&
        !is_word(as_dump_argument(dump, "GnuTLSEnable"), "on")) {
        as_dump_warn(
            dump, "Basic without TLS: no SSLEngine On is in force, so passwords can be read on their way, unless what "
                  "stands before this server speaks TLS");
    }
}

static bool hides_sign_in(const as_section *section)
{
    return section->mask && section->mask->word == AS_MASK_ALL;
}

/* Is there a place in this server where a browser is asked for the same realm? */
static bool has_doorway(as_dump *dump, const char *realm)
{
    int i;

    for (i = 0; i < dump->places->nelts; i++) {
        const as_section_ref *place = APR_ARRAY_IDX(dump->places, i, const as_section_ref *);
        const apr_array_header_t *chain = as_sections_chain(dump->pool, dump->places, place);
        const ap_directive_t *name = as_sections_directive(chain, "AuthName");

        if (place != dump->place && name && !strcmp(name->args, realm) && as_sections_directive(chain, "AuthType") &&
            as_sections_require(chain) && !hides_sign_in(as_sections_section(dump->pool, chain))) {
            return true;
        }
    }
    return false;
}

static void doubt_mask(as_dump *dump)
{
    const ap_directive_t *document = as_section_directive(dump->place, "ErrorDocument", "404");
    const char *realm = as_dump_argument(dump, "AuthName");

    if (!dump->section->mask || dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    if (!as_section_is_on(dump->section)) {
        as_dump_warn(dump, "AuthStatusMask does nothing where AuthStatus is not On");
    }
    if (hides_sign_in(dump->section) && !dump->section->mask->when && realm && !has_doorway(dump, realm)) {
        as_dump_warn(dump,
                     apr_pstrcat(dump->pool,
                                 "a mask without a doorway: nobody is asked to sign in here, and no other place of "
                                 "this server asks for ",
                                 realm, NULL));
    }
    if (document && dump->place->kind != AS_SECTION_SERVER) {
        as_dump_warn(dump, apr_psprintf(dump->pool,
                                        "ErrorDocument %s (%s:%d) holds in this section alone: what is missing in it "
                                        "answers otherwise than what is masked",
                                        document->args, document->filename, document->line_num));
    }
}

/* The page for 404 that a masked answer shows must not itself be masked. */
static void doubt_error_document(as_dump *dump)
{
    const core_dir_config *core = ap_get_core_module_config(dump->place->vector);
    const as_section_ref *server = APR_ARRAY_IDX(dump->places, 0, const as_section_ref *);
    const ap_directive_t *document = NULL;
    const char *arguments, *path;

    for (; server && !document; server = server->outer) {
        document = as_section_directive(server, "ErrorDocument", "404");
    }
    if (!document || dump->place->kind != AS_SECTION_LOCATION || !core || core->r || !core->d || !dump->section->mask ||
        dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    arguments = document->args;
    ap_getword_conf(dump->pool, &arguments);
    path = ap_getword_conf(dump->pool, &arguments);
    if (*path == '/' && strcmp(core->d, "/") && !strncmp(path, core->d, strlen(core->d))) {
        as_dump_warn(dump, apr_pstrcat(dump->pool, "the page for 404, ", path, ", is itself in what is masked", NULL));
    }
}

/* Does a place run programs? */
static bool runs_programs(const as_section_ref *place)
{
    return as_section_directive(place, "ScriptAlias", NULL) || as_section_directive(place, "ScriptAliasMatch", NULL) ||
           as_section_directive(place, "AddHandler", "cgi-script") ||
           as_section_directive(place, "SetHandler", "cgi-script");
}

static void doubt_certificate(as_dump *dump, const as_section_ref *place)
{
    const ap_directive_t *verify = as_section_directive(place, "SSLVerifyClient", NULL);

    if (verify && place->kind != AS_SECTION_SERVER && !is_word(verify->args, "none")) {
        as_dump_warn(
            dump,
            apr_psprintf(dump->pool,
                         "SSLVerifyClient (%s:%d) asks for a certificate in this section and nowhere else, before "
                         "anything is refused: use it for the whole virtual host",
                         verify->filename, verify->line_num));
    }
}

/* What gives a hidden place away that no mask reaches. A virtual host that masks is told of all its sections. */
static void doubt_reach(as_dump *dump)
{
    const bool whole = dump->place->kind == AS_SECTION_SERVER;
    bool programs = false;
    int i;

    if (!dump->section->mask || dump->section->mask->word == AS_MASK_OFF) {
        return;
    }
    for (i = 0; i < dump->chain->nelts; i++) {
        programs = programs || runs_programs(APR_ARRAY_IDX(dump->chain, i, const as_section_ref *));
    }
    for (i = 0; whole && i < dump->places->nelts; i++) {
        const as_section_ref *place = APR_ARRAY_IDX(dump->places, i, const as_section_ref *);
        programs = programs || runs_programs(place);
        doubt_certificate(dump, place);
    }
    if (!whole) {
        doubt_certificate(dump, dump->place);
    }
    if (programs) {
        as_dump_warn(
            dump, "programs run here: what a script named nph- answers, a 403 of its own too, reaches the client past "
                  "every mask");
    }
}

static void doubt_report(as_dump *dump)
{
    if (as_sections_report(dump->chain)) {
        as_dump_say(dump, "page", "the report (SetHandler authstatus-report)");
        if (!as_sections_require(dump->chain)) {
            as_dump_warn(dump, "nothing protects the report page, so it will not be shown; use Require");
        }
    }
}

/* ---- one place, one server, all ---- */

/* As it was made? Both began as zeros, holes and all. */
static bool says_nothing(const as_dump *dump, const as_section *section)
{
    as_section *empty = as_section_create(dump->pool, NULL);

    empty->merged = section->merged; /* of two that say nothing */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    return !memcmp(section, empty, sizeof(*section));
}

/* A section that has a directive of ours, or serves the report page. A server has a section of ours in any case. */
static bool is_of_interest(const as_dump *dump, const as_section_ref *place)
{
    const as_section *section = place->vector ? ap_get_module_config(place->vector, &authstatus_module) : NULL;

    if (section && place->kind == AS_SECTION_SERVER && says_nothing(dump, section)) {
        section = NULL;
    }
    return section || as_sections_report(as_sections_chain(dump->pool, dump->places, place));
}

/* A section that is written in several pieces is one: it is told at the first. */
static bool was_told(const as_dump *dump, int index)
{
    int i;

    for (i = 0; i < index; i++) {
        const as_section_ref *before = APR_ARRAY_IDX(dump->places, i, const as_section_ref *);
        if (as_sections_same(before, dump->place) && is_of_interest(dump, before)) {
            return true;
        }
    }
    return false;
}

static void say_where(as_dump *dump)
{
    int i;

    apr_file_printf(dump->out, "  %s\n",
                    dump->place->kind == AS_SECTION_SERVER
                        ? "everywhere"
                        : as_printable(dump->pool, as_section_name(dump->pool, dump->place)));
    for (i = 0; i < dump->places->nelts && dump->place->kind != AS_SECTION_SERVER; i++) {
        const as_section_ref *piece = APR_ARRAY_IDX(dump->places, i, const as_section_ref *);
        if (piece->section && as_sections_same(piece, dump->place)) {
            as_dump_say(dump, "at", as_section_source(dump->pool, piece));
        }
    }
}

static void dump_place(as_dump *dump)
{
    dump->section = as_sections_section(dump->pool, dump->chain);
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
    doubt_basic(dump);
    doubt_mask(dump);
    doubt_error_document(dump);
    doubt_reach(dump);
    doubt_report(dump);
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
        dump.places = as_sections_of(dump.pool, s, each);
        dump.place = APR_ARRAY_IDX(dump.places, 0, const as_section_ref *);
        apr_file_printf(dump.out, "%s%s%s%s\n", as_section_name(dump.pool, dump.place),
                        dump.place->section ? "  (" : "", as_section_source(dump.pool, dump.place),
                        dump.place->section ? ")" : "");
        for (i = shown = 0; i < dump.places->nelts; i++) {
            dump.place = APR_ARRAY_IDX(dump.places, i, const as_section_ref *);
            dump.chain = as_sections_chain(dump.pool, dump.places, dump.place);
            if (is_of_interest(&dump, dump.place) && !was_told(&dump, i)) {
                dump_place(&dump);
                shown++;
            }
        }
        if (!shown) {
            apr_file_puts("  no section has a directive of mod_authstatus\n", dump.out);
        }
    }
    apr_file_printf(dump.out, "%d warning%s\n", dump.warnings, dump.warnings == 1 ? "" : "s");
}
