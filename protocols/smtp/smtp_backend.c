/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_backend.h"

#include "protocols/smtp/smtp_client.h"
#include "protocols/smtp/smtp_external.h"
#include "protocols/smtp/smtp_message.h"
#include "protocols/smtp/smtp_xclient.h"

#include <stdio.h>

/*
 * The backend has made a mistake, and the session ends. The client gets 421 if it cannot take it for a part
 * of a reply: not before the greeting, as another backend may still serve it, and not after the backend's own
 * 421 or 221.
 */
static void fail_backend(struct smtp_engine *smtp, const char *detail, struct engine_out *out)
{
    bool has_been_sent = smtp->base.status.ending && smtp_is_quiet(smtp);
    if (engine_is_open(&smtp->base) && smtp->client != SMTP_CLIENT_GREETING &&
        !smtp_client_is_in_reply(smtp) && !has_been_sent)
        smtp_slot_send(SMTP_CLOSE_BACKEND_FAILED, smtp->base.service->hostname, out);
    engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, detail);
}

/*
 * A reply that asks the client for more (3yz) fits two commands only; after any other the sides would lose
 * step.
 */
static bool fits_command(enum smtp_slot slot, unsigned code)
{
    return code / 100 != 3 || (slot == SMTP_AWAIT_AUTH && code == 334) ||
           (slot == SMTP_AWAIT_DATA && code == 354);
}

/* A greeting that refuses the client is kept to its last line: its class is what another try depends on. */
static bool keeps_refusal(struct smtp_engine *smtp, const struct smtp_reply *reply)
{
    if (smtp->replying != SMTP_AWAIT_GREETING || (reply->code / 100 != 4 && reply->code / 100 != 5))
        return false;
    char head[] = "000 ";
    snprintf(head, sizeof head, "%03u%c", reply->code % 1000, reply->last ? ' ' : '-');
    engine_add_refusal(&smtp->base, head, reply->text, reply->last);
    if (reply->last)
        engine_fail(&smtp->base, ENGINE_BACKEND_REFUSED, "the backend's greeting refuses service");
    return true;
}

/*
 * The first line of the session: a backend that cannot serve replies so before the client has seen an octet.
 */
static void check_greeting(struct smtp_engine *smtp, unsigned code)
{
    if (code != 220 && code / 100 != 4 && code / 100 != 5)
        engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, "the backend's greeting has a wrong code");
}

/*
 * Does the backend refuse the message before its end? Nobody knows what it takes the rest for, so it gets
 * none of it, and the session ends with its reply.
 */
static bool refuses_early(const struct smtp_engine *smtp, unsigned code)
{
    return smtp->client == SMTP_CLIENT_MESSAGE && code != 421 && (code / 100 == 4 || code / 100 == 5);
}

/* The first line of a reply: finds the slot that it belongs to, or fails. */
static void open_reply(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    enum smtp_slot slot = (enum smtp_slot)reply_queue_take(&smtp->replies);
    const char *xclient_failure = smtp_xclient_failure(smtp, slot, code);
    if (slot == SMTP_AWAIT_GREETING)
        check_greeting(smtp, code);
    else if (xclient_failure != NULL)
        smtp_xclient_fail(smtp, xclient_failure, out);
    else if (slot == SMTP_SLOT_NONE && refuses_early(smtp, code))
        smtp_move_client(smtp, SMTP_CLIENT_NOTHING);
    else if (slot == SMTP_SLOT_NONE && code != 421)
        fail_backend(smtp, "unsolicited reply of the backend", out);
    else if (!fits_command(slot, code))
        fail_backend(smtp, "unexpected 3xx reply of the backend", out);
    /* The client gets a 421 even if it is the reply to the proxy's own command. */
    bool swallowed = slot == SMTP_AWAIT_CIPHER || slot == SMTP_AWAIT_CLIENT || slot == SMTP_AWAIT_XCLIENT;
    bool unsolicited = slot == SMTP_SLOT_NONE || (swallowed && code == 421);
    smtp->replying = unsolicited ? SMTP_UNSOLICITED : slot;
    smtp->reply_code = code;
}

static void accept_greeting(struct smtp_engine *smtp, bool extended)
{
    smtp->extended = extended;
    smtp_begin_anew(smtp);
    if (smtp->received != NULL)
        smtp_received_accept_name(smtp->received);
}

/* Dovecot shows it so to a peer in clear that it does not trust. */
static void warn_of_empty_auth(struct smtp_engine *smtp)
{
    if (smtp->ehlo.auth && !smtp->ehlo.mechanisms && !smtp->base.status.authenticated)
        engine_warn(&smtp->base, "the server announces AUTH without a mechanism, so that nobody can log "
                                 "in: " ENGINE_REMEDY_CLEARTEXT);
}

static void close_ehlo(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    if (code == 250) {
        accept_greeting(smtp, true);
        smtp_external_announce(smtp, out);
        smtp_ehlo_end(engine_deep_status(&smtp->base), out);
        engine_forget_merged(&smtp->base);
        warn_of_empty_auth(smtp);
        /* EHLO begins anew (RFC 5321 section 4.1.4), so the backend is sent the cipher suite again. */
        if (smtp->cipher != SMTP_CIPHER_REFUSED)
            smtp->cipher = smtp->ehlo.deep ? SMTP_CIPHER_DUE : SMTP_CIPHER_UNKNOWN;
    }
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

/* HELO: no extensions. If it is refused all stays as it was (RFC 5321 section 4.1.4). */
static void close_helo(struct smtp_engine *smtp, unsigned code)
{
    if (code == 250) {
        accept_greeting(smtp, false);
        smtp->ehlo = (struct smtp_ehlo){0};
        if (smtp->cipher != SMTP_CIPHER_REFUSED)
            smtp->cipher = SMTP_CIPHER_UNKNOWN;
    }
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

static void close_auth(struct smtp_engine *smtp, unsigned code)
{
    if (code == 235)
        engine_note_login(&smtp->base, true);
    smtp_move_client(smtp, code == 334 ? SMTP_CLIENT_SASL_LINE : SMTP_CLIENT_COMMAND);
}

/* A message sent by DATA begins here and nowhere else. */
static void close_data(struct smtp_engine *smtp, unsigned code)
{
    if (code != 354) {
        smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
        return;
    }
    engine_note_serving(&smtp->base);
    smtp_begin_message(smtp);
}

/*
 * A chunk that was refused ends its message (RFC 3030 section 2), but not one that may have begun after it.
 */
static void close_chunk(struct smtp_engine *smtp, unsigned code)
{
    if (smtp->others_chunks > 0)
        smtp->others_chunks--;
    else if (code / 100 != 2)
        smtp_end_chunks(smtp); /* those that are unanswered are of the message that is lost */
    if (code / 100 == 2) {
        engine_note_serving(&smtp->base);
        smtp->refusals = 0;
    }
}

static void close_cipher(struct smtp_engine *smtp, unsigned code)
{
    if (code == 500 || code == 502)
        smtp->cipher = SMTP_CIPHER_REFUSED;
}

/* The backend has answered the EHLO that asks for XCLIENT. */
static void close_offer(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    if (code != 250)
        smtp_xclient_give_up(smtp);
    else if (!smtp_xclient_is_offered(smtp))
        smtp_xclient_fail(smtp, "the server offers no XCLIENT" SMTP_XCLIENT_REMEDY, out);
    else
        smtp_xclient_send(smtp, out);
}

static void close_message(struct smtp_engine *smtp, unsigned code)
{
    if (code / 100 == 2)
        smtp->refusals = 0;
}

static void close_client(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    close_cipher(smtp, code);
    smtp_slot_send(SMTP_OWN_OK, smtp->base.service->hostname, out);
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

static void close_slot(struct smtp_engine *smtp, enum smtp_slot slot, unsigned code, struct engine_out *out)
{
    switch (slot) {
    case SMTP_AWAIT_GREETING:
        engine_note_greeted(&smtp->base);
        smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
        return;
    case SMTP_AWAIT_EHLO:
        close_ehlo(smtp, code, out);
        return;
    case SMTP_AWAIT_HELO:
        close_helo(smtp, code);
        return;
    case SMTP_AWAIT_AUTH:
        close_auth(smtp, code);
        return;
    case SMTP_AWAIT_MAIL:
    case SMTP_AWAIT_MAIL_UTF8:
        smtp_mail_answered(smtp, slot, code == 250);
        return;
    case SMTP_AWAIT_DATA:
        close_data(smtp, code);
        return;
    case SMTP_AWAIT_MESSAGE:
        close_message(smtp, code);
        return;
    case SMTP_AWAIT_CHUNK:
        close_chunk(smtp, code);
        return;
    case SMTP_AWAIT_CLIENT:
        close_client(smtp, code, out);
        return;
    case SMTP_AWAIT_CIPHER:
        close_cipher(smtp, code);
        return;
    case SMTP_UNSOLICITED:
        if (code != 421)
            engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, "the backend refused the message before its end");
        return;
    case SMTP_AWAIT_OFFER:
        close_offer(smtp, code, out);
        return;
    case SMTP_AWAIT_XCLIENT:
        if (smtp_xclient_refuses_client(slot, code))
            smtp_xclient_give_up(smtp);
        else
            smtp_xclient_end(smtp, out);
        return;
    default: /* a reply that moves nothing */
        return;
    }
}

/* The last line of a reply. */
static void close_reply(struct smtp_engine *smtp, struct engine_out *out)
{
    enum smtp_slot slot = smtp->replying;
    unsigned code = smtp->reply_code;
    smtp->replying = SMTP_SLOT_NONE;
    engine_note_turn(&smtp->base);
    if (code == 221 || code == 421)
        engine_note_last_word(&smtp->base);
    close_slot(smtp, slot, code, out);
    smtp_send_own_replies(smtp, out);
    if (smtp->client == SMTP_CLIENT_HELD && smtp_is_quiet(smtp) && !smtp->base.status.ending)
        smtp_client_resume(smtp, out);
}

/* The DEEP status can only be shown when the reply has ended: the backend's may be anywhere in it. */
static void show_extension(struct smtp_engine *smtp, struct slice text, struct engine_out *out)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    if (slice_is_word(keyword, "DEEP"))
        engine_merge_deep(&smtp->base, rest);
    if (slice_is_word(keyword, "BURL") && smtp->received != NULL)
        return; /* see smtp_take_burl */
    smtp_ehlo_line(&smtp->ehlo, text, smtp_external_shown(smtp), out);
}

static void show(struct smtp_engine *smtp, const struct line *line, const struct smtp_reply *reply,
                 bool first, struct engine_out *out)
{
    if (smtp->replying == SMTP_AWAIT_OFFER && !first)
        smtp_xclient_note_offer(smtp, reply->text);
    if (smtp_is_swallowing(smtp))
        return;
    if (smtp->replying != SMTP_AWAIT_EHLO || reply->code != 250)
        line_send(line, SIDE_CLIENT, out);
    else if (first)
        smtp_ehlo_begin(&smtp->ehlo, reply->text, out);
    else
        show_extension(smtp, reply->text, out);
}

static void take_reply_line(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    struct smtp_reply reply;
    bool first = smtp->replying == SMTP_SLOT_NONE;
    if (!smtp_reply_parse(line->text, &reply)) {
        fail_backend(smtp, "the backend's line is no SMTP reply", out);
        return;
    }
    if (first)
        open_reply(smtp, reply.code, out);
    else if (reply.code != smtp->reply_code) /* RFC 5321 section 4.2.1 */
        fail_backend(smtp, "the lines of a reply have different codes", out);
    if (!engine_is_open(&smtp->base) || keeps_refusal(smtp, &reply))
        return;
    show(smtp, line, &reply, first, out);
    if (reply.last && engine_is_open(&smtp->base))
        close_reply(smtp, out);
}

static void take_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    struct line line;
    /* RFC 5321 section 4.5.3.1.5 has 512, but a SASL challenge may be as long as the client's answer. */
    size_t limit = engine_sasl_max(&smtp->base) + SMTP_CHALLENGE_WORDS_MAX;
    switch (line_reader_take(&smtp->from_backend, input, limit, &line)) {
    case LINE_CUT:
        return;
    case LINE_NO_MEMORY:
        engine_fail(&smtp->base, ENGINE_NO_MEMORY, "no memory for a line of the backend");
        return;
    case LINE_TOO_LONG:
        fail_backend(smtp, "a line of the backend is too long", out);
        return;
    case LINE_WHOLE:
        take_reply_line(smtp, &line, out);
        line_reader_done(&smtp->from_backend);
        return;
    }
}

size_t smtp_backend_feed(struct smtp_engine *smtp, struct slice data, struct engine_out *out)
{
    struct slice left = data;
    while (engine_may_step(&smtp->base, left, out))
        take_step(smtp, &left, out);
    return data.len - left.len;
}
