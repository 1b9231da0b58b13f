/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_POOL_JOB_H
#define DEEPPROXY_PROXY_CONTROL_POOL_JOB_H

#include "base/must_check.h"

#include <stdbool.h>
#include <uv.h>

/*
 * Work of one kind that may wait for a file, in a thread of libuv's pool: one at a time. What is requested
 * meanwhile is done once more after it, whatever the number of requests. The main thread calls these
 * functions, and waits for nothing.
 */
struct pool_job {
    uv_work_t work;
    uv_loop_t *loop;
    /* In the main thread: takes what there is to do; false if that is nothing. */
    bool (*begin)(void *arg);
    /* In a thread of the pool, which may wait for it without end. */
    void (*run)(void *arg);
    /* In the main thread; may be NULL. */
    void (*end)(void *arg);
    void *arg;
    uv_async_t *ended; /* sent after each `end`; may be NULL */
    bool is_running;
    bool is_wanted; /* once more */
};

/* Begins it now, or as soon as the one under way has ended. */
void pool_job_request(struct pool_job *job);

/* Is one under way? The loop can't be closed then. */
bool pool_job_is_running(const struct pool_job *job);

/*
 * As uv_queue_work, for all that is queued for the pool: its threads, which begin with the first request,
 * hold no signal. Returns 0, or a libuv error.
 */
MUST_CHECK int pool_queue(uv_loop_t *loop, uv_work_t *request, uv_work_cb run, uv_after_work_cb after);

#endif
