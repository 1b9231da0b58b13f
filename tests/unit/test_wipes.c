/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords, messages, passphrases and keys leave no copy in memory that is given back. */
#include "wipes.h"

#include "base/array.h"
#include "base/bytes.h"
#include "certificates.h"
#include "inner_proxy.h"
#include "protocols/engine_out.h"
#include "proxy/common/tcp_conn.h"
#include "proxy/runtime/ticket_file.h"
#include "run_suite.h"
#include "tls/tickets/tls_ticket_file.h"
#include "tls/tickets/tls_ticket_keys.h"
#include "tls_pair.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char secret[] = "correct-horse-battery-staple";
#define SECRET ((struct slice){(const uint8_t *)secret, sizeof secret - 1})
enum { NO_LIMIT = 1 << 28 };

/* Fails the test if no block was freed at all, or one with the secret in it. */
static void expect_wiped(void)
{
    ck_assert_uint_gt(wipes_searched(), 0);
    ck_assert_uint_eq(wipes_missed(), 0);
    wipes_watch("", 0);
}

/* A compiler that sees what becomes of a block leaves out what is written to it. */
static char *unforeseen(char *block)
{
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* Without this no other test here would show anything. */
START_TEST(what_is_not_wiped_is_found)
{
    char *block = unforeseen(malloc(4096));
    memset(block, 'x', 4096);
    memcpy(block + 4096 - SECRET.len, secret, SECRET.len);
    wipes_watch(secret, SECRET.len);
    block = unforeseen(realloc(unforeseen(block), 8192));
    ck_assert_uint_eq(wipes_missed(), 1);
    free(unforeseen(block));
    ck_assert_uint_eq(wipes_missed(), 2);
    block = unforeseen(malloc(4096));
    memset(block, 'x', 4096);
    free(unforeseen(block));
    ck_assert_uint_eq(wipes_missed(), 2);
}
END_TEST

/* ---- octets that are kept ---- */

static void fill(struct bytes *b, size_t len)
{
    while (b->len < len)
        ck_assert(bytes_append(b, SECRET, NO_LIMIT));
}

START_TEST(bytes)
{
    struct bytes b = {0};
    wipes_watch(secret, SECRET.len);
    fill(&b, 10000); /* it has moved several times */
    ck_assert_uint_gt(wipes_searched(), 3);
    expect_wiped();
    wipes_watch(secret, SECRET.len);
    bytes_drop(&b, b.len - 1); /* what was dropped is overwritten with the rest, or stays until the end */
    bytes_drop(&b, 1);
    expect_wiped();
    fill(&b, 1000);
    wipes_watch(secret, SECRET.len);
    bytes_free(&b);
    expect_wiped();
}
END_TEST

START_TEST(what_an_engine_lets_out)
{
    struct engine_out *out = engine_out_new();
    engine_out_make_text(out, SIDE_BACKEND, secret);
    ck_assert(slice_equals(out->lanes[SIDE_BACKEND].slices[0], SECRET));
    engine_out_reset(out);
    wipes_watch(secret, SECRET.len);
    engine_out_free(&out);
    expect_wiped();
}
END_TEST

/* ---- what waits for a socket ---- */

int __real_uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t *buffers, unsigned count,
                    uv_write_cb call);
int __wrap_uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t *buffers, unsigned count,
                    uv_write_cb call);

static unsigned drained;
static bool write_fails;

int __wrap_uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t *buffers, unsigned count,
                    uv_write_cb call)
{
    return write_fails ? UV_ENOBUFS : __real_uv_write(request, stream, buffers, count, call);
}

static void on_drained(struct tcp_conn *conn, int status)
{
    (void)conn;
    (void)status;
    drained++;
}

static void connect_pair(uv_loop_t *loop, struct tcp_conn *conn, int *far)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(connect(near, (struct sockaddr *)&address, len), 0);
    *far = accept(listener, NULL, NULL);
    ck_assert_int_ge(*far, 0);
    close(listener);
    *conn = (struct tcp_conn){.on_drained = on_drained};
    ck_assert_int_eq(uv_tcp_init(loop, &conn->tcp), 0);
    ck_assert_int_eq(uv_tcp_open(&conn->tcp, near), 0);
}

/* Writes more than the kernel takes. */
static void write_much(struct tcp_conn *conn)
{
    struct bytes text = {0};
    fill(&text, 16 << 20);
    struct slice slice = bytes_view(&text);
    if (write_fails) {
        ck_assert_int_eq(tcp_conn_write(conn, &slice, 1), UV_ENOBUFS);
        ck_assert_uint_eq(conn->queued, 0);
        bytes_free(&text);
        return;
    }
    ck_assert_int_eq(tcp_conn_write(conn, &slice, 1), 0);
    ck_assert_uint_gt(conn->queued, SECRET.len);
    ck_assert_uint_lt(conn->queued, text.len);
    bytes_free(&text);
}

static void read_all(uv_loop_t *loop, struct tcp_conn *conn, int far)
{
    static char octets[1 << 16];
    while (conn->queued > 0) {
        ck_assert_int_ge(recv(far, octets, sizeof octets, 0), 0);
        uv_run(loop, UV_RUN_NOWAIT);
    }
}

START_TEST(what_libuv_does_not_take)
{
    uv_loop_t loop;
    struct tcp_conn conn;
    int far;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    connect_pair(&loop, &conn, &far);
    write_fails = true;
    wipes_watch(secret, SECRET.len);
    write_much(&conn);
    expect_wiped();
    close(far);
    uv_close((uv_handle_t *)&conn.tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

/* It goes out; it fails, as the peer has reset the connection; or the connection is closed with it. */
enum { GOES_OUT, FAILS, IS_CLOSED };

START_TEST(what_waits_for_a_socket)
{
    uv_loop_t loop;
    struct tcp_conn conn;
    int far;
    drained = 0;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    connect_pair(&loop, &conn, &far);
    write_much(&conn);
    wipes_watch(secret, SECRET.len);
    if (_i == GOES_OUT)
        read_all(&loop, &conn, far);
    close(far); /* with what is unread: a reset */
    for (int turns = 0; _i == FAILS && conn.queued > 0 && turns < 1000000; turns++)
        uv_run(&loop, UV_RUN_NOWAIT);
    uv_close((uv_handle_t *)&conn.tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(conn.queued, 0);
    ck_assert_uint_eq(drained, _i != IS_CLOSED);
    expect_wiped();
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

/* ---- TLS ---- */

/* Both ends, in both directions: what is sealed, and what is opened. */
START_TEST(an_endpoint)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    struct tls_certificate_files files = certificate_make(&wish);
    struct tls_pair_settings settings = {
        .certificates = &files, .certificate_count = 1, .server_max = _i == 0 ? TLS_1_3 : TLS_1_2};
    struct tls_pair pair;
    struct slice slices[] = {SECRET, slice_of("\r\n"), SECRET};
    tls_pair_connect(&pair, &settings, 0);
    wipes_watch(secret, SECRET.len);
    tls_pair_send(&pair, &pair.client, slices, ARRAY_LEN(slices));
    tls_pair_move(&pair, 0);
    tls_pair_send(&pair, &pair.server, slices, ARRAY_LEN(slices));
    tls_pair_move(&pair, 0);
    ck_assert_uint_gt(pair.server.plain.len, SECRET.len);
    ck_assert_uint_gt(pair.client.plain.len, SECRET.len);
    tls_pair_close(&pair);
    expect_wiped();
}
END_TEST

START_TEST(a_passphrase)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"},
                                                 .passphrase = "correct-horse-battery-staple"};
    struct tls_certificate_files files = certificate_make(&wish);
    files.passphrase = certificates_write("passphrase", "correct-horse-battery-staple\n");
    struct tls_pair_settings settings = {.certificates = &files, .certificate_count = 1};
    wipes_watch(secret, SECRET.len);
    struct tls_context *context = tls_pair_server_context(&settings);
    tls_context_unref(&context);
    expect_wiped();
}
END_TEST

/* The text of a private key's file, if keys are in this process. */
START_TEST(a_private_key)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    struct tls_certificate_files files = certificate_make(&wish);
    struct tls_pair_settings settings = {.certificates = &files, .certificate_count = 1};
    char line[64] = "";
    FILE *file = fopen(files.key, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    wipes_watch(line, 32);
    struct tls_context *context = tls_pair_server_context(&settings);
    tls_context_unref(&context);
    expect_wiped();
}
END_TEST

/* ---- ticket keys ---- */

START_TEST(ticket_keys)
{
    struct tls_ticket_keys *keys = tls_ticket_keys_new(0);
    struct tls_ticket_set set;
    ck_assert(tls_ticket_keys_rotate_if_due(keys, TLS_TICKET_KEY_PERIOD));
    tls_ticket_keys_get(keys, &set);
    ck_assert_uint_eq(set.count, 2);
    wipes_watch(_i == 0 ? set.keys[1].aes : set.keys[0].hmac, TLS_TICKET_SECRET);
    struct tls_ticket_keys *other = tls_ticket_keys_ref(keys);
    tls_ticket_keys_unref(&keys);
    tls_ticket_keys_unref(&other);
    expect_wiped();
}
END_TEST

START_TEST(a_file_of_ticket_keys)
{
    char text[TLS_TICKET_FILE_TEXT + 1] = "";
    struct tls_ticket_set set = {0};
    struct stat facts;
    struct ticket_file_problem problem;
    tls_ticket_file_make(&set);
    tls_ticket_file_format(&set, text);
    const char *path = certificates_write("ticket.keys", text);
    const char *line = strrchr(text, '\n') - 40;
    wipes_watch(_i == 0 ? (const void *)line : (const void *)set.keys[0].aes, 32);
    ck_assert_msg(ticket_file_read(path, &set, &facts, &problem), "%s", problem.text);
    expect_wiped();
}
END_TEST

/* ---- a worker and its sessions ---- */

/* A password on its way through all buffers that a worker and a session have, to their end. */
START_TEST(a_worker)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    char user[300 + sizeof secret];
    memset(user, 'x', sizeof user); /* so that the octets of a later command do not reach the secret */
    memcpy(user + 300, secret, sizeof secret);
    wipes_watch(secret, SECRET.len);
    struct inner_dialogue dialogue = inner_proxy_talk(proxy, (enum inner_service)_i, user, NULL);
    ck_assert(dialogue.is_complete);
    ck_assert_ptr_nonnull(memmem(dialogue.to_server.data, dialogue.to_server.len, secret, SECRET.len));
    inner_dialogue_free(&dialogue);
    inner_proxy_stop(&proxy);
    expect_wiped();
}
END_TEST

int main(void)
{
    certificates_open();
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("wipes");
    TCase *tests = tcase_create("wipes");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_not_wiped_is_found);
    tcase_add_test(tests, bytes);
    tcase_add_test(tests, what_an_engine_lets_out);
    tcase_add_test(tests, what_libuv_does_not_take);
    tcase_add_loop_test(tests, what_waits_for_a_socket, GOES_OUT, IS_CLOSED + 1);
    tcase_add_loop_test(tests, an_endpoint, 0, 2);
    tcase_add_test(tests, a_passphrase);
    tcase_add_test(tests, a_private_key);
    tcase_add_loop_test(tests, ticket_keys, 0, 2);
    tcase_add_loop_test(tests, a_file_of_ticket_keys, 0, 2);
    tcase_add_loop_test(tests, a_worker, INNER_TLS, INNER_STARTTLS + 1);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
