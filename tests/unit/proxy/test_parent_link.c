/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/parent_link.h"
#include "run_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int parent;
static int proxy;

static void open_link(void)
{
    ck_assert(parent_link_pair(&parent, &proxy));
}

static void close_link(void)
{
    close(parent);
    close(proxy);
}

static void send_octets(const void *octets, size_t len)
{
    ck_assert_int_eq(send(parent, octets, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* A receiver that has not been given a descriptor must not close one. */
static enum parent_received receive(struct parent_word *word)
{
    memset(word, 0x7f, sizeof *word);
    return parent_link_receive(proxy, word);
}

START_TEST(words_arrive_in_order)
{
    struct parent_word sent = {.kind = PARENT_NO_GUARD, .control = -1, .text = "for a reason"};
    struct parent_word word;
    ck_assert_int_eq(receive(&word), PARENT_SILENT);
    ck_assert(parent_link_send(parent, &sent));
    sent = (struct parent_word){.kind = PARENT_SIGNAL, .signal = SIGHUP, .control = -1};
    ck_assert(parent_link_send(parent, &sent));
    ck_assert_int_eq(receive(&word), PARENT_WORD);
    ck_assert_int_eq(word.kind, PARENT_NO_GUARD);
    ck_assert_str_eq(word.text, "for a reason");
    ck_assert_int_eq(word.control, -1);
    ck_assert_int_eq(receive(&word), PARENT_WORD);
    ck_assert_int_eq(word.kind, PARENT_SIGNAL);
    ck_assert_int_eq(word.signal, SIGHUP);
    ck_assert_str_eq(word.text, "");
    ck_assert_int_eq(receive(&word), PARENT_SILENT);
}
END_TEST

START_TEST(the_longest_text)
{
    struct parent_word sent = {.kind = PARENT_NO_GUARD, .control = -1};
    struct parent_word word;
    memset(sent.text, 'x', sizeof sent.text);
    ck_assert(parent_link_send(parent, &sent));
    ck_assert_int_eq(receive(&word), PARENT_WORD);
    ck_assert_uint_eq(strnlen(word.text, sizeof word.text), PARENT_LINK_TEXT_MAX - 1);
}
END_TEST

START_TEST(a_guard_comes_with_its_socket)
{
    int ends[2];
    struct stat there;
    struct stat here;
    struct parent_word word;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct parent_word sent = {.kind = PARENT_GUARD, .control = ends[0]};
    ck_assert(parent_link_send(parent, &sent));
    ck_assert_int_eq(receive(&word), PARENT_WORD);
    ck_assert_int_eq(word.kind, PARENT_GUARD);
    ck_assert_int_eq(fstat(ends[0], &there), 0); /* still the sender's */
    ck_assert_int_eq(fstat(word.control, &here), 0);
    ck_assert_uint_eq(here.st_ino, there.st_ino);
    ck_assert_int_eq(fcntl(word.control, F_GETFD), FD_CLOEXEC);
    close(word.control);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(it_goes_one_way)
{
    ck_assert_int_eq(send(proxy, "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(a_proxy_that_does_not_read_keeps_nobody_waiting)
{
    struct parent_word sent = {.kind = PARENT_SIGNAL, .signal = SIGHUP, .control = -1};
    size_t count = 0;
    while (parent_link_send(parent, &sent))
        ck_assert_uint_lt(++count, 100000);
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(the_end_of_the_parent)
{
    struct parent_word word;
    close(parent);
    ck_assert_int_eq(receive(&word), PARENT_GONE);
    parent = dup(proxy);
}
END_TEST

START_TEST(the_end_of_the_proxy)
{
    struct parent_word sent = {.kind = PARENT_SIGNAL, .signal = SIGHUP, .control = -1};
    close(proxy);
    ck_assert(!parent_link_send(parent, &sent));
    ck_assert_int_ne(errno, EAGAIN);
    proxy = dup(parent);
}
END_TEST

START_TEST(what_is_no_word)
{
    static const struct {
        uint8_t octets[3];
        size_t len;
    } cases[] = {{{PARENT_SIGNAL}, 1}, {{0, 1}, 2}, {{PARENT_SIGNAL + 1, 1}, 2}, {{PARENT_GUARD, 0}, 2}};
    struct parent_word word;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_octets(cases[i].octets, cases[i].len);
        ck_assert_int_eq(receive(&word), PARENT_GONE);
        ck_assert_int_eq(word.control, -1);
    }
}
END_TEST

START_TEST(nobody_else_is_a_parent)
{
    struct parent_word word;
    int saved = dup(PARENT_LINK_FD);
    close(PARENT_LINK_FD);
    ck_assert(!parent_link_open(&word));
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert(dup2(pipes[0], PARENT_LINK_FD) >= 0);
    ck_assert(!parent_link_open(&word));
    if (saved >= 0)
        dup2(saved, PARENT_LINK_FD);
}
END_TEST

START_TEST(the_first_word_is_about_the_guard)
{
    struct parent_word word;
    struct parent_word sent = {.kind = PARENT_SIGNAL, .signal = SIGHUP, .control = -1};
    int far;
    int near;
    ck_assert(parent_link_pair(&near, &far));
    /* The fixture's own end may have this number. */
    ck_assert(dup2(far, PARENT_LINK_FD) >= 0);
    ck_assert(parent_link_send(near, &sent));
    ck_assert(!parent_link_open(&word));
    sent.kind = PARENT_NO_GUARD;
    ck_assert(parent_link_send(near, &sent));
    ck_assert(parent_link_open(&word));
    ck_assert_int_eq(fcntl(PARENT_LINK_FD, F_GETFD), FD_CLOEXEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parent_link");
    TCase *words = tcase_create("words");
    tcase_add_checked_fixture(words, open_link, close_link);
    tcase_add_test(words, words_arrive_in_order);
    tcase_add_test(words, the_longest_text);
    tcase_add_test(words, a_guard_comes_with_its_socket);
    tcase_add_test(words, it_goes_one_way);
    tcase_add_test(words, a_proxy_that_does_not_read_keeps_nobody_waiting);
    tcase_add_test(words, the_end_of_the_parent);
    tcase_add_test(words, the_end_of_the_proxy);
    tcase_add_test(words, what_is_no_word);
    TCase *opening = tcase_create("opening");
    tcase_add_test(opening, nobody_else_is_a_parent);
    tcase_add_test(opening, the_first_word_is_about_the_guard);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, opening);
    return run_suite(suite);
}
