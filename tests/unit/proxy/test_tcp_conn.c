/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection's output, whatever the kernel takes of it, and when its input is read. */
#include "proxy/common/tcp_conn.h"

#include "base/bytes.h"
#include "protocols/engine_out.h"
#include "run_suite.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 3 * 1024 * 1024, TRIES = 20000 };

static uv_loop_t loop;
static struct tcp_conn conn;
static int peer;
static unsigned times_drained;
static int drained_with;
static struct bytes received; /* by the connection */
static bool has_read_end;
static uint8_t much[MUCH];

static void on_drained(struct tcp_conn *drained, int status)
{
    ck_assert_ptr_eq(drained, &conn);
    ck_assert(status != 0 || drained->queued == 0);
    times_drained++;
    drained_with = status;
}

static void set_up(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    const int small = 32 * 1024;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&any, &len), 0);
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&any, len), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    close(listener);
    conn = (struct tcp_conn){.on_drained = on_drained};
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_tcp_init(&loop, &conn.tcp), 0);
    ck_assert_int_eq(uv_tcp_open(&conn.tcp, fd), 0);
    times_drained = 0;
    for (size_t i = 0; i < MUCH; i++)
        much[i] = (uint8_t)(i * 7 + i / 251);
}

static void tear_down(void)
{
    uv_close((uv_handle_t *)&conn.tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    close(peer);
    bytes_free(&received);
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* The peer reads what is there; false at the end. */
static bool peer_reads(struct bytes *into)
{
    uint8_t some[8192];
    ssize_t len = recv(peer, some, sizeof some, MSG_DONTWAIT);
    if (len > 0)
        ck_assert(bytes_append(into, (struct slice){some, (size_t)len}, SIZE_MAX));
    return len > 0 || (len < 0 && errno == EAGAIN);
}

/* ... until it has this much, or the end, while the loop runs. */
static void peer_reads_all(struct bytes *into, size_t len)
{
    for (int tries = 0; tries < TRIES && into->len < len && peer_reads(into); tries++) {
        turn();
        if (into->len % 8192 != 0)
            poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(into->len, len);
}

static bool peer_sees_end(void)
{
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    char octet;
    turn();
    return poll(&readable, 1, 100) == 1 && recv(peer, &octet, 1, MSG_DONTWAIT) == 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char space[64];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(space, sizeof space);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    ck_assert_ptr_eq(stream, &conn.tcp);
    if (len > 0)
        ck_assert(
            bytes_append(&received, (struct slice){(const uint8_t *)buffer->base, (size_t)len}, SIZE_MAX));
    has_read_end = has_read_end || len == UV_EOF;
}

static void expect_received(const char *words)
{
    for (int tries = 0; tries < 20 && received.len < strlen(words); tries++) {
        turn();
        poll(NULL, 0, 1);
    }
    for (int tries = 0; tries < 3; tries++)
        turn();
    ck_assert(slice_equals(bytes_view(&received), slice_of(words)));
}

START_TEST(what_the_kernel_takes_at_once)
{
    struct bytes got = {0};
    const struct slice parts[] = {slice_of("a"), slice_of(""), slice_of("bc")};
    ck_assert_int_eq(tcp_conn_write(&conn, parts, 3), 0);
    ck_assert_uint_eq(conn.queued, 0);
    ck_assert_int_eq(tcp_conn_write(&conn, parts, 0), 0);
    peer_reads_all(&got, 3);
    ck_assert(slice_equals(bytes_view(&got), slice_of("abc")));
    ck_assert_uint_eq(times_drained, 0);
    ck_assert(tcp_conn_can_write(&conn));
    bytes_free(&got);
}
END_TEST

/* In their order, whichever of the slices the kernel has stopped in; the sender may use its memory again. */
START_TEST(what_it_does_not_take_is_queued)
{
    static uint8_t scratch[MUCH];
    struct bytes got = {0};
    struct slice parts[ENGINE_OUT_SLICES];
    size_t step = MUCH / 4 / ENGINE_OUT_SLICES;
    memcpy(scratch, much, MUCH);
    for (size_t at = 0; at < 4; at++) {
        for (size_t i = 0; i < ENGINE_OUT_SLICES; i++)
            parts[i] = (struct slice){scratch + (at * ENGINE_OUT_SLICES + i) * step, step};
        ck_assert_int_eq(tcp_conn_write(&conn, parts, ENGINE_OUT_SLICES), 0);
    }
    size_t total = 4 * ENGINE_OUT_SLICES * step;
    ck_assert_uint_gt(conn.queued, 3 * ENGINE_OUT_SLICES * step);
    ck_assert_uint_lt(conn.queued, total);
    memset(scratch, 0, sizeof scratch);
    ck_assert_uint_eq(times_drained, 0); /* never from within a call */
    peer_reads_all(&got, total);
    for (int tries = 0; tries < TRIES && times_drained == 0; tries++)
        turn();
    ck_assert(slice_equals(bytes_view(&got), (struct slice){much, total}));
    ck_assert_uint_eq(conn.queued, 0);
    ck_assert_uint_eq(times_drained, 1);
    ck_assert_int_eq(drained_with, 0);
    bytes_free(&got);
}
END_TEST

static void write_much(void)
{
    const struct slice all = {much, MUCH};
    ck_assert_int_eq(tcp_conn_write(&conn, &all, 1), 0);
    ck_assert_uint_gt(conn.queued, 0);
}

/* FIN comes after what is queued, and once. */
START_TEST(the_end_of_the_output)
{
    struct bytes got = {0};
    write_much();
    tcp_conn_end_output(&conn);
    tcp_conn_end_output(&conn);
    ck_assert(conn.output_ended);
    ck_assert(!tcp_conn_can_write(&conn));
    peer_reads_all(&got, MUCH);
    ck_assert(peer_sees_end());
    ck_assert(!conn.write_failed);
    bytes_free(&got);
}
END_TEST

/* Nothing is queued: no turn of the loop is needed, and the other direction goes on. */
START_TEST(the_end_of_the_output_at_once)
{
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    char octet;
    const struct slice word = slice_of("w");
    ck_assert_int_eq(tcp_conn_write(&conn, &word, 1), 0);
    tcp_conn_end_output(&conn);
    tcp_conn_end_output(&conn);
    ck_assert(!tcp_conn_can_write(&conn));
    ck_assert_int_eq(recv(peer, &octet, 1, 0), 1);
    ck_assert_int_eq(poll(&readable, 1, 1000), 1);
    ck_assert_int_eq(recv(peer, &octet, 1, MSG_DONTWAIT), 0);
    ck_assert_int_eq(send(peer, "still", 5, 0), 5);
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    expect_received("still");
}
END_TEST

static void reset_by_peer(void)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(peer);
    peer = -1;
}

START_TEST(a_queued_write_that_fails)
{
    write_much();
    reset_by_peer();
    for (int tries = 0; tries < TRIES && times_drained == 0; tries++)
        turn();
    ck_assert_uint_eq(times_drained, 1);
    ck_assert_int_lt(drained_with, 0);
    ck_assert(conn.write_failed);
    ck_assert(!tcp_conn_can_write(&conn));
    ck_assert_uint_eq(conn.queued, 0);
}
END_TEST

START_TEST(a_write_that_fails_at_once)
{
    const struct slice words = slice_of("words");
    reset_by_peer();
    for (int tries = 0; tries < 100 && tcp_conn_can_write(&conn); tries++) {
        int error = tcp_conn_write(&conn, &words, 1);
        ck_assert_int_eq(error != 0, conn.write_failed);
        poll(NULL, 0, 1);
    }
    ck_assert(conn.write_failed);
    ck_assert_uint_eq(times_drained, 0);
    ck_assert_uint_eq(conn.queued, 0);
}
END_TEST

/* Whoever closes the connection is told nothing more. */
START_TEST(closed_with_something_queued)
{
    write_much();
    uv_close((uv_handle_t *)&conn.tcp, NULL);
    turn();
    ck_assert_uint_eq(times_drained, 0);
    ck_assert_uint_eq(conn.queued, 0);
    ck_assert(!conn.write_failed);
    ck_assert_int_eq(uv_tcp_init(&loop, &conn.tcp), 0); /* for tear_down */
}
END_TEST

/* ---- input ---- */

START_TEST(reading)
{
    ck_assert_int_eq(send(peer, "one", 3, 0), 3);
    tcp_conn_set_reading(&conn, false, on_alloc, on_read);
    expect_received("");
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    ck_assert(conn.reading);
    expect_received("one");
    tcp_conn_set_reading(&conn, false, on_alloc, on_read);
    ck_assert(!conn.reading);
    ck_assert_int_eq(send(peer, "two", 3, 0), 3);
    expect_received("one");
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    expect_received("onetwo");
}
END_TEST

/* Never after the end of the input: libuv would report it again. */
START_TEST(not_after_the_end)
{
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    conn.input_ended = true;
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    ck_assert(!conn.reading);
    ck_assert_int_eq(uv_is_active((uv_handle_t *)&conn.tcp), 0);
    ck_assert_int_eq(send(peer, "late", 4, 0), 4);
    expect_received("");
    tcp_conn_set_reading(&conn, true, on_alloc, on_read);
    ck_assert(!conn.reading);
    expect_received("");
}
END_TEST

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("tcp_conn");
    TCase *tests = tcase_create("tcp_conn");
    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_the_kernel_takes_at_once);
    tcase_add_test(tests, what_it_does_not_take_is_queued);
    tcase_add_test(tests, the_end_of_the_output);
    tcase_add_test(tests, the_end_of_the_output_at_once);
    tcase_add_test(tests, a_queued_write_that_fails);
    tcase_add_test(tests, a_write_that_fails_at_once);
    tcase_add_test(tests, closed_with_something_queued);
    tcase_add_test(tests, reading);
    tcase_add_test(tests, not_after_the_end);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
