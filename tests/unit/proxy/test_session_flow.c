/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions through a worker, with both ends in the test's hands: slow, half-closed, TLS on both sides. */
#include "certificates.h"
#include "inner_proxy.h"
#include "run_suite.h"

#include <openssl/ssl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, MUCH = 24 * 1024 * 1024 };

/* One end: a socket, and TLS on it or NULL. */
struct end {
    int fd;
    SSL *ssl;
};

static struct inner_proxy *proxy;
static SSL_CTX *client_context;
static SSL_CTX *server_context;
static struct end client;
static struct end server;
static char received[4096]; /* by the call of hear() before */

static void start(const char *pool)
{
    proxy = inner_proxy_start(pool);
    client_context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_verify(client_context, SSL_VERIFY_NONE, NULL);
    client = server = (struct end){-1, NULL};
}

static void close_end(struct end *end)
{
    SSL_free(end->ssl);
    if (end->fd >= 0)
        close(end->fd);
    *end = (struct end){-1, NULL};
}

static void stop(void)
{
    close_end(&client);
    close_end(&server);
    SSL_CTX_free(client_context);
    SSL_CTX_free(server_context);
    server_context = NULL;
    inner_proxy_stop(&proxy);
}

static bool wait_for(int fd, short events, int ms)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    return poll(&wanted, 1, ms) > 0;
}

/* -1 with errno EAGAIN if there is nothing now, 0 at the end. A connection that was cut has no end of TLS. */
static ssize_t take(struct end *end, char *into, size_t cap)
{
    if (end->ssl == NULL)
        return recv(end->fd, into, cap, MSG_DONTWAIT);
    int len = SSL_read(end->ssl, into, (int)cap);
    int error = len <= 0 ? SSL_get_error(end->ssl, len) : SSL_ERROR_NONE;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return len > 0 ? len : error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* How much of it could be sent at once. */
static size_t give(struct end *end, const char *octets, size_t len)
{
    ssize_t sent = end->ssl != NULL ? SSL_write(end->ssl, octets, (int)len)
                                    : send(end->fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? (size_t)sent : 0;
}

static void say(struct end *end, const char *words)
{
    ck_assert_uint_eq(give(end, words, strlen(words)), strlen(words));
}

/* Reads until the word has come, or to the end if it is NULL. */
static void hear(struct end *end, const char *word)
{
    size_t len = 0;
    received[0] = '\0';
    while (word == NULL || strstr(received, word) == NULL) {
        ssize_t more = take(end, received + len, sizeof received - 1 - len);
        if (more == 0 && word == NULL)
            return;
        ck_assert_msg(more > 0 || errno == EAGAIN, "no \"%s\", and the end, after: %s", word, received);
        len += more > 0 ? (size_t)more : 0;
        received[len] = '\0';
        ck_assert_msg(more > 0 || wait_for(end->fd, POLLIN, PATIENCE_MS), "no \"%s\" after: %s", word,
                      received);
    }
}

static void shake(struct end *end, SSL_CTX *context, bool accepts)
{
    end->ssl = SSL_new(context);
    ck_assert_ptr_nonnull(end->ssl);
    ck_assert_int_eq(SSL_set_fd(end->ssl, end->fd), 1);
    SSL_set_mode(end->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (;;) {
        int result = accepts ? SSL_accept(end->ssl) : SSL_connect(end->ssl);
        if (result == 1)
            return;
        ck_assert_int_eq(SSL_get_error(end->ssl, result), SSL_ERROR_WANT_READ);
        ck_assert(wait_for(end->fd, POLLIN, PATIENCE_MS));
    }
}

static void accept_session(void)
{
    ck_assert(wait_for(inner_proxy_listener(proxy), POLLIN, PATIENCE_MS));
    server.fd = accept4(inner_proxy_listener(proxy), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(server.fd, 0);
}

static void connect_client(void)
{
    client.fd = inner_proxy_connect(proxy, INNER_TLS);
    shake(&client, client_context, false);
}

static void greet_and_log_in(void)
{
    say(&server, "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n");
    hear(&client, "ready\r\n");
    say(&client, "a LOGIN somebody secret\r\n");
    hear(&server, "a LOGIN somebody secret\r\n");
    say(&server, "a OK welcome\r\n");
    hear(&client, "a OK welcome\r\n");
}

static void open_session(void)
{
    connect_client();
    accept_session();
    greet_and_log_in();
}

/* The server ends after a client that has said that it does. */
static void log_out(void)
{
    say(&client, "z LOGOUT\r\n");
    hear(&server, "z LOGOUT\r\n");
    say(&server, "* BYE\r\nz OK bye\r\n");
    close_end(&server);
    hear(&client, NULL);
    ck_assert_ptr_nonnull(strstr(received, "z OK bye\r\n"));
}

START_TEST(a_dialogue)
{
    start("");
    open_session();
    log_out();
    stop();
}
END_TEST

/* ---- many begin at once ---- */

enum { CROWD = 60 };

/* What RFC 8446 appendix D.4 lets a client send after its ClientHello, and which is ignored. */
static const char change_cipher_spec[] = {20, 3, 3, 0, 1, 1};

/* Most of them are put aside for a while, and send more while they are: it waits, and is not lost. */
START_TEST(clients_that_send_ahead)
{
    struct end crowd[CROWD];
    size_t ahead = 0;
    start("");
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct end){inner_proxy_connect(proxy, INNER_TLS), SSL_new(client_context)};
        ck_assert_int_eq(SSL_set_fd(crowd[i].ssl, crowd[i].fd), 1);
        (void)SSL_connect(crowd[i].ssl); /* it is done at once if the machine has kept this thread waiting */
    }
    for (size_t i = 0; i < CROWD; i++)
        if (SSL_in_init(crowd[i].ssl)) {
            ck_assert_int_eq(send(crowd[i].fd, change_cipher_spec, sizeof change_cipher_spec, MSG_NOSIGNAL),
                             sizeof change_cipher_spec);
            ahead++;
        }
    ck_assert_uint_gt(ahead, CROWD / 2);
    for (size_t i = 0; i < CROWD; i++) {
        while (SSL_connect(crowd[i].ssl) != 1)
            ck_assert(wait_for(crowd[i].fd, POLLIN, PATIENCE_MS));
        close_end(&crowd[i]);
    }
    stop();
}
END_TEST

/* ---- one end is slow ---- */

static char much[MUCH];

static size_t give_more(struct end *from, size_t sent)
{
    size_t left = MUCH - sent;
    return left > 0 ? give(from, much + sent, left < 65536 ? left : 65536) : 0;
}

/* The next part of it, at `got` octets. How much that was; 0 if nothing is there now. */
static size_t expect_more(struct end *to, size_t got)
{
    static char chunk[65536];
    ssize_t len = take(to, chunk, sizeof chunk < MUCH - got ? sizeof chunk : MUCH - got);
    if (len < 0 && errno == EAGAIN)
        return 0;
    if (len <= 0)
        ck_abort_msg("the end after %zu octets", got);
    if (memcmp(chunk, much + got, (size_t)len) != 0)
        ck_abort_msg("other octets after %zu", got);
    return (size_t)len;
}

/*
 * `from` sends much, and `to` reads nothing until no more is taken: there is a bound on what the proxy holds.
 * Then `to` gets all of it.
 */
static void send_much(struct end *from, struct end *to)
{
    size_t sent = 0;
    size_t got = 0;
    for (size_t i = 0; i < MUCH; i++)
        much[i] = (char)('a' + (i * 7 + i / 1021) % 26);
    while (sent < MUCH && wait_for(from->fd, POLLOUT, 300))
        sent += give_more(from, sent);
    ck_assert_uint_lt(sent, MUCH);
    while (got < MUCH) {
        size_t len = expect_more(to, got);
        got += len;
        sent += give_more(from, sent);
        if (len == 0 && !wait_for(to->fd, POLLIN, PATIENCE_MS))
            ck_abort_msg("nothing comes after %zu octets", got);
    }
}

START_TEST(a_client_that_reads_late)
{
    char head[64];
    start("");
    open_session();
    say(&client, "b FETCH 1 BODY[]\r\n");
    hear(&server, "b FETCH 1 BODY[]\r\n");
    snprintf(head, sizeof head, "* 1 FETCH (BODY[] {%d}\r\n", MUCH);
    say(&server, head);
    hear(&client, head);
    send_much(&server, &client);
    say(&server, ")\r\nb OK done\r\n");
    hear(&client, "b OK done\r\n");
    log_out();
    stop();
}
END_TEST

START_TEST(a_server_that_reads_late)
{
    char head[64];
    start("");
    open_session();
    snprintf(head, sizeof head, "b APPEND x {%d}\r\n", MUCH);
    say(&client, head);
    hear(&server, head);
    say(&server, "+ go\r\n");
    hear(&client, "+ go\r\n");
    send_much(&client, &server);
    say(&client, "\r\n");
    hear(&server, "\r\n");
    say(&server, "b OK done\r\n");
    hear(&client, "b OK done\r\n");
    log_out();
    stop();
}
END_TEST

/* ---- one end ends ---- */

/* What the server still owes is delivered to a client that sends no more; then both ends end. */
START_TEST(a_client_that_half_closes)
{
    start("");
    open_session();
    say(&client, "b NOOP\r\n");
    SSL_shutdown(client.ssl);
    shutdown(client.fd, SHUT_WR);
    hear(&server, NULL);
    ck_assert_ptr_nonnull(strstr(received, "b NOOP\r\n"));
    say(&server, "b OK late\r\n");
    close_end(&server);
    hear(&client, NULL);
    ck_assert_ptr_nonnull(strstr(received, "b OK late\r\n"));
    stop();
}
END_TEST

/* A client that is gone takes its server with it. */
START_TEST(a_client_that_resets)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    start("");
    open_session();
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_end(&client);
    ck_assert(wait_for(server.fd, POLLIN, PATIENCE_MS));
    ck_assert_int_le(recv(server.fd, received, sizeof received, MSG_DONTWAIT), 0);
    stop();
}
END_TEST

/* The client is told, and TLS ends as it must. */
START_TEST(a_server_that_ends)
{
    start("");
    open_session();
    close_end(&server);
    hear(&client, NULL);
    ck_assert_msg(strncmp(received, "* BYE ", 6) == 0, "%s", received);
    stop();
}
END_TEST

/* A server that ends without a greeting was none: the client is told so. */
START_TEST(a_server_that_does_not_greet)
{
    start("");
    connect_client();
    accept_session();
    close_end(&server);
    hear(&client, NULL);
    ck_assert_msg(strncmp(received, "* BYE ", 6) == 0, "%s", received);
    stop();
}
END_TEST

/* Nor was one that greets with something else: the client has had nothing of it. */
START_TEST(a_server_that_speaks_something_else)
{
    start("");
    connect_client();
    accept_session();
    say(&server, "220 mail.example ESMTP\r\n");
    hear(&client, NULL);
    ck_assert_msg(strncmp(received, "* BYE ", 6) == 0, "%s", received);
    stop();
}
END_TEST

/* ---- TLS towards the server ---- */

static void start_with_tls(const char *mode)
{
    static const struct certificate_wish wish = {.names = {"store.example"}};
    struct tls_certificate_files files = certificate_make(&wish);
    char pool[1024];
    snprintf(pool, sizeof pool, "tls = { mode = \"%s\"; ca = \"%s\"; name = \"store.example\"; };", mode,
             certificates_authority(false));
    start(pool);
    server_context = SSL_CTX_new(TLS_method());
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(server_context, files.chain), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(server_context, files.key, SSL_FILETYPE_PEM), 1);
}

START_TEST(tls_at_once)
{
    start_with_tls("implicit");
    for (int i = 0; i < 2; i++) { /* the second one resumes what the first had */
        connect_client();
        accept_session();
        shake(&server, server_context, true);
        ck_assert_int_eq(SSL_session_reused(server.ssl), i);
        greet_and_log_in();
        log_out();
        close_end(&client);
    }
    stop();
}
END_TEST

/* Answers the proxy's own command, which has been heard: `format` has a place for its tag. */
static void answer_command(const char *format)
{
    char answer[128];
    ck_assert_ptr_nonnull(strchr(received, ' '));
    *strchr(received, ' ') = '\0';
    snprintf(answer, sizeof answer, format, received);
    say(&server, answer);
}

/* The greeting in the clear is not the client's: what it gets came by TLS. */
START_TEST(tls_by_starttls)
{
    start_with_tls("starttls");
    connect_client();
    accept_session();
    say(&server, "* OK [CAPABILITY IMAP4rev1 STARTTLS] in the clear\r\n");
    hear(&server, "STARTTLS\r\n");
    answer_command("%.32s OK begin\r\n");
    shake(&server, server_context, true);
    hear(&server, "\r\n"); /* a command of the proxy's own, whose answer is the greeting's */
    answer_command("* CAPABILITY IMAP4rev1 ID\r\n%.32s OK done\r\n");
    hear(&client, "* OK ");
    ck_assert_ptr_null(strstr(received, "in the clear"));
    say(&client, "a LOGIN somebody secret\r\n");
    hear(&server, "a LOGIN somebody secret\r\n");
    say(&server, "a OK welcome\r\n");
    hear(&client, "a OK welcome\r\n");
    log_out();
    stop();
}
END_TEST

/* Nothing of a client's goes to a server that can't be verified, or that does not speak TLS. */
START_TEST(a_server_without_tls)
{
    start_with_tls(_i == 0 ? "implicit" : "starttls");
    connect_client();
    accept_session();
    say(&server, "* OK [CAPABILITY IMAP4rev1] no such thing\r\n");
    if (_i == 1) {
        hear(&server, "STARTTLS\r\n");
        answer_command("%.32s BAD what is that?\r\n");
    }
    hear(&client, NULL);
    ck_assert_msg(strncmp(received, "* BYE ", 6) == 0, "%s", received);
    stop();
}
END_TEST

int main(void)
{
    certificates_open();
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("session_flow");
    TCase *tests = tcase_create("sessions");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_dialogue);
    tcase_add_test(tests, clients_that_send_ahead);
    tcase_add_test(tests, a_client_that_reads_late);
    tcase_add_test(tests, a_server_that_reads_late);
    tcase_add_test(tests, a_client_that_half_closes);
    tcase_add_test(tests, a_client_that_resets);
    tcase_add_test(tests, a_server_that_ends);
    tcase_add_test(tests, a_server_that_does_not_greet);
    tcase_add_test(tests, a_server_that_speaks_something_else);
    tcase_add_test(tests, tls_at_once);
    tcase_add_test(tests, tls_by_starttls);
    tcase_add_loop_test(tests, a_server_without_tls, 0, 2);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
