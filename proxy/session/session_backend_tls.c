/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/ensure.h"
#include "protocols/starttls_client.h"
#include "proxy/backends/pool_tls.h"

#include <stdlib.h>

/*
 * TLS towards the server of a session, if its pool has it. The session's state shows how far it is:
 *
 *     implicit                        BACKEND_HANDSHAKE -> GREETING
 *     starttls    BACKEND_STARTTLS -> BACKEND_HANDSHAKE -> GREETING
 *                 (request in the clear)                   (request over TLS, then the engine's greeting)
 *
 * A server that asks for a certificate makes the handshake wait for the key process, which has its key. Only
 * in GREETING, when no request is left, does the engine get the server's octets; a failure before that is
 * the next server's chance. A server that refuses the client in the clear has its words passed to the engine
 * if it would not have been verified anyway.
 */
struct backend_tls {
    struct pool_tls *pool;           /* as it was when the server was connected to */
    struct starttls_client *request; /* STARTTLS: until the engine gets the server's octets; else NULL */
    struct tls_side side;
};

/* ---- sending ---- */

/* A write that fails needs no answer: the server's end is read next. */
static void send_octets(struct session *session, const struct slice *slices, size_t count)
{
    struct tcp_conn *conn = &session->link->conn;
    if (tcp_conn_can_write(conn) && tcp_conn_write(conn, slices, count) != 0)
        ENSURE(conn->write_failed);
}

/* Sends the TLS output; a write that fails as for send_octets. */
static void flush_to_server(struct session *session)
{
    struct tcp_conn *conn = &session->link->conn;
    if (tls_side_flush(session->worker, conn) != 0)
        ENSURE(conn->write_failed);
}

/* Can octets be sealed? */
static bool is_open(const struct backend_tls *tls)
{
    if (tls->side.endpoint == NULL)
        return false;
    enum tls_state state = tls_endpoint_state(tls->side.endpoint);
    return state == TLS_OPEN || state == TLS_PEER_CLOSED;
}

/* Seals and sends a line that the TLS output has no room for (engine_out_give). */
static bool seal_in_parts(struct session *session, struct slice line)
{
    while (line.len > 0) {
        struct slice part = slice_first(line, WORKER_READ_CAP);
        if (!tls_endpoint_seal(session->link->tls->side.endpoint, &part, 1))
            return false;
        flush_to_server(session);
        line = slice_from(line, part.len);
    }
    return true;
}

static bool seal(struct session *session, const struct engine_lane *lane)
{
    bool ok = is_open(session->link->tls);
    if (ok && lane->octets <= WORKER_PLAIN_CAP + ENGINE_OUT_SCRATCH)
        return tls_endpoint_seal(session->link->tls->side.endpoint, lane->slices, lane->count);
    for (size_t i = 0; i < lane->count && ok; i++)
        ok = seal_in_parts(session, lane->slices[i]);
    return ok;
}

static void send_sealed(struct session *session, const struct engine_lane *lane)
{
    struct backend_link *link = session->link;
    if (!tcp_conn_can_write(&link->conn))
        return;
    ENSURE(tls_io_output(session->worker->tls_io).len == 0);
    if (seal(session, lane)) {
        flush_to_server(session);
        return;
    }
    /* Sealed or not at all. FIN, as a server that waits for more would not end the connection. */
    tls_io_reset(session->worker->tls_io);
    tcp_conn_end_output(&link->conn);
    link->conn.write_failed = true;
}

void session_send_to_server(struct session *session, const struct engine_lane *lane)
{
    if (session->link->tls == NULL)
        send_octets(session, lane->slices, lane->count);
    else
        send_sealed(session, lane);
}

void session_end_backend_output(struct session *session)
{
    struct backend_link *link = session->link;
    if (link->tls != NULL && is_open(link->tls)) {
        tls_endpoint_close(link->tls->side.endpoint);
        flush_to_server(session);
    }
    tcp_conn_end_output(&link->conn);
}

void backend_tls_drop(struct backend_link *link, struct worker *worker)
{
    struct backend_tls *tls = link->tls;
    if (tls == NULL)
        return;
    if (is_open(tls) && link->conn.queued == 0 && tls_io_output(worker->tls_io).len == 0) {
        tls_endpoint_close(tls->side.endpoint);
        (void)!tls_side_flush(worker, &link->conn); /* the connection ends */
    }
    starttls_client_free(&tls->request);
    tls_side_free(&tls->side, worker);
    pool_tls_unref(&tls->pool);
    free(tls);
    link->tls = NULL;
}

bool backend_tls_is_ready(const struct backend_link *link)
{
    return link->tls == NULL || (link->tls->request == NULL && link->tls->side.endpoint != NULL &&
                                 tls_endpoint_state(link->tls->side.endpoint) == TLS_OPEN);
}

struct slice backend_tls_open(struct backend_link *link, struct worker *worker, struct slice data)
{
    if (link->tls == NULL)
        return data;
    size_t len = tls_side_receive(&link->tls->side, worker, data);
    if (tls_side_flush(worker, &link->conn) != 0)
        ENSURE(link->conn.write_failed);
    return (struct slice){worker->plain_buffer, len};
}

/* ---- the handshake ---- */

/* `error` may belong to the endpoint. */
static void fail_server(struct session *session, const char *error)
{
    if (!engine_status(session->engine)->committed) {
        session_server_ended(session, error);
        return;
    }
    /* The handshake is long over, and the words are static. */
    session_mark_server_failed(session, error);
    session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE, END_BACKEND_ERROR, error);
}

/* False if memory is short. */
MUST_CHECK static bool begin_handshake(struct session *session)
{
    struct backend_link *link = session->link;
    struct tls_backend_server server =
        pool_tls_server(link->tls->pool, session->place.server, session->worker->index);
    bool is_registered = protocol_traits(session->service->engine.protocol)->alpn.is_registered;
    server.protocols = is_registered ? session->service->tls.protocols : NULL;
    link->tls->side.endpoint =
        tls_endpoint_new_backend(link->tls->pool->context, session->worker->tls_io, &server);
    if (link->tls->side.endpoint == NULL)
        return false;
    session_move(session, SESSION_BACKEND_HANDSHAKE);
    tls_endpoint_start(link->tls->side.endpoint);
    flush_to_server(session);
    return tls_endpoint_state(link->tls->side.endpoint) != TLS_FAILED;
}

MUST_CHECK static bool begin_request(struct session *session)
{
    struct backend_tls *tls = session->link->tls;
    tls->request = starttls_client_new(&session->service->engine);
    if (tls->request == NULL)
        return false;
    session_move(session, SESSION_BACKEND_STARTTLS);
    return true;
}

bool session_begin_backend_tls(struct session *session)
{
    struct backend_link *link = session->link;
    const struct pool *pool = session->service->pool;
    struct pool_tls *tls = session->in_worker.generation->pools->pools[session->service->pool_index];
    if (tls == NULL) {
        session_move(session, SESSION_GREETING);
        return true;
    }
    link->tls = calloc(1, sizeof *link->tls);
    if (link->tls == NULL)
        return false;
    link->tls->pool = pool_tls_ref(tls);
    return pool->cfg->tls.mode == CFG_POOL_TLS_IMPLICIT ? begin_handshake(session) : begin_request(session);
}

/* ---- what the server sends ---- */

/* The request is sent in the clear before the handshake, and sealed after it. */
static void send_request(struct session *session)
{
    const struct engine_lane *lane = &session->worker->out->lanes[SIDE_BACKEND];
    if (lane->count > 0 && session->state == SESSION_BACKEND_STARTTLS)
        send_octets(session, lane->slices, lane->count);
    else if (lane->count > 0)
        send_sealed(session, lane);
    engine_out_reset(session->worker->out);
}

/*
 * From now on the engine gets the server's octets: first the greeting that was made for it, then the server's
 * own.
 */
static void end_request(struct session *session, struct slice rest)
{
    const struct backend_link *link = session->link;
    struct starttls_client *request = link->tls->request;
    link->tls->request = NULL;
    session_take_input(session, SIDE_BACKEND, starttls_client_greeting(request));
    starttls_client_free(&request);
    if (session->link == link && rest.len > 0)
        session_take_input(session, SIDE_BACKEND, rest);
}

/* The server's greeting, in the clear, refuses the client. */
static void take_refusal(struct session *session)
{
    if (session->service->pool->cfg->tls.verify)
        session_try_next_without_words(session, starttls_client_failure(session->link->tls->request));
    else
        end_request(session, slice_of(""));
}

/* Octets in the clear, before the handshake or after TLS has opened them. */
static void receive_plaintext(struct session *session, struct slice data)
{
    struct backend_tls *tls = session->link->tls;
    if (tls->request == NULL) {
        session_take_input(session, SIDE_BACKEND, data);
        return;
    }
    enum starttls_progress progress = starttls_client_feed(tls->request, &data, session->worker->out);
    send_request(session);
    if (progress == STARTTLS_FAILED)
        session_try_next_server(session, starttls_client_failure(tls->request));
    else if (progress == STARTTLS_REFUSED)
        take_refusal(session);
    else if (progress == STARTTLS_READY)
        end_request(session, data);
    else if (progress == STARTTLS_AGREED && !begin_handshake(session))
        session_close(session, END_NO_MEMORY, NULL);
    else
        session_advance(session);
}

/* The handshake is done, and the server has proved its name. */
static void on_secured(struct session *session)
{
    struct backend_tls *tls = session->link->tls;
    session_move(session, SESSION_GREETING);
    session_log_backend_tls(session, tls->side.endpoint);
    if (tls->request == NULL)
        return;
    starttls_client_secured(tls->request, session->worker->out);
    send_request(session);
}

bool session_give_up_resumption(struct session *session)
{
    return session->state == SESSION_BACKEND_HANDSHAKE &&
           tls_endpoint_give_up_resumption(session->link->tls->side.endpoint);
}

bool session_backend_is_untrusted(const struct session *session)
{
    const struct backend_link *link = session->link;
    return link != NULL && link->tls != NULL && link->tls->side.endpoint != NULL &&
           tls_endpoint_server_is_untrusted(link->tls->side.endpoint);
}

bool session_backend_awaits_signature(const struct session *session)
{
    return session->state == SESSION_BACKEND_HANDSHAKE &&
           tls_endpoint_state(session->link->tls->side.endpoint) == TLS_AWAITS_SIGNATURE;
}

void session_give_up_signature(struct session *session)
{
    session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE, END_BACKEND_UNAVAILABLE, TLS_NO_SIGNATURE);
}

static void on_signature(void *arg, struct slice signature);

static void await_signature(struct session *session)
{
    if (tls_side_await_signature(&session->link->tls->side, session->worker, on_signature, session))
        session_advance(session);
    else
        on_signature(session, (struct slice){NULL, 0});
}

/*
 * What follows from `len` octets in the plaintext buffer, and from the state that the endpoint has come to.
 */
static void on_opened(struct session *session, size_t len)
{
    struct backend_link *link = session->link;
    enum tls_state state = tls_endpoint_state(link->tls->side.endpoint);
    flush_to_server(session);
    if (state == TLS_FAILED) {
        fail_server(session, tls_endpoint_failure(link->tls->side.endpoint));
        return;
    }
    if (state == TLS_AWAITS_SIGNATURE) {
        await_signature(session);
        return;
    }
    if (session->state == SESSION_BACKEND_HANDSHAKE && state != TLS_HANDSHAKING)
        on_secured(session);
    link->conn.input_ended = link->conn.input_ended || state == TLS_PEER_CLOSED;
    if (len > 0)
        receive_plaintext(session, (struct slice){session->worker->plain_buffer, len});
    else
        session_advance(session);
}

/* From the key process; empty if it has none. */
static void on_signature(void *arg, struct slice signature)
{
    struct session *session = arg;
    session->link->last_heard = worker_now(session->worker); /* the server was not the one that was awaited */
    if (signature.len == 0)
        session_give_up_signature(session);
    else
        on_opened(session, tls_side_sign(&session->link->tls->side, session->worker, signature));
}

void session_receive_from_server(struct session *session, struct slice data)
{
    struct backend_tls *tls = session->link->tls;
    if (tls == NULL)
        session_take_input(session, SIDE_BACKEND, data);
    else if (session->state == SESSION_BACKEND_STARTTLS)
        receive_plaintext(session, data);
    else
        on_opened(session, tls_side_receive(&tls->side, session->worker, data));
}

/* ---- its end ---- */

bool session_backend_was_cut(const struct session *session)
{
    const struct backend_link *link = session->link;
    return link->tls != NULL && link->tls->side.endpoint != NULL && link->conn.input_ended &&
           tls_endpoint_state(link->tls->side.endpoint) == TLS_OPEN;
}
