/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/common/address.h"

#include <stdlib.h>

/* ---- states ---- */

#define TO(state) (1u << (state))

/* Where a session may go from each state. */
static const unsigned moves[] = {
    [SESSION_CLEARTEXT] = TO(SESSION_HANDSHAKING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSED),
    [SESSION_HANDSHAKING] = TO(SESSION_CONNECTING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSED),
    [SESSION_CONNECTING] = TO(SESSION_GREETING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSED),
    [SESSION_GREETING] =
        TO(SESSION_CONNECTING) | TO(SESSION_RELAYING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSED),
    [SESSION_RELAYING] = TO(SESSION_CONNECTING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSED),
    [SESSION_LINGERING] = TO(SESSION_CLOSED),
    [SESSION_CLOSED] = 0,
};
_Static_assert(ARRAY_LEN(moves) == SESSION_CLOSED + 1, "a row for each state");

static void count(const struct session *session, enum counter what)
{
    counters_add(session->service->counters, session->worker->index, what);
}

void session_move(struct session *session, enum session_state to)
{
    ENSURE((moves[session->state] & TO(to)) != 0);
    /* A client that a limit keeps out has not got as far as TLS. */
    if (session->state == SESSION_HANDSHAKING && session->tls != NULL)
        count(session, to == SESSION_CONNECTING ? COUNTER_HANDSHAKES : COUNTER_HANDSHAKES_FAILED);
    session->state = to;
}

bool session_is_leaving(const struct session *session)
{
    bool has_greeted = session->state != SESSION_CONNECTING && session->state != SESSION_GREETING;
    return session->client_ended && session->kept[SIDE_CLIENT].len == 0 && !has_greeted;
}

void session_set_timeout(struct session *session, enum worker_timeout timeout)
{
    if (session_is_leaving(session))
        timeout = WORKER_TIMEOUT_LEAVING;
    deadline_set(&session->in_worker.generation->timeouts[timeout], &session->in_worker.deadline,
                 worker_now(session->worker));
}

static struct session *of_worker(struct worker_session *in_worker)
{
    return (struct session *)((char *)in_worker - offsetof(struct session, in_worker));
}

struct session *session_of_handshake(struct handshake *handshake)
{
    return (struct session *)((char *)handshake - offsetof(struct session, handshake));
}

/* ---- the beginning ---- */

void session_begin_handshake(struct session *session)
{
    if (session->state != SESSION_HANDSHAKING)
        session_move(session, SESSION_HANDSHAKING);
    session->tls =
        tls_endpoint_new_server(session->worker->tls, session->worker->tls_io, &session->service->tls);
    if (session->tls == NULL)
        session_close(session, "no-memory", NULL);
    else
        session_set_timeout(session, WORKER_TIMEOUT_HANDSHAKE);
}

static void begin_cleartext(struct session *session)
{
    session->engine = engine_new_pretls(&session->service->engine);
    if (session->engine == NULL) {
        session_close(session, "no-memory", NULL);
        return;
    }
    session_set_timeout(session, WORKER_TIMEOUT_LOGIN);
    engine_greet(session->engine, session->worker->out);
    session_let_out(session);
}

static void refuse(struct session *session, enum client_limit limit)
{
    session->is_refused = true;
    count(session, counters_of_limit(limit));
    limit_log_note(&session->worker->limit_log, limit, session->service->cfg->name, &session->address);
    session_close(session, "overload", NULL);
}

/* False where a limit keeps the client out; it is closed then. */
static bool is_admitted(struct session *session)
{
    struct worker *worker = session->worker;
    const struct sockaddr *address = (const struct sockaddr *)&session->address;
    session->address_key = address_counts_key(worker->connections, address);
    session->is_counted =
        address_counts_add(worker->connections, session->address_key, worker->limits.sessions_per_address);
    if (worker->session_count > worker->limits.sessions)
        refuse(session, CLIENT_LIMIT_CONNECTIONS);
    else if (!session->is_counted)
        refuse(session, CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS);
    else if (!handshakes_enter(&worker->handshakes, &session->handshake, address))
        refuse(session, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS);
    return session->state != SESSION_CLOSED;
}

static void begin(struct session *session)
{
    int len = sizeof session->address;
    if (uv_tcp_getpeername(&session->client.tcp, (struct sockaddr *)&session->address, &len) != 0) {
        session_close(session, "client-closed", "gone before it was accepted");
        return;
    }
    address_unmap(&session->address);
    if (!is_admitted(session))
        return;
    if (session->state == SESSION_CLEARTEXT)
        begin_cleartext(session);
    else
        session_begin_handshake(session);
    session_advance(session);
}

static bool accept_client(struct worker *worker, struct service *service, uv_stream_t *listener)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->worker = worker;
    session->service = service;
    session->state = service->engine.starttls ? SESSION_CLEARTEXT : SESSION_HANDSHAKING;
    session->started = worker_now(worker);
    session->number = worker->next_session++;
    session->client.on_drained = session_on_drained;
    ENSURE(uv_tcp_init(&worker->loop, &session->client.tcp) == 0);
    session->client.tcp.data = session;
    worker_add_session(worker, &session->in_worker);
    count(session, COUNTER_SESSIONS);
    if (uv_accept(listener, (uv_stream_t *)&session->client.tcp) == 0)
        begin(session);
    else
        session_close(session, "client-closed", "gone before it was accepted");
    return true;
}

/* ---- the end ---- */

static void on_client_closed(uv_handle_t *handle)
{
    struct session *session = handle->data;
    engine_free(&session->engine);
    tls_endpoint_free(&session->tls);
    bytes_free(&session->kept[SIDE_CLIENT]);
    bytes_free(&session->kept[SIDE_BACKEND]);
    count(session, COUNTER_ENDED);
    /* Last: with it the configuration may go that all this was made from. */
    worker_remove_session(session->worker, &session->in_worker);
    free(session);
}

static void set_reason(struct session *session, const char *reason, const char *detail)
{
    if (session->reason != NULL)
        return;
    session->reason = reason;
    session->detail = detail;
}

void session_close(struct session *session, const char *reason, const char *detail)
{
    if (session->state == SESSION_CLOSED)
        return;
    set_reason(session, reason, detail);
    session_move(session, SESSION_CLOSED);
    deadline_drop(&session->in_worker.deadline);
    handshakes_leave(&session->worker->handshakes, &session->handshake);
    if (session->is_counted)
        address_counts_drop(session->worker->connections, session->address_key);
    key_client_cancel(&session->worker->keys, &session->signature);
    /* The worker's buffers are everybody's: what did not go out here must not go out on another's connection. */
    tls_io_reset(session->worker->tls_io);
    engine_out_reset(session->worker->out);
    /* Before its line, so that who has read the line finds it counted. */
    if (session->engine != NULL && session->tls != NULL) /* before STARTTLS there is no handshake to count */
        client_reports_count(session->service->reports, session->engine);
    if (!session->is_refused)
        session_log_end(session);
    session_drop_backend(session);
    uv_close((uv_handle_t *)&session->client.tcp, on_client_closed);
}

static void linger_on(struct session *session)
{
    bool in_haste = session->worker->phase == WORKER_ENDING;
    session_set_timeout(session, in_haste ? WORKER_TIMEOUT_ENDING : WORKER_TIMEOUT_CLOSING);
}

/* Last words on a slow line: as long as some of them go out within each time, there is another. */
static bool is_still_sending(struct session *session)
{
    size_t before = session->unsent;
    session->unsent = uv_stream_get_write_queue_size((const uv_stream_t *)&session->client.tcp);
    return session->unsent > 0 && session->unsent < before && session->worker->phase != WORKER_ENDING;
}

void session_finish(struct session *session, const char *reason, const char *detail)
{
    if (session->state >= SESSION_LINGERING)
        return;
    set_reason(session, reason, detail);
    session_drop_backend(session);
    key_client_cancel(&session->worker->keys, &session->signature);
    session_move(session, SESSION_LINGERING);
    if (session->tls != NULL)
        tls_endpoint_close(session->tls);
    if (!session_flush_client(session))
        return;
    tcp_conn_end_output(&session->client);
    session->unsent = SIZE_MAX;
    linger_on(session);
    session_advance(session);
}

void session_say_goodbye(struct session *session, enum engine_farewell farewell, const char *reason,
                         const char *detail)
{
    set_reason(session, reason, detail);
    if (session->engine != NULL && session->state < SESSION_LINGERING) {
        engine_goodbye(session->engine, farewell, session->worker->out);
        if (!session_let_out(session))
            return;
    }
    session_finish(session, reason, detail);
}

/* ---- events from outside ---- */

static void expire_without_greeting(struct session *session)
{
    if (session_is_leaving(session)) {
        session_blame_slow_server(session);
        session_finish(session, "client-closed", NULL);
    } else if (session->state == SESSION_CONNECTING)
        session_try_next_server(session, "timeout while connecting");
    else if (session_backend_awaits_signature(session))
        session_give_up_signature(session);
    else
        session_try_next_server(session, session_backend_phase(session, "timeout while asking for TLS",
                                                               "timeout in the TLS handshake",
                                                               "timeout while waiting for its greeting"));
}

static void expire(struct worker_session *in_worker)
{
    struct session *session = of_worker(in_worker);
    bool logged_in = session->engine != NULL && engine_status(session->engine)->authenticated;
    switch (session->state) {
    case SESSION_CLEARTEXT:
        session_say_goodbye(session, ENGINE_FAREWELL_TIMEOUT, "login-timeout", "before STARTTLS");
        break;
    case SESSION_HANDSHAKING:
        session_close(session, "handshake-timeout", NULL);
        break;
    case SESSION_CONNECTING:
    case SESSION_GREETING:
        expire_without_greeting(session);
        break;
    case SESSION_RELAYING:
        if (session->client_ended)
            session_close(session, "client-closed", NULL);
        else if (engine_status(session->engine)->last_word)
            session_finish(session, "logout", "the server said its last word and did not close");
        else
            session_say_goodbye(session, ENGINE_FAREWELL_TIMEOUT,
                                logged_in ? "idle-timeout" : "login-timeout", NULL);
        break;
    case SESSION_LINGERING:
        if (is_still_sending(session))
            linger_on(session);
        else
            session_close(session, session->reason, session->detail);
        break;
    case SESSION_CLOSED:
        break;
    }
}

static void evict(struct handshake *handshake)
{
    struct session *session = session_of_handshake(handshake);
    if (session->state == SESSION_CLEARTEXT)
        session_say_goodbye(session, ENGINE_FAREWELL_TIMEOUT, "login-timeout",
                            "before STARTTLS, while others waited (limits.handshakes)");
    session_close(session, "handshake-timeout", "while others waited (limits.handshakes)");
}

static void shut_down(struct worker_session *in_worker)
{
    struct session *session = of_worker(in_worker);
    if (session->state == SESSION_HANDSHAKING)
        session_close(session, "shutdown", NULL);
    else if (session->state == SESSION_LINGERING)
        session_close(session, session->reason, session->detail);
    else if (session->state < SESSION_LINGERING)
        session_say_goodbye(session, ENGINE_FAREWELL_SHUTDOWN, "shutdown", NULL);
}

const struct worker_session_calls session_calls = {
    .accept = accept_client,
    .expire = expire,
    .shut_down = shut_down,
    .go_on_with_handshake = session_on_handshake,
    .evict = evict,
};
