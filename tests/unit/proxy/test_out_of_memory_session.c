/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions whose worker has no memory for the n-th thing that it wants: the client's dialogue is as usual, or
 * its connection is closed, soon; nothing else is harmed, and the next client is served. (All memory comes
 * back: the address sanitizer looks at that.) And workers that have none when they are to be started.
 */
#include "certificates.h"
#include "failing_heap.h"
#include "inner_proxy.h"
#include "protocols/engine.h"
#include "run_suite.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

/* What the server gets begins with a tag that nobody can guess. */
enum { NONCE = ENGINE_NONCE_LEN };

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *all = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(all);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

/* The worker closes its sockets in a thread of its own, soon after the client has gone. */
static void expect_descriptors(size_t count)
{
    for (int tries = 0; tries < 1000 && count_descriptors() != count; tries++)
        poll(NULL, 0, 10);
    ck_assert_uint_eq(count_descriptors(), count);
}

/* Apart from the first octets, and from a goodbye of the proxy's own. */
static bool begins_as(const struct bytes *all, const struct bytes *got, size_t apart)
{
    struct slice usual = slice_from(bytes_view(all), apart);
    struct slice rest = slice_from(bytes_view(got), apart);
    while (rest.len > 0) {
        size_t end = slice_find(rest, '\n') + 1;
        struct slice line = slice_first(rest, end);
        if (!slice_equals(line, slice_first(usual, line.len)))
            return slice_has_prefix(rest, "* BYE ") && line.len == rest.len;
        rest = slice_from(rest, line.len);
        usual = slice_from(usual, line.len);
    }
    return true;
}

static struct inner_dialogue usual_dialogue(struct inner_proxy *proxy, enum inner_service service)
{
    struct inner_dialogue dialogue = inner_proxy_talk(proxy, service, "somebody", NULL);
    ck_assert(dialogue.is_secured);
    ck_assert_msg(dialogue.is_complete, "to the client: %.*s\nto the server: %.*s",
                  (int)dialogue.to_client.len, (const char *)dialogue.to_client.data,
                  (int)dialogue.to_server.len, (const char *)dialogue.to_server.data);
    ck_assert(dialogue.has_ended);
    return dialogue;
}

START_TEST(a_session)
{
    enum inner_service service = (enum inner_service)_i;
    struct inner_proxy *proxy = inner_proxy_start("identity = \"none\";");
    size_t descriptors = count_descriptors();
    struct inner_dialogue usual = usual_dialogue(proxy, service);
    size_t ended = 0;
    size_t fails_at = 0;
    for (bool failed = true; failed; fails_at++) {
        failing_heap_set(fails_at);
        failing_heap_of_threads(true);
        struct inner_dialogue dialogue = inner_proxy_talk(proxy, service, "somebody", NULL);
        failing_heap_of_threads(false);
        failed = failing_heap_has_failed();
        ck_assert_msg(dialogue.has_ended, "allocation %zu: the client is left waiting", fails_at);
        ck_assert_msg(dialogue.is_complete || failed, "no failure, and no dialogue");
        ck_assert_msg(begins_as(&usual.to_client, &dialogue.to_client, 0), "allocation %zu: another dialogue",
                      fails_at);
        ck_assert_msg(begins_as(&usual.to_server, &dialogue.to_server, NONCE),
                      "allocation %zu: another dialogue", fails_at);
        ended += !dialogue.is_complete;
        inner_dialogue_free(&dialogue);
        struct inner_dialogue next = usual_dialogue(proxy, service);
        inner_dialogue_free(&next);
    }
    ck_assert_uint_ge(fails_at, 5);
    ck_assert_uint_ge(ended, 3);
    expect_descriptors(descriptors);
    inner_dialogue_free(&usual);
    inner_proxy_stop(&proxy);
}
END_TEST

/* Without all of its memory it is not started, whatever is missing. */
START_TEST(a_worker)
{
    struct inner_proxy *proxy = inner_proxy_start("identity = \"none\";");
    size_t descriptors = count_descriptors();
    size_t fails_at = 0;
    for (bool failed = true; failed; fails_at++) {
        failing_heap_set(fails_at);
        failing_heap_begin();
        int error = inner_proxy_try_another_worker(proxy);
        failing_heap_end();
        failed = failing_heap_has_failed();
        ck_assert_msg((error != 0) == failed, "allocation %zu: %d", fails_at, error);
        expect_descriptors(descriptors);
    }
    ck_assert_uint_ge(fails_at, 5);
    inner_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    certificates_open();
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("out of memory in a session");
    TCase *tests = tcase_create("session");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_session, INNER_TLS, INNER_STARTTLS + 1);
    tcase_add_test(tests, a_worker);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
