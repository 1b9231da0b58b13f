/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/http_request.h"
#include "protocols/sasl_line.h"
#include "protocols/sasl_mechanism.h"
#include "protocols/smtp/smtp_client_command.h"
#include "protocols/smtp/smtp_external.h"
#include "protocols/smtp/smtp_introduction.h"
#include "protocols/smtp/smtp_session.h"

static void forward(struct smtp_engine *smtp, const struct line *line, enum smtp_turn turn,
                    struct engine_out *out)
{
    smtp_turns_add(&smtp->turns, turn);
    line_let_out(line, SIDE_BACKEND, out);
}

/* EHLO, AUTH, DATA: what the client's next octets are depends on the reply. */
static void forward_and_wait(struct smtp_engine *smtp, const struct line *line, enum smtp_turn turn,
                             struct engine_out *out)
{
    forward(smtp, line, turn, out);
    smtp_move(smtp, SMTP_EXPECTS_REPLY);
}

/*
 * Where a field is added it must be known whose first chunk comes next: one that the backend refuses takes the field
 * away with it, and a client could have its message sent without. Nobody sends another command in the middle of a
 * message, so waiting for the chunk's answer costs nobody anything.
 */
static bool waits_for_chunk(const struct smtp_engine *smtp, enum smtp_verb verb)
{
    return smtp->received != NULL && smtp->in_chunks && smtp_unanswered(smtp, SMTP_AWAIT_CHUNK) > 0 &&
           verb != SMTP_BDAT && verb != SMTP_RSET && verb != SMTP_QUIT;
}

/*
 * A command before which the backend has to know the cipher suite. The proxy's own goes behind what is
 * outstanding where the backend takes groups of commands, and else waits for the replies; as a command of an
 * extension it is the last of its group (RFC 2920 section 3.1), so the client's waits for the reply to it: the
 * line then stays in the reader. True where the command may go now.
 */
static bool backend_is_informed(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    if (smtp->report != SMTP_REPORT_DUE)
        return true;
    if (smtp->ehlo.pipelining || smtp_is_quiet(smtp))
        smtp_send_report(smtp, out);
    if (smtp_hold(smtp, line))
        smtp_move(smtp, SMTP_EXPECTS_TURN);
    return false;
}

/* Draft section 7.3. Before EHLO the proxy answers as it does for a backend without DEEP. */
static void take_client(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out)
{
    if (!smtp_client_command_is_valid(arguments)) {
        smtp_refuse(smtp, SMTP_ANSWER_CLIENT_SYNTAX, out);
        return;
    }
    smtp_client_command_record(&smtp->base, arguments);
    if (smtp->report != SMTP_REPORT_DUE && smtp->report != SMTP_REPORT_SENT) {
        smtp_answer(smtp, SMTP_ANSWER_OK, out);
        return;
    }
    smtp_client_command_make(arguments, smtp->base.client.tls_cipher, out);
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_CLIENT);
    smtp->report = SMTP_REPORT_SENT;
    smtp_move(smtp, SMTP_EXPECTS_REPLY); /* RFC 2920 section 3.1, as above */
}

static void take_auth(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                      struct engine_out *out)
{
    struct slice rest = arguments;
    struct slice mechanism = smtp_next_word(&rest);
    if (smtp->login != NULL)
        smtp_external_take_auth(smtp, arguments, out);
    else if (mechanism.len > 0 &&
             sasl_mechanism_judge(mechanism, smtp->base.client.external) != SASL_MECHANISM_PASSES)
        smtp_refuse(smtp, SMTP_ANSWER_MECHANISM, out);
    else if (backend_is_informed(smtp, line, out))
        forward_and_wait(smtp, line, SMTP_AWAIT_AUTH, out);
}

static void take_quit(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    forward(smtp, line, SMTP_AWAIT_OTHER, out);
    smtp->base.status.ending = true;
    smtp_move(smtp, SMTP_EXPECTS_NOTHING);
}

static void take_hello(struct smtp_engine *smtp, const struct line *line, enum smtp_turn turn,
                       struct slice arguments, struct engine_out *out)
{
    if (smtp->base.untold != NULL) {
        smtp_introduce(smtp, line, out);
        return;
    }
    if (smtp->received != NULL)
        smtp_received_offer_name(smtp->received, arguments);
    forward_and_wait(smtp, line, turn, out);
}

static void take_mail(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                      struct engine_out *out)
{
    /* RFC 5321 section 3.3. A server that took it all the same would get a message without the field. */
    if (smtp->received != NULL && smtp->in_chunks) {
        smtp_refuse(smtp, SMTP_ANSWER_IN_MESSAGE, out);
        return;
    }
    if (!backend_is_informed(smtp, line, out))
        return;
    smtp->utf8_offered = smtp_mail_is_utf8(arguments);
    forward(smtp, line, smtp->utf8_offered ? SMTP_AWAIT_MAIL_UTF8 : SMTP_AWAIT_MAIL, out);
}

/* RFC 5321 section 4.1.1.5: without an argument. Servers differ in whether one makes it void: it does not go on. */
static void take_rset(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                      struct engine_out *out)
{
    if (!smtp_has_no_words(arguments)) {
        smtp_refuse(smtp, SMTP_ANSWER_RSET_SYNTAX, out);
        return;
    }
    forward(smtp, line, SMTP_AWAIT_OTHER, out);
    smtp_begin_anew(smtp);
}

static void take_command(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    struct smtp_command command = smtp_command_parse(line->text);
    if (waits_for_chunk(smtp, command.verb)) {
        if (smtp_hold(smtp, line))
            smtp_move(smtp, SMTP_EXPECTS_TURN);
        return;
    }
    if (smtp->base.untold != NULL && !smtp_is_for_strangers(command.verb)) {
        smtp_refuse(smtp, SMTP_ANSWER_GREET_FIRST, out);
        return;
    }
    switch (command.verb) {
    case SMTP_EHLO:
        take_hello(smtp, line, SMTP_AWAIT_EHLO, command.arguments, out);
        return;
    case SMTP_HELO:
        take_hello(smtp, line, SMTP_AWAIT_HELO, command.arguments, out);
        return;
    case SMTP_AUTH:
        take_auth(smtp, line, command.arguments, out);
        return;
    case SMTP_MAIL:
        take_mail(smtp, line, command.arguments, out);
        return;
    case SMTP_RSET:
        take_rset(smtp, line, command.arguments, out);
        return;
    case SMTP_DATA:
        forward_and_wait(smtp, line, SMTP_AWAIT_DATA, out);
        return;
    case SMTP_BDAT:
        smtp_take_bdat(smtp, command.arguments, out);
        return;
    case SMTP_BURL:
        smtp_take_burl(smtp, line, command.arguments, out);
        return;
    case SMTP_CLIENT:
        take_client(smtp, command.arguments, out);
        return;
    case SMTP_QUIT:
        take_quit(smtp, line, out);
        return;
    case SMTP_STARTTLS: /* RFC 3207 section 4: not within TLS */
        smtp_refuse(smtp, SMTP_ANSWER_TLS_ACTIVE, out);
        return;
    case SMTP_TRUSTED:
        smtp_refuse(smtp, SMTP_ANSWER_NOT_IMPLEMENTED, out);
        return;
    case SMTP_HTTP:
        smtp_refuse(smtp, SMTP_ANSWER_NOT_SMTP, out);
        return;
    case SMTP_MALFORMED:
        smtp_refuse(smtp, SMTP_ANSWER_SYNTAX, out);
        return;
    case SMTP_NOOP:
    case SMTP_OTHER:
        forward(smtp, line, SMTP_AWAIT_OTHER, out);
        return;
    }
}

void smtp_client_resume(struct smtp_engine *smtp, struct engine_out *out)
{
    if (smtp->report == SMTP_REPORT_DUE) {
        smtp_send_report(smtp, out);
        return;
    }
    smtp_client_go_on(smtp, out);
}

void smtp_client_go_on(struct smtp_engine *smtp, struct engine_out *out)
{
    struct line line = line_of_whole(bytes_view(&smtp->from_client.held));
    smtp_move(smtp, SMTP_EXPECTS_COMMAND);
    take_command(smtp, &line, out);
    line_reader_done(&smtp->from_client);
}

/* RFC 4954 section 4: a line of the exchange is data. One that servers could read as a command becomes a cancellation. */
static void take_sasl_line(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    bool sound = line != NULL && sasl_line_is_sound(line->text);
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_AUTH);
    if (sound)
        line_let_out(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    smtp_move(smtp, SMTP_EXPECTS_REPLY);
}

enum { BEGINNING_MAX = HTTP_BEGINNING_MAX }; /* more than smtp_command_limit needs */

/* The first octets of the line that the reader has begun, or is to begin. */
static struct slice beginning_of_line(const struct smtp_engine *smtp, struct slice input,
                                      uint8_t into[BEGINNING_MAX])
{
    struct slice held = bytes_view(&smtp->from_client.held);
    size_t len = 0;
    for (size_t i = 0; len < BEGINNING_MAX && i < held.len; i++)
        into[len++] = held.data[i];
    for (size_t i = 0; len < BEGINNING_MAX && i < input.len; i++)
        into[len++] = input.data[i];
    return (struct slice){into, len};
}

/* A command is answered right here: its end may never come. An exchange is cancelled at the line's end. */
static void begin_to_skip(struct smtp_engine *smtp, struct slice input, struct engine_out *out)
{
    uint8_t octets[BEGINNING_MAX];
    bool is_http = http_begins_request(beginning_of_line(smtp, input, octets));
    smtp->chunk_left = smtp->from_client.held.len;
    line_reader_done(&smtp->from_client);
    if (smtp->expects == SMTP_EXPECTS_EXTERNAL)
        smtp_move(smtp, SMTP_EXPECTS_COMMAND);
    if (smtp->expects == SMTP_EXPECTS_SASL_LINE) {
        smtp_move(smtp, SMTP_EXPECTS_SASL_LINE_END);
        return;
    }
    smtp_refuse(smtp, is_http ? SMTP_ANSWER_NOT_SMTP : SMTP_ANSWER_TOO_LONG, out);
    if (smtp->expects == SMTP_EXPECTS_COMMAND)
        smtp_move(smtp, SMTP_EXPECTS_LINE_END);
}

static void skip_line(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    size_t end = slice_find(*input, '\n');
    bool ended = end < input->len;
    size_t len = ended ? end + 1 : input->len;
    if (len > SMTP_LINE_ENDLESS - smtp->chunk_left) {
        smtp_refuse(smtp, SMTP_ANSWER_ENDLESS, out);
        return;
    }
    smtp->chunk_left += len;
    *input = slice_from(*input, len);
    if (!ended)
        return;
    if (smtp->expects == SMTP_EXPECTS_SASL_LINE_END)
        take_sasl_line(smtp, NULL, out);
    else
        smtp_move(smtp, SMTP_EXPECTS_COMMAND);
}

static size_t line_limit(const struct smtp_engine *smtp, struct slice input)
{
    if (smtp->expects == SMTP_EXPECTS_SASL_LINE || smtp->expects == SMTP_EXPECTS_EXTERNAL)
        return SMTP_SASL_LINE_MAX;
    uint8_t octets[BEGINNING_MAX];
    return smtp_command_limit(beginning_of_line(smtp, input, octets));
}

static void take_line(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&smtp->from_client, input, line_limit(smtp, *input), &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&smtp->base, ENGINE_NO_MEMORY, "no memory for a line of the client");
        return;
    case LINE_TOO_LONG:
        begin_to_skip(smtp, *input, out);
        return;
    case LINE_WHOLE:
        break;
    }
    if (smtp->expects == SMTP_EXPECTS_SASL_LINE)
        take_sasl_line(smtp, &line, out);
    else if (smtp->expects == SMTP_EXPECTS_EXTERNAL)
        smtp_external_take_line(smtp, line.text, out);
    else
        take_command(smtp, &line, out);
    if (smtp->expects != SMTP_EXPECTS_TURN && smtp->expects != SMTP_EXPECTS_INTRODUCTION)
        line_reader_done(&smtp->from_client);
}

void smtp_client_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    switch (smtp->expects) {
    case SMTP_EXPECTS_COMMAND:
    case SMTP_EXPECTS_SASL_LINE:
    case SMTP_EXPECTS_EXTERNAL:
        take_line(smtp, input, out);
        return;
    case SMTP_EXPECTS_LINE_END:
    case SMTP_EXPECTS_SASL_LINE_END:
        skip_line(smtp, input, out);
        return;
    case SMTP_EXPECTS_MESSAGE:
        smtp_take_message(smtp, input, out);
        return;
    case SMTP_EXPECTS_CHUNK:
    case SMTP_EXPECTS_REFUSED_CHUNK:
        smtp_take_chunk(smtp, input, out);
        return;
    case SMTP_EXPECTS_NOTHING:
    case SMTP_EXPECTS_GREETING:
    case SMTP_EXPECTS_REPLY:
    case SMTP_EXPECTS_TURN:
    case SMTP_EXPECTS_INTRODUCTION:
        *input = slice_sub(*input, input->len, 0);
        return;
    }
}
