/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_POOL_THREAD_H
#define DEEPPROXY_PROXY_CONTROL_POOL_THREAD_H

#include <uv.h>

/* Threads of libuv's pool, for what may block or takes long. They hold no signal: these are the main thread's. */

/* As uv_queue_work: `run` in such a thread, then `after` in the loop's. Returns 0, or a libuv error. */
int pool_thread_queue(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after);

#endif
