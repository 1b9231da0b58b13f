/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_client.h"

#include "protocols/http_request.h"
#include "protocols/sasl_line.h"
#include "protocols/sasl_mechanism.h"
#include "protocols/smtp/smtp_client_report.h"
#include "protocols/smtp/smtp_external.h"
#include "protocols/smtp/smtp_message.h"
#include "protocols/smtp/smtp_xclient.h"

static void forward(struct smtp_engine *smtp, const struct line *line, enum smtp_slot slot,
                    struct engine_out *out)
{
    smtp_add_slot(smtp, slot);
    line_send(line, SIDE_BACKEND, out);
}

/* EHLO, AUTH, DATA: the reply decides what the client's next octets are. */
static void forward_and_wait(struct smtp_engine *smtp, const struct line *line, enum smtp_slot slot,
                             struct engine_out *out)
{
    forward(smtp, line, slot, out);
    smtp_move_client(smtp, SMTP_CLIENT_REPLY);
}

/*
 * A service that adds a field must know which message the next chunk belongs to. A chunk that the backend
 * refuses takes the field away with it, and a client could have its message sent without. No client sends
 * another command in the middle of a message, so that waiting for the reply to the chunk costs nothing.
 */
static bool waits_for_chunk(const struct smtp_engine *smtp, enum smtp_verb verb)
{
    return smtp->received != NULL && smtp->in_chunks && smtp_unanswered(smtp, SMTP_AWAIT_CHUNK) > 0 &&
           verb != SMTP_VERB_BDAT && verb != SMTP_VERB_RSET && verb != SMTP_VERB_QUIT;
}

/*
 * Before this command the backend has to know the cipher suite. The proxy sends it at once if the backend
 * accepts groups of commands, and otherwise after all replies. As CLIENT belongs to an extension it is the
 * last of its group (RFC 2920 section 3.1), so the client's command waits for the reply to it: the line then
 * stays in the reader. True if the command may be sent now.
 */
static bool backend_knows_cipher(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    if (smtp->cipher != SMTP_CIPHER_DUE)
        return true;
    if (smtp->ehlo.pipelining || smtp_is_quiet(smtp))
        smtp_send_cipher(smtp, out);
    if (smtp_hold(smtp, line))
        smtp_move_client(smtp, SMTP_CLIENT_HELD);
    return false;
}

/* Draft section 7.3. Before EHLO the proxy answers as it does for a backend without DEEP. */
static void take_client(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out)
{
    if (!smtp_client_report_is_valid(arguments)) {
        smtp_reject(smtp, SMTP_OWN_CLIENT_SYNTAX, out);
        return;
    }
    smtp_client_report_record(&smtp->base, arguments);
    if (smtp->cipher != SMTP_CIPHER_DUE && smtp->cipher != SMTP_CIPHER_SENT) {
        smtp_reply(smtp, SMTP_OWN_OK, out);
        return;
    }
    smtp_client_report_send(arguments, smtp->base.client.tls_cipher, out);
    smtp_add_slot(smtp, SMTP_AWAIT_CLIENT);
    smtp->cipher = SMTP_CIPHER_SENT;
    smtp_move_client(smtp, SMTP_CLIENT_REPLY); /* RFC 2920 section 3.1, as above */
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
        smtp_reject(smtp, SMTP_OWN_MECHANISM, out);
    else if (backend_knows_cipher(smtp, line, out))
        forward_and_wait(smtp, line, SMTP_AWAIT_AUTH, out);
}

static void take_quit(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    forward(smtp, line, SMTP_AWAIT_OTHER, out);
    engine_note_ending(&smtp->base, true);
    smtp_move_client(smtp, SMTP_CLIENT_NOTHING);
}

static void take_hello(struct smtp_engine *smtp, const struct line *line, enum smtp_slot slot,
                       struct slice arguments, struct engine_out *out)
{
    if (smtp->base.identity_unsent != NULL) {
        smtp_xclient_begin(smtp, line, out);
        return;
    }
    if (smtp->received != NULL)
        smtp_received_offer_name(smtp->received, arguments);
    forward_and_wait(smtp, line, slot, out);
}

static void take_mail(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                      struct engine_out *out)
{
    /* RFC 5321 section 3.3. A server that accepted it all the same would get a message without the field. */
    if (smtp->received != NULL && smtp->in_chunks) {
        smtp_reject(smtp, SMTP_OWN_IN_MESSAGE, out);
        return;
    }
    if (!backend_knows_cipher(smtp, line, out))
        return;
    smtp->utf8_offered = smtp_mail_is_utf8(arguments);
    forward(smtp, line, smtp->utf8_offered ? SMTP_AWAIT_MAIL_UTF8 : SMTP_AWAIT_MAIL, out);
}

/*
 * RFC 5321 section 4.1.1.5: without an argument. Servers differ in whether one makes it void: it is not sent
 * on.
 */
static void take_rset(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                      struct engine_out *out)
{
    if (!smtp_has_no_words(arguments)) {
        smtp_reject(smtp, SMTP_OWN_RSET_SYNTAX, out);
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
            smtp_move_client(smtp, SMTP_CLIENT_HELD);
        return;
    }
    if (smtp->base.identity_unsent != NULL && !smtp_xclient_lets_pass(command.verb)) {
        smtp_reject(smtp, SMTP_OWN_GREET_FIRST, out);
        return;
    }
    switch (command.verb) {
    case SMTP_VERB_EHLO:
        take_hello(smtp, line, SMTP_AWAIT_EHLO, command.arguments, out);
        return;
    case SMTP_VERB_HELO:
        take_hello(smtp, line, SMTP_AWAIT_HELO, command.arguments, out);
        return;
    case SMTP_VERB_AUTH:
        take_auth(smtp, line, command.arguments, out);
        return;
    case SMTP_VERB_MAIL:
        take_mail(smtp, line, command.arguments, out);
        return;
    case SMTP_VERB_RSET:
        take_rset(smtp, line, command.arguments, out);
        return;
    case SMTP_VERB_DATA:
        forward_and_wait(smtp, line, SMTP_AWAIT_DATA, out);
        return;
    case SMTP_VERB_BDAT:
        smtp_take_bdat(smtp, command.arguments, out);
        return;
    case SMTP_VERB_BURL:
        smtp_take_burl(smtp, line, command.arguments, out);
        return;
    case SMTP_VERB_CLIENT:
        take_client(smtp, command.arguments, out);
        return;
    case SMTP_VERB_QUIT:
        take_quit(smtp, line, out);
        return;
    case SMTP_VERB_STARTTLS: /* RFC 3207 section 4: not within TLS */
        smtp_reject(smtp, SMTP_OWN_TLS_ACTIVE, out);
        return;
    case SMTP_VERB_TRUSTED:
        smtp_reject(smtp, SMTP_OWN_NOT_IMPLEMENTED, out);
        return;
    case SMTP_VERB_HTTP:
        smtp_reject(smtp, SMTP_CLOSE_NOT_SMTP, out);
        return;
    case SMTP_VERB_MALFORMED:
        smtp_reject(smtp, SMTP_OWN_SYNTAX, out);
        return;
    case SMTP_VERB_NOOP:
    case SMTP_VERB_OTHER:
        forward(smtp, line, SMTP_AWAIT_OTHER, out);
        return;
    }
}

void smtp_client_resume(struct smtp_engine *smtp, struct engine_out *out)
{
    if (smtp->cipher == SMTP_CIPHER_DUE) {
        smtp_send_cipher(smtp, out);
        return;
    }
    smtp_client_resume_command(smtp, out);
}

void smtp_client_resume_command(struct smtp_engine *smtp, struct engine_out *out)
{
    struct line line = line_of_whole(bytes_view(&smtp->from_client.held));
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
    take_command(smtp, &line, out);
    line_reader_done(&smtp->from_client);
}

/*
 * RFC 4954 section 4: a line of the exchange is data. One that a server could read as a command becomes a
 * cancellation.
 */
static void take_sasl_line(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    bool sound = line != NULL && sasl_line_is_sound(line->text);
    smtp_add_slot(smtp, SMTP_AWAIT_AUTH);
    if (sound)
        line_send(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    smtp_move_client(smtp, SMTP_CLIENT_REPLY);
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

/* A command gets its reply right here: its end may never come. An exchange is cancelled at the line's end. */
static void begin_to_skip(struct smtp_engine *smtp, struct slice input, struct engine_out *out)
{
    uint8_t octets[BEGINNING_MAX];
    bool is_http = http_begins_request(beginning_of_line(smtp, input, octets));
    smtp->chunk_left = smtp->from_client.held.len;
    line_reader_done(&smtp->from_client);
    if (smtp->client == SMTP_CLIENT_EXTERNAL)
        smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
    if (smtp->client == SMTP_CLIENT_SASL_LINE) {
        smtp_move_client(smtp, SMTP_CLIENT_SASL_LINE_END);
        return;
    }
    smtp_reject(smtp, is_http ? SMTP_CLOSE_NOT_SMTP : SMTP_OWN_TOO_LONG, out);
    if (smtp->client == SMTP_CLIENT_COMMAND)
        smtp_move_client(smtp, SMTP_CLIENT_LINE_END);
}

static void skip_line(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    size_t end = slice_find(*input, '\n');
    bool ended = end < input->len;
    size_t len = ended ? end + 1 : input->len;
    if (len > SMTP_LINE_ENDLESS - smtp->chunk_left) {
        smtp_reject(smtp, SMTP_CLOSE_ENDLESS, out);
        return;
    }
    smtp->chunk_left += len;
    *input = slice_from(*input, len);
    if (!ended)
        return;
    if (smtp->client == SMTP_CLIENT_SASL_LINE_END)
        take_sasl_line(smtp, NULL, out);
    else
        smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

static size_t line_limit(const struct smtp_engine *smtp, struct slice input)
{
    if (smtp->client == SMTP_CLIENT_SASL_LINE || smtp->client == SMTP_CLIENT_EXTERNAL)
        return engine_sasl_line_max(&smtp->base);
    uint8_t octets[BEGINNING_MAX];
    return smtp_command_limit(beginning_of_line(smtp, input, octets), engine_sasl_max(&smtp->base));
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
    engine_note_turn(&smtp->base);
    if (smtp->client == SMTP_CLIENT_SASL_LINE)
        take_sasl_line(smtp, &line, out);
    else if (smtp->client == SMTP_CLIENT_EXTERNAL)
        smtp_external_take_line(smtp, line.text, out);
    else
        take_command(smtp, &line, out);
    if (smtp->client != SMTP_CLIENT_HELD && smtp->client != SMTP_CLIENT_XCLIENT)
        line_reader_done(&smtp->from_client);
}

bool smtp_client_is_wanted(const struct smtp_engine *smtp)
{
    /* Two: a command, and the proxy's own before it. */
    if (smtp->client == SMTP_CLIENT_COMMAND || smtp->client == SMTP_CLIENT_EXTERNAL)
        return reply_queue_has_room(&smtp->replies, 2);
    return smtp->client < SMTP_CLIENT_GREETING;
}

static void take_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    switch (smtp->client) {
    case SMTP_CLIENT_COMMAND:
    case SMTP_CLIENT_SASL_LINE:
    case SMTP_CLIENT_EXTERNAL:
        take_line(smtp, input, out);
        return;
    case SMTP_CLIENT_LINE_END:
    case SMTP_CLIENT_SASL_LINE_END:
        skip_line(smtp, input, out);
        return;
    case SMTP_CLIENT_MESSAGE:
        smtp_take_message(smtp, input, out);
        return;
    case SMTP_CLIENT_CHUNK:
    case SMTP_CLIENT_REFUSED_CHUNK:
        smtp_take_chunk(smtp, input, out);
        return;
    case SMTP_CLIENT_NOTHING:
    case SMTP_CLIENT_GREETING:
    case SMTP_CLIENT_REPLY:
    case SMTP_CLIENT_HELD:
    case SMTP_CLIENT_XCLIENT:
        *input = slice_from(*input, input->len);
        return;
    }
}

size_t smtp_client_feed(struct smtp_engine *smtp, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&smtp->base, left, out) && smtp_client_is_wanted(smtp))
        take_step(smtp, &left, out);
    return data.len - left.len;
}
