/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/connecting.h"

#include "base/array.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static const struct sockaddr_in server = {.sin_family = AF_INET};

static struct cfg_endpoint source_of(const char *text)
{
    struct cfg_endpoint source = {.address_len = sizeof(struct sockaddr_in)};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&source.address, &v4, sizeof v4);
        return source;
    }
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    memcpy(&source.address, &v6, sizeof v6);
    source.address_len = sizeof v6;
    return source;
}

/* The address that a socket for IPv4 is bound to, or the error. */
static const char *bind_one(const char *const *texts, size_t count, uint64_t turn, int *error)
{
    static char text[INET_ADDRSTRLEN];
    struct cfg_endpoint sources[4];
    struct sockaddr_in own = {0};
    socklen_t len = sizeof own;
    for (size_t i = 0; i < count; i++)
        sources[i] = source_of(texts[i]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    *error = connecting_bind(fd, (const struct sockaddr *)&server, sources, count, turn);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    ck_assert_uint_eq(own.sin_port, 0); /* none is taken before the socket connects */
    close(fd);
    return inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
}

START_TEST(sources_in_turn)
{
    static const char *const texts[] = {"127.0.0.2", "fd00::1", "127.0.0.3"};
    static const char *const expected[] = {"127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.2"};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        int error;
        ck_assert_str_eq(bind_one(texts, 3, i, &error), expected[i]);
        ck_assert_int_eq(error, 0);
    }
}
END_TEST

START_TEST(source_of_ipv6)
{
    struct sockaddr_in6 there = {.sin6_family = AF_INET6};
    struct cfg_endpoint source = source_of("::1");
    struct sockaddr_in6 own = {0};
    socklen_t len = sizeof own;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0)
        return; /* this machine has none */
    ck_assert_int_eq(connecting_bind(fd, (const struct sockaddr *)&there, &source, 1, 0), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    ck_assert(IN6_IS_ADDR_LOOPBACK(&own.sin6_addr));
    ck_assert_uint_eq(own.sin6_port, 0);
    close(fd);
}
END_TEST

START_TEST(no_source_of_this_family)
{
    static const char *const texts[] = {"fd00::1"};
    int error;
    ck_assert_str_eq(bind_one(texts, 1, 0, &error), "0.0.0.0");
    ck_assert_int_eq(error, 0);
    ck_assert_str_eq(bind_one(texts, 0, 5, &error), "0.0.0.0");
    ck_assert_int_eq(error, 0);
}
END_TEST

START_TEST(sources_that_the_machine_lacks)
{
    static const char *const texts[] = {"192.0.2.77", "127.0.0.2", "192.0.2.78"};
    static const char *const lacking[] = {"192.0.2.77", "192.0.2.78"};
    int error;
    for (uint64_t turn = 0; turn < 3; turn++) {
        ck_assert_str_eq(bind_one(texts, 3, turn, &error), "127.0.0.2");
        ck_assert_int_eq(error, 0);
    }
    ck_assert_str_eq(bind_one(lacking, 2, 1, &error), "0.0.0.0");
    ck_assert_int_eq(error, CONNECTING_NO_SOURCE);
    ck_assert_ptr_nonnull(strstr(connecting_words(error, AF_INET), "\"source\""));
}
END_TEST

/* ---- Unix sockets ---- */

static struct sockaddr_un at;
static char folder[] = "/tmp/test_connecting_XXXXXX";

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    at = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/s", folder);
}

static void tear_down(void)
{
    unlink(at.sun_path);
    rmdir(folder);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
}

static int listen_there(int backlog)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

static int connect_there(int *fd)
{
    bool has_socket;
    int error = connecting_to_unix((const struct sockaddr *)&at, sizeof at, fd, &has_socket);
    ck_assert(has_socket);
    ck_assert_int_eq(error == 0, *fd >= 0);
    return error;
}

START_TEST(unix_socket)
{
    char octets[8];
    int fd;
    int listener = listen_there(5);
    ck_assert_int_eq(connect_there(&fd), 0);
    int accepted = accept(listener, NULL, NULL);
    ck_assert_int_eq(write(accepted, "+OK", 3), 3);
    ck_assert_int_eq(read(fd, octets, sizeof octets), 3);
    ck_assert_int_eq(read(fd, octets, sizeof octets), -1); /* it does not block */
    close(fd);
    close(accepted);
    close(listener);
}
END_TEST

START_TEST(unix_socket_is_missing)
{
    int fd;
    ck_assert_int_eq(connect_there(&fd), UV_ENOENT);
    ck_assert_str_eq(connecting_words(UV_ENOENT, AF_UNIX), "there is no such socket");
    close(listen_there(5));
    ck_assert_int_eq(connect_there(&fd), UV_ECONNREFUSED);
    ck_assert_str_eq(connecting_words(UV_ECONNREFUSED, AF_UNIX), "nobody listens at the socket");
    ck_assert_str_eq(connecting_words(UV_ECONNREFUSED, AF_INET), uv_strerror(UV_ECONNREFUSED));
}
END_TEST

START_TEST(unix_socket_is_full)
{
    int fds[8];
    size_t count = 0;
    int listener = listen_there(1);
    int error;
    while ((error = connect_there(&fds[count])) == 0)
        ck_assert_uint_lt(++count, ARRAY_LEN(fds));
    ck_assert_int_eq(error, UV_EAGAIN);
    ck_assert_str_eq(connecting_words(error, AF_UNIX), "too many connections wait at the socket");
    while (count > 0)
        close(fds[--count]);
    close(listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connecting");
    TCase *sources = tcase_create("sources");
    TCase *sockets = tcase_create("unix");
    tcase_add_test(sources, sources_in_turn);
    tcase_add_test(sources, source_of_ipv6);
    tcase_add_test(sources, no_source_of_this_family);
    tcase_add_test(sources, sources_that_the_machine_lacks);
    tcase_add_checked_fixture(sockets, set_up, tear_down);
    tcase_add_test(sockets, unix_socket);
    tcase_add_test(sockets, unix_socket_is_missing);
    tcase_add_test(sockets, unix_socket_is_full);
    suite_add_tcase(suite, sources);
    suite_add_tcase(suite, sockets);
    return run_suite(suite);
}
