/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is checked: the members of the pools in effect, through reloads, maintenance and suspicion. */
#include "proxy/control/control_private.h"

#include "certificates.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nobody listens there. */
#define FIRST  "127.0.0.1:1"
#define SECOND "127.0.0.1:2"
#define THIRD  "127.0.0.1:3"

static const char quick[] =
    "check = { interval = \"100 ms\"; fast = \"100 ms\"; slow = \"100 ms\"; fall = 3; };";
static const char rare[] = "check = { interval = \"1 h\"; fast = \"100 ms\"; };";
static const char off[] = "check = false;";

static struct control control;

/* A pool of two servers, which a service uses, and one that nobody uses. */
static struct runtime load(const char *one, const char *other, const char *check)
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    static struct tls_certificate_files files;
    struct runtime loaded;
    struct cfg_problems problems = {0};
    char *text;
    if (files.chain == NULL)
        files = certificate_make(&wish);
    ck_assert_int_gt(
        asprintf(
            &text,
            "key_isolation = false; workers = 1; user = \"root\";\n"
            "tls = { certificates = ( { chain = \"%s\"; key = \"%s\"; } ); };\n"
            "services = ( { protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"s\"; } );\n"
            "backends = ( { name = \"s\"; servers = ( { address = \"%s\"; }, { address = \"%s\"; } ); %s },\n"
            "  { name = \"idle\"; servers = ( { address = \"" FIRST "\"; } ); %s } );\n",
            files.chain, files.key, one, other, check, check),
        0);
    const char *path = certificates_write("checks.conf", text);
    free(text);
    bool ok = runtime_load(path, NULL, &control.runtime, &loaded, &problems);
    if (!ok)
        cfg_problems_print(&problems, stderr);
    ck_assert(ok);
    cfg_problems_free(&problems);
    return loaded;
}

static struct server_state *server_of(size_t pool, const char *name)
{
    const struct member *member = membership_find(control.runtime.members->lists[pool], name);
    ck_assert_ptr_nonnull(member);
    return member->server;
}

static void begin(const char *check)
{
    ck_assert_int_eq(uv_loop_init(&control.loop), 0);
    control.log = log_new(CFG_LOG_ERROR);
    control.runtime = load(FIRST, SECOND, check);
    control_open_pools(&control);
    ck_assert_int_eq(control_checks_open(&control), 0);
}

/* As a reload does. */
static void change(const char *one, const char *other, const char *check)
{
    struct runtime after = load(one, other, check);
    struct runtime before = control.runtime;
    control_install_pools(&control, &after, &before);
    control.runtime = after;
    control_checks_follow(&control);
    runtime_unref(&before);
}

/* Nothing is left on the loop. */
static void end(void)
{
    control_checks_close(&control);
    uv_run(&control.loop, UV_RUN_DEFAULT);
    control_checks_free(&control);
    ck_assert_int_eq(uv_loop_close(&control.loop), 0);
    runtime_unref(&control.runtime);
    log_close(&control.log);
}

static void await_checks(const struct server_state *server, uint64_t count)
{
    for (uint64_t start = server->checks[CHECK_CONNECT_REFUSED];
         server->checks[CHECK_CONNECT_REFUSED] < start + count;)
        uv_run(&control.loop, UV_RUN_ONCE);
}

START_TEST(members_of_pools_that_are_used)
{
    begin(quick);
    ck_assert_ptr_nonnull(server_of(0, FIRST)->check);
    ck_assert_ptr_nonnull(server_of(0, SECOND)->check);
    ck_assert_ptr_null(server_of(1, FIRST)->check);
    end();
}
END_TEST

START_TEST(results_change_states)
{
    begin(quick);
    struct server_state *server = server_of(0, FIRST);
    await_checks(server, 2);
    ck_assert_int_eq(server_state_health(server), SERVER_UNCHECKED);
    await_checks(server, 1);
    ck_assert_int_eq(server_state_health(server), SERVER_DOWN);
    ck_assert_int_eq(server->cause[SERVER_AXIS_STATE], SERVER_CONNECT_REFUSED);
    ck_assert_int_eq(server->last_check.result, CHECK_CONNECT_REFUSED);
    ck_assert_str_eq(server->last_check.detail, "connection refused");
    ck_assert_ptr_null(control.checks.detail);
    end();
}
END_TEST

START_TEST(reloads)
{
    begin(quick);
    struct server_state *first = server_of(0, FIRST);
    struct server_state *second = server_state_ref(server_of(0, SECOND));
    struct control_check *check = first->check;
    await_checks(first, 1);
    change(FIRST, THIRD, quick);
    ck_assert_ptr_eq(server_of(0, FIRST), first);
    ck_assert_ptr_eq(first->check, check);
    ck_assert_ptr_null(second->check);
    ck_assert_ptr_nonnull(server_of(0, THIRD)->check);
    uint64_t checks = second->checks[CHECK_CONNECT_REFUSED];
    await_checks(server_of(0, THIRD), 2);
    ck_assert_uint_eq(second->checks[CHECK_CONNECT_REFUSED], checks);
    server_state_unref(&second);
    end();
}
END_TEST

/* A server that takes connections, and says nothing. */
static int listen_silently(char address[64])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&in, len), 0);
    ck_assert_int_eq(listen(server, 16), 0);
    ck_assert_int_eq(getsockname(server, (struct sockaddr *)&in, &len), 0);
    snprintf(address, 64, "127.0.0.1:%u", ntohs(in.sin_port));
    return server;
}

/* A check that is under way goes on, and none is begun in its place. */
START_TEST(reloads_disturb_no_check)
{
    char silent[64];
    int server = listen_silently(silent);
    begin(off);
    change(silent, SECOND, rare);
    while (checks_under_way(control.checks.checks) == 0)
        uv_run(&control.loop, UV_RUN_ONCE);
    for (int i = 0; i < 3; i++) {
        change(silent, SECOND, rare);
        ck_assert_uint_eq(checks_under_way(control.checks.checks), 1);
        uv_run(&control.loop, UV_RUN_NOWAIT);
        ck_assert_uint_eq(checks_under_way(control.checks.checks), 1);
    }
    end();
    close(server);
}
END_TEST

START_TEST(settings)
{
    begin(rare);
    struct server_state *second = server_of(0, SECOND); /* the first one's turn is at once */
    await_checks(server_of(0, FIRST), 1);
    ck_assert_uint_eq(second->checks[CHECK_CONNECT_REFUSED], 0);
    change(FIRST, SECOND, quick);
    await_checks(second, 4);
    ck_assert_int_eq(server_state_health(second), SERVER_DOWN);
    change(FIRST, SECOND, off);
    ck_assert_ptr_null(second->check);
    ck_assert_int_eq(server_state_health(second), SERVER_UNCHECKED);
    ck_assert_uint_eq(second->last_check.at_ms, 0);
    ck_assert_uint_ge(second->checks[CHECK_CONNECT_REFUSED], 4);
    change(FIRST, SECOND, quick);
    await_checks(second, 1);
    end();
}
END_TEST

START_TEST(maintenance)
{
    begin(quick);
    struct server_state *first = server_of(0, FIRST);
    await_checks(first, 1);
    server_state_set_admin(first, SERVER_MAINTENANCE, SERVER_CAUSE_OPERATOR, 0, NULL);
    control_checks_review(&control);
    uint64_t checks = first->checks[CHECK_CONNECT_REFUSED];
    await_checks(server_of(0, SECOND), 3);
    change(FIRST, THIRD, quick);
    await_checks(server_of(0, THIRD), 2);
    ck_assert_uint_eq(first->checks[CHECK_CONNECT_REFUSED], checks);
    server_state_set_admin(first, SERVER_DRAIN, SERVER_CAUSE_OPERATOR, 0, NULL);
    control_checks_review(&control);
    await_checks(first, 2);
    end();
}
END_TEST

/* Once for each time that it is suspected, however often it is looked at. */
START_TEST(suspected)
{
    begin(rare);
    struct server_state *second = server_of(0, SECOND);
    control_checks_review(&control);
    server_state_failed(second, SERVER_NO_GREETING, false, uv_hrtime() / 1000000);
    for (int i = 0; i < 3; i++)
        control_checks_review(&control);
    await_checks(second, 3); /* it stays suspected: the next ones are fast */
    end();
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("control_checks");
    TCase *tests = tcase_create("control_checks");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, members_of_pools_that_are_used);
    tcase_add_test(tests, results_change_states);
    tcase_add_test(tests, reloads);
    tcase_add_test(tests, reloads_disturb_no_check);
    tcase_add_test(tests, settings);
    tcase_add_test(tests, maintenance);
    tcase_add_test(tests, suspected);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
