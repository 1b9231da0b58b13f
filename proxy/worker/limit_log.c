/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/limit_log.h"

#include "base/array.h"
#include "proxy/common/accept.h"
#include "proxy/common/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const actions[] = {
    [CLIENT_LIMIT_CONNECTIONS] = "closed",
    [CLIENT_LIMIT_OPEN_FILES] = "closed",
    [CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS] = "closed",
    [CLIENT_LIMIT_HANDSHAKES] = "new connections wait",
    [CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS] = "closed",
    [CLIENT_LIMIT_CONNECTION_RATE] = "closed",
};
_Static_assert(ARRAY_LEN(actions) == CLIENT_LIMITS, "an action for each limit");

static void add_remedy(struct log_line *line, int error)
{
    const char *remedy = accept_remedy(error);
    if (remedy != NULL)
        log_line_add_text(line, "raise", remedy);
}

static void log_failure(struct limit_log *limits)
{
    struct log_line line;
    int error = limits->kinds[LIMIT_LOG_ACCEPT_FAILURES].error;
    log_line_begin(&line, CFG_LOG_WARNING, "accept-failed");
    log_line_add_text(&line, "service", limits->kinds[LIMIT_LOG_ACCEPT_FAILURES].service);
    log_line_add_text(&line, "error", uv_strerror(uv_translate_sys_error(error)));
    log_line_add_text(&line, "action", "new connections wait");
    add_remedy(&line, error);
    log_line_add_number(&line, "count", limits->kinds[LIMIT_LOG_ACCEPT_FAILURES].unlogged);
    log_queue_put(limits->log, &line);
}

static void add_client(struct log_line *line, const struct sockaddr_storage *client)
{
    char address[ADDRESS_TEXT_MAX];
    if (client->ss_family == AF_UNSPEC)
        return;
    address_format((const struct sockaddr *)client, address);
    log_line_add_text(line, "client", address);
}

static void log_refusal(struct limit_log *limits, int kind)
{
    struct log_line line;
    enum refusal refusal = (enum refusal)(kind - LIMIT_LOG_REFUSALS);
    log_line_begin(&line, CFG_LOG_WARNING, "refused");
    log_line_add_text(&line, "service", limits->kinds[kind].service);
    add_client(&line, &limits->kinds[kind].client);
    log_line_add_text(&line, "reason", refusal_name(refusal));
    log_line_add_text(&line, "detail", limits->kinds[kind].detail);
    log_line_add_text(&line, "action", "closed");
    log_line_add_number(&line, "count", limits->kinds[kind].unlogged);
    log_line_add_text(&line, "cause", refusal_cause(refusal));
    log_queue_put(limits->log, &line);
}

/* `kind` is the limit, or LIMIT_LOG_WAITING or LIMIT_LOG_SLOWED for one with another action. */
static void log_limit(struct limit_log *limits, int kind, enum client_limit limit, const char *action)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_WARNING, "overload");
    log_line_add_text(&line, "service", limits->kinds[kind].service);
    add_client(&line, &limits->kinds[kind].client);
    log_line_add_text(&line, "limit", client_limit_name(limit));
    log_line_add_text(&line, "action", action);
    if (limit == CLIENT_LIMIT_OPEN_FILES)
        add_remedy(&line, EMFILE);
    log_line_add_number(&line, "count", limits->kinds[kind].unlogged);
    log_line_add_text(&line, "cause", client_limit_cause(limit));
    log_queue_put(limits->log, &line);
}

static void log_kind(struct limit_log *limits, int kind)
{
    if (kind == LIMIT_LOG_ACCEPT_FAILURES)
        log_failure(limits);
    else if (kind == LIMIT_LOG_WAITING)
        log_limit(limits, kind, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS, "it waits for others of its address");
    else if (kind == LIMIT_LOG_SLOWED)
        log_limit(limits, kind, CLIENT_LIMIT_CONNECTION_RATE, "it waits for its turn");
    else if (kind >= LIMIT_LOG_REFUSALS)
        log_refusal(limits, kind);
    else
        log_limit(limits, kind, (enum client_limit)kind, actions[kind]);
    limits->kinds[kind].unlogged = 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct limit_log *limits = timer->data;
    bool goes_on = false;
    for (int i = 0; i < LIMIT_LOG_KINDS; i++) {
        limits->kinds[i].is_recent = limits->kinds[i].unlogged > 0;
        goes_on = goes_on || limits->kinds[i].is_recent;
    }
    limit_log_flush(limits);
    if (!goes_on)
        uv_timer_stop(timer);
}

void limit_log_init(struct limit_log *limits, uv_loop_t *loop, struct log_queue *log)
{
    memset(limits, 0, sizeof *limits);
    limits->log = log;
    uv_timer_init(loop, &limits->timer);
    uv_unref((uv_handle_t *)&limits->timer);
    limits->timer.data = limits;
}

static void note(struct limit_log *limits, int kind, const char *service)
{
    limits->kinds[kind].unlogged++;
    snprintf(limits->kinds[kind].service, sizeof limits->kinds[kind].service, "%s", service);
    if (limits->kinds[kind].is_recent)
        return;
    limits->kinds[kind].is_recent = true;
    log_kind(limits, kind);
    if (!uv_is_active((const uv_handle_t *)&limits->timer))
        uv_timer_start(&limits->timer, on_timer, LIMIT_LOG_MS, LIMIT_LOG_MS);
}

void limit_log_note(struct limit_log *limits, enum client_limit limit, const char *service,
                    const struct sockaddr_storage *client)
{
    limits->kinds[limit].client = client != NULL ? *client : (struct sockaddr_storage){0};
    note(limits, (int)limit, service);
}

void limit_log_note_waiting(struct limit_log *limits, const char *service,
                            const struct sockaddr_storage *client)
{
    limits->kinds[LIMIT_LOG_WAITING].client = *client;
    note(limits, LIMIT_LOG_WAITING, service);
}

void limit_log_note_slowed(struct limit_log *limits, const char *service,
                           const struct sockaddr_storage *client)
{
    limits->kinds[LIMIT_LOG_SLOWED].client = *client;
    note(limits, LIMIT_LOG_SLOWED, service);
}

void limit_log_note_refusal(struct limit_log *limits, enum refusal refusal, const char *detail,
                            const char *service, const struct sockaddr_storage *client)
{
    int kind = LIMIT_LOG_REFUSALS + (int)refusal;
    limits->kinds[kind].client = *client;
    limits->kinds[kind].detail = detail;
    note(limits, kind, service);
}

void limit_log_note_failure(struct limit_log *limits, int error, const char *service)
{
    limits->kinds[LIMIT_LOG_ACCEPT_FAILURES].error = error;
    note(limits, LIMIT_LOG_ACCEPT_FAILURES, service);
}

void limit_log_flush(struct limit_log *limits)
{
    for (int i = 0; i < LIMIT_LOG_KINDS; i++)
        if (limits->kinds[i].unlogged > 0)
            log_kind(limits, i);
}
