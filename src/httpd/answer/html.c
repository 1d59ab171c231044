/* SPDX-License-Identifier: Apache-2.0
 *
 * The report page for people: faults first, then the figures. Plain HTML: no script, one embedded style sheet, tables
 * for screen readers, no meaning in a colour alone.
 */
#include "answer.h"

#include <apr_strings.h>
#include <http_core.h>

static const char style[] = AS_PAGE_COLOURS
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem;background:var(--bg);"
    "color:var(--fg)}\n"
    "h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}p{margin:.25rem 0}\n"
    "a{color:var(--link)}.dim{color:var(--dim)}\n"
    ".say{margin:1rem 0;padding:.5rem .75rem;border-left:.3rem solid;border-radius:.2rem;overflow-wrap:anywhere}\n"
    ".good{color:var(--good);background:var(--goodbg)}.bad{color:var(--bad);background:var(--badbg)}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;font-weight:400}\n"
    "th:first-child{text-align:left;padding-left:0}td:last-child,th:last-child{padding-right:0}\n"
    ".servers th:first-child{overflow-wrap:anywhere;width:32%}"
    ".servers tbody th{font-weight:600}\n"
    "thead th{color:var(--dim);font-size:.875rem;vertical-align:bottom}\n"
    ".class th,.class td{font-weight:600;padding-top:.9rem}tbody tr:not(.class) th.in{padding-left:1rem}\n"
    ".none td,.none th{color:var(--dim)}.words{text-align:left}\n"
    "ul{margin:.5rem 0;padding-left:1.25rem}nav{margin-top:2rem}\n"
    ".glance{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.25rem,1fr));gap:.5rem;margin:1rem 0}\n"
    ".glance div{border:1px solid var(--line);border-radius:.3rem;padding:.4rem .6rem;display:flex;"
    "flex-direction:column-reverse;justify-content:flex-end}.glance dt{color:var(--dim);font-size:.875rem}\n"
    ".glance dd{margin:0;overflow-wrap:anywhere;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums}\n"
    ".glance .bad dt{color:inherit}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:.25rem 2rem}\n"
    "figure{margin:.5rem 0;display:grid;grid-template-columns:1fr 1fr;gap:0 1rem}\n"
    "figcaption{grid-column:1/3;font-weight:600;overflow-wrap:anywhere}figure p{font-size:.8125rem;line-height:1.3}\n"
    "svg{display:block;width:100%;height:3rem;border-bottom:1px solid var(--line)}.base{fill:none;stroke:var(--dim);"
    "vector-effect:non-scaling-stroke}\n"
    ".bars{fill:var(--link)}.fine .bars{fill:var(--good)}.wrong .bars{fill:var(--bad)}.marks{fill:var(--bad);"
    "fill-opacity:.35}\n"
    "details{margin:.75rem 0}summary{cursor:pointer;color:var(--link)}.wide,.scroll{overflow-x:auto}.wide "
    "th{white-space:nowrap}\n"
    ":focus-visible{outline:.2rem solid var(--link);outline-offset:.15rem}\n"
    "@media (max-width:34rem){th,td{padding:.25rem .2rem}.outcomes{font-size:.9375rem}\n"
    ".servers thead{position:absolute;clip-path:inset(50%)}\n"
    ".servers tr{display:grid;grid-template-columns:1fr 1fr;border-bottom:1px solid var(--line);padding:.5rem 0}\n"
    ".servers th,.servers td{border:0;padding:.1rem 0;text-align:left}\n"
    ".servers th,.servers .words{grid-column:1/3}.servers td[data-of]::before{content:attr(data-of) \" \";"
    "color:var(--dim)}}\n"
    "@media print{body{max-width:none;padding:0}nav{display:none}tr,.say,figure{break-inside:avoid}}\n";

static const char *format_duration(apr_pool_t *pool, apr_interval_time_t interval)
{
    const apr_int64_t seconds = apr_time_sec(interval), minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (days) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "\u00a0d %" APR_INT64_T_FMT "\u00a0h", days, hours % 24);
    }
    if (hours) {
        return apr_psprintf(pool, "%" APR_INT64_T_FMT "\u00a0h %" APR_INT64_T_FMT "\u00a0min", hours, minutes % 60);
    }
    return minutes
               ? apr_psprintf(pool, "%" APR_INT64_T_FMT "\u00a0min %" APR_INT64_T_FMT "\u00a0s", minutes, seconds % 60)
               : apr_psprintf(pool, "%" APR_INT64_T_FMT "\u00a0s", seconds);
}

/* ---- faults ---- */

static apr_uint64_t sum_class(const apr_uint64_t *of, as_class class_id)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        sum += as_outcome_describe((as_outcome)i)->of == class_id ? of[i] : 0;
    }
    return sum;
}

static void say_outages(as_output *html, const as_figures *figures, as_class class_id, const char *what)
{
    const apr_uint64_t count = sum_class(figures->lately, class_id);
    const char *separator = "";
    int i;

    if (!count) {
        return;
    }
    as_output_add(html, "<p class=\"say bad\">%s in the last %s:", what, format_duration(html->pool, figures->within));
    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        const as_outcome_info *outcome = as_outcome_describe((as_outcome)i);
        if (outcome->of == class_id && figures->lately[i]) {
            as_output_add(html, "%s %" APR_UINT64_T_FMT " %s", separator, figures->lately[i], outcome->name);
            separator = ",";
        }
    }
    as_output_add(html, ". The error log says why.</p>\n");
}

/* Reports logins by stale answers of the cache: they are granted, and each is an outage all the same. */
static void say_stale(as_output *html, const as_figures *figures)
{
    const apr_uint64_t count = figures->lately[AS_OUTCOME_GRANTED_STALE];

    if (count) {
        as_output_add(html,
                      "<p class=\"say bad\">Logins granted by the cache while the directory was away, in the last %s: "
                      "%" APR_UINT64_T_FMT " %s. The error log says why.</p>\n",
                      format_duration(html->pool, figures->within), count,
                      as_outcome_describe(AS_OUTCOME_GRANTED_STALE)->name);
    }
}

static bool is_well(const as_figures *figures)
{
    bool open = false;
    int i;

    for (i = 0; i < figures->servers->nelts; i++) {
        open = open || APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures).circuit_open;
    }
    return !open && !figures->lately[AS_OUTCOME_GRANTED_STALE] && !sum_class(figures->lately, AS_CLASS_UNAVAILABLE) &&
           !sum_class(figures->lately, AS_CLASS_MISCONFIGURED);
}

/* Returns whether no recent outcome says anything about a directory: nobody sent a name and a password that was judged.
 */
static bool is_untried(const as_figures *figures)
{
    static const as_outcome of_requests[] = {AS_OUTCOME_NO_CREDENTIALS, AS_OUTCOME_MALFORMED_CREDENTIALS,
                                             AS_OUTCOME_EMPTY_PASSWORD, AS_OUTCOME_ACCESS_DENIED, AS_OUTCOME_THROTTLED};
    apr_uint64_t judged = 0;
    apr_size_t i;

    for (i = 0; i < AS_OUTCOME_COUNT; i++) {
        judged += figures->lately[i];
    }
    for (i = 0; i < sizeof(of_requests) / sizeof(*of_requests); i++) {
        judged -= figures->lately[of_requests[i]];
    }
    return judged == 0;
}

static void say_what_is_the_matter(as_output *html, const as_figures *figures)
{
    int i;

    if (is_well(figures) && is_untried(figures)) {
        as_output_add(html,
                      "<p class=\"say\"><strong>No login in the last %s.</strong> Whether logins are well is not "
                      "known.</p>\n",
                      format_duration(html->pool, figures->within));
        return;
    }
    if (is_well(figures)) {
        as_output_add(html,
                      "<p class=\"say good\"><strong>Logins are well.</strong> No outage and no mistake in the "
                      "configuration occurred in the last %s.</p>\n",
                      format_duration(html->pool, figures->within));
        return;
    }
    as_output_add(html, "<p class=\"say bad\"><strong>Logins are in trouble.</strong></p>\n");
    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);
        if (server->circuit_open) {
            as_output_add(html, "<p class=\"say bad\"><strong>%s</strong> does not answer: %s.</p>\n",
                          ap_escape_html(html->pool, server->server),
                          as_describe_ldap_server(html->pool, server, figures->now));
        }
    }
    say_stale(html, figures);
    say_outages(html, figures, AS_CLASS_UNAVAILABLE, "Logins that could not be checked");
    say_outages(html, figures, AS_CLASS_MISCONFIGURED, "Logins that failed for a mistake in the configuration");
}

static void add_tile(as_output *html, const char *name, const char *tone, apr_uint64_t lately)
{
    as_output_add(html, "<div class=\"%s\"><dt>%s</dt><dd>%" APR_UINT64_T_FMT "</dd></div>\n", tone, name, lately);
}

/* Adds the key figures of logins. */
static void add_glance(as_output *html, const as_figures *figures)
{
    const apr_uint64_t failed =
        sum_class(figures->lately, AS_CLASS_UNAVAILABLE) + sum_class(figures->lately, AS_CLASS_MISCONFIGURED);

    as_output_add(html, "<p class=\"dim\">In the last %s:</p>\n<dl class=\"glance\">\n",
                  format_duration(html->pool, figures->within));
    add_tile(html, "signed in", "", sum_class(figures->lately, AS_CLASS_GRANTED));
    add_tile(html, "not signed in", "", sum_class(figures->lately, AS_CLASS_UNAUTHENTICATED));
    add_tile(html, "account refused", "", sum_class(figures->lately, AS_CLASS_REFUSED));
    add_tile(html, "not allowed", "", sum_class(figures->lately, AS_CLASS_FORBIDDEN));
    add_tile(html, "throttled", "", sum_class(figures->lately, AS_CLASS_THROTTLED));
    add_tile(html, "could not be checked", failed ? "bad" : "", failed);
    as_output_add(html, "</dl>\n");
}

/* ---- the tables ---- */

typedef struct as_row {
    const char *name, *row_class, *cell_class;
    apr_uint64_t count, lately;
} as_row;

static void add_row(as_output *html, const as_figures *figures, const as_row *row)
{
    as_output_add(html,
                  "<tr class=\"%s%s\"><th scope=\"row\" class=\"%s\">%s</th><td>%" APR_UINT64_T_FMT
                  "</td><td>%" APR_UINT64_T_FMT "</td><td>%.1f</td></tr>\n",
                  row->row_class, row->count ? "" : " none", row->cell_class, row->name, row->count, row->lately,
                  as_figures_compute_per_minute(figures, row->lately));
}

static void add_outcomes(as_output *html, const as_figures *figures)
{
    int i, j;

    as_output_add(html,
                  "<h2 id=\"outcomes\">Outcomes</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
                  "aria-labelledby=\"outcomes\">"
                  "<table class=\"outcomes\" aria-labelledby=\"outcomes\">\n<thead><tr>"
                  "<th scope=\"col\">outcome</th><th scope=\"col\">total</th><th scope=\"col\">last %s</th>"
                  "<th scope=\"col\">per min</th></tr></thead>\n",
                  format_duration(html->pool, figures->within));
    for (i = 0; i < AS_CLASS_COUNT; i++) {
        const as_row sums = {.name = as_class_describe((as_class)i)->name,
                             .row_class = "class",
                             .cell_class = "",
                             .count = sum_class(figures->outcomes, (as_class)i),
                             .lately = sum_class(figures->lately, (as_class)i)};

        as_output_add(html, "<tbody>\n");
        add_row(html, figures, &sums);
        for (j = 0; i != AS_CLASS_THROTTLED && j < AS_OUTCOME_COUNT; j++) {
            const as_outcome_info *outcome = as_outcome_describe((as_outcome)j);
            if (outcome->of == (as_class)i) {
                add_row(html, figures,
                        &(as_row){.name = outcome->name,
                                  .row_class = "",
                                  .cell_class = "in",
                                  .count = figures->outcomes[j],
                                  .lately = figures->lately[j]});
            }
        }
        as_output_add(html, "</tbody>\n");
    }
    as_output_add(html, "</table></div>\n");
}

static void add_servers(as_output *html, const as_figures *figures)
{
    int i;

    as_output_add(html, "<h2 id=\"servers\">Directory servers</h2>\n");
    if (!figures->servers->nelts) {
        as_output_add(html, "<p>None was queried since the configuration was last read.</p>\n");
        return;
    }
    as_output_add(html,
                  "<table class=\"servers\" aria-labelledby=\"servers\">\n<thead><tr><th scope=\"col\">server</th>"
                  "<th scope=\"col\" class=\"words\">state</th><th scope=\"col\">questions</th>"
                  "<th scope=\"col\">sessions</th><th scope=\"col\">latency</th></tr></thead>\n<tbody>\n");
    for (i = 0; i < figures->servers->nelts; i++) {
        const as_ldap_server_figures *server = &APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures);
        as_output_add(html,
                      "<tr><th scope=\"row\">%s</th><td class=\"words\">%s</td>"
                      "<td data-of=\"questions\">%" APR_UINT64_T_FMT "</td><td data-of=\"sessions\">%d</td>"
                      "<td data-of=\"latency\">%s</td></tr>\n",
                      ap_escape_html(html->pool, server->server),
                      as_describe_ldap_server(html->pool, server, figures->now), server->questions, server->sessions,
                      as_describe_latency(html->pool, server));
    }
    as_output_add(html,
                  "</tbody>\n</table>\n%s<p class=\"dim\">Questions count since the configuration was last read; "
                  "sessions are of all processes, as each saw it at its last query; latency is of one operation, "
                  "a moving average.</p>\n",
                  figures->more_servers ? "<p>There are more servers than can be shown.</p>\n" : "");
}

static void add_counts(as_output *html, const as_figures *figures, as_counter from, as_counter to)
{
    int i;

    for (i = from; i < (int)to; i++) {
        as_output_add(html, "<li>%s: %" APR_UINT64_T_FMT "</li>\n", as_counter_get_help((as_counter)i),
                      figures->counts[i]);
    }
}

static void add_memory(as_output *html, const as_figures *figures)
{
    const apr_uint64_t hits = figures->counts[AS_COUNTER_cache_hits];
    const apr_uint64_t lookups = hits + figures->counts[AS_COUNTER_cache_misses];

    as_output_add(html, "<h2>Cache and throttle</h2>\n<ul>\n");
    if (!figures->has_cache) {
        as_output_add(html, "<li>Nothing is cached: AuthStatusCache is Off.</li>\n");
    } else if (lookups) {
        as_output_add(html, "<li>%.0f %% of the questions were answered from the cache.</li>\n",
                      100.0 * (double)hits / (double)lookups);
    }
    add_counts(html, figures, (as_counter)0, AS_COUNTER_require_yes);
    if (figures->throttles) {
        as_output_add(html, "<li>logins that were throttled: %" APR_UINT64_T_FMT "</li>\n",
                      figures->outcomes[AS_OUTCOME_THROTTLED]);
    } else {
        as_output_add(html, "<li>No section has a throttle.</li>\n");
    }
    as_output_add(html, "</ul>\n");
}

static void add_authorization(as_output *html, const as_figures *figures)
{
    const apr_uint64_t *counts = figures->counts;
    const apr_uint64_t lines =
        counts[AS_COUNTER_require_yes] + counts[AS_COUNTER_require_no] + counts[AS_COUNTER_require_unknown];

    as_output_add(html, "<h2>Authorization</h2>\n<ul>\n");
    if (lines) {
        as_output_add(html, "<li>%.0f %% of the lines of Require ldap-* cost the directory nothing.</li>\n",
                      100.0 * (double)counts[AS_COUNTER_require_cached] / (double)lines);
    }
    add_counts(html, figures, AS_COUNTER_require_yes, AS_COUNTER_COUNT);
    as_output_add(html, "</ul>\n");
}

const char *as_report_make_html(request_rec *r, const as_figures *figures, int refresh)
{
    as_output html = as_output_begin(r->pool);
    const char *host = ap_escape_html(r->pool, ap_get_server_name(r));

    as_output_add(&html,
                  "<!DOCTYPE html>\n<html lang=\"en\"><head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<title>Logins at %s</title>\n<style>\n%s</style>\n</head><body>\n<main>\n<h1>Logins at %s</h1>\n"
                  "<p class=\"dim\">As of %s; counted since %s (%s), by all processes and virtual hosts.</p>\n",
                  host, style, host, as_report_format_time(r->pool, figures->now),
                  as_report_format_time(r->pool, figures->since),
                  format_duration(r->pool, figures->now - figures->since));
    say_what_is_the_matter(&html, figures);
    add_glance(&html, figures);
    as_series_add_html(&html, figures);
    add_servers(&html, figures);
    add_outcomes(&html, figures);
    add_memory(&html, figures);
    add_authorization(&html, figures);
    as_output_add(&html,
                  "</main>\n<nav aria-label=\"other forms\">%s &middot; <a href=\"?json\">JSON</a> &middot; "
                  "<a href=\"?metrics\">Prometheus</a> &middot; mod_authstatus " AUTHSTATUS_VERSION
                  "</nav>\n</body></html>\n",
                  refresh ? apr_psprintf(r->pool, "<a href=\"?\">Do not refresh any more</a> (every %d s)", refresh)
                          : "<a href=\"?refresh=30\">Refresh every 30 s</a>");
    return as_output_end(&html);
}
