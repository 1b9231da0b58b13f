/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"

#include "base/ensure.h"

/*
 * A client that sends commands which the proxy answers itself, and reads no answer, is not read from beyond
 * this: 64 KB is more than any client leaves unread that means well.
 */
#define OWN_QUEUE_MAX (64 * 1024)
/* Input that is kept while the engine waits for the other side: one read's worth, since nothing is read meanwhile. */
#define KEPT_MAX ((size_t)2 * WORKER_PLAIN_CAP)
/* Of a client that has not logged in: what it sends ahead of a greeting or a reply is kept, and it may be anybody. */
#define STRANGER_READ_CAP (16 * 1024)

/* What a client may send after the end: a full window of a fast sender on a long line, so that no RST cuts off last words. */
#define DROPPED_MAX (4 * 1024 * 1024)

/* ---- letting out ---- */

bool session_flush_client(struct session *session)
{
    struct tls_io *io = session->worker->tls_io;
    struct slice output = tls_io_output(io);
    int error = output.len > 0 ? tcp_conn_write(&session->client, &output, 1) : 0;
    tls_io_reset(io);
    if (error == 0)
        return true;
    session_close(session, "client-reset", uv_strerror(error));
    return false;
}

/* In the clear before STARTTLS, else sealed. 0, or a libuv error. */
static int write_to_client(struct session *session, const struct engine_lane *lane)
{
    if (lane->count == 0)
        return 0;
    if (session->tls == NULL)
        return tcp_conn_write(&session->client, lane->slices, lane->count);
    return tls_endpoint_seal(session->tls, lane->slices, lane->count) ? 0 : UV_EPROTO;
}

bool session_let_out(struct session *session)
{
    struct engine_out *out = session->worker->out;
    const struct engine_lane *to_backend = &out->lanes[SIDE_BACKEND];
    /* What the backend said before a failed write is still to be read; its end follows. */
    if (to_backend->count > 0 && session->link != NULL && tcp_conn_can_write(&session->link->stream))
        session_write_to_backend(session, to_backend);
    int client_error = write_to_client(session, &out->lanes[SIDE_CLIENT]);
    engine_out_reset(out);
    if (client_error == UV_EPROTO && session->tls != NULL)
        session_close(session, "tls-error", tls_endpoint_failure(session->tls));
    else if (client_error != 0)
        session_close(session, "client-reset", uv_strerror(client_error));
    else
        session_flush_client(session);
    return session->state != SESSION_CLOSED;
}

/* ---- feeding the engine ---- */

/* Is there room for what feeding this side's octets may let out? */
static bool has_room(const struct session *session, enum side from)
{
    const struct tcp_conn *client = &session->client;
    if (session->state == SESSION_CLEARTEXT)
        return from == SIDE_CLIENT && client->queued <= OWN_QUEUE_MAX;
    if (session->state != SESSION_GREETING && session->state != SESSION_RELAYING)
        return false;
    /* An engine that has failed would swallow what the client sent, which may yet be another server's. */
    if (engine_status(session->engine)->reason != ENGINE_OPEN)
        return false;
    /*
     * What is queued towards the backend does not stop its own octets: it may read no further before they are taken.
     * What the engine says to it of its own accord is bounded by what it holds of the client's.
     */
    if (from == SIDE_BACKEND)
        return client->queued == 0;
    return session->link->stream.queued == 0 && client->queued <= OWN_QUEUE_MAX;
}

static bool may_feed(const struct session *session, enum side from)
{
    return has_room(session, from) && engine_wants(session->engine, from);
}

/* Feeds as much as the engine takes now; how much that was. */
static size_t feed(struct session *session, enum side from, struct slice data)
{
    size_t fed = 0;
    while (fed < data.len && may_feed(session, from)) {
        size_t consumed = engine_feed(session->engine, from, slice_from(data, fed), session->worker->out);
        bool moved = consumed > 0 || !engine_out_is_empty(session->worker->out);
        fed += consumed;
        if (!session_let_out(session) || !moved)
            break;
    }
    return fed;
}

static bool feed_kept(struct session *session, enum side from)
{
    struct bytes *kept = &session->kept[from];
    size_t *start = &session->kept_start[from];
    if (kept->len == 0)
        return false;
    size_t fed = feed(session, from, slice_from(bytes_view(kept), *start));
    *start += fed;
    if (*start == kept->len) {
        bytes_free(kept);
        *start = 0;
    }
    return fed > 0;
}

static void keep(struct session *session, enum side from, struct slice data)
{
    if (!bytes_append(&session->kept[from], data, KEPT_MAX))
        session_close(session, "no-memory", NULL);
}

void session_take_input(struct session *session, enum side from, struct slice data)
{
    session->octets[from] += data.len;
    size_t fed = session->kept[from].len == 0 ? feed(session, from, data) : 0;
    if (fed < data.len && session->state < SESSION_LINGERING)
        keep(session, from, slice_from(data, fed));
    session_advance(session);
}

/* ---- what follows from an event ---- */

/*
 * Idle time counts from the last octet of either side once there is a login; before it the time is fixed, so
 * that nobody holds a connection by dribbling. Submission may do without a login (by address): each octet
 * counts then, and once a message is accepted the times of RFC 5321 section 4.5.3.2 are the server's. A server that has said its last word is to close now.
 */
static void restart_timeout(struct session *session)
{
    if (session->state != SESSION_RELAYING)
        return;
    const struct engine_status *status = engine_status(session->engine);
    if (!tcp_conn_can_write(&session->link->stream)) {
        if (session->client_ended)
            session_set_timeout(session, WORKER_TIMEOUT_CLOSING);
    } else if (status->last_word)
        return; /* see judge */
    else if (status->authenticated || status->serving)
        session_set_timeout(session, WORKER_TIMEOUT_IDLE);
    else if (session->service->engine.protocol == ENGINE_SUBMISSION)
        session_set_timeout(session, WORKER_TIMEOUT_LOGIN);
}

/*
 * Nothing that was said before the handshake is known after it (RFC 3207 section 4.2): the engine goes, and with it
 * what it held and what it did not want yet.
 */
static void start_tls(struct session *session)
{
    struct bytes *kept = &session->kept[SIDE_CLIENT];
    size_t discarded =
        engine_status(session->engine)->discarded + kept->len - session->kept_start[SIDE_CLIENT];
    if (discarded > 0)
        session_log_discarded(session, discarded);
    engine_free(&session->engine);
    bytes_free(kept);
    session->kept_start[SIDE_CLIENT] = 0;
    session_begin_handshake(session);
}

/* True where the engine's status has ended the session, or this attempt of it. */
static bool judge_engine(struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    switch (status->reason) {
    case ENGINE_OPEN:
        return false;
    case ENGINE_BACKEND_REFUSED:
    case ENGINE_BACKEND_ERROR:
        if (!status->committed) {
            session_try_next_server(session, status->detail);
            return true;
        }
        if (status->reason == ENGINE_BACKEND_REFUSED)
            session_server_failed(session, status->detail);
        session_finish(session, "backend-error", status->detail);
        return true;
    case ENGINE_CLIENT_ERROR:
        session_finish(session, "client-error", status->detail);
        return true;
    case ENGINE_STARTTLS:
        start_tls(session);
        return true;
    case ENGINE_LOGOUT:
        session_finish(session, "logout", status->detail);
        return true;
    case ENGINE_NO_MEMORY:
        session_close(session, "no-memory", status->detail);
        return true;
    }
    return false;
}

/*
 * Who has ended, and what follows once everything they sent is fed and out:
 *
 *   client  backend
 *   -       -        go on
 *   ended   -        FIN to the backend, and wait for its last words, a limited time
 *   -       ended    before the client has seen anything of it: the next server; else goodbye, unless the backend has
 *                    said it already
 *   ended   ended    the end
 *
 * Before its server has greeted, a client that has ended, and has said nothing, is leaving: it has a moment for the greeting.
 *
 * A backend's TLS that ends without close_notify may have been cut: only the last word of a session then makes it a logout.
 */
static void judge_ends(struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    struct tcp_conn *backend = &session->link->stream;
    bool client_done = session->client_ended && session->kept[SIDE_CLIENT].len == 0;
    bool backend_done = backend->input_ended && session->kept[SIDE_BACKEND].len == 0;
    bool cut = backend_done && session_backend_was_cut(session) && !status->last_word;
    /* We have, on the client's behalf: after a failed write the end is the server's. */
    bool hung_up = session->client_ended && backend->output_ended && !backend->write_failed;
    if (backend_done && status->ending && !cut)
        session_finish(session, "logout", NULL);
    else if (backend_done && session_backend_awaits_signature(session))
        session_give_up_signature(session);
    else if (backend_done && !status->committed && !hung_up)
        session_server_ended(
            session, session_backend_phase(session, "closed the connection when asked for TLS",
                                           "closed the connection in the TLS handshake",
                                           status->greeted ? "closed the connection behind its greeting"
                                                           : "closed the connection before its greeting"));
    else if (backend_done && session->client_ended)
        session_finish(session, "client-closed", NULL);
    else if (backend_done)
        session_say_goodbye(session, ENGINE_FAREWELL_UNAVAILABLE, "backend-closed",
                            cut ? "without close_notify" : NULL);
    else if (client_done && session->state == SESSION_RELAYING && tcp_conn_can_write(backend)) {
        session_end_backend_output(session);
        session_set_timeout(session, WORKER_TIMEOUT_CLOSING);
    }
}

static void judge(struct session *session)
{
    if (session->state == SESSION_CLEARTEXT)
        judge_engine(session);
    if (session->state == SESSION_CLEARTEXT && session->client_ended && session->kept[SIDE_CLIENT].len == 0)
        session_finish(session, "client-closed", NULL);
    if (session_is_leaving(session) && !session->leaves) {
        session->leaves = true;
        session_set_timeout(session, WORKER_TIMEOUT_LEAVING);
    }
    if (session->state != SESSION_GREETING && session->state != SESSION_RELAYING)
        return;
    session_log_warning(session);
    if (session->state == SESSION_GREETING && engine_status(session->engine)->greeted) {
        session_move(session, SESSION_RELAYING);
        session_set_timeout(session, WORKER_TIMEOUT_LOGIN);
        balance_server_worked(session->link->server);
    }
    if (engine_status(session->engine)->last_word && !session->awaits_close) {
        session->awaits_close = true;
        session_set_timeout(session, WORKER_TIMEOUT_CLOSING);
    }
    if (!judge_engine(session))
        judge_ends(session);
}

/* The worker's buffer: what is read is fed or copied before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct worker *worker = (struct worker *)handle->loop->data;
    *buffer = uv_buf_init((char *)worker->read_buffer, WORKER_READ_CAP);
}

static void on_client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    const struct session *session = handle->data;
    on_alloc(handle, suggested, buffer);
    if (session->engine == NULL || !engine_status(session->engine)->authenticated)
        buffer->len = STRANGER_READ_CAP;
}

static bool wants_client(const struct session *session)
{
    if (session->state == SESSION_HANDSHAKING)
        return !handshake_is_put_aside(&session->handshake);
    if (session->state == SESSION_LINGERING)
        return true;
    if (session->kept[SIDE_CLIENT].len > 0)
        return false;
    if (session->state == SESSION_CLEARTEXT)
        return may_feed(session, SIDE_CLIENT);
    /* Where the engine waits for the backend one read ahead is kept, or the client's end would go unnoticed. */
    return session->state != SESSION_RELAYING || has_room(session, SIDE_CLIENT);
}

static void set_reading(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    tcp_conn_set_reading(&session->client, wants_client(session), on_client_alloc, session_on_client_read);
    if (session->state == SESSION_GREETING || session->state == SESSION_RELAYING)
        tcp_conn_set_reading(&session->link->stream,
                             session->kept[SIDE_BACKEND].len == 0 && may_feed(session, SIDE_BACKEND),
                             on_alloc, session_on_backend_read);
}

void session_advance(struct session *session)
{
    while (feed_kept(session, SIDE_BACKEND) || feed_kept(session, SIDE_CLIENT))
        ;
    judge(session);
    if (session->state == SESSION_LINGERING && session->client.input_ended && session->client.queued == 0)
        session_close(session, session->reason, session->detail);
    set_reading(session);
}

/* ---- events of the sockets ---- */

/* The handshake needs a signature: asked for once, whatever else the client sends meanwhile. */
static void await_signature(struct session *session)
{
    struct tls_wanted wanted = tls_endpoint_wanted(session->tls);
    if (!key_ticket_is_open(&session->signature) &&
        !key_client_ask(&session->worker->keys, &wanted, &session->signature, session_on_signature, session))
        session_on_signature(session, (struct slice){NULL, 0});
}

/* What follows from the plaintext and the state that the endpoint has come to. */
static void take_plaintext(struct session *session, size_t len)
{
    struct worker *worker = session->worker;
    enum tls_state state = tls_endpoint_state(session->tls);
    bool was_handshaking = session->state == SESSION_HANDSHAKING;
    /* Handshake flights, tickets, alerts, KeyUpdate answers. */
    if (!session_flush_client(session))
        return;
    if (state == TLS_FAILED) {
        session_finish(session, was_handshaking ? "handshake-failed" : "tls-error",
                       tls_endpoint_failure(session->tls));
        return;
    }
    /* From here on there is an engine, and a server is looked for: the client has said which host it wants. */
    if (was_handshaking && state != TLS_HANDSHAKING) {
        handshakes_leave(&worker->handshakes, &session->handshake);
        session->service = snapshot_service(session->in_worker.generation->snapshot, session->service,
                                            tls_endpoint_info(session->tls).server_name);
        session_connect(session);
    }
    /* Behind it, as what the client has to say is not kept yet: it is not leaving that has. */
    session->client_ended = session->client_ended || state == TLS_PEER_CLOSED;
    session_take_input(session, SIDE_CLIENT, (struct slice){worker->plain_buffer, len});
}

static void take_ciphertext(struct session *session, struct slice ciphertext)
{
    struct worker *worker = session->worker;
    ENSURE(tls_io_output(worker->tls_io).len == 0 && engine_out_is_empty(worker->out));
    size_t len = tls_endpoint_receive(session->tls, ciphertext, worker->plain_buffer);
    if (tls_endpoint_state(session->tls) != TLS_AWAITS_SIGNATURE)
        take_plaintext(session, len);
    else if (session_flush_client(session)) /* a HelloRetryRequest */
        await_signature(session);
}

void session_on_signature(void *arg, struct slice signature)
{
    struct session *session = arg;
    struct worker *worker = session->worker;
    ENSURE(tls_io_output(worker->tls_io).len == 0 && engine_out_is_empty(worker->out));
    take_plaintext(session, tls_endpoint_signed(session->tls, signature, worker->plain_buffer));
}

void session_on_handshake(struct handshake *handshake, struct slice input)
{
    take_ciphertext(session_of_handshake(handshake), input);
}

/* As soon as the worker has time for it. */
static void take_handshake(struct session *session, struct slice input)
{
    handshakes_take(&session->worker->handshakes, &session->handshake, input);
    if (handshake_is_put_aside(&session->handshake))
        set_reading(session);
}

static void on_client_end(struct session *session, int error)
{
    session->client.input_ended = true;
    session->client.reading = false;
    session->client_ended = true;
    if (error != UV_EOF) {
        session_blame_slow_server(session);
        session_close(session, "client-reset", uv_strerror(error));
    } else if (session->state == SESSION_HANDSHAKING)
        session_close(session, "client-closed", "during the TLS handshake");
    else
        session_advance(session);
}

/* Who goes on sending to nobody is not listened to for long. */
static void drop_ciphertext(struct session *session, size_t len)
{
    session->dropped += len;
    if (session->dropped > DROPPED_MAX)
        session_close(session, session->reason, session->detail);
}

void session_on_client_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct session *session = stream->data;
    if (session->state == SESSION_CLOSED || len == 0)
        return;
    if (len < 0)
        on_client_end(session, (int)len);
    else if (session->state == SESSION_LINGERING)
        drop_ciphertext(session, (size_t)len);
    else if (session->state == SESSION_CLEARTEXT)
        session_take_input(session, SIDE_CLIENT, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
    else if (session->state == SESSION_HANDSHAKING)
        take_handshake(session, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
    else {
        take_ciphertext(session, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
        if (session->state < SESSION_LINGERING && !session->client_ended)
            restart_timeout(session);
    }
}

void session_on_backend_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct backend_link *link = stream->data;
    struct session *session = link->session;
    if (session == NULL || len == 0)
        return;
    if (len < 0) {
        /* A reset is an end as well: what came before it has been fed. */
        link->stream.input_ended = true;
        link->stream.reading = false;
        uv_read_stop(stream);
        session_advance(session);
        return;
    }
    link->since = worker_now(session->worker);
    session_take_from_backend(session, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
    if (session->state < SESSION_LINGERING)
        restart_timeout(session);
}

void session_on_drained(struct tcp_conn *stream, int status)
{
    struct session *session = stream->tcp.data;
    if (status != 0) {
        session_close(session, "client-reset", uv_strerror(status));
        return;
    }
    session_advance(session);
    restart_timeout(session);
}
