/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/heartbeat.h"
#include "run_suite.h"

#include <limits.h>

static struct heartbeat heartbeat;

static void look(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_SAME);
}

START_TEST(a_worker_that_beats)
{
    for (int i = 0; i < 100; i++) {
        heartbeat_beat(&heartbeat);
        look(HEARTBEATS_MISSED - 1); /* late, and never too late */
    }
    ck_assert(!heartbeat.is_hung);
}
END_TEST

START_TEST(a_worker_that_hangs_and_is_back)
{
    heartbeat_beat(&heartbeat);
    look(HEARTBEATS_MISSED);
    ck_assert(!heartbeat.is_hung);
    ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_HUNG);
    ck_assert(heartbeat.is_hung);
    look(1000);
    ck_assert(heartbeat.is_hung);
    heartbeat_beat(&heartbeat);
    ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_BACK);
    ck_assert(!heartbeat.is_hung);
    look(HEARTBEATS_MISSED - 1);
    ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_HUNG);
}
END_TEST

START_TEST(a_worker_that_has_never_moved)
{
    look(HEARTBEATS_MISSED - 1);
    ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_HUNG);
}
END_TEST

START_TEST(a_worker_that_has_ended)
{
    heartbeat_beat(&heartbeat);
    heartbeat_end(&heartbeat);
    look(10 * HEARTBEATS_MISSED);
    ck_assert(!heartbeat.is_hung);
}
END_TEST

START_TEST(the_count_starts_over)
{
    atomic_store(&heartbeat.beats, UINT_MAX - 2);
    heartbeat.seen = UINT_MAX - 2;
    heartbeat_beat(&heartbeat); /* not the one that means the end */
    heartbeat_beat(&heartbeat);
    ck_assert_uint_eq(atomic_load(&heartbeat.beats), 0);
    look(HEARTBEATS_MISSED);
    ck_assert_int_eq(heartbeat_look(&heartbeat), HEARTBEAT_HUNG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heartbeat");
    TCase *tests = tcase_create("heartbeat");
    tcase_add_test(tests, a_worker_that_beats);
    tcase_add_test(tests, a_worker_that_hangs_and_is_back);
    tcase_add_test(tests, a_worker_that_has_never_moved);
    tcase_add_test(tests, a_worker_that_has_ended);
    tcase_add_test(tests, the_count_starts_over);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
