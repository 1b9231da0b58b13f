/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap_command.h"

#include "protocols/http_request.h"
#include "protocols/imap_client_id.h"
#include "protocols/sasl_line.h"

#include <string.h>

/* ---- what the proxy answers itself ---- */

/* Goes to the next command, past what still comes of this one. */
static void skip_rest(struct imap_engine *e, const struct imap_literal *literal, struct engine_out *out)
{
    if (literal == NULL || literal->synchronizing) {
        imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
    } else if (literal->octets > IMAP_LITERAL_MAX) {
        imap_client_error(e, "A literal can't be as large as that", out);
    } else {
        e->client_left = literal->octets;
        e->client_tail = (struct imap_tail){0};
        imap_client_move(&e->client, e->client_left > 0 ? IMAP_CLIENT_SKIP_LITERAL : IMAP_CLIENT_SKIP_LINE);
    }
}

void imap_command_refuse(struct imap_engine *e, struct slice tag, const char *text,
                         const struct imap_literal *literal, struct engine_out *out)
{
    imap_answer(e, tag, text, out);
    skip_rest(e, literal, out);
}

static void count_error(struct imap_engine *e, struct engine_out *out)
{
    if (++e->errors >= IMAP_ERRORS_MAX && imap_is_live(e))
        imap_client_error(e, "Too many errors", out);
}

void imap_command_wrong(struct imap_engine *e, struct slice tag, const char *text,
                        const struct imap_literal *literal, struct engine_out *out)
{
    imap_command_refuse(e, tag, text, literal, out);
    count_error(e, out);
}

/* ---- commands on their way ---- */

void imap_command_track(struct imap_engine *e, enum imap_command_kind kind, struct slice tag)
{
    e->unanswered++;
    e->command = kind;
    e->tag_len = (uint8_t)tag.len;
    memcpy(e->tag, tag.data, tag.len);
}

void imap_command_drain(struct imap_engine *e, struct slice text)
{
    static const size_t limit = IMAP_LINE_AUTHENTICATED_MAX + 2;
    bool is_held = text.data == e->client_held.data;
    if ((!is_held && !bytes_append(&e->client_held, text, limit)) ||
        !bytes_append(&e->client_held, slice_of("\r\n"), limit))
        imap_no_memory(e);
    imap_client_move(&e->client, IMAP_CLIENT_DRAIN);
}

static bool travels_alone(enum imap_command_kind kind, const struct imap_literal *literal)
{
    return literal != NULL || (kind != IMAP_COMMAND_OTHER && kind != IMAP_COMMAND_LOGOUT);
}

/* A {n+} goes on as {n}: see imap_engine.h. */
static void pass_line(const struct line *line, const struct imap_literal *literal, struct engine_out *out)
{
    struct line shortened = *line;
    if (literal == NULL || literal->synchronizing) {
        line_let_out(line, SIDE_BACKEND, out);
        return;
    }
    shortened.text.len -= sizeof "+}" - 1;
    if (line->in_input)
        engine_out_pass(out, SIDE_BACKEND, shortened.text);
    else
        engine_out_make(out, SIDE_BACKEND, shortened.text);
    engine_out_make_text(out, SIDE_BACKEND, "}\r\n");
}

static void expect_next(struct imap_engine *e, const struct imap_literal *literal)
{
    e->client_left = literal != NULL ? literal->octets : 0;
    e->silent_go_ahead = literal != NULL && !literal->synchronizing;
    if (literal != NULL || e->command == IMAP_COMMAND_AUTHENTICATE || e->command == IMAP_COMMAND_IDLE) {
        imap_client_move(&e->client, IMAP_CLIENT_GO_AHEAD);
    } else if (e->command == IMAP_COMMAND_LOGIN || e->command == IMAP_COMMAND_UNAUTHENTICATE) {
        imap_client_move(&e->client, IMAP_CLIENT_ANSWER);
    } else {
        e->command = IMAP_COMMAND_NONE;
        imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
    }
}

static void send_first(struct imap_engine *e, const struct imap_command_line *c, const struct line *line,
                       const struct imap_literal *literal, struct engine_out *out)
{
    if (c->kind == IMAP_COMMAND_LOGOUT)
        e->base.status.ending = true;
    if (travels_alone(c->kind, literal))
        imap_command_track(e, c->kind, c->tag);
    else
        e->unanswered++;
    pass_line(line, literal, out);
    expect_next(e, literal);
}

/* ---- lines ---- */

/* For a browser's request line: what comes behind it is not read at all (see http_request.h). */
static const char not_imap[] = "This is not HTTP";

/* NULL, or what is wrong with a command's first line. */
static const char *mistake(const struct imap_command_line *c, struct slice text,
                           const struct imap_literal *literal)
{
    if (imap_has_forbidden_octet(text))
        return "BAD NUL and bare CR have no place in a command";
    if (c->wrong != NULL)
        return c->wrong;
    if (literal == NULL)
        return NULL;
    if (literal->octets > IMAP_LITERAL_MAX)
        return "BAD A literal can't be as large as that";
    bool takes_literals =
        c->kind == IMAP_COMMAND_OTHER || c->kind == IMAP_COMMAND_LOGIN || c->kind == IMAP_COMMAND_ID;
    return takes_literals ? NULL : "BAD This command takes no literal";
}

static const char *refusal_of_mechanism(enum sasl_mechanism mechanism)
{
    switch (mechanism) {
    case SASL_MECHANISM_PASSES:
        return NULL;
    case SASL_MECHANISM_BINDS_CHANNEL:
        return "NO Channel binding is not available here";
    case SASL_MECHANISM_EXTERNAL:
        return "NO EXTERNAL is not available here without a client certificate";
    case SASL_MECHANISM_MALFORMED:
        break;
    }
    return "BAD AUTHENTICATE takes the name of a mechanism";
}

/* NULL, or why a command never reaches the backend. */
static const char *refusal(const struct imap_command_line *c, bool external)
{
    switch (c->kind) {
    case IMAP_COMMAND_STARTTLS:
        return "BAD TLS is active already";
    case IMAP_COMMAND_COMPRESS:
        return "NO Compression is not available here"; /* the proxy would go blind (RFC 4978) */
    case IMAP_COMMAND_AUTHENTICATE:
        return refusal_of_mechanism(imap_judge_authenticate(c->args, external));
    default:
        return NULL;
    }
}

static bool logs_in(enum imap_command_kind kind)
{
    return kind == IMAP_COMMAND_LOGIN || kind == IMAP_COMMAND_AUTHENTICATE;
}

static void first_line(struct imap_engine *e, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    struct imap_command_line c = imap_command_line_parse(line->text);
    const char *text = mistake(&c, line->text, literal);
    if (text != NULL && http_is_request(line->text))
        imap_client_error(e, not_imap, out);
    else if (text != NULL)
        imap_command_wrong(e, c.tag, text, literal, out);
    else if ((text = refusal(&c, e->base.client.external)) != NULL)
        imap_command_refuse(e, c.tag, text, literal, out);
    else if (c.kind == IMAP_COMMAND_ID)
        imap_client_id_line(e, line->text, literal, out);
    else if ((travels_alone(c.kind, literal) && e->unanswered > 0) ||
             (logs_in(c.kind) && !imap_client_id_before_login(e, out)))
        imap_command_drain(e, line->text);
    else
        send_first(e, &c, line, literal, out);
}

/* What went before it is with the backend already, so there is no way back to a common state after an error. */
static void rest_line(struct imap_engine *e, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    if (imap_has_forbidden_octet(line->text) || (literal != NULL && literal->octets > IMAP_LITERAL_MAX)) {
        imap_client_error(e, "This command can't be made sense of", out);
        return;
    }
    pass_line(line, literal, out);
    if (e->command == IMAP_COMMAND_NONE)
        skip_rest(e, literal, out); /* answered already: its further literals are not waited for */
    else
        expect_next(e, literal);
}

static void id_rest_line(struct imap_engine *e, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    if (!imap_has_forbidden_octet(line->text)) {
        imap_client_id_line(e, line->text, literal, out);
        return;
    }
    imap_command_wrong(e, imap_command_tag(bytes_view(&e->client_held)),
                       "BAD NUL and bare CR have no place in a command", literal, out);
    bytes_free(&e->client_held);
}

/* See sasl_line.h: anything but base64 becomes what ends the exchange. */
static void sasl_line(struct imap_engine *e, const struct line *line, struct engine_out *out)
{
    if (sasl_line_is_sound(line->text))
        line_let_out(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    expect_next(e, NULL);
}

static void idle_line(struct imap_engine *e, const struct line *line, struct engine_out *out)
{
    if (!slice_is(line->text, "DONE")) {
        imap_answer(e, (struct slice){0}, "BAD DONE ends an IDLE (RFC 2177)", out);
        count_error(e, out);
        return;
    }
    line_let_out(line, SIDE_BACKEND, out);
    e->command = IMAP_COMMAND_NONE;
    imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
}

/* ---- input ---- */

static size_t line_limit(const struct imap_engine *e)
{
    if (e->client == IMAP_CLIENT_SASL)
        return IMAP_SASL_LINE_MAX;
    return e->base.status.authenticated ? IMAP_LINE_AUTHENTICATED_MAX : IMAP_LINE_MAX;
}

static void too_long(struct imap_engine *e, struct slice input, struct engine_out *out)
{
    static const char text[] = "BAD This command line is too long";
    if (e->client != IMAP_CLIENT_COMMAND && e->client != IMAP_CLIENT_ID_REST) {
        imap_client_error(e, "This line is too long", out);
        return;
    }
    uint8_t head[IMAP_TAG_MAX + 1];
    struct slice seen = bytes_view(e->client == IMAP_CLIENT_ID_REST ? &e->client_held : &e->client_line.held);
    size_t len = seen.len < sizeof head ? seen.len : sizeof head;
    if (len > 0)
        memcpy(head, seen.data, len);
    struct slice more = slice_sub(input, 0, sizeof head - len);
    memcpy(head + len, more.data, more.len);
    struct slice beginning = {head, len + more.len};
    if (e->client == IMAP_CLIENT_COMMAND && http_begins_request(beginning)) {
        imap_client_error(e, not_imap, out);
        return;
    }
    imap_answer(e, imap_command_tag(beginning), text, out);
    e->client_tail = (struct imap_tail){0};
    imap_tail_feed(&e->client_tail, bytes_view(&e->client_line.held));
    line_reader_done(&e->client_line);
    bytes_free(&e->client_held);
    imap_client_move(&e->client, IMAP_CLIENT_SKIP_LINE);
    count_error(e, out);
}

static void take_line(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&e->client_line, input, line_limit(e), &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        imap_no_memory(e);
        return;
    case LINE_TOO_LONG:
        too_long(e, *input, out);
        return;
    case LINE_WHOLE:
        break;
    }
    if (e->client == IMAP_CLIENT_COMMAND)
        first_line(e, &line, out);
    else if (e->client == IMAP_CLIENT_REST)
        rest_line(e, &line, out);
    else if (e->client == IMAP_CLIENT_ID_REST)
        id_rest_line(e, &line, out);
    else if (e->client == IMAP_CLIENT_SASL)
        sasl_line(e, &line, out);
    else
        idle_line(e, &line, out);
    line_reader_done(&e->client_line);
}

static struct slice take_octets(struct imap_engine *e, struct slice *input)
{
    size_t len = e->client_left < input->len ? (size_t)e->client_left : input->len;
    struct slice part = slice_sub(*input, 0, len);
    *input = slice_sub(*input, len, input->len);
    e->client_left -= len;
    return part;
}

static void skip_line(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    size_t end = slice_find(*input, '\n');
    imap_tail_feed(&e->client_tail, slice_sub(*input, 0, end));
    bool ended = end < input->len;
    *input = slice_sub(*input, end + (ended ? 1 : 0), input->len);
    struct imap_literal literal;
    if (ended)
        skip_rest(e, imap_tail_literal(&e->client_tail, &literal) ? &literal : NULL, out);
}

static void step(struct imap_engine *e, struct slice *input, struct engine_out *out)
{
    switch (e->client) {
    case IMAP_CLIENT_LITERAL:
        engine_out_pass(out, SIDE_BACKEND, take_octets(e, input));
        if (e->client_left == 0)
            imap_client_move(&e->client, IMAP_CLIENT_REST);
        break;
    case IMAP_CLIENT_ID_LITERAL:
        imap_client_id_literal(e, input);
        break;
    case IMAP_CLIENT_SKIP_LITERAL:
        take_octets(e, input);
        if (e->client_left == 0)
            imap_client_move(&e->client, IMAP_CLIENT_SKIP_LINE);
        break;
    case IMAP_CLIENT_SKIP_LINE:
        skip_line(e, input, out);
        break;
    default:
        take_line(e, input, out);
    }
}

bool imap_command_wants(const struct imap_engine *e)
{
    return e->backend != IMAP_BACKEND_GREETING && imap_is_live(e) && e->answer.len == 0 &&
           e->client != IMAP_CLIENT_DRAIN && e->client != IMAP_CLIENT_GO_AHEAD &&
           e->client != IMAP_CLIENT_ANSWER;
}

size_t imap_command_feed(struct imap_engine *e, struct slice data, struct engine_out *out)
{
    struct slice input = data;
    while (input.len > 0 && imap_command_wants(e) && engine_out_has_room(out))
        step(e, &input, out);
    return data.len - input.len;
}

/* ---- what the backend says to it ---- */

void imap_command_go_ahead(struct imap_engine *e)
{
    if (e->client != IMAP_CLIENT_GO_AHEAD)
        return;
    if (e->command == IMAP_COMMAND_AUTHENTICATE)
        imap_client_move(&e->client, IMAP_CLIENT_SASL);
    else if (e->command == IMAP_COMMAND_IDLE)
        imap_client_move(&e->client, IMAP_CLIENT_IDLE);
    else
        imap_client_move(&e->client, e->client_left > 0 ? IMAP_CLIENT_LITERAL : IMAP_CLIENT_REST);
}

void imap_command_settled(struct imap_engine *e)
{
    if (e->unanswered > 0)
        e->unanswered--;
    if (e->status == IMAP_STATUS_OK)
        e->errors = 0;
}

void imap_command_answered(struct imap_engine *e, struct engine_out *out)
{
    enum imap_command_kind kind = e->command;
    e->command = IMAP_COMMAND_NONE;
    imap_command_settled(e);
    if (e->status == IMAP_STATUS_OK && (kind == IMAP_COMMAND_LOGIN || kind == IMAP_COMMAND_AUTHENTICATE))
        e->base.status.authenticated = true;
    if (e->status == IMAP_STATUS_OK && kind == IMAP_COMMAND_UNAUTHENTICATE)
        e->base.status.authenticated = false;
    if (kind == IMAP_COMMAND_ID)
        imap_client_id_answered(e, out);
    if (e->client == IMAP_CLIENT_GO_AHEAD) {
        struct imap_literal literal = {.octets = e->client_left, .synchronizing = !e->silent_go_ahead};
        skip_rest(e, &literal, out);
    } else if (e->client == IMAP_CLIENT_ANSWER || e->client == IMAP_CLIENT_SASL ||
               e->client == IMAP_CLIENT_IDLE) {
        imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
    }
}

void imap_command_resume(struct imap_engine *e, struct engine_out *out)
{
    bool untold = e->own_id_pending && e->base.untold != NULL;
    if (e->client != IMAP_CLIENT_DRAIN || e->unanswered > 0 || untold || !imap_is_live(e))
        return;
    struct bytes held = e->client_held;
    e->client_held = (struct bytes){0};
    struct line line = {.whole = bytes_view(&held)};
    line.text = slice_sub(line.whole, 0, line.whole.len - 2);
    imap_client_move(&e->client, IMAP_CLIENT_COMMAND);
    if (imap_command_line_parse(line.text).kind == IMAP_COMMAND_ID)
        imap_client_id_finish(e, line.text, out);
    else
        first_line(e, &line, out);
    bytes_free(&held);
}
