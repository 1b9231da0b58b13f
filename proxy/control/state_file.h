/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_STATE_FILE_H
#define DEEPPROXY_PROXY_CONTROL_STATE_FILE_H

#include "proxy/common/log.h"
#include "proxy/control/pool_job.h"
#include "proxy/runtime/snapshot.h"

/*
 * Keeps the state file, which remembers what clients were promised, as the configuration in effect has it.
 * Writes are in a thread of libuv's pool, one at a time, and a disk that does not answer holds nothing else
 * up. Of what is to be written meanwhile the newest alone is written next. The main thread calls these
 * functions.
 */
struct state_file {
    struct pool_job job;
    struct log *log;
    struct snapshot *wanted;  /* to be written next; NULL: nothing */
    struct snapshot *written; /* under way; NULL: nothing */
    int error;                /* errno of the write under way; 0: it succeeded */
};

/* `ended` is sent after each write. It, the loop and the log live longer, and `file` does not move. */
void state_file_init(struct state_file *file, uv_loop_t *loop, uv_async_t *ended, struct log *log);

/*
 * Has the snapshot's commitments written, if its configuration names a file; takes a reference of its own. A
 * failure is logged (event=promises-not-remembered).
 */
void state_file_write(struct state_file *file, struct snapshot *snapshot);

/* Is there something that is not on the disk yet? */
bool state_file_is_busy(const struct state_file *file);

/* Logs that nobody waits any longer for the write under way. The process ends next. */
void state_file_give_up(const struct state_file *file);

#endif
