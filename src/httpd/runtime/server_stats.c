/* SPDX-License-Identifier: Apache-2.0
 *
 * What all processes together know of the directory servers, in shared memory, for the report page. Each process writes
 * what it sees of a directory after each question to it, in cells of its own; who reads adds them up.
 *
 * Made anew with each reading of the configuration: servers that are no longer configured go, and what children of the
 * generation before still write goes to memory that nobody reads.
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
#include <apr_thread_mutex.h>

/* More servers than that are asked, and not shown. */
#define ROWS 64
/* More processes than that work, and are not counted in. */
#define PROCESSES_MOST 1024
#define DIRECTORY_SIZE 65 /* as_directory_fingerprint, and its end */
#define SERVER_SIZE 264   /* a name of DNS, a port */

enum { ROW_FREE, ROW_BEING_WRITTEN, ROW_TAKEN };

/* A server of a directory. Two processes that meet it at the same moment may take a row each: they are added up. */
typedef struct as_row {
    atomic_int state;
    char directory[DIRECTORY_SIZE], server[SERVER_SIZE];
    _Atomic uint64_t questions; /* of all processes there ever were */
} as_row;

/* The same server as one process sees it. */
typedef struct as_cell {
    _Atomic uint64_t questions;
    atomic_int sessions;
    _Atomic int64_t latency, open_until;
} as_cell;

typedef struct as_process {
    atomic_int pid; /* 0: the place is free */
    as_cell cells[ROWS];
} as_process;

typedef struct as_server_table {
    atomic_bool full; /* a server found no row */
    as_row rows[ROWS];
    as_process processes[];
} as_server_table;

static as_server_table *board; /* NULL: there is none, nothing is shown */
static int places;
/* Of this process. */
static as_process *own;
static apr_thread_mutex_t *mutex;

apr_status_t as_server_stats_post_config(apr_pool_t *pconf)
{
    apr_shm_t *segment;
    apr_status_t status;
    apr_size_t size;
    int most = 0;

    board = NULL;
    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &most) != APR_SUCCESS || most < 1) {
        most = 1;
    }
    places = most < PROCESSES_MOST ? most : PROCESSES_MOST;
    size = sizeof(as_server_table) + (apr_size_t)places * sizeof(as_process);
    status = apr_shm_create(&segment, size, NULL, pconf);
    if (status == APR_SUCCESS) {
        board = apr_shm_baseaddr_get(segment);
        memset(board, 0, size);
    }
    return status;
}

/* ---- writing ---- */

static bool is_gone(int pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void empty(as_process *process)
{
    int i;

    for (i = 0; i < ROWS; i++) {
        as_cell *cell = &process->cells[i];

        atomic_store(&cell->questions, 0);
        atomic_store(&cell->sessions, 0);
        atomic_store(&cell->latency, 0);
        atomic_store(&cell->open_until, 0);
    }
}

static apr_status_t leave(void *data)
{
    as_process *process = data;

    own = NULL;
    empty(process);
    atomic_store(&process->pid, 0);
    return APR_SUCCESS;
}

void as_server_stats_child_init(apr_pool_t *pool)
{
    int i;

    own = NULL;
    if (!board || apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return;
    }
    for (i = 0; i < places && !own; i++) {
        as_process *process = &board->processes[i];
        int pid = atomic_load(&process->pid);

        /* One that was killed could not clean up. */
        if ((pid == 0 || is_gone(pid)) && atomic_compare_exchange_strong(&process->pid, &pid, (int)getpid())) {
            empty(process);
            own = process;
            apr_pool_cleanup_register(pool, process, leave, apr_pool_cleanup_null);
        }
    }
}

/* The row of a server, or -1. */
static int row_of(const as_ldap_server_state *state)
{
    int i;

    if (strlen(state->directory) >= DIRECTORY_SIZE || strlen(state->server) >= SERVER_SIZE) {
        return -1;
    }
    for (i = 0; i < ROWS; i++) {
        as_row *row = &board->rows[i];
        int was = ROW_FREE;

        if (atomic_compare_exchange_strong(&row->state, &was, ROW_BEING_WRITTEN)) {
            apr_cpystrn(row->directory, state->directory, DIRECTORY_SIZE);
            apr_cpystrn(row->server, state->server, SERVER_SIZE);
            atomic_store(&row->state, ROW_TAKEN);
            return i;
        }
        if (was == ROW_TAKEN && !strcmp(row->server, state->server) && !strcmp(row->directory, state->directory)) {
            return i;
        }
    }
    atomic_store(&board->full, true);
    return -1;
}

static void write_state(void *data, const as_ldap_server_state *state)
{
    const int at = row_of(state);
    as_cell *cell;
    uint64_t before;

    (void)data;
    if (at < 0) {
        return;
    }
    cell = &own->cells[at];
    /* Fewer than before: the process had forgotten the directory, and counts anew. */
    before = atomic_load(&cell->questions);
    atomic_fetch_add(&board->rows[at].questions,
                     state->questions < before ? state->questions : state->questions - before);
    atomic_store(&cell->questions, state->questions);
    atomic_store(&cell->sessions, state->sessions);
    atomic_store(&cell->latency, state->latency);
    if (state->open_until && atomic_load(&cell->open_until) <= apr_time_now()) {
        as_counters_add(as_process_counters(), AS_COUNTER_breaker_opened, 1);
    }
    atomic_store(&cell->open_until, state->open_until);
}

void as_server_stats_write(as_directories *directories, const char *directory)
{
    if (own) {
        apr_thread_mutex_lock(mutex);
        as_directories_visit(directories, directory, write_state, NULL);
        apr_thread_mutex_unlock(mutex);
    }
}

/* ---- reading ---- */

static as_ldap_server_figures *figures_of(apr_array_header_t *servers, const char *name)
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

static void add_process(as_ldap_server_figures *figures, const as_cell *cell, apr_time_t now)
{
    apr_time_t until = atomic_load(&cell->open_until);
    apr_interval_time_t latency = atomic_load(&cell->latency);

    figures->sessions += atomic_load(&cell->sessions);
    figures->asking += atomic_load(&cell->questions) > 0;
    if (until > now) {
        figures->left_alone++;
        figures->until = until > figures->until ? until : figures->until;
    }
    if (latency) {
        /* The mean of processes, one after the other. */
        figures->measured++;
        figures->latency += (latency - figures->latency) / figures->measured;
    }
}

const apr_array_header_t *as_server_stats_read(apr_pool_t *pool, bool *more)
{
    apr_array_header_t *servers = apr_array_make(pool, 4, sizeof(as_ldap_server_figures));
    const apr_time_t now = apr_time_now();
    int i, j;

    *more = board && atomic_load(&board->full);
    for (i = 0; board && i < ROWS; i++) {
        as_row *row = &board->rows[i];
        as_ldap_server_figures *figures;

        if (atomic_load(&row->state) != ROW_TAKEN) {
            continue;
        }
        figures = figures_of(servers, row->server);
        figures->questions += atomic_load(&row->questions);
        for (j = 0; j < places; j++) {
            int pid = atomic_load(&board->processes[j].pid);
            if (pid && !is_gone(pid)) {
                add_process(figures, &board->processes[j].cells[i], now);
            }
        }
    }
    return servers;
}
