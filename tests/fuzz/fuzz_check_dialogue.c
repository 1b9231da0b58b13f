/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/bytes.h"
#include "fuzz_check.h"
#include "protocols/check_dialogue.h"

#include <string.h>

/*
 * Fuzzes what an active check says and finds. The first octet picks the protocol and the settings, the second
 * how the input is cut and how the server ends; 0xFF in the rest is where the handshake comes, if the server
 * has consented. All cuts must give the same commands, the same result and the same facts. A server is told
 * nothing but the commands that there are, in their order; what is kept of it is printable and within its
 * limits.
 */
enum { PART_END = 0xff, HEARD_MAX = 1 << 12 };

struct outcome {
    enum check_result result;
    struct bytes heard; /* by the server */
    struct server_facts *facts;
};

/* Each command once at most, in this order. */
static const char *const commands[PROTOCOLS][6] = {
    [PROTOCOL_IMAP] = {"c1 CAPABILITY\r\n", "c2 STARTTLS\r\n", "c3 CAPABILITY\r\n", "c4 ID NIL\r\n",
                       "c5 LOGOUT\r\n"},
    [PROTOCOL_POP3] = {"CAPA\r\n", "STLS\r\n", "CAPA\r\n", "QUIT\r\n"},
    [PROTOCOL_SUBMISSION] = {"EHLO p.example\r\n", "STARTTLS\r\n", "EHLO p.example\r\n", "QUIT\r\n"},
};

static void hear(struct outcome *outcome, struct check_dialogue *dialogue)
{
    check(bytes_append(&outcome->heard, check_dialogue_output(dialogue), HEARD_MAX), "few commands");
    check_dialogue_sent(dialogue);
}

static void feed(struct outcome *outcome, struct check_dialogue *dialogue, struct slice data)
{
    enum check_progress progress = check_dialogue_feed(dialogue, data);
    check(progress == check_dialogue_progress(dialogue), "one progress");
    check(progress != CHECK_DONE || check_dialogue_is_settled(dialogue), "at the end there is a result");
    hear(outcome, dialogue);
}

static void judge(struct outcome *outcome, struct check_dialogue *dialogue)
{
    check(check_dialogue_progress(dialogue) == CHECK_DONE, "it is over");
    outcome->result = check_dialogue_result(dialogue);
    check((check_dialogue_detail(dialogue) == NULL) == (outcome->result == CHECK_OK),
          "words for what is wrong");
    check(outcome->result == CHECK_OK || outcome->result > CHECK_CONNECT_FAILED, "not of another layer");
    outcome->facts = check_dialogue_facts(dialogue);
}

static struct outcome run(const struct check_settings *settings, struct slice input, size_t piece,
                          bool timed_out)
{
    struct outcome outcome = {.result = CHECK_OK};
    struct check_dialogue *dialogue = check_dialogue_new(settings);
    check(dialogue != NULL, "memory for the fuzzer itself");
    while (input.len > 0) {
        size_t len = slice_find(input, PART_END);
        struct slice part = slice_first(input, len);
        for (size_t at = 0; at < part.len; at += piece)
            feed(&outcome, dialogue, slice_sub(part, at, piece));
        input = slice_from(input, len + 1);
        if (check_dialogue_progress(dialogue) != CHECK_AGREED)
            continue;
        check_dialogue_secured(dialogue);
        hear(&outcome, dialogue);
    }
    check_dialogue_end(dialogue, timed_out);
    judge(&outcome, dialogue);
    check_dialogue_free(&dialogue);
    return outcome;
}

static void check_commands(enum protocol protocol, struct slice heard)
{
    for (size_t i = 0; i < ARRAY_LEN(commands[protocol]) && commands[protocol][i] != NULL; i++)
        if (slice_has_prefix(heard, commands[protocol][i]))
            heard = slice_from(heard, strlen(commands[protocol][i]));
    check(heard.len == 0, "the commands that there are, in their order");
}

static void check_text(struct slice text, size_t limit, bool lines)
{
    check(text.len <= limit, "within its limit");
    for (size_t i = 0; i < text.len; i++)
        check(text.data[i] == ' ' || ascii_is_graph(text.data[i]) || (lines && text.data[i] == '\n'),
              "printable");
    check(!lines || text.len == 0 || text.data[text.len - 1] == '\n', "whole lines");
}

static void check_facts(const struct server_facts *facts)
{
    if (facts == NULL)
        return;
    check_text(facts->capabilities, SERVER_FACTS_CAPABILITIES_MAX, true);
    check_text(facts->mechanisms, SERVER_FACTS_MECHANISMS_MAX, false);
    check_text(facts->id, SERVER_FACTS_ID_MAX, false);
    check(facts->id.len == 0 || facts->id.data[0] == '(', "a list");
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    check(a->result == b->result, "the same result, however it is cut");
    check(slice_equals(bytes_view(&a->heard), bytes_view(&b->heard)), "the same commands");
    check((a->facts == NULL) == (b->facts == NULL), "the same facts");
    if (a->facts == NULL)
        return;
    check(slice_equals(a->facts->capabilities, b->facts->capabilities) &&
              slice_equals(a->facts->mechanisms, b->facts->mechanisms) &&
              slice_equals(a->facts->id, b->facts->id) && a->facts->complete == b->facts->complete &&
              a->facts->over_tls == b->facts->over_tls,
          "the same facts");
}

static void free_outcome(struct outcome *outcome)
{
    bytes_free(&outcome->heard);
    server_facts_unref(&outcome->facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct check_settings settings = {.protocol = (enum protocol)(data[0] % PROTOCOLS),
                                      .hostname = "p.example",
                                      .starttls = (data[0] & 0x80) != 0,
                                      .proxy_header = (data[0] & 0x40) != 0,
                                      .needs_xclient = (data[0] & 0x20) != 0,
                                      .judges_login = (data[0] & 0x10) != 0};
    struct slice input = {data + 2, size - 2};
    struct outcome whole = run(&settings, input, NO_LIMIT, data[1] & 1);
    struct outcome singly = run(&settings, input, 1, data[1] & 1);
    struct outcome cut = run(&settings, input, (size_t)data[1] + 2, data[1] & 1);
    check_same(&whole, &singly);
    check_same(&whole, &cut);
    check_commands(settings.protocol, bytes_view(&whole.heard));
    check_commands(settings.protocol, bytes_view(&singly.heard));
    check_facts(whole.facts);
    check_facts(singly.facts);
    free_outcome(&whole);
    free_outcome(&singly);
    free_outcome(&cut);
    return 0;
}
