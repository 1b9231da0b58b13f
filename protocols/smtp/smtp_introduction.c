/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_introduction.h"

#include "protocols/smtp/smtp_external.h"
#include "protocols/xclient.h"

static struct smtp_command held_greeting(const struct smtp_engine *smtp)
{
    return smtp_command_parse(line_of_whole(bytes_view(&smtp->from_client.held)).text);
}

void smtp_introduce(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    if (!smtp_hold(smtp, line))
        return;
    engine_out_make_text(out, SIDE_BACKEND, "EHLO");
    engine_out_make(out, SIDE_BACKEND, held_greeting(smtp).arguments);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_OFFER);
    smtp->xclient_offered = 0;
    smtp_move(smtp, SMTP_EXPECTS_INTRODUCTION);
}

bool smtp_is_for_strangers(enum smtp_verb verb)
{
    switch (verb) {
    case SMTP_EHLO:
    case SMTP_HELO:
    case SMTP_NOOP:
    case SMTP_RSET:
    case SMTP_QUIT:
        return true;
    case SMTP_AUTH:
    case SMTP_MAIL:
    case SMTP_DATA:
    case SMTP_BURL:
    case SMTP_OTHER:
        return false;
    case SMTP_CLIENT: /* as no greeting has told of DEEP and CHUNKING, all of these are answered by the proxy */
    case SMTP_BDAT:
    case SMTP_STARTTLS:
    case SMTP_TRUSTED:
    case SMTP_HTTP:
    case SMTP_MALFORMED:
        return true;
    }
    return false;
}

void smtp_introduction_note(struct smtp_engine *smtp, struct slice text)
{
    struct slice rest = text;
    if (slice_is_word(slice_next_word(&rest, ' '), "XCLIENT"))
        smtp->xclient_offered |= xclient_offered(rest);
}

bool smtp_introduction_is_offered(const struct smtp_engine *smtp)
{
    return (smtp->xclient_offered & 1u << XCLIENT_ADDR) != 0;
}

const char *smtp_introduction_fails(const struct smtp_engine *smtp, enum smtp_turn turn, unsigned code)
{
    if (turn == SMTP_AWAIT_XCLIENT && code != 220 && code != 421)
        return "the server refuses XCLIENT" SMTP_XCLIENT_REMEDY;
    /* Of a client that greets with EHLO it is the client's to know: HELO comes next. */
    bool unknown = turn == SMTP_AWAIT_OFFER && (code == 500 || code == 502);
    if (unknown && held_greeting(smtp).verb == SMTP_HELO)
        return "the server knows no EHLO, and so no XCLIENT" SMTP_XCLIENT_REMEDY;
    return NULL;
}

void smtp_introduction_tell(struct smtp_engine *smtp, struct engine_out *out)
{
    struct smtp_command held = held_greeting(smtp);
    struct xclient_greeting greeting = {smtp_without_blanks(held.arguments), held.verb == SMTP_EHLO};
    char command[XCLIENT_SMTP_MAX];
    size_t len = xclient_write_smtp(smtp->base.untold, &greeting, smtp->xclient_offered, command);
    engine_out_make(out, SIDE_BACKEND, (struct slice){(const uint8_t *)command, len});
    smtp_turns_add(&smtp->turns, SMTP_AWAIT_XCLIENT);
}

void smtp_introduction_end(struct smtp_engine *smtp, struct engine_out *out)
{
    smtp_external_begin(smtp);
    client_identity_free(&smtp->base.untold);
    smtp_client_go_on(smtp, out);
}

void smtp_introduction_give_up(struct smtp_engine *smtp)
{
    line_reader_done(&smtp->from_client);
    smtp_move(smtp, SMTP_EXPECTS_COMMAND);
}

void smtp_introduction_fail(struct smtp_engine *smtp, const char *detail, struct engine_out *out)
{
    smtp_let_out_goodbye(smtp->base.service, ENGINE_FAREWELL_UNAVAILABLE, out);
    engine_fail(&smtp->base, ENGINE_BACKEND_REFUSED, detail);
}
