/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_engine.h"

#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_goodbye.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_protocol.h"
#include "protocols/imap/imap_response.h"

bool imap_is_live(const struct imap_engine *e)
{
    return e->base.status.reason == ENGINE_OPEN && !e->doomed;
}

void imap_no_memory(struct imap_engine *e)
{
    engine_fail(&e->base, ENGINE_NO_MEMORY, "no memory");
}

void imap_say(struct imap_engine *e, struct slice text, struct engine_out *out)
{
    if (!e->open)
        engine_out_make(out, SIDE_CLIENT, text);
    else if (!bytes_append(&e->answer, text, IMAP_ANSWER_MAX))
        imap_no_memory(e);
}

void imap_answer(struct imap_engine *e, struct slice tag, const char *text, struct engine_out *out)
{
    imap_say(e, tag.len > 0 ? tag : slice_of("*"), out);
    imap_say(e, slice_of(" "), out);
    imap_say(e, slice_of(text), out);
    imap_say(e, slice_of("\r\n"), out);
}

void imap_say_id(struct imap_engine *e, bool with_name, struct engine_out *out)
{
    char fields[IMAP_ID_OWN_FIELDS_MAX];
    imap_id_own_fields(engine_deep_status(&e->base), fields);
    imap_say(e, slice_of(with_name ? "* ID (\"name\" \"deepproxy\" " : "* ID ("), out);
    imap_say(e, slice_of(fields), out);
    imap_say(e, slice_of(")\r\n"), out);
}

static void let_client_go(struct imap_engine *e)
{
    if (e->doomed)
        engine_fail(&e->base, ENGINE_CLIENT_ERROR, e->doom);
}

void imap_answers_due(struct imap_engine *e, struct engine_out *out)
{
    if (e->answer.len > 0) {
        engine_out_make(out, SIDE_CLIENT, bytes_view(&e->answer));
        bytes_free(&e->answer);
    }
    let_client_go(e);
}

void imap_client_error(struct imap_engine *e, const char *detail, struct engine_out *out)
{
    imap_say(e, slice_of("* BYE "), out);
    imap_say(e, slice_of(detail), out);
    imap_say(e, slice_of("\r\n"), out);
    e->doomed = true;
    e->doom = detail;
    if (!e->open)
        let_client_go(e);
}

void imap_backend_error(struct imap_engine *e, const char *detail, struct engine_out *out)
{
    if (e->backend != IMAP_BACKEND_GREETING && !e->open)
        imap_say(e, slice_of("* BYE [UNAVAILABLE] The mail server made a mistake, try again later\r\n"), out);
    engine_fail(&e->base, ENGINE_BACKEND_ERROR, detail);
}

static bool init(struct engine *engine, const struct engine_client *client)
{
    (void)client;
    struct imap_engine *e = (struct imap_engine *)engine;
    e->client = IMAP_CLIENT_COMMAND;
    e->backend = IMAP_BACKEND_GREETING;
    return true;
}

static size_t feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out)
{
    struct imap_engine *e = (struct imap_engine *)engine;
    return from == SIDE_CLIENT ? imap_command_feed(e, data, out) : imap_response_feed(e, data, out);
}

static bool wants(const struct engine *engine, enum side from)
{
    const struct imap_engine *e = (const struct imap_engine *)engine;
    return from == SIDE_BACKEND || imap_command_wants(e);
}

static void goodbye(struct engine *engine, enum engine_farewell farewell, struct engine_out *out)
{
    struct imap_engine *e = (struct imap_engine *)engine;
    char text[IMAP_GOODBYE_MAX];
    if (e->open || engine->status.last_word)
        return;
    imap_goodbye_text(engine->service->hostname, farewell, text);
    imap_say(e, slice_of(text), out);
}

static void release(struct engine *engine)
{
    struct imap_engine *e = (struct imap_engine *)engine;
    line_reader_done(&e->client_line);
    bytes_free(&e->client_held);
    bytes_free(&e->backend_held);
    bytes_free(&e->answer);
}

const struct engine_ops imap_engine_ops = {
    .size = sizeof(struct imap_engine),
    .init = init,
    .feed = feed,
    .wants = wants,
    .goodbye = goodbye,
    .release = release,
};
