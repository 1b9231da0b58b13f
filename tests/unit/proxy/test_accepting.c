/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners of a worker that has no thread and no sessions: whom they accept and when, and how they leave. */
#include "proxy/worker/accepting.h"

#include "cfg_file.h"
#include "proxy/runtime/snapshot.h"
#include "proxy/worker/worker.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 8, MOMENT_MS = 20 };

static struct worker worker;
static struct snapshot *snapshot;
static struct pool_tls_set *pools;
static struct member_lists *members;
static struct log *log_of_test;
static struct slot_holder other; /* another worker, which holds slots for handshakes */
static struct handshake clients[MOST];
static const struct generation *generations[MOST]; /* of those that were accepted */
static const struct service *services[MOST];
static size_t accepted;
static bool is_short;        /* there are no descriptors */
static bool refuses_filters; /* as some kernels do, if a process has no privileges */
static bool defers;          /* a handshake ends with the client's first octet */
static int least_hops;       /* that the last connection demands */

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (!refuses_filters || level != SOL_SOCKET || name != SO_ATTACH_FILTER)
        return __real_setsockopt(fd, level, name, value, len);
    errno = EPERM;
    return -1;
}

static enum accept_outcome take(struct worker *of, const struct incoming *incoming)
{
    static const struct sockaddr_in from = {.sin_family = AF_INET};
    int fd;
    ck_assert_ptr_eq(of, &worker);
    errno = EMFILE;
    enum accept_outcome outcome = is_short ? ACCEPT_SHORT : accepting_take(incoming, &fd);
    if (outcome != ACCEPT_DONE)
        return outcome;
    socklen_t len = sizeof least_hops;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MINTTL, &least_hops, &len), 0);
    close(fd);
    ck_assert_uint_lt(accepted, MOST);
    generations[accepted] = incoming->generation;
    services[accepted] = incoming->service;
    ck_assert(handshakes_enter(&worker.handshakes, &clients[accepted++], (const struct sockaddr *)&from));
    return ACCEPT_DONE;
}

static const struct worker_session_calls calls = {.accept = take};

static void accept_again(void *arg)
{
    ck_assert_ptr_eq(arg, &worker);
    accepting_retry(&worker.accepting);
}

static const struct handshakes_events events = {.accept = accept_again};

static struct generation *add_generation(struct generation *older)
{
    struct generation *made = generation_new(&(struct runtime){snapshot, NULL, pools, members});
    ck_assert_ptr_nonnull(made);
    made->older = older;
    return made;
}

static void set_up(void)
{
    struct cfg_problems problems = {0};
    struct cfg *cfg;
    refuses_filters = defers = false;
    free(cfg_text_load("services = ( { name = \"a\"; protocol = \"imap\"; listen = [ \"[::]:993\" ]; backend "
                       "= \"stores\"; },\n"
                       "  { name = \"b\"; protocol = \"imap\"; listen = [ \"[::]:994\" ]; backend = "
                       "\"stores\"; } );\n" CFG_TLS CFG_POOL,
                       &cfg));
    ck_assert_ptr_nonnull(cfg);
    snapshot = snapshot_new(&cfg, NULL, NULL, &problems);
    pools = pool_tls_set_new(1);
    members = member_lists_new(1);
    log_of_test = log_new(CFG_LOG_ERROR);
    worker.calls = &calls;
    worker.shared.handshakes.counts = address_counts_new();
    worker.shared.handshakes.slots = handshake_slots_new(2);
    ck_assert(snapshot != NULL && pools != NULL && members != NULL && log_of_test != NULL);
    ck_assert(worker.shared.handshakes.counts != NULL && worker.shared.handshakes.slots != NULL);
    worker.generation = add_generation(NULL);
    worker.accepting.listeners = calloc(2, sizeof(struct listener *));
    struct listener **list = worker.accepting.listeners;
    ck_assert_ptr_nonnull(list);
    ck_assert_int_eq(uv_loop_init(&worker.loop), 0);
    ck_assert_int_eq(uv_async_init(&worker.loop, &worker.wake, NULL), 0); /* keeps the loop alive */
    handshakes_init(&worker.handshakes, &worker.loop, 0, &worker.shared.handshakes, &events, &worker);
    limit_log_init(&worker.limit_log, &worker.loop, log_add_queue(log_of_test));
    accepting_init(&worker.accepting, &worker);
    worker.accepting.listeners = list;
    other = (struct slot_holder){.slots = worker.shared.handshakes.slots, .worker = 1};
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void tear_down(void)
{
    accepting_close(&worker.accepting);
    ck_assert(!accepting_is_open(&worker.accepting));
    for (size_t i = 0; i < MOST; i++)
        handshakes_leave(&worker.handshakes, &clients[i]);
    handshakes_accepted_all(&worker.handshakes);
    ck_assert_uint_eq(worker.handshakes.slots.count, 0);
    while (other.count > 0)
        slot_holder_give(&other);
    uv_walk(&worker.loop, close_handle, NULL);
    uv_run(&worker.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&worker.loop), 0);
    generation_drop_empty(worker.generation);
    ck_assert_ptr_null(worker.generation->older);
    generation_free(&worker.generation);
    free(worker.accepting.listeners);
    address_counts_free(&worker.shared.handshakes.counts);
    handshake_slots_free(&worker.shared.handshakes.slots);
    log_close(&log_of_test);
    pool_tls_set_unref(&pools);
    member_lists_unref(&members);
    snapshot_unref(&snapshot);
}

/* ---- listeners and clients ---- */

/* The next of the list, for that service. Its address. */
static struct sockaddr_in open_listener(size_t service)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct listener *listener = accepting_new_listener();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_ptr_nonnull(listener);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (defers)
        ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){10}, sizeof(int)), 0);
    ck_assert_int_eq(
        accepting_listen(&worker.accepting, &listener, &fd, &worker.generation->snapshot->services[service]),
        0);
    ck_assert_ptr_null(listener);
    ck_assert_int_eq(fd, -1);
    return address;
}

/* The listener as one that a reload has taken away. */
static void leave(size_t index)
{
    struct listener *listener = worker.accepting.listeners[index];
    struct generation *before = worker.generation;
    worker.accepting.listeners[index] = NULL;
    worker.generation = add_generation(before);
    accepting_leave(&worker.accepting, listener, before);
}

/* Until it is known what comes of it, or for a moment: 0, an errno, or EINPROGRESS. */
static int connect_to(const struct sockaddr_in *address, int *fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(*fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno != EINPROGRESS)
        return errno;
    struct pollfd ready = {.fd = *fd, .events = POLLOUT};
    if (poll(&ready, 1, MOMENT_MS) == 0)
        return EINPROGRESS;
    ck_assert_int_eq(getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static int come(const struct sockaddr_in *address)
{
    int fd;
    ck_assert_int_eq(connect_to(address, &fd), 0);
    return fd;
}

static void expect(const struct sockaddr_in *address, int error)
{
    int fd;
    ck_assert_int_eq(connect_to(address, &fd), error);
    close(fd);
}

static void turn(void)
{
    uv_run(&worker.loop, UV_RUN_NOWAIT);
}

static void hold_all_slots(size_t count)
{
    handshake_slots_set_max(worker.shared.handshakes.slots, count);
    for (size_t i = 0; i < count; i++)
        ck_assert(slot_holder_take(&other));
}

static uint64_t counted(size_t service, enum counter what)
{
    return counters_sum(snapshot->services[service].counters, what);
}

/* Two listeners, with a client at each that gets no slot. */
struct two_held {
    struct sockaddr_in addresses[2];
    int fds[2];
};

static struct two_held open_two_held(void)
{
    struct two_held two;
    for (size_t i = 0; i < 2; i++)
        two.addresses[i] = open_listener(i);
    hold_all_slots(1);
    for (size_t i = 0; i < 2; i++)
        two.fds[i] = come(&two.addresses[i]);
    return two;
}

/* Neither is there any more. */
static void expect_two_gone(const struct two_held *two)
{
    ck_assert(!accepting_is_open(&worker.accepting));
    ck_assert(!worker.handshakes.is_awaited);
    for (size_t i = 0; i < 2; i++) {
        expect(&two->addresses[i], ECONNREFUSED);
        close(two->fds[i]);
    }
}

/* ---- tests ---- */

START_TEST(who_comes_is_accepted)
{
    struct sockaddr_in first = open_listener(0);
    struct sockaddr_in second = open_listener(1);
    ck_assert(accepting_is_open(&worker.accepting));
    int fds[] = {come(&second), come(&second), come(&first)};
    turn();
    ck_assert_uint_eq(accepted, 3);
    int at_first = 0;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(generations[i], worker.generation);
        at_first += services[i] == &snapshot->services[0];
    }
    ck_assert_int_eq(at_first, 1);
    ck_assert(!accepting_retry(&worker.accepting));
    ck_assert_uint_eq(accepted, 3);
    ck_assert_uint_eq(worker.handshakes.slots.count, 3);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

/* Those that wait are one event of the limit, however often they are looked at. */
START_TEST(all_slots_are_taken)
{
    struct sockaddr_in address = open_listener(0);
    hold_all_slots(2);
    int fds[] = {come(&address), come(&address), come(&address)};
    turn();
    for (int i = 0; i < 5; i++)
        ck_assert(accepting_retry(&worker.accepting));
    ck_assert_uint_eq(counted(0, counters_of_limit(CLIENT_LIMIT_HANDSHAKES)), 1);
    ck_assert_uint_eq(accepted, 0);
    /* Who comes next is another event. */
    slot_holder_give(&other);
    ck_assert(accepting_retry(&worker.accepting));
    ck_assert_uint_eq(accepted, 1);
    ck_assert(accepting_retry(&worker.accepting));
    ck_assert_uint_eq(counted(0, counters_of_limit(CLIENT_LIMIT_HANDSHAKES)), 2);
    handshake_slots_set_max(worker.shared.handshakes.slots, 0);
    ck_assert(!accepting_retry(&worker.accepting));
    ck_assert_uint_eq(accepted, 3);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

/* No listener accepts anybody for a while, and then both do, without being told. */
START_TEST(descriptors_are_short)
{
    struct sockaddr_in first = open_listener(0);
    struct sockaddr_in second = open_listener(1);
    is_short = true;
    int fds[] = {come(&first), -1};
    turn();
    ck_assert_uint_eq(counted(0, COUNTER_ACCEPT_FAILED), 1);
    is_short = false;
    fds[1] = come(&second);
    turn();
    bool waits = accepting_retry(&worker.accepting);
    if (uv_is_active((uv_handle_t *)&worker.accepting.pause)) { /* it is not over yet */
        ck_assert(waits);
        ck_assert_uint_eq(accepted, 0);
    }
    ck_assert_uint_eq(counted(1, COUNTER_ACCEPT_FAILED), 0);
    while (accepted < 2)
        uv_run(&worker.loop, UV_RUN_ONCE);
    ck_assert(!uv_is_active((uv_handle_t *)&worker.accepting.pause));
    ck_assert_uint_eq(counted(0, COUNTER_ACCEPT_FAILED), 1);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(one_that_leaves_with_nobody_waiting)
{
    struct sockaddr_in first = open_listener(0);
    struct sockaddr_in second = open_listener(1);
    leave(0);
    expect(&first, ECONNREFUSED);
    ck_assert_ptr_null(worker.accepting.leaving);
    ck_assert(accepting_is_open(&worker.accepting));
    ck_assert_ptr_null(worker.generation->older); /* nothing keeps it */
    int fd = come(&second);
    turn();
    ck_assert_uint_eq(accepted, 1);
    close(fd);
}
END_TEST

/* They get in as soon as there is room, under the configuration that the listener was of; others do not. */
START_TEST(one_that_leaves_and_has_somebody_waiting)
{
    refuses_filters = _i == 1;
    struct sockaddr_in address = open_listener(0);
    struct generation *before = worker.generation;
    hold_all_slots(1);
    int fds[] = {come(&address), come(&address)};
    leave(0);
    ck_assert_ptr_eq(worker.generation->older, before);
    ck_assert_uint_eq(before->leaving, 1);
    expect(&address, EINPROGRESS); /* the kernel gives no reply */
    ck_assert(accepting_retry(&worker.accepting));
    ck_assert_uint_eq(accepted, 0);
    handshake_slots_set_max(worker.shared.handshakes.slots, 0);
    ck_assert(!accepting_retry(&worker.accepting));
    ck_assert_uint_eq(accepted, 2);
    ck_assert_ptr_eq(generations[0], before);
    ck_assert_ptr_null(worker.accepting.leaving);
    ck_assert_ptr_null(worker.generation->older);
    expect(&address, ECONNREFUSED);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* Its packets are taken, however new connections are kept away. */
START_TEST(one_whose_handshake_ends_after_the_listener_left)
{
    refuses_filters = _i == 1;
    defers = true;
    struct sockaddr_in address = open_listener(0);
    hold_all_slots(1);
    int fds[] = {come(&address), come(&address)};
    ck_assert_int_eq(write(fds[0], "x", 1), 1);
    leave(0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    handshake_slots_set_max(worker.shared.handshakes.slots, 0);
    accepting_retry(&worker.accepting);
    ck_assert_uint_eq(accepted, 2);
    ck_assert_int_eq(least_hops, 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* Both, and not for ever. */
START_TEST(two_that_leave_and_get_no_slot)
{
    struct two_held two = open_two_held();
    accepting_leave_all(&worker.accepting);
    ck_assert_uint_eq(worker.accepting.count, 0);
    ck_assert_uint_eq(worker.generation->leaving, 2);
    uint64_t begun = uv_now(&worker.loop);
    while (accepting_is_open(&worker.accepting))
        uv_run(&worker.loop, UV_RUN_ONCE);
    ck_assert_uint_ge(uv_now(&worker.loop) - begun, ACCEPTING_LEAVE_MS);
    ck_assert_uint_eq(worker.generation->leaving, 0);
    ck_assert_uint_eq(accepted, 0);
    expect_two_gone(&two);
}
END_TEST

/* The worker's end, with one that serves and one that leaves. */
START_TEST(all_are_closed)
{
    struct two_held two = open_two_held();
    leave(0);
    accepting_close(&worker.accepting);
    expect_two_gone(&two);
}
END_TEST

START_TEST(a_socket_that_can_not_listen)
{
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    struct listener *listener = accepting_new_listener();
    int fd = pipes[0];
    ck_assert_int_eq(accepting_listen(&worker.accepting, &listener, &fd, &snapshot->services[0]),
                     UV_ENOTSOCK);
    ck_assert_int_eq(fd, pipes[0]);
    ck_assert_ptr_nonnull(listener);
    ck_assert_uint_eq(worker.accepting.count, 1);
    ck_assert_ptr_null(worker.accepting.listeners[0]);
    ck_assert(!accepting_retry(&worker.accepting));
    free(listener);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accepting");
    TCase *tests = tcase_create("accepting");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, who_comes_is_accepted);
    tcase_add_test(tests, all_slots_are_taken);
    tcase_add_test(tests, descriptors_are_short);
    tcase_add_test(tests, one_that_leaves_with_nobody_waiting);
    tcase_add_loop_test(tests, one_that_leaves_and_has_somebody_waiting, 0, 2);
    tcase_add_loop_test(tests, one_whose_handshake_ends_after_the_listener_left, 0, 2);
    tcase_add_test(tests, two_that_leave_and_get_no_slot);
    tcase_add_test(tests, all_are_closed);
    tcase_add_test(tests, a_socket_that_can_not_listen);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
