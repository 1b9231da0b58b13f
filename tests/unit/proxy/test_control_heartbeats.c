/* SPDX-License-Identifier: BSD-2-Clause */
/* Which workers hang, as the main thread finds, logs and tells it. */
#include "proxy/control/control_private.h"

#include "run_suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 12 };

static struct control control;
static struct worker workers[WORKERS];
static char written[4096];

static void set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&control.loop), 0);
    ck_assert_int_eq(uv_timer_init(&control.loop, &control.heartbeats), 0);
    control.log = log_new(CFG_LOG_INFO);
    ck_assert_ptr_nonnull(control.log);
    control.workers = workers;
    control.worker_count = WORKERS;
    control_watch_heartbeats(&control);
}

static void tear_down(void)
{
    log_close(&control.log);
    uv_close((uv_handle_t *)&control.heartbeats, NULL);
    uv_run(&control.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&control.loop), 0);
}

/* As the timer would, of which the others' workers have moved meanwhile. */
static void look(size_t count, unsigned hangs)
{
    ck_assert_uint_eq(uv_timer_get_repeat(&control.heartbeats), HEARTBEAT_MS);
    for (size_t i = 0; i < count; i++) {
        for (unsigned worker = 0; worker < WORKERS; worker++)
            if (worker != hangs)
                heartbeat_beat(&workers[worker].heartbeat);
        control.heartbeats.timer_cb(&control.heartbeats);
    }
}

/* All that was logged, which is to come in a file from now on. */
static const char *lines(void)
{
    FILE *file = tmpfile();
    int output = dup(STDERR_FILENO);
    ck_assert_ptr_nonnull(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    ck_assert(log_flush(control.log));
    dup2(output, STDERR_FILENO);
    ssize_t len = pread(fileno(file), written, sizeof written - 1, 0);
    written[len > 0 ? len : 0] = '\0';
    close(output);
    fclose(file);
    return written;
}

/* The one that was logged ends so. */
static void expect_line(const char *end)
{
    const char *line = strstr(lines(), end);
    ck_assert_msg(line != NULL, "%s", written);
    ck_assert_ptr_eq(strchr(written, '\n'), line + strlen(end) - 1);
    ck_assert_str_eq(line, end);
}

START_TEST(one_that_hangs_and_is_back)
{
    char words[64] = "as before";
    look(1, WORKERS);
    look(HEARTBEATS_MISSED - 1, 11);
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof words), 0);
    ck_assert_str_eq(words, "as before");
    ck_assert_str_eq(lines(), "");
    look(3, 11);
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof words), 1);
    ck_assert_str_eq(words, "worker 11");
    expect_line(" level=error event=worker-hung worker=11\n");
    look(2, WORKERS);
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof words), 0);
    expect_line(" level=warning event=worker-back worker=11\n");
}
END_TEST

START_TEST(several_and_more_than_fit)
{
    char words[24];
    workers[0].heartbeat.is_hung = workers[3].heartbeat.is_hung = true;
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof words), 2);
    ck_assert_str_eq(words, "worker 0, 3");
    for (size_t i = 0; i < WORKERS; i++)
        workers[i].heartbeat.is_hung = true;
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof words), WORKERS);
    ck_assert_str_eq(words, "worker 0, 1, 2, 3, 4, 5");
    ck_assert_uint_eq(control_describe_hung(&control, words, sizeof "worker 0"), WORKERS);
    ck_assert_str_eq(words, "worker 0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_heartbeats");
    TCase *tests = tcase_create("control_heartbeats");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, one_that_hangs_and_is_back);
    tcase_add_test(tests, several_and_more_than_fit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
