/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_LOG_H
#define DEEPPROXY_PROXY_COMMON_LOG_H

#include "base/must_check.h"
#include "proxy/common/log_line.h"

#include <uv.h>

/*
 * The log of the process, on standard error. A worker appends its lines to a queue of its own, and never
 * waits for the reader of the log. The main thread writes the queues out, and does wait for the reader. A
 * full queue drops lines; how many is logged later ("log-lines-dropped").
 */
struct log;
struct log_queue;

/*
 * A log for the main thread's loop. It drops lines above `level`. The caller closes it with log_close. NULL
 * if memory is short.
 */
MUST_CHECK struct log *log_new(uv_loop_t *loop, enum cfg_log_level level);

/* Changes the level, in the main thread; the other threads see it soon. */
void log_set_level(struct log *log, enum cfg_log_level level);

/*
 * Writes what is left in the queues, which may block, and closes the log's handle. The loop's next run frees
 * the log and its queues, so it must run once more before it is closed. No queue may be used any more.
 */
void log_close(struct log *log);

/*
 * A queue for one thread. Call it in the main thread, before that thread starts. The log owns the queue. NULL
 * if memory is short.
 */
MUST_CHECK struct log_queue *log_add_queue(struct log *log);

/*
 * Ends the line and appends it, or drops it if the queue is full. From the queue's thread. Never waits for
 * the reader.
 */
void log_queue_put(struct log_queue *queue, struct log_line *line);

/*
 * Ends the line and writes it at once, from the main thread; `log` is NULL before there is a log. It blocks
 * while standard error is a pipe whose reader does not read, and with it all that the main thread does. A
 * line that can't be written is lost.
 */
void log_write(struct log *log, struct log_line *line);

#endif
