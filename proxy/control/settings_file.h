/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_SETTINGS_FILE_H
#define DEEPPROXY_PROXY_CONTROL_SETTINGS_FILE_H

#include "proxy/common/log.h"
#include "proxy/control/pool_job.h"
#include "proxy/control/server_settings.h"

/*
 * Keeps what the operator has set of servers in STATE_FILE.admin, of mode 0600. It is read at the start, and
 * replaced after each change, in a thread of libuv's pool, one at a time: of what is to be written meanwhile
 * the newest alone is written next. A file that can't be read keeps no program from starting: it is set
 * aside, as STATE_FILE.admin.broken. The main thread calls these functions.
 */
struct settings_text {
    char *path; /* NULL: nothing */
    struct server_settings settings;
};

struct settings_file {
    struct pool_job job;
    struct log *log;
    struct settings_text wanted;  /* to be written next */
    struct settings_text written; /* under way */
    int error;                    /* errno of the write under way; 0: it succeeded */
};

/*
 * Reads the file beside `state_file`, which may be NULL, into `settings`, which is empty. It blocks. What is
 * wrong with it is in `problem`, "" if nothing is: settings_file_set_aside follows then, when there is a log.
 */
void settings_file_read(const char *state_file, struct server_settings *settings,
                        char problem[SERVER_SETTINGS_PROBLEM_MAX]);

/* Renames the file beside `state_file`, and logs why (event=settings-broken). It blocks. */
void settings_file_set_aside(const char *state_file, const char *problem, struct log *log);

/* `ended` is sent after each write. It, the loop and the log live longer, and `file` does not move. */
void settings_file_init(struct settings_file *file, uv_loop_t *loop, uv_async_t *ended, struct log *log);

/*
 * Has the settings, of which it makes a copy, written beside `state_file`; does nothing if that is NULL. A
 * failure is logged (event=settings-not-remembered).
 */
void settings_file_write(struct settings_file *file, const char *state_file,
                         const struct server_settings *settings);

/* Is there something that is not on the disk yet? */
bool settings_file_is_busy(const struct settings_file *file);

/* Logs that nobody waits any longer for the write under way. The process ends next. */
void settings_file_give_up(const struct settings_file *file);

#endif
