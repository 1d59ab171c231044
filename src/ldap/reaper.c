/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that closes sessions that were idle for too long and whose directories are not queried any more: those
 * named only by .htaccess. It starts with the first of them, and ends with the process.
 */
#include "ldap_private.h"

#define ROUND (5 * AS_MONO_SECOND)

static void *reap(void *data)
{
    as_directories *all = data;
    as_reaper *reaper = &all->reaper;

    pthread_mutex_lock(&reaper->mutex);
    while (!reaper->ends) {
        as_cond_wait(&reaper->changed, &reaper->mutex, as_mono_read() + ROUND);
        pthread_mutex_unlock(&reaper->mutex);
        as_idle_sweep(all);
        pthread_mutex_lock(&reaper->mutex);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

bool as_reaper_create(as_reaper *reaper)
{
    reaper->runs = reaper->ends = false;
    return as_cond_create(&reaper->changed) && pthread_mutex_init(&reaper->mutex, NULL) == 0;
}

void as_reaper_start(as_directories *all)
{
    pthread_mutex_lock(&all->reaper.mutex);
    if (!all->reaper.runs && !all->reaper.ends) {
        all->reaper.runs = as_thread_start(&all->reaper.thread, NULL, reap, all);
    }
    pthread_mutex_unlock(&all->reaper.mutex);
}

void as_reaper_end(as_reaper *reaper)
{
    bool runs;

    pthread_mutex_lock(&reaper->mutex);
    reaper->ends = true;
    runs = reaper->runs;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
    if (runs) {
        pthread_join(reaper->thread, NULL);
    }
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->mutex);
}
