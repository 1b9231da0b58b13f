/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

/* In the thread that leaves something. */
static void wake_control(void *arg)
{
    struct control *control = arg;
    uv_async_send(&control->worker_event);
}

static bool begin(void *arg)
{
    struct control *control = arg;
    return disposal_waits(&control->disposals);
}

static void run(void *arg)
{
    struct control *control = arg;
    disposal_run(&control->disposals);
}

void control_open_disposals(struct control *control)
{
    control->disposals.wake = wake_control;
    control->disposals.arg = control;
    control->disposal_job =
        (struct pool_job){.loop = &control->loop, .begin = begin, .run = run, .arg = control};
}

void control_dispose(struct control *control)
{
    pool_job_request(&control->disposal_job);
}

void control_leave_disposals(struct control *control)
{
    disposal_leave_to(&control->disposals);
}

void control_end_disposals(struct control *control)
{
    disposal_leave_to(NULL);
    disposal_run(&control->disposals);
}
