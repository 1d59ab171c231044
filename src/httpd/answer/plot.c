/* SPDX-License-Identifier: Apache-2.0
 *
 * A plot as inline SVG: a bar for each period, a base line where something was measured. The numbers are also given as
 * text; colours come from the style sheet.
 */
#include "answer.h"

#include <apr_strings.h>

/* In units of the view: a bar with the gap after it, and the total height. */
#define STEP 4
#define BAR 3
#define HEIGHT 40

/* Returns the height of a bar. A value above 0 is visible. */
static double compute_height(double value, double top)
{
    const double height = top > 0 ? value / top * HEIGHT : 0;

    if (value <= 0) {
        return 0;
    }
    return height < 1 ? 1 : height > HEIGHT ? HEIGHT : height;
}

static void add_bars(as_output *html, const as_plot *plot)
{
    int i;

    as_output_add(html, "<path class=\"bars\" d=\"");
    for (i = 0; i < plot->points; i++) {
        const double height = compute_height(plot->values[i], plot->top);

        if (height > 0) {
            as_output_add(html, "M%d %dv-%.1fh%dv%.1fz", i * STEP, HEIGHT, height, BAR, height);
        }
    }
    as_output_add(html, "\"/>");
}

/* Adds marks, from top to bottom, behind the bars. */
static void add_marks(as_output *html, const as_plot *plot)
{
    bool any = false;
    int i;

    for (i = 0; plot->marks && i < plot->points; i++) {
        if (plot->marks[i]) {
            as_output_add(html, "%sM%d 0h%dv%dh-%dz", any ? "" : "<path class=\"marks\" d=\"", i * STEP, STEP, HEIGHT,
                          STEP);
            any = true;
        }
    }
    as_output_add(html, "%s", any ? "\"/>" : "");
}

static void add_base(as_output *html, const as_plot *plot)
{
    int i, begin;

    as_output_add(html, "<path class=\"base\" d=\"");
    for (i = 0; i < plot->points; i++) {
        for (begin = i; i < plot->points && plot->values[i] >= 0; i++) {
        }
        if (i > begin) {
            as_output_add(html, "M%d %dH%d", begin * STEP, HEIGHT, i * STEP);
        }
    }
    as_output_add(html, "\"/>");
}

void as_plot_add(as_output *html, const as_plot *plot)
{
    as_output_add(html,
                  "<svg class=\"%s\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %d %d\" "
                  "preserveAspectRatio=\"none\">",
                  plot->tone, ap_escape_html(html->pool, plot->label), plot->points * STEP, HEIGHT);
    add_marks(html, plot);
    add_base(html, plot);
    add_bars(html, plot);
    as_output_add(html, "</svg>");
}
