/* SPDX-License-Identifier: Apache-2.0
 *
 * Three values: chooses the combinations of values for the lines in doubt, and interprets the results.
 *
 * httpd does not evaluate lines that cannot change the result any more, so a run depends only on the lines that it
 * evaluated. The combinations are tried along paths: the last line of a path that was yes becomes no, the lines before
 * it keep their values, the lines after it are evaluated anew. Each combination that a run can distinguish is run once.
 *
 * Where there are more lines, or more combinations, than may be tried, the runs with all lines yes and with all lines
 * no still decide if a yes of each line leads the same way: httpd's containers are monotonic.
 */
#include "authstatus/three_values.h"

#include <stddef.h>

static bool is_mixed(const as_trials *trials)
{
    return (trials->seen & (trials->seen - 1)) != 0;
}

static bool must_vary(const as_trials *trials, as_doubt doubt)
{
    return doubt == AS_DOUBT_UNKNOWN || trials->stage == AS_TRIAL_NEGATIONS;
}

static bool has_line_of(const as_trials *trials, as_doubt doubt)
{
    return trials->ways[doubt] != 0;
}

/* Does a yes of each line that varies lead the same way? */
static bool has_one_way(const as_trials *trials)
{
    const unsigned ways =
        trials->ways[AS_DOUBT_UNKNOWN] | (trials->stage == AS_TRIAL_NEGATIONS ? trials->ways[AS_DOUBT_NEGATION] : 0);

    return ways != AS_YES_EITHER;
}

/* ---- the next run ---- */

static bool begin(as_trials *trials, as_trial_stage stage, bool fallback)
{
    int i;

    for (i = 0; i < trials->line_count; i++) {
        trials->lines[i].evaluated = trials->lines[i].given = false;
    }
    trials->stage = stage;
    trials->fallback = fallback;
    trials->path.length = 0;
    trials->runs++;
    return true;
}

/* Prescribes the first `length` steps of the path; lines evaluated after them are yes. */
static bool begin_along(as_trials *trials, int length)
{
    const as_trial_step *step = trials->path.steps, *end = step + length;

    begin(trials, trials->stage, true);
    for (; step < end; step++) {
        trials->lines[step->line].given = true;
        trials->lines[step->line].yes = step->yes;
    }
    return true;
}

/* Prepares the combination that follows the path. Returns false if none is left. */
static bool begin_next_combination(as_trials *trials)
{
    as_trial_step *steps = trials->path.steps;
    int length = trials->path.length, yes = 0, i;

    while (length > 0 && !steps[length - 1].yes) {
        length--;
    }
    if (length == 0) {
        return false;
    }
    steps[length - 1].yes = false;
    for (i = 0; i < length; i++) {
        yes += steps[i].yes;
    }
    /* The second run had all lines no already. */
    return (yes > 0 || length != trials->all_no_length) && begin_along(trials, length);
}

/* Starts to vary the lines of AS_DOUBT_NEGATION, after every run has granted with them as no. */
static bool begin_negations(as_trials *trials)
{
    if (trials->seen != 1U << AS_TRIAL_GRANTED || !has_line_of(trials, AS_DOUBT_NEGATION)) {
        return false;
    }
    trials->all_no_length = -1;
    return begin(trials, AS_TRIAL_NEGATIONS, true);
}

/* Ends the combinations of a stage that are too many: what was tried decides if all lines lead one way. */
static bool skip_combinations(as_trials *trials)
{
    trials->exhausted = !has_one_way(trials);
    return !trials->exhausted && trials->stage != AS_TRIAL_NEGATIONS && begin_negations(trials);
}

/* One run is left for the first of the negations. */
static bool are_too_many(const as_trials *trials)
{
    const bool one_way = has_one_way(trials);

    return (trials->crowded && (trials->stage >= AS_TRIAL_ALL_NO || !one_way)) || trials->runs == AS_TRIALS_MOST ||
           (trials->runs == AS_TRIALS_MOST - 1 && trials->stage == AS_TRIAL_COMBINATIONS && one_way);
}

bool as_trials_begin_next(as_trials *trials)
{
    if (is_mixed(trials) || trials->exhausted) {
        return false;
    }
    if (are_too_many(trials)) {
        return skip_combinations(trials);
    }
    switch (trials->stage) {
    case AS_TRIAL_BEGIN:
        return begin(trials, AS_TRIAL_ALL_YES, true);
    case AS_TRIAL_ALL_YES:
        if (!has_line_of(trials, AS_DOUBT_UNKNOWN)) {
            return begin_negations(trials);
        }
        trials->all_yes = trials->path;
        return begin(trials, AS_TRIAL_ALL_NO, false);
    case AS_TRIAL_ALL_NO:
        trials->all_no_length = trials->path.length;
        trials->path = trials->all_yes;
        trials->stage = AS_TRIAL_COMBINATIONS;
        return begin_next_combination(trials) || begin_negations(trials);
    case AS_TRIAL_COMBINATIONS:
        return begin_next_combination(trials) || begin_negations(trials);
    case AS_TRIAL_NEGATIONS:
        return begin_next_combination(trials);
    }
    return false;
}

/* ---- within a run ---- */

static as_trial_line *find_line(as_trials *trials, const void *question)
{
    as_trial_line *line;

    for (line = trials->lines; line < trials->lines + trials->line_count; line++) {
        if (line->question == question) {
            return line;
        }
    }
    if (trials->line_count == AS_TRIAL_LINES_MOST) {
        return NULL;
    }
    trials->line_count++;
    line->question = question;
    line->evaluated = line->given = false;
    return line;
}

bool as_trials_get_value(as_trials *trials, const void *question, as_doubt doubt, as_way_of_yes way, int severity)
{
    as_trial_line *line = find_line(trials, question);
    as_trial_step *step;

    trials->ways[doubt] |= (unsigned)way;
    if (!line) {
        trials->crowded = true;
        return must_vary(trials, doubt) && trials->fallback;
    }
    if (line->evaluated) {
        return line->yes;
    }
    line->evaluated = true;
    line->doubt = doubt;
    line->severity = severity;
    if (!must_vary(trials, doubt)) {
        line->yes = false;
        return false;
    }
    if (!line->given) {
        line->yes = trials->fallback;
    }
    step = &trials->path.steps[trials->path.length++];
    step->line = (unsigned char)(line - trials->lines);
    step->yes = line->yes;
    return line->yes;
}

void as_trials_add_result(as_trials *trials, as_trial_result result)
{
    trials->seen |= 1U << (result < AS_TRIAL_RESULTS ? result : AS_TRIAL_OTHER);
}

/* ---- the decision ---- */

/* Returns the line that gives the status. Where the unknown lines changed nothing, it is a line of
 * AS_DOUBT_NEGATION. */
static const void *find_worst(const as_trials *trials)
{
    const as_doubt of = trials->stage == AS_TRIAL_NEGATIONS ? AS_DOUBT_NEGATION : AS_DOUBT_UNKNOWN;
    const as_trial_line *line, *found = NULL;

    for (line = trials->lines; line < trials->lines + trials->line_count; line++) {
        if (line->doubt == of && (!found || line->severity > found->severity)) {
            found = line;
        }
    }
    return found ? found->question : NULL;
}

bool as_trials_decide(const as_trials *trials, as_trial_result *result, const void **question)
{
    unsigned bit;

    *question = NULL;
    *result = AS_TRIAL_OTHER;
    if (trials->exhausted || is_mixed(trials) || !trials->seen) {
        *question = find_worst(trials);
        return false;
    }
    for (bit = 0; trials->seen >> bit != 1; bit++) {
    }
    *result = (as_trial_result)bit;
    return true;
}
