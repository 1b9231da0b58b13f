/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_message.h"

#include "protocols/counted.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * The Received field goes before the message's first octet. If that is a blank, the field's last line would
 * go on with it (RFC 5322 section 2.2.3), and a client's words would become a part of a field that servers
 * believe. An empty line ends the header then, as Postfix does it, and the client's line is text. NUL counts
 * as a blank, as servers drop it, and so does a CR without its LF. A dot that the client forgot to double is
 * no octet of the message.
 */

/* Room that the field may take of a chunk's size, with the empty line after it. */
enum { FIELD_ROOM = SMTP_RECEIVED_MAX + 2 };

/* ---- which chunk belongs to which message ---- */

static uint8_t unanswered_mails(const struct smtp_engine *smtp)
{
    return (uint8_t)(smtp_unanswered(smtp, SMTP_AWAIT_MAIL) + smtp_unanswered(smtp, SMTP_AWAIT_MAIL_UTF8));
}

/* The proxy has refused a chunk. RSET, a greeting, or a MAIL that is accepted may begin another message. */
static void lose_chunk(struct smtp_engine *smtp)
{
    smtp->chunk_lost = true;
    smtp->mails_before_loss = unanswered_mails(smtp);
}

void smtp_mail_answered(struct smtp_engine *smtp, enum smtp_slot mail, bool accepted)
{
    if (smtp->mails_before_loss > 0)
        smtp->mails_before_loss--;
    else if (accepted)
        smtp->chunk_lost = false;
    if (accepted)
        smtp->utf8 = mail == SMTP_AWAIT_MAIL_UTF8;
}

void smtp_end_chunks(struct smtp_engine *smtp)
{
    smtp->in_chunks = false;
    smtp->others_chunks = smtp_unanswered(smtp, SMTP_AWAIT_CHUNK);
}

void smtp_begin_anew(struct smtp_engine *smtp)
{
    smtp->chunk_lost = false;
    smtp_end_chunks(smtp);
}

/* ---- the field ---- */

static bool adds_field(const struct smtp_engine *smtp)
{
    return smtp->received != NULL && !smtp->in_chunks;
}

static size_t write_field(const struct smtp_engine *smtp, bool ends_header, char into[FIELD_ROOM])
{
    const struct engine *base = &smtp->base;
    bool mail_is_open = unanswered_mails(smtp) > 0;
    struct smtp_stamp stamp = {.hostname = base->service->hostname,
                               .tls_cipher = base->client.tls_cipher,
                               .seconds = base->service->now(),
                               .extended = smtp->extended,
                               .authenticated = base->status.authenticated,
                               .utf8 = mail_is_open ? smtp->utf8_offered : smtp->utf8};
    size_t len = smtp_received_write(smtp->received, &stamp, into);
    if (ends_header) {
        into[len++] = '\r';
        into[len++] = '\n';
    }
    return len;
}

static bool is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\0';
}

/* Whether a first octet has to be held until the next one is there, and as what. */
static enum smtp_field held_as(uint8_t octet, bool has_dots)
{
    return octet == '\r'              ? SMTP_FIELD_AFTER_CR
           : octet == '.' && has_dots ? SMTP_FIELD_AFTER_DOT
                                      : SMTP_FIELD_DUE;
}

/* What has been held, and is sent after the field. */
static const char *held_octet(enum smtp_field field)
{
    return field == SMTP_FIELD_AFTER_CR ? "\r" : field == SMTP_FIELD_AFTER_DOT ? "." : "";
}

/*
 * Looks at the message's first octet, which is there. True if it is known what follows the field:
 * `*ends_header` then. False if the octet was taken and is held. `left`: octets of the message that are known
 * to come.
 */
static bool decide_field(struct smtp_engine *smtp, struct slice *input, uint64_t left, bool *ends_header)
{
    uint8_t octet = input->data[0];
    bool has_dots = smtp->client == SMTP_CLIENT_MESSAGE;
    if (smtp->field == SMTP_FIELD_DUE && left > 1 && held_as(octet, has_dots) != SMTP_FIELD_DUE) {
        smtp->field = held_as(octet, has_dots);
        *input = slice_from(*input, 1);
        return false;
    }
    if (smtp->field == SMTP_FIELD_AFTER_CR)
        *ends_header = octet != '\n';
    else
        *ends_header = is_blank(octet) || octet == '\r';
    if (smtp->field == SMTP_FIELD_AFTER_DOT && octet == '\r')
        *ends_header = false; /* the end of the message, or a dot that smtp_data.c doubles */
    return true;
}

/* ---- sent by DATA ---- */

void smtp_begin_message(struct smtp_engine *smtp)
{
    smtp->data = SMTP_DATA_LINE;
    smtp->field = adds_field(smtp) ? SMTP_FIELD_DUE : SMTP_FIELD_NONE;
    smtp_move_client(smtp, SMTP_CLIENT_MESSAGE);
}

static size_t pass_message(struct smtp_engine *smtp, struct slice octets, struct engine_out *out)
{
    return smtp_data_take(&smtp->data, octets, smtp->base.service->refuses_bare_lf, out);
}

static void send_field(struct smtp_engine *smtp, bool ends_header, struct engine_out *out)
{
    char field[FIELD_ROOM];
    size_t len = write_field(smtp, ends_header, field);
    engine_out_make(out, SIDE_BACKEND, (struct slice){(const uint8_t *)field, len});
    pass_message(smtp, slice_of(held_octet(smtp->field)), out);
    smtp->field = SMTP_FIELD_NONE;
}

void smtp_take_message(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    bool ends_header = false;
    if (smtp->field != SMTP_FIELD_NONE) {
        if (!decide_field(smtp, input, UINT64_MAX, &ends_header))
            return;
        send_field(smtp, ends_header, out);
    }
    size_t taken = pass_message(smtp, *input, out);
    *input = slice_from(*input, taken);
    if (smtp->data == SMTP_DATA_REFUSED)
        smtp_reject(smtp, SMTP_CLOSE_BARE_LF, out);
    if (smtp->data != SMTP_DATA_END)
        return;
    smtp_end_chunks(smtp);
    smtp_add_slot(smtp, SMTP_AWAIT_MESSAGE);
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

/* ---- chunks ---- */

/* The octets after BDAT come whatever the reply (RFC 3030 section 2), so they are taken and dropped. */
static void refuse_chunk(struct smtp_engine *smtp, enum smtp_slot slot, uint64_t size, struct engine_out *out)
{
    lose_chunk(smtp);
    smtp_reject(smtp, slot, out);
    if (smtp->client == SMTP_CLIENT_NOTHING || size == 0)
        return;
    smtp->chunk_left = size;
    smtp_move_client(smtp, SMTP_CLIENT_REFUSED_CHUNK);
}

/* The line is made anew: a backend that reads the size in another way would take the chunk for commands. */
static void send_bdat(struct smtp_engine *smtp, uint64_t size, bool last, struct engine_out *out)
{
    char line[40];
    snprintf(line, sizeof line, "BDAT %" PRIu64 "%s\r\n", size, last ? " LAST" : "");
    engine_out_make_text(out, SIDE_BACKEND, line);
    smtp_add_slot(smtp, SMTP_AWAIT_CHUNK);
    smtp->in_chunks = size > 0 && !last;
    if (!smtp->in_chunks)
        smtp_end_chunks(smtp);
}

/* A chunk with the field before it. `size`: of the client's octets, a CR that is held among them. */
static void send_first_chunk(struct smtp_engine *smtp, uint64_t size, bool ends_header,
                             struct engine_out *out)
{
    char field[FIELD_ROOM];
    size_t len = write_field(smtp, ends_header, field);
    send_bdat(smtp, size + len, smtp->chunk_is_last, out);
    engine_out_make(out, SIDE_BACKEND, (struct slice){(const uint8_t *)field, len});
    engine_out_make_text(out, SIDE_BACKEND, held_octet(smtp->field));
    smtp->field = SMTP_FIELD_NONE;
}

/* A chunk of nothing that is not the last has no first octet: the field waits for the next one. */
static void begin_first_chunk(struct smtp_engine *smtp, const struct smtp_chunk *chunk,
                              struct engine_out *out)
{
    smtp->chunk_is_last = chunk->last;
    if (chunk->size > 0) {
        smtp->field = SMTP_FIELD_DUE;
        smtp->chunk_left = chunk->size;
        smtp_move_client(smtp, SMTP_CLIENT_CHUNK);
    } else if (chunk->last) {
        send_first_chunk(smtp, 0, false, out);
    } else {
        send_bdat(smtp, 0, false, out);
    }
}

static void begin_chunk(struct smtp_engine *smtp, const struct smtp_chunk *chunk, struct engine_out *out)
{
    send_bdat(smtp, chunk->size, chunk->last, out);
    smtp->in_chunks = !chunk->last;
    smtp->chunk_left = chunk->size;
    if (chunk->size > 0)
        smtp_move_client(smtp, SMTP_CLIENT_CHUNK);
}

/* A backend that does not announce CHUNKING would take the chunk for commands. */
void smtp_take_bdat(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out)
{
    struct smtp_chunk chunk;
    uint64_t room = adds_field(smtp) ? FIELD_ROOM : 0;
    if (!smtp_chunk_parse(arguments, &chunk))
        refuse_chunk(smtp, SMTP_OWN_CHUNK_SYNTAX, 0, out);
    else if (!smtp->ehlo.chunking)
        refuse_chunk(smtp, SMTP_OWN_NOT_IMPLEMENTED, chunk.size, out);
    else if (chunk.size > SMTP_CHUNK_MAX - room)
        refuse_chunk(smtp, SMTP_OWN_CHUNK_TOO_BIG, chunk.size, out);
    else if (smtp->chunk_lost)
        refuse_chunk(smtp, SMTP_OWN_CHUNK_LOST, chunk.size, out);
    else if (adds_field(smtp))
        begin_first_chunk(smtp, &chunk, out);
    else
        begin_chunk(smtp, &chunk, out);
}

/*
 * BURL: the backend itself fetches a part of a message. The proxy cannot know its first octet, so a service
 * that adds fields refuses it.
 */
void smtp_take_burl(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                    struct engine_out *out)
{
    if (smtp->received != NULL || smtp->chunk_lost) {
        smtp_reject(smtp, smtp->chunk_lost ? SMTP_OWN_CHUNK_LOST : SMTP_OWN_NOT_IMPLEMENTED, out);
        return;
    }
    smtp_add_slot(smtp, SMTP_AWAIT_CHUNK);
    line_send(line, SIDE_BACKEND, out);
    smtp->in_chunks = true;
    if (smtp_burl_is_last(arguments))
        smtp_end_chunks(smtp);
}

/* The chunk's first octet is there: sends its BDAT, unless that octet is a CR that decides nothing alone. */
static bool begin_held_chunk(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    bool ends_header = false;
    if (smtp->field == SMTP_FIELD_NONE)
        return true;
    if (!decide_field(smtp, input, smtp->chunk_left, &ends_header)) {
        smtp->chunk_left--;
        return false;
    }
    send_first_chunk(smtp, smtp->chunk_left + (smtp->field == SMTP_FIELD_AFTER_CR ? 1 : 0), ends_header, out);
    return true;
}

/* So much of a chunk at once is a turn: whoever uploads one needs more time than for a command. */
enum { CHUNK_TURN = 1024 };

void smtp_take_chunk(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    if (!begin_held_chunk(smtp, input, out))
        return;
    bool refused = smtp->client == SMTP_CLIENT_REFUSED_CHUNK;
    struct slice octets = counted_take(&smtp->chunk_left, input);
    if (octets.len >= CHUNK_TURN)
        engine_note_turn(&smtp->base);
    if (!refused)
        engine_out_pass(out, SIDE_BACKEND, octets);
    if (smtp->chunk_left == 0)
        smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}
