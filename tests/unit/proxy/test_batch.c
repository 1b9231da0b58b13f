/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/batch.h"
#include "run_suite.h"

/* Each piece takes this long on the clock of the test: four in a batch. */
#define COST_NS ((uint64_t)250 * 1000)

static uv_loop_t loop;
static uv_async_t alive; /* or the loop would have nothing to go round for */
static uv_check_t other; /* what is served besides */
static struct batch batch;
static uint64_t clock_ns;
static unsigned left;
static unsigned done;
static unsigned done_before; /* when the other was served last */
static unsigned most;        /* pieces between two turns of the other */

static uint64_t tell_time(void)
{
    return clock_ns;
}

static bool step(void *arg)
{
    ck_assert_ptr_eq(arg, &loop);
    if (left == 0)
        return false;
    left--;
    done++;
    clock_ns += COST_NS;
    return true;
}

static void on_other(uv_check_t *check)
{
    (void)check;
    most = done - done_before > most ? done - done_before : most;
    done_before = done;
}

static void set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_async_init(&loop, &alive, NULL), 0);
    uv_check_init(&loop, &other);
    uv_check_start(&other, on_other);
    batch_init(&batch, &loop, step, &loop);
    batch.clock_ns = tell_time;
}

static void tear_down(void)
{
    uv_close((uv_handle_t *)&alive, NULL);
    uv_close((uv_handle_t *)&other, NULL);
    uv_close((uv_handle_t *)&batch.idle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static bool is_waiting(void)
{
    return uv_is_active((uv_handle_t *)&batch.idle) != 0;
}

START_TEST(what_is_little_is_done_at_once)
{
    batch_start(&batch);
    ck_assert(!is_waiting());
    left = 3;
    batch_start(&batch);
    ck_assert_uint_eq(done, 3);
    ck_assert(!is_waiting());
}
END_TEST

START_TEST(a_crowd_takes_turns_with_others)
{
    left = 10000;
    batch_start(&batch);
    ck_assert_uint_eq(done, 4);
    for (unsigned i = 2; i <= 2500; i++) {
        ck_assert(is_waiting());
        turn();
        ck_assert_uint_eq(done, 4 * i);
    }
    ck_assert_uint_eq(most, 8); /* one at once, and one in the first iteration */
    turn();
    ck_assert_uint_eq(done, 10000);
    ck_assert(!is_waiting());
}
END_TEST

START_TEST(it_begins_once)
{
    left = 12;
    batch_start(&batch);
    batch_start(&batch);
    ck_assert_uint_eq(done, 4);
    turn();
    turn();
    ck_assert_uint_eq(done, 12);
    left = 1; /* more has come before it was found that there is none */
    turn();
    ck_assert_uint_eq(done, 13);
    ck_assert(!is_waiting());
    left = 5;
    batch_start(&batch);
    ck_assert_uint_eq(done, 17);
    turn();
    ck_assert_uint_eq(done, 18);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tests = tcase_create("batch");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_little_is_done_at_once);
    tcase_add_test(tests, a_crowd_takes_turns_with_others);
    tcase_add_test(tests, it_begins_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
