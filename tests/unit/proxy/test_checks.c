/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks against servers of the test's own, on the same loop: what they hear, what is found, what is left. */
#include "base/array.h"
#include "proxy/checks/checks.h"

#include "base/bytes.h"
#include "run_suite.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, STEPS_MAX = 6 };

/* What the server of a test does: greets, and answers each line that it hears. */
struct script {
    const char *says[STEPS_MAX]; /* the first at once, each further one after a line */
    bool closes;                 /* after the last */
};

union connection {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct visit {
    union connection conn;
    struct bytes heard;
    size_t said;
    bool ended;
};

static uv_loop_t loop;
static struct check_runner runner;
static union connection listener;
static const struct script *script;
static struct visit visits[64];
static size_t visit_count;
static char path[64];

/* What was reported. */
static struct {
    unsigned reports;
    enum check_result result;
    char detail[256];
    uint64_t duration_ms;
    struct server_facts *facts;
} found;

/* ---- the server ---- */

static void on_write(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void on_visit_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void say_next(struct visit *visit)
{
    const char *text = visit->said < STEPS_MAX ? script->says[visit->said] : NULL;
    if (text == NULL)
        return;
    visit->said++;
    uv_write_t *request = malloc(sizeof *request);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    ck_assert_int_eq(uv_write(request, &visit->conn.stream, &buffer, 1, on_write), 0);
    bool last = visit->said == STEPS_MAX || script->says[visit->said] == NULL;
    if (last && script->closes)
        uv_close(&visit->conn.handle, on_visit_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char octets[1024];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(octets, sizeof octets);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct visit *visit = stream->data;
    if (len < 0) {
        visit->ended = len == UV_EOF;
        if (!uv_is_closing((uv_handle_t *)stream))
            uv_close((uv_handle_t *)stream, on_visit_closed);
        return;
    }
    ck_assert(bytes_append(&visit->heard, (struct slice){(uint8_t *)buffer->base, (size_t)len}, TEXT_MAX));
    for (ssize_t i = 0; i < len; i++)
        if (buffer->base[i] == '\n' && !uv_is_closing((uv_handle_t *)stream))
            say_next(visit);
}

static void on_visit(uv_stream_t *stream, int status)
{
    ck_assert_int_eq(status, 0);
    ck_assert_uint_lt(visit_count, ARRAY_LEN(visits));
    struct visit *visit = &visits[visit_count++];
    bool is_pipe = stream->type == UV_NAMED_PIPE;
    if (is_pipe)
        uv_pipe_init(&loop, &visit->conn.pipe, 0);
    else
        uv_tcp_init(&loop, &visit->conn.tcp);
    visit->conn.handle.data = visit;
    ck_assert_int_eq(uv_accept(stream, &visit->conn.stream), 0);
    ck_assert_int_eq(uv_read_start(&visit->conn.stream, on_alloc, on_read), 0);
    say_next(visit);
}

static void set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert(check_runner_open(&runner, &loop, NULL));
    memset(visits, 0, sizeof visits);
    visit_count = 0;
    memset(&found, 0, sizeof found);
}

static void close_any(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Nothing is left on the loop but what the test itself has opened. */
static void tear_down(void)
{
    check_runner_close(&runner);
    uv_walk(&loop, close_any, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    for (size_t i = 0; i < visit_count; i++)
        bytes_free(&visits[i].heard);
    server_facts_unref(&found.facts);
}

static struct check_target new_target(enum protocol protocol)
{
    return (struct check_target){.protocol = protocol, .hostname = "proxy.example.com", .timeout_ms = 5000};
}

/* A server on a loopback address, which does what the script says. */
static struct check_target serve(enum protocol protocol, const struct script *played)
{
    struct check_target target = new_target(protocol);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof target.address;
    script = played;
    ck_assert_int_eq(uv_tcp_init(&loop, &listener.tcp), 0);
    ck_assert_int_eq(uv_tcp_bind(&listener.tcp, (struct sockaddr *)&any, 0), 0);
    ck_assert_int_eq(uv_listen(&listener.stream, 16, on_visit), 0);
    ck_assert_int_eq(uv_tcp_getsockname(&listener.tcp, (struct sockaddr *)&target.address, &len), 0);
    target.address_len = (socklen_t)len;
    return target;
}

static void on_done(void *arg, const struct check_report *report)
{
    (void)arg;
    found.reports++;
    found.result = report->result;
    snprintf(found.detail, sizeof found.detail, "%s", report->detail != NULL ? report->detail : "");
    found.duration_ms = report->duration_ms;
    server_facts_unref(&found.facts);
    if (report->facts != NULL)
        found.facts = server_facts_ref(report->facts);
}

static void check_once(const struct check_target *target)
{
    struct server_check *check = server_check_start(&runner, target, on_done, NULL);
    ck_assert_ptr_nonnull(check);
    ck_assert_uint_eq(found.reports, 0);
    while (found.reports == 0)
        uv_run(&loop, UV_RUN_ONCE);
}

static void expect_heard(const char *expected)
{
    for (int i = 0; i < 50 && !visits[0].ended; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_msg(slice_equals(bytes_view(&visits[0].heard), slice_of(expected)), "heard %.*s",
                  (int)visits[0].heard.len, (const char *)visits[0].heard.data);
}

static const struct script imap = {.says = {"* OK ready\r\n",
                                            "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\nc1 OK\r\n",
                                            "* ID (\"name\" \"Cyrus\")\r\nc4 OK\r\n", "* BYE\r\nc5 OK\r\n"},
                                   .closes = true};
static const struct script pop3 = {.says = {"+OK\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK bye\r\n"},
                                   .closes = true};
static const struct script smtp = {.says = {"220 msa\r\n", "250 msa\r\n", "221 bye\r\n"}, .closes = true};

/* ---- results ---- */

START_TEST(good_servers)
{
    static const struct script *const scripts[] = {&imap, &pop3, &smtp};
    static const char *const heard[] = {"c1 CAPABILITY\r\nc4 ID NIL\r\nc5 LOGOUT\r\n", "CAPA\r\nQUIT\r\n",
                                        "EHLO proxy.example.com\r\nQUIT\r\n"};
    static const char *const capabilities[] = {"IMAP4rev1\nID\nAUTH=PLAIN\n", "USER\n", ""};
    struct check_target target = serve((enum protocol)_i, scripts[_i]);
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_OK);
    ck_assert_str_eq(found.detail, "");
    expect_heard(heard[_i]);
    ck_assert(slice_equals(found.facts->capabilities, slice_of(capabilities[_i])));
    ck_assert(!found.facts->over_tls && found.facts->complete);
}
END_TEST

/* The connection ends with FIN on both sides also if the server waits for ours. */
START_TEST(server_that_stays_open)
{
    const struct script open = {.says = {"+OK\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK bye\r\n"}};
    struct check_target target = serve(PROTOCOL_POP3, &open);
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_OK);
    expect_heard("CAPA\r\nQUIT\r\n");
    ck_assert(visits[0].ended);
}
END_TEST

START_TEST(unix_socket)
{
    struct check_target target = new_target(PROTOCOL_IMAP);
    struct sockaddr_un *address = (struct sockaddr_un *)(void *)&target.address;
    snprintf(path, sizeof path, "/tmp/test_checks.%ld", (long)getpid());
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    target.address_len = sizeof *address;
    target.identity = CFG_IDENTITY_PROXY_V1; /* has no addresses to tell */
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_CONNECT_REFUSED); /* there is no such file */
    found.reports = 0;
    static const struct script behind = {
        .says = {"", "* OK ready\r\n", "* CAPABILITY A\r\nc1 OK\r\n", "* BYE\r\nc5 OK\r\n"}, .closes = true};
    script = &behind;
    uv_pipe_init(&loop, &listener.pipe, 0);
    ck_assert_int_eq(uv_pipe_bind(&listener.pipe, path), 0);
    ck_assert_int_eq(uv_listen(&listener.stream, 16, on_visit), 0);
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_OK);
    expect_heard("PROXY UNKNOWN\r\nc1 CAPABILITY\r\nc5 LOGOUT\r\n");
    unlink(path);
}
END_TEST

START_TEST(refused)
{
    struct check_target target = serve(PROTOCOL_IMAP, &imap);
    uv_close(&listener.handle, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_CONNECT_REFUSED);
    ck_assert_str_eq(found.detail, uv_strerror(UV_ECONNREFUSED));
    ck_assert_ptr_null(found.facts);
}
END_TEST

/* A port whose queue is full takes no connection, and refuses none. */
START_TEST(hangs_at_connect)
{
    struct check_target target = new_target(PROTOCOL_IMAP);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof target.address;
    int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting[4];
    ck_assert_int_eq(bind(full, (struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(listen(full, 0), 0);
    ck_assert_int_eq(getsockname(full, (struct sockaddr *)&target.address, &len), 0);
    target.address_len = len;
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(waiting[i], (struct sockaddr *)&target.address, len);
    }
    target.timeout_ms = 100;
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_CONNECT_TIMEOUT);
    ck_assert_uint_ge(found.duration_ms, 99); /* of a clock of whole milliseconds */
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        close(waiting[i]);
    close(full);
}
END_TEST

START_TEST(odd_servers)
{
    static const struct {
        struct script script;
        enum check_result result;
    } rows[] = {
        {{.says = {NULL}}, CHECK_NO_GREETING},
        {{.says = {"* OK"}}, CHECK_NO_GREETING},
        {{.says = {"", NULL}, .closes = true}, CHECK_NO_GREETING},
        {{.says = {"* BYE busy\r\n"}, .closes = true}, CHECK_BAD_GREETING},
        {{.says = {"* OK\r\n"}}, CHECK_NO_ANSWER},
        {{.says = {"* OK\r\n", ""}, .closes = true}, CHECK_NO_ANSWER},
        {{.says = {"* OK\r\n", "* CAPABILITY LOGINDISABLED\r\nc1 OK\r\n", "* BYE\r\nc5 OK\r\n"}},
         CHECK_NO_LOGIN_OFFERED},
        {{.says = {"* OK\r\n", "* CAPABILITY A\r\nc1 OK\r\n"}}, CHECK_OK}, /* and no goodbye */
    };
    struct check_target target = serve(PROTOCOL_IMAP, &rows[_i].script);
    target.timeout_ms = 150;
    check_once(&target);
    ck_assert_str_eq(check_result_name(found.result), check_result_name(rows[_i].result));
}
END_TEST

/* ---- the PROXY header ---- */

START_TEST(header_of_version_1)
{
    const struct script behind = {.says = {"", "220 msa\r\n", "250 msa\r\n", "221 bye\r\n"}, .closes = true};
    struct check_target target = serve(PROTOCOL_SUBMISSION, &behind);
    target.identity = CFG_IDENTITY_PROXY_V1;
    check_once(&target);
    ck_assert_int_eq(found.result, CHECK_OK);
    unsigned from = 0;
    unsigned to = 0;
    char rest[256] = "";
    ck_assert(bytes_append(&visits[0].heard, (struct slice){(const uint8_t *)"", 1}, TEXT_MAX));
    ck_assert_int_eq(sscanf((const char *)visits[0].heard.data,
                            "PROXY TCP4 127.0.0.1 127.0.0.1 %u %u\r\n%255[^\n]", &from, &to, rest),
                     3);
    ck_assert_uint_eq(to, ntohs(((struct sockaddr_in *)(void *)&target.address)->sin_port));
    ck_assert_uint_ne(from, 0);
    ck_assert_str_eq(rest, "EHLO proxy.example.com\r");
}
END_TEST

START_TEST(header_of_version_2)
{
    /* It has two LFs in it. */
    const struct script behind = {.says = {"", "", "", "+OK\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK bye\r\n"},
                                  .closes = true};
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0CAPA\r\nQUIT\r\n";
    struct check_target target = serve(PROTOCOL_POP3, &behind);
    target.identity = CFG_IDENTITY_PROXY_V2;
    check_once(&target);
    struct slice heard = bytes_view(&visits[0].heard);
    ck_assert_str_eq(check_result_name(found.result), "ok");
    ck_assert(slice_equals(slice_first(heard, 16), (struct slice){(const uint8_t *)local, 16}));
    ck_assert(slice_has_suffix(heard, "CAPA\r\nQUIT\r\n"));
}
END_TEST

/* ---- the end ---- */

START_TEST(cancelled)
{
    struct check_target target = serve(PROTOCOL_IMAP, &(struct script){.says = {"* OK\r\n"}});
    for (int turns = 0; turns < 6; turns++) {
        struct server_check *check = server_check_start(&runner, &target, on_done, NULL);
        for (int i = 0; i < turns; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        server_check_cancel(&check);
        ck_assert_ptr_null(check);
        server_check_cancel(&check);
    }
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(found.reports, 0);
    ck_assert_ptr_null(runner.first);
}
END_TEST

START_TEST(closed_under_way)
{
    struct check_target target = serve(PROTOCOL_IMAP, &(struct script){.says = {"* OK\r\n"}});
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(server_check_start(&runner, &target, on_done, NULL));
    for (int i = 0; i < 4; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    check_runner_close(&runner);
    ck_assert_uint_eq(found.reports, 0);
}
END_TEST

/* ---- all servers ---- */

static struct checks *checks;
static struct checked_server *server;
static unsigned wanted;
static enum check_pace pace;

static enum check_pace on_report(void *arg, const struct check_report *report)
{
    on_done(arg, report);
    if (found.reports == wanted)
        uv_stop(&loop);
    return pace;
}

static const struct check_intervals quick = {.interval_ms = 20, .fast_ms = 10, .slow_ms = 60000};

START_TEST(again_and_again)
{
    struct check_target target = serve(PROTOCOL_POP3, &pop3);
    checks = checks_new(&loop, NULL);
    ck_assert_ptr_nonnull(checks);
    pace = CHECK_PACE_NORMAL;
    wanted = 5;
    server = checks_add(checks, &target, &quick, on_report, NULL);
    ck_assert_ptr_nonnull(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(found.reports, 5);
    ck_assert_int_eq(found.result, CHECK_OK);
    ck_assert_uint_eq(visit_count, 5); /* one after the other */
    checks_free(&checks);
    ck_assert_ptr_null(checks);
}
END_TEST

START_TEST(hurried_and_removed)
{
    struct check_target target = serve(PROTOCOL_POP3, &pop3);
    checks = checks_new(&loop, NULL);
    pace = CHECK_PACE_SLOW;
    wanted = 1;
    server = checks_add(checks, &target, &quick, on_report, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    wanted = 2; /* in a minute, or at once */
    checks_hurry(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(found.reports, 2);
    checks_hurry(server);
    while (checks_under_way(checks) == 0)
        uv_run(&loop, UV_RUN_ONCE);
    checks_remove(&server);
    ck_assert_ptr_null(server);
    ck_assert_uint_eq(checks_under_way(checks), 0);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(found.reports, 2);
    checks_free(&checks);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checks");
    TCase *tc = tcase_create("results");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, good_servers, 0, PROTOCOLS);
    tcase_add_test(tc, server_that_stays_open);
    tcase_add_test(tc, unix_socket);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, hangs_at_connect);
    tcase_add_loop_test(tc, odd_servers, 0, 8);
    suite_add_tcase(suite, tc);
    tc = tcase_create("header");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, header_of_version_1);
    tcase_add_test(tc, header_of_version_2);
    suite_add_tcase(suite, tc);
    tc = tcase_create("end");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, cancelled);
    tcase_add_test(tc, closed_under_way);
    suite_add_tcase(suite, tc);
    tc = tcase_create("all");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, again_and_again);
    tcase_add_test(tc, hurried_and_removed);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
