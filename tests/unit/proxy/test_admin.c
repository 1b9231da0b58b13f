/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin endpoint on a loop and a clock of the test's own: what it answers, how long, and to how many. */
#include "proxy/admin/admin.h"

#include "base/array.h"
#include "certificates.h"
#include "manual_clock.h"
#include "run_suite.h"
#include "server_pool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

static unsigned accepts;     /* since the test has set it to 0 */
static int next_error;       /* the next accept fails with it; 0: it does not */
static int send_buffer_size; /* of the last that was accepted when the loop has run */
static int last_accepted;

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    accepts++;
    if (next_error != 0) {
        errno = next_error;
        next_error = 0;
        return -1;
    }
    int accepted = __real_accept4(fd, address, len, flags);
    if (accepted >= 0)
        last_accepted = accepted;
    return accepted;
}

static uv_loop_t loop;
static struct admin *admin;
static struct cfg_endpoint endpoints[2];
static struct cfg cfg;
static struct admin_state state;
static unsigned times_described;
static struct log *log_of_test;
static FILE *logged;
static int standard_error;

static void describe(void *arg, struct admin_state *into)
{
    ck_assert_ptr_eq(arg, &state);
    times_described++;
    *into = state;
}

static void serve(size_t count)
{
    struct admin_listeners listeners;
    struct cfg_problems problems = {0};
    cfg.admin = (struct cfg_admin){.listen = endpoints, .listen_count = count};
    ck_assert(admin_listeners_open(&cfg, admin_listening(admin), &listeners, &problems));
    ck_assert_uint_eq(listeners.count, count);
    admin_serve(admin, &listeners);
    ck_assert_uint_eq(listeners.count, 0);
    ck_assert_uint_eq(admin_listening(admin)->count, count);
}

static struct snapshot snapshot;

static void set_up(void)
{
    static struct pool_tls_set no_pools;
    static struct admin_source source = {.describe = describe, .arg = &state};
    manual_clock_begin();
    logged = tmpfile();
    standard_error = dup(STDERR_FILENO);
    ck_assert(logged != NULL && dup2(fileno(logged), STDERR_FILENO) >= 0);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    snapshot = (struct snapshot){.cfg = &cfg};
    refcount_init(&snapshot.references);
    refcount_init(&no_pools.references);
    state = (struct admin_state){0};
    state.metrics.runtime.snapshot = &snapshot;
    state.metrics.runtime.pools = &no_pools;
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&endpoints[i].address;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned)i)};
        endpoints[i].address_len = sizeof *v4;
        endpoints[i].text = (char *)(uintptr_t) "127.0.0.1:0";
    }
    log_of_test = log_new(CFG_LOG_INFO);
    ck_assert_ptr_nonnull(log_of_test);
    admin = admin_new(&loop, &source, log_of_test);
    ck_assert_ptr_nonnull(admin);
    serve(1);
}

static void tear_down(void)
{
    if (admin != NULL)
        admin_close(admin);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0)
        ;
    admin_free(&admin);
    ck_assert_ptr_null(admin);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_uint_eq(manual_clock_count(), 0);
    log_close(&log_of_test);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    fclose(logged);
}

/* How often the words are in the log, which its own thread writes. */
static size_t count_logged(const char *words)
{
    static char text[65536];
    size_t count = 0;
    ck_assert(log_flush(log_of_test));
    ssize_t len = pread(fileno(logged), text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

/* ---- clients ---- */

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    poll(NULL, 0, 1);
}

static int try_to_connect(size_t listener)
{
    struct sockaddr_storage to = admin_listening(admin)->items[listener]->address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(struct sockaddr_in)), 0);
    return fd;
}

/* A client that has been accepted. */
static int visit(void)
{
    unsigned before = accepts;
    int fd = try_to_connect(0);
    for (int tries = 0; tries < 2000 && accepts < before + 2; tries++)
        turn();
    ck_assert_uint_ge(accepts, before + 2); /* the second one found nobody */
    socklen_t len = sizeof send_buffer_size;
    getsockopt(last_accepted, SOL_SOCKET, SO_SNDBUF, &send_buffer_size, &len);
    return fd;
}

static bool has_ended(int fd)
{
    char octet;
    for (int tries = 0; tries < 3; tries++)
        turn();
    ssize_t len = recv(fd, &octet, 1, MSG_DONTWAIT | MSG_PEEK);
    return len == 0 || (len < 0 && errno != EAGAIN);
}

/* All that comes until the end, in static memory; the client is closed. */
static const char *answer(int fd, const char *request)
{
    static char got[65536];
    size_t len = 0;
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (int tries = 0; tries < 5000; tries++) {
        turn();
        ssize_t more = recv(fd, got + len, sizeof got - 1 - len, MSG_DONTWAIT);
        if (more == 0)
            break;
        len += more > 0 ? (size_t)more : 0;
    }
    got[len] = '\0';
    close(fd);
    return got;
}

static void expect(const char *got, const char *words)
{
    ck_assert_msg(strstr(got, words) != NULL, "no \"%s\" in:\n%s", words, got);
}

#define REQUEST(method, path) method " " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- answers ---- */

static const struct {
    const char *request;
    const char *unhealthy;
    const char *unready;
    const char *status;
    const char *body; /* all of it */
    const char *header;
} pages[] = {
    {REQUEST("GET", "/healthz"), "", "no new sessions", "200 ", "ok\n", "text/plain; charset=utf-8"},
    {REQUEST("GET", "/healthz"), "no sign of life", "", "503 ", "no sign of life\n", "Connection: close"},
    {REQUEST("GET", "/readyz"), "a worker has ended", "", "200 ", "ok\n", "Connection: close"},
    {REQUEST("GET", "/readyz"), "", "nobody can sign", "503 ", "nobody can sign\n",
     "text/plain; charset=utf-8"},
    {REQUEST("HEAD", "/readyz"), "", "", "200 ", "", "Content-Length: 3\r\n"},
    {REQUEST("POST", "/readyz"), "", "", "405 ", "only GET and HEAD are allowed\n", "Allow: GET, HEAD\r\n"},
    {REQUEST("GET", "/"), "", "", "404 ", "there are /metrics, /healthz and /readyz\n", "Connection: close"},
    {REQUEST("GET", "/metric"), "", "", "404 ", "there are /metrics, /healthz and /readyz\n", "text/plain"},
};

START_TEST(page)
{
    snprintf(state.unhealthy, sizeof state.unhealthy, "%s", pages[_i].unhealthy);
    snprintf(state.unready, sizeof state.unready, "%s", pages[_i].unready);
    const char *got = answer(visit(), pages[_i].request);
    const char *body = strstr(got, "\r\n\r\n");
    expect(got, pages[_i].status);
    expect(got, pages[_i].header);
    ck_assert_ptr_nonnull(body);
    ck_assert_str_eq(body + 4, pages[_i].body);
    ck_assert_uint_eq(times_described, strncmp(pages[_i].status, "40", 2) == 0 ? 0 : 1);
}
END_TEST

static struct tls_context *context_with(const char *name)
{
    struct certificate_wish wish = {.names = {name}};
    struct tls_certificate_files files = certificate_make(&wish);
    struct tls_settings settings = {
        .certificates = &files, .certificate_count = 1, .min_version = TLS_1_2, .max_version = TLS_1_3};
    struct tls_report report = {0};
    struct tls_context *made = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(made);
    return made;
}

/* Certificates are written once, until there are others. */
START_TEST(metrics)
{
    struct tls_context *before = context_with("one.example");
    struct tls_context *after = context_with("two.example");
    state.metrics.workers = 7;
    state.metrics.runtime.tls = before;
    const char *got = answer(visit(), REQUEST("GET", "/metrics"));
    expect(got, "200 OK\r\n");
    expect(got, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    expect(got, "\ndeepproxy_workers 7\n");
    expect(got, "name=\"one.example\"");
    state.metrics.workers = 8;
    state.metrics.runtime.tls = after;
    got = answer(visit(), REQUEST("GET", "/metrics"));
    expect(got, "\ndeepproxy_workers 8\n");
    expect(got, "name=\"one.example\"");
    admin_certificates_changed(admin);
    expect(answer(visit(), REQUEST("GET", "/metrics")), "name=\"two.example\"");
    tls_context_unref(&before);
    tls_context_unref(&after);
}
END_TEST

/* What has come of the client's answer, and all of it when it has ended. False until then. */
static bool read_some(int fd, struct bytes *got)
{
    uint8_t octets[65536];
    ssize_t len = recv(fd, octets, sizeof octets, MSG_DONTWAIT);
    if (len > 0)
        ck_assert(bytes_append(got, (struct slice){octets, (size_t)len}, SIZE_MAX));
    return len == 0;
}

static bool has_words(const struct bytes *got, const char *words)
{
    return memmem(got->data, got->len, words, strlen(words)) != NULL;
}

/*
 * A page that takes many steps. Who asks while it is being written gets another one, which has what happened
 * meanwhile; those of them share it; and all else has its turn between the steps.
 */
START_TEST(a_long_page)
{
    enum { SERVERS = 1000, CLIENTS = 4 };
    static const char request[] = REQUEST("GET", "/metrics");
    struct cfg_pool of_cfg = {0};
    struct member_lists *members = member_lists_new(1);
    struct bytes got[CLIENTS] = {0};
    int clients[CLIENTS];
    char octets[1];
    cfg.pools = &of_cfg;
    cfg.pool_count = 1;
    ck_assert_ptr_nonnull(members);
    members->lists[0] = server_pool_new(SERVERS);
    state.metrics.runtime.members = members;
    struct tls_context *context = context_with("one.example");
    state.metrics.runtime.tls = context;
    state.metrics.workers = 7;
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = visit();
    ck_assert_int_gt(send(clients[0], request, strlen(request), MSG_NOSIGNAL), 0);
    while (times_described == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    state.metrics.workers = 8;
    for (size_t i = 1; i < CLIENTS; i++)
        ck_assert_int_gt(send(clients[i], request, strlen(request), MSG_NOSIGNAL), 0);
    expect(answer(visit(), REQUEST("GET", "/healthz")), "200 OK\r\n");
    ck_assert(recv(clients[0], octets, sizeof octets, MSG_DONTWAIT) < 0); /* not done yet */
    for (size_t i = 0; i < CLIENTS; i++) {
        while (!read_some(clients[i], &got[i]))
            uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert(has_words(&got[i], i == 0 ? "\ndeepproxy_workers 7\n" : "\ndeepproxy_workers 8\n"));
        ck_assert(has_words(&got[i], "deepproxy_server_check_seconds"));
        bytes_free(&got[i]);
        close(clients[i]);
    }
    ck_assert_uint_eq(times_described, 3); /* one was of /healthz */
    ck_assert_uint_eq(snapshot.references.count, 1);
    server_pool_free(&members->lists[0]);
    member_lists_unref(&members);
    tls_context_unref(&context);
    cfg.pool_count = 0;
}
END_TEST

/* ---- for how long, and how many ---- */

START_TEST(a_visit_ends)
{
    int silent = visit();
    ck_assert_uint_eq(manual_clock_next(), ADMIN_VISIT_MS);
    manual_clock_advance(5);
    int later = visit();
    ck_assert_int_eq(send(later, "GET /", 5, 0), 5);
    manual_clock_advance(ADMIN_VISIT_MS - 6);
    ck_assert(!has_ended(silent));
    manual_clock_advance(1);
    ck_assert(has_ended(silent));
    ck_assert(!has_ended(later));
    manual_clock_advance(5);
    ck_assert(has_ended(later));
    ck_assert_uint_eq(manual_clock_count(), 0); /* nothing is waited for any more */
    close(silent);
    close(later);
}
END_TEST

/* The kernel holds no megabytes for a client that does not read. */
START_TEST(what_the_kernel_buffers)
{
    close(visit());
    ck_assert_int_eq(send_buffer_size, 2 * ADMIN_SEND_BUFFER);
}
END_TEST

/* The one that has been there longest, and no other, makes room; wherever its place is. */
START_TEST(a_crowd)
{
    int clients[ADMIN_CONNECTIONS_MAX];
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        clients[i] = visit();
        manual_clock_advance(1);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!has_ended(clients[i]));
        int late = visit();
        manual_clock_advance(1);
        ck_assert(has_ended(clients[i]));
        for (size_t j = i + 1; j < ADMIN_CONNECTIONS_MAX; j++)
            ck_assert(!has_ended(clients[j]));
        ck_assert(!has_ended(late));
        close(clients[i]);
        clients[i] = late;
    }
    expect(answer(clients[0], REQUEST("GET", "/readyz")), "200 ");
    for (size_t i = 1; i < ADMIN_CONNECTIONS_MAX; i++)
        close(clients[i]);
}
END_TEST

/* Whoever leaves has left its place. */
START_TEST(places_come_back)
{
    int patient = visit();
    for (size_t i = 0; i < 2 * ADMIN_CONNECTIONS_MAX; i++)
        expect(answer(visit(), REQUEST("GET", "/readyz")), "200 ");
    ck_assert(!has_ended(patient));
    close(patient);
}
END_TEST

START_TEST(a_bound_on_accepts)
{
    enum { MANY = ADMIN_ACCEPTS + 4 };
    int clients[MANY];
    for (size_t i = 0; i < MANY; i++)
        clients[i] = try_to_connect(0);
    accepts = 0;
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(accepts, ADMIN_ACCEPTS);
    for (int tries = 0; tries < 2000 && accepts < MANY; tries++)
        turn();
    for (size_t i = 0; i < MANY; i++)
        expect(answer(clients[i], REQUEST("GET", "/readyz")), "200 ");
}
END_TEST

START_TEST(accept_that_fails)
{
    next_error = EMFILE;
    int client = try_to_connect(0);
    for (int tries = 0; tries < 2000 && next_error != 0; tries++)
        turn();
    unsigned before = accepts;
    ck_assert_uint_eq(count_logged("level=warning event=admin-accept-failed error=\"too many open files\"\n"),
                      1);
    ck_assert_uint_eq(manual_clock_next(), ADMIN_PAUSE_MS);
    manual_clock_advance(ADMIN_PAUSE_MS - 1);
    for (int tries = 0; tries < 5; tries++)
        turn();
    ck_assert_uint_eq(accepts, before);
    manual_clock_advance(1);
    expect(answer(client, REQUEST("GET", "/readyz")), "200 ");
    ck_assert_uint_eq(count_logged("admin-accept-failed"), 1);
}
END_TEST

/* These are nobody's fault, and no reason to wait. */
START_TEST(accept_that_finds_nobody)
{
    static const int errors[] = {EAGAIN, EINTR, ECONNABORTED};
    next_error = errors[_i];
    expect(answer(try_to_connect(0), REQUEST("GET", "/readyz")), "200 ");
    ck_assert_int_eq(next_error, 0);
    ck_assert_uint_eq(count_logged("admin-accept-failed"), 0);
}
END_TEST

/* ---- listeners ---- */

START_TEST(other_listeners)
{
    ck_assert_uint_eq(count_logged("level=info event=admin-listening address=127.0.0.1:"), 1);
    const struct admin_listener *first = admin_listening(admin)->items[0];
    struct sockaddr_storage address = first->address;
    serve(2);
    ck_assert_ptr_eq(admin_listening(admin)->items[0], first); /* it stays, and its clients with it */
    ck_assert_uint_eq(count_logged("event=admin-listening"), 2);
    ck_assert_uint_eq(count_logged("admin-listening address=127.0.0.2:"), 1);
    expect(answer(try_to_connect(1), REQUEST("GET", "/readyz")), "200 ");
    expect(answer(try_to_connect(0), REQUEST("GET", "/readyz")), "200 ");
    serve(0);
    turn();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(struct sockaddr_in)), -1);
    close(fd);
    log_set_level(log_of_test, CFG_LOG_WARNING); /* the log has the say, and nobody writes past it */
    serve(1);
    ck_assert_uint_eq(count_logged("event=admin-listening"), 2);
    expect(answer(try_to_connect(0), REQUEST("GET", "/readyz")), "200 ");
}
END_TEST

/* Each is a socket of its own. What is given up is closed, unless it is served. */
START_TEST(two_addresses_of_the_same)
{
    struct admin_listeners listeners;
    struct cfg_problems problems = {0};
    endpoints[1] = endpoints[0];
    cfg.admin = (struct cfg_admin){.listen = endpoints, .listen_count = 2};
    ck_assert(admin_listeners_open(&cfg, admin_listening(admin), &listeners, &problems));
    ck_assert_uint_eq(listeners.count, 2); /* port 0 twice: two ports, one of them as before */
    ck_assert_ptr_eq(listeners.items[0], admin_listening(admin)->items[0]);
    ck_assert_ptr_ne(listeners.items[1], listeners.items[0]);
    int unserved = listeners.items[1]->fd;
    int served = listeners.items[0]->fd;
    admin_listeners_give_up(&listeners);
    ck_assert_uint_eq(listeners.count, 0);
    ck_assert_int_eq(fcntl(unserved, F_GETFD), -1);
    ck_assert_int_ne(fcntl(served, F_GETFD), -1);
    expect(answer(visit(), REQUEST("GET", "/readyz")), "200 ");
}
END_TEST

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

/* Clients are disconnected, and nothing stays open. */
START_TEST(closing)
{
    size_t before = count_descriptors();
    int client = visit();
    ck_assert_uint_eq(count_descriptors(), before + 2);
    admin_close(admin);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0)
        ;
    ck_assert(has_ended(client));
    admin_free(&admin);
    admin_free(&admin);
    close(client);
    ck_assert_uint_lt(count_descriptors(), before); /* the listener is closed too */
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("admin");
    TCase *tests = tcase_create("admin");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, page, 0, ARRAY_LEN(pages));
    tcase_add_test(tests, metrics);
    tcase_add_test(tests, a_long_page);
    tcase_add_test(tests, a_visit_ends);
    tcase_add_test(tests, what_the_kernel_buffers);
    tcase_add_test(tests, a_crowd);
    tcase_add_test(tests, places_come_back);
    tcase_add_test(tests, a_bound_on_accepts);
    tcase_add_test(tests, accept_that_fails);
    tcase_add_loop_test(tests, accept_that_finds_nobody, 0, 3);
    tcase_add_test(tests, other_listeners);
    tcase_add_test(tests, two_addresses_of_the_same);
    tcase_add_test(tests, closing);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
