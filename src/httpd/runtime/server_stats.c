/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the LDAP servers as all processes see them, in shared memory, for the report page. Each process writes
 * its view of a server after each query, in cells of its own; a reader adds them up.
 *
 * Each server of the configuration has a row, whatever .htaccess files name. Servers of .htaccess share a few other
 * rows, where the least recently queried one is evicted; never one with an outage.
 *
 * Made anew with each reading of the configuration: servers that are no longer configured disappear, and children of
 * the previous generation write to memory that is not read any more.
 */
#include "runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>

/* More servers are queried, but not shown. */
#define CONFIGURED_MOST 1000
#define HTACCESS_ROWS 16
/* More processes work, but are not counted. */
#define PROCESSES_MOST 1024
#define SERVER_SIZE 264 /* a name of DNS, a port */

enum { ROW_FREE, ROW_BEING_WRITTEN, ROW_TAKEN };

/* A server. Two processes may take a row each for the same server at the same time: readers add them up. */
typedef struct as_server_row {
    atomic_int state;
    _Atomic uint32_t generation; /* of the content: cells of another generation belong to another server */
    char server[SERVER_SIZE];
    _Atomic as_mono used;
    _Atomic uint64_t questions; /* of all processes since the start */
} as_server_row;

/* The same server as one process sees it. */
typedef struct as_server_cell {
    _Atomic uint32_t generation;
    atomic_int sessions, outages;
    _Atomic uint64_t questions;
    _Atomic int64_t latency, open_until;
} as_server_cell;

typedef struct as_process {
    atomic_int pid;         /* 0: free slot */
    as_server_cell cells[]; /* as many as there are rows */
} as_process;

typedef struct as_server_table {
    atomic_bool full;     /* a server found no row */
    as_server_row rows[]; /* of the configuration, then of .htaccess; followed by as_process, `process_slots` times */
} as_server_table;

static as_server_table *table; /* NULL: not available, nothing is shown */
static int process_slots, configured, rows;
/* Of this process. */
static as_process *own;

static apr_size_t get_process_size(void)
{
    return sizeof(as_process) + (apr_size_t)rows * sizeof(as_server_cell);
}

static as_process *get_process(int slot)
{
    return (as_process *)(void *)((char *)&table->rows[rows] + (apr_size_t)slot * get_process_size());
}

apr_status_t as_server_stats_post_config(apr_pool_t *pconf, int servers)
{
    apr_shm_t *segment;
    apr_status_t status;
    apr_size_t size;
    int most = 0;

    table = NULL;
    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &most) != APR_SUCCESS || most < 1) {
        most = 1;
    }
    process_slots = most < PROCESSES_MOST ? most : PROCESSES_MOST;
    configured = servers < CONFIGURED_MOST ? servers : CONFIGURED_MOST;
    rows = configured + HTACCESS_ROWS;
    size = sizeof(as_server_table) + (apr_size_t)rows * sizeof(as_server_row) +
           (apr_size_t)process_slots * get_process_size();
    status = apr_shm_create(&segment, size, NULL, pconf);
    if (status == APR_SUCCESS) {
        table = apr_shm_baseaddr_get(segment); /* zeros: the memory is anonymous, and a page is taken when it is used */
    }
    return status;
}

/* ---- writing ---- */

static bool is_gone(int pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void empty(as_server_cell *cell, uint32_t generation)
{
    atomic_store(&cell->generation, generation);
    atomic_store(&cell->sessions, 0);
    atomic_store(&cell->outages, 0);
    atomic_store(&cell->questions, 0);
    atomic_store(&cell->latency, 0);
    atomic_store(&cell->open_until, 0);
}

static void empty_all(as_process *process)
{
    int i;

    for (i = 0; i < rows; i++) {
        empty(&process->cells[i], 0);
    }
}

/* What a child of prefork has forked for a script has the child's cleanups until it runs that: they may run in it. */
static apr_status_t leave(void *data)
{
    as_process *process = data;

    own = NULL;
    if (atomic_load(&process->pid) == (int)getpid()) {
        empty_all(process);
        atomic_store(&process->pid, 0);
    }
    return APR_SUCCESS;
}

void as_server_stats_child_init(apr_pool_t *pool)
{
    int i;

    own = NULL;
    for (i = 0; table && i < process_slots && !own; i++) {
        as_process *process = get_process(i);
        int pid = atomic_load(&process->pid);

        /* A killed process could not clean up. */
        if ((pid == 0 || is_gone(pid)) && atomic_compare_exchange_strong(&process->pid, &pid, (int)getpid())) {
            empty_all(process);
            own = process;
            apr_pool_cleanup_register(pool, process, leave, apr_pool_cleanup_null);
        }
    }
}

/* Returns a live process's view of a row, or NULL. */
static const as_server_cell *get_cell(int slot, int row)
{
    const as_process *process = get_process(slot);
    const as_server_cell *cell = &process->cells[row];
    const int pid = atomic_load(&process->pid);

    return pid && atomic_load(&cell->generation) == atomic_load(&table->rows[row].generation) && !is_gone(pid) ? cell
                                                                                                               : NULL;
}

static bool is_in_trouble(int row, as_mono now)
{
    int i;

    for (i = 0; i < process_slots; i++) {
        const as_server_cell *cell = get_cell(i, row);

        if (cell && (atomic_load(&cell->outages) > 0 || atomic_load(&cell->open_until) > now)) {
            return true;
        }
    }
    return false;
}

static bool claim(as_server_row *row, int was, const char *server)
{
    if (!atomic_compare_exchange_strong(&row->state, &was, ROW_BEING_WRITTEN)) {
        return false;
    }
    atomic_fetch_add(&row->generation, 1);
    apr_cpystrn(row->server, server, SERVER_SIZE);
    atomic_store(&row->questions, 0);
    atomic_store(&row->used, as_mono_read());
    atomic_store(&row->state, ROW_TAKEN);
    return true;
}

/* Returns the least recently used row that may be evicted; -1: none. */
static int find_row_to_evict(int from, int end)
{
    const as_mono now = as_mono_read();
    int found = -1, i;

    for (i = from; i < end; i++) {
        if (atomic_load(&table->rows[i].state) == ROW_TAKEN &&
            (found < 0 || atomic_load(&table->rows[i].used) < atomic_load(&table->rows[found].used)) &&
            !is_in_trouble(i, now)) {
            found = i;
        }
    }
    return found;
}

/* Returns the row of a server, or -1. */
static int find_row(const as_ldap_server_state *state)
{
    const int from = state->of_htaccess ? configured : 0, end = state->of_htaccess ? rows : configured;
    int i;

    if (strlen(state->server) >= SERVER_SIZE) {
        return -1;
    }
    for (i = from; i < end; i++) {
        if (atomic_load(&table->rows[i].state) == ROW_TAKEN && !strcmp(table->rows[i].server, state->server)) {
            return i;
        }
    }
    for (i = from; i < end; i++) {
        if (claim(&table->rows[i], ROW_FREE, state->server)) {
            return i;
        }
    }
    i = state->of_htaccess ? find_row_to_evict(from, end) : -1;
    if (i < 0 || !claim(&table->rows[i], ROW_TAKEN, state->server)) {
        atomic_store(&table->full, true);
        return -1;
    }
    return i;
}

static void write_state(void *data, const as_ldap_server_state *state)
{
    const int at = find_row(state);
    as_server_row *row = &table->rows[at < 0 ? 0 : at];
    as_server_cell *cell = &own->cells[at < 0 ? 0 : at];

    (void)data;
    if (at < 0) {
        return;
    }
    if (atomic_load(&cell->generation) != atomic_load(&row->generation)) {
        empty(cell, atomic_load(&row->generation));
    }
    atomic_store(&row->used, as_mono_read());
    atomic_fetch_add(&row->questions, state->questions);
    atomic_fetch_add(&cell->questions, state->questions);
    atomic_store(&cell->sessions, state->sessions);
    atomic_store(&cell->outages, state->outages);
    atomic_store(&cell->latency, state->latency);
    if (state->open_until && atomic_load(&cell->open_until) <= as_mono_read()) {
        as_counters_add(as_process_get_counters(), AS_COUNTER_breaker_opened, 1);
    }
    atomic_store(&cell->open_until, state->open_until);
}

void as_server_stats_write(as_directories *directories, const as_directory_settings *settings)
{
    if (own) {
        as_directories_visit(directories, settings, write_state, NULL);
    }
}

/* ---- reading ---- */

static as_ldap_server_figures *make_figures(apr_array_header_t *servers, const char *name)
{
    as_ldap_server_figures *figures;
    int i;

    for (i = 0; i < servers->nelts; i++) {
        figures = &APR_ARRAY_IDX(servers, i, as_ldap_server_figures);
        if (!strcmp(figures->server, name)) {
            return figures;
        }
    }
    figures = apr_array_push(servers);
    memset(figures, 0, sizeof(*figures));
    figures->server = name;
    return figures;
}

static void add_process(as_ldap_server_figures *figures, const as_server_cell *cell, as_mono now)
{
    const as_mono until = atomic_load(&cell->open_until);
    apr_interval_time_t latency = atomic_load(&cell->latency);

    figures->sessions += atomic_load(&cell->sessions);
    figures->queried_by += atomic_load(&cell->questions) > 0;
    if (until > now) {
        const apr_time_t again = apr_time_now() + (until - now);

        figures->circuit_open++;
        figures->until = again > figures->until ? again : figures->until;
    }
    if (latency) {
        /* The mean of all processes, updated one by one. */
        figures->measured++;
        figures->latency += (latency - figures->latency) / figures->measured;
    }
}

const apr_array_header_t *as_server_stats_read(apr_pool_t *pool, bool *more)
{
    apr_array_header_t *servers = apr_array_make(pool, 4, sizeof(as_ldap_server_figures));
    const as_mono now = as_mono_read();
    int i, j;

    *more = table && atomic_load(&table->full);
    for (i = 0; table && i < rows; i++) {
        as_server_row *row = &table->rows[i];
        const uint32_t generation = atomic_load(&row->generation);
        const char *server;
        as_ldap_server_figures *figures;

        if (atomic_load(&row->state) != ROW_TAKEN) {
            continue;
        }
        server = apr_pstrmemdup(pool, row->server, strnlen(row->server, SERVER_SIZE - 1));
        if (atomic_load(&row->generation) != generation) {
            continue; /* the row now belongs to another server */
        }
        figures = make_figures(servers, server);
        figures->questions += atomic_load(&row->questions);
        for (j = 0; j < process_slots; j++) {
            const as_server_cell *cell = get_cell(j, i);

            if (cell) {
                add_process(figures, cell, now);
            }
        }
    }
    return servers;
}
