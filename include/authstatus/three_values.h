/* SPDX-License-Identifier: Apache-2.0
 *
 * Three values: decides an authorization in which some lines of Require are unknown.
 *
 * httpd evaluates a tree of lines that this module cannot see: it can only run the evaluation with a value for each
 * line of its own. The result is decided if it is the same whatever the unknown lines are. Each run tells which unknown
 * lines it met, and the next run takes other values for them, until two runs differ or no combination is left.
 *
 * Source: AUTHORIZATION "Three values". Pure functions on values: no allocation, no clock, no lock; a structure belongs
 * to one thread.
 */
#ifndef AUTHSTATUS_THREE_VALUES_H
#define AUTHSTATUS_THREE_VALUES_H

#include <stdbool.h>

#define AS_TRIALS_MOST 64      /* runs of one decision */
#define AS_TRIAL_LINES_MOST 64 /* unknown lines of one decision */

/* Why a line is no plain yes or no. */
typedef enum as_doubt {
    AS_DOUBT_UNKNOWN,  /* it may be yes or no */
    AS_DOUBT_NEGATION, /* it counts as no, unless a yes would refuse what the no grants (a group that does not exist) */
    AS_DOUBT_COUNT
} as_doubt;

/* How a run ended. Two runs with different results are a difference. */
typedef enum as_trial_result {
    AS_TRIAL_GRANTED,
    AS_TRIAL_REFUSED,
    AS_TRIAL_OTHER, /* neither: an error of another module's line, or a login is needed first */
    AS_TRIAL_RESULTS
} as_trial_result;

/* A line in doubt, known by its question: two lines that ask the same have the same value. */
typedef struct as_trial_line {
    const void *question;
    as_doubt doubt;
    int severity; /* the line with the highest gives the status, and of several the one that was met first */
    bool met;     /* in this run */
    bool given;   /* this run prescribes its value, which is `yes` */
    bool yes;     /* its value in this run */
} as_trial_line;

/* A line whose value both ways matters to a run, and the value that it had. */
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

/* A decision in progress. Zeroed before the first run. */
typedef struct as_trials {
    as_trial_stage stage;
    int runs;
    bool fallback;  /* the value of a line that this run does not prescribe */
    bool exhausted; /* runs or lines were too many */
    unsigned seen;  /* results, as bits of as_trial_result */
    int line_count;
    as_trial_line lines[AS_TRIAL_LINES_MOST];
    as_trial_path path;    /* of this run: the steps in the order in which they were met */
    as_trial_path all_yes; /* of the first run */
    int all_no_length;     /* of the path of the run in which all were no; -1: none was */
} as_trials;

/* Prepares the next run. False: no further run is needed. */
bool as_trials_next(as_trials *trials);
/* The value of a line in this run. `severity` as in as_trial_line. */
bool as_trials_value(as_trials *trials, const void *question, as_doubt doubt, int severity);
/* Tells how the run ended. */
void as_trials_told(as_trials *trials, as_trial_result result);

/* The decision, when as_trials_next was false. True: *result is the one that all runs had. False: it depends on lines
 * in doubt, and *question is the one that gives the status; NULL if there was no room for it. */
bool as_trials_decided(const as_trials *trials, as_trial_result *result, const void **question);

#endif
