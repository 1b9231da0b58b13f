/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is set on the sockets of both sides, as the kernel has it: those that listen, those accepted, those to
 * servers.
 */
#include "proxy/worker/listeners.h"

#include "base/array.h"
#include "certificates.h"
#include "cfg_file.h"
#include "inner_proxy.h"
#include "run_suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 2 };

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* Of every connection, and of what it is accepted from. */
static void expect_connection_options(int fd)
{
    ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 120);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 30);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 10);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static struct cfg *configure(const char *listen)
{
    char text[1024];
    snprintf(text, sizeof text,
             CFG_TLS CFG_POOL
             "services = ( { protocol = \"imap\"; listen = [ %s ]; backend = \"stores\"; } );\n",
             listen);
    return cfg_text_load_clean(text);
}

static struct cfg *open_all(const char *listen, const struct listeners *previous, struct listeners *into)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = configure(listen);
    bool ok = listeners_open(cfg, WORKERS, previous, into, &problems);
    cfg_problems_print(&problems, stderr);
    ck_assert(ok);
    cfg_problems_free(&problems);
    return cfg;
}

/* ---- what listens ---- */

START_TEST(listeners)
{
    struct listeners all;
    struct cfg *cfg = open_all(has_ipv6() ? "\"127.0.0.1:0\", \"[::1]:0\"" : "\"127.0.0.1:0\"", NULL, &all);
    ck_assert_uint_ge(all.per_worker, 1);
    for (size_t i = 0; i < WORKERS * all.per_worker; i++) {
        int fd = all.sockets[i].fd;
        expect_connection_options(fd);
        ck_assert_int_ne(option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
        ck_assert_int_ne(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
        ck_assert_int_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0); /* the worker's part */
    }
    listeners_close(&all);
    cfg_free(&cfg);
}
END_TEST

static unsigned free_port(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    close(fd);
    return ntohs(any.sin6_port);
}

/*
 * A wildcard serves IPv4 as well, unless IPv4 has a wildcard of its own on that port. An address takes its
 * own clients alone.
 */
static const struct wildcard {
    const char *listen;
    bool only_v6;
} wildcards[] = {
    {"\"[::]:%u\"", false},
    {"\"[::]:%u\", \"127.0.0.1:%u\"", false},
    {"\"127.0.0.1:%u\", \"[::]:%u\"", false},
    {"\"[::]:%u\", \"0.0.0.0:%u\"", true},
    {"\"0.0.0.0:%u\", \"[::]:%u\"", true},
    {"\"127.0.0.1:0\", \"[::]:%u\"", false},
};

START_TEST(wildcard)
{
    const struct wildcard *w = &wildcards[_i];
    struct listeners all;
    char listen[128];
    unsigned seen = 0;
    if (!has_ipv6())
        return;
    unsigned port = free_port();
    snprintf(listen, sizeof listen, w->listen, port, port);
    struct cfg *cfg = open_all(listen, NULL, &all);
    for (size_t i = 0; i < WORKERS * all.per_worker; i++) {
        if (all.sockets[i].address.ss_family != AF_INET6)
            continue;
        ck_assert_int_eq(option(all.sockets[i].fd, IPPROTO_IPV6, IPV6_V6ONLY), w->only_v6);
        seen++;
    }
    ck_assert_uint_eq(seen, WORKERS);
    listeners_close(&all);
    cfg_free(&cfg);
}
END_TEST

/* Nobody else shares the port of a single one, and it listens at once. */
START_TEST(single_listener)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg = configure(_i == 0 ? "\"127.0.0.1:0\"" : "\"[::]:0\"");
    if (_i > 0 && !has_ipv6())
        return;
    struct listener_options options = {.only_v6 = _i == 1, .shared = _i == 2};
    int fd = listeners_open_single(&cfg->services[0].listen[0], options, &problems);
    ck_assert_int_ge(fd, 0);
    expect_connection_options(fd);
    ck_assert_int_ne(option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    ck_assert_int_eq(option(fd, SOL_SOCKET, SO_REUSEPORT), options.shared);
    ck_assert_int_eq(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    if (_i > 0)
        ck_assert_int_eq(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), options.only_v6);
    close(fd);
    cfg_free(&cfg);
}
END_TEST

/* ---- a session's connections ---- */

static int peer_port(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    bool is_connection =
        getpeername(fd, (struct sockaddr *)&address, &len) == 0 && address.sin_family == AF_INET;
    return is_connection ? ntohs(address.sin_port) : -1;
}

static int own_port(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    bool is_socket = getsockname(fd, (struct sockaddr *)&address, &len) == 0 && address.sin_family == AF_INET;
    return is_socket ? ntohs(address.sin_port) : -1;
}

static unsigned to_clients, to_servers;

/*
 * All sockets are in this process: the proxy's are those at a service's port, and those whose peer is the
 * server's.
 */
static void look_at_session(struct inner_proxy *proxy)
{
    int server = ntohs(inner_proxy_server(proxy)->sin_port);
    DIR *all = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(all);
    for (struct dirent *entry = readdir(all); entry != NULL; entry = readdir(all)) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || peer_port(fd) < 0)
            continue;
        if (peer_port(fd) == server) {
            expect_connection_options(fd);
            to_servers++;
        } else if (own_port(fd) == inner_proxy_port(proxy, INNER_TLS)) {
            expect_connection_options(fd);
            to_clients++;
        }
    }
    closedir(all);
}

START_TEST(session)
{
    struct inner_proxy *proxy = inner_proxy_start("");
    struct inner_dialogue dialogue = inner_proxy_talk(proxy, INNER_TLS, "somebody", look_at_session);
    ck_assert(dialogue.is_complete);
    ck_assert_uint_eq(to_clients, 1);
    ck_assert_uint_eq(to_servers, 1);
    inner_dialogue_free(&dialogue);
    inner_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    certificates_open();
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("socket_options");
    TCase *tests = tcase_create("socket_options");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, listeners);
    tcase_add_loop_test(tests, wildcard, 0, ARRAY_LEN(wildcards));
    tcase_add_loop_test(tests, single_listener, 0, 3);
    tcase_add_test(tests, session);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
