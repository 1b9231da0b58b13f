/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include <time.h>

/* A worker ends only when the program does. */
static const char *why_unhealthy(const struct control *control, enum key_manager_state keys)
{
    if (control->phase == WORKER_RUNNING && atomic_load(&control->workers_ended) > 0)
        return "a worker has ended";
    return keys == KEY_MANAGER_GONE ? "nobody can sign: the key process is gone for good" : NULL;
}

static const char *why_unready(const struct control *control, enum key_manager_state keys)
{
    if (control->phase != WORKER_RUNNING)
        return "no new sessions";
    return key_manager_can_sign(keys) ? NULL : "nobody can sign: the key process does not run";
}

/* struct admin_source */
static void describe_state(void *arg, struct admin_state *into)
{
    struct control *control = arg;
    enum key_manager_state keys = control->keys != NULL ? key_manager_state(control->keys) : KEY_MANAGER_UP;
    *into = (struct admin_state){.metrics = {.runtime = control->runtime,
                                             .now = (int64_t)time(NULL),
                                             .workers = control->worker_count,
                                             .configuration = control->reloads[RELOAD_CONFIGURATION],
                                             .certificates = control->reloads[RELOAD_CERTIFICATES],
                                             .stale_certificates = control->stale_certificates,
                                             .has_key_process = control->keys != NULL},
                                 .unhealthy = why_unhealthy(control, keys),
                                 .unready = why_unready(control, keys)};
    if (control->keys != NULL) {
        into->metrics.key_process_is_up = key_manager_can_sign(keys);
        into->metrics.key_process_loads = keys == KEY_MANAGER_LOADING;
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
