/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_order.h"
#include "proxy/common/monotonic.h"
#include "proxy/control/control_goodbyes.h"
#include "proxy/control/control_private.h"

/* What the operator wants of servers, and that it holds over reloads and restarts. */

/* ---- what was set before ---- */

void control_read_settings(struct control *control)
{
    settings_file_read(control->runtime.snapshot->cfg->state_file, &control->settings,
                       control->settings_problem);
}

void control_open_settings(struct control *control)
{
    settings_file_init(&control->settings_file, &control->loop, &control->worker_event, control->log);
    if (control->settings_problem[0] != '\0')
        settings_file_set_aside(control->runtime.snapshot->cfg->state_file, control->settings_problem,
                                control->log);
}

void control_apply_settings(struct control *control, const struct membership *members)
{
    struct server_observer observer = control_observer(control);
    bool changed = server_settings_apply(&control->settings, members, monotonic_ms(), &observer);
    control->settings_changed = control->settings_changed || changed;
}

static void write_settings(struct control *control)
{
    settings_file_write(&control->settings_file, control->runtime.snapshot->cfg->state_file,
                        &control->settings);
}

void control_keep_settings(struct control *control)
{
    if (control->settings_changed || control->settings.count > 0)
        write_settings(control);
    control->settings_changed = false;
}

/* ---- what is set now ---- */

static void remember(struct control *control, const struct server_state *server)
{
    struct log_line line;
    if (server_settings_note(&control->settings, server)) {
        write_settings(control);
        return;
    }
    log_line_begin(&line, CFG_LOG_ERROR, "settings-not-remembered");
    log_line_add_text(&line, "error", "out of memory");
    log_write(control->log, &line);
}

/* A drain without a time leaves the sessions alone, and so does taking it back. */
static void spread_goodbyes(struct control *control, struct server_state *server,
                            const struct admin_order *order)
{
    bool is_lost = server_goodbye_cause(&server->goodbye) == SERVER_GOODBYE_LOST;
    if (order->has_within)
        control_goodbyes_begin(control, server, (uint64_t)order->within_s * 1000, SERVER_GOODBYE_DRAINED);
    else if (order->admin != SERVER_MAINTENANCE && !is_lost)
        control_goodbyes_cancel(control, server);
}

void control_order(void *arg, struct server_state *server, const struct admin_order *order)
{
    struct control *control = arg;
    struct server_observer observer = control_observer(control);
    uint64_t now_ms = monotonic_ms();
    if (order->has_weight)
        server_state_set_weight(server, order->weight, now_ms);
    if (order->has_admin) {
        server_state_set_admin(server, order->admin, SERVER_CAUSE_OPERATOR, now_ms, &observer);
        spread_goodbyes(control, server, order);
    }
    remember(control, server);
}
