/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_goodbyes.h"

#include "proxy/common/monotonic.h"
#include "proxy/control/control_private.h"

static void log_step(const struct control *control, const struct server_state *server, const char *step,
                     enum server_goodbye_cause cause, uint64_t over_ms)
{
    struct log_line line;
    if (server_state_sessions(server) == 0)
        return;
    log_line_begin(&line, CFG_LOG_INFO, "server-goodbyes");
    log_line_add_text(&line, "pool", server->identity.pool);
    log_line_add_text(&line, "server", server->identity.name);
    log_line_add_text(&line, "step", step);
    log_line_add_text(&line, "cause", server_goodbye_word(cause));
    log_line_add_number(&line, "sessions", server_state_sessions(server));
    log_line_add_seconds(&line, "over", over_ms);
    log_write(control->log, &line);
}

/* The cause of the round under way. */
static enum server_goodbye_cause cause_under_way(const struct server_goodbye *goodbye)
{
    return server_goodbye_round(goodbye) != 0 ? server_goodbye_cause(goodbye) : SERVER_GOODBYE_NONE;
}

static void begin(struct control *control, struct server_state *server, uint64_t over_ms,
                  enum server_goodbye_cause cause, uint64_t now_ms)
{
    server_goodbye_begin(&server->goodbye, cause, over_ms, now_ms);
    log_step(control, server, "begin", cause, over_ms);
    for (unsigned i = 0; i < control->worker_count; i++)
        worker_begin_partings(&control->workers[i]);
}

void control_goodbyes_begin(struct control *control, struct server_state *server, uint64_t over_ms,
                            enum server_goodbye_cause cause)
{
    uint64_t now_ms = monotonic_ms();
    server->goodbye.drained_until_ms = cause == SERVER_GOODBYE_DRAINED ? now_ms + over_ms : 0;
    begin(control, server, over_ms, cause, now_ms);
}

static void cancel(struct control *control, struct server_state *server, uint64_t now_ms)
{
    enum server_goodbye_cause cause = cause_under_way(&server->goodbye);
    if (cause == SERVER_GOODBYE_NONE)
        return;
    uint64_t left_ms = server_goodbye_left_ms(&server->goodbye, now_ms);
    if (left_ms > 0)
        log_step(control, server, "cancel", cause, left_ms);
    server_goodbye_cancel(&server->goodbye);
}

void control_goodbyes_cancel(struct control *control, struct server_state *server)
{
    server->goodbye.drained_until_ms = 0;
    cancel(control, server, monotonic_ms());
}

void control_goodbyes_review(struct control *control, struct server_state *server, uint64_t spread_ms,
                             uint64_t now_ms)
{
    struct server_goodbye *goodbye = &server->goodbye;
    enum server_admin admin = server_state_admin(server);
    if (admin == SERVER_READY)
        goodbye->drained_until_ms = 0;
    uint64_t drained_until = goodbye->drained_until_ms;
    enum server_goodbye_cause wanted =
        server_goodbye_wanted(admin, server_state_health(server), drained_until > 0);
    if (wanted == cause_under_way(goodbye))
        return;
    if (wanted == SERVER_GOODBYE_NONE)
        cancel(control, server, now_ms);
    else if (wanted == SERVER_GOODBYE_DRAINED)
        begin(control, server, drained_until > now_ms ? drained_until - now_ms : 0, wanted, now_ms);
    else
        begin(control, server, spread_ms, wanted, now_ms);
}
