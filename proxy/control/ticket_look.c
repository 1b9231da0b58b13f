/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/ticket_look.h"

static bool begin(void *arg)
{
    struct ticket_look *look = arg;
    const struct tickets *tickets = &(*look->in_effect)->tickets;
    if (!tickets_have_file(tickets))
        return false;
    look->asked = snapshot_ref(*look->in_effect);
    tickets_file_ask(&look->file, tickets);
    return true;
}

static void run(void *arg)
{
    struct ticket_look *look = arg;
    tickets_file_read(&look->file);
}

/* If another configuration has come into effect meanwhile, another look has been requested. */
static void end(void *arg)
{
    struct ticket_look *look = arg;
    if (look->asked == *look->in_effect)
        tickets_look(&look->asked->tickets, &look->file, tickets_time_now(), look->log);
    tickets_file_wipe(&look->file);
    snapshot_unref(&look->asked);
}

void ticket_look_init(struct ticket_look *look, uv_loop_t *loop, uv_async_t *ended,
                      struct snapshot *const *in_effect, struct log *log)
{
    *look = (struct ticket_look){
        .log = log,
        .in_effect = in_effect,
        .job = {.loop = loop, .begin = begin, .run = run, .end = end, .arg = look, .ended = ended}};
}

void ticket_look_request(struct ticket_look *look)
{
    struct tickets *tickets = &(*look->in_effect)->tickets;
    if (!tickets_have_file(tickets))
        tickets_look(tickets, NULL, tickets_time_now(), look->log);
    else
        pool_job_request(&look->job);
}

bool ticket_look_is_busy(const struct ticket_look *look)
{
    return pool_job_is_running(&look->job);
}
