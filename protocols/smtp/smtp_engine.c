/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_backend.h"
#include "protocols/smtp/smtp_client.h"
#include "protocols/smtp/smtp_client_report.h"
#include "protocols/smtp/smtp_goodbye.h"
#include "protocols/smtp/smtp_protocol.h"
#include "protocols/smtp/smtp_xclient.h"

#include <stdlib.h>

/* ---- what both halves use ---- */

bool smtp_is_quiet(const struct smtp_engine *smtp)
{
    return smtp->replying == SMTP_SLOT_NONE && smtp_first_slot(smtp) == SMTP_SLOT_NONE;
}

bool smtp_is_swallowing(const struct smtp_engine *smtp)
{
    bool xclient = smtp->replying == SMTP_AWAIT_XCLIENT &&
                   !smtp_xclient_refuses_client(smtp->replying, smtp->reply_code);
    return smtp->replying == SMTP_AWAIT_CIPHER || xclient ||
           (smtp->replying == SMTP_AWAIT_OFFER && smtp->reply_code == 250) ||
           smtp->replying == SMTP_AWAIT_CLIENT ||
           (smtp->replying == SMTP_AWAIT_GREETING && smtp->base.service->starttls);
}

bool smtp_hold(struct smtp_engine *smtp, const struct line *line)
{
    if (!line->in_input || bytes_append(&smtp->from_client.held, line->whole, SIZE_MAX))
        return true;
    engine_fail(&smtp->base, ENGINE_NO_MEMORY, "no memory for a command");
    return false;
}

bool smtp_client_is_in_reply(const struct smtp_engine *smtp)
{
    return smtp->replying != SMTP_SLOT_NONE && !smtp_is_swallowing(smtp);
}

void smtp_send_own_replies(struct smtp_engine *smtp, struct engine_out *out)
{
    while (engine_is_open(&smtp->base) && smtp->replying == SMTP_SLOT_NONE &&
           smtp_slot_is_own(smtp_first_slot(smtp))) {
        enum smtp_slot slot = (enum smtp_slot)reply_queue_take(&smtp->replies);
        smtp_slot_send(slot, smtp->base.service->hostname, out);
        if (smtp_slot_closes(slot))
            engine_fail(&smtp->base, ENGINE_CLIENT_ERROR, smtp_slot_close_detail(slot));
    }
}

void smtp_reply(struct smtp_engine *smtp, enum smtp_slot slot, struct engine_out *out)
{
    smtp_add_slot(smtp, slot);
    if (smtp_slot_closes(slot))
        smtp_move_client(smtp, SMTP_CLIENT_NOTHING);
    smtp_send_own_replies(smtp, out);
}

void smtp_reject(struct smtp_engine *smtp, enum smtp_slot slot, struct engine_out *out)
{
    smtp->refusals++;
    bool enough = smtp->refusals >= SMTP_REFUSALS_MAX && !smtp_slot_closes(slot);
    smtp_reply(smtp, enough ? SMTP_CLOSE_TOO_MANY_ERRORS : slot, out);
}

uint8_t smtp_unanswered(const struct smtp_engine *smtp, enum smtp_slot slot)
{
    return (uint8_t)(reply_queue_count(&smtp->replies, (uint8_t)slot) + (smtp->replying == slot ? 1 : 0));
}

void smtp_send_cipher(struct smtp_engine *smtp, struct engine_out *out)
{
    smtp_client_report_send((struct slice){0}, smtp->base.client.tls_cipher, out);
    smtp_add_slot(smtp, SMTP_AWAIT_CIPHER);
    smtp->cipher = SMTP_CIPHER_SENT;
}

/* ---- the operations ---- */

static struct smtp_engine *of(struct engine *engine)
{
    return (struct smtp_engine *)engine;
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    struct smtp_engine *smtp = of(engine);
    smtp->client = SMTP_CLIENT_GREETING;
    smtp_add_slot(smtp, SMTP_AWAIT_GREETING);
    if (engine->service->adds_received)
        smtp->received = smtp_received_new(client);
    return !engine->service->adds_received || smtp->received != NULL;
}

/*
 * RFC 5321 section 3.8: 421 may come at any time, as greeting (section 4.3.2) or in place of a reply, but not
 * within a reply of several lines. After the backend's own 421 or 221 it would be one too many.
 */
static void goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out)
{
    const struct smtp_engine *smtp = of(engine);
    bool has_been_sent = engine->status.ending && smtp_is_quiet(smtp);
    if (!smtp_client_is_in_reply(smtp) && !has_been_sent)
        smtp_goodbye_send(engine->service, why, out);
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_BACKEND || smtp_client_is_wanted((const struct smtp_engine *)engine);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    return from == SIDE_CLIENT ? smtp_client_feed(of(engine), data, out)
                               : smtp_backend_feed(of(engine), data, out);
}

/* Between the chunks of a message it does not. */
static bool rests(const struct engine *engine)
{
    const struct smtp_engine *smtp = (const struct smtp_engine *)engine;
    return smtp->client == SMTP_CLIENT_COMMAND && smtp_is_quiet(smtp) && !smtp->in_chunks &&
           !line_reader_is_inside(&smtp->from_client) && !line_reader_is_inside(&smtp->from_backend);
}

static void release(struct engine *engine)
{
    line_reader_done(&of(engine)->from_client);
    line_reader_done(&of(engine)->from_backend);
    smtp_received_free(&of(engine)->received);
    free(of(engine)->login);
}

const struct engine_ops smtp_engine_ops = {
    .size = sizeof(struct smtp_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .rests = rests,
    .goodbye = goodbye,
    .release = release,
};
