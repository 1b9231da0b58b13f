/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/ends.h"

#include "run_suite.h"

#include <stdbool.h>

/*
 * The table of ends against the rules that it follows, written as conditions on facts: all combinations of
 * the client's end, the server's end and the stage.
 */
struct facts {
    bool client_ended; /* its input has */
    bool client_done;  /* ... and all of it has been fed */
    bool hung_up;      /* the server has our FIN on the client's behalf */
    bool server_done;  /* its input has ended, and all of it has been fed */
    bool was_cut;
    bool write_failed;
    bool awaits_signature;
    bool has_greeted;
    bool is_committed;
    bool is_ending;  /* the client has asked to end, or the server has sent its closing reply */
    bool is_closing; /* the server has sent its closing reply */
};

static struct facts facts_of(enum client_end client, enum server_end server, enum dialogue_stage stage)
{
    return (struct facts){
        .client_ended = client != CLIENT_OPEN,
        .client_done = client == CLIENT_DONE || client == CLIENT_SENT_ON,
        .hung_up = client == CLIENT_SENT_ON,
        .server_done = server == SERVER_CLOSED || server == SERVER_CUT,
        .was_cut = server == SERVER_CUT,
        .write_failed = server == SERVER_WRITE_FAILED,
        .awaits_signature = stage == STAGE_SIGNING,
        .has_greeted = stage != STAGE_SIGNING && stage != STAGE_UNGREETED,
        .is_committed = stage == STAGE_COMMITTED || stage == STAGE_ENDING || stage == STAGE_CLOSING,
        .is_ending = stage == STAGE_ENDING || stage == STAGE_CLOSING,
        .is_closing = stage == STAGE_CLOSING,
    };
}

static enum ends_action expected(const struct facts *is)
{
    bool cut = is->was_cut && !is->is_closing;
    if (!is->server_done)
        return is->client_done && is->has_greeted && !is->hung_up && !is->write_failed ? ENDS_SEND_FIN
                                                                                       : ENDS_NOTHING;
    if (is->is_ending && !cut)
        return ENDS_FINISH_LOGOUT;
    if (is->awaits_signature)
        return ENDS_GIVE_UP_SIGNATURE;
    if (!is->is_committed && !is->hung_up)
        return ENDS_TRY_NEXT_SERVER;
    if (is->client_ended)
        return ENDS_FINISH_CLIENT_CLOSED;
    return cut ? ENDS_GOODBYE_CUT : ENDS_GOODBYE_CLOSED;
}

START_TEST(every_combination)
{
    enum dialogue_stage stage = (enum dialogue_stage)_i;
    for (int client = 0; client < CLIENT_ENDS; client++)
        for (int server = 0; server < SERVER_ENDS; server++) {
            struct facts is = facts_of((enum client_end)client, (enum server_end)server, stage);
            ck_assert_msg(ends_action((enum client_end)client, (enum server_end)server, stage) ==
                              expected(&is),
                          "client %d, server %d, stage %d", client, server, _i);
        }
}
END_TEST

/* So that nobody has to ask while both sides are open (apply_ends in session_flow.c). */
START_TEST(nothing_follows_before_a_side_has_ended)
{
    ck_assert_int_eq(ends_action(CLIENT_OPEN, SERVER_OPEN, (enum dialogue_stage)_i), ENDS_NOTHING);
    ck_assert_int_eq(ends_action(CLIENT_OPEN, SERVER_WRITE_FAILED, (enum dialogue_stage)_i), ENDS_NOTHING);
}
END_TEST

/* After a failed write a client that has ended is one of which no server has heard the end. */
START_TEST(a_failed_write_is_no_end_of_the_clients)
{
    ck_assert_int_eq(ends_action(CLIENT_DONE, SERVER_WRITE_FAILED, STAGE_UNCOMMITTED), ENDS_NOTHING);
    ck_assert_int_eq(ends_action(CLIENT_DONE, SERVER_CLOSED, STAGE_UNGREETED), ENDS_TRY_NEXT_SERVER);
    ck_assert_int_eq(ends_action(CLIENT_PENDING, SERVER_CLOSED, STAGE_UNGREETED), ENDS_TRY_NEXT_SERVER);
    ck_assert_int_eq(ends_action(CLIENT_SENT_ON, SERVER_CLOSED, STAGE_UNCOMMITTED),
                     ENDS_FINISH_CLIENT_CLOSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_ends");
    TCase *tests = tcase_create("ends");
    tcase_add_loop_test(tests, every_combination, 0, STAGES);
    tcase_add_loop_test(tests, nothing_follows_before_a_side_has_ended, 0, STAGES);
    tcase_add_test(tests, a_failed_write_is_no_end_of_the_clients);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
