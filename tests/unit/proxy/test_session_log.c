/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of a session, as operators read them, and how often. */
#include "proxy/session/session_private.h"

#include "base/array.h"
#include "manual_clock.h"
#include "protocols/engine_private.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE 60000

static struct cfg cfg;
static struct cfg_service cfg_service = {.name = (char *)(uintptr_t) "imap"};
static struct cfg_pool cfg_pool = {.name = (char *)(uintptr_t) "stores"};
static struct pool pool = {.cfg = &cfg_pool};
static struct service service = {
    .cfg = &cfg_service,
    .engine = {.protocol = PROTOCOL_IMAP, .deep_status = "", .hostname = "mail.example"},
    .pool = &pool};
static struct snapshot snapshot = {.cfg = &cfg};
static struct generation generation = {.snapshot = &snapshot};
static struct worker worker;
static struct session session;
static struct server_state *server;
static struct backend_link link_to_server = {.session = &session};
static struct log *log_of_test;
static FILE *file;
static int standard_error;
static char written[65536];

/* 10.0.0.NUMBER:143. */
static struct server_state *make_server(unsigned number)
{
    char name[] = "10.0.0.??:143";
    struct server_identity identity = {.pool = "stores", .name = name};
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&identity.address;
    snprintf(name, sizeof name, "10.0.0.%02u:143", number % 100);
    *in = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(143), .sin_addr = {htonl(0x0a000000 + number)}};
    identity.address_len = sizeof *in;
    struct server_state *made = server_state_new(&identity);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void set_up(void)
{
    struct sockaddr_in *client = (struct sockaddr_in *)(void *)&session.address;
    const struct engine_client known = {.tls_cipher = "TLS_AES_128_GCM_SHA256"};
    manual_clock_begin();
    file = tmpfile();
    standard_error = dup(STDERR_FILENO);
    ck_assert(file != NULL && standard_error >= 0);
    cfg.log_level = CFG_LOG_DEBUG;
    log_of_test = log_new(CFG_LOG_DEBUG);
    worker = (struct worker){.id = "0123abcd", .generation = &generation, .log = log_add_queue(log_of_test)};
    ck_assert_ptr_nonnull(worker.log);
    server = make_server(11);
    session = (struct session){
        .worker = &worker, .service = &service, .number = 42, .started = worker_now(&worker)};
    session.has_spoken = true;
    session.in_worker.generation = &generation;
    session.engine = engine_new(&service.engine, &known);
    ck_assert_ptr_nonnull(session.engine);
    *client = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(4711)};
    inet_pton(AF_INET, "192.0.2.1", &client->sin_addr);
}

static void tear_down(void)
{
    engine_free(&session.engine);
    server_state_unref(&server);
    log_close(&log_of_test);
    close(standard_error);
    fclose(file);
}

/* The lines since the last call, without their times. */
static const char *lines(void)
{
    char line[8192];
    size_t len = 0;
    dup2(fileno(file), STDERR_FILENO);
    ck_assert(log_flush(log_of_test));
    dup2(standard_error, STDERR_FILENO);
    rewind(file);
    written[0] = '\0';
    while (fgets(line, sizeof line, file) != NULL)
        len += (size_t)snprintf(written + len, sizeof written - len, "%s", strchr(line, ' ') + 1);
    ck_assert_int_eq(ftruncate(fileno(file), 0), 0);
    rewind(file);
    return written;
}

static void use_server(void)
{
    session.link = &link_to_server;
    session.place.server = server;
}

#define WHO        "session=0123abcd-42 service=imap client=192.0.2.1:4711"
#define WITH_WHOM  WHO " pool=stores server=10.0.0.11:143 backend=10.0.0.11:143"
#define INFO(...)  "level=info event=" __VA_ARGS__ "\n"
#define WARN(...)  "level=warning event=" __VA_ARGS__ "\n"
#define DEBUG(...) "level=debug event=" __VA_ARGS__ "\n"

START_TEST(the_end)
{
    session.octets[SIDE_CLIENT] = 12;
    session.octets[SIDE_BACKEND] = 34567;
    session.reason = END_LOGIN_TIMEOUT;
    manual_clock_advance(61234);
    session_log_end(&session);
    ck_assert_str_eq(lines(), INFO("session " WHO " in=12 out=34567 duration=61.234 reason=login-timeout"));
    use_server();
    session.reason = END_LOGOUT;
    session.detail = "words of ours";
    engine_set_report(session.engine, ENGINE_REPORT_NAME, slice_of("a client"));
    engine_set_report(session.engine, ENGINE_REPORT_LATCH, slice_of("tls12"));
    engine_set_report(session.engine, ENGINE_REPORT_SECURITY_TAGS, slice_of("own"));
    session_log_end(&session);
    ck_assert_str_eq(lines(),
                     INFO("session " WITH_WHOM " in=12 out=34567 duration=61.234 reason=logout "
                          "detail=\"words of ours\" client_name=\"a client\" latch=tls12 security_tags=own"));
    engine_free(&session.engine); /* the handshake was not done */
    session_log_end(&session);
    ck_assert_str_eq(lines(), INFO("session " WITH_WHOM " in=12 out=34567 duration=61.234 reason=logout "
                                   "detail=\"words of ours\""));
}
END_TEST

/* What the client has come to is of no interest then; what the proxy lacks is. */
START_TEST(the_end_of_a_silent_one)
{
    static const struct {
        enum end_reason reason;
        bool is_quiet;
    } cases[] = {{END_CLIENT_CLOSED, true},     {END_CLIENT_RESET, true},
                 {END_HANDSHAKE_TIMEOUT, true}, {END_LOGIN_TIMEOUT, true},
                 {END_SHUTDOWN, true},          {END_NO_MEMORY, false},
                 {END_TLS_ERROR, false},        {END_BACKEND_UNAVAILABLE, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int has_spoken = 0; has_spoken < 2; has_spoken++) {
            session.reason = cases[i].reason;
            session.has_spoken = has_spoken != 0;
            session_log_end(&session);
            bool is_debug = strstr(lines(), "level=debug event=session ") != NULL;
            ck_assert_int_eq(is_debug, cases[i].is_quiet && !has_spoken);
            ck_assert_ptr_nonnull(strstr(written, "event=session "));
        }
}
END_TEST

/* A balancer's header names the client; who has sent it is beside that. */
START_TEST(the_end_of_one_that_came_by_a_balancer)
{
    struct origin origin = {.balancer.v4 = {.sin_family = AF_INET, .sin_port = htons(5000)}};
    inet_pton(AF_INET, "10.1.0.5", &origin.balancer.v4.sin_addr);
    session.origin = &origin;
    session.reason = END_LOGOUT;
    session_log_end(&session);
    ck_assert_str_eq(lines(),
                     INFO("session " WHO " via=10.1.0.5:5000 in=0 out=0 duration=0.000 reason=logout"));
    origin.balancer.any.sa_family = AF_UNSPEC;
    session_log_end(&session);
    ck_assert_str_eq(lines(), INFO("session " WHO " in=0 out=0 duration=0.000 reason=logout"));
    origin.is_local = true;
    session.has_spoken = false;
    session.reason = END_CLIENT_CLOSED;
    ck_assert_int_eq(quiet_of(&session), QUIET_PROBE);
}
END_TEST

START_TEST(each_time)
{
    session_log_discarded(&session, 17);
    ck_assert_str_eq(lines(), WARN("starttls-injection " WHO " discarded=17"));
    use_server();
    for (int i = 0; i < 2; i++) {
        session_log_server_failed(&session, "connection refused");
        ck_assert_str_eq(lines(), WARN("backend-failed " WITH_WHOM " error=\"connection refused\""));
    }
}
END_TEST

static void log_local(const char *words)
{
    session_log_local_failure(&session, words);
}

static void log_odd(const char *words)
{
    session_log_odd_server(&session, words);
}

static void log_slow(const char *words)
{
    session_log_slow_server(&session, words);
}

static const struct {
    void (*call)(const char *words);
    const char *line;
} once_a_minute[] = {
    {log_local, WARN("local-failure " WITH_WHOM " error=words")},
    {log_odd, WARN("backend-warning " WITH_WHOM " warning=words")},
    {log_slow, WARN("backend-failed " WITH_WHOM " error=words")},
};

/* For each server, whichever session it is that meets it. */
START_TEST(once_a_minute_for_each_server)
{
    struct server_state *other = make_server(12);
    use_server();
    for (int round = 0; round < 3; round++) {
        once_a_minute[_i].call("words");
        ck_assert_str_eq(lines(), once_a_minute[_i].line);
        once_a_minute[_i].call("words");
        manual_clock_advance(MINUTE - 1);
        once_a_minute[_i].call("words");
        ck_assert_str_eq(lines(), "");
        manual_clock_advance(1);
    }
    once_a_minute[_i].call("words");
    ck_assert_str_eq(lines(), once_a_minute[_i].line);
    session.place.server = other;
    once_a_minute[_i].call("words");
    ck_assert_ptr_nonnull(strstr(lines(), " server=10.0.0.12:143 "));
    session.place.server = server;
    server_state_unref(&other);
}
END_TEST

/* What this machine lacks keeps nobody from seeing what is odd about a server. */
START_TEST(one_is_not_the_other)
{
    use_server();
    log_local("words");
    ck_assert_str_ne(lines(), "");
    log_odd("words");
    ck_assert_str_ne(lines(), "");
    log_slow("words"); /* both are about the server */
    ck_assert_str_eq(lines(), "");
}
END_TEST

/* An engine's warning stays in its status: only another one is news, and none is none. */
START_TEST(warnings_of_the_engine)
{
    use_server();
    session_log_warning(&session);
    ck_assert_str_eq(lines(), "");
    session.engine->status.warning = "one";
    session_log_warning(&session);
    ck_assert_str_eq(lines(), WARN("backend-warning " WITH_WHOM " warning=one"));
    manual_clock_advance(2 * MINUTE);
    session_log_warning(&session);
    ck_assert_str_eq(lines(), "");
    session.engine->status.warning = "two";
    session_log_warning(&session);
    ck_assert_str_eq(lines(), WARN("backend-warning " WITH_WHOM " warning=two"));
    session.engine->status.warning = NULL;
    session_log_warning(&session);
    ck_assert_str_eq(lines(), "");
}
END_TEST

/* ---- level debug ---- */

static const struct {
    int timeout;
    const char *name;
} timeouts[] = {
    {WORKER_TIMEOUT_HANDSHAKE, "handshake"}, {WORKER_TIMEOUT_CONNECT, "connect"},
    {WORKER_TIMEOUT_GREETING, "greeting"},   {WORKER_TIMEOUT_ABANDONED, "abandoned"},
    {WORKER_TIMEOUT_LOGIN, "login"},         {WORKER_TIMEOUT_COMMAND, "command"},
    {WORKER_TIMEOUT_IDLE, "idle"},           {WORKER_TIMEOUT_CLOSING, "closing"},
    {WORKER_TIMEOUT_ENDING, "ending"},       {WORKER_TIMEOUT_SLOWED, "slowed"},
    {WORKER_TIMEOUT_SLOWED_2, "slowed"},     {WORKER_TIMEOUT_SLOWED_3, "slowed"},
    {WORKER_TIMEOUT_SLOWED_LAST, "slowed"},  {WORKER_TIMEOUT_FAILOVER, "failover"},
    {WORKER_TIMEOUT_QUICK, "quick"},         {WORKER_TIMEOUT_QUICK + 1, "quick"},
    {WORKER_TIMEOUT_QUICK + 2, "quick"},     {WORKER_TIMEOUT_QUICK + 3, "quick"},
    {WORKER_TIMEOUT_QUICK + 4, "quick"},     {WORKER_TIMEOUT_QUICK + 5, "quick"},
    {WORKER_TIMEOUT_PARTING, "parting"},     {WORKER_TIMEOUT_PARTING + 1, "parting"},
    {WORKER_TIMEOUT_PARTING + 2, "parting"}, {WORKER_TIMEOUT_PARTING + 3, "parting"},
    {WORKER_TIMEOUT_PARTING + 4, "parting"}, {WORKER_TIMEOUT_PARTING + 5, "parting"},
    {WORKER_TIMEOUT_PARTING + 6, "parting"}, {WORKER_TIMEOUT_PARTING + 7, "parting"},
};
_Static_assert(ARRAY_LEN(timeouts) == WORKER_TIMEOUTS, "a row for each class");

START_TEST(timeout)
{
    char expected[256];
    session.timeout = (enum worker_timeout)timeouts[_i].timeout;
    generation.timeouts[session.timeout].span = 1500 + (uint64_t)_i;
    session_log_timeout(&session);
    snprintf(expected, sizeof expected, DEBUG("timeout " WHO " class=%s seconds=1.5%02d"), timeouts[_i].name,
             _i);
    ck_assert_str_eq(lines(), expected);
}
END_TEST

START_TEST(server_chosen)
{
    use_server();
    session_log_server_chosen(&session);
    ck_assert_str_eq(lines(), DEBUG("server-chosen " WITH_WHOM " attempt=1"));
}
END_TEST

START_TEST(moves)
{
    const struct state_trace *trace = session_trace(&session);
    ck_assert_ptr_nonnull(trace);
    trace->moved(trace->arg, &session_machine, SESSION_ACCEPTED, SESSION_HANDSHAKING);
    ck_assert_str_eq(lines(), DEBUG("move " WHO " machine=session from=accepted to=handshaking"));
}
END_TEST

/* The newest generation says what is logged, whatever the session's own had said. */
START_TEST(not_at_another_level)
{
    struct cfg quiet = {.log_level = CFG_LOG_INFO};
    struct snapshot newer = {.cfg = &quiet};
    struct generation newest = {.snapshot = &newer};
    worker.generation = &newest;
    ck_assert_ptr_null(session_trace(&session));
    session_log_timeout(&session);
    session_log_server_chosen(&session);
    session_log_backend_tls(&session, NULL);
    ck_assert_str_eq(lines(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_log");
    TCase *tests = tcase_create("lines");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_end);
    tcase_add_test(tests, the_end_of_a_silent_one);
    tcase_add_test(tests, the_end_of_one_that_came_by_a_balancer);
    tcase_add_test(tests, each_time);
    tcase_add_loop_test(tests, once_a_minute_for_each_server, 0, ARRAY_LEN(once_a_minute));
    tcase_add_test(tests, one_is_not_the_other);
    tcase_add_test(tests, warnings_of_the_engine);
    tcase_add_loop_test(tests, timeout, 0, ARRAY_LEN(timeouts));
    tcase_add_test(tests, server_chosen);
    tcase_add_test(tests, moves);
    tcase_add_test(tests, not_at_another_level);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
