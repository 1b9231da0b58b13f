/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_LOG_H
#define DEEPPROXY_PROXY_COMMON_LOG_H

#include "proxy/common/log_line.h"

#include <uv.h>

/*
 * The log of the process, on standard error. A worker hands its lines to a queue of its own and never waits
 * for whoever reads them; the main thread writes them out. A queue that is full drops lines, and says later
 * how many.
 */
struct log;
struct log_queue;

/* For the main thread's loop. NULL where memory is short. Lines above `level` are dropped. */
struct log *log_new(uv_loop_t *loop, enum cfg_log_level level);

/* From the main thread; the others follow. */
void log_set_level(struct log *log, enum cfg_log_level level);

/*
 * Writes what is left, and closes its handle; the loop must run once more before it is closed. Queues must
 * not be used.
 */
void log_close(struct log *log);

/* A queue for one thread; it belongs to the log. NULL where memory is short. Before the thread starts. */
struct log_queue *log_add_queue(struct log *log);

/* From the queue's thread. The line is ended here. */
void log_queue_put(struct log_queue *queue, struct log_line *line);

/* At once, from the main thread, or before there is a log: `log` may be NULL. */
void log_write(struct log *log, struct log_line *line);

#endif
