/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/smtp/smtp_xclient.h"

#include "protocols/smtp/smtp_client.h"
#include "protocols/smtp/smtp_external.h"
#include "protocols/smtp/smtp_goodbye.h"
#include "protocols/xclient.h"

static struct smtp_command held_greeting(const struct smtp_engine *smtp)
{
    return smtp_command_parse(line_of_whole(bytes_view(&smtp->from_client.held)).text);
}

void smtp_xclient_begin(struct smtp_engine *smtp, const struct line *line, struct engine_out *out)
{
    if (!smtp_hold(smtp, line))
        return;
    engine_out_make_text(out, SIDE_BACKEND, "EHLO");
    engine_out_make(out, SIDE_BACKEND, held_greeting(smtp).arguments);
    engine_out_make_text(out, SIDE_BACKEND, "\r\n");
    smtp_add_slot(smtp, SMTP_AWAIT_OFFER);
    smtp->xclient_offered = 0;
    smtp_move_client(smtp, SMTP_CLIENT_XCLIENT);
}

bool smtp_xclient_lets_pass(enum smtp_verb verb)
{
    switch (verb) {
    case SMTP_VERB_EHLO:
    case SMTP_VERB_HELO:
    case SMTP_VERB_NOOP:
    case SMTP_VERB_RSET:
    case SMTP_VERB_QUIT:
        return true;
    case SMTP_VERB_AUTH:
    case SMTP_VERB_MAIL:
    case SMTP_VERB_DATA:
    case SMTP_VERB_BURL:
    case SMTP_VERB_OTHER:
        return false;
    /* no greeting has announced DEEP and CHUNKING yet: the proxy replies to all of these */
    case SMTP_VERB_CLIENT:
    case SMTP_VERB_BDAT:
    case SMTP_VERB_STARTTLS:
    case SMTP_VERB_TRUSTED:
    case SMTP_VERB_HTTP:
    case SMTP_VERB_MALFORMED:
        return true;
    }
    return false;
}

void smtp_xclient_note_offer(struct smtp_engine *smtp, struct slice text)
{
    struct slice rest = text;
    if (slice_is_word(slice_next_word(&rest, ' '), "XCLIENT"))
        smtp->xclient_offered |= xclient_offered(rest);
}

bool smtp_xclient_is_offered(const struct smtp_engine *smtp)
{
    return (smtp->xclient_offered & 1u << XCLIENT_ADDR) != 0;
}

const char *smtp_xclient_failure(const struct smtp_engine *smtp, enum smtp_slot slot, unsigned code)
{
    if (slot == SMTP_AWAIT_XCLIENT && code != 220 && code != 421 && !smtp_xclient_refuses_client(slot, code))
        return "the server refuses XCLIENT" SMTP_XCLIENT_REMEDY;
    /* A client that greets with EHLO gets that reply: HELO comes next. */
    bool unknown = slot == SMTP_AWAIT_OFFER && (code == 500 || code == 502);
    if (unknown && held_greeting(smtp).verb == SMTP_VERB_HELO)
        return "the server knows no EHLO, and so no XCLIENT" SMTP_XCLIENT_REMEDY;
    return NULL;
}

bool smtp_xclient_refuses_client(enum smtp_slot slot, unsigned code)
{
    return slot == SMTP_AWAIT_XCLIENT && code != 421 && (code == 554 || code / 100 == 4);
}

void smtp_xclient_send(struct smtp_engine *smtp, struct engine_out *out)
{
    struct smtp_command held = held_greeting(smtp);
    struct xclient_greeting greeting = {smtp_without_blanks(held.arguments), held.verb == SMTP_VERB_EHLO};
    char command[XCLIENT_SMTP_MAX];
    size_t len = xclient_write_smtp(smtp->base.identity_unsent, &greeting, smtp->xclient_offered, command);
    engine_out_make(out, SIDE_BACKEND, (struct slice){(const uint8_t *)command, len});
    smtp_add_slot(smtp, SMTP_AWAIT_XCLIENT);
}

void smtp_xclient_end(struct smtp_engine *smtp, struct engine_out *out)
{
    smtp_external_begin(smtp);
    client_identity_free(&smtp->base.identity_unsent);
    smtp_client_resume_command(smtp, out);
}

void smtp_xclient_give_up(struct smtp_engine *smtp)
{
    line_reader_done(&smtp->from_client);
    smtp_move_client(smtp, SMTP_CLIENT_COMMAND);
}

void smtp_xclient_fail(struct smtp_engine *smtp, const char *detail, struct engine_out *out)
{
    smtp_goodbye_send(smtp->base.service, ENGINE_GOODBYE_UNAVAILABLE, out);
    engine_fail(&smtp->base, ENGINE_BACKEND_REFUSED, detail);
}
