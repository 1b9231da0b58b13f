/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_backend.h"
#include "protocols/pop3/pop3_client.h"
#include "protocols/pop3/pop3_goodbye.h"
#include "protocols/pop3/pop3_protocol.h"

/* ---- what both halves use ---- */

enum pop3_slot pop3_first_slot(const struct pop3_engine *pop3)
{
    return (enum pop3_slot)reply_queue_first(&pop3->replies);
}

/*
 * Sends the own replies at the front of the queue. All that can be outstanding fit into a step, as one slice.
 */
static void send_own_replies(struct pop3_engine *pop3, struct engine_out *out)
{
    while (engine_is_open(&pop3->base) && pop3_slot_is_own(pop3_first_slot(pop3))) {
        enum pop3_slot slot = (enum pop3_slot)reply_queue_take(&pop3->replies);
        pop3_slot_send(slot, out);
        if (pop3_slot_closes(slot))
            engine_fail(&pop3->base, ENGINE_CLIENT_ERROR, pop3_slot_close_detail(slot));
    }
}

void pop3_reject(struct pop3_engine *pop3, enum pop3_slot slot, struct engine_out *out)
{
    pop3->refusals++;
    if (pop3->refusals >= POP3_REFUSALS_MAX && !pop3_slot_closes(slot))
        slot = POP3_CLOSE_TOO_MANY_ERRORS;
    reply_queue_add(&pop3->replies, (uint8_t)slot);
    if (pop3_slot_closes(slot))
        pop3_move_client(pop3, POP3_CLIENT_DONE);
    send_own_replies(pop3, out);
}

void pop3_finish_reply(struct pop3_engine *pop3, struct engine_out *out)
{
    reply_queue_take(&pop3->replies);
    send_own_replies(pop3, out);
}

/* ---- the operations ---- */

static struct pop3_engine *of(struct engine *engine)
{
    return (struct pop3_engine *)engine;
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    (void)client;
    of(engine)->client = POP3_CLIENT_GREETING;
    of(engine)->backend = POP3_BACKEND_GREETING;
    return true;
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_BACKEND || pop3_client_is_wanted((const struct pop3_engine *)engine);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    return from == SIDE_CLIENT ? pop3_client_feed(of(engine), data, out)
                               : pop3_backend_feed(of(engine), data, out);
}

/*
 * The words serve as greeting, as reply to the command under way, or as an idle client's next reply. They are
 * not sent inside a multi-line reply, in which they would be content, nor after the backend's last word. A
 * client that was just idle for too long gets nothing (RFC 1939 section 3).
 */
static void goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out)
{
    const struct pop3_engine *pop3 = of(engine);
    bool between_replies = pop3->backend == POP3_BACKEND_GREETING || pop3->backend == POP3_BACKEND_XCLIENT ||
                           pop3->backend == POP3_BACKEND_REPLY;
    bool idled = why == ENGINE_GOODBYE_TIMEOUT && pop3->backend == POP3_BACKEND_REPLY &&
                 reply_queue_is_empty(&pop3->replies);
    if (between_replies && !idled)
        pop3_goodbye_send(why, out);
}

static bool rests(const struct engine *engine)
{
    const struct pop3_engine *pop3 = (const struct pop3_engine *)engine;
    return pop3->client == POP3_CLIENT_COMMAND && pop3->backend == POP3_BACKEND_REPLY &&
           reply_queue_is_empty(&pop3->replies) && !line_reader_is_inside(&pop3->from_client) &&
           !line_reader_is_inside(&pop3->from_backend);
}

static void release(struct engine *engine)
{
    line_reader_done(&of(engine)->from_client);
    line_reader_done(&of(engine)->from_backend);
    bytes_free(&of(engine)->greeting);
}

const struct engine_ops pop3_engine_ops = {
    .size = sizeof(struct pop3_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .rests = rests,
    .goodbye = goodbye,
    .release = release,
};
