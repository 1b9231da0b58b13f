/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "proxy/admin/readiness.h"

#include <stdio.h>
#include <time.h>

_Static_assert(HEARTBEAT_MS *HEARTBEATS_MISSED == 10000, "as the words for workers that hang say");

/* A worker ends only when the program does. */
static void tell_health(const struct control *control, enum key_manager_state keys, struct admin_state *into)
{
    char hung[64] = "";
    const char *why = "";
    into->metrics.hung_workers = control_describe_hung(control, hung, sizeof hung);
    if (control->phase == WORKER_RUNNING && atomic_load(&control->workers_ended) > 0)
        why = "a worker has ended";
    else if (keys == KEY_MANAGER_GONE)
        why = "nobody can sign: the key process is gone for good";
    if (hung[0] != '\0')
        snprintf(into->unhealthy, sizeof into->unhealthy, "no sign of life for 10 s: %s", hung);
    else
        snprintf(into->unhealthy, sizeof into->unhealthy, "%s", why);
}

static void tell_readiness(const struct control *control, enum key_manager_state keys,
                           struct admin_state *into)
{
    const char *why = "";
    if (control->phase != WORKER_RUNNING || control->is_leaving)
        why = "no new sessions";
    else if (!key_manager_can_sign(keys))
        why = "nobody can sign: the key process does not run";
    if (why[0] != '\0')
        snprintf(into->unready, sizeof into->unready, "%s", why);
    else
        (void)readiness_of_pools(&control->runtime, into->unready, sizeof into->unready);
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
                                             .has_key_process = control->keys != NULL}};
    tell_health(control, keys, into);
    tell_readiness(control, keys, into);
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
    struct admin_source source = {.describe = describe_state,
                                  .arg = control,
                                  .survey = control_survey,
                                  .reload = control_reload,
                                  .order = control_order};
    control_note_reload(control, RELOAD_CONFIGURATION);
    control->admin = admin_new(&control->loop, &source, control->log);
    if (control->admin == NULL)
        return UV_ENOMEM;
    admin_serve(control->admin, &control->admin_listeners);
    return admin_serve_socket(control->admin, &control->admin_socket, control->started->admin.socket);
}
