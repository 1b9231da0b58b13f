/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/limit_log.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uv_loop_t loop;
static struct log *log_of_test;
static struct limit_log limits;
static char written[16384];
static int output; /* standard error, as it was */
static FILE *file;

static void set_up(void)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    output = dup(STDERR_FILENO);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    log_of_test = log_new(CFG_LOG_INFO);
    limit_log_init(&limits, &loop, log_add_queue(log_of_test));
}

/* The lines that there are by now. */
static const char *lines(void)
{
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    ck_assert(log_flush(log_of_test));
    dup2(output, STDERR_FILENO);
    ssize_t len = pread(fileno(file), written, sizeof written - 1, 0);
    written[len > 0 ? len : 0] = '\0';
    return written;
}

static void tear_down(void)
{
    uv_close((uv_handle_t *)&limits.timer, NULL);
    log_close(&log_of_test);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    close(output);
    fclose(file);
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        found++;
    return found;
}

static struct sockaddr_storage client(uint32_t address)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(address)};
    memcpy(&storage, &v4, sizeof v4);
    return storage;
}

/* As the timer would, which the loop calls when its time has come. */
static void ten_seconds(void)
{
    ck_assert_int_eq(LIMIT_LOG_MS, 10 * 1000);
    ck_assert(uv_is_active((uv_handle_t *)&limits.timer));
    ck_assert_uint_le(uv_timer_get_due_in(&limits.timer), LIMIT_LOG_MS);
    ck_assert_uint_gt(uv_timer_get_due_in(&limits.timer), LIMIT_LOG_MS / 2); /* the test may have been slow */
    limits.timer.timer_cb(&limits.timer);
}

START_TEST(the_first_at_once_and_the_others_counted)
{
    for (uint32_t i = 0; i < 1000; i++) {
        struct sockaddr_storage from = client(0xc0000201u + i % 2);
        limit_log_note(&limits, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS, "imap", &from);
    }
    ck_assert_uint_eq(count(lines(), "event=overload"), 1);
    ck_assert_ptr_nonnull(
        strstr(written,
               "level=warning event=overload service=imap client=192.0.2.1:4711 "
               "limit=limits.handshakes_per_address action=closed count=1 cause=\"many clients have this "));
    ten_seconds();
    ck_assert_uint_eq(count(lines(), "event=overload"), 2);
    ck_assert_ptr_nonnull(strstr(written, "client=192.0.2.2:4711 limit=limits.handshakes_per_address "
                                          "action=closed count=999 cause="));
    /* Quiet for ten seconds: the next one has its line at once again. */
    ten_seconds();
    ck_assert(!uv_is_active((uv_handle_t *)&limits.timer));
    struct sockaddr_storage from = client(1);
    limit_log_note(&limits, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS, "imap", &from);
    ck_assert_uint_eq(count(lines(), "event=overload"), 3);
}
END_TEST

START_TEST(each_kind_by_itself)
{
    struct sockaddr_storage from = client(1);
    for (int i = 0; i < CLIENT_LIMITS; i++)
        for (int times = 0; times < 3; times++)
            limit_log_note(&limits, (enum client_limit)i, "pop3",
                           i == CLIENT_LIMIT_HANDSHAKES ? NULL : &from);
    ck_assert_uint_eq(count(lines(), "event=overload"), CLIENT_LIMITS);
    ck_assert_ptr_nonnull(strstr(written, "service=pop3 limit=limits.handshakes action=\"new connections "
                                          "wait\" count=1 cause="));
    ck_assert_uint_eq(count(written, "client="), CLIENT_LIMITS - 1);
    limit_log_flush(&limits);
    ck_assert_uint_eq(count(lines(), "count=2"), CLIENT_LIMITS);
    limit_log_flush(&limits);
    ck_assert_uint_eq(count(lines(), "event=overload"), (size_t)2 * CLIENT_LIMITS);
}
END_TEST

/* One that waits has other words than one that is closed, and both are counted for themselves. */
START_TEST(who_waits_for_others_of_its_address)
{
    struct sockaddr_storage from = client(1);
    for (int i = 0; i < 3; i++) {
        limit_log_note_waiting(&limits, "imap", &from);
        limit_log_note(&limits, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS, "imap", &from);
    }
    ck_assert_uint_eq(count(lines(), "limit=limits.handshakes_per_address"), 2);
    ck_assert_ptr_nonnull(strstr(written,
                                 "client=0.0.0.1:4711 limit=limits.handshakes_per_address action=\"it "
                                 "waits for others of its address\" count=1 cause="));
    limit_log_flush(&limits);
    ck_assert_uint_eq(count(lines(), "count=2 cause="), 2);
}
END_TEST

START_TEST(who_waits_for_its_turn)
{
    struct sockaddr_storage from = client(1);
    limit_log_note_slowed(&limits, "imap", &from);
    limit_log_note(&limits, CLIENT_LIMIT_CONNECTION_RATE, "imap", &from);
    ck_assert_ptr_nonnull(strstr(lines(), "client=0.0.0.1:4711 limit=connection_rate_per_address action=\"it "
                                          "waits for its turn\" count=1 cause="));
    ck_assert_ptr_nonnull(strstr(written, "limit=connection_rate_per_address action=closed count=1 cause="));
}
END_TEST

START_TEST(refusals)
{
    struct sockaddr_storage from = client(0xc0000201u);
    for (int i = 0; i < REFUSALS; i++)
        for (int times = 0; times < 3; times++)
            limit_log_note_refusal(&limits, (enum refusal)i, times == 2 ? "a detail" : NULL, "pop3", &from);
    ck_assert_uint_eq(count(lines(), "event=refused"), REFUSALS);
    ck_assert_ptr_nonnull(strstr(written, "level=warning event=refused service=pop3 client=192.0.2.1:4711 "
                                          "reason=denied action=closed count=1\n"));
    ck_assert_ptr_nonnull(
        strstr(written, "reason=proxy-untrusted action=closed count=1 cause=\"the address"));
    ten_seconds();
    ck_assert_uint_eq(count(lines(), "detail=\"a detail\" action=closed count=2"), REFUSALS);
}
END_TEST

START_TEST(failures_to_accept)
{
    for (int i = 0; i < 100; i++)
        limit_log_note_failure(&limits, EMFILE, "imap");
    ck_assert_uint_eq(count(lines(), "event=accept-failed"), 1);
    ck_assert_ptr_nonnull(strstr(written,
                                 "level=warning event=accept-failed service=imap error=\"too many open "
                                 "files\" action=\"new connections wait\" raise=\"the limit of open "
                                 "files (LimitNOFILE of systemd, ulimit -n)\" count=1\n"));
    limit_log_note_failure(&limits, EINVAL, "pop3"); /* nothing to raise */
    ten_seconds();
    ck_assert_ptr_nonnull(strstr(lines(), "service=pop3 error=\"invalid argument\" action=\"new connections "
                                          "wait\" count=100\n"));
}
END_TEST

START_TEST(the_limit_of_open_files_is_no_setting)
{
    struct sockaddr_storage from = client(1);
    limit_log_note(&limits, CLIENT_LIMIT_OPEN_FILES, "imap", &from);
    ck_assert_ptr_nonnull(strstr(lines(), "limit=open-files action=closed raise=\"the limit of open files"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("overload");
    TCase *tests = tcase_create("overload");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_at_once_and_the_others_counted);
    tcase_add_test(tests, each_kind_by_itself);
    tcase_add_test(tests, who_waits_for_others_of_its_address);
    tcase_add_test(tests, who_waits_for_its_turn);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures_to_accept);
    tcase_add_test(tests, the_limit_of_open_files_is_no_setting);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
