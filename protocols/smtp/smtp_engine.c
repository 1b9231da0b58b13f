/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_protocol.h"
#include "protocols/smtp/smtp_session.h"

#include <stdlib.h>

static struct smtp_engine *of(struct engine *engine)
{
    return (struct smtp_engine *)engine;
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_BACKEND || smtp_wants_client((const struct smtp_engine *)engine);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    struct smtp_engine *smtp = of(engine);
    struct slice left = data;
    while (left.len > 0 && smtp_is_open(smtp) && wants(engine, from) && engine_out_has_room(out)) {
        if (from == SIDE_CLIENT)
            smtp_client_step(smtp, &left, out);
        else
            smtp_backend_step(smtp, &left, out);
    }
    return data.len - left.len;
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    struct smtp_engine *smtp = of(engine);
    smtp->expects = SMTP_EXPECTS_GREETING;
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_GREETING);
    if (engine->service->adds_received)
        smtp->received = smtp_received_new(client);
    return !engine->service->adds_received || smtp->received != NULL;
}

void smtp_let_out_goodbye(const struct engine_service *service, enum engine_farewell farewell,
                          struct engine_out *out)
{
    static const struct {
        const char *code;
        const char *words;
    } texts[] = {
        [ENGINE_FAREWELL_UNAVAILABLE] = {"421 4.3.2 ", " Mail server not available, try again later\r\n"},
        [ENGINE_FAREWELL_SHUTDOWN] = {"421 4.3.2 ", " Server is shutting down, try again later\r\n"},
        [ENGINE_FAREWELL_TIMEOUT] = {"421 4.4.2 ", " Timeout, closing the connection\r\n"},
    };
    engine_out_make_text(out, SIDE_CLIENT, texts[farewell].code);
    engine_out_make_text(out, SIDE_CLIENT, service->hostname);
    engine_out_make_text(out, SIDE_CLIENT, texts[farewell].words);
}

/*
 * RFC 5321 section 3.8: 421 may come at any time, as greeting (section 4.3.2) or where a reply is awaited;
 * not within a reply of several lines. Behind the backend's own 421 or 221 it would be one too many.
 */
static void goodbye(struct engine *engine, enum engine_farewell farewell, struct engine_out *out)
{
    const struct smtp_engine *smtp = of(engine);
    bool said_already = engine->status.ending && smtp_is_quiet(smtp);
    if (!smtp_client_is_in_reply(smtp) && !said_already)
        smtp_let_out_goodbye(engine->service, farewell, out);
}

static void release(struct engine *engine)
{
    line_reader_done(&of(engine)->from_client);
    line_reader_done(&of(engine)->from_backend);
    smtp_received_free(&of(engine)->received);
    free(of(engine)->login);
}

const struct engine_ops submission_engine_ops = {
    .size = sizeof(struct smtp_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .goodbye = goodbye,
    .release = release,
};
