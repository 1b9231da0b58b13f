/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/imap/imap_client.h"

#include "protocols/counted.h"
#include "protocols/http_request.h"
#include "protocols/imap/imap_id_exchange.h"
#include "protocols/sasl_line.h"

#include <stdio.h>
#include <string.h>

/* ---- what the proxy replies itself ---- */

/* The next command is expected, after what still comes of this one. */
static void skip_rest(struct imap_engine *imap, const struct imap_literal *literal, struct engine_out *out)
{
    if (literal == NULL || literal->synchronizing) {
        imap_move_client(imap, IMAP_CLIENT_COMMAND);
    } else if (literal->octets > IMAP_LITERAL_MAX) {
        imap_fail_client(imap, "A literal can't be as large as that", out);
    } else {
        imap->client_left = literal->octets;
        imap->client_tail = (struct imap_tail){0};
        imap_move_client(imap, imap->client_left > 0 ? IMAP_CLIENT_SKIP_LITERAL : IMAP_CLIENT_SKIP_LINE);
    }
}

void imap_client_reject(struct imap_engine *imap, struct slice tag, const char *text,
                        const struct imap_literal *literal, struct engine_out *out)
{
    imap_reply(imap, tag, text, out);
    skip_rest(imap, literal, out);
}

static void count_error(struct imap_engine *imap, struct engine_out *out)
{
    if (++imap->errors >= IMAP_ERRORS_MAX && imap_is_open(imap))
        imap_fail_client(imap, "Too many errors", out);
}

void imap_client_reject_error(struct imap_engine *imap, struct slice tag, const char *text,
                              const struct imap_literal *literal, struct engine_out *out)
{
    imap_client_reject(imap, tag, text, literal, out);
    count_error(imap, out);
}

/* ---- commands on their way to the backend ---- */

void imap_client_track(struct imap_engine *imap, enum imap_command_kind kind, struct slice tag)
{
    imap->unanswered++;
    imap->command = kind;
    imap->tag_len = (uint8_t)tag.len;
    memcpy(imap->tag, tag.data, tag.len);
}

void imap_client_hold_command(struct imap_engine *imap, struct slice text)
{
    static const size_t limit = SIZE_MAX; /* its lines were within theirs */
    bool is_held = text.data == imap->client_held.data;
    if ((!is_held && !bytes_append(&imap->client_held, text, limit)) ||
        !bytes_append(&imap->client_held, slice_of("\r\n"), limit))
        imap_fail_memory(imap);
    imap_move_client(imap, IMAP_CLIENT_HELD);
}

static bool travels_alone(enum imap_command_kind kind, const struct imap_literal *literal)
{
    return literal != NULL || (kind != IMAP_COMMAND_OTHER && kind != IMAP_COMMAND_LOGOUT);
}

/* A {n+} is sent on as {n}: see imap_private.h. */
static void pass_line(const struct line *line, const struct imap_literal *literal, struct engine_out *out)
{
    if (literal == NULL || literal->synchronizing) {
        line_send(line, SIDE_BACKEND, out);
        return;
    }
    line_send_part(line, slice_first(line->text, line->text.len - (sizeof "+}" - 1)), SIDE_BACKEND, out);
    engine_out_make_text(out, SIDE_BACKEND, "}\r\n");
}

static void expect_next(struct imap_engine *imap, const struct imap_literal *literal)
{
    imap->client_left = literal != NULL ? literal->octets : 0;
    imap->nonsync_literal = literal != NULL && !literal->synchronizing;
    if (literal != NULL || imap->command == IMAP_COMMAND_AUTHENTICATE || imap->command == IMAP_COMMAND_IDLE) {
        imap_move_client(imap, IMAP_CLIENT_GO_AHEAD);
    } else if (imap->command == IMAP_COMMAND_LOGIN || imap->command == IMAP_COMMAND_UNAUTHENTICATE) {
        imap_move_client(imap, IMAP_CLIENT_REPLY);
    } else {
        imap->command = IMAP_COMMAND_NONE;
        imap_move_client(imap, IMAP_CLIENT_COMMAND);
    }
}

static void send_first(struct imap_engine *imap, const struct imap_command *c, const struct line *line,
                       const struct imap_literal *literal, struct engine_out *out)
{
    if (c->kind == IMAP_COMMAND_LOGOUT)
        engine_note_ending(&imap->base, true);
    if (travels_alone(c->kind, literal))
        imap_client_track(imap, c->kind, c->tag);
    else
        imap->unanswered++;
    pass_line(line, literal, out);
    expect_next(imap, literal);
}

/* ---- lines ---- */

/* For a browser's request line: nothing that follows it is read (see http_request.h). */
static const char not_imap[] = "This is not HTTP";

/* NULL, or what is wrong with a command's first line. */
static const char *mistake(const struct imap_command *c, struct slice text,
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

/* "NO " and words, with a NUL. */
enum { REFUSAL_MAX = 3 + SASL_MECHANISM_WHY_MAX };

/* NULL, or why an AUTHENTICATE never reaches the backend. */
static const char *refusal_of_mechanism(enum sasl_mechanism mechanism, char text[REFUSAL_MAX])
{
    if (mechanism == SASL_MECHANISM_PASSES)
        return NULL;
    if (mechanism == SASL_MECHANISM_MALFORMED)
        return "BAD AUTHENTICATE takes the name of a mechanism";
    snprintf(text, REFUSAL_MAX, "NO %s", sasl_mechanism_why(mechanism));
    return text;
}

/* NULL, or why a command never reaches the backend; `text` has room for that. */
static const char *refusal(const struct imap_command *c, bool external, char text[REFUSAL_MAX])
{
    switch (c->kind) {
    case IMAP_COMMAND_STARTTLS:
        return "BAD TLS is active already";
    case IMAP_COMMAND_COMPRESS:
        return "NO Compression is not available here"; /* the proxy would go blind (RFC 4978) */
    case IMAP_COMMAND_AUTHENTICATE:
        return refusal_of_mechanism(imap_authenticate_judge(c->args, external), text);
    default:
        return NULL;
    }
}

static bool logs_in(enum imap_command_kind kind)
{
    return kind == IMAP_COMMAND_LOGIN || kind == IMAP_COMMAND_AUTHENTICATE;
}

static void take_first_line(struct imap_engine *imap, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    struct imap_command c = imap_command_parse(line->text);
    char made[REFUSAL_MAX];
    const char *text = mistake(&c, line->text, literal);
    if (text != NULL && http_is_request(line->text))
        imap_fail_client(imap, not_imap, out);
    else if (text != NULL)
        imap_client_reject_error(imap, c.tag, text, literal, out);
    else if ((text = refusal(&c, imap->base.client.external, made)) != NULL)
        imap_client_reject(imap, c.tag, text, literal, out);
    else if (c.kind == IMAP_COMMAND_ID)
        imap_id_exchange_line(imap, line->text, literal, out);
    else if ((travels_alone(c.kind, literal) && imap->unanswered > 0) ||
             (logs_in(c.kind) && !imap_id_exchange_before_login(imap, out)))
        imap_client_hold_command(imap, line->text);
    else
        send_first(imap, &c, line, literal, out);
}

/*
 * The backend has the beginning of the command already: after an error there is no way back to a common
 * state.
 */
static void take_rest_line(struct imap_engine *imap, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    if (imap_has_forbidden_octet(line->text) || (literal != NULL && literal->octets > IMAP_LITERAL_MAX)) {
        imap_fail_client(imap, "This command can't be made sense of", out);
        return;
    }
    pass_line(line, literal, out);
    if (imap->command == IMAP_COMMAND_NONE)
        skip_rest(imap, literal, out); /* answered already: nobody waits for its further literals */
    else
        expect_next(imap, literal);
}

static void take_id_rest_line(struct imap_engine *imap, const struct line *line, struct engine_out *out)
{
    struct imap_literal at_end;
    const struct imap_literal *literal = imap_literal_at_end(line->text, &at_end) ? &at_end : NULL;
    if (!imap_has_forbidden_octet(line->text)) {
        imap_id_exchange_line(imap, line->text, literal, out);
        return;
    }
    imap_client_reject_error(imap, imap_command_tag(bytes_view(&imap->client_held)),
                             "BAD NUL and bare CR have no place in a command", literal, out);
    bytes_free(&imap->client_held);
}

/* See sasl_line.h: a line that is not base64 becomes the one that ends the exchange. */
static void take_sasl_line(struct imap_engine *imap, const struct line *line, struct engine_out *out)
{
    if (sasl_line_is_sound(line->text))
        line_send(line, SIDE_BACKEND, out);
    else
        engine_out_make_text(out, SIDE_BACKEND, "*\r\n");
    expect_next(imap, NULL);
}

static void take_idle_line(struct imap_engine *imap, const struct line *line, struct engine_out *out)
{
    if (!slice_is_word(line->text, "DONE")) {
        imap_reply(imap, (struct slice){0}, "BAD DONE ends an IDLE (RFC 2177)", out);
        count_error(imap, out);
        return;
    }
    line_send(line, SIDE_BACKEND, out);
    imap->command = IMAP_COMMAND_NONE;
    imap_move_client(imap, IMAP_CLIENT_COMMAND);
}

/* ---- input ---- */

/* Of most lines: what they begin with need not be looked at. */
static size_t line_limit(const struct imap_engine *imap)
{
    if (imap->client == IMAP_CLIENT_SASL)
        return engine_sasl_line_max(&imap->base);
    return imap->base.status.authenticated ? engine_imap_line_max(&imap->base) : IMAP_LINE_MAX;
}

/* The first octets of the line that the reader has begun, or is to begin. */
static struct slice beginning_of_line(const struct imap_engine *imap, struct slice input,
                                      uint8_t into[IMAP_BEGINNING_MAX])
{
    struct slice held = slice_first(bytes_view(&imap->from_client.held), IMAP_BEGINNING_MAX);
    struct slice more = slice_first(input, IMAP_BEGINNING_MAX - held.len);
    if (held.len > 0)
        memcpy(into, held.data, held.len);
    if (more.len > 0)
        memcpy(into + held.len, more.data, more.len);
    return (struct slice){into, held.len + more.len};
}

/* Of a line that is over that: an initial response and an ID may be longer. */
static size_t longer_line_limit(const struct imap_engine *imap, struct slice input)
{
    uint8_t octets[IMAP_BEGINNING_MAX];
    if (imap->client == IMAP_CLIENT_ID_REST)
        return IMAP_ID_COMMAND_MAX;
    if (imap->client != IMAP_CLIENT_COMMAND)
        return 0;
    switch (imap_command_parse(beginning_of_line(imap, input, octets)).kind) {
    case IMAP_COMMAND_ID:
        return IMAP_ID_COMMAND_MAX;
    case IMAP_COMMAND_AUTHENTICATE:
        return engine_sasl_line_max(&imap->base) + IMAP_AUTHENTICATE_WORDS_MAX;
    default:
        return 0;
    }
}

static enum line_result read_line(struct imap_engine *imap, struct slice *input, struct line *line)
{
    enum line_result result = line_reader_take(&imap->from_client, input, line_limit(imap), line);
    if (result != LINE_TOO_LONG)
        return result;
    return line_reader_take(&imap->from_client, input, longer_line_limit(imap, *input), line);
}

static void reject_long_line(struct imap_engine *imap, struct slice input, struct engine_out *out)
{
    static const char text[] = "BAD This command line is too long";
    if (imap->client != IMAP_CLIENT_COMMAND && imap->client != IMAP_CLIENT_ID_REST) {
        imap_fail_client(imap, "This line is too long", out);
        return;
    }
    uint8_t head[IMAP_TAG_MAX + 1];
    struct slice seen =
        bytes_view(imap->client == IMAP_CLIENT_ID_REST ? &imap->client_held : &imap->from_client.held);
    size_t len = seen.len < sizeof head ? seen.len : sizeof head;
    if (len > 0)
        memcpy(head, seen.data, len);
    struct slice more = slice_first(input, sizeof head - len);
    memcpy(head + len, more.data, more.len);
    struct slice beginning = {head, len + more.len};
    if (imap->client == IMAP_CLIENT_COMMAND && http_begins_request(beginning)) {
        imap_fail_client(imap, not_imap, out);
        return;
    }
    imap_reply(imap, imap_command_tag(beginning), text, out);
    imap->client_tail = (struct imap_tail){0};
    imap_tail_feed(&imap->client_tail, bytes_view(&imap->from_client.held));
    line_reader_done(&imap->from_client);
    bytes_free(&imap->client_held);
    imap_move_client(imap, IMAP_CLIENT_SKIP_LINE);
    count_error(imap, out);
}

static void take_line(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (read_line(imap, input, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        imap_fail_memory(imap);
        return;
    case LINE_TOO_LONG:
        reject_long_line(imap, *input, out);
        return;
    case LINE_WHOLE:
        break;
    }
    if (imap->client == IMAP_CLIENT_COMMAND)
        take_first_line(imap, &line, out);
    else if (imap->client == IMAP_CLIENT_REST)
        take_rest_line(imap, &line, out);
    else if (imap->client == IMAP_CLIENT_ID_REST)
        take_id_rest_line(imap, &line, out);
    else if (imap->client == IMAP_CLIENT_SASL)
        take_sasl_line(imap, &line, out);
    else
        take_idle_line(imap, &line, out);
    line_reader_done(&imap->from_client);
}

static void skip_line(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    size_t end = slice_find(*input, '\n');
    imap_tail_feed(&imap->client_tail, slice_first(*input, end));
    bool ended = end < input->len;
    *input = slice_from(*input, end + (ended ? 1 : 0));
    struct imap_literal literal;
    if (ended)
        skip_rest(imap, imap_tail_literal(&imap->client_tail, &literal) ? &literal : NULL, out);
}

static void take_step(struct imap_engine *imap, struct slice *input, struct engine_out *out)
{
    switch (imap->client) {
    case IMAP_CLIENT_LITERAL:
        engine_out_pass(out, SIDE_BACKEND, counted_take(&imap->client_left, input));
        if (imap->client_left == 0)
            imap_move_client(imap, IMAP_CLIENT_REST);
        break;
    case IMAP_CLIENT_ID_LITERAL:
        imap_id_exchange_literal(imap, input);
        break;
    case IMAP_CLIENT_SKIP_LITERAL:
        counted_take(&imap->client_left, input);
        if (imap->client_left == 0)
            imap_move_client(imap, IMAP_CLIENT_SKIP_LINE);
        break;
    case IMAP_CLIENT_SKIP_LINE:
        skip_line(imap, input, out);
        break;
    default:
        take_line(imap, input, out);
    }
}

bool imap_client_is_wanted(const struct imap_engine *imap)
{
    return imap->backend != IMAP_BACKEND_GREETING && imap_is_open(imap) && imap->pending_output.len == 0 &&
           imap->own != IMAP_OWN_CAPABILITY && imap->client != IMAP_CLIENT_HELD &&
           imap->client != IMAP_CLIENT_GO_AHEAD && imap->client != IMAP_CLIENT_REPLY;
}

size_t imap_client_feed(struct imap_engine *imap, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&imap->base, left, out) && imap_client_is_wanted(imap))
        take_step(imap, &left, out);
    return data.len - left.len;
}

/* ---- what the backend replies ---- */

void imap_client_go_ahead(struct imap_engine *imap, struct engine_out *out)
{
    if (imap->client != IMAP_CLIENT_GO_AHEAD)
        return;
    if (imap->command == IMAP_COMMAND_ID)
        imap_id_exchange_go_ahead(imap, out);
    else if (imap->command == IMAP_COMMAND_AUTHENTICATE)
        imap_move_client(imap, IMAP_CLIENT_SASL);
    else if (imap->command == IMAP_COMMAND_IDLE)
        imap_move_client(imap, IMAP_CLIENT_IDLE);
    else
        imap_move_client(imap, imap->client_left > 0 ? IMAP_CLIENT_LITERAL : IMAP_CLIENT_REST);
}

void imap_client_reply_done(struct imap_engine *imap)
{
    if (imap->unanswered > 0)
        imap->unanswered--;
    if (imap->status == IMAP_STATUS_OK)
        imap->errors = 0;
}

void imap_client_command_done(struct imap_engine *imap, struct engine_out *out)
{
    enum imap_command_kind kind = imap->command;
    imap->command = IMAP_COMMAND_NONE;
    imap_client_reply_done(imap);
    if (imap->status == IMAP_STATUS_OK && (kind == IMAP_COMMAND_LOGIN || kind == IMAP_COMMAND_AUTHENTICATE))
        engine_note_login(&imap->base, true);
    if (imap->status == IMAP_STATUS_OK && kind == IMAP_COMMAND_UNAUTHENTICATE)
        engine_note_login(&imap->base, false);
    if (kind == IMAP_COMMAND_ID)
        imap_id_exchange_reply_done(imap, out);
    if (imap->client == IMAP_CLIENT_GO_AHEAD && kind == IMAP_COMMAND_ID) {
        bytes_free(&imap->client_held); /* the backend has refused a literal of it */
        imap_move_client(imap, IMAP_CLIENT_COMMAND);
    } else if (imap->client == IMAP_CLIENT_GO_AHEAD) {
        struct imap_literal literal = {.octets = imap->client_left, .synchronizing = !imap->nonsync_literal};
        skip_rest(imap, &literal, out);
    } else if (imap->client == IMAP_CLIENT_REPLY || imap->client == IMAP_CLIENT_SASL ||
               imap->client == IMAP_CLIENT_IDLE) {
        imap_move_client(imap, IMAP_CLIENT_COMMAND);
    }
}

void imap_client_resume(struct imap_engine *imap, struct engine_out *out)
{
    bool awaits_own =
        imap->own == IMAP_OWN_CAPABILITY || (imap->own == IMAP_OWN_ID && imap->base.identity_unsent != NULL);
    if (imap->client != IMAP_CLIENT_HELD || imap->unanswered > 0 || awaits_own || !imap_is_open(imap))
        return;
    struct bytes held = imap->client_held;
    imap->client_held = (struct bytes){0};
    struct line line = {.whole = bytes_view(&held), .owner = &held};
    line.text = slice_first(line.whole, line.whole.len - 2);
    imap_move_client(imap, IMAP_CLIENT_COMMAND);
    if (imap_command_parse(line.text).kind == IMAP_COMMAND_ID)
        imap_id_exchange_finish(imap, line.text, out);
    else
        take_first_line(imap, &line, out);
    bytes_free(&held);
}
