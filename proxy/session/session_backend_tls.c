/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"

#include "base/ensure.h"
#include "protocols/starttls_client.h"
#include "proxy/backends/pool_tls.h"

#include <stdlib.h>

/*
 * TLS towards the server of a session, where its pool has it:
 *
 *   implicit    handshake -> open
 *   starttls    request in the clear -> handshake -> request over TLS -> open
 *
 * A server that asks for a certificate makes the handshake wait for the key process, which has the key of it.
 *
 * Only in "open" does the engine hear the server; before it a failure is the next server's chance. Both endpoints of a
 * session share the worker's tls_io: what one call has put into its output is written before the other endpoint is called.
 */
struct backend_tls {
    struct pool_tls *pool;           /* as it was when the server was connected to */
    struct starttls_client *request; /* STARTTLS: until the engine's turn */
    struct tls_endpoint *endpoint;   /* from the handshake on */
    struct key_ticket signature;     /* what was asked of the key process, for a certificate of the pool's */
    bool secured;                    /* the handshake is done */
};

/* ---- writing ---- */

/* A write that fails needs no answer here: the server's end is read next. */
static void write_octets(struct session *session, const struct slice *slices, size_t count)
{
    struct tcp_conn *conn = &session->link->stream;
    if (tcp_conn_can_write(conn) && tcp_conn_write(conn, slices, count) != 0)
        ENSURE(conn->write_failed);
}

/* Sends what waits in the TLS output to the server. */
static void flush(struct session *session)
{
    struct tls_io *io = session->worker->tls_io;
    struct slice output = tls_io_output(io);
    if (output.len > 0)
        write_octets(session, &output, 1);
    tls_io_reset(io);
}

static bool is_open(const struct backend_tls *tls)
{
    if (tls->endpoint == NULL)
        return false;
    enum tls_state state = tls_endpoint_state(tls->endpoint);
    return state == TLS_OPEN || state == TLS_PEER_CLOSED;
}

void session_write_to_backend(struct session *session, const struct engine_lane *lane)
{
    struct backend_link *link = session->link;
    if (link->tls == NULL) {
        write_octets(session, lane->slices, lane->count);
        return;
    }
    ENSURE(tls_io_output(session->worker->tls_io).len == 0);
    /* Sealed or not at all. FIN, as a server that waits for more would not end it. */
    if (!is_open(link->tls) || !tls_endpoint_seal(link->tls->endpoint, lane->slices, lane->count)) {
        tls_io_reset(session->worker->tls_io);
        tcp_conn_end_output(&link->stream);
        link->stream.write_failed = true;
        return;
    }
    flush(session);
}

void session_end_backend_output(struct session *session)
{
    struct backend_link *link = session->link;
    if (link->tls != NULL && is_open(link->tls)) {
        tls_endpoint_close(link->tls->endpoint);
        flush(session);
    }
    tcp_conn_end_output(&link->stream);
}

/* close_notify goes out where nothing waits before it: what is queued is lost with the connection. */
void session_drop_backend_tls(struct session *session)
{
    struct backend_link *link = session->link;
    if (link->tls == NULL)
        return;
    if (is_open(link->tls) && link->stream.queued == 0 && tls_io_output(session->worker->tls_io).len == 0) {
        tls_endpoint_close(link->tls->endpoint);
        flush(session);
    }
    key_client_cancel(&session->worker->keys, &link->tls->signature);
    starttls_client_free(&link->tls->request);
    tls_endpoint_free(&link->tls->endpoint);
    pool_tls_unref(&link->tls->pool);
    free(link->tls);
    link->tls = NULL;
}

/* ---- the handshake ---- */

static void fail(struct session *session, const char *error)
{
    if (!engine_status(session->engine)->committed) {
        session_server_ended(session, error);
        return;
    }
    /* The handshake is long over, and the words are static. */
    session_server_failed(session, error);
    session_say_goodbye(session, ENGINE_FAREWELL_UNAVAILABLE, "backend-error", error);
}

/* False where memory is short. */
static bool begin_handshake(struct session *session)
{
    struct backend_link *link = session->link;
    const struct pool *pool = session->service->pool;
    struct tls_backend_server server =
        pool_tls_server(link->tls->pool, (size_t)(link->server - pool->servers), link->server->tls_name,
                        session->worker->index);
    /* There is no registered name for submission, and servers that know ALPN refuse those that they don't know. */
    server.protocols =
        session->service->engine.protocol != ENGINE_SUBMISSION ? session->service->tls.protocols : NULL;
    link->tls->endpoint =
        tls_endpoint_new_backend(link->tls->pool->context, session->worker->tls_io, &server);
    if (link->tls->endpoint == NULL)
        return false;
    tls_endpoint_start(link->tls->endpoint);
    flush(session);
    return tls_endpoint_state(link->tls->endpoint) != TLS_FAILED;
}

bool session_begin_backend_tls(struct session *session)
{
    struct backend_link *link = session->link;
    const struct pool *pool = session->service->pool;
    struct pool_tls *tls = session->in_worker.generation->pools->pools[session->service->pool_index];
    if (tls == NULL)
        return true;
    link->tls = calloc(1, sizeof *link->tls);
    if (link->tls == NULL)
        return false;
    link->tls->pool = pool_tls_ref(tls);
    if (pool->cfg->tls.mode == CFG_POOL_TLS_IMPLICIT)
        return begin_handshake(session);
    link->tls->request = starttls_client_new(&session->service->engine);
    return link->tls->request != NULL;
}

/* ---- what the server says ---- */

/* What the request says goes in the clear before the handshake, and sealed behind it. */
static void let_out_request(struct session *session)
{
    struct engine_out *out = session->worker->out;
    const struct engine_lane *lane = &out->lanes[SIDE_BACKEND];
    struct backend_link *link = session->link;
    if (lane->count > 0 && link->tls->endpoint == NULL)
        write_octets(session, lane->slices, lane->count);
    else if (lane->count > 0 && tcp_conn_can_write(&link->stream))
        session_write_to_backend(session, lane);
    engine_out_reset(out);
}

/* The engine's turn: it hears the greeting that was made for it, and then the server. */
static void begin_session(struct session *session, struct slice rest)
{
    const struct backend_link *link = session->link;
    struct starttls_client *request = link->tls->request;
    link->tls->request = NULL;
    session_take_input(session, SIDE_BACKEND, starttls_client_greeting(request));
    starttls_client_free(&request);
    if (session->link == link && rest.len > 0)
        session_take_input(session, SIDE_BACKEND, rest);
}

static void hear(struct session *session, struct slice data)
{
    struct backend_tls *tls = session->link->tls;
    if (tls->request == NULL) {
        session_take_input(session, SIDE_BACKEND, data);
        return;
    }
    enum starttls_progress progress = starttls_client_feed(tls->request, &data, session->worker->out);
    let_out_request(session);
    if (progress == STARTTLS_FAILED)
        session_try_next_server(session, starttls_client_failure(tls->request));
    else if (progress == STARTTLS_READY)
        begin_session(session, data);
    else if (progress == STARTTLS_AGREED && !begin_handshake(session))
        session_close(session, "no-memory", NULL);
    else
        session_advance(session);
}

/* The server is who it should be. */
static void on_secured(struct session *session)
{
    struct backend_tls *tls = session->link->tls;
    session_log_backend_tls(session, tls->endpoint);
    if (tls->request == NULL)
        return;
    starttls_client_secured(tls->request, session->worker->out);
    let_out_request(session);
}

bool session_give_up_resumption(struct session *session)
{
    const struct backend_tls *tls = session->link->tls;
    return tls != NULL && tls->endpoint != NULL && !tls->secured &&
           tls_endpoint_give_up_resumption(tls->endpoint);
}

bool session_backend_awaits_signature(const struct session *session)
{
    const struct backend_tls *tls = session->link->tls;
    return tls != NULL && tls->endpoint != NULL && tls_endpoint_state(tls->endpoint) == TLS_AWAITS_SIGNATURE;
}

void session_give_up_signature(struct session *session)
{
    session_say_goodbye(session, ENGINE_FAREWELL_UNAVAILABLE, "backend-unavailable", TLS_NO_SIGNATURE);
}

static void on_signature(void *arg, struct slice signature);

/* Asked for once, whatever else the server sends meanwhile. */
static void await_signature(struct session *session)
{
    struct backend_tls *tls = session->link->tls;
    struct tls_wanted wanted = tls_endpoint_wanted(tls->endpoint);
    if (key_ticket_is_open(&tls->signature) ||
        key_client_ask(&session->worker->keys, &wanted, &tls->signature, on_signature, session))
        session_advance(session);
    else
        on_signature(session, (struct slice){NULL, 0});
}

/* What follows from the plaintext and the state that the endpoint has come to. */
static void take_plaintext(struct session *session, size_t len)
{
    struct backend_tls *tls = session->link->tls;
    enum tls_state state = tls_endpoint_state(tls->endpoint);
    flush(session);
    if (state == TLS_FAILED) {
        fail(session, tls_endpoint_failure(tls->endpoint));
        return;
    }
    if (state == TLS_AWAITS_SIGNATURE) {
        await_signature(session);
        return;
    }
    if (!tls->secured && state != TLS_HANDSHAKING) {
        tls->secured = true;
        on_secured(session);
    }
    session->link->stream.input_ended = session->link->stream.input_ended || state == TLS_PEER_CLOSED;
    if (len > 0)
        hear(session, (struct slice){session->worker->plain_buffer, len});
    else
        session_advance(session);
}

static void take_sealed(struct session *session, struct slice ciphertext)
{
    struct worker *worker = session->worker;
    ENSURE(tls_io_output(worker->tls_io).len == 0 && engine_out_is_empty(worker->out));
    take_plaintext(session,
                   tls_endpoint_receive(session->link->tls->endpoint, ciphertext, worker->plain_buffer));
}

/* From the key process; empty where it has none. */
static void on_signature(void *arg, struct slice signature)
{
    struct session *session = arg;
    struct worker *worker = session->worker;
    ENSURE(tls_io_output(worker->tls_io).len == 0 && engine_out_is_empty(worker->out));
    session->link->since = worker_now(worker); /* it was not the server that was awaited */
    if (signature.len == 0)
        session_give_up_signature(session);
    else
        take_plaintext(session,
                       tls_endpoint_signed(session->link->tls->endpoint, signature, worker->plain_buffer));
}

void session_take_from_backend(struct session *session, struct slice data)
{
    const struct backend_tls *tls = session->link->tls;
    if (tls == NULL)
        session_take_input(session, SIDE_BACKEND, data);
    else if (tls->endpoint == NULL)
        hear(session, data);
    else
        take_sealed(session, data);
}

/* ---- its end ---- */

bool session_backend_was_cut(const struct session *session)
{
    const struct backend_link *link = session->link;
    return link->tls != NULL && link->tls->endpoint != NULL && link->stream.input_ended &&
           tls_endpoint_state(link->tls->endpoint) == TLS_OPEN;
}

const char *session_backend_phase(const struct session *session, const char *in_clear,
                                  const char *in_handshake, const char *otherwise)
{
    const struct backend_tls *tls = session->link->tls;
    if (tls != NULL && tls->endpoint == NULL)
        return in_clear;
    return tls != NULL && !is_open(tls) ? in_handshake : otherwise;
}
