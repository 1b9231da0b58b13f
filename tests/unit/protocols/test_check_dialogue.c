/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/check_dialogue.h"

#include "base/bytes.h"
#include "run_suite.h"

#include <string.h>

/*
 * Dialogues as tables: what the server says, part by part, each when the check has said what stands before
 * it. Each is run with the parts whole, octet by octet, and at every cut.
 */
#define SECURED                     "<TLS>" /* in `hears`: the handshake, after which the next part comes */
#define CLOSES                      "<closes>" /* as the last of `says`: the server closes */
#define SILENT                      "<silent>" /* as the last of `says`: its time is over */
#define EHLO                        "EHLO proxy.example.com\r\n"
#define IMAP_CAPABILITY(tag, words) "* CAPABILITY " words "\r\n" tag " OK done\r\n"
#define BYE                         "* BYE bye\r\nc5 OK done\r\n"
#define ID_LIST                     "(\"name\" \"Dovecot\")"

enum { PARTS_MAX = 7, TEXT_MAX = 10000 };

struct dialogue {
    const char *name;
    struct check_settings settings;
    const char *says[PARTS_MAX];
    const char *hears; /* all of it */
    enum check_result result;
    const char *capabilities; /* NULL: nothing was learned */
    const char *mechanisms;
    const char *id;
    bool over_tls;
};

#define IMAP(...)                                                                                            \
    {                                                                                                        \
        .protocol = PROTOCOL_IMAP, .judges_login = true, ##__VA_ARGS__                                       \
    }
#define POP3(...)                                                                                            \
    {                                                                                                        \
        .protocol = PROTOCOL_POP3, .judges_login = true, ##__VA_ARGS__                                       \
    }
#define SMTP(...)                                                                                            \
    {                                                                                                        \
        .protocol = PROTOCOL_SUBMISSION, .judges_login = true, ##__VA_ARGS__                                 \
    }

static const struct dialogue dialogues[] = {
    {"IMAP, as Dovecot",
     IMAP(.starttls = false),
     {"* OK [CAPABILITY IMAP4rev1 ID STARTTLS AUTH=PLAIN] ready.\r\n",
      IMAP_CAPABILITY("c1", "IMAP4rev1 SASL-IR ID STARTTLS AUTH=PLAIN AUTH=LOGIN"),
      "* ID " ID_LIST "\r\nc4 OK ID completed\r\n", BYE},
     "c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\nSASL-IR\nID\nSTARTTLS\nAUTH=PLAIN\nAUTH=LOGIN\n",
     "PLAIN LOGIN",
     ID_LIST},
    {"IMAP without ID, as Courier",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\n",
     "",
     ""},
    {"IMAP that answers ID with NIL",
     IMAP(.over_tls = true),
     {"* OK ready\n", IMAP_CAPABILITY("c1", "ID IMAP4rev1"), "* ID NIL\r\nc4 OK\r\n", BYE},
     "c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "ID\nIMAP4rev1\n",
     "",
     "",
     true},
    {"IMAP that refuses ID",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1 ID"), "c4 NO no\r\n", BYE},
     "c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\nID\n",
     "",
     ""},
    {"IMAP with literals in its ID",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1 ID"),
      "* ID ({4}\r\nname {10}\r\nx\r\nc4 OK\r\n \"os\" {3}\r\n\r\n\n)\r\nc4 OK\r\n", BYE},
     "c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\nID\n",
     "",
     ""},
    {"IMAP with an endless literal",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1 ID"), "* ID ({8193}\r\n"},
     "c1 CAPABILITY\r\nc4 ID NIL\r\n",
     .result = CHECK_BAD_ANSWER,
     "IMAP4rev1\nID\n",
     "",
     ""},
    {"IMAP that chats",
     IMAP(.starttls = false),
     {"* OK [ALERT] {5}\r\n", "* OK well {5}\r\n* NO hm\r\n* 3 EXISTS\r\n" IMAP_CAPABILITY("C1", "A"),
      "* OK still {3}\r\n* CAPABILITY B\r\nc1 OK\r\n* BYE\r\n+ \r\nc5 OK\r\n"},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\n",
     "",
     ""},
    {"IMAP that closes after BYE",
     IMAP(.starttls = false),
     {"* OK\r\n", IMAP_CAPABILITY("c1", "A"), "* BYE\r\n", CLOSES},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\n",
     "",
     ""},
    {"IMAP that says no goodbye",
     IMAP(.starttls = false),
     {"* OK\r\n", IMAP_CAPABILITY("c1", "A"), SILENT},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\n",
     "",
     ""},
    {"IMAP with LOGINDISABLED",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1 LOGINDISABLED STARTTLS"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_NO_LOGIN_OFFERED,
     "IMAP4rev1\nLOGINDISABLED\nSTARTTLS\n",
     "",
     ""},
    {"IMAP with mechanisms that bind to the channel alone",
     IMAP(.starttls = false),
     {"* OK\r\n", IMAP_CAPABILITY("c1", "LOGINDISABLED AUTH=SCRAM-SHA-1-PLUS"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_NO_LOGIN_OFFERED,
     "LOGINDISABLED\nAUTH=SCRAM-SHA-1-PLUS\n",
     "SCRAM-SHA-1-PLUS",
     ""},
    {"IMAP with LOGINDISABLED and a mechanism",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "LOGINDISABLED AUTH=SCRAM-SHA-1"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "LOGINDISABLED\nAUTH=SCRAM-SHA-1\n",
     "SCRAM-SHA-1",
     ""},
    {"IMAP with LOGINDISABLED after LOCAL",
     {.protocol = PROTOCOL_IMAP, .proxy_header = true},
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "LOGINDISABLED"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "LOGINDISABLED\n",
     "",
     ""},
    {"IMAP by STARTTLS",
     IMAP(.starttls = true),
     {"* OK [CAPABILITY XEVIL] ready\r\n", IMAP_CAPABILITY("c1", "XEVIL STARTTLS ID LOGINDISABLED"),
      "c2 OK go\r\n", IMAP_CAPABILITY("c3", "IMAP4rev1 AUTH=PLAIN"), BYE},
     "c1 CAPABILITY\r\nc2 STARTTLS\r\n" SECURED "c3 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\nAUTH=PLAIN\n",
     "PLAIN",
     "",
     true},
    {"IMAP without STARTTLS",
     IMAP(.starttls = true),
     {"* OK [CAPABILITY STARTTLS] ready\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1 ID"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"IMAP that refuses STARTTLS",
     IMAP(.starttls = true),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "STARTTLS"), "c2 NO\r\n", BYE},
     "c1 CAPABILITY\r\nc2 STARTTLS\r\nc5 LOGOUT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"IMAP that closes when asked for TLS",
     IMAP(.starttls = true),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "STARTTLS"), CLOSES},
     "c1 CAPABILITY\r\nc2 STARTTLS\r\n",
     .result = CHECK_NO_ANSWER},
    {"IMAP that closes in the handshake",
     IMAP(.starttls = true),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "STARTTLS"), "c2 OK\r\n", IMAP_CAPABILITY("c3", "A"), CLOSES},
     "c1 CAPABILITY\r\nc2 STARTTLS\r\n" SECURED "c3 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\n",
     "",
     "",
     true},
    {"IMAP by PREAUTH",
     IMAP(.starttls = false),
     {"* PREAUTH hi\r\n", IMAP_CAPABILITY("c1", "IMAP4rev1"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "IMAP4rev1\n",
     "",
     ""},
    {"IMAP by PREAUTH, before STARTTLS",
     IMAP(.starttls = true),
     {"* PREAUTH hi\r\n", BYE},
     "c5 LOGOUT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"IMAP that has no time", IMAP(.starttls = false), {"* BYE busy\r\n"}, "", .result = CHECK_BAD_GREETING},
    {"IMAP that greets with NO", IMAP(.starttls = false), {"* NO way\r\n"}, "", .result = CHECK_BAD_GREETING},
    {"IMAP that is SMTP", IMAP(.starttls = false), {"220 msa ESMTP\r\n"}, "", .result = CHECK_BAD_GREETING},
    {"IMAP that is TLS", IMAP(.starttls = false), {"\x15\x03\x01\n"}, "", .result = CHECK_BAD_GREETING},
    {"IMAP that closes at once", IMAP(.starttls = false), {CLOSES}, "", .result = CHECK_NO_GREETING},
    {"IMAP that closes in its greeting",
     IMAP(.starttls = false),
     {"* OK", CLOSES},
     "",
     .result = CHECK_NO_GREETING},
    {"IMAP that is silent", IMAP(.starttls = false), {SILENT}, "", .result = CHECK_NO_GREETING},
    {"IMAP that closes at once after a header",
     IMAP(.proxy_header = true),
     {CLOSES},
     "",
     .result = CHECK_NO_PROXY},
    {"IMAP that is silent after a header",
     IMAP(.proxy_header = true),
     {SILENT},
     "",
     .result = CHECK_NO_GREETING},
    {"IMAP that takes PROXY for a tag",
     IMAP(.proxy_header = true),
     {"* OK ready\r\n", "PROXY BAD Error in IMAP command\r\n" IMAP_CAPABILITY("c1", "A") BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_NO_PROXY},
    {"IMAP that takes a header for nonsense",
     IMAP(.proxy_header = true),
     {"* OK ready\r\n", "* BAD hm\r\n" IMAP_CAPABILITY("c1", "A") BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_NO_PROXY},
    {"IMAP that closes early",
     IMAP(.starttls = false),
     {"* OK ready\r\n", CLOSES},
     "c1 CAPABILITY\r\n",
     .result = CHECK_NO_ANSWER},
    {"IMAP that falls silent",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "* CAPABILITY A\r\n", SILENT},
     "c1 CAPABILITY\r\n",
     .result = CHECK_NO_ANSWER,
     "A\n",
     "",
     ""},
    {"IMAP that loses patience",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "* BYE shutting down\r\n"},
     "c1 CAPABILITY\r\n",
     .result = CHECK_BAD_ANSWER},
    {"IMAP without CAPABILITY",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "c1 BAD what\r\n", BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_BAD_ANSWER},
    {"IMAP with an answer without a list",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "c1 OK done\r\n", BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_BAD_ANSWER},
    {"IMAP that answers another tag",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "a1 OK done\r\n", BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_BAD_ANSWER},
    {"IMAP that answers nonsense",
     IMAP(.starttls = false),
     {"* OK ready\r\n", "nonsense\r\n"},
     "c1 CAPABILITY\r\n",
     .result = CHECK_BAD_ANSWER},
    {"IMAP with control characters in its list",
     IMAP(.starttls = false),
     {"* OK ready\r\n", IMAP_CAPABILITY("c1", "A B\x01 C\rD \xc3\xa4 AUTH=X\tY E"), BYE},
     "c1 CAPABILITY\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\nE\n",
     "",
     ""},
    {"IMAP with all answers ahead",
     IMAP(.starttls = false),
     {"* OK\r\n" IMAP_CAPABILITY("c1", "A ID") "c4 OK\r\n" BYE},
     "c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n",
     .result = CHECK_OK,
     "A\nID\n",
     "",
     ""},

    {"POP3, as Dovecot",
     POP3(.starttls = false),
     {"+OK Dovecot ready.\r\n", "+OK\r\nCAPA\r\nTOP\r\nSASL PLAIN LOGIN\r\nUSER\r\n.\r\n", "+OK bye\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_OK,
     "CAPA\nTOP\nSASL PLAIN LOGIN\nUSER\n",
     "PLAIN LOGIN",
     ""},
    {"POP3 without CAPA",
     POP3(.starttls = false),
     {"+OK <1896.1@dbc.mtview.ca.us>\r\n", "-ERR what?\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_OK},
    {"POP3 without CAPA, with STLS",
     POP3(.starttls = true),
     {"+OK\r\n", "-ERR what?\r\n", "+OK go\r\n", "-ERR what?\r\n", "+OK\r\n"},
     "CAPA\r\nSTLS\r\n" SECURED "CAPA\r\nQUIT\r\n",
     .result = CHECK_OK},
    {"POP3 that takes a header for a command",
     POP3(.proxy_header = true),
     {"+OK\r\n", "-ERR Unknown command\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_NO_PROXY},
    {"POP3 by STLS",
     POP3(.starttls = true),
     {"+OK\r\n", "+OK\r\nSTLS\r\nXEVIL\r\n.\r\n", "+OK go\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK\r\n"},
     "CAPA\r\nSTLS\r\n" SECURED "CAPA\r\nQUIT\r\n",
     .result = CHECK_OK,
     "USER\n",
     "",
     "",
     true},
    {"POP3 without STLS",
     POP3(.starttls = true),
     {"+OK\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"POP3 that refuses STLS",
     POP3(.starttls = true),
     {"+OK\r\n", "+OK\r\nSTLS\r\n.\r\n", "-ERR no\r\n", "+OK\r\n"},
     "CAPA\r\nSTLS\r\nQUIT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"POP3 without a login",
     POP3(.starttls = false),
     {"+OK\r\n", "+OK\r\nSTLS\r\nSASL\r\n.\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_NO_LOGIN_OFFERED,
     "STLS\nSASL\n",
     "",
     ""},
    {"POP3 with XCLIENT",
     POP3(.needs_xclient = true),
     {"+OK [XCLIENT] ready.\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_OK,
     "USER\n",
     "",
     ""},
    {"POP3 without XCLIENT",
     POP3(.needs_xclient = true),
     {"+OK ready.\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK\r\n"},
     "CAPA\r\nQUIT\r\n",
     .result = CHECK_NO_XCLIENT,
     "USER\n",
     "",
     ""},
    {"POP3 that has no time",
     POP3(.starttls = false),
     {"-ERR [SYS/TEMP] busy\r\n"},
     "",
     .result = CHECK_BAD_GREETING},
    {"POP3 that is IMAP", POP3(.starttls = false), {"* OK\r\n"}, "", .result = CHECK_BAD_GREETING},
    {"POP3 with half a list",
     POP3(.starttls = false),
     {"+OK\r\n", "+OK\r\nUSER\r\n", SILENT},
     "CAPA\r\n",
     .result = CHECK_NO_ANSWER},
    {"POP3 that answers nonsense",
     POP3(.starttls = false),
     {"+OK\r\n", "nonsense\r\n"},
     "CAPA\r\n",
     .result = CHECK_BAD_ANSWER},

    {"submission, as Postfix",
     SMTP(.starttls = false),
     {"220 msa ESMTP\r\n",
      "250-msa\r\n250-SIZE 1\r\n250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r\n250 CHUNKING\r\n",
      "221 2.0.0 Bye\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_OK,
     "SIZE 1\nAUTH PLAIN LOGIN\nAUTH=PLAIN LOGIN\nCHUNKING\n",
     "PLAIN LOGIN",
     ""},
    {"submission with a greeting of several lines",
     SMTP(.starttls = false),
     {"220-msa ESMTP\r\n220-no UCE\r\n220 please\r\n", "250 msa\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_OK,
     "",
     "",
     ""},
    {"submission by STARTTLS",
     SMTP(.starttls = true),
     {"220 msa\r\n", "250-msa\r\n250-XEVIL\r\n250 starttls\r\n", "220 go\r\n",
      "250-msa\r\n250 AUTH PLAIN\r\n", "221\r\n"},
     EHLO "STARTTLS\r\n" SECURED EHLO "QUIT\r\n",
     .result = CHECK_OK,
     "AUTH PLAIN\n",
     "PLAIN",
     "",
     true},
    {"submission without STARTTLS",
     SMTP(.starttls = true),
     {"220 msa\r\n", "250-STARTTLS\r\n250 SIZE\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"submission that refuses STARTTLS",
     SMTP(.starttls = true),
     {"220 msa\r\n", "250-msa\r\n250 STARTTLS\r\n", "454 no\r\n", "221\r\n"},
     EHLO "STARTTLS\r\nQUIT\r\n",
     .result = CHECK_TLS_REFUSED},
    {"submission with XCLIENT",
     SMTP(.needs_xclient = true),
     {"220 msa\r\n", "250-msa\r\n250 XCLIENT NAME ADDR PROTO\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_OK,
     "XCLIENT NAME ADDR PROTO\n",
     "",
     ""},
    {"submission with XCLIENT for names",
     SMTP(.needs_xclient = true),
     {"220 msa\r\n", "250-msa\r\n250 XCLIENT NAME\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_NO_XCLIENT,
     "XCLIENT NAME\n",
     "",
     ""},
    {"submission that closes",
     SMTP(.starttls = false),
     {"421 4.3.2 busy\r\n"},
     "",
     .result = CHECK_BAD_GREETING},
    {"submission that refuses service",
     SMTP(.starttls = false),
     {"554-no\r\n554 no service\r\n", "221\r\n"},
     "QUIT\r\n",
     .result = CHECK_BAD_GREETING},
    {"submission that is POP3", SMTP(.starttls = false), {"+OK\r\n"}, "", .result = CHECK_BAD_GREETING},
    {"submission without EHLO",
     SMTP(.starttls = false),
     {"220 msa\r\n", "502 what\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_BAD_ANSWER},
    {"submission that takes a header for a command",
     SMTP(.proxy_header = true),
     {"220 msa\r\n", "502 what\r\n250 msa\r\n", "221\r\n"},
     EHLO "QUIT\r\n",
     .result = CHECK_NO_PROXY},
    {"submission that loses patience",
     SMTP(.starttls = false),
     {"220 msa\r\n", "421 too slow\r\n"},
     EHLO,
     .result = CHECK_BAD_ANSWER},
    {"submission with two codes in a reply",
     SMTP(.starttls = false),
     {"220 msa\r\n", "250-msa\r\n550 no\r\n"},
     EHLO,
     .result = CHECK_BAD_ANSWER},
    {"submission that answers nonsense",
     SMTP(.starttls = false),
     {"220 msa\r\n", "nonsense\r\n"},
     EHLO,
     .result = CHECK_BAD_ANSWER},
    {"submission that closes for QUIT",
     SMTP(.starttls = false),
     {"220 msa\r\n", "250 msa\r\n", CLOSES},
     EHLO "QUIT\r\n",
     .result = CHECK_OK,
     "",
     "",
     ""},
};

/* ---- a run ---- */

struct run {
    struct check_dialogue *check;
    struct bytes heard;
};

static void open_run(struct run *run, const struct check_settings *settings)
{
    struct check_settings with_name = *settings;
    with_name.hostname = "proxy.example.com";
    *run = (struct run){.check = check_dialogue_new(&with_name)};
    ck_assert_ptr_nonnull(run->check);
}

static void close_run(struct run *run)
{
    check_dialogue_free(&run->check);
    ck_assert_ptr_null(run->check);
    bytes_free(&run->heard);
}

static void hear(struct run *run)
{
    ck_assert(bytes_append(&run->heard, check_dialogue_output(run->check), TEXT_MAX));
    check_dialogue_sent(run->check);
}

static void feed(struct run *run, struct slice data)
{
    if (data.len == 0)
        return;
    ck_assert_int_eq(check_dialogue_feed(run->check, data), check_dialogue_progress(run->check));
    hear(run);
}

static void shake_hands(struct run *run)
{
    if (check_dialogue_progress(run->check) != CHECK_AGREED)
        return;
    ck_assert(bytes_append(&run->heard, slice_of(SECURED), TEXT_MAX));
    check_dialogue_secured(run->check);
    hear(run);
}

static bool is_end(const char *says)
{
    return strcmp(says, CLOSES) == 0 || strcmp(says, SILENT) == 0;
}

/* Feeds a part in pieces: `first` octets, and the rest in pieces of `piece`. */
static void take_part(struct run *run, const char *says, size_t first, size_t piece)
{
    if (is_end(says)) {
        check_dialogue_end(run->check, strcmp(says, SILENT) == 0);
        return;
    }
    struct slice text = slice_of(says);
    feed(run, slice_first(text, first));
    for (size_t at = first; at < text.len; at += piece)
        feed(run, slice_sub(text, at, piece));
    shake_hands(run);
}

static void expect_text(const char *name, struct slice text, const char *expected)
{
    ck_assert_msg(slice_equals(text, slice_of(expected)), "%s: %.*s", name, (int)text.len,
                  (const char *)text.data);
}

static void expect(const struct run *run, const struct dialogue *dialogue)
{
    expect_text(dialogue->name, bytes_view(&run->heard), dialogue->hears);
    ck_assert_msg(check_dialogue_progress(run->check) == CHECK_DONE, "%s: goes on", dialogue->name);
    ck_assert_msg(check_dialogue_result(run->check) == dialogue->result, "%s: %s", dialogue->name,
                  check_result_name(check_dialogue_result(run->check)));
    ck_assert((check_dialogue_detail(run->check) == NULL) == (dialogue->result == CHECK_OK));
    struct server_facts *facts = check_dialogue_facts(run->check);
    ck_assert_msg((facts == NULL) == (dialogue->capabilities == NULL), "%s: facts", dialogue->name);
    if (facts == NULL)
        return;
    expect_text(dialogue->name, facts->capabilities, dialogue->capabilities);
    expect_text(dialogue->name, facts->mechanisms, dialogue->mechanisms);
    expect_text(dialogue->name, facts->id, dialogue->id);
    ck_assert_int_eq(facts->over_tls, dialogue->over_tls);
    ck_assert_int_eq(facts->is_local, !dialogue->settings.judges_login);
    server_facts_unref(&facts);
    ck_assert_ptr_null(facts);
}

static size_t part_count(const struct dialogue *dialogue)
{
    size_t count = 0;
    while (count < PARTS_MAX && dialogue->says[count] != NULL)
        count++;
    return count;
}

static void run_in_pieces(const struct dialogue *dialogue, size_t cut_part, size_t cut, size_t piece)
{
    struct run run;
    open_run(&run, &dialogue->settings);
    for (size_t part = 0; part < part_count(dialogue); part++)
        take_part(&run, dialogue->says[part], part == cut_part ? cut : 0, piece);
    expect(&run, dialogue);
    close_run(&run);
}

START_TEST(whole)
{
    run_in_pieces(&dialogues[_i], PARTS_MAX, 0, TEXT_MAX);
}
END_TEST

START_TEST(octet_by_octet)
{
    run_in_pieces(&dialogues[_i], PARTS_MAX, 0, 1);
}
END_TEST

START_TEST(every_cut)
{
    for (size_t part = 0; part < part_count(&dialogues[_i]); part++)
        for (size_t cut = 1; !is_end(dialogues[_i].says[part]) && cut < strlen(dialogues[_i].says[part]);
             cut++)
            run_in_pieces(&dialogues[_i], part, cut, TEXT_MAX);
}
END_TEST

/* ---- TLS ---- */

static const char *const agreed[] = {"* OK\r\n* CAPABILITY STARTTLS\r\nc1 OK\r\nc2 OK go\r\n",
                                     "+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK go\r\n",
                                     "220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n"};

static void agree(struct run *run, int protocol)
{
    open_run(run, &(struct check_settings){.protocol = (enum protocol)protocol, .starttls = true});
    feed(run, slice_of(agreed[protocol]));
    ck_assert_int_eq(check_dialogue_progress(run->check), CHECK_AGREED);
    ck_assert(!check_dialogue_is_settled(run->check));
    ck_assert_ptr_null(check_dialogue_facts(run->check));
}

START_TEST(octets_after_consent)
{
    struct run run;
    agree(&run, _i);
    ck_assert_int_eq(check_dialogue_feed(run.check, slice_of("x")), CHECK_DONE);
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_TLS_REFUSED);
    close_run(&run);
}
END_TEST

START_TEST(end_in_handshake)
{
    for (int timed_out = 0; timed_out <= 1; timed_out++) {
        struct run run;
        agree(&run, _i);
        check_dialogue_end(run.check, timed_out != 0);
        ck_assert_int_eq(check_dialogue_result(run.check), timed_out ? CHECK_TLS_TIMEOUT : CHECK_TLS_REFUSED);
        close_run(&run);
    }
}
END_TEST

START_TEST(failure_of_the_caller)
{
    struct run run;
    agree(&run, _i);
    check_dialogue_fail(run.check, CHECK_TLS_UNTRUSTED, "expired");
    ck_assert_int_eq(check_dialogue_progress(run.check), CHECK_DONE);
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_TLS_UNTRUSTED);
    ck_assert_str_eq(check_dialogue_detail(run.check), "expired");
    check_dialogue_fail(run.check, CHECK_NO_ANSWER, "later");
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_TLS_UNTRUSTED);
    ck_assert_int_eq(check_dialogue_feed(run.check, slice_of("x")), CHECK_DONE);
    ck_assert_uint_eq(check_dialogue_output(run.check).len, 0);
    close_run(&run);
}
END_TEST

/* ---- limits ---- */

START_TEST(line_too_long)
{
    struct run run;
    size_t fed = 0;
    open_run(&run, &(struct check_settings){.protocol = (enum protocol)_i});
    for (; check_dialogue_progress(run.check) == CHECK_UNDER_WAY && fed < 100000; fed++)
        feed(&run, slice_of("x"));
    ck_assert_uint_eq(fed, CHECK_LINE_MAX + 1);
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_BAD_GREETING);
    close_run(&run);
}
END_TEST

START_TEST(lines_without_end)
{
    static const char *const first[] = {"* OK\r\n", "+OK\r\n+OK\r\n", "220 a\r\n"};
    static const char *const lines[] = {"* OK x\r\n", "XX\r\n", "250-x\r\n"};
    static const unsigned before[] = {1, 2, 1};
    struct run run;
    unsigned count = 0;
    open_run(&run, &(struct check_settings){.protocol = (enum protocol)_i});
    feed(&run, slice_of(first[_i]));
    for (; check_dialogue_progress(run.check) == CHECK_UNDER_WAY && count < 100000; count++)
        feed(&run, slice_of(lines[_i]));
    ck_assert_uint_eq(count, CHECK_LINES_MAX + 1 - before[_i]);
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_BAD_ANSWER);
    close_run(&run);
}
END_TEST

/* What does not fit is left out whole, and told. */
START_TEST(much_to_keep)
{
    char line[4000];
    struct run run;
    open_run(&run, &(struct check_settings){.protocol = PROTOCOL_POP3});
    memset(line, 'A', sizeof line);
    memcpy(line, "SASL ", 5);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    feed(&run, slice_of("+OK\r\n+OK\r\n"));
    for (int i = 0; i < 3; i++)
        feed(&run, (struct slice){(const uint8_t *)line, sizeof line});
    feed(&run, slice_of("SASL "));
    for (int i = 0; i < 300; i++) {
        char name[] = {'M', (char)('A' + i / 26), (char)('A' + i % 26), ' ', '\0'};
        feed(&run, slice_of(name));
    }
    feed(&run, slice_of("\r\nUSER\r\n.\r\n+OK\r\n"));
    ck_assert_int_eq(check_dialogue_result(run.check), CHECK_OK);
    struct server_facts *facts = check_dialogue_facts(run.check);
    ck_assert(!facts->complete);
    ck_assert_uint_le(facts->capabilities.len, SERVER_FACTS_CAPABILITIES_MAX);
    ck_assert(slice_has_suffix(facts->capabilities, "\nUSER\n"));
    ck_assert_uint_le(facts->mechanisms.len, SERVER_FACTS_MECHANISMS_MAX);
    ck_assert_uint_ge(facts->mechanisms.len, SERVER_FACTS_MECHANISMS_MAX - 4);
    ck_assert(slice_has_prefix(facts->mechanisms, "MAA MAB MAC "));
    server_facts_unref(&facts);
    close_run(&run);
}
END_TEST

START_TEST(words)
{
    for (int a = 0; a < CHECK_RESULTS; a++) {
        const char *name = check_result_name((enum check_result)a);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(name, check_result_name((enum check_result)b));
        ck_assert_int_eq(check_result_is_of_server((enum check_result)a), a != CHECK_NOT_MADE);
    }
}
END_TEST

START_TEST(facts_have_owners)
{
    struct server_facts *facts = server_facts_new(slice_of("A\n"), slice_of(""), slice_of("()"));
    struct server_facts *other = server_facts_ref(facts);
    server_facts_unref(&facts);
    ck_assert_ptr_null(facts);
    ck_assert(slice_equals(other->capabilities, slice_of("A\n")));
    ck_assert(slice_equals(other->id, slice_of("()")));
    server_facts_unref(&other);
    server_facts_unref(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check_dialogue");
    TCase *tc = tcase_create("dialogues");
    tcase_add_loop_test(tc, whole, 0, (int)(ARRAY_LEN(dialogues)));
    tcase_add_loop_test(tc, octet_by_octet, 0, (int)(ARRAY_LEN(dialogues)));
    tcase_add_loop_test(tc, every_cut, 0, (int)(ARRAY_LEN(dialogues)));
    suite_add_tcase(suite, tc);
    tc = tcase_create("tls");
    tcase_add_loop_test(tc, octets_after_consent, 0, PROTOCOLS);
    tcase_add_loop_test(tc, end_in_handshake, 0, PROTOCOLS);
    tcase_add_loop_test(tc, failure_of_the_caller, 0, PROTOCOLS);
    suite_add_tcase(suite, tc);
    tc = tcase_create("limits");
    tcase_add_loop_test(tc, line_too_long, 0, PROTOCOLS);
    tcase_add_loop_test(tc, lines_without_end, 0, PROTOCOLS);
    tcase_add_test(tc, much_to_keep);
    suite_add_tcase(suite, tc);
    tc = tcase_create("values");
    tcase_add_test(tc, words);
    tcase_add_test(tc, facts_have_owners);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
