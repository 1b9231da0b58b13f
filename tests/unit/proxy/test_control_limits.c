/* SPDX-License-Identifier: BSD-2-Clause */
/* How many clients there may be: by the configuration, the limit of open files, and the workers. */
#include "proxy/control/control_private.h"

#include "cfg_file.h"
#include "proxy/control/descriptors.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WORKERS = 3, ADDRESSES = 2, OPEN_FILES = 1024 };

static struct control control;
static struct cfg *cfg;
static size_t own; /* descriptors of the program's own */
static char written[4096];
static int output; /* standard error, as it was */
static FILE *file;

static void set_up(void)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    output = dup(STDERR_FILENO);
    control.listeners.workers = WORKERS;
    control.shared.sessions = shared_limit_new(WORKERS);
    control.shared.handshakes.slots = handshake_slots_new(WORKERS);
    control.log = log_new(CFG_LOG_INFO);
    ck_assert(control.shared.sessions != NULL && control.shared.handshakes.slots != NULL);
    ck_assert_ptr_nonnull(control.log);
    struct descriptors_need need = {
        .workers = WORKERS, .listeners = ADDRESSES, .admin_listeners = 1, .checks = 1};
    own = descriptors_own(&need);
}

static void tear_down(void)
{
    cfg_free(&cfg);
    log_close(&control.log);
    shared_limit_free(&control.shared.sessions);
    handshake_slots_free(&control.shared.handshakes.slots);
    close(output);
    fclose(file);
}

static void configure(const char *keys)
{
    char text[1024];
    snprintf(text, sizeof text,
             "admin = { listen = \"127.0.0.1:9993\"; };\n%s\n" CFG_TLS CFG_POOL
             "services = ( { protocol = \"imap\"; listen = [ \"127.0.0.1:993\", \"127.0.0.2:993\" ]; "
             "backend = \"stores\"; } );\n",
             keys);
    free(cfg_text_load(text, &cfg));
    ck_assert_ptr_nonnull(cfg);
}

static void limit_open_files(size_t soft, size_t hard)
{
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What it logs. */
static const char *set_limits(void)
{
    control_set_limits(&control, cfg);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    ck_assert(log_flush(control.log));
    dup2(output, STDERR_FILENO);
    ssize_t len = pread(fileno(file), written, sizeof written - 1, 0);
    written[len > 0 ? len : 0] = '\0';
    return written;
}

static size_t handshakes(void)
{
    struct slot_holder holder = {.slots = control.shared.handshakes.slots};
    size_t count = 0;
    while (count < 100000 && slot_holder_take(&holder))
        count++;
    while (holder.count > 0)
        slot_holder_give(&holder);
    return count;
}

START_TEST(without_a_setting_as_many_as_are_possible)
{
    configure("");
    limit_open_files(OPEN_FILES / 2, OPEN_FILES); /* raised as far as it may be */
    ck_assert_str_eq(set_limits(), "");
    size_t possible = (OPEN_FILES - own) / 2;
    ck_assert_uint_eq(shared_limit_max(control.shared.sessions), possible);
    ck_assert_int_eq(control_worker_limits(&control, cfg).sessions_by, CLIENT_LIMIT_OPEN_FILES);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, OPEN_FILES);
}
END_TEST

START_TEST(a_setting_that_is_possible)
{
    char keys[64];
    size_t possible = (OPEN_FILES - own) / 2;
    snprintf(keys, sizeof keys, "max_connections = %zu;", possible);
    configure(keys);
    limit_open_files(OPEN_FILES, OPEN_FILES);
    ck_assert_str_eq(set_limits(), "");
    ck_assert_uint_eq(shared_limit_max(control.shared.sessions), possible);
    ck_assert_int_eq(control_worker_limits(&control, cfg).sessions_by, CLIENT_LIMIT_CONNECTIONS);
}
END_TEST

START_TEST(a_setting_of_more)
{
    char keys[64];
    char expected[256];
    size_t possible = (OPEN_FILES - own) / 2;
    snprintf(keys, sizeof keys, "max_connections = %zu;", possible + 1);
    configure(keys);
    limit_open_files(OPEN_FILES, OPEN_FILES);
    snprintf(expected, sizeof expected,
             " level=warning event=few-open-files max_connections=%zu possible=%zu open_files=%d own=%zu "
             "raise=\"the limit of open files",
             possible + 1, possible, OPEN_FILES, own);
    ck_assert_msg(strstr(set_limits(), expected) != NULL, "%s", written);
    ck_assert_uint_eq(shared_limit_max(control.shared.sessions), possible);
    ck_assert_int_eq(control_worker_limits(&control, cfg).sessions_by, CLIENT_LIMIT_OPEN_FILES);
}
END_TEST

/* Not even for its own: it is said although nobody has asked for a number. */
START_TEST(fewer_than_the_program_needs)
{
    char expected[256];
    configure("");
    limit_open_files(own, own);
    snprintf(expected, sizeof expected,
             " event=few-open-files possible=%zu open_files=%zu own=%zu raise=", own / 4 / 2, own, own);
    ck_assert_msg(strstr(set_limits(), expected) != NULL, "%s", written);
    limit_open_files(own, own);
    ck_assert_uint_eq(shared_limit_max(control.shared.sessions), own / 4 / 2);
}
END_TEST

static const struct handshake_case {
    const char *keys;
    size_t all; /* 0: no limit */
    uint32_t per_address;
} handshake_cases[] = {
    {"", WORKERS *(size_t)HANDSHAKES_PER_WORKER, (WORKERS * HANDSHAKES_PER_WORKER + 1) / 2},
    {"limits = { handshakes = 7; };", 7, 4},
    {"limits = { handshakes = 7; handshakes_per_address = 5; };", 7, 5},
    {"limits = { handshakes = 7; handshakes_per_address = 0; };", 7, 0},
    {"limits = { handshakes = 0; };", 0, 0},
};

START_TEST(handshakes_of_all_and_of_an_address)
{
    const struct handshake_case *c = &handshake_cases[_i];
    configure(c->keys);
    ck_assert_str_eq(set_limits(), "");
    ck_assert_uint_eq(handshakes(), c->all > 0 ? c->all : 100000);
    ck_assert_uint_eq(control_worker_limits(&control, cfg).handshakes_per_address, c->per_address);
}
END_TEST

START_TEST(sessions_of_an_address)
{
    configure("limits = { connections_per_address = 9; };");
    ck_assert_uint_eq(control_worker_limits(&control, cfg).sessions_per_address, 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_limits");
    TCase *tests = tcase_create("control_limits");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, without_a_setting_as_many_as_are_possible);
    tcase_add_test(tests, a_setting_that_is_possible);
    tcase_add_test(tests, a_setting_of_more);
    tcase_add_test(tests, fewer_than_the_program_needs);
    tcase_add_loop_test(tests, handshakes_of_all_and_of_an_address, 0, 5);
    tcase_add_test(tests, sessions_of_an_address);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
