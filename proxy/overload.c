/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/overload.h"

#include "proxy/address.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *limit;
    const char *action;
} words[] = {
    [OVERLOAD_CONNECTIONS] = {"max_connections", "closed"},
    [OVERLOAD_CONNECTIONS_PER_ADDRESS] = {"limits.connections_per_address", "closed"},
    [OVERLOAD_HANDSHAKES] = {"limits.handshakes", "new connections wait"},
    [OVERLOAD_HANDSHAKES_PER_ADDRESS] = {"limits.handshakes_per_address", "closed"},
};
_Static_assert(sizeof words / sizeof words[0] == OVERLOAD_LIMITS, "words for each limit");

const char *overload_limit_name(enum overload_limit limit)
{
    return words[limit].limit;
}

static void say(struct overload *overload, enum overload_limit limit)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_WARNING, "overload");
    log_line_add_text(&line, "service", overload->kinds[limit].service);
    if (overload->kinds[limit].client.ss_family != AF_UNSPEC) {
        char address[ADDRESS_TEXT_MAX];
        address_format((const struct sockaddr *)&overload->kinds[limit].client, address);
        log_line_add_text(&line, "client", address);
    }
    log_line_add_text(&line, "limit", words[limit].limit);
    log_line_add_text(&line, "action", words[limit].action);
    log_line_add_number(&line, "count", overload->kinds[limit].unsaid);
    log_queue_put(overload->log, &line);
    overload->kinds[limit].unsaid = 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct overload *overload = timer->data;
    bool goes_on = false;
    for (int i = 0; i < OVERLOAD_LIMITS; i++) {
        overload->kinds[i].is_recent = overload->kinds[i].unsaid > 0;
        goes_on = goes_on || overload->kinds[i].is_recent;
    }
    overload_flush(overload);
    if (!goes_on)
        uv_timer_stop(timer);
}

void overload_init(struct overload *overload, uv_loop_t *loop, struct log_queue *log)
{
    memset(overload, 0, sizeof *overload);
    overload->log = log;
    uv_timer_init(loop, &overload->timer);
    uv_unref((uv_handle_t *)&overload->timer);
    overload->timer.data = overload;
}

void overload_note(struct overload *overload, enum overload_limit limit, const char *service,
                   const struct sockaddr_storage *client)
{
    overload->kinds[limit].unsaid++;
    snprintf(overload->kinds[limit].service, sizeof overload->kinds[limit].service, "%s", service);
    overload->kinds[limit].client = client != NULL ? *client : (struct sockaddr_storage){0};
    if (overload->kinds[limit].is_recent)
        return;
    overload->kinds[limit].is_recent = true;
    say(overload, limit);
    if (!uv_is_active((const uv_handle_t *)&overload->timer))
        uv_timer_start(&overload->timer, on_timer, OVERLOAD_LOG_MS, OVERLOAD_LOG_MS);
}

void overload_flush(struct overload *overload)
{
    for (int i = 0; i < OVERLOAD_LIMITS; i++)
        if (overload->kinds[i].unsaid > 0)
            say(overload, (enum overload_limit)i);
}
