/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/accepting.h"

#include "base/array.h"
#include "proxy/common/accept.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

enum { HOPS_MAX = 255 };

struct listener {
    uv_poll_t poll;
    int fd;
    struct worker *worker;
    struct service *service;
    struct generation *generation; /* that it keeps, if it leaves; NULL: the worker's newest */
    struct listener *next;         /* in the list of those that leave */
    uint64_t leaves_at;            /* at the latest, by the loop's clock */
    bool is_polled;
    bool is_stalled;   /* connections wait for a slot (handshakes.h), descriptors or memory */
    bool limit_logged; /* they wait for a slot, and the limit has been logged */
};

static void on_incoming(uv_poll_t *poll, int status, int events);

static void set_stalled(struct listener *listener, bool is_stalled)
{
    listener->is_stalled = is_stalled;
    if (listener->is_polled == !is_stalled)
        return;
    listener->is_polled = !is_stalled;
    if (is_stalled)
        uv_poll_stop(&listener->poll);
    else
        uv_poll_start(&listener->poll, UV_READABLE, on_incoming);
}

/*
 * The hops that packets must have left to be taken. Each address family has its own option, and a socket of
 * IPv6 both.
 */
static void set_least_hops(int fd, int hops)
{
    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops);
}

/* ---- the end of a listener ---- */

static void on_closed(uv_handle_t *handle)
{
    free((struct listener *)handle);
}

static void close_listener(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd);
}

static void drop_leaving(struct accepting *accepting, struct listener *listener)
{
    struct listener **at = &accepting->leaving;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    listener->generation->leaving--;
    close_listener(listener);
    generation_drop_empty(accepting->worker->generation);
    if (!accepting_is_open(accepting))
        handshakes_stop_waiting(&accepting->worker->handshakes);
    worker_end_if_empty(accepting->worker);
}

/* ---- accepting ---- */

static void stall_all(struct accepting *accepting)
{
    for (size_t i = 0; i < accepting->count; i++)
        if (accepting->listeners[i] != NULL)
            set_stalled(accepting->listeners[i], true);
    for (struct listener *at = accepting->leaving; at != NULL; at = at->next)
        set_stalled(at, true);
}

static void on_pause_over(uv_timer_t *pause)
{
    accepting_retry(pause->data);
}

static bool is_paused(const struct accepting *accepting)
{
    return uv_is_active((const uv_handle_t *)&accepting->pause);
}

static void pause_accepting(struct accepting *accepting, const struct service *service, int error)
{
    struct worker *worker = accepting->worker;
    counters_add(service->counters, worker->index, COUNTER_ACCEPT_FAILED);
    limit_log_note_failure(&worker->limit_log, error, service->cfg->name);
    uv_timer_start(&accepting->pause, on_pause_over, ACCEPTING_PAUSE_MS, 0);
    stall_all(accepting);
}

static void note_full(struct listener *listener)
{
    struct worker *worker = listener->worker;
    if (!listener->limit_logged) {
        counters_add(listener->service->counters, worker->index, counters_of_limit(CLIENT_LIMIT_HANDSHAKES));
        limit_log_note(&worker->limit_log, CLIENT_LIMIT_HANDSHAKES, listener->service->cfg->name, NULL);
    }
    listener->limit_logged = true;
    set_stalled(listener, true);
}

/* A connection inherits what the listener demanded when the handshake came to its end. */
enum accept_outcome accepting_take(const struct incoming *incoming, int *fd)
{
    enum accept_outcome outcome = accept_connection(incoming->listener, fd, NULL, NULL);
    if (outcome == ACCEPT_DONE && incoming->leaves)
        set_least_hops(*fd, 0);
    return outcome;
}

static enum accept_outcome accept_one(struct listener *listener)
{
    struct worker *worker = listener->worker;
    struct incoming incoming = {.listener = listener->fd,
                                .service = listener->service,
                                .generation =
                                    listener->generation != NULL ? listener->generation : worker->generation,
                                .leaves = listener->generation != NULL};
    enum accept_outcome outcome = worker->calls->accept(worker, &incoming);
    if (outcome == ACCEPT_SHORT)
        pause_accepting(&worker->accepting, listener->service, errno);
    listener->limit_logged = false;
    return outcome;
}

enum queue {
    QUEUE_EMPTY,
    QUEUE_FOR_NEXT_TURN, /* the kernel reports it again */
    QUEUE_STALLED
};

static enum queue accept_all(struct listener *listener)
{
    struct handshakes *handshakes = &listener->worker->handshakes;
    enum accept_outcome outcome = ACCEPT_DONE;
    while (outcome == ACCEPT_DONE || outcome == ACCEPT_LOST) {
        enum handshakes_answer answer = handshakes_may_accept(handshakes);
        if (answer == HANDSHAKES_LATER)
            return QUEUE_FOR_NEXT_TURN;
        if (answer == HANDSHAKES_FULL) {
            note_full(listener);
            return QUEUE_STALLED;
        }
        outcome = accept_one(listener);
    }
    handshakes_accepted_all(handshakes);
    return outcome == ACCEPT_NOBODY ? QUEUE_EMPTY : QUEUE_STALLED;
}

/* One that leaves is closed if nobody waits; its memory is there until the loop goes on. */
static void serve(struct listener *listener)
{
    struct accepting *accepting = &listener->worker->accepting;
    enum queue queue = is_paused(accepting) ? QUEUE_STALLED : accept_all(listener);
    set_stalled(listener, queue == QUEUE_STALLED);
    if (queue == QUEUE_EMPTY && listener->generation != NULL)
        drop_leaving(accepting, listener);
}

static void on_incoming(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    serve((struct listener *)poll);
}

static bool retry(struct listener *listener)
{
    if (listener->is_stalled)
        serve(listener);
    return listener->is_stalled;
}

bool accepting_retry(struct accepting *accepting)
{
    bool waits = false;
    struct listener *next;
    for (size_t i = 0; i < accepting->count; i++)
        if (accepting->listeners[i] != NULL)
            waits = retry(accepting->listeners[i]) || waits;
    for (struct listener *at = accepting->leaving; at != NULL; at = next) {
        next = at->next;
        waits = retry(at) || waits;
    }
    return waits;
}

/* ---- listeners ---- */

struct listener *accepting_new_listener(void)
{
    return calloc(1, sizeof(struct listener));
}

int accepting_listen(struct accepting *accepting, struct listener **listener, int *fd,
                     struct service *service)
{
    struct listener *new = *listener;
    accepting->listeners[accepting->count++] = NULL;
    if (listen(*fd, BACKLOG) != 0)
        return uv_translate_sys_error(errno);
    int error = uv_poll_init_socket(&accepting->worker->loop, &new->poll, *fd);
    if (error != 0)
        return error;
    new->fd = *fd;
    new->worker = accepting->worker;
    new->service = service;
    *listener = NULL;
    *fd = -1;
    accepting->listeners[accepting->count - 1] = new;
    set_stalled(new, false);
    return 0;
}

void accepting_continue(struct accepting *accepting, struct listener *listener, struct service *service)
{
    if (listener != NULL)
        listener->service = service;
    accepting->listeners[accepting->count++] = listener;
}

static void on_leave(uv_timer_t *leave)
{
    struct accepting *accepting = leave->data;
    uint64_t now = uv_now(&accepting->worker->loop);
    struct listener *next;
    for (struct listener *at = accepting->leaving; at != NULL; at = next) {
        next = at->next;
        if (at->leaves_at <= now)
            drop_leaving(accepting, at);
        else
            uv_timer_start(leave, on_leave, at->leaves_at - now, 0);
    }
}

/*
 * The kernel drops what would begin a connection (SYN without ACK), and lets all else pass. So the queue
 * comes to an end, and nobody is reset who has connected between the last look at it and the listener's end.
 * A client that comes now asks again a second later, and is refused, or served by what listens there by then.
 * Some kernels let only root attach a filter.
 */
static bool attach_filter(int fd)
{
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 }; /* in the TCP header */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),   BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {ARRAY_LEN(code), code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/*
 * Without the filter: no packet comes that far (RFC 5082), unless a neighbour sends them with the most that
 * there is.
 */
static void drop_new_connections(int fd)
{
    if (!attach_filter(fd))
        set_least_hops(fd, HOPS_MAX);
}

void accepting_leave(struct accepting *accepting, struct listener *listener, struct generation *generation)
{
    drop_new_connections(listener->fd);
    listener->generation = generation;
    generation->leaving++;
    listener->leaves_at = uv_now(&accepting->worker->loop) + ACCEPTING_LEAVE_MS;
    listener->next = accepting->leaving;
    accepting->leaving = listener;
    if (!uv_is_active((const uv_handle_t *)&accepting->leave))
        uv_timer_start(&accepting->leave, on_leave, ACCEPTING_LEAVE_MS, 0);
    serve(listener);
}

void accepting_leave_all(struct accepting *accepting)
{
    while (accepting->count > 0) {
        struct listener *listener = accepting->listeners[--accepting->count];
        if (listener != NULL)
            accepting_leave(accepting, listener, accepting->worker->generation);
    }
}

void accepting_close(struct accepting *accepting)
{
    for (size_t i = 0; i < accepting->count; i++)
        if (accepting->listeners[i] != NULL)
            close_listener(accepting->listeners[i]);
    accepting->count = 0;
    while (accepting->leaving != NULL)
        drop_leaving(accepting, accepting->leaving);
    handshakes_stop_waiting(&accepting->worker->handshakes);
}

bool accepting_is_open(const struct accepting *accepting)
{
    return accepting->count > 0 || accepting->leaving != NULL;
}

void accepting_init(struct accepting *accepting, struct worker *worker)
{
    *accepting = (struct accepting){.worker = worker};
    uv_timer_init(&worker->loop, &accepting->pause);
    uv_timer_init(&worker->loop, &accepting->leave);
    uv_tcp_init(&worker->loop, &accepting->first);
    uv_unref((uv_handle_t *)&accepting->pause);
    uv_unref((uv_handle_t *)&accepting->leave);
    accepting->pause.data = accepting->leave.data = accepting;
}
