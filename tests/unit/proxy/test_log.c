/* SPDX-License-Identifier: BSD-2-Clause */
/* The log on standard error, which is a pipe of the test's: its reader reads, takes its time, or stops. */
#include "proxy/common/log.h"

#include "base/array.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { PRODUCERS = 4, LINES = 5000, PIPE_SIZE = 4096, FILLER = 'x' };

#define BUSY_MS   5000 /* what takes no time may take so long on a busy machine, and under a sanitizer */
#define NS_PER_MS 1000000

static int standard_error;
static int reader;
static struct log *the_log;
static bool stays_stalled; /* the process ends with a thread that waits for the reader */

/* What the reader has read: what is put into the pipe first to fill it has no line of ours. */
static struct {
    uint64_t next[PRODUCERS + 1]; /* by producer, the main thread last: the number that its next line has */
    uint64_t lines;
    uint64_t dropped;
    size_t dropped_lines;
    bool has_gaps; /* allowed, as lines were dropped */
} seen;

static void log_to(int fd)
{
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
}

static void set_up(void)
{
    int ends[2];
    memset(&seen, 0, sizeof seen);
    stays_stalled = false;
    standard_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
    reader = ends[0];
    log_to(ends[1]);
    signal(SIGPIPE, SIG_IGN);
    the_log = log_new(CFG_LOG_INFO);
    ck_assert_ptr_nonnull(the_log);
}

static void tear_down(void)
{
    log_close(&the_log);
    ck_assert_ptr_null(the_log);
    if (stays_stalled)
        return;
    ck_assert_int_eq(dup2(standard_error, STDERR_FILENO), STDERR_FILENO);
    close(standard_error);
    close(reader);
}

static uint64_t milliseconds(void)
{
    return uv_hrtime() / NS_PER_MS;
}

/* ---- producers ---- */

static void make_line(struct log_line *line, uint64_t producer, uint64_t number)
{
    log_line_begin(line, CFG_LOG_INFO, "test");
    log_line_add_number(line, "producer", producer);
    log_line_add_number(line, "number", number);
    log_line_add_text(line, "filler",
                      "three hundred octets a line are what a session has, or some more or less");
}

static void write_main(uint64_t number)
{
    struct log_line line;
    make_line(&line, PRODUCERS, number);
    log_write(the_log, &line);
}

struct producer {
    uv_thread_t thread;
    struct log_queue *queue;
    uint64_t index;
};

static void produce(void *arg)
{
    struct producer *producer = arg;
    for (uint64_t i = 0; i < LINES; i++) {
        struct log_line line;
        make_line(&line, producer->index, i);
        log_queue_put(producer->queue, &line);
    }
}

static void start_producers(struct producer producers[PRODUCERS])
{
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.queue = log_add_queue(the_log), .index = i};
        ck_assert_ptr_nonnull(producers[i].queue);
        ck_assert_int_eq(uv_thread_create(&producers[i].thread, produce, &producers[i]), 0);
    }
}

static void join_producers(struct producer producers[PRODUCERS])
{
    for (size_t i = 0; i < PRODUCERS; i++)
        uv_thread_join(&producers[i].thread);
}

/* ---- the reader ---- */

static uint64_t number_of(const char *line, const char *key)
{
    const char *value = strstr(line, key);
    ck_assert_msg(value != NULL, "no %s in: %s", key, line);
    return strtoull(value + strlen(key), NULL, 10);
}

static void see_line(const char *line)
{
    if (strstr(line, "event=log-lines-dropped") != NULL) {
        ck_assert_ptr_nonnull(strstr(line, "level=warning"));
        seen.dropped += number_of(line, " count=");
        seen.dropped_lines++;
        return;
    }
    if (line[0] == FILLER)
        return;
    ck_assert_msg(strncmp(line, "time=", 5) == 0, "no beginning of a line: %s", line);
    uint64_t producer = number_of(line, " producer=");
    uint64_t number = number_of(line, " number=");
    ck_assert_uint_le(producer, PRODUCERS);
    ck_assert_msg(seen.has_gaps ? number >= seen.next[producer] : number == seen.next[producer], "%s", line);
    seen.next[producer] = number + 1;
    seen.lines++;
}

/* Reads until there have been so many lines, dropped ones included; `pause_ms` after each read. */
static void read_lines(uint64_t count, unsigned pause_ms)
{
    static char text[LOG_LINE_MAX + 1];
    size_t len = 0;
    while (seen.lines + seen.dropped < count) {
        ssize_t got = read(reader, text + len, sizeof text - 1 - len);
        ck_assert_int_gt(got, 0);
        len += (size_t)got;
        text[len] = '\0';
        char *line = text;
        for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = '\0';
            see_line(line);
        }
        len -= (size_t)(line - text);
        memmove(text, line, len);
        if (pause_ms > 0)
            uv_sleep(pause_ms);
    }
    ck_assert_uint_eq(seen.lines + seen.dropped, count);
}

struct slow_reader {
    uv_thread_t thread;
    uint64_t count;
    unsigned pause_ms;
};

static void read_slowly(void *arg)
{
    const struct slow_reader *slow = arg;
    read_lines(slow->count, slow->pause_ms);
}

static void start_reader(struct slow_reader *slow, uint64_t count, unsigned pause_ms)
{
    *slow = (struct slow_reader){.count = count, .pause_ms = pause_ms};
    ck_assert_int_eq(uv_thread_create(&slow->thread, read_slowly, slow), 0);
}

/* Nothing fits into the pipe any more. Its flags are another's, as the log's are shared with others. */
static void fill_pipe(void)
{
    char path[64];
    char filler[64];
    memset(filler, FILLER, sizeof filler);
    filler[sizeof filler - 1] = '\n';
    snprintf(path, sizeof path, "/proc/self/fd/%d", STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    while (write(fd, filler, sizeof filler) == sizeof filler)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    close(fd);
}

/* ---- the tests ---- */

START_TEST(lines_of_each_thread_are_in_order)
{
    struct producer producers[PRODUCERS];
    struct slow_reader live;
    start_reader(&live, (PRODUCERS + 1) * LINES, 0);
    start_producers(producers);
    for (uint64_t i = 0; i < LINES; i++)
        write_main(i);
    join_producers(producers);
    log_close(&the_log);
    uv_thread_join(&live.thread);
    ck_assert_uint_eq(seen.dropped_lines, 0);
}
END_TEST

START_TEST(lines_of_two_threads_are_in_the_order_of_their_times)
{
    enum { PAIRS = 8, PAUSE_MS = 2 };
    static char text[PIPE_SIZE];
    struct log_queue *queue = log_add_queue(the_log);
    ck_assert_ptr_nonnull(queue);
    for (uint64_t i = 0; i < PAIRS; i++) {
        struct log_line line;
        make_line(&line, 0, 2 * i);
        log_queue_put(queue, &line);
        uv_sleep(PAUSE_MS);
        write_main(2 * i + 1);
        uv_sleep(PAUSE_MS);
    }
    ck_assert(log_flush(the_log));
    ck_assert_int_gt(read(reader, text, sizeof text - 1), 0);
    const char *at = text;
    for (uint64_t i = 0; i < 2 * PAIRS; i++) {
        at = strstr(at, " number=");
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq(number_of(at, " number="), i);
        at++;
    }
}
END_TEST

START_TEST(nobody_waits_for_a_reader_that_has_stopped)
{
    struct producer producers[PRODUCERS];
    fill_pipe();
    uint64_t begun = milliseconds();
    start_producers(producers);
    for (uint64_t i = 0; i < LINES; i++)
        write_main(i);
    join_producers(producers);
    ck_assert_uint_le(milliseconds() - begun, BUSY_MS);
    read_lines((PRODUCERS + 1) * LINES, 0);
    ck_assert_uint_eq(seen.dropped_lines, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_counted_and_told)
{
    struct log_line line;
    make_line(&line, PRODUCERS, 0);
    uint64_t count = 3 * LOG_QUEUE_MAX / line.len;
    fill_pipe();
    write_main(0);
    uint64_t begun = milliseconds();
    for (uint64_t i = 1; i < count; i++)
        write_main(i);
    ck_assert_uint_le(milliseconds() - begun, 2 * BUSY_MS);
    seen.has_gaps = true;
    read_lines(count, 0);
    ck_assert_uint_ge(seen.dropped_lines, 1);
    ck_assert_uint_ge(seen.lines, LOG_QUEUE_MAX / (line.len + 16)); /* numbers grow longer */
    ck_assert_uint_ge(seen.dropped, count / 4);
    /* Then there is room again, and nothing to tell. */
    size_t told = seen.dropped_lines;
    write_main(count);
    read_lines(count + 1, 0);
    ck_assert_uint_eq(seen.dropped_lines, told);
}
END_TEST

START_TEST(end_does_not_wait_for_a_reader_that_has_stopped)
{
    fill_pipe();
    for (uint64_t i = 0; i < LINES; i++)
        write_main(i);
    uint64_t begun = milliseconds();
    log_close(&the_log);
    uint64_t end = milliseconds();
    ck_assert_uint_ge(end - begun, LOG_STALL_MS);
    ck_assert_uint_le(end - begun, LOG_STALL_MS + BUSY_MS);
    /* The thread that was left to itself has all that it needs, should the reader come back. */
    stays_stalled = _i == 0;
    if (!stays_stalled)
        read_lines(LINES, 0);
}
END_TEST

START_TEST(end_waits_for_a_reader_that_takes_its_time)
{
    enum { SLOW_LINES = 3000, PAUSE_MS = 25 };
    struct slow_reader slow;
    fill_pipe();
    for (uint64_t i = 0; i < SLOW_LINES; i++)
        write_main(i);
    start_reader(&slow, SLOW_LINES, PAUSE_MS);
    uint64_t begun = milliseconds();
    log_close(&the_log);
    ck_assert_uint_gt(milliseconds() - begun, LOG_STALL_MS);
    uv_thread_join(&slow.thread);
    ck_assert_uint_eq(seen.dropped_lines, 0);
}
END_TEST

/* Another process that has the pipe as well may have made it so. */
START_TEST(a_pipe_that_does_not_block_loses_nothing)
{
    fill_pipe();
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK), 0);
    for (uint64_t i = 0; i < LINES; i++)
        write_main(i);
    read_lines(LINES, 0);
    ck_assert_uint_eq(seen.dropped_lines, 0);
    ck_assert(log_flush(the_log));
}
END_TEST

START_TEST(flags_are_left_as_they_are)
{
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    ck_assert_int_eq(flags & O_NONBLOCK, 0);
    fill_pipe();
    write_main(0);
    read_lines(1, 0);
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL), flags);
}
END_TEST

/* Each write is a message here, so that they can be counted. */
START_TEST(lines_are_written_in_batches)
{
    enum { BATCH = 40 };
    static char message[64 * 1024];
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    log_to(ends[1]);
    uint64_t begun = milliseconds();
    for (uint64_t i = 0; i < BATCH; i++)
        write_main(i);
    uint64_t periods = (milliseconds() - begun) / LOG_GATHER_MS;
    ck_assert(log_flush(the_log));
    uint64_t writes = 0;
    while (recv(ends[0], message, sizeof message, MSG_DONTWAIT) > 0)
        writes++;
    close(ends[0]);
    ck_assert_uint_ge(writes, 1);
    ck_assert_uint_le(writes, periods + 2);
}
END_TEST

/* As when a disk is full: what was lost is told when it is not, and half a line stays by itself. */
START_TEST(what_can_not_be_written_is_told_later)
{
    enum { ROOM = 150, SECOND = 3 };
    FILE *file = tmpfile();
    static char text[4096];
    struct rlimit limit;
    ck_assert_ptr_nonnull(file);
    signal(SIGXFSZ, SIG_IGN);
    log_to(fcntl(fileno(file), F_DUPFD_CLOEXEC, 3));
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t usual = limit.rlim_cur;
    limit.rlim_cur = ROOM;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t i = 0; i < SECOND; i++) {
        write_main(i);
        ck_assert(log_flush(the_log));
    }
    limit.rlim_cur = usual;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    write_main(SECOND);
    ck_assert(log_flush(the_log));
    ck_assert_int_gt(pread(fileno(file), text, sizeof text - 1, 0), ROOM);
    fclose(file);
    ck_assert_ptr_null(strstr(text, " number=2 "));
    char *rest = text + ROOM;
    ck_assert_int_eq(rest[0], '\n');
    ck_assert_int_eq(strncmp(rest + 1, "time=", 5), 0);
    ck_assert_ptr_nonnull(strstr(rest, " number=3 "));
    ck_assert_ptr_nonnull(strstr(rest, "level=warning event=log-lines-dropped count=3\n"));
}
END_TEST

START_TEST(level_can_be_changed)
{
    struct log_line line;
    write_main(0);
    log_set_level(the_log, CFG_LOG_WARNING);
    write_main(1);
    log_set_level(the_log, CFG_LOG_INFO);
    write_main(1);
    log_line_begin(&line, CFG_LOG_DEBUG, "nothing");
    log_write(the_log, &line);
    write_main(2);
    read_lines(3, 0);
}
END_TEST

START_TEST(before_there_is_a_log)
{
    struct log_line line;
    struct log *none = NULL;
    make_line(&line, PRODUCERS, 0);
    log_write(NULL, &line);
    read_lines(1, 0);
    log_close(&none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lines_of_each_thread_are_in_order);
    tcase_add_test(tests, lines_of_two_threads_are_in_the_order_of_their_times);
    tcase_add_test(tests, nobody_waits_for_a_reader_that_has_stopped);
    tcase_add_test(tests, what_does_not_fit_is_counted_and_told);
    tcase_add_loop_test(tests, end_does_not_wait_for_a_reader_that_has_stopped, 0, 2);
    tcase_add_test(tests, end_waits_for_a_reader_that_takes_its_time);
    tcase_add_test(tests, a_pipe_that_does_not_block_loses_nothing);
    tcase_add_test(tests, flags_are_left_as_they_are);
    tcase_add_test(tests, lines_are_written_in_batches);
    tcase_add_test(tests, what_can_not_be_written_is_told_later);
    tcase_add_test(tests, level_can_be_changed);
    tcase_add_test(tests, before_there_is_a_log);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
