/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/parent_log.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int pipe_ends[2];
static int output; /* standard error, as it was */

static void set_up(void)
{
    ck_assert_int_eq(pipe(pipe_ends), 0);
    output = dup(STDERR_FILENO);
}

static void tear_down(void)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close(output);
}

/* Milliseconds that it took. */
static long write_line(void)
{
    struct log_line line;
    struct timespec begun;
    struct timespec ended;
    log_line_begin(&line, CFG_LOG_ERROR, "proxy-ended");
    clock_gettime(CLOCK_MONOTONIC, &begun);
    dup2(pipe_ends[1], STDERR_FILENO);
    parent_log_write(&line);
    dup2(output, STDERR_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return (ended.tv_sec - begun.tv_sec) * 1000 + (ended.tv_nsec - begun.tv_nsec) / 1000000;
}

static size_t read_all(char *into, size_t cap)
{
    ck_assert_int_eq(fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK), 0);
    ssize_t len = read(pipe_ends[0], into, cap - 1);
    into[len > 0 ? len : 0] = '\0';
    return len > 0 ? (size_t)len : 0;
}

START_TEST(a_line)
{
    char text[LOG_LINE_MAX];
    write_line();
    size_t len = read_all(text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, " level=error event=proxy-ended\n"));
    ck_assert_int_eq(text[len - 1], '\n');
}
END_TEST

START_TEST(nobody_reads)
{
    static char text[1024 * 1024];
    char octet = 'x';
    ck_assert_int_eq(fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(pipe_ends[1], &octet, 1) == 1)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(fcntl(pipe_ends[1], F_SETFL, 0), 0);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_ge(write_line(), PARENT_LOG_WAIT_MS - 10);
    /* No part of a line, and no line later. */
    size_t len = read_all(text, sizeof text);
    ck_assert_uint_gt(len, 0);
    ck_assert_ptr_null(memchr(text, '\n', len));
}
END_TEST

START_TEST(there_is_no_reader)
{
    signal(SIGPIPE, SIG_IGN);
    close(pipe_ends[0]);
    write_line();
    pipe_ends[0] = dup(output);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parent_log");
    TCase *tests = tcase_create("parent_log");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_line);
    tcase_add_test(tests, nobody_reads);
    tcase_add_test(tests, there_is_no_reader);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
