/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/pop3/pop3_command.h"
#include "protocols/pop3/pop3_session.h"
#include "protocols/sasl_line.h"

static void take_command(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    enum pop3_answer answer = pop3_command_answer(line->text, pop3->base.client.external);
    if (pop3_answer_is_own(answer)) {
        pop3_refuse(pop3, answer, out);
        return;
    }
    pop3_pending_add(&pop3->pending, answer);
    line_let_out(line, SIDE_BACKEND, out);
    if (answer == POP3_ANSWER_SASL || answer == POP3_ANSWER_LOGIN) {
        pop3_move_client(pop3, CLIENT_LOGIN);
    } else if (answer == POP3_ANSWER_QUIT) {
        pop3->base.status.ending = true;
        pop3_move_client(pop3, CLIENT_QUIT);
    }
}

/* A line of the exchange is data and passes; one that could be read as a command becomes a cancellation. */
static void take_sasl_line(struct pop3_engine *pop3, const struct line *line, struct engine_out *out)
{
    if (sasl_line_is_sound(line->text))
        line_let_out(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    pop3_move_client(pop3, CLIENT_LOGIN);
}

/* Where such a line ends nobody knows, so what follows can't be read as a command. */
static void end_overlong_line(struct pop3_engine *pop3, struct engine_out *out)
{
    line_reader_done(&pop3->from_client);
    /* In an exchange it is the answer to AUTH, which is the only one pending. */
    if (pop3->client == CLIENT_SASL_LINE)
        pop3_pending_drop(&pop3->pending);
    pop3_refuse(pop3, POP3_END_LENGTH, out);
}

void pop3_client_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&pop3->from_client, input, POP3_SASL_LINE_MAX, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&pop3->base, ENGINE_NO_MEMORY, "no memory for a line of the client");
        return;
    case LINE_TOO_LONG:
        end_overlong_line(pop3, out);
        return;
    case LINE_WHOLE:
        break;
    }
    if (pop3->client == CLIENT_SASL_LINE)
        take_sasl_line(pop3, &line, out);
    else
        take_command(pop3, &line, out);
    line_reader_done(&pop3->from_client);
}
