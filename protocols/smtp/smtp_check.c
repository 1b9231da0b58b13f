/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/check_dialogue_private.h"
#include "protocols/smtp/smtp_ehlo.h"
#include "protocols/smtp/smtp_protocol.h"
#include "protocols/smtp/smtp_reply.h"
#include "protocols/xclient.h"

static void keep_line(struct check_dialogue *dialogue, struct slice text)
{
    struct slice rest = text;
    struct slice keyword = slice_next_word(&rest, ' ');
    struct slice mechanisms;
    if (keyword.len == 0)
        return;
    dialogue->offer.starttls = dialogue->offer.starttls || slice_is_word(keyword, "STARTTLS");
    if (slice_is_word(keyword, "XCLIENT") && (xclient_offered(rest) & 1u << XCLIENT_ADDR) != 0)
        dialogue->offer.xclient = true;
    check_keep_capability(dialogue, text);
    if (!smtp_ehlo_mechanisms(text, &mechanisms))
        return;
    for (struct slice name; (name = slice_next_word(&mechanisms, ' ')).len > 0;)
        check_keep_mechanism(dialogue, name);
}

static void end_greeting(struct check_dialogue *dialogue, unsigned code)
{
    if (code == 220)
        check_greeted(dialogue);
    else if (code == 421)
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, "the server refuses service (421)");
    else
        check_refuse(dialogue, CHECK_BAD_GREETING, "the server's greeting refuses service");
}

static void end_capabilities(struct check_dialogue *dialogue, unsigned code)
{
    if (code == 250)
        check_capabilities_end(dialogue, true);
    else if (dialogue->settings.proxy_header)
        check_refuse(dialogue, CHECK_NO_PROXY, "the server answers the PROXY header as if it were a command");
    else
        check_refuse(dialogue, CHECK_BAD_ANSWER, "the server refuses EHLO");
}

static void end_reply(struct check_dialogue *dialogue, unsigned code)
{
    dialogue->in_reply = false;
    if (dialogue->step == CHECK_STEP_GREETING)
        end_greeting(dialogue, code);
    else if (dialogue->step == CHECK_STEP_GOODBYE)
        check_finish(dialogue);
    else if (code == 421)
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server replies 421, and closes");
    else if (dialogue->step == CHECK_STEP_CAPABILITIES)
        end_capabilities(dialogue, code);
    else if (code == 220)
        check_consented(dialogue);
    else
        check_refuse(dialogue, CHECK_TLS_REFUSED, "the server refuses STARTTLS");
}

static void fail_line(struct check_dialogue *dialogue)
{
    if (dialogue->step == CHECK_STEP_GREETING)
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, smtp_check.not_the_protocol);
    else
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server's line is no SMTP reply");
}

static void take_line(struct check_dialogue *dialogue, const struct line *line)
{
    struct smtp_reply reply;
    if (!smtp_reply_parse(line->text, &reply)) {
        fail_line(dialogue);
        return;
    }
    if (dialogue->in_reply && reply.code != dialogue->reply_code) { /* RFC 5321 section 4.2.1 */
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the lines of a reply have different codes");
        return;
    }
    if (dialogue->step == CHECK_STEP_CAPABILITIES && dialogue->in_reply && reply.code == 250)
        keep_line(dialogue, reply.text);
    dialogue->in_reply = !reply.last;
    dialogue->reply_code = reply.code;
    if (reply.last)
        end_reply(dialogue, reply.code);
}

const struct check_dialect smtp_check = {
    .line = take_line,
    .capabilities = "EHLO %\r\n",
    .capabilities_over_tls = "EHLO %\r\n",
    .starttls = "STARTTLS\r\n",
    .goodbye = "QUIT\r\n",
    .not_the_protocol = "the server's greeting is not SMTP: does this port begin with TLS?",
};
