/* SPDX-License-Identifier: BSD-2-Clause */
/* What the main thread does again and again, over days of a clock that the test moves. */
#include "proxy/control/control.h"

#include "base/array.h"
#include "certificates.h"
#include "cfg_file.h"
#include "manual_clock.h"
#include "proxy/admin/admin.h"
#include "proxy/parent/parent_link.h"
#include "proxy/runtime/certificate_expiry.h"
#include "proxy/runtime/snapshot.h"
#include "run_suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

int __real_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);
void __wrap_certificate_expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools,
                                   int64_t now, struct log *log);
void __wrap_tickets_look(struct tickets *tickets, const struct tickets_file *file, struct tickets_time now,
                         struct log *log);

void __real_admin_close(struct admin *admin);
void __wrap_admin_close(struct admin *admin);

static pthread_t main_thread;
static unsigned expiries;
static unsigned looks;
static unsigned ends;
static int parent; /* its end of the link */
static void (*script)(uv_loop_t *loop);

void __wrap_certificate_expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools,
                                   int64_t now, struct log *log)
{
    ck_assert_ptr_nonnull(tls);
    ck_assert_ptr_nonnull(pools);
    ck_assert_ptr_nonnull(log);
    ck_assert_int_ge(now, 1700000000);
    ck_assert_int_le(llabs((long long)now - (long long)time(NULL)), 60);
    expiries++;
}

void __wrap_tickets_look(struct tickets *tickets, const struct tickets_file *file, struct tickets_time now,
                         struct log *log)
{
    ck_assert_ptr_null(file); /* the keys are its own */
    struct tickets_time real = tickets_time_now();
    ck_assert_ptr_nonnull(tickets);
    ck_assert_ptr_nonnull(log);
    ck_assert_int_le(llabs((long long)(real.wall - now.wall)), 60);
    ck_assert_int_le(llabs((long long)(real.running - now.running)), 60);
    looks++;
}

/* At the end: no signal may find its default action back before all are ignored. */
void __wrap_admin_close(struct admin *admin)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    sigset_t held;
    pthread_sigmask(SIG_SETMASK, NULL, &held);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        ck_assert_int_eq(sigismember(&held, numbers[i]), 1);
    ends++;
    __real_admin_close(admin);
}

static void turn(uv_loop_t *loop)
{
    for (int i = 0; i < 3; i++)
        __real_uv_run(loop, UV_RUN_NOWAIT);
}

/*
 * Where the main thread would wait, the test's days pass; then the parent hands on an operator's SIGTERM.
 */
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    if (!pthread_equal(pthread_self(), main_thread) || script == NULL)
        return __real_uv_run(loop, mode);
    void (*once)(uv_loop_t *) = script;
    script = NULL;
    once(loop);
    struct parent_word word = {.kind = PARENT_SIGNAL, .signal = SIGTERM, .control = -1};
    ck_assert(parent_link_send(parent, &word));
    return __real_uv_run(loop, mode);
}

static void run_proxy(void (*with)(uv_loop_t *loop))
{
    static const struct certificate_wish wish = {.names = {"mail.example.com"}};
    static const struct runtime nothing;
    struct tls_certificate_files files = certificate_make(&wish);
    struct runtime loaded;
    struct cfg_problems problems = {0};
    char *text;
    int len =
        asprintf(&text,
                 "key_isolation = false; workers = 1; user = \"root\";\n"
                 "tls = { certificates = ( { chain = \"%s\"; key = \"%s\"; } ); };\n"
                 "services = ( { protocol = \"imap\"; listen = [ \"127.0.0.1:0\" ]; backend = \"s\"; } );\n"
                 "backends = ( { name = \"s\"; servers = ( { address = \"127.0.0.1:143\"; } ); } );\n",
                 files.chain, files.key);
    ck_assert_int_gt(len, 0);
    const char *path = certificates_write("deepproxy.conf", text);
    free(text);
    bool ok = runtime_load(path, NULL, &nothing, &loaded, &problems);
    cfg_problems_print(&problems, stderr);
    ck_assert(ok);
    cfg_problems_free(&problems);
    main_thread = pthread_self();
    script = with;
    manual_clock_begin();
    int link;
    ck_assert(parent_link_pair(&parent, &link));
    ck_assert_int_eq(control_run(&loaded, NULL, link), EXIT_SUCCESS);
    close(parent);
    ck_assert_ptr_null(script);
    ck_assert_uint_eq(ends, 1);
    ck_assert_uint_eq(manual_clock_count(), 0);
}

static void let_days_pass(uv_loop_t *loop)
{
    turn(loop);
    ck_assert_uint_eq(expiries, 0);
    manual_clock_advance(0); /* the first line as soon as the program runs */
    ck_assert_uint_eq(expiries, 1);
    manual_clock_advance(DAY_MS - 1);
    ck_assert_uint_eq(expiries, 1);
    manual_clock_advance(1);
    ck_assert_uint_eq(expiries, 2);
    for (unsigned days = 3; days < 10; days++) {
        manual_clock_advance(DAY_MS);
        ck_assert_uint_eq(expiries, days);
    }
}

START_TEST(certificates_are_looked_at_each_day)
{
    run_proxy(let_days_pass);
}
END_TEST

static void let_minutes_pass(uv_loop_t *loop)
{
    turn(loop);
    ck_assert_uint_eq(looks, 1); /* at the start, when privileges are given up */
    manual_clock_advance(TICKETS_LOOK_MS - 1);
    ck_assert_uint_eq(looks, 1);
    manual_clock_advance(1);
    ck_assert_uint_eq(looks, 2);
    for (unsigned minutes = 3; minutes < 100; minutes++) {
        manual_clock_advance(MINUTE_MS);
        ck_assert_uint_eq(looks, minutes);
    }
}

START_TEST(ticket_keys_are_looked_at_each_minute)
{
    ck_assert_int_eq(TICKETS_LOOK_MS, MINUTE_MS);
    run_proxy(let_minutes_pass);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("control_timers");
    TCase *tests = tcase_create("control_timers");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, certificates_are_looked_at_each_day);
    tcase_add_test(tests, ticket_keys_are_looked_at_each_minute);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
