/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker in its thread: what a reload takes away, and sessions of an earlier configuration. */
#include "proxy/worker/worker.h"

#include "certificates.h"
#include "inner_proxy.h"
#include "proxy/runtime/snapshot.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int connect_to(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    char greeting[256] = {0};
    if (error == 0) {
        ck_assert_int_gt(recv(fd, greeting, sizeof greeting - 1, 0), 0);
        ck_assert_ptr_eq(strstr(greeting, "* OK"), greeting);
    }
    close(fd);
    return error;
}

START_TEST(a_reload_takes_the_first_address_away)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    int gone = inner_proxy_port(proxy, INNER_TLS);
    int stays = inner_proxy_port(proxy, INNER_STARTTLS);
    inner_proxy_leave_out_tls(proxy);
    inner_proxy_reload(proxy);
    ck_assert_int_eq(connect_to(gone), ECONNREFUSED);
    ck_assert_int_eq(connect_to(stays), 0);
    inner_proxy_stop(&proxy);
}
END_TEST

static void reload_and_end(struct inner_proxy *proxy)
{
    inner_proxy_reload(proxy);
    inner_proxy_reload(proxy);
    inner_proxy_end(proxy);
}

/* Nothing keeps what it has begun with: that ends with the session, or with the worker. */
START_TEST(a_session_of_an_old_configuration_at_the_end)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    struct snapshot *first = snapshot_ref(inner_proxy_snapshot(proxy));
    struct inner_dialogue dialogue = inner_proxy_talk(proxy, INNER_TLS, "somebody", reload_and_end);
    ck_assert_ptr_ne(inner_proxy_snapshot(proxy), first);
    ck_assert(dialogue.is_secured);
    ck_assert(dialogue.has_ended);
    struct slice last = bytes_view(&dialogue.to_client);
    ck_assert_ptr_nonnull(memmem(last.data, last.len, "* BYE", 5));
    inner_dialogue_free(&dialogue);
    struct snapshot *last_one = snapshot_ref(inner_proxy_snapshot(proxy));
    inner_proxy_stop(&proxy);
    ck_assert_uint_eq(atomic_load(&first->references.count), 1);
    ck_assert_uint_eq(atomic_load(&last_one->references.count), 1);
    snapshot_unref(&first);
    snapshot_unref(&last_one);
}
END_TEST

/* A client before STARTTLS, which has read its greeting. */
static int connect_and_read(struct inner_proxy *proxy)
{
    char greeting[256];
    int fd = inner_proxy_connect(proxy, INNER_STARTTLS);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000), 1);
    ck_assert_int_gt(recv(fd, greeting, sizeof greeting, 0), 0);
    return fd;
}

/* It is told of the end, and has some time to close: not more. */
START_TEST(a_client_that_stays_holds_no_end_up)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    char goodbye[256] = {0};
    int fd = connect_and_read(proxy);
    inner_proxy_stop(&proxy);
    ck_assert_int_gt(recv(fd, goodbye, sizeof goodbye - 1, 0), 0);
    ck_assert_ptr_eq(strstr(goodbye, "* BYE"), goodbye);
    ck_assert_int_eq(recv(fd, goodbye, sizeof goodbye, 0), 0);
    close(fd);
}
END_TEST

/* All that are there, some of them, and their end. */
START_TEST(a_survey)
{
    enum { CLIENTS = 5 };
    struct inner_proxy *proxy = inner_proxy_start("");
    struct survey_query query = {.max = 3};
    struct survey survey = {.query = &query};
    struct survey_row row;
    int clients[CLIENTS];
    size_t at = 0;
    ck_assert(inner_proxy_survey(proxy, &survey));
    ck_assert_uint_eq(survey.matched, 0);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_and_read(proxy);
    ck_assert(inner_proxy_survey(proxy, &survey));
    ck_assert_uint_eq(survey.matched, CLIENTS);
    ck_assert_uint_eq(survey.row_count, 3);
    ck_assert(survey_next(&survey, &at, &row));
    ck_assert_str_eq(row.texts[SURVEY_STATE], "cleartext");
    struct survey_query kick = {.ends_them = true};
    struct survey kicks = {.query = &kick};
    snprintf(kick.id, sizeof kick.id, "%s", row.texts[SURVEY_ID]);
    ck_assert(inner_proxy_survey(proxy, &kicks));
    ck_assert_uint_eq(kicks.matched, 1);
    ck_assert(inner_proxy_survey(proxy, &kicks)); /* it is on its way out, and is not kicked twice */
    ck_assert_uint_eq(kicks.matched, 1);
    kick.id[0] = '\0';
    ck_assert(inner_proxy_survey(proxy, &kicks));
    ck_assert_uint_eq(kicks.matched, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        char goodbye[256] = {0};
        ck_assert_int_gt(recv(clients[i], goodbye, sizeof goodbye - 1, MSG_WAITALL), 0);
        ck_assert_ptr_nonnull(strstr(goodbye, "disconnected by the operator"));
        close(clients[i]);
    }
    survey_free(&survey);
    inner_proxy_stop(&proxy);
}
END_TEST

/* Whoever asks a worker that ends has an answer, or is told that there is none; and the worker ends. */
START_TEST(a_survey_at_the_end)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    struct survey_query query = {.max = 3};
    struct survey survey = {.query = &query};
    int fd = connect_and_read(proxy);
    inner_proxy_end(proxy);
    close(fd);
    while (inner_proxy_survey(proxy, &survey))
        ck_assert_uint_le(survey.row_count, 3);
    survey_free(&survey);
    inner_proxy_stop(&proxy);
}
END_TEST

static double cpu_seconds(void)
{
    struct timespec spent;
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent), 0);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* It looks for what has expired twice a second, and sleeps in between: it takes next to no processor. */
START_TEST(a_session_that_waits_costs_nothing)
{
    enum { WAIT_MS = 1500 };
    struct inner_proxy *proxy = inner_proxy_start("");
    int fd = connect_and_read(proxy);
    double before = cpu_seconds();
    poll(NULL, 0, WAIT_MS);
    double spent = cpu_seconds() - before;
    ck_assert_msg(spent < WAIT_MS / 1e3 / 4, "%.3f s", spent);
    close(fd);
    inner_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    certificates_open();
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("worker");
    TCase *tests = tcase_create("worker");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, a_reload_takes_the_first_address_away);
    tcase_add_test(tests, a_session_of_an_old_configuration_at_the_end);
    tcase_add_test(tests, a_client_that_stays_holds_no_end_up);
    tcase_add_test(tests, a_survey);
    tcase_add_test(tests, a_survey_at_the_end);
    tcase_add_test(tests, a_session_that_waits_costs_nothing);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
