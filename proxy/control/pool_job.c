/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/pool_job.h"

#include "base/ensure.h"

#include <signal.h>

/*
 * The pool's threads begin with the first request, and with its mask: signals are the main thread's, which
 * holds them when the program ends (libuv has given them their default action back by then).
 */
int pool_queue(uv_loop_t *loop, uv_work_t *request, uv_work_cb run, uv_after_work_cb after)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = uv_queue_work(loop, request, run, after);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void run_in_pool(uv_work_t *request)
{
    const struct pool_job *job = request->data;
    job->run(job->arg);
}

static void start(struct pool_job *job);

static void on_done(uv_work_t *request, int status)
{
    struct pool_job *job = request->data;
    (void)status;
    job->is_running = false;
    if (job->end != NULL)
        job->end(job->arg);
    if (job->is_wanted)
        start(job);
    if (job->ended != NULL)
        uv_async_send(job->ended);
}

static void start(struct pool_job *job)
{
    job->is_wanted = false;
    job->is_running = job->begin(job->arg);
    if (!job->is_running)
        return;
    job->work.data = job;
    ENSURE(pool_queue(job->loop, &job->work, run_in_pool, on_done) == 0);
}

void pool_job_request(struct pool_job *job)
{
    if (job->is_running)
        job->is_wanted = true;
    else
        start(job);
}

bool pool_job_is_running(const struct pool_job *job)
{
    return job->is_running;
}
