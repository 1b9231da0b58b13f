/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that listen: one for each worker and address, what a reload keeps, and why one can't be had. */
#include "proxy/worker/listeners.h"

#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

static bool lacks_ipv6; /* the kernel, as the tests have it */

int __wrap_socket(int family, int type, int protocol)
{
    if (!lacks_ipv6 || family != AF_INET6)
        return __real_socket(family, type, protocol);
    errno = EAFNOSUPPORT;
    return -1;
}

enum { WORKERS = 3 };

static int bind_error; /* of each bind; 0: the kernel's own */

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (bind_error == 0)
        return __real_bind(fd, address, len);
    errno = bind_error;
    return -1;
}

/* Two services; the first listens on `first`, the second, whose name is `name`, on `second`. */
static struct cfg *configure(const char *first, const char *name, const char *second)
{
    char text[1024];
    snprintf(text, sizeof text,
             CFG_TLS CFG_POOL
             "services = ( { protocol = \"imap\"; listen = [ %s ]; backend = \"stores\"; },\n"
             "{ name = \"%s\"; protocol = \"imap\"; listen = [ %s ]; backend = \"stores\"; } );\n",
             first, name, second);
    return cfg_text_load_clean(text);
}

static void open_all(const struct cfg *cfg, const struct listeners *previous, struct listeners *into)
{
    struct cfg_problems problems = {0};
    ck_assert(listeners_open(cfg, WORKERS, previous, into, &problems));
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(into->workers, WORKERS);
    ck_assert_ptr_eq(into->cfg, cfg);
}

static const struct listener_socket *socket_of(const struct listeners *all, unsigned worker, size_t slot)
{
    return &all->sockets[worker * all->per_worker + slot];
}

static unsigned port_of(const struct listener_socket *socket)
{
    return ntohs(((const struct sockaddr_in *)&socket->address)->sin_port);
}

/* Those of all workers are bound to the same address, which the file has asked for. */
static void expect_new(const struct listeners *all, size_t slot, size_t service, const char *host)
{
    char text[INET_ADDRSTRLEN];
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        const struct listener_socket *socket = socket_of(all, worker, slot);
        struct sockaddr_in bound;
        socklen_t len = sizeof bound;
        ck_assert_int_ge(socket->fd, 0);
        ck_assert_int_eq(socket->reused, LISTENER_NEW);
        ck_assert_uint_eq(socket->service, service);
        ck_assert_int_eq(getsockname(socket->fd, (struct sockaddr *)&bound, &len), 0);
        ck_assert_str_eq(inet_ntop(AF_INET, &bound.sin_addr, text, sizeof text), host);
        ck_assert_uint_ne(port_of(socket), 0);
        ck_assert_uint_eq(ntohs(bound.sin_port), port_of(socket));
        ck_assert_uint_eq(port_of(socket), port_of(socket_of(all, 0, slot)));
        ck_assert_uint_eq(ntohs(((const struct sockaddr_in *)&socket->configured)->sin_port), 0);
    }
}

/* The same as `slot` of the list before: nothing is opened. */
static void expect_kept(const struct listeners *all, size_t slot, size_t service,
                        const struct listeners *before, int reused)
{
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        const struct listener_socket *socket = socket_of(all, worker, slot);
        ck_assert_int_eq(socket->fd, -1);
        ck_assert_int_eq(socket->reused, reused);
        ck_assert_uint_eq(socket->service, service);
        ck_assert_uint_eq(port_of(socket), port_of(socket_of(before, worker, (size_t)reused)));
    }
}

START_TEST(for_each_worker)
{
    struct listeners all;
    struct cfg *cfg = configure("\"127.0.0.1:0\", \"127.0.0.2:0\"", "other", "\"127.0.0.1:0\"");
    open_all(cfg, NULL, &all);
    ck_assert_uint_eq(all.per_worker, 3);
    expect_new(&all, 0, 0, "127.0.0.1");
    expect_new(&all, 1, 0, "127.0.0.2");
    expect_new(&all, 2, 1, "127.0.0.1");
    ck_assert_uint_ne(port_of(socket_of(&all, 0, 0)), port_of(socket_of(&all, 0, 2)));
    int fds[] = {socket_of(&all, 0, 0)->fd, socket_of(&all, 1, 1)->fd, socket_of(&all, 2, 2)->fd};
    all.sockets[0].fd = -1; /* a worker has taken it over */
    listeners_close(&all);
    ck_assert_ptr_null(all.sockets);
    listeners_close(&all);
    ck_assert_int_ne(fcntl(fds[0], F_GETFD), -1);
    ck_assert_int_eq(fcntl(fds[1], F_GETFD), -1);
    ck_assert_int_eq(fcntl(fds[2], F_GETFD), -1);
    close(fds[0]);
    cfg_free(&cfg);
}
END_TEST

/* What has the same address stays, whatever its place; a port that the system picked, with its service. */
START_TEST(in_a_reload)
{
    struct listeners before;
    struct listeners after;
    struct cfg *first = configure("\"127.0.0.1:0\", \"127.0.0.2:0\"", "other", "\"127.0.0.3:0\"");
    struct cfg *second = configure("\"127.0.0.2:0\", \"127.0.0.4:0\", \"127.0.0.3:0\"", "other",
                                   "\"127.0.0.1:0\", \"127.0.0.3:0\"");
    open_all(first, NULL, &before);
    open_all(second, &before, &after);
    ck_assert_uint_eq(after.per_worker, 5);
    expect_kept(&after, 0, 0, &before, 1);
    expect_new(&after, 1, 0, "127.0.0.4");
    expect_new(&after, 2, 0, "127.0.0.3"); /* the other service has it */
    expect_new(&after, 3, 1, "127.0.0.1");
    expect_kept(&after, 4, 1, &before, 2);
    listeners_close(&after);
    listeners_close(&before);
    cfg_free(&first);
    cfg_free(&second);
}
END_TEST

/* A fixed port is whose service it may be: it goes from one to another without being closed. */
START_TEST(a_port_that_changes_its_service)
{
    struct listeners before;
    struct listeners after;
    char fixed[64];
    struct cfg *any = configure("\"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    open_all(any, NULL, &before);
    snprintf(fixed, sizeof fixed, "\"127.0.0.1:%u\"", port_of(socket_of(&before, 0, 0)));
    listeners_close(&before);
    struct cfg *first = configure(fixed, "other", "\"127.0.0.2:0\"");
    struct cfg *second = configure("\"127.0.0.3:0\"", "new", fixed);
    open_all(first, NULL, &before);
    open_all(second, &before, &after);
    expect_kept(&after, 1, 1, &before, 0);
    listeners_close(&after);
    listeners_close(&before);
    cfg_free(&any);
    cfg_free(&first);
    cfg_free(&second);
}
END_TEST

/* Two addresses of the new file never get the same socket. */
START_TEST(one_for_two)
{
    struct listeners before;
    struct listeners after;
    struct cfg *first = configure("\"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    struct cfg *second = configure("\"127.0.0.1:0\", \"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    open_all(first, NULL, &before);
    open_all(second, &before, &after);
    expect_kept(&after, 0, 0, &before, 0);
    expect_new(&after, 1, 0, "127.0.0.1");
    expect_kept(&after, 2, 1, &before, 1);
    listeners_close(&after);
    listeners_close(&before);
    cfg_free(&first);
    cfg_free(&second);
}
END_TEST

/* ---- what goes wrong ---- */

/* Our own as well: a second program must not share the port. */
START_TEST(a_port_that_is_taken)
{
    struct cfg_problems problems = {0};
    struct listeners ours;
    struct listeners theirs;
    char fixed[64];
    struct cfg *any = configure("\"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    open_all(any, NULL, &ours);
    for (size_t i = 0; i < WORKERS * ours.per_worker; i++)
        ck_assert_int_eq(listen(ours.sockets[i].fd, 1), 0); /* as its worker does */
    snprintf(fixed, sizeof fixed, "\"127.0.0.1:%u\"", port_of(socket_of(&ours, 0, 0)));
    struct cfg *cfg = configure(fixed, "other", "\"127.0.0.2:0\"");
    ck_assert(!listeners_open(cfg, WORKERS, NULL, &theirs, &problems));
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "; another program listens there: stop it"));
    ck_assert_ptr_null(theirs.sockets);
    cfg_problems_free(&problems);
    listeners_close(&ours);
    cfg_free(&any);
    cfg_free(&cfg);
}
END_TEST

#define NOT_HERE                                                                                             \
    "; this machine has no such address now: correct it, or, if it comes later (another machine's virtual "  \
    "address, an "                                                                                           \
    "interface that is not up yet), set freebind = true beside \"listen\""

static const struct {
    int error;
    bool reload;
    const char *remedy;
} refusals[] = {
    {EADDRINUSE, false, "; another program listens there: stop it, or choose another port"},
    {EADDRINUSE, true,
     "; another program listens there, or an address of ours that covers it: that takes a restart"},
    {EACCES, false, "; ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE"},
    {EACCES, true, "; ports below 1024 take a restart if the program has dropped root"},
    {EADDRNOTAVAIL, false, NOT_HERE},
    {EADDRNOTAVAIL, true, NOT_HERE},
    {ENOBUFS, false, ""},
};

/* Each address has its error, at its place in the file; and none stays open. */
START_TEST(refused)
{
    static const struct listeners nothing;
    char expected[256];
    struct cfg_problems problems = {0};
    struct listeners all;
    struct cfg *cfg = configure("\"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    bind_error = refusals[_i].error;
    ck_assert(!listeners_open(cfg, WORKERS, refusals[_i].reload ? &nothing : NULL, &all, &problems));
    ck_assert_uint_eq(problems.errors, 2);
    ck_assert_uint_eq(problems.items[0].line, 3);
    ck_assert_uint_eq(problems.items[1].line, 4);
    for (int i = 0; i < 2; i++) {
        snprintf(expected, sizeof expected, "can't listen on 127.0.0.%d:0: %s%s", i + 1, strerror(bind_error),
                 refusals[_i].remedy);
        ck_assert_str_eq(problems.items[i].text, expected);
    }
    cfg_problems_free(&problems);
    struct listener_options options = {.reload = refusals[_i].reload};
    ck_assert_int_eq(listeners_open_single(&cfg->services[1].listen[0], options, &problems), -1);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.items[0].text, expected);
    cfg_problems_free(&problems);
    bind_error = 0;
    cfg_free(&cfg);
}
END_TEST

/* Of a new list that can't be had whole nothing stays, and of the one before all of it. */
START_TEST(all_or_nothing)
{
    struct cfg_problems problems = {0};
    struct listeners before;
    struct listeners after;
    struct cfg *first = configure("\"127.0.0.1:0\"", "other", "\"127.0.0.2:0\"");
    struct cfg *second =
        configure("\"127.0.0.1:0\", \"127.0.0.3:0\", \"192.0.2.1:25\"", "other", "\"127.0.0.2:0\"");
    open_all(first, NULL, &before);
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    ck_assert(!listeners_open(second, WORKERS, &before, &after, &problems));
    ck_assert_uint_eq(problems.errors, 1);
    int lowest_now = dup(STDERR_FILENO);
    ck_assert_int_eq(lowest_now, lowest);
    close(lowest_now);
    for (size_t i = 0; i < WORKERS * before.per_worker; i++)
        ck_assert_int_ne(fcntl(before.sockets[i].fd, F_GETFD), -1);
    cfg_problems_free(&problems);
    listeners_close(&before);
    cfg_free(&first);
    cfg_free(&second);
}
END_TEST

/* "*" is all that the kernel has; "[::]" is what it has not. */
START_TEST(a_kernel_without_ipv6)
{
    struct cfg_problems problems = {0};
    struct listeners all;
    struct cfg *cfg = configure("\"*:0\"", "other", "\"127.0.0.1:0\"");
    lacks_ipv6 = true;
    open_all(cfg, NULL, &all);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        const struct sockaddr_in *bound = (const struct sockaddr_in *)&socket_of(&all, worker, 0)->address;
        ck_assert_int_eq(bound->sin_family, AF_INET);
        ck_assert_uint_eq(bound->sin_addr.s_addr, htonl(INADDR_ANY));
        ck_assert_uint_eq(ntohs(bound->sin_port), port_of(socket_of(&all, 0, 0)));
    }
    int single = listeners_open_single(&cfg->services[0].listen[0], (struct listener_options){0}, &problems);
    ck_assert_int_ge(single, 0);
    close(single);
    struct listeners kept;
    open_all(cfg, &all, &kept);
    expect_kept(&kept, 0, 0, &all, 0);
    listeners_close(&kept);
    listeners_close(&all);
    cfg_free(&cfg);
    cfg = configure("\"[::]:0\"", "other", "\"127.0.0.1:0\"");
    ck_assert(!listeners_open(cfg, WORKERS, NULL, &all, &problems));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_ptr_nonnull(
        strstr(problems.items[0].text, "; this kernel has no IPv6: write \"*\" in place of"));
    cfg_problems_free(&problems);
    lacks_ipv6 = false;
    cfg_free(&cfg);
}
END_TEST

/* An address that another machine has now; 198.51.100.0/24 is nobody's (RFC 5737). */
START_TEST(an_address_that_is_not_here)
{
    struct cfg_problems problems = {0};
    struct listeners all;
    struct cfg *cfg = configure("\"198.51.100.1:0\"", "other", "\"198.51.100.2:0\"");
    cfg->services[0].listen[0].freebind = true;
    ck_assert(!listeners_open(cfg, WORKERS, NULL, &all, &problems));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_uint_eq(problems.items[0].line, 4);
    cfg_problems_free(&problems);
    cfg->services[1].listen[0].freebind = true;
    open_all(cfg, NULL, &all);
    for (size_t i = 0; i < WORKERS * all.per_worker; i++)
        ck_assert_int_eq(listen(all.sockets[i].fd, 1), 0);
    listeners_close(&all);
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listeners");
    TCase *tests = tcase_create("listeners");
    tcase_add_test(tests, for_each_worker);
    tcase_add_test(tests, in_a_reload);
    tcase_add_test(tests, a_port_that_changes_its_service);
    tcase_add_test(tests, one_for_two);
    tcase_add_test(tests, a_port_that_is_taken);
    tcase_add_loop_test(tests, refused, 0, ARRAY_LEN(refusals));
    tcase_add_test(tests, all_or_nothing);
    tcase_add_test(tests, a_kernel_without_ipv6);
    tcase_add_test(tests, an_address_that_is_not_here);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
