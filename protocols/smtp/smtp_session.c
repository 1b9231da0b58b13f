/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_session.h"

#include "base/array.h"
#include "base/ensure.h"
#include "protocols/smtp/smtp_client_command.h"

#define MOVE(state) (1u << (state))

void smtp_move(struct smtp_engine *smtp, enum smtp_expects to)
{
    static const unsigned allowed[] = {
        [SMTP_EXPECTS_COMMAND] = MOVE(SMTP_EXPECTS_LINE_END) | MOVE(SMTP_EXPECTS_CHUNK) |
                                 MOVE(SMTP_EXPECTS_REFUSED_CHUNK) | MOVE(SMTP_EXPECTS_NOTHING) |
                                 MOVE(SMTP_EXPECTS_REPLY) | MOVE(SMTP_EXPECTS_TURN) |
                                 MOVE(SMTP_EXPECTS_INTRODUCTION) | MOVE(SMTP_EXPECTS_EXTERNAL),
        [SMTP_EXPECTS_LINE_END] = MOVE(SMTP_EXPECTS_COMMAND) | MOVE(SMTP_EXPECTS_NOTHING),
        [SMTP_EXPECTS_SASL_LINE] = MOVE(SMTP_EXPECTS_REPLY) | MOVE(SMTP_EXPECTS_SASL_LINE_END),
        [SMTP_EXPECTS_SASL_LINE_END] = MOVE(SMTP_EXPECTS_REPLY) | MOVE(SMTP_EXPECTS_NOTHING),
        [SMTP_EXPECTS_EXTERNAL] = MOVE(SMTP_EXPECTS_COMMAND),
        [SMTP_EXPECTS_MESSAGE] = MOVE(SMTP_EXPECTS_COMMAND) | MOVE(SMTP_EXPECTS_NOTHING),
        [SMTP_EXPECTS_CHUNK] = MOVE(SMTP_EXPECTS_COMMAND),
        [SMTP_EXPECTS_REFUSED_CHUNK] = MOVE(SMTP_EXPECTS_COMMAND),
        [SMTP_EXPECTS_NOTHING] = 0,
        [SMTP_EXPECTS_GREETING] = MOVE(SMTP_EXPECTS_COMMAND),
        [SMTP_EXPECTS_REPLY] =
            MOVE(SMTP_EXPECTS_COMMAND) | MOVE(SMTP_EXPECTS_SASL_LINE) | MOVE(SMTP_EXPECTS_MESSAGE),
        [SMTP_EXPECTS_TURN] = MOVE(SMTP_EXPECTS_COMMAND),
        [SMTP_EXPECTS_INTRODUCTION] = MOVE(SMTP_EXPECTS_COMMAND),
    };
    _Static_assert(ARRAY_LEN(allowed) == SMTP_EXPECTS_INTRODUCTION + 1, "a row for each state");
    ENSURE((allowed[smtp->expects] & MOVE(to)) != 0);
    smtp->expects = to;
}

bool smtp_is_open(const struct smtp_engine *smtp)
{
    return smtp->base.status.reason == ENGINE_OPEN;
}

bool smtp_wants_client(const struct smtp_engine *smtp)
{
    /* Two: a command, and the proxy's own before it. */
    if (smtp->expects == SMTP_EXPECTS_COMMAND || smtp->expects == SMTP_EXPECTS_EXTERNAL)
        return smtp_turns_have_room(&smtp->turns, 2);
    return smtp->expects < SMTP_EXPECTS_GREETING;
}

bool smtp_is_quiet(const struct smtp_engine *smtp)
{
    return smtp->replying == SMTP_TURN_NONE && smtp_turns_first(&smtp->turns) == SMTP_TURN_NONE;
}

bool smtp_is_swallowing(const struct smtp_engine *smtp)
{
    return smtp->replying == SMTP_AWAIT_REPORT || smtp->replying == SMTP_AWAIT_XCLIENT ||
           (smtp->replying == SMTP_AWAIT_OFFER && smtp->reply_code == 250) ||
           smtp->replying == SMTP_AWAIT_CLIENT ||
           (smtp->replying == SMTP_AWAIT_GREETING && smtp->base.service->starttls);
}

bool smtp_hold(struct smtp_engine *smtp, const struct line *line)
{
    if (!line->in_input || bytes_append(&smtp->from_client.held, line->whole, SMTP_AUTH_COMMAND_MAX))
        return true;
    engine_fail(&smtp->base, ENGINE_NO_MEMORY, "no memory for a command");
    return false;
}

bool smtp_client_is_in_reply(const struct smtp_engine *smtp)
{
    return smtp->replying != SMTP_TURN_NONE && !smtp_is_swallowing(smtp);
}

void smtp_give_answers(struct smtp_engine *smtp, struct engine_out *out)
{
    while (smtp_is_open(smtp) && smtp->replying == SMTP_TURN_NONE &&
           smtp_turn_is_answer(smtp_turns_first(&smtp->turns))) {
        enum smtp_turn answer = smtp_turns_take(&smtp->turns);
        smtp_turn_let_out(answer, smtp->base.service->hostname, out);
        if (smtp_turn_is_last_word(answer))
            engine_fail(&smtp->base, ENGINE_CLIENT_ERROR, smtp_turn_last_detail(answer));
    }
}

void smtp_answer(struct smtp_engine *smtp, enum smtp_turn answer, struct engine_out *out)
{
    smtp_turns_add(&smtp->turns, answer);
    if (smtp_turn_is_last_word(answer))
        smtp_move(smtp, SMTP_EXPECTS_NOTHING);
    smtp_give_answers(smtp, out);
}

void smtp_refuse(struct smtp_engine *smtp, enum smtp_turn answer, struct engine_out *out)
{
    smtp->refusals++;
    bool enough = smtp->refusals >= SMTP_REFUSALS_MAX && !smtp_turn_is_last_word(answer);
    smtp_answer(smtp, enough ? SMTP_ANSWER_TOO_MANY_ERRORS : answer, out);
}

uint8_t smtp_unanswered(const struct smtp_engine *smtp, enum smtp_turn turn)
{
    return (uint8_t)(smtp_turns_count(&smtp->turns, turn) + (smtp->replying == turn ? 1 : 0));
}

uint8_t smtp_unanswered_mails(const struct smtp_engine *smtp)
{
    return (uint8_t)(smtp_unanswered(smtp, SMTP_AWAIT_MAIL) + smtp_unanswered(smtp, SMTP_AWAIT_MAIL_UTF8));
}

void smtp_lose_chunk(struct smtp_engine *smtp)
{
    smtp->chunk_lost = true;
    smtp->mails_before_loss = smtp_unanswered_mails(smtp);
}

void smtp_mail_answered(struct smtp_engine *smtp, enum smtp_turn mail, bool accepted)
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

void smtp_send_report(struct smtp_engine *smtp, struct engine_out *out)
{
    smtp_client_command_make((struct slice){0}, smtp->base.client.tls_cipher, out);
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_REPORT);
    smtp->report = SMTP_REPORT_SENT;
}
