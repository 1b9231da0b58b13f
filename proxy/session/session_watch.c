/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/ensure.h"
#include "proxy/common/monotonic.h"

#include <stdlib.h>
#include <string.h>

/*
 * A suspected server has a short time for the client that tries it. One that serves, but not as fast as
 * that, would be suspected for ever. So its connection stays for the time that the configuration gives a
 * server, when the client has gone on without it: it is watched for the greeting. Nobody waits for it. The
 * connection counts among the server's sessions, and as the one that tries it. While others serve it ends
 * when the next session is due to try.
 */
enum {
    WATCH_TICK_MS = 100,
    /* Meanwhile nobody tries it: one that has started again, without a word of that, is tried after this. */
    WATCH_MAX_MS = 15000
};

struct session_watch {
    struct session_watch *next; /* of the worker's */
    struct worker *worker;
    struct backend_link *link;
    struct membership *members;
    struct reservation place;
    enum protocol protocol;
    uint64_t began; /* worker_now, when it was connected to */
    uint64_t until;
    uv_timer_t timer;
};

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct session_watch *watch = handle->data;
    free(watch->link);
    free(watch);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct session_watch *watch = handle->data;
    uv_close((uv_handle_t *)&watch->timer, on_timer_closed);
}

static void unlink_watch(struct session_watch *watch)
{
    struct session_watch **at = &watch->worker->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
}

static void end_watch(struct session_watch *watch)
{
    unlink_watch(watch);
    uv_timer_stop(&watch->timer);
    backend_tls_drop(watch->link, watch->worker);
    reservation_forget(&watch->place);
    wait_queue_place_free(watch->members->pool->queue);
    membership_unref(&watch->members);
    uv_close((uv_handle_t *)&watch->link->conn.tcp, on_socket_closed);
}

static bool has_other(const struct session_watch *watch)
{
    struct choose_request request = {
        .members = watch->members, .worker = watch->worker->index, .now_ms = monotonic_ms()};
    return choose_has_other(&request, NULL, watch->place.server);
}

static void on_tick(uv_timer_t *timer)
{
    struct session_watch *watch = timer->data;
    bool is_due = monotonic_ms() >= atomic_load(&watch->place.server->retry_at_ms);
    if (worker_now(watch->worker) >= watch->until || (is_due && has_other(watch)))
        end_watch(watch);
}

void session_end_watches(struct worker *worker)
{
    while (worker->watches != NULL)
        end_watch(worker->watches);
}

/* ---- what it sees ---- */

/* The first octets of a greeting that refuses nobody. */
static bool is_greeting(const struct session_watch *watch, struct slice data)
{
    static const char *const beginnings[] = {
        [PROTOCOL_IMAP] = "* ", [PROTOCOL_POP3] = "+", [PROTOCOL_SUBMISSION] = "2"};
    const char *beginning = beginnings[watch->protocol];
    size_t len = strlen(beginning);
    if (data.len < len || memcmp(data.data, beginning, len) != 0)
        return false;
    return watch->protocol != PROTOCOL_IMAP || data.len == len || (data.data[len] | 0x20) != 'b';
}

/*
 * It serves, so late. While others serve, one that is too slow for a session would fail at once again; if
 * there is no other, it is better than none.
 */
static void note_greeting(const struct session_watch *watch)
{
    struct pool_state *pool = watch->members->pool;
    uint64_t ms = worker_now(watch->worker) - watch->began;
    if (has_other(watch)) {
        if (ms < pool_state_greeting_limit_ms(pool, false))
            server_state_served(watch->place.server);
        return;
    }
    server_state_served(watch->place.server);
    pool_state_greeted(pool, ms * 1000);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct session_watch *watch = handle->data;
    (void)suggested;
    *buffer = uv_buf_init((char *)watch->worker->read_buffer, WORKER_READ_CAP);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct session_watch *watch = stream->data;
    struct slice said = {NULL, 0};
    if (len > 0)
        said = backend_tls_open(watch->link, watch->worker,
                                (struct slice){(const uint8_t *)buffer->base, (size_t)len});
    if (said.len == 0 && len >= 0 && backend_tls_is_ready(watch->link))
        return; /* TLS has something of its own, such as a ticket */
    if (said.len > 0 && is_greeting(watch, said))
        note_greeting(watch);
    end_watch(watch);
}

/* ---- the beginning ---- */

/* A write that is queued would come back to the session's link. */
static bool may_watch(const struct session *session)
{
    return session->place.began_as_trial && session->link != NULL && session->state != SESSION_CONNECTING &&
           session->worker->phase == WORKER_RUNNING && !session->link->conn.input_ended &&
           session->link->conn.queued == 0 && backend_tls_is_ready(session->link);
}

/* What TLS sends by itself, if it can't be sent at once. */
static void on_drained(struct tcp_conn *conn, int status)
{
    (void)conn;
    (void)status; /* after a failed write the server's end is read next */
}

/* Takes the connection out of the session. */
static void take_link(struct session_watch *watch, struct session *session)
{
    struct backend_link *link = session->link;
    session->link = NULL;
    link->session = NULL;
    link->conn.tcp.data = watch;
    link->conn.on_drained = on_drained;
    watch->link = link;
    uv_read_stop((uv_stream_t *)&link->conn.tcp);
}

static void begin_watch(struct session_watch *watch, struct session *session)
{
    struct worker *worker = session->worker;
    uint64_t span = session->in_worker.generation->timeouts[WORKER_TIMEOUT_GREETING].span;
    watch->worker = worker;
    watch->members = membership_ref(session_members(session));
    watch->protocol = session->service->cfg->protocol;
    watch->began = session->link->last_heard;
    watch->until = worker_now(worker) + (span < WATCH_MAX_MS ? span : WATCH_MAX_MS);
    watch->next = worker->watches;
    worker->watches = watch;
    take_link(watch, session);
    watch->timer.data = watch;
    uv_timer_init(&worker->loop, &watch->timer);
    uv_timer_start(&watch->timer, on_tick, WATCH_TICK_MS, WATCH_TICK_MS);
    if (uv_read_start((uv_stream_t *)&watch->link->conn.tcp, on_alloc, on_read) != 0)
        end_watch(watch);
}

void session_watch_server(struct session *session)
{
    struct session_watch *watch = may_watch(session) ? calloc(1, sizeof *watch) : NULL;
    if (watch == NULL)
        return;
    if (reservation_pass_on(&watch->place, &session->place))
        begin_watch(watch, session);
    else
        free(watch);
}
