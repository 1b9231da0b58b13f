/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/batch.h"

/* True if pieces are left. */
static bool run(const struct batch *batch)
{
    uint64_t end = batch->clock_ns() + (uint64_t)BATCH_BUDGET_US * 1000;
    do {
        if (!batch->step(batch->arg))
            return false;
    } while (batch->clock_ns() < end);
    return true;
}

static void on_idle(uv_idle_t *idle)
{
    if (!run(idle->data))
        uv_idle_stop(idle);
}

void batch_init(struct batch *batch, uv_loop_t *loop, bool (*step)(void *arg), void *arg)
{
    *batch = (struct batch){.step = step, .arg = arg, .clock_ns = uv_hrtime};
    uv_idle_init(loop, &batch->idle);
    batch->idle.data = batch;
    uv_unref((uv_handle_t *)&batch->idle);
}

void batch_start(struct batch *batch)
{
    bool goes_on = uv_is_active((const uv_handle_t *)&batch->idle) != 0;
    if (!goes_on && run(batch))
        uv_idle_start(&batch->idle, on_idle);
}
