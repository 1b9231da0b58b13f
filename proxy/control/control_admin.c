/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include <time.h>

/* struct admin_source */
static void describe_state(void *arg, struct admin_state *into)
{
    struct control *control = arg;
    bool runs = control->phase == WORKER_RUNNING;
    *into = (struct admin_state){.metrics = {.runtime = control->runtime,
                                             .now = (int64_t)time(NULL),
                                             .workers = control->worker_count,
                                             .configuration = control->reloads[RELOAD_CONFIGURATION],
                                             .certificates = control->reloads[RELOAD_CERTIFICATES],
                                             .stale_certificates = control->stale_certificates,
                                             .has_key_process = control->keys != NULL},
                                 /* A worker ends only when the program does. */
                                 .is_healthy = !runs || atomic_load(&control->workers_ended) == 0,
                                 .is_ready = runs && !control->is_leaving};
    into->metrics.hung_workers = control_describe_hung(control, into->hung, sizeof into->hung);
    if (control->keys != NULL) {
        into->metrics.key_process_is_up = key_manager_is_up(control->keys);
        into->metrics.key_process_restarts = key_manager_restarts(control->keys);
    }
}

void control_note_reload(struct control *control, enum reload_kind kind)
{
    struct metrics_reload done = {.failed = false, .since = (int64_t)time(NULL)};
    control->reloads[kind] = done;
    if (kind == RELOAD_CONFIGURATION)
        control->reloads[RELOAD_CERTIFICATES] = done;
}

int control_start_admin(struct control *control)
{
    struct admin_source source = {describe_state, control};
    control_note_reload(control, RELOAD_CONFIGURATION);
    control->admin = admin_new(&control->loop, &source, control->log);
    if (control->admin == NULL)
        return UV_ENOMEM;
    if (control->admin_listeners.count > 0 && !admin_prepare(control->admin))
        return UV_ENOMEM;
    admin_serve(control->admin, &control->admin_listeners);
    return 0;
}
