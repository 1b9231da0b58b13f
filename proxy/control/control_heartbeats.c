/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include <stdio.h>

static void log_change(struct control *control, unsigned worker, enum heartbeat_change change)
{
    struct log_line line;
    bool is_hung = change == HEARTBEAT_HUNG;
    log_line_begin(&line, is_hung ? CFG_LOG_ERROR : CFG_LOG_WARNING, is_hung ? "worker-hung" : "worker-back");
    log_line_add_number(&line, "worker", worker);
    log_write(control->log, &line);
}

static void on_heartbeats(uv_timer_t *timer)
{
    struct control *control = timer->data;
    for (unsigned i = 0; i < control->worker_count; i++) {
        enum heartbeat_change change = heartbeat_look(&control->workers[i].heartbeat);
        if (change != HEARTBEAT_SAME)
            log_change(control, i, change);
    }
}

void control_watch_heartbeats(struct control *control)
{
    control->heartbeats.data = control;
    uv_timer_start(&control->heartbeats, on_heartbeats, HEARTBEAT_MS, HEARTBEAT_MS);
}

unsigned control_describe_hung(const struct control *control, char *words, size_t cap)
{
    unsigned count = 0;
    int len = 0;
    for (unsigned i = 0; i < control->worker_count; i++) {
        if (!control->workers[i].heartbeat.is_hung)
            continue;
        /* What does not fit is counted, and not named. */
        if (len >= 0 && (size_t)len < cap)
            len += snprintf(words + len, cap - (size_t)len, count == 0 ? "worker %u" : ", %u", i);
        count++;
    }
    return count;
}
