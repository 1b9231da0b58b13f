/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine_private.h"
#include "base/array.h"
#include "base/state_machine.h"
#include "run_suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What engine.c does for all three engines alike. */
static const struct engine_service services[] = {
    {.protocol = PROTOCOL_IMAP, .deep_status = "", .hostname = "proxy.example.com"},
    {.protocol = PROTOCOL_POP3, .deep_status = "", .hostname = "proxy.example.com"},
    {.protocol = PROTOCOL_SUBMISSION, .deep_status = "", .hostname = "proxy.example.com"},
};
static const struct engine_client client = {.tls_cipher = "0x1301", .nonce = "abcdefghijklmnop"};

static struct engine *engine;
static struct engine_out *out;

static void begin(int protocol)
{
    engine = engine_new(&services[protocol], &client);
    out = engine_out_new();
    ck_assert(engine != NULL && out != NULL);
}

static void end(void)
{
    engine_free(&engine);
    engine_out_free(&out);
    ck_assert_ptr_null(engine);
}

START_TEST(the_first_reason_stays)
{
    begin(_i);
    engine_fail(engine, ENGINE_BACKEND_ERROR, "first");
    engine_fail(engine, ENGINE_NO_MEMORY, "second");
    ck_assert_int_eq(engine_status(engine)->reason, ENGINE_BACKEND_ERROR);
    ck_assert_str_eq(engine_status(engine)->detail, "first");
    end();
}
END_TEST

START_TEST(after_it_all_is_dropped)
{
    begin(_i);
    engine_fail(engine, ENGINE_BACKEND_ERROR, "over");
    ck_assert(engine_wants(engine, SIDE_CLIENT) && engine_wants(engine, SIDE_BACKEND));
    ck_assert_uint_eq(engine_feed(engine, SIDE_BACKEND, slice_of("* OK hi\r\n"), out), 9);
    engine_goodbye(engine, ENGINE_GOODBYE_SHUTDOWN, out);
    ck_assert(engine_out_is_empty(out));
    end();
}
END_TEST

START_TEST(goodbye_is_said_once)
{
    begin(_i);
    engine_goodbye(engine, ENGINE_GOODBYE_UNAVAILABLE, out);
    ck_assert(!engine_out_is_empty(out) && engine_status(engine)->greeted);
    engine_out_reset(out);
    engine_goodbye(engine, ENGINE_GOODBYE_UNAVAILABLE, out);
    ck_assert_uint_eq(engine_feed(engine, SIDE_CLIENT, slice_of("x\r\n"), out), 3);
    ck_assert(engine_out_is_empty(out));
    ck_assert_int_eq(engine_status(engine)->reason, ENGINE_OPEN);
    end();
}
END_TEST

/* ---- the status is sound ---- */

START_TEST(a_last_word_is_an_orderly_end)
{
    begin(_i);
    engine_note_last_word(engine);
    ck_assert(engine_status(engine)->closing_reply_sent && engine_status(engine)->ending);
    end();
}
END_TEST

START_TEST(the_client_takes_its_goodbye_back)
{
    begin(_i);
    engine_note_ending(engine, true);
    ck_assert(engine_status(engine)->ending);
    engine_note_ending(engine, false);
    ck_assert(!engine_status(engine)->ending && !engine_status(engine)->closing_reply_sent);
    end();
}
END_TEST

START_TEST(a_last_word_is_not_taken_back)
{
    begin(PROTOCOL_IMAP);
    engine_note_last_word(engine);
    engine_note_ending(engine, false);
}
END_TEST

START_TEST(nobody_logs_in_before_the_greeting)
{
    begin(PROTOCOL_IMAP);
    engine_note_login(engine, true);
}
END_TEST

START_TEST(nobody_is_served_before_the_greeting)
{
    begin(PROTOCOL_SUBMISSION);
    engine_note_serving(engine);
}
END_TEST

/* ---- the moves are shown ---- */

static char shown[256];

static void show_move(void *arg, const struct state_machine *machine, unsigned from, unsigned to)
{
    size_t len = strlen(shown);
    ck_assert_ptr_eq(arg, shown);
    snprintf(shown + len, sizeof shown - len, "%s: %s -> %s\n", machine->name, machine->names[from],
             machine->names[to]);
}

START_TEST(moves_are_shown_to_the_trace)
{
    static const struct {
        const char *greeting;
        const char *moves;
    } cases[PROTOCOLS] = {
        [PROTOCOL_IMAP] = {"* OK hi\r\n", "imap-backend: greeting -> response\n"},
        [PROTOCOL_POP3] = {"+OK hi\r\n",
                           "pop3-backend: greeting -> reply\npop3-client: greeting -> command\n"},
        [PROTOCOL_SUBMISSION] = {"220 hi\r\n", "smtp-client: greeting -> command\n"},
    };
    const struct state_trace trace = {show_move, shown};
    shown[0] = '\0';
    begin(_i);
    engine_set_trace(engine, &trace);
    engine_feed(engine, SIDE_BACKEND, slice_of(cases[_i].greeting), out);
    ck_assert_str_eq(shown, cases[_i].moves);
    end();
}
END_TEST

/* ---- rest ---- */

/* One dialogue for each protocol: what a side sends, and whether nothing is under way after it. */
static const struct {
    enum protocol protocol;
    enum side from;
    const char *octets;
    bool rests;
} steps[] = {
    {PROTOCOL_IMAP, SIDE_BACKEND, "* OK h", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "i\r\n", true},
    {PROTOCOL_IMAP, SIDE_CLIENT, "a1 NO", false},
    {PROTOCOL_IMAP, SIDE_CLIENT, "OP\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "* 5 EXISTS\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "a1 OK\r\n", true},
    {PROTOCOL_IMAP, SIDE_BACKEND, "* 6 EX", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "ISTS\r\n", true},
    {PROTOCOL_IMAP, SIDE_CLIENT, "a2 IDLE\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "+ idling\r\n", true},
    {PROTOCOL_IMAP, SIDE_BACKEND, "* 1 FETCH (BODY[] {4}\r\nab", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "cd)\r\n", true},
    {PROTOCOL_IMAP, SIDE_CLIENT, "DONE\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "a2 OK\r\n", true},
    {PROTOCOL_IMAP, SIDE_CLIENT, "a3 APPEND x {3}\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "+ go on\r\n", false},
    {PROTOCOL_IMAP, SIDE_CLIENT, "abc", false},
    {PROTOCOL_IMAP, SIDE_CLIENT, "\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "a3 OK\r\n", true},
    {PROTOCOL_IMAP, SIDE_CLIENT, "a4 NOOP\r\na5 NOOP\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "a4 OK\r\n", false},
    {PROTOCOL_IMAP, SIDE_BACKEND, "a5 OK\r\n", true},
    {PROTOCOL_POP3, SIDE_BACKEND, "+OK h", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "i\r\n", true},
    {PROTOCOL_POP3, SIDE_CLIENT, "ST", false},
    {PROTOCOL_POP3, SIDE_CLIENT, "AT\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "+OK 1 2\r\n", true},
    {PROTOCOL_POP3, SIDE_CLIENT, "RETR 1\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "+OK\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "text\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, ".\r\n", true},
    {PROTOCOL_POP3, SIDE_CLIENT, "USER u\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "+OK\r\n", true},
    {PROTOCOL_POP3, SIDE_CLIENT, "PASS p\r\n", false},
    {PROTOCOL_POP3, SIDE_BACKEND, "+OK\r\n", true},
    {PROTOCOL_POP3, SIDE_CLIENT, "QUIT\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "220 h", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "i\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "EHLO c\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250-hi\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 CHUNKING\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "MAIL FROM:<a@b>\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "RCPT TO:<a@b>\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "DATA\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "354 go on\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "text\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, ".\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n250 2.0.0 ok\r\n", true},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "BDAT 3\r\nabc", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n", false},
    {PROTOCOL_SUBMISSION, SIDE_CLIENT, "BDAT 2 LAST\r\nde", false},
    {PROTOCOL_SUBMISSION, SIDE_BACKEND, "250 2.0.0 ok\r\n", true},
};

START_TEST(when_nothing_is_under_way)
{
    begin(_i);
    ck_assert(!engine_rests(engine));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if ((int)steps[i].protocol != _i)
            continue;
        struct slice octets = slice_of(steps[i].octets);
        while (octets.len > 0) {
            size_t fed = engine_feed(engine, steps[i].from, octets, out);
            ck_assert(fed > 0 || !engine_out_is_empty(out));
            engine_out_reset(out);
            octets = slice_from(octets, fed);
        }
        ck_assert_msg(engine_rests(engine) == steps[i].rests, "after %s", steps[i].octets);
    }
    engine_goodbye(engine, ENGINE_GOODBYE_MOVED, out);
    ck_assert(!engine_rests(engine));
    end();
}
END_TEST

START_TEST(freeing_nothing_is_allowed)
{
    struct engine *none = NULL;
    engine_free(&none);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("engine");
    tcase_add_loop_test(tcase, the_first_reason_stays, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_loop_test(tcase, after_it_all_is_dropped, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_loop_test(tcase, goodbye_is_said_once, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_loop_test(tcase, a_last_word_is_an_orderly_end, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_loop_test(tcase, the_client_takes_its_goodbye_back, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_test_raise_signal(tcase, a_last_word_is_not_taken_back, SIGABRT);
    tcase_add_test_raise_signal(tcase, nobody_logs_in_before_the_greeting, SIGABRT);
    tcase_add_test_raise_signal(tcase, nobody_is_served_before_the_greeting, SIGABRT);
    tcase_add_loop_test(tcase, moves_are_shown_to_the_trace, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_loop_test(tcase, when_nothing_is_under_way, PROTOCOL_IMAP, PROTOCOLS);
    tcase_add_test(tcase, freeing_nothing_is_allowed);
    Suite *suite = suite_create("engine");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
