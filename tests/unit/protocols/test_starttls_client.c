/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/starttls_client.h"

#include "base/bytes.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Dialogues as tables: what the server says, part by part, each when the proxy has said what stands before
 * it. Each is run with the parts whole, octet by octet, and at every cut.
 */
#define SECURED "<TLS>" /* in `hears`: the handshake, behind which the next part comes */
#define WELCOME "2.0.0"
#define INJECTED                                                                                             \
    "octets in the clear after the server's consent to STARTTLS: somebody on the way injects them, or the "  \
    "server is broken"
#define NO_TLS_IMAP                                                                                          \
    "the server's greeting is not one of IMAP: does it begin with TLS? Then tls = { mode = \"implicit\" } "  \
    "is meant for it"
#define NO_TLS_POP3                                                                                          \
    "the server's greeting is not POP3: does it begin with TLS? Then tls = { mode = \"implicit\" } is "      \
    "meant for it"
#define NO_TLS_SMTP                                                                                          \
    "the server's greeting is not SMTP: does it begin with TLS? Then tls = { mode = \"implicit\" } is "      \
    "meant for it"

enum { PARTS_MAX = 6 };

struct dialogue {
    const char *name;
    enum protocol protocol;
    bool sends_identity;
    const char *says[PARTS_MAX];
    const char *hears[PARTS_MAX]; /* behind each part; NULL: nothing more */
    const char *greeting;         /* READY with it; else: */
    const char *refusal;          /* REFUSED with this greeting, and with the words of `failure` */
    const char *failure;          /* FAILED with these words; NULL: under way */
    const char *left;             /* READY: octets for the engine */
};

#define IMAP_BEFORE "s1 STARTTLS\r\n"
#define IMAP_BEHIND SECURED "s2 CAPABILITY\r\n"
#define POP3_BEHIND SECURED "CAPA\r\n"
#define SMTP_HELLO  "EHLO proxy.example.com\r\n"
#define SMTP_OFFER  "250-msa\r\n250-SIZE 1\r\n250 starttls\r\n"
#define SMTP_BEHIND SECURED "NOOP\r\n"

static const struct dialogue dialogues[] = {
    {.name = "IMAP",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK hello\r\n", "s1 OK go\r\n", "* CAPABILITY IMAP4rev1 ID\r\ns2 OK done\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK [CAPABILITY IMAP4rev1 ID] proxy.example.com ready\r\n"},
    {.name = "IMAP with much to say",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK [CAPABILITY IMAP4rev1 STARTTLS XEVIL] hello\r\n",
              "* CAPABILITY XEVIL\r\n* NO really?\r\n* OK well\r\nS1 ok?\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server's answer to STARTTLS is not IMAP"},
    {.name = "IMAP with capabilities in the clear",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK [CAPABILITY XEVIL] hello\r\n",
              "* CAPABILITY XEVIL\r\n* OK well\r\ns1 OK [CAPABILITY XEVIL] go\r\n",
              "* OK [CAPABILITY X] hm\r\ns2 OK done\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK proxy.example.com ready\r\n"},
    {.name = "IMAP with bare LF and two lists",
     .protocol = PROTOCOL_IMAP,
     .says = {"* ok hello\n", "s1 ok go\n", "* capability A\n* CAPABILITY B\ns2 OK done\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK [CAPABILITY A] proxy.example.com ready\r\n"},
    {.name = "IMAP with a list that would break out",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n", "* CAPABILITY A] B\r\ns2 OK done\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK proxy.example.com ready\r\n"},
    {.name = "IMAP with a CR in its list",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n", "* CAPABILITY A\rB\r\ns2 OK done\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK proxy.example.com ready\r\n"},
    {.name = "IMAP that goes on",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n", "* CAPABILITY A\r\ns2 OK done\r\n* OK still here\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .greeting = "* OK [CAPABILITY A] proxy.example.com ready\r\n",
     .left = "* OK still here\r\n"},
    {.name = "IMAP by PREAUTH",
     .protocol = PROTOCOL_IMAP,
     .says = {"* PREAUTH welcome\r\n"},
     .failure = "the server greets with PREAUTH, after which there is no STARTTLS"},
    {.name = "IMAP that has no time",
     .protocol = PROTOCOL_IMAP,
     .says = {"* BYE busy\r\n"},
     .refusal = "* BYE busy\r\n",
     .failure = "the server's greeting is BYE"},
    {.name = "IMAP that loses patience",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "* BYE too slow\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server replies BYE"},
    {.name = "IMAP that says NO",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 NO none\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server refuses STARTTLS"},
    {.name = "IMAP that says BAD",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 BAD what?\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server refuses STARTTLS"},
    {.name = "IMAP that answers another tag",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s2 OK go\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "unsolicited reply of the server"},
    {.name = "IMAP that sends data",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "* 3 EXISTS\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server's answer to STARTTLS is not IMAP"},
    {.name = "IMAP that asks for more",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "+ go on\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = "the server's answer to STARTTLS is not IMAP"},
    {.name = "IMAP with an injection",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n* CAPABILITY XEVIL\r\n"},
     .hears = {IMAP_BEFORE},
     .failure = INJECTED},
    {.name = "IMAP with an octet too many",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n\x16"},
     .hears = {IMAP_BEFORE},
     .failure = INJECTED},
    {.name = "IMAP that refuses over TLS",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "s1 OK go\r\n", "s2 NO and go away\r\n"},
     .hears = {IMAP_BEFORE, IMAP_BEHIND},
     .failure = "the server refuses CAPABILITY over TLS"},
    {.name = "IMAP that is SMTP",
     .protocol = PROTOCOL_IMAP,
     .says = {"220 msa ESMTP\r\n"},
     .failure = NO_TLS_IMAP},
    {.name = "IMAP with an untagged NO for a greeting",
     .protocol = PROTOCOL_IMAP,
     .says = {"* NO\r\n"},
     .failure = NO_TLS_IMAP},
    {.name = "IMAP that is not through",
     .protocol = PROTOCOL_IMAP,
     .says = {"* OK\r\n", "* OK well\r\n"},
     .hears = {IMAP_BEFORE}},

    {.name = "POP3",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK hello <1.2@3>\r\n", "+OK go\r\n", "+OK\r\nUSER\r\n..\r\nSTLS\r\n.\r\n"},
     .hears = {"STLS\r\n", POP3_BEHIND},
     .greeting = "+OK proxy.example.com ready\r\n"},
    {.name = "POP3 without CAPA",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK\n", "+OK\n", "-ERR what?\n"},
     .hears = {"STLS\r\n", POP3_BEHIND},
     .greeting = "+OK proxy.example.com ready\r\n"},
    {.name = "POP3 that is told who the client is",
     .protocol = PROTOCOL_POP3,
     .sends_identity = true,
     .says = {"+OK\r\n", "+OK\r\n", "-ERR what?\r\n"},
     .hears = {"STLS\r\n", POP3_BEHIND},
     .greeting = "+OK [XCLIENT] proxy.example.com ready\r\n"},
    {.name = "POP3 that says no",
     .protocol = PROTOCOL_POP3,
     .says = {"-ERR [SYS/TEMP] busy\r\n"},
     .refusal = "-ERR [SYS/TEMP] busy\r\n",
     .failure = "the server's greeting is -ERR"},
    {.name = "POP3 that refuses",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK\r\n", "-ERR what?\r\n"},
     .hears = {"STLS\r\n"},
     .failure = "the server refuses STLS"},
    {.name = "POP3 that says something else",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK\r\n", "+ go\r\n"},
     .hears = {"STLS\r\n"},
     .failure = "the server's answer to STLS is not POP3"},
    {.name = "POP3 with an injection",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK\r\n", "+OK go\r\n+OK XEVIL\r\n"},
     .hears = {"STLS\r\n"},
     .failure = INJECTED},
    {.name = "POP3 that turns strange",
     .protocol = PROTOCOL_POP3,
     .says = {"+OK\r\n", "+OK\r\n", "* OK\r\n"},
     .hears = {"STLS\r\n", POP3_BEHIND},
     .failure = "the server's answer to CAPA over TLS is not POP3"},
    {.name = "POP3 that is IMAP",
     .protocol = PROTOCOL_POP3,
     .says = {"* OK hello\r\n"},
     .failure = NO_TLS_POP3},

    {.name = "SMTP",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 msa ESMTP\r\n", SMTP_OFFER, "220 go\r\n", "250 ok\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n", SMTP_BEHIND},
     .greeting = "220 proxy.example.com ESMTP ready\r\n"},
    {.name = "SMTP in many lines",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220-hello\r\n220 msa\r\n", "250-msa\r\n250-STARTTLS\r\n250 SIZE\r\n", "220-go\r\n220 on\r\n",
              "250-well\r\n250 ok\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n", SMTP_BEHIND},
     .greeting = "220 proxy.example.com ESMTP ready\r\n"},
    {.name = "SMTP that knows no NOOP yet",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\n", "250-a\n250 STARTTLS\n", "220\n", "503 EHLO first\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n", SMTP_BEHIND},
     .greeting = "220 proxy.example.com ESMTP ready\r\n"},
    {.name = "SMTP that is busy",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"421 4.7.0 too many connections\r\n"},
     .refusal = "421 4.7.0 too many connections\r\n",
     .failure = "the server's greeting refuses service"},
    {.name = "SMTP that is busy after its greeting",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", "421 later\r\n"},
     .hears = {SMTP_HELLO},
     .failure = "the server replies 421, and closes"},
    {.name = "SMTP that refuses in two lines",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"554-msa\r\n554 5.7.1 not you\r\n"},
     .refusal = "554-msa\r\n554 5.7.1 not you\r\n",
     .failure = "the server's greeting refuses service"},
    {.name = "SMTP that greets by a wrong code",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"250 hello\r\n"},
     .failure = "the server's greeting has a wrong code"},
    {.name = "SMTP that does not serve",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"554 none here\r\n"},
     .refusal = "554 none here\r\n",
     .failure = "the server's greeting refuses service"},
    {.name = "SMTP without EHLO",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", "502 what?\r\n"},
     .hears = {SMTP_HELLO},
     .failure = "the server refuses EHLO, and so STARTTLS"},
    {.name = "SMTP without the offer",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", "250-STARTTLS\r\n250-XSTARTTLS\r\n250 STARTTLSX\r\n"},
     .hears = {SMTP_HELLO},
     .failure = "the server offers no STARTTLS"},
    {.name = "SMTP that refuses",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", SMTP_OFFER, "454 later\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n"},
     .failure = "the server refuses STARTTLS"},
    {.name = "SMTP that says 250",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", SMTP_OFFER, "250 ok\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n"},
     .failure = "the server refuses STARTTLS"},
    {.name = "SMTP with an injection",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", SMTP_OFFER, "220 go\r\n250 XEVIL\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n"},
     .failure = INJECTED},
    {.name = "SMTP with two codes",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220-a\r\n221 b\r\n"},
     .failure = "the lines of a reply have different codes"},
    {.name = "SMTP that closes over TLS",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", SMTP_OFFER, "220 go\r\n", "421 no\r\n"},
     .hears = {SMTP_HELLO, "STARTTLS\r\n", SMTP_BEHIND},
     .failure = "the server replies 421, and closes"},
    {.name = "SMTP that is HTTP",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"HTTP/1.1 400 Bad Request\r\n"},
     .failure = NO_TLS_SMTP},
    {.name = "SMTP that turns strange",
     .protocol = PROTOCOL_SUBMISSION,
     .says = {"220 a\r\n", "OK\r\n"},
     .hears = {SMTP_HELLO},
     .failure = "the server's line is no SMTP reply"},
};

/* ---- one run ---- */

struct run {
    struct engine_service service;
    struct starttls_client *request;
    struct engine_out *out;
    enum starttls_progress progress;
    struct bytes heard; /* by the server, with SECURED where the handshake was */
    struct bytes left;
};

static void open_run(struct run *run, const struct dialogue *dialogue)
{
    *run = (struct run){.service = {.protocol = dialogue->protocol,
                                    .deep_status = "",
                                    .hostname = "proxy.example.com",
                                    .sends_identity = dialogue->sends_identity}};
    run->request = starttls_client_new(&run->service);
    run->out = engine_out_new();
    ck_assert(run->request != NULL && run->out != NULL);
}

static void close_run(struct run *run)
{
    starttls_client_free(&run->request);
    ck_assert_ptr_null(run->request);
    engine_out_free(&run->out);
    bytes_free(&run->heard);
    bytes_free(&run->left);
}

static void hear(struct run *run)
{
    const struct engine_lane *lane = &run->out->lanes[SIDE_BACKEND];
    ck_assert_uint_eq(run->out->lanes[SIDE_CLIENT].count, 0);
    for (size_t i = 0; i < lane->count; i++)
        ck_assert(bytes_append(&run->heard, lane->slices[i], 10000));
    engine_out_reset(run->out);
}

static bool has_failed(const struct run *run)
{
    return run->progress == STARTTLS_FAILED || run->progress == STARTTLS_REFUSED;
}

static void feed(struct run *run, struct slice data)
{
    if (run->progress == STARTTLS_READY) {
        ck_assert(bytes_append(&run->left, data, 10000));
        return;
    }
    if (has_failed(run) || data.len == 0)
        return;
    run->progress = starttls_client_feed(run->request, &data, run->out);
    hear(run);
    if (run->progress == STARTTLS_READY)
        ck_assert(bytes_append(&run->left, data, 10000));
    else if (!has_failed(run))
        ck_assert_uint_eq(data.len, 0);
}

static void shake_hands(struct run *run)
{
    if (run->progress != STARTTLS_AGREED)
        return;
    ck_assert(bytes_append(&run->heard, slice_of(SECURED), 10000));
    starttls_client_secured(run->request, run->out);
    hear(run);
    run->progress = STARTTLS_UNDER_WAY;
}

static void expect(const struct run *run, const struct dialogue *dialogue)
{
    struct bytes heard = {0};
    for (size_t i = 0; i < PARTS_MAX && dialogue->hears[i] != NULL; i++)
        ck_assert(bytes_append(&heard, slice_of(dialogue->hears[i]), 10000));
    ck_assert_msg(slice_equals(bytes_view(&heard), bytes_view(&run->heard)), "%s: the server heard %.*s",
                  dialogue->name, (int)run->heard.len, (const char *)run->heard.data);
    bytes_free(&heard);
    const char *failure = starttls_client_failure(run->request);
    if (dialogue->greeting == NULL) {
        ck_assert_int_eq(run->progress, dialogue->refusal != NULL   ? STARTTLS_REFUSED
                                        : dialogue->failure != NULL ? STARTTLS_FAILED
                                                                    : STARTTLS_UNDER_WAY);
        if (dialogue->refusal != NULL)
            ck_assert(slice_equals(starttls_client_greeting(run->request), slice_of(dialogue->refusal)));
        ck_assert_msg((failure == NULL) == (dialogue->failure == NULL) &&
                          (failure == NULL || strcmp(failure, dialogue->failure) == 0),
                      "%s: failure: %s", dialogue->name, failure);
        return;
    }
    ck_assert_msg(run->progress == STARTTLS_READY, "%s: %s", dialogue->name, failure);
    struct slice greeting = starttls_client_greeting(run->request);
    ck_assert_msg(slice_equals(greeting, slice_of(dialogue->greeting)), "%s: greeting %.*s", dialogue->name,
                  (int)greeting.len, (const char *)greeting.data);
    struct slice left = slice_of(dialogue->left != NULL ? dialogue->left : "");
    ck_assert_msg(slice_equals(bytes_view(&run->left), left), "%s: left %.*s", dialogue->name,
                  (int)run->left.len, (const char *)run->left.data);
}

/* ---- in all ways ---- */

START_TEST(whole)
{
    const struct dialogue *dialogue = &dialogues[_i];
    struct run run;
    open_run(&run, dialogue);
    for (size_t part = 0; part < PARTS_MAX && dialogue->says[part] != NULL; part++) {
        feed(&run, slice_of(dialogue->says[part]));
        shake_hands(&run);
    }
    expect(&run, dialogue);
    close_run(&run);
}
END_TEST

/* Behind an injection the rest of what was cut comes as ciphertext: that is the handshake's to refuse. */
static bool is_injected(const struct dialogue *dialogue)
{
    return dialogue->failure != NULL && strcmp(dialogue->failure, INJECTED) == 0;
}

START_TEST(octet_by_octet)
{
    const struct dialogue *dialogue = &dialogues[_i];
    struct run run;
    if (is_injected(dialogue))
        return;
    open_run(&run, dialogue);
    for (size_t part = 0; part < PARTS_MAX && dialogue->says[part] != NULL; part++) {
        struct slice says = slice_of(dialogue->says[part]);
        for (size_t i = 0; i < says.len; i++)
            feed(&run, slice_sub(says, i, 1));
        shake_hands(&run);
    }
    expect(&run, dialogue);
    close_run(&run);
}
END_TEST

static void run_with_cut(const struct dialogue *dialogue, size_t cut_part, size_t cut)
{
    struct run run;
    open_run(&run, dialogue);
    for (size_t part = 0; part < PARTS_MAX && dialogue->says[part] != NULL; part++) {
        struct slice says = slice_of(dialogue->says[part]);
        size_t at = part == cut_part ? cut : 0;
        feed(&run, slice_first(says, at));
        feed(&run, slice_from(says, at));
        shake_hands(&run);
    }
    expect(&run, dialogue);
    close_run(&run);
}

START_TEST(every_cut)
{
    const struct dialogue *dialogue = &dialogues[_i];
    for (size_t part = 0; part < PARTS_MAX && dialogue->says[part] != NULL; part++) {
        size_t len = strlen(dialogue->says[part]);
        const char *end = strchr(dialogue->says[part], '\n');
        /* What stands behind the consent must come with its last octet to be told from the handshake. */
        bool last = part + 1 == PARTS_MAX || dialogue->says[part + 1] == NULL;
        size_t cuts = is_injected(dialogue) && last ? (size_t)(end - dialogue->says[part]) + 1 : len;
        for (size_t cut = 1; cut < cuts; cut++)
            run_with_cut(dialogue, part, cut);
    }
}
END_TEST

/* What comes before it was asked for changes nothing: it is in the clear, and so nobody's word. */
START_TEST(answers_ahead)
{
    static const char *const ahead[] = {"* OK\r\ns1 OK go\r\n", "+OK\r\n+OK go\r\n",
                                        "220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n"};
    static const char *const heard[] = {"s1 STARTTLS\r\n", "STLS\r\n", SMTP_HELLO "STARTTLS\r\n"};
    for (int protocol = PROTOCOL_IMAP; protocol < PROTOCOLS; protocol++) {
        struct dialogue dialogue = {"ahead", (enum protocol)protocol, .says = {ahead[protocol]}};
        struct run run;
        open_run(&run, &dialogue);
        feed(&run, slice_of(ahead[protocol]));
        ck_assert_int_eq(run.progress, STARTTLS_AGREED);
        ck_assert(slice_equals(bytes_view(&run.heard), slice_of(heard[protocol])));
        close_run(&run);
    }
}
END_TEST

/* ---- limits ---- */

static const char *const begins[] = {"* OK ", "+OK ", "220-"};

START_TEST(lines_too_long)
{
    char line[STARTTLS_LINE_MAX + 2];
    for (size_t len = STARTTLS_LINE_MAX; len <= STARTTLS_LINE_MAX + 1; len++) {
        struct dialogue dialogue = {.name = "long", .protocol = (enum protocol)_i};
        struct run run;
        memset(line, 'x', sizeof line);
        memcpy(line, begins[_i], strlen(begins[_i]));
        line[len - 2] = '\r';
        line[len - 1] = '\n';
        open_run(&run, &dialogue);
        feed(&run, (struct slice){(const uint8_t *)line, len});
        const char *failure = starttls_client_failure(run.request);
        if (len == STARTTLS_LINE_MAX)
            ck_assert_ptr_null(failure);
        else
            ck_assert_str_eq(failure, "a line of the server is too long");
        close_run(&run);
    }
}
END_TEST

START_TEST(line_without_end)
{
    struct dialogue dialogue = {.name = "endless", .protocol = (enum protocol)_i};
    struct run run;
    size_t fed = 0;
    open_run(&run, &dialogue);
    for (; run.progress == STARTTLS_UNDER_WAY && fed < 100000; fed++)
        feed(&run, slice_of("x"));
    ck_assert_uint_eq(fed, STARTTLS_LINE_MAX + 1);
    ck_assert_str_eq(starttls_client_failure(run.request), "a line of the server is too long");
    close_run(&run);
}
END_TEST

START_TEST(lines_without_end)
{
    static const char *const first[] = {"* OK\r\n", "+OK\r\n", ""};
    static const char *const lines[] = {"* OK x\r\n", "x\r\n", "220-x\r\n"};
    /* With the one that is too many; those before count as well. */
    static const size_t allowed[] = {STARTTLS_LINES_MAX, STARTTLS_LINES_MAX - 2, STARTTLS_LINES_MAX + 1};
    struct dialogue dialogue = {.name = "endless", .protocol = (enum protocol)_i};
    struct run run;
    open_run(&run, &dialogue);
    feed(&run, slice_of(first[_i]));
    if (_i == PROTOCOL_POP3) {
        feed(&run, slice_of("+OK go\r\n"));
        shake_hands(&run);
        feed(&run, slice_of("+OK list\r\n"));
    }
    size_t count = 0;
    for (; run.progress == STARTTLS_UNDER_WAY && count < 100000; count++)
        feed(&run, slice_of(lines[_i]));
    ck_assert_uint_eq(count, allowed[_i]);
    ck_assert_str_eq(starttls_client_failure(run.request), "the server sends too many lines around STARTTLS");
    close_run(&run);
}
END_TEST

/* The longest list that a line can hold still fits into the greeting. */
START_TEST(longest_capabilities)
{
    char list[STARTTLS_LINE_MAX + 1];
    struct dialogue dialogue = {.name = "long", .protocol = PROTOCOL_IMAP};
    struct run run;
    memset(list, 'A', sizeof list);
    memcpy(list, "* CAPABILITY ", 13);
    memcpy(list + STARTTLS_LINE_MAX - 2, "\r\n", 3);
    open_run(&run, &dialogue);
    feed(&run, slice_of("* OK\r\n"));
    feed(&run, slice_of("s1 OK\r\n"));
    shake_hands(&run);
    feed(&run, slice_of(list));
    feed(&run, slice_of("s2 OK\r\n"));
    ck_assert_int_eq(run.progress, STARTTLS_READY);
    struct slice greeting = starttls_client_greeting(run.request);
    ck_assert(slice_has_prefix(greeting, "* OK [CAPABILITY AAA") &&
              slice_has_suffix(greeting, "AAA] proxy.example.com ready\r\n"));
    close_run(&run);
}
END_TEST

int main(void)
{
    enum { COUNT = ARRAY_LEN(dialogues) };
    Suite *suite = suite_create("starttls_request");
    TCase *tests = tcase_create("request");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, whole, 0, COUNT);
    tcase_add_loop_test(tests, octet_by_octet, 0, COUNT);
    tcase_add_loop_test(tests, every_cut, 0, COUNT);
    tcase_add_test(tests, answers_ahead);
    tcase_add_loop_test(tests, lines_too_long, 0, PROTOCOLS);
    tcase_add_loop_test(tests, line_without_end, 0, PROTOCOLS);
    tcase_add_loop_test(tests, lines_without_end, 0, PROTOCOLS);
    tcase_add_test(tests, longest_capabilities);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
