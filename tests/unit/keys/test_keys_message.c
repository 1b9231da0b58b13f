/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages with descriptors: what arrives, what does not fit, and whose the descriptors are. */
#include "keys/keys_message.h"

#include "keys/keys_wire.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int sender;
static int receiver;
static int pipes[2]; /* what is sent along */
static int fds[KEYS_CHANNELS_EACH];
static size_t fd_count;
static uint8_t into[16];

static void set_up(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(pipe(pipes), 0);
    sender = ends[0];
    receiver = ends[1];
}

static void tear_down(void)
{
    close(sender);
    close(receiver);
    close(pipes[0]);
    close(pipes[1]);
}

static ssize_t receive(size_t cap, size_t max)
{
    fd_count = max;
    errno = 0;
    return keys_message_receive(receiver, into, cap, fds, &fd_count);
}

/* The number that the next descriptor gets: it tells whether one was left open. */
static int next_descriptor(void)
{
    int fd = dup(STDIN_FILENO);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return fd;
}

static void expect_same_file(int one, int two)
{
    struct stat a;
    struct stat b;
    ck_assert_int_eq(fstat(one, &a), 0);
    ck_assert_int_eq(fstat(two, &b), 0);
    ck_assert(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

START_TEST(octets_alone)
{
    ck_assert(keys_message_send(sender, slice_of("first"), NULL, 0));
    ck_assert(keys_message_send(sender, slice_of("second"), NULL, 0));
    ck_assert_int_eq(receive(sizeof into, 2), 5);
    ck_assert_mem_eq(into, "first", 5);
    ck_assert_uint_eq(fd_count, 0);
    ck_assert_int_eq(receive(6, 0), 6); /* as long as there is room */
    ck_assert_mem_eq(into, "second", 6);
    ck_assert_int_eq(receive(sizeof into, 2), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(fd_count, 0);
}
END_TEST

START_TEST(with_descriptors)
{
    ck_assert(keys_message_send(sender, slice_of("x"), pipes, 2));
    expect_same_file(pipes[0], pipes[0]); /* the caller's, still */
    ck_assert_int_eq(receive(sizeof into, KEYS_CHANNELS_EACH), 1);
    ck_assert_uint_eq(fd_count, 2);
    for (size_t i = 0; i < 2; i++) {
        expect_same_file(fds[i], pipes[i]);
        ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    }
    keys_close_all(fds, fd_count);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_lt(fcntl(fds[i], F_GETFD), 0);
}
END_TEST

START_TEST(as_many_as_there_can_be)
{
    int many[KEYS_CHANNELS_EACH];
    int before = next_descriptor();
    for (size_t i = 0; i < KEYS_CHANNELS_EACH; i++)
        many[i] = pipes[i % 2];
    ck_assert(keys_message_send(sender, slice_of("x"), many, KEYS_CHANNELS_EACH));
    ck_assert_int_eq(receive(sizeof into, KEYS_CHANNELS_EACH), 1);
    ck_assert_uint_eq(fd_count, KEYS_CHANNELS_EACH);
    for (size_t i = 0; i < KEYS_CHANNELS_EACH; i++)
        expect_same_file(fds[i], pipes[i % 2]);
    keys_close_all(fds, fd_count);
    ck_assert_int_eq(next_descriptor(), before);
}
END_TEST

/* Longer than the room for it, or with more descriptors: nothing of it is left, and the next one arrives. */
START_TEST(what_does_not_fit)
{
    int before = next_descriptor();
    size_t cap = _i == 0 ? 3 : sizeof into;
    size_t max = _i == 0 ? 2 : _i == 1 ? 1 : 0;
    ck_assert(keys_message_send(sender, slice_of("long"), pipes, 2));
    ck_assert(keys_message_send(sender, slice_of("x"), NULL, 0));
    ck_assert_int_eq(receive(cap, max), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_uint_eq(fd_count, 0);
    ck_assert_int_eq(next_descriptor(), before);
    ck_assert_int_eq(receive(sizeof into, 2), 1);
    ck_assert_uint_eq(fd_count, 0);
}
END_TEST

/* By an end of the other side, and not by SIGPIPE. */
START_TEST(nobody_is_there)
{
    close(sender);
    ck_assert_int_eq(receive(sizeof into, 2), 0);
    ck_assert_uint_eq(fd_count, 0);
    ck_assert(!keys_message_send(receiver, slice_of("x"), NULL, 0));
    ck_assert_int_eq(errno, EPIPE);
    sender = dup(STDIN_FILENO); /* for tear_down */
}
END_TEST

START_TEST(a_socket_that_is_full)
{
    size_t count = 0;
    while (keys_message_send(sender, slice_of("x"), NULL, 0))
        ck_assert_uint_lt(++count, 100000);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_gt(count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys_message");
    TCase *tests = tcase_create("keys_message");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, octets_alone);
    tcase_add_test(tests, with_descriptors);
    tcase_add_test(tests, as_many_as_there_can_be);
    tcase_add_loop_test(tests, what_does_not_fit, 0, 3);
    tcase_add_test(tests, nobody_is_there);
    tcase_add_test(tests, a_socket_that_is_full);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
