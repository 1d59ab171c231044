/* SPDX-License-Identifier: Apache-2.0
 *
 * Three values: decides an authorization in which some lines of Require are unknown.
 *
 * httpd evaluates a tree of lines that this module cannot see: the module can only run the evaluation with a value for
 * each line of its own. The result is decided if it is the same for all values of the unknown lines. Each run reports
 * the unknown lines that it evaluated, and the next run takes other values for them, until two runs differ or no
 * combination is left.
 *
 * Source: AUTHORIZATION "Three values". Pure functions on values: no allocation, no clock, no lock; a structure belongs
 * to one thread.
 */
#ifndef AUTHSTATUS_THREE_VALUES_H
#define AUTHSTATUS_THREE_VALUES_H

#include <stdbool.h>

#define AS_TRIALS_MOST 64      /* runs of one decision */
#define AS_TRIAL_LINES_MOST 64 /* unknown lines of one decision whose combinations are tried */

/* The reason why a line is neither yes nor no. */
typedef enum as_doubt {
    AS_DOUBT_UNKNOWN,  /* it may be yes or no */
    AS_DOUBT_NEGATION, /* it counts as no, unless a yes would refuse a request that the no grants (a group that does not
                          exist) */
    AS_DOUBT_COUNT
} as_doubt;

/* Where a yes leads. Lines that all lead one way need no combinations: of their values, all yes and all no are the best
 * and the worst. */
typedef enum as_way_of_yes {
    AS_YES_RAISES = 1, /* outside of negations */
    AS_YES_LOWERS = 2, /* within one */
    AS_YES_EITHER = 3  /* not known */
} as_way_of_yes;

/* How a run ended. Two runs with different results are a difference. */
typedef enum as_trial_result {
    AS_TRIAL_GRANTED,
    AS_TRIAL_REFUSED,
    AS_TRIAL_OTHER, /* neither: an error of another module's line, or authentication is needed first */
    AS_TRIAL_RESULTS
} as_trial_result;

/* A line in doubt, identified by its question: two lines with the same question have the same value. */
typedef struct as_trial_line {
    const void *question;
    as_doubt doubt;
    int severity;   /* the line with the highest gives the status; of several, the one evaluated first */
    bool evaluated; /* evaluated in this run */
    bool given;     /* this run prescribes its value, `yes` */
    bool yes;       /* its value in this run */
} as_trial_line;

/* A line whose value matters to a run, and the value that it had. */
typedef struct as_trial_step {
    unsigned char line;
    bool yes;
} as_trial_step;

typedef struct as_trial_path {
    int length;
    as_trial_step steps[AS_TRIAL_LINES_MOST];
} as_trial_path;

typedef enum as_trial_stage {
    AS_TRIAL_BEGIN,
    AS_TRIAL_ALL_YES,
    AS_TRIAL_ALL_NO,
    AS_TRIAL_COMBINATIONS,
    AS_TRIAL_NEGATIONS /* lines of AS_DOUBT_NEGATION vary, too */
} as_trial_stage;

/* A decision in progress. Zero it before the first run. */
typedef struct as_trials {
    as_trial_stage stage;
    int runs;
    bool fallback;                 /* the value of lines that this run does not prescribe */
    bool crowded;                  /* more lines than have a place: these have the fallback as value */
    bool exhausted;                /* too many runs or lines */
    unsigned ways[AS_DOUBT_COUNT]; /* of the lines that were evaluated, as bits of as_way_of_yes */
    unsigned seen;                 /* results, as bits of as_trial_result */
    int line_count;
    as_trial_line lines[AS_TRIAL_LINES_MOST];
    as_trial_path path;    /* of this run: the steps in the order of evaluation */
    as_trial_path all_yes; /* of the first run */
    int all_no_length;     /* length of the path of the run with all lines no; -1: there was none */
} as_trials;

/* Prepares the next run. Returns false if no further run is needed. */
bool as_trials_begin_next(as_trials *trials);
/* Returns the value of a line in this run. `severity` as in as_trial_line. */
bool as_trials_get_value(as_trials *trials, const void *question, as_doubt doubt, as_way_of_yes way, int severity);
/* Records the result of the run. */
void as_trials_add_result(as_trials *trials, as_trial_result result);

/* Returns the decision, after as_trials_begin_next returned false. True: all runs had *result. False: the result
 * depends on lines in doubt, and *question is the line that gives the status; NULL if there were too many lines. */
bool as_trials_decide(const as_trials *trials, as_trial_result *result, const void **question);

#endif
