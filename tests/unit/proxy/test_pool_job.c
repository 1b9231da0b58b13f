/* SPDX-License-Identifier: BSD-2-Clause */
/* Work in a thread of the pool: one at a time, and once more for all that was requested meanwhile. */
#include "proxy/control/pool_job.h"

#include "run_suite.h"

#include <pthread.h>
#include <signal.h>

static uv_loop_t loop;
static uv_async_t ended; /* as the main thread has it; it keeps the loop alive too */
static struct pool_job job;
static uv_sem_t may_go_on; /* taken by each run */
static unsigned to_do;     /* what `begin` finds */
static unsigned begun;
static unsigned run_count;
static unsigned end_count;
static unsigned ended_count;
static bool has_signals;

static bool begin(void *arg)
{
    ck_assert_ptr_eq(arg, &to_do);
    if (to_do == 0)
        return false;
    to_do--;
    begun++;
    return true;
}

static void run(void *arg)
{
    sigset_t mask;
    ck_assert_ptr_eq(arg, &to_do);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    has_signals = !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGHUP);
    uv_sem_wait(&may_go_on);
    run_count++;
}

static void end(void *arg)
{
    ck_assert_ptr_eq(arg, &to_do);
    ck_assert_uint_eq(run_count, begun);
    ck_assert(!pool_job_is_running(&job));
    end_count++;
}

static void on_ended(uv_async_t *async)
{
    ck_assert_ptr_eq(async, &ended);
    ended_count++;
}

static void set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_async_init(&loop, &ended, on_ended), 0);
    ck_assert_int_eq(uv_sem_init(&may_go_on, 0), 0);
    job = (struct pool_job){
        .loop = &loop, .begin = begin, .run = run, .end = end, .arg = &to_do, .ended = &ended};
}

static void tear_down(void)
{
    ck_assert(!pool_job_is_running(&job));
    uv_close((uv_handle_t *)&ended, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    uv_sem_destroy(&may_go_on);
}

/* Until so many have ended, and have been told of. */
static void let_end(unsigned count)
{
    uv_sem_post(&may_go_on);
    while (end_count < count || ended_count < count)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_uint_eq(end_count, count);
}

START_TEST(one_request)
{
    sigset_t before;
    sigset_t after;
    to_do = 5;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    pool_job_request(&job);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    ck_assert(pool_job_is_running(&job));
    ck_assert_uint_eq(begun, 1);
    let_end(1);
    ck_assert(!pool_job_is_running(&job));
    ck_assert_uint_eq(begun, 1);
    ck_assert(!has_signals);
    pool_job_request(&job);
    let_end(2);
    ck_assert_uint_eq(begun, 2);
}
END_TEST

START_TEST(many_requests_meanwhile)
{
    to_do = 5;
    pool_job_request(&job);
    for (int i = 0; i < 3; i++)
        pool_job_request(&job);
    ck_assert_uint_eq(begun, 1);
    let_end(1);
    ck_assert(pool_job_is_running(&job));
    ck_assert_uint_eq(begun, 2);
    let_end(2);
    ck_assert(!pool_job_is_running(&job));
    ck_assert_uint_eq(begun, 2);
}
END_TEST

START_TEST(nothing_to_do)
{
    pool_job_request(&job);
    ck_assert(!pool_job_is_running(&job));
    to_do = 1;
    pool_job_request(&job);
    pool_job_request(&job); /* for which there is nothing by then */
    let_end(1);
    ck_assert(!pool_job_is_running(&job));
    ck_assert_uint_eq(begun, 1);
}
END_TEST

START_TEST(nobody_to_tell)
{
    to_do = 1;
    job.end = NULL;
    job.ended = NULL;
    pool_job_request(&job);
    uv_sem_post(&may_go_on);
    while (pool_job_is_running(&job))
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_uint_eq(run_count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_job");
    TCase *tests = tcase_create("pool_job");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, one_request);
    tcase_add_test(tests, many_requests_meanwhile);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, nobody_to_tell);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
