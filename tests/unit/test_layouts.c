/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies in shared memory that outlasts restarts, compared with tests/golden/layouts.tsv: other members need a new
 * layout number, and a new row in that file. The order of an enum is part of the number that the memory is found by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* For structs that they keep to themselves. */
#include "../../src/cache/counters.c"
#include "../../src/cache/outages.c"
#include "../../src/cache/proofs.c"
#include "../../src/cache/series.c"
#include "../../src/cache/throttle_private.h"

static char text[8192];

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    const size_t length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + length, sizeof(text) - length, format, arguments);
    va_end(arguments);
    assert_true(strlen(text) < sizeof(text) - 1);
}

/* Members in their order, and the octets of one element. How many elements there are is part of the size, which the
 * memory is found by. */
static size_t last;

#define MEMBER(type, name, element)                                                                                    \
    assert_true(offsetof(type, name) >= last);                                                                         \
    last = offsetof(type, name) + sizeof(((type *)NULL)->name);                                                        \
    add(" %s:%zu", #name, sizeof(((type *)NULL)->element))
/* Nothing follows but what aligns the next. */
#define END(type)                                                                                                      \
    assert_true(sizeof(type) - last < 64);                                                                             \
    last = 0

static void describe_counters(void)
{
    add("as_counters");
    MEMBER(as_counters, since, since);
    MEMBER(as_counters, parts, parts[0].counts[0]);
    MEMBER(as_counters, apart, apart[0]);
    MEMBER(as_counters, generations, generations[0]);
    END(as_counters);
    add("; as_part");
    MEMBER(as_part, spans, spans[0].number);
    MEMBER(as_part, outcomes, outcomes[0]);
    MEMBER(as_part, counts, counts[0]);
    END(as_part);
    add("; as_span");
    MEMBER(as_span, number, number);
    MEMBER(as_span, outcomes, outcomes[0]);
    END(as_span);
}

static void describe_outages(void)
{
    add("as_outages");
    MEMBER(as_outages, of_configuration, of_configuration[0].id);
    MEMBER(as_outages, of_htaccess, of_htaccess[0].id);
    END(as_outages);
    add("; as_outage");
    MEMBER(as_outage, id, id);
    MEMBER(as_outage, began, began);
    MEMBER(as_outage, last, last);
    MEMBER(as_outage, reported, reported);
    MEMBER(as_outage, ended, ended);
    MEMBER(as_outage, unreported, unreported);
    MEMBER(as_outage, failures, failures);
    END(as_outage);
}

static void describe_series(void)
{
    add("as_series");
    MEMBER(as_series, samples, samples);
    MEMBER(as_series, epoch, epoch);
    MEMBER(as_series, classes, classes[0]);
    MEMBER(as_series, counters, counters[0]);
    MEMBER(as_series, servers, servers[0].id);
    MEMBER(as_series, hour, hour[0].number);
    MEMBER(as_series, day, day[0].number);
    END(as_series);
    add("; as_series_slot");
    MEMBER(as_series_slot, number, number);
    MEMBER(as_series_slot, classes, classes[0]);
    MEMBER(as_series_slot, counters, counters[0]);
    MEMBER(as_series_slot, servers, servers[0].questions);
    END(as_series_slot);
    add("; as_series_cell");
    MEMBER(as_series_cell, questions, questions);
    MEMBER(as_series_cell, measured, measured);
    MEMBER(as_series_cell, open, open);
    MEMBER(as_series_cell, latency, latency);
    END(as_series_cell);
    add("; as_series_server_state");
    MEMBER(as_series_server_state, id, id);
    MEMBER(as_series_server_state, questions, questions);
    MEMBER(as_series_server_state, sampled, sampled);
    END(as_series_server_state);
}

static void describe_throttle(void)
{
    add("as_throttle_memory");
    MEMBER(as_throttle_memory, key, key);
    MEMBER(as_throttle_memory, offset, offset);
    MEMBER(as_throttle_memory, marks, marks[0]);
    MEMBER(as_throttle_memory, counted, counted);
    MEMBER(as_throttle_memory, users, users.begun);
    MEMBER(as_throttle_memory, clients, clients.begun);
    MEMBER(as_throttle_memory, spellings, spellings[0].id);
    END(as_throttle_memory);
    add("; as_tallies");
    MEMBER(as_tallies, begun, begun);
    MEMBER(as_tallies, vacant, vacant);
    MEMBER(as_tallies, hand, hand);
    MEMBER(as_tallies, of_htaccess, of_htaccess);
    MEMBER(as_tallies, heads, heads[0]);
    MEMBER(as_tallies, tallies, tallies[0].id);
    END(as_tallies);
    add("; as_tally");
    MEMBER(as_tally, id, id);
    MEMBER(as_tally, next, next);
    MEMBER(as_tally, used, used);
    MEMBER(as_tally, of_htaccess, of_htaccess);
    MEMBER(as_tally, until, until);
    MEMBER(as_tally, forbids_until, forbids_until);
    MEMBER(as_tally, failures, failures.times[0]);
    MEMBER(as_tally, answered, answered[0]);
    END(as_tally);
    add("; as_spelling");
    MEMBER(as_spelling, id, id);
    MEMBER(as_spelling, account, account);
    MEMBER(as_spelling, until, until);
    END(as_spelling);
}

static void describe_proofs(void)
{
    add("as_proofs");
    MEMBER(as_proofs, key, key);
    MEMBER(as_proofs, has_key, has_key);
    MEMBER(as_proofs, slots, slots[0][0]);
    END(as_proofs);
    add("; slot");
    MEMBER(slot, high, high);
    MEMBER(slot, low, low);
    MEMBER(slot, stamp, stamp);
    END(slot);
}

static const struct layout {
    const char *name, *number_is;
    int number;
    void (*describe)(void);
} layouts[] = {
    {"counters", "AS_COUNTERS_LAYOUT", AS_COUNTERS_LAYOUT, describe_counters},
    {"outages", "AS_OUTAGES_LAYOUT", AS_OUTAGES_LAYOUT, describe_outages},
    {"series", "AS_SERIES_LAYOUT", AS_SERIES_LAYOUT, describe_series},
    {"throttle", "AS_THROTTLES_LAYOUT", AS_THROTTLES_LAYOUT, describe_throttle},
    {"proofs", "AS_PROOFS_LAYOUT", AS_PROOFS_LAYOUT, describe_proofs},
};

static FILE *golden(void)
{
    const char *source = getenv("AUTHSTATUS_SOURCE");
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/tests/golden/layouts.tsv", source ? source : ".");
    file = fopen(path, "r");
    if (!file) {
        fail_msg("%s cannot be read", path);
    }
    return file;
}

/* The row of this name and number, without its first two columns; NULL: there is none. */
static const char *row_of(const struct layout *layout)
{
    static char line[8192];
    FILE *file = golden();
    char head[64];
    const char *found = NULL;

    snprintf(head, sizeof(head), "%s\t%d\t", layout->name, layout->number);
    while (!found && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, head, strlen(head))) {
            line[strcspn(line, "\n")] = '\0';
            found = line + strlen(head);
        }
    }
    fclose(file);
    return found;
}

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
        const char *row = row_of(&layouts[i]);

        text[0] = '\0';
        layouts[i].describe();
        if (!row) {
            fail_msg("tests/golden/layouts.tsv has no row %s %d; add one below the others:\n%s\t%d\t%s",
                     layouts[i].name, layouts[i].number, layouts[i].name, layouts[i].number, text);
        }
        if (strcmp(row, text) != 0) {
            fail_msg("the layout of %s is another: raise %s.\nis:  %s\nwas: %s", layouts[i].name, layouts[i].number_is,
                     text, row);
        }
    }
}

/* The order of outcomes, and that of counters, is part of the layout. */
static void test_orders(void **state)
{
    uint64_t order = AS_HASH, other = AS_HASH;

    (void)state;
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        order = as_hash_text(order, as_outcome_describe((as_outcome)i)->name);
    }
    assert_int_equal(order, as_outcome_hash_order());
    assert_int_equal(as_outages_hash_layout(), order + AS_OUTAGES_LAYOUT);
    for (int i = 0; i < AS_COUNTER_COUNT; i++) {
        order = as_hash_text(order, as_counter_get_name((as_counter)i));
    }
    assert_int_equal(as_counters_hash_layout(), order + AS_COUNTERS_LAYOUT);
    order += AS_COUNTERS_LAYOUT;
    for (int i = 0; i < AS_CLASS_COUNT; i++) {
        order = as_hash_text(order, as_class_describe((as_class)i)->name);
    }
    for (int i = 0; i < AS_SERIES_COUNTERS; i++) {
        order = as_hash_text(order, as_series_get_counter_name((as_series_counter)i));
    }
    assert_int_equal(as_series_hash_layout(), order + AS_SERIES_LAYOUT);
    order = as_hash_text(as_hash_text(AS_HASH, "one"), "two");
    other = as_hash_text(as_hash_text(AS_HASH, "two"), "one");
    assert_int_not_equal(order, other);
    assert_int_not_equal(order, as_hash_text(AS_HASH, "onetwo"));
    assert_int_not_equal(order, as_hash_text(order, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts), cmocka_unit_test(test_orders)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
