/* SPDX-License-Identifier: Apache-2.0
 *
 * The last hour and the last day on the report page: a pair of plots for each class of outcomes, the cache's share,
 * lines of Require and each LDAP server; the numbers as text beside them, and all of them in folded tables.
 */
#include "answer.h"

#include <apr_strings.h>

#define MOST_SLOTS AS_SERIES_DAY_SLOTS

typedef enum as_series_kind { COUNT, SHARE, LATENCY } as_series_kind;

/* A plot, and a column of the tables. */
typedef struct as_series_column {
    const char *name, *tone;
    as_series_kind kind;
    double values[AS_SERIES_RINGS][MOST_SLOTS]; /* the oldest first; below 0: not known */
    bool marks[AS_SERIES_RINGS][MOST_SLOTS];
} as_series_column;

static const char *const ring_names[AS_SERIES_RINGS] = {"last hour", "last day"};
static const char *const slot_names[AS_SERIES_RINGS] = {"minute", "quarter of an hour"};

/* ---- columns ---- */

static as_series_column *push(apr_array_header_t *columns, const char *name, const char *tone, as_series_kind kind)
{
    as_series_column *column = apr_array_push(columns);

    memset(column, 0, sizeof(*column));
    column->name = name;
    column->tone = tone;
    column->kind = kind;
    return column;
}

static double compute_share(const as_series_point *point)
{
    const double hits = point->counters[AS_SERIES_cache_hits];
    const double all = hits + point->counters[AS_SERIES_cache_misses];

    return all > 0 ? 100 * hits / all : -1;
}

static void fill_counts(as_series_column *first, as_series_ring ring, int64_t now)
{
    const int slots = as_series_get_slots(ring);
    as_series_point point;
    int slot, i;

    for (slot = 0; slot < slots; slot++) {
        as_series_column *column = first;
        const bool known = as_series_read(as_process_get_series(), ring, slots - 1 - slot, now, &point);

        for (i = 0; i < AS_CLASS_COUNT; i++, column++) {
            column->values[ring][slot] = known ? (double)point.classes[i] : -1;
        }
        for (i = AS_SERIES_require_yes; i <= AS_SERIES_require_unknown; i++, column++) {
            column->values[ring][slot] = known ? (double)point.counters[i] : -1;
        }
        column->values[ring][slot] = known ? compute_share(&point) : -1;
    }
}

static void fill_server(as_series_column *column, as_series_ring ring, int64_t now)
{
    const int slots = as_series_get_slots(ring);
    as_series_server_point point;
    int slot;

    for (slot = 0; slot < slots; slot++) {
        as_series_read_server(as_process_get_series(), ring, slots - 1 - slot, now, column->name, &point);
        column->values[ring][slot] = point.latency ? (double)point.latency / 1000 : -1;
        column->marks[ring][slot] = point.circuit_open;
    }
}

static const char *choose_tone(as_class class_id)
{
    return class_id == AS_CLASS_GRANTED                                             ? "fine"
           : class_id == AS_CLASS_UNAVAILABLE || class_id == AS_CLASS_MISCONFIGURED ? "wrong"
                                                                                    : "plain";
}

static const apr_array_header_t *make_columns(apr_pool_t *pool, const as_figures *figures)
{
    apr_array_header_t *columns = apr_array_make(pool, AS_CLASS_COUNT + 8, sizeof(as_series_column));
    const int64_t now = apr_time_sec(figures->now);
    int i, first;

    for (i = 0; i < AS_CLASS_COUNT; i++) {
        push(columns, as_class_describe((as_class)i)->name, choose_tone((as_class)i), COUNT);
    }
    push(columns, "Require ldap-*: yes", "fine", COUNT);
    push(columns, "Require ldap-*: no", "plain", COUNT);
    push(columns, "Require ldap-*: could not be answered", "wrong", COUNT);
    push(columns, "answered from the cache", "plain", SHARE);
    first = columns->nelts;
    for (i = 0; i < figures->servers->nelts; i++) {
        push(columns, APR_ARRAY_IDX(figures->servers, i, as_ldap_server_figures).server, "plain", LATENCY);
    }
    for (i = 0; i < AS_SERIES_RINGS; i++) {
        int server;

        fill_counts(&APR_ARRAY_IDX(columns, 0, as_series_column), (as_series_ring)i, now);
        for (server = first; server < columns->nelts; server++) {
            fill_server(&APR_ARRAY_IDX(columns, server, as_series_column), (as_series_ring)i, now);
        }
    }
    return columns;
}

/* ---- plots ---- */

typedef struct as_series_sums {
    double sum, most;
    int known, marked, slots;
} as_series_sums;

static as_series_sums sum_up(const as_series_column *column, as_series_ring ring)
{
    as_series_sums sums = {.slots = as_series_get_slots(ring)};
    int i;

    for (i = 0; i < sums.slots; i++) {
        const double value = column->values[ring][i];

        sums.known += value >= 0;
        sums.sum += value > 0 ? value : 0;
        sums.most = value > sums.most ? value : sums.most;
        sums.marked += column->marks[ring][i];
    }
    return sums;
}

static bool is_empty(const as_series_column *column)
{
    int ring;

    for (ring = 0; ring < AS_SERIES_RINGS; ring++) {
        const as_series_sums sums = sum_up(column, (as_series_ring)ring);

        if (sums.sum > 0 || sums.marked || (sums.known && column->kind != COUNT)) {
            return false;
        }
    }
    return true;
}

static bool are_empty(const apr_array_header_t *columns)
{
    bool empty = true;
    int i;

    for (i = 0; i < columns->nelts; i++) {
        empty = empty && is_empty(&APR_ARRAY_IDX(columns, i, as_series_column));
    }
    return empty;
}

/* Formats "last hour: 340, at most 12 in a minute". */
static const char *describe(apr_pool_t *pool, const as_series_column *column, as_series_ring ring)
{
    const as_series_sums sums = sum_up(column, ring);
    const char *open =
        sums.marked ? apr_psprintf(pool, "; circuit breaker open in %d of %d", sums.marked, sums.slots) : "";

    if (column->kind == COUNT && sums.sum <= 0) {
        return apr_psprintf(pool, "%s: none", ring_names[ring]);
    }
    if (column->kind == COUNT) {
        return apr_psprintf(pool, "%s: %.0f, at most %.0f in a %s", ring_names[ring], sums.sum, sums.most,
                            slot_names[ring]);
    }
    if (!sums.known) {
        return apr_psprintf(pool, "%s: not queried%s", ring_names[ring], open);
    }
    if (column->kind == SHARE) {
        return apr_psprintf(pool, "%s: %.0f %% on average", ring_names[ring], sums.sum / sums.known);
    }
    return apr_psprintf(pool, "%s: %.1f ms on average, at most %.1f ms%s", ring_names[ring], sums.sum / sums.known,
                        sums.most, open);
}

static void add_figure(as_output *html, const as_series_column *column)
{
    int ring;

    as_output_add(html, "<figure><figcaption>%s</figcaption>\n", ap_escape_html(html->pool, column->name));
    for (ring = 0; ring < AS_SERIES_RINGS; ring++) {
        const char *words = describe(html->pool, column, (as_series_ring)ring);
        as_plot plot = {.label = apr_psprintf(html->pool, "%s, %s", column->name, words),
                        .tone = column->tone,
                        .points = as_series_get_slots((as_series_ring)ring),
                        .values = column->values[ring],
                        .marks = column->kind == LATENCY ? column->marks[ring] : NULL};

        plot.top = column->kind == SHARE ? 100 : sum_up(column, (as_series_ring)ring).most;
        as_output_add(html, "<div>");
        as_plot_add(html, &plot);
        as_output_add(html, "<p class=\"dim\">%s</p></div>\n", words);
    }
    as_output_add(html, "</figure>\n");
}

static void add_plots(as_output *html, const apr_array_header_t *columns)
{
    const char *separator = "";
    int i;

    as_output_add(html, "<div class=\"plots\">\n");
    for (i = 0; i < columns->nelts; i++) {
        const as_series_column *column = &APR_ARRAY_IDX(columns, i, as_series_column);

        if (!is_empty(column)) {
            add_figure(html, column);
        }
    }
    as_output_add(html, "</div>\n");
    for (i = 0; i < columns->nelts; i++) {
        const as_series_column *column = &APR_ARRAY_IDX(columns, i, as_series_column);

        if (is_empty(column)) {
            as_output_add(html, "%s%s",
                          *separator ? separator : "<p class=\"dim\">Nothing counted or measured in the last day: ",
                          ap_escape_html(html->pool, column->name));
            separator = "; ";
        }
    }
    as_output_add(html, "%s", *separator ? ".</p>\n" : "");
}

/* ---- tables ---- */

static void add_cell(as_output *html, const as_series_column *column, as_series_ring ring, int slot)
{
    const double value = column->values[ring][slot];
    const char *open = column->marks[ring][slot] ? " open" : "";

    if (value < 0) {
        as_output_add(html, "<td>%s</td>", *open ? "open" : "&ndash;");
    } else if (column->kind == COUNT) {
        as_output_add(html, "<td>%.0f</td>", value);
    } else {
        as_output_add(html, "<td>%.*f %s%s</td>", column->kind == SHARE ? 0 : 1, value,
                      column->kind == SHARE ? "%" : "ms", open);
    }
}

/* Returns whether a slot has any event. */
static bool has_news(const apr_array_header_t *columns, as_series_ring ring, int slot)
{
    int i;

    for (i = 0; i < columns->nelts; i++) {
        const as_series_column *column = &APR_ARRAY_IDX(columns, i, as_series_column);

        if (column->values[ring][slot] > 0 || column->marks[ring][slot]) {
            return true;
        }
    }
    return false;
}

static const char *format_clock_time(apr_pool_t *pool, apr_int64_t when)
{
    return apr_psprintf(pool, "%02d:%02d", (int)(when / 3600 % 24), (int)(when / 60 % 60));
}

static void add_table(as_output *html, const apr_array_header_t *columns, const as_figures *figures,
                      as_series_ring ring)
{
    const int slots = as_series_get_slots(ring), step = as_series_get_step(ring);
    const apr_int64_t newest = apr_time_sec(figures->now) / step * step;
    int slot, i;

    as_output_add(html,
                  "<details><summary id=\"table-%d\">The %s in numbers</summary>\n<div class=\"wide\" tabindex=\"0\" "
                  "role=\"group\" aria-labelledby=\"table-%d\"><table aria-labelledby=\"table-%d\">\n"
                  "<thead><tr><th scope=\"col\">from (UTC)</th>",
                  ring, ring_names[ring], ring, ring);
    for (i = 0; i < columns->nelts; i++) {
        as_output_add(html, "<th scope=\"col\">%s</th>",
                      ap_escape_html(html->pool, APR_ARRAY_IDX(columns, i, as_series_column).name));
    }
    as_output_add(html, "</tr></thead>\n<tbody>\n");
    for (slot = slots - 1; slot >= 0; slot--) {
        if (!has_news(columns, ring, slot)) {
            continue;
        }
        as_output_add(html, "<tr><th scope=\"row\">%s</th>",
                      format_clock_time(html->pool, newest - (apr_int64_t)(slots - 1 - slot) * step));
        for (i = 0; i < columns->nelts; i++) {
            add_cell(html, &APR_ARRAY_IDX(columns, i, as_series_column), ring, slot);
        }
        as_output_add(html, "</tr>\n");
    }
    as_output_add(html, "</tbody></table></div>\n<p class=\"dim\">What has no row had no login.</p></details>\n");
}

void as_series_add_html(as_output *html, const as_figures *figures)
{
    const apr_array_header_t *columns;
    int ring;

    if (!as_process_get_series()) {
        return;
    }
    columns = make_columns(html->pool, figures);
    as_output_add(html, "<h2 id=\"series\">The last hour and the last day</h2>\n");
    if (are_empty(columns)) {
        as_output_add(html, "<p>There was no login in the last day.</p>\n");
        return;
    }
    add_plots(html, columns);
    for (ring = 0; ring < AS_SERIES_RINGS; ring++) {
        add_table(html, columns, figures, (as_series_ring)ring);
    }
}
