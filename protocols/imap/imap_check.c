/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/check_dialogue_private.h"
#include "protocols/imap/imap_capability.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_literal.h"
#include "protocols/imap/imap_protocol.h"
#include "protocols/imap/imap_response.h"

#define TAG_CAPABILITIES          "c1"
#define TAG_STARTTLS              "c2"
#define TAG_CAPABILITIES_OVER_TLS "c3"
#define TAG_ID                    "c4"
#define TAG_GOODBYE               "c5"

/* Before a login no server has anything to say in a literal; a whole ID fits. */
enum { LITERAL_MAX = 8192 };

static void take_greeting(struct check_dialogue *dialogue, const struct imap_response *response)
{
    bool is_status = response->kind == IMAP_RESPONSE_STATUS;
    bool preauth = is_status && response->status == IMAP_STATUS_PREAUTH;
    if (is_status && response->status == IMAP_STATUS_BYE)
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, "the server refuses service (BYE)");
    else if (!preauth && (!is_status || response->status != IMAP_STATUS_OK))
        check_dialogue_fail(dialogue, CHECK_BAD_GREETING, imap_check.not_the_protocol);
    else if (preauth && dialogue->settings.starttls) /* RFC 9051 section 7.1.4 */
        check_refuse(dialogue, CHECK_TLS_REFUSED,
                     "the server greets with PREAUTH, after which there is no STARTTLS");
    else
        check_greeted(dialogue);
}

static void keep_list(struct check_dialogue *dialogue, struct slice list)
{
    struct imap_capabilities has = imap_capability_read(list);
    dialogue->offer.listed = true;
    dialogue->offer.id = dialogue->offer.id || has.id;
    dialogue->offer.starttls = dialogue->offer.starttls || has.starttls;
    dialogue->offer.login = dialogue->offer.login || !has.login_disabled;
    for (struct slice word, name; (word = slice_next_word(&list, ' ')).len > 0;) {
        check_keep_capability(dialogue, word);
        if (imap_capability_is_mechanism(word, &name))
            check_keep_mechanism(dialogue, name);
    }
}

static void keep_id(struct check_dialogue *dialogue, struct slice params)
{
    if (dialogue->id.len > 0 || !imap_id_is_list(params))
        return;
    for (size_t i = 0; i < params.len; i++)
        if (params.data[i] != ' ' && !ascii_is_graph(params.data[i]))
            return;
    struct slice from = params;
    while (from.len > 0 && from.data[0] == ' ')
        from = slice_from(from, 1);
    if (!slice_is_word(from, "NIL"))
        (void)bytes_append(&dialogue->id, from, SERVER_FACTS_ID_MAX); /* one that is longer tells nothing */
}

static const char *tag_of(const struct check_dialogue *dialogue)
{
    switch (dialogue->step) {
    case CHECK_STEP_CAPABILITIES:
        return dialogue->secured ? TAG_CAPABILITIES_OVER_TLS : TAG_CAPABILITIES;
    case CHECK_STEP_CONSENT:
        return TAG_STARTTLS;
    case CHECK_STEP_ID:
        return TAG_ID;
    default:
        return TAG_GOODBYE;
    }
}

/* A server that reads no PROXY header answers it as a command, whose tag is "PROXY" in version 1. */
static void take_unsolicited(struct check_dialogue *dialogue, const char *detail)
{
    if (dialogue->settings.proxy_header)
        check_refuse(dialogue, CHECK_NO_PROXY, "the server answers the PROXY header as if it were a command");
    else
        check_refuse(dialogue, CHECK_BAD_ANSWER, detail);
}

static void end_capabilities(struct check_dialogue *dialogue, enum imap_status status)
{
    if (status == IMAP_STATUS_OK && dialogue->offer.listed)
        check_capabilities_end(dialogue, true);
    else
        check_refuse(dialogue, CHECK_BAD_ANSWER, "the server does not answer CAPABILITY with a list");
}

static void take_tagged(struct check_dialogue *dialogue, const struct imap_response *response)
{
    bool is_ours = slice_equals_nocase(response->tag, slice_of(tag_of(dialogue)));
    if (dialogue->step == CHECK_STEP_GOODBYE) {
        if (is_ours)
            check_finish(dialogue);
    } else if (!is_ours) {
        take_unsolicited(dialogue, "unsolicited reply of the server");
    } else if (dialogue->step == CHECK_STEP_CAPABILITIES) {
        end_capabilities(dialogue, response->status);
    } else if (dialogue->step == CHECK_STEP_ID) {
        check_say_goodbye(dialogue);
    } else if (response->status == IMAP_STATUS_OK) {
        check_consented(dialogue);
    } else {
        check_refuse(dialogue, CHECK_TLS_REFUSED, "the server refuses STARTTLS");
    }
}

static void take_status(struct check_dialogue *dialogue, enum imap_status status)
{
    if (dialogue->step == CHECK_STEP_GOODBYE)
        return;
    if (status == IMAP_STATUS_BYE)
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server replies BYE");
    else if (status == IMAP_STATUS_BAD)
        take_unsolicited(dialogue, "the server replies BAD");
}

static void take_answer(struct check_dialogue *dialogue, const struct imap_response *response,
                        struct slice text)
{
    switch (response->kind) {
    case IMAP_RESPONSE_TAGGED:
        take_tagged(dialogue, response);
        return;
    case IMAP_RESPONSE_STATUS:
        take_status(dialogue, response->status);
        return;
    case IMAP_RESPONSE_CAPABILITY:
        if (dialogue->step == CHECK_STEP_CAPABILITIES)
            keep_list(dialogue, slice_from(text, response->list_offset));
        return;
    case IMAP_RESPONSE_ID:
        if (dialogue->step == CHECK_STEP_ID)
            keep_id(dialogue, slice_from(text, response->list_offset));
        return;
    case IMAP_RESPONSE_DATA:
        return;
    default:
        if (dialogue->step != CHECK_STEP_GOODBYE)
            check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server's answer is not IMAP");
    }
}

/*
 * Data may end in a literal, text in what only looks like one. True if the line goes on after octets that are
 * counted.
 */
static bool begins_literal(struct check_dialogue *dialogue, enum imap_response_kind kind, struct slice text)
{
    struct imap_literal literal;
    bool is_data = dialogue->in_reply || kind == IMAP_RESPONSE_DATA || kind == IMAP_RESPONSE_CAPABILITY ||
                   kind == IMAP_RESPONSE_ID;
    if (!is_data || !imap_literal_at_end(text, &literal))
        return false;
    if (literal.octets > LITERAL_MAX)
        check_dialogue_fail(dialogue, CHECK_BAD_ANSWER, "the server's literal is too long");
    else
        dialogue->literal_left = literal.octets;
    return true;
}

static void take_line(struct check_dialogue *dialogue, const struct line *line)
{
    struct imap_response response = imap_response_classify(line->whole);
    if (dialogue->step == CHECK_STEP_GREETING) {
        take_greeting(dialogue, &response);
        return;
    }
    bool goes_on = begins_literal(dialogue, response.kind, line->text);
    if (!goes_on && !dialogue->in_reply)
        take_answer(dialogue, &response, line->text);
    else
        dialogue->in_reply = goes_on;
}

const struct check_dialect imap_check = {
    .line = take_line,
    .capabilities = TAG_CAPABILITIES " CAPABILITY\r\n",
    .capabilities_over_tls = TAG_CAPABILITIES_OVER_TLS " CAPABILITY\r\n",
    .starttls = TAG_STARTTLS " STARTTLS\r\n",
    .id = TAG_ID " ID NIL\r\n",
    .goodbye = TAG_GOODBYE " LOGOUT\r\n",
    .not_the_protocol = "the server's greeting is not one of IMAP: does this port begin with TLS?",
};
