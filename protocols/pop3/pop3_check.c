/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/check_dialogue_private.h"
#include "protocols/pop3/pop3_capa.h"
#include "protocols/pop3/pop3_protocol.h"
#include "protocols/pop3/pop3_reply.h"

static void take_greeting(struct check_dialogue *dialogue, struct slice text)
{
    enum pop3_indicator indicator = pop3_indicator_of(text);
    if (indicator == POP3_INDICATOR_OK) {
        dialogue->xclient_in_greeting = pop3_greeting_offers_xclient(text);
        check_greeted(dialogue);
    } else if (indicator == POP3_INDICATOR_ERR) {
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, "the server refuses service (-ERR)");
    } else {
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, pop3_check.not_the_protocol);
    }
}

/* A server without CAPA serves clients all the same; nothing is known of it. */
static void take_no_list(struct check_dialogue *dialogue)
{
    if (dialogue->settings.proxy_header) {
        check_refuse(dialogue, CHECK_NO_PROXY, "the server answers the PROXY header as if it were a command");
        return;
    }
    dialogue->offer.login = true;
    dialogue->offer.starttls = true;
    check_capabilities_end(dialogue, false);
}

static void keep_line(struct check_dialogue *dialogue, struct slice text)
{
    struct slice mechanisms;
    struct pop3_capability capability = pop3_capability_read(text, &mechanisms);
    dialogue->offer.starttls = dialogue->offer.starttls || capability.stls;
    dialogue->offer.login = dialogue->offer.login || capability.user;
    check_keep_capability(dialogue, text);
    for (struct slice name; (name = slice_next_word(&mechanisms, ' ')).len > 0;)
        check_keep_mechanism(dialogue, name);
}

static void take_capabilities(struct check_dialogue *dialogue, struct slice text)
{
    enum pop3_indicator indicator = pop3_indicator_of(text);
    if (dialogue->in_reply && slice_is_word(text, "."))
        check_capabilities_end(dialogue, true);
    else if (dialogue->in_reply)
        keep_line(dialogue, text);
    else if (indicator == POP3_INDICATOR_ERR)
        take_no_list(dialogue);
    else if (indicator == POP3_INDICATOR_OK)
        dialogue->in_reply = true;
    else
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server's answer to CAPA is not POP3");
}

static void take_consent(struct check_dialogue *dialogue, struct slice text)
{
    enum pop3_indicator indicator = pop3_indicator_of(text);
    if (indicator == POP3_INDICATOR_OK)
        check_consented(dialogue);
    else if (indicator == POP3_INDICATOR_ERR)
        check_refuse(dialogue, CHECK_TLS_REFUSED, "the server refuses STLS");
    else
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server's answer to STLS is not POP3");
}

static void take_line(struct check_dialogue *dialogue, const struct line *line)
{
    switch (dialogue->step) {
    case CHECK_STEP_GREETING:
        take_greeting(dialogue, line->text);
        return;
    case CHECK_STEP_CAPABILITIES:
        take_capabilities(dialogue, line->text);
        return;
    case CHECK_STEP_CONSENT:
        take_consent(dialogue, line->text);
        return;
    default:
        check_finish(dialogue);
    }
}

const struct check_dialect pop3_check = {
    .line = take_line,
    .capabilities = "CAPA\r\n",
    .capabilities_over_tls = "CAPA\r\n",
    .starttls = "STLS\r\n",
    .goodbye = "QUIT\r\n",
    .not_the_protocol = "the server's greeting is not POP3: does this port begin with TLS?",
};
