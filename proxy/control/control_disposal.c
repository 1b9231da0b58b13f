/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "proxy/control/pool_job.h"

/* In the thread that leaves something. */
static void wake_control(void *arg)
{
    struct control *control = arg;
    uv_async_send(&control->worker_event);
}

void control_open_disposals(struct control *control)
{
    control->disposals.wake = wake_control;
    control->disposals.arg = control;
}

/* In a thread of libuv's pool. */
static void run(uv_work_t *work)
{
    struct control *control = work->data;
    disposal_run(&control->disposals);
}

static void finish(uv_work_t *work, int status)
{
    struct control *control = work->data;
    (void)status;
    control->is_disposing = false;
    control_dispose(control);
}

/* One request at a time, however much the workers leave: its thread takes all that is there. */
void control_dispose(struct control *control)
{
    if (control->is_disposing || !disposal_waits(&control->disposals))
        return;
    control->disposal_work.data = control;
    control->is_disposing = pool_queue(&control->loop, &control->disposal_work, run, finish) == 0;
    if (control->is_disposing)
        return;
    control_end_disposals(control);
    control_leave_disposals(control);
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
