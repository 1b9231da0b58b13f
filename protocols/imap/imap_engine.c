/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_backend.h"
#include "protocols/imap/imap_client.h"
#include "protocols/imap/imap_goodbye.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_protocol.h"

/* ---- what both halves use ---- */

bool imap_is_open(const struct imap_engine *imap)
{
    return engine_is_open(&imap->base) && imap->close_reason == NULL;
}

void imap_fail_memory(struct imap_engine *imap)
{
    engine_fail(&imap->base, ENGINE_NO_MEMORY, "no memory");
}

void imap_send(struct imap_engine *imap, struct slice text, struct engine_out *out)
{
    if (!imap->client_in_response)
        engine_out_make(out, SIDE_CLIENT, text);
    else if (!bytes_append(&imap->pending_output, text, IMAP_ANSWER_MAX))
        imap_fail_memory(imap);
}

void imap_reply(struct imap_engine *imap, struct slice tag, const char *text, struct engine_out *out)
{
    imap_send(imap, tag.len > 0 ? tag : slice_of("*"), out);
    imap_send(imap, slice_of(" "), out);
    imap_send(imap, slice_of(text), out);
    imap_send(imap, slice_of("\r\n"), out);
}

void imap_send_id(struct imap_engine *imap, bool with_name, struct engine_out *out)
{
    char fields[IMAP_ID_OWN_FIELDS_MAX];
    imap_id_own_fields(engine_deep_status(&imap->base), fields);
    imap_send(imap, slice_of(with_name ? "* ID (\"name\" \"deepproxy\" " : "* ID ("), out);
    imap_send(imap, slice_of(fields), out);
    imap_send(imap, slice_of(")\r\n"), out);
}

static void close_if_due(struct imap_engine *imap)
{
    if (imap->close_reason != NULL)
        engine_fail(&imap->base, ENGINE_CLIENT_ERROR, imap->close_reason);
}

void imap_send_pending(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->pending_output.len > 0) {
        engine_out_make(out, SIDE_CLIENT, bytes_view(&imap->pending_output));
        bytes_free(&imap->pending_output);
    }
    close_if_due(imap);
}

void imap_fail_client(struct imap_engine *imap, const char *detail, struct engine_out *out)
{
    imap_send(imap, slice_of("* BYE "), out);
    imap_send(imap, slice_of(detail), out);
    imap_send(imap, slice_of("\r\n"), out);
    imap->close_reason = detail;
    if (!imap->client_in_response)
        close_if_due(imap);
}

void imap_fail_backend(struct imap_engine *imap, const char *detail, struct engine_out *out)
{
    if (imap->backend != IMAP_BACKEND_GREETING && !imap->client_in_response)
        imap_send(imap, slice_of("* BYE [UNAVAILABLE] The mail server made a mistake, try again later\r\n"),
                  out);
    engine_fail(&imap->base, ENGINE_BACKEND_ERROR, detail);
}

/* ---- the operations ---- */

static struct imap_engine *of(struct engine *engine)
{
    return (struct imap_engine *)engine;
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    (void)client;
    of(engine)->client = IMAP_CLIENT_COMMAND;
    of(engine)->backend = IMAP_BACKEND_GREETING;
    return true;
}

static bool wants(const struct engine *engine, enum side from)
{
    return from == SIDE_BACKEND || imap_client_is_wanted((const struct imap_engine *)engine);
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    return from == SIDE_CLIENT ? imap_client_feed(of(engine), data, out)
                               : imap_backend_feed(of(engine), data, out);
}

/*
 * Not inside a response, in which the client would take the words for content, nor after the backend's own
 * BYE.
 */
static void goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out)
{
    if (!of(engine)->client_in_response && !engine->status.closing_reply_sent)
        imap_goodbye_send(engine->service, why, out);
}

/* In IDLE the command itself is unanswered. */
static bool rests(const struct engine *engine)
{
    const struct imap_engine *imap = (const struct imap_engine *)engine;
    bool between_commands = imap->client == IMAP_CLIENT_COMMAND && imap->unanswered == 0;
    return (between_commands || imap->client == IMAP_CLIENT_IDLE) && imap->own == IMAP_OWN_NONE &&
           !line_reader_is_inside(&imap->from_client) && imap->backend == IMAP_BACKEND_RESPONSE &&
           imap->backend_held.len == 0 && !imap->client_in_response;
}

static void release(struct engine *engine)
{
    line_reader_done(&of(engine)->from_client);
    bytes_free(&of(engine)->client_held);
    bytes_free(&of(engine)->backend_held);
    bytes_free(&of(engine)->pending_output);
}

const struct engine_ops imap_engine_ops = {
    .size = sizeof(struct imap_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .rests = rests,
    .goodbye = goodbye,
    .release = release,
};
