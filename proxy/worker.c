/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "proxy/session.h"
#include "tls/tls_random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Timeouts are kept to half a second. */
#define TICK_MS 500
/* How long a peer gets to take in our last words and close. */
#define CLOSING_MS 10000
/* ... and how long when the program is told to end at once: last words to peers that read, no more. */
#define ENDING_MS 500
/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

struct listener {
    uv_tcp_t tcp;
    struct worker *worker;
    struct service *service;
    bool stalled; /* a connection waits that there was no memory for */
};

uint64_t worker_now(const struct worker *worker)
{
    return uv_now(&worker->loop);
}

/* ---- sessions ---- */

void worker_add_session(struct worker *worker, struct session *session)
{
    session->previous = NULL;
    session->next = worker->sessions;
    if (worker->sessions != NULL)
        worker->sessions->previous = session;
    worker->sessions = session;
    if (worker->session_count++ == 0)
        uv_timer_again(&worker->tick);
}

static void end_if_empty(struct worker *worker)
{
    if (worker->phase == WORKER_RUNNING || worker->session_count > 0 ||
        uv_is_closing((uv_handle_t *)&worker->wake))
        return;
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
}

void worker_remove_session(struct worker *worker, struct session *session)
{
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        worker->sessions = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    if (--worker->session_count == 0)
        uv_timer_stop(&worker->tick);
    end_if_empty(worker);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = (struct listener *)stream;
    struct worker *worker = listener->worker;
    if (status != 0) {
        struct log_line line;
        log_line_begin(&line, CFG_LOG_WARNING, "accept-failed");
        log_line_add_text(&line, "service", listener->service->cfg->name);
        log_line_add_text(&line, "error", uv_strerror(status));
        log_queue_put(worker->log, &line);
        return;
    }
    listener->stalled = !session_accept(worker, listener->service, stream);
}

/* libuv takes no further connection from a listener before the one that waits has been accepted. */
static void accept_stalled(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];
        if (listener->stalled && worker->phase == WORKER_RUNNING)
            listener->stalled = !session_accept(worker, listener->service, (uv_stream_t *)&listener->tcp);
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct worker *worker = tick->data;
    struct deadline *expired;
    for (size_t i = 0; i < WORKER_TIMEOUTS; i++)
        while ((expired = deadline_list_take_expired(&worker->timeouts[i], worker_now(worker))) != NULL)
            session_expire(session_of_deadline(expired));
    accept_stalled(worker);
}

/* ---- phases ---- */

static void stop_listening(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        uv_close((uv_handle_t *)&worker->listeners[i].tcp, NULL);
}

static void say_goodbye_to_all(struct worker *worker)
{
    struct session *next;
    for (struct session *session = worker->sessions; session != NULL; session = next) {
        next = session->next;
        session_shut_down(session);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    enum worker_phase wanted = (enum worker_phase)atomic_load(&worker->wanted_phase);
    if (wanted <= worker->phase)
        return;
    if (worker->phase == WORKER_RUNNING)
        stop_listening(worker);
    worker->phase = wanted;
    if (wanted == WORKER_ENDING)
        say_goodbye_to_all(worker);
    end_if_empty(worker);
}

void worker_set_phase(struct worker *worker, enum worker_phase phase)
{
    atomic_store(&worker->wanted_phase, (int)phase);
    uv_async_send(&worker->wake);
}

/* ---- the thread ---- */

static void run(void *arg)
{
    struct worker *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    worker->on_end(worker->on_end_arg);
}

static int listen_on(struct worker *worker, struct listener *listener, struct listener_socket *from)
{
    listener->worker = worker;
    listener->service = &worker->snapshot->services[from->service];
    int error = uv_tcp_init(&worker->loop, &listener->tcp);
    if (error != 0)
        return error;
    error = uv_tcp_open(&listener->tcp, from->fd);
    if (error != 0)
        return error;
    from->fd = -1;
    return uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
}

static bool allocate(struct worker *worker, size_t socket_count)
{
    size_t sealed = tls_sealed_bound(WORKER_PLAIN_CAP + ENGINE_OUT_SCRATCH, ENGINE_OUT_SLICES);
    worker->listeners = calloc(socket_count, sizeof worker->listeners[0]);
    worker->turns = calloc(worker->snapshot->cfg->pool_count, sizeof worker->turns[0]);
    worker->tls_io = tls_io_new(sealed);
    worker->out = engine_out_new();
    worker->read_buffer = malloc(WORKER_READ_CAP);
    worker->plain_buffer = malloc(WORKER_PLAIN_CAP);
    if (worker->listeners == NULL || worker->turns == NULL || worker->tls_io == NULL || worker->out == NULL ||
        worker->read_buffer == NULL || worker->plain_buffer == NULL)
        return false;
    /* Workers begin at different servers, so that few connections already spread. */
    for (size_t i = 0; i < worker->snapshot->cfg->pool_count; i++)
        worker->turns[i] = worker->index;
    return true;
}

static void release(struct worker *worker)
{
    if (worker->plain_buffer != NULL)
        wipe(worker->plain_buffer, WORKER_PLAIN_CAP);
    if (worker->read_buffer != NULL)
        wipe(worker->read_buffer, WORKER_READ_CAP);
    free(worker->plain_buffer);
    free(worker->read_buffer);
    engine_out_free(&worker->out);
    tls_io_free(&worker->tls_io);
    free(worker->turns);
    free(worker->listeners);
    snapshot_unref(&worker->snapshot);
}

static void set_timeouts(struct worker *worker)
{
    const struct cfg_timeouts *timeouts = &worker->snapshot->cfg->timeouts;
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_HANDSHAKE], timeouts->handshake);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_CONNECT], timeouts->connect);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_GREETING], timeouts->greeting);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_LOGIN], timeouts->login);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_IDLE], timeouts->idle);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_CLOSING], CLOSING_MS);
    deadline_list_init(&worker->timeouts[WORKER_TIMEOUT_ENDING], ENDING_MS);
}

static int open_handles(struct worker *worker, struct listener_socket *sockets, size_t socket_count)
{
    worker->wake.data = worker->tick.data = worker;
    int error = uv_async_init(&worker->loop, &worker->wake, on_wake);
    if (error != 0)
        return error;
    uv_timer_init(&worker->loop, &worker->tick);
    uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    uv_timer_stop(&worker->tick);
    for (size_t i = 0; i < socket_count && error == 0; i++) {
        worker->listener_count = i + 1;
        error = listen_on(worker, &worker->listeners[i], &sockets[i]);
    }
    return error;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct worker *worker)
{
    uv_walk(&worker->loop, close_handle, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    ENSURE(uv_loop_close(&worker->loop) == 0);
}

int worker_start(struct worker *worker, const struct worker_settings *settings)
{
    memset(worker, 0, sizeof *worker);
    worker->index = settings->index;
    tls_random_text(worker->id, sizeof worker->id - 1);
    worker->log = settings->log;
    worker->session_max = settings->session_max;
    worker->on_end = settings->on_end;
    worker->on_end_arg = settings->on_end_arg;
    int error = uv_loop_init(&worker->loop);
    if (error != 0)
        return error;
    worker->loop.data = worker;
    worker->snapshot = snapshot_ref(settings->snapshot);
    error = allocate(worker, settings->socket_count) ? 0 : UV_ENOMEM;
    set_timeouts(worker);
    if (error == 0)
        error = open_handles(worker, settings->sockets, settings->socket_count);
    if (error == 0)
        error = uv_thread_create(&worker->thread, run, worker);
    if (error != 0) {
        close_loop(worker);
        release(worker);
    }
    return error;
}

void worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
    close_loop(worker);
    release(worker);
}
