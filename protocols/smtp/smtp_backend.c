/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_external.h"
#include "protocols/smtp/smtp_introduction.h"
#include "protocols/smtp/smtp_session.h"

/*
 * The backend has made a mistake, and the session ends. The client is told where that can't be taken for a part
 * of a reply: not before the greeting, as another backend may still serve it, and not behind a last word.
 */
static void fail_backend(struct smtp_engine *smtp, const char *detail, struct engine_out *out)
{
    bool said_already = smtp->base.status.ending && smtp_is_quiet(smtp);
    if (smtp_is_open(smtp) && smtp->expects != SMTP_EXPECTS_GREETING && !smtp_client_is_in_reply(smtp) &&
        !said_already)
        smtp_turn_let_out(SMTP_ANSWER_BACKEND_FAILED, smtp->base.service->hostname, out);
    engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, detail);
}

/* A reply that asks the client for more (3yz) fits two commands only; behind any other the sides would part. */
static bool asks_for_what_is_known(enum smtp_turn turn, unsigned code)
{
    return code / 100 != 3 || (turn == SMTP_AWAIT_AUTH && code == 334) ||
           (turn == SMTP_AWAIT_DATA && code == 354);
}

/* The first line of the session. A backend that can't serve says so before the client has seen an octet. */
static void check_greeting(struct smtp_engine *smtp, unsigned code)
{
    if (code / 100 == 4 || code / 100 == 5)
        engine_fail(&smtp->base, ENGINE_BACKEND_REFUSED, "the backend's greeting refuses service");
    else if (code != 220)
        engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, "the backend's greeting has a wrong code");
}

/*
 * A backend that will not have the message and says so before its end. What it takes the rest for nobody knows, so it
 * gets none of it, and the session ends with what it said.
 */
static bool refuses_early(const struct smtp_engine *smtp, unsigned code)
{
    return smtp->expects == SMTP_EXPECTS_MESSAGE && code != 421 && (code / 100 == 4 || code / 100 == 5);
}

/* The first line of a reply: finds the turn that it belongs to, or fails. */
static void open_reply(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    enum smtp_turn turn = smtp_turns_take(&smtp->turns);
    const char *no_introduction = smtp_introduction_fails(smtp, turn, code);
    if (turn == SMTP_AWAIT_GREETING)
        check_greeting(smtp, code);
    else if (no_introduction != NULL)
        smtp_introduction_fail(smtp, no_introduction, out);
    else if (turn == SMTP_TURN_NONE && refuses_early(smtp, code))
        smtp_move(smtp, SMTP_EXPECTS_NOTHING);
    else if (turn == SMTP_TURN_NONE && code != 421)
        fail_backend(smtp, "the backend answers where nothing was asked", out);
    else if (!asks_for_what_is_known(turn, code))
        fail_backend(smtp, "the backend asks for more where there is no more", out);
    /* A farewell is the client's to know, even where it answers the proxy's own command. */
    bool swallowed = turn == SMTP_AWAIT_REPORT || turn == SMTP_AWAIT_CLIENT || turn == SMTP_AWAIT_XCLIENT;
    bool unasked = turn == SMTP_TURN_NONE || (swallowed && code == 421);
    smtp->replying = unasked ? SMTP_UNASKED : turn;
    smtp->reply_code = code;
}

static void accept_greeting(struct smtp_engine *smtp, bool extended)
{
    smtp->extended = extended;
    smtp_begin_anew(smtp);
    if (smtp->received != NULL)
        smtp_received_accept_name(smtp->received);
}

/* So Dovecot shows it to a peer in clear that it does not trust. */
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
        /* EHLO begins anew (RFC 5321 section 4.1.4), so the backend is told again. */
        if (smtp->report != SMTP_REPORT_REFUSED)
            smtp->report = smtp->ehlo.deep ? SMTP_REPORT_DUE : SMTP_REPORT_UNKNOWN;
    }
    smtp_move(smtp, SMTP_EXPECTS_COMMAND);
}

/* HELO: no extensions. Where it is refused all stays as it was (RFC 5321 section 4.1.4). */
static void close_helo(struct smtp_engine *smtp, unsigned code)
{
    if (code == 250) {
        accept_greeting(smtp, false);
        smtp->ehlo = (struct smtp_ehlo){0};
        if (smtp->report != SMTP_REPORT_REFUSED)
            smtp->report = SMTP_REPORT_UNKNOWN;
    }
    smtp_move(smtp, SMTP_EXPECTS_COMMAND);
}

static void close_auth(struct smtp_engine *smtp, unsigned code)
{
    if (code == 235)
        smtp->base.status.authenticated = true;
    smtp_move(smtp, code == 334 ? SMTP_EXPECTS_SASL_LINE : SMTP_EXPECTS_COMMAND);
}

/* A message behind DATA begins here and nowhere else. */
static void close_data(struct smtp_engine *smtp, unsigned code)
{
    if (code != 354) {
        smtp_move(smtp, SMTP_EXPECTS_COMMAND);
        return;
    }
    smtp->base.status.serving = true;
    smtp_begin_message(smtp);
}

/* A chunk that was refused ends its message (RFC 3030 section 2), but not the one that may have begun behind it. */
static void close_chunk(struct smtp_engine *smtp, unsigned code)
{
    if (smtp->others_chunks > 0)
        smtp->others_chunks--;
    else if (code / 100 != 2)
        smtp_end_chunks(smtp); /* those that are unanswered are of the message that is lost */
    smtp->base.status.serving = smtp->base.status.serving || code / 100 == 2;
    smtp->refusals = code / 100 == 2 ? 0 : smtp->refusals;
}

static void close_report(struct smtp_engine *smtp, unsigned code)
{
    if (code == 500 || code == 502)
        smtp->report = SMTP_REPORT_REFUSED;
}

/* The backend has answered the EHLO that asks for XCLIENT. */
static void close_offer(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    if (code != 250)
        smtp_introduction_give_up(smtp);
    else if (!smtp_introduction_is_offered(smtp))
        smtp_introduction_fail(smtp, "the server offers no XCLIENT" SMTP_XCLIENT_REMEDY, out);
    else
        smtp_introduction_tell(smtp, out);
}

static void close_message(struct smtp_engine *smtp, unsigned code)
{
    if (code / 100 == 2)
        smtp->refusals = 0;
}

static void close_client(struct smtp_engine *smtp, unsigned code, struct engine_out *out)
{
    close_report(smtp, code);
    smtp_turn_let_out(SMTP_ANSWER_OK, smtp->base.service->hostname, out);
    smtp_move(smtp, SMTP_EXPECTS_COMMAND);
}

static void close_turn(struct smtp_engine *smtp, enum smtp_turn turn, unsigned code, struct engine_out *out)
{
    switch (turn) {
    case SMTP_AWAIT_GREETING:
        smtp->base.status.greeted = true;
        smtp_move(smtp, SMTP_EXPECTS_COMMAND);
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
        smtp_mail_answered(smtp, turn, code == 250);
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
    case SMTP_AWAIT_REPORT:
        close_report(smtp, code);
        return;
    case SMTP_UNASKED:
        if (code != 421)
            engine_fail(&smtp->base, ENGINE_BACKEND_ERROR, "the backend refused the message before its end");
        return;
    case SMTP_AWAIT_OFFER:
        close_offer(smtp, code, out);
        return;
    case SMTP_AWAIT_XCLIENT:
        smtp_introduction_end(smtp, out);
        return;
    default: /* a reply that moves nothing */
        return;
    }
}

/* The last line of a reply. */
static void close_reply(struct smtp_engine *smtp, struct engine_out *out)
{
    enum smtp_turn turn = smtp->replying;
    unsigned code = smtp->reply_code;
    smtp->replying = SMTP_TURN_NONE;
    if (code == 221 || code == 421)
        smtp->base.status.ending = smtp->base.status.last_word = true;
    close_turn(smtp, turn, code, out);
    smtp_give_answers(smtp, out);
    if (smtp->expects == SMTP_EXPECTS_TURN && smtp_is_quiet(smtp) && !smtp->base.status.ending)
        smtp_client_resume(smtp, out);
}

/* The status can only be shown when the reply is over: the backend's may stand anywhere in it. */
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
        smtp_introduction_note(smtp, reply->text);
    if (smtp_is_swallowing(smtp))
        return;
    if (smtp->replying != SMTP_AWAIT_EHLO || reply->code != 250)
        line_let_out(line, SIDE_CLIENT, out);
    else if (first)
        smtp_ehlo_begin(&smtp->ehlo, reply->text, out);
    else
        show_extension(smtp, reply->text, out);
}

static void take_reply_line(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    struct smtp_reply reply;
    bool first = smtp->replying == SMTP_TURN_NONE;
    if (!smtp_reply_parse(line->text, &reply)) {
        fail_backend(smtp, "the backend's line is no SMTP reply", out);
        return;
    }
    if (first)
        open_reply(smtp, reply.code, out);
    else if (reply.code != smtp->reply_code) /* RFC 5321 section 4.2.1 */
        fail_backend(smtp, "the lines of a reply have different codes", out);
    if (!smtp_is_open(smtp))
        return;
    show(smtp, line, &reply, first, out);
    if (reply.last && smtp_is_open(smtp))
        close_reply(smtp, out);
}

void smtp_backend_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out)
{
    struct line line;
    switch (line_reader_take(&smtp->from_backend, input, SMTP_REPLY_LINE_MAX, &line)) {
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
