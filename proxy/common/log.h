/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_LOG_H
#define DEEPPROXY_PROXY_COMMON_LOG_H

#include "base/must_check.h"
#include "proxy/common/log_line.h"

/*
 * The log of the process, on standard error. A thread of its own writes it, and is the only one that ever
 * waits for the log's reader. Each other thread appends its lines to a queue of its own, from which they are
 * written in their order. Those of a batch are in the order of their times. A full queue drops lines;
 * how many is logged as soon as there is room ("log-lines-dropped").
 *
 * Standard error is shared with other processes: the log never changes its flags, so that a write may block.
 */
struct log;
struct log_queue;

/*
 * Octets in the queue of each thread: the last lines of 10,000 sessions that end at once, at some 400 octets
 * each. The writing thread may have as many in hand, of each.
 */
#define LOG_QUEUE_MAX (4 * 1024 * 1024)
/* After the first line of a batch the writing thread waits so long for others: one wake-up and one write. */
#define LOG_GATHER_MS 10
/*
 * The end of the program waits so long for a reader that takes nothing, and so long in all for one that
 * reads.
 */
#define LOG_STALL_MS 2000
#define LOG_END_MS   10000

/*
 * A log that drops lines above `level`, and its thread. The caller closes it with log_close. NULL if memory
 * is short or there can be no thread.
 */
MUST_CHECK struct log *log_new(enum cfg_log_level level);

/* Changes the level, from any thread; the other threads see it soon. */
void log_set_level(struct log *log, enum cfg_log_level level);

/*
 * Waits until the lines that are in the queues have been written: at most LOG_END_MS, and LOG_STALL_MS while
 * the reader takes nothing. False if that was not enough.
 */
bool log_flush(struct log *log);

/*
 * Flushes the log as log_flush does, and frees it with its queues, none of which may be used any more; sets
 * *log to NULL. A thread that is still waiting for the reader is left to itself with its memory: it frees
 * that if the reader comes back, and the end of the process ends it otherwise. NULL in *log is no log.
 */
void log_close(struct log **log);

/* A queue for one thread, from any thread. The log owns the queue. NULL if memory is short. */
MUST_CHECK struct log_queue *log_add_queue(struct log *log);

/*
 * Ends the line and appends it, or drops it if the queue is full or memory is short. Never waits for the
 * reader.
 */
void log_queue_put(struct log_queue *queue, struct log_line *line);

/*
 * Ends the line and appends it to the main thread's queue. Before there is a log, `log` is NULL: the line is
 * written at once, which may block.
 */
void log_write(struct log *log, struct log_line *line);

#endif
