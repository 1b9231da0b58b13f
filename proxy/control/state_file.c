/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/state_file.h"

#include <errno.h>
#include <string.h>

static bool begin(void *arg)
{
    struct state_file *file = arg;
    file->written = file->wanted;
    file->wanted = NULL;
    return file->written != NULL;
}

static void run(void *arg)
{
    struct state_file *file = arg;
    const struct snapshot *snapshot = file->written;
    file->error = commitments_write(&snapshot->commitments->list, snapshot->cfg->state_file) ? 0 : errno;
}

static void log_failure(const struct state_file *file, const char *error)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_ERROR, "promises-not-remembered");
    log_line_add_text(&line, "file", file->written->cfg->state_file);
    log_line_add_text(&line, "error", error);
    log_write(file->log, &line);
}

static void end(void *arg)
{
    struct state_file *file = arg;
    if (file->error != 0)
        log_failure(file, strerror(file->error));
    snapshot_unref(&file->written);
}

void state_file_init(struct state_file *file, uv_loop_t *loop, uv_async_t *ended, struct log *log)
{
    *file = (struct state_file){
        .log = log,
        .job = {.loop = loop, .begin = begin, .run = run, .end = end, .arg = file, .ended = ended}};
}

void state_file_write(struct state_file *file, struct snapshot *snapshot)
{
    if (snapshot->cfg->state_file == NULL)
        return;
    snapshot_unref(&file->wanted);
    file->wanted = snapshot_ref(snapshot);
    pool_job_request(&file->job);
}

void state_file_give_up(const struct state_file *file)
{
    log_failure(file, "the program ends, and the disk has not answered");
}

bool state_file_is_busy(const struct state_file *file)
{
    return pool_job_is_running(&file->job);
}
