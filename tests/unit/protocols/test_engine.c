/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/engine_private.h"
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
    tcase_add_test(tcase, freeing_nothing_is_allowed);
    Suite *suite = suite_create("engine");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
