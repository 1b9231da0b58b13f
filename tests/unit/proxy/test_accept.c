/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/accept.h"

#include "base/array.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

static int fails_with; /* 0: the kernel's own answer */

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    if (fails_with == 0)
        return __real_accept4(fd, address, len, flags);
    errno = fails_with;
    return -1;
}

static const struct failure {
    int error;
    enum accept_outcome outcome;
} failures[] = {
    {EAGAIN, ACCEPT_NOBODY},     {ECONNABORTED, ACCEPT_LOST}, {EPROTO, ACCEPT_LOST},
    {EINTR, ACCEPT_LOST},        {EPERM, ACCEPT_LOST},        {ENETDOWN, ACCEPT_LOST},
    {ENOPROTOOPT, ACCEPT_LOST},  {EHOSTDOWN, ACCEPT_LOST},    {ENONET, ACCEPT_LOST},
    {EHOSTUNREACH, ACCEPT_LOST}, {EOPNOTSUPP, ACCEPT_LOST},   {ENETUNREACH, ACCEPT_LOST},
    {ETIMEDOUT, ACCEPT_LOST},    {EMFILE, ACCEPT_SHORT},      {ENFILE, ACCEPT_SHORT},
    {ENOBUFS, ACCEPT_SHORT},     {ENOMEM, ACCEPT_SHORT},      {EBADF, ACCEPT_SHORT},
    {EINVAL, ACCEPT_SHORT},
};

START_TEST(what_it_means)
{
    int fd = 0;
    fails_with = failures[_i].error;
    ck_assert_int_eq(accept_connection(-1, &fd, NULL, NULL), failures[_i].outcome);
    ck_assert_int_eq(errno, failures[_i].error);
    ck_assert_int_lt(fd, 0);
}
END_TEST

START_TEST(a_connection)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage peer;
    socklen_t len = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = -1;
    fails_with = 0;
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&own, sizeof own), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&own, &len), 0);
    ck_assert_int_eq(accept_connection(listener, &fd, NULL, NULL), ACCEPT_NOBODY);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&own, sizeof own), 0);
    len = sizeof peer;
    ck_assert_int_eq(accept_connection(listener, &fd, (struct sockaddr *)&peer, &len), ACCEPT_DONE);
    ck_assert_int_eq(peer.ss_family, AF_INET);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    close(client);
    close(listener);
}
END_TEST

START_TEST(what_helps)
{
    static const int known[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        ck_assert_ptr_nonnull(accept_remedy(known[i]));
    ck_assert_ptr_null(accept_remedy(EBADF));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accept");
    TCase *tests = tcase_create("accept");
    tcase_add_loop_test(tests, what_it_means, 0, ARRAY_LEN(failures));
    tcase_add_test(tests, a_connection);
    tcase_add_test(tests, what_helps);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
