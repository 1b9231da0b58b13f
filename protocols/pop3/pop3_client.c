/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_client.h"

#include "protocols/pop3/pop3_command.h"
#include "protocols/sasl_line.h"

static void take_command(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    enum pop3_slot slot = pop3_command_slot(line->text, pop3->base.client.external);
    if (pop3_slot_is_own(slot)) {
        pop3_reject(pop3, slot, out);
        return;
    }
    reply_queue_add(&pop3->replies, (uint8_t)slot);
    line_send(line, SIDE_BACKEND, out);
    if (slot == POP3_AWAIT_SASL || slot == POP3_AWAIT_LOGIN) {
        pop3_move_client(pop3, POP3_CLIENT_LOGIN);
    } else if (slot == POP3_AWAIT_QUIT) {
        engine_note_ending(&pop3->base, true);
        pop3_move_client(pop3, POP3_CLIENT_QUIT);
    }
}

/*
 * A line of the exchange is data and passes. One that a server could read as a command becomes a
 * cancellation.
 */
static void take_sasl_line(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (sasl_line_is_sound(line->text))
        line_send(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    pop3_move_client(pop3, POP3_CLIENT_LOGIN);
}

/* Nobody knows where such a line ends, so what follows cannot be read as a command. */
static void reject_overlong_line(struct pop3_engine *pop3, struct engine_out *out)
{
    line_reader_done(&pop3->from_client);
    /* In an exchange the reply takes the place of that to AUTH, the only one outstanding. */
    if (pop3->client == POP3_CLIENT_SASL_LINE)
        reply_queue_take(&pop3->replies);
    pop3_reject(pop3, POP3_CLOSE_TOO_LONG, out);
}

bool pop3_client_is_wanted(const struct pop3_engine *pop3)
{
    return (pop3->client == POP3_CLIENT_COMMAND || pop3->client == POP3_CLIENT_SASL_LINE) &&
           reply_queue_has_room(&pop3->replies, 1);
}

static size_t line_limit(const struct pop3_engine *pop3)
{
    size_t sasl = engine_sasl_max(&pop3->base);
    return pop3->client == POP3_CLIENT_SASL_LINE ? sasl + LINE_END_LEN : sasl + POP3_AUTH_WORDS_MAX;
}

static void take_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&pop3->from_client, input, line_limit(pop3), &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&pop3->base, ENGINE_NO_MEMORY, "no memory for a line of the client");
        return;
    case LINE_TOO_LONG:
        reject_overlong_line(pop3, out);
        return;
    case LINE_WHOLE:
        break;
    }
    if (pop3->client == POP3_CLIENT_SASL_LINE)
        take_sasl_line(pop3, &line, out);
    else
        take_command(pop3, &line, out);
    line_reader_done(&pop3->from_client);
}

size_t pop3_client_feed(struct pop3_engine *pop3, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&pop3->base, left, out) && pop3_client_is_wanted(pop3))
        take_step(pop3, &left, out);
    return data.len - left.len;
}
