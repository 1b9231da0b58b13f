/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "proxy/session/ends.h"

/*
 * A client that sends commands which the proxy answers itself, and reads no reply, is not read from beyond
 * this. No well-behaved client leaves 64 KB unread.
 */
#define OWN_QUEUE_MAX (64 * 1024)
/*
 * Input that is kept while the engine waits for the other side: one read's worth, since nothing is read
 * meanwhile.
 */
#define PENDING_MAX ((size_t)2 * WORKER_PLAIN_CAP)
/*
 * One read from a client that has not logged in: what it sends ahead of a reply is kept, and it may be
 * anybody.
 */
#define PREAUTH_READ_MAX (16 * 1024)
/*
 * What a client may send after the end: a full window of a fast sender on a long line, so that no RST cuts
 * off replies.
 */
#define DROPPED_MAX (4 * 1024 * 1024)

/* ---- sending ---- */

bool session_flush_client(struct session *session)
{
    int error = tls_side_flush(session->worker, &session->client);
    if (error == 0)
        return true;
    session_close(session, END_CLIENT_RESET, uv_strerror(error));
    return false;
}

/* In the clear before STARTTLS, else sealed. 0, or a libuv error. */
MUST_CHECK static int write_to_client(struct session *session, const struct engine_lane *lane)
{
    if (lane->count == 0)
        return 0;
    if (session->tls.endpoint == NULL)
        return tcp_conn_write(&session->client, lane->slices, lane->count);
    return tls_endpoint_seal(session->tls.endpoint, lane->slices, lane->count) ? 0 : UV_EPROTO;
}

bool session_send_output(struct session *session)
{
    struct engine_out *out = session->worker->out;
    if (out->lanes[SIDE_BACKEND].count > 0 && session->link != NULL)
        session_send_to_server(session, &out->lanes[SIDE_BACKEND]);
    int error = write_to_client(session, &out->lanes[SIDE_CLIENT]);
    engine_out_reset(out);
    if (error == 0)
        return session_flush_client(session);
    if (error == UV_EPROTO && session->tls.endpoint != NULL)
        session_close(session, END_TLS_ERROR, tls_endpoint_failure(session->tls.endpoint));
    else
        session_close(session, END_CLIENT_RESET, uv_strerror(error));
    return false;
}

/* ---- feeding the engine ---- */

/* Is there room for what feeding this side's octets may send? */
static bool has_room(const struct session *session, enum side from)
{
    const struct tcp_conn *client = &session->client;
    if (session->state == SESSION_CLEARTEXT)
        return from == SIDE_CLIENT && client->queued <= OWN_QUEUE_MAX;
    if (!session_is_in(session, SESSION_IS_LINKED))
        return false;
    /* An engine that has failed would swallow what the client sent, which another server may get yet. */
    if (engine_status(session->engine)->reason != ENGINE_OPEN)
        return false;
    /*
     * What is queued towards the server does not stop the server's own octets: it may read no further before
     * they are taken. What the engine sends to it of its own accord is bounded by what it holds of the
     * client's.
     */
    if (from == SIDE_BACKEND)
        return client->queued == 0;
    return session->link->conn.queued == 0 && client->queued <= OWN_QUEUE_MAX;
}

static bool may_feed(const struct session *session, enum side from)
{
    return has_room(session, from) && engine_wants(session->engine, from);
}

/* The server has just ended the session in words, and nobody had asked it to. */
static bool has_said_goodbye(const struct session *session, bool was_ending)
{
    return !was_ending && engine_status(session->engine)->closing_reply_sent;
}

/* Feeds as much as the engine takes now. Returns how much that was. May end the session. */
static size_t feed(struct session *session, enum side from, struct slice data)
{
    struct engine_out *out = session->worker->out;
    size_t fed = 0;
    if (data.len == 0)
        return 0;
    session_lend_trace(session);
    while (fed < data.len && may_feed(session, from)) {
        bool was_ending = engine_status(session->engine)->ending;
        size_t consumed = engine_feed(session->engine, from, slice_from(data, fed), out);
        bool moved = consumed > 0 || !engine_out_is_empty(out);
        fed += consumed;
        if (from == SIDE_BACKEND && fed == data.len && has_said_goodbye(session, was_ending) &&
            session_keep_last_words(session))
            break;
        if (!session_send_output(session) || !moved)
            break;
    }
    return fed;
}

/* True if the engine has taken some of what was pending. May end the session. */
static bool feed_pending(struct session *session, enum side from)
{
    struct bytes *pending = &session->pending_input[from];
    size_t *start = &session->pending_start[from];
    if (pending->len == 0)
        return false;
    size_t fed = feed(session, from, slice_from(bytes_view(pending), *start));
    *start += fed;
    if (*start == pending->len) {
        bytes_free(pending);
        *start = 0;
    }
    return fed > 0;
}

static void keep_pending(struct session *session, enum side from, struct slice data)
{
    if (!bytes_append(&session->pending_input[from], data, PENDING_MAX))
        session_close(session, END_NO_MEMORY, NULL);
}

void session_take_input(struct session *session, enum side from, struct slice data)
{
    session->octets[from] += data.len;
    size_t fed = session->pending_input[from].len == 0 ? feed(session, from, data) : 0;
    if (fed < data.len && !session_is_in(session, SESSION_IS_ENDING))
        keep_pending(session, from, slice_from(data, fed));
    session_advance(session);
}

/* ---- what follows from an event ---- */

static void start_login_timeout(struct session *session)
{
    session->turns = engine_status(session->engine)->turns;
    session_set_timeout(session, session_login_timeout(session));
}

/*
 * After a login the idle time counts from the last octet of either side. Before it the time is fixed, so that
 * nobody holds a connection by sending one octet at a time. Submission may do without a login (by address):
 * each whole command counts then (RFC 5321 section 4.5.3.2.7), and once a message is accepted the times of
 * section 4.5.3.2 are the server's. All this holds as well for a client that has half-closed: it waits for
 * what it is owed. After its closing reply a server has a fixed time to close (apply_status).
 */
static void restart_timeout(struct session *session)
{
    if (!session_is_in(session, SESSION_IS_IN_DIALOGUE))
        return;
    const struct engine_status *status = engine_status(session->engine);
    /* Until then what is sent changes nothing: session_parting.c looks at it. */
    if (session->parting != 0)
        return;
    /* After a failed write the server's end is read next. */
    if (session->link->conn.write_failed || status->closing_reply_sent)
        return;
    if (status->authenticated || status->serving)
        session_set_timeout(session, WORKER_TIMEOUT_IDLE);
    else if (session->timeout == WORKER_TIMEOUT_COMMAND && session->turns != status->turns)
        start_login_timeout(session);
}

void session_resume_timeout(struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    if (status->authenticated || status->serving)
        session_set_timeout(session, WORKER_TIMEOUT_IDLE);
    else
        start_login_timeout(session);
}

/*
 * Nothing that the client sent before the handshake is known after it (RFC 3207 section 4.2): the engine is
 * freed, with what it held and what it did not want yet.
 */
static void start_tls(struct session *session)
{
    struct bytes *pending = &session->pending_input[SIDE_CLIENT];
    size_t discarded =
        engine_status(session->engine)->discarded + pending->len - session->pending_start[SIDE_CLIENT];
    if (discarded > 0)
        session_log_discarded(session, discarded);
    engine_free(&session->engine);
    bytes_free(pending);
    session->pending_start[SIDE_CLIENT] = 0;
    session_begin_handshake(session);
}

/* The server broke its protocol, or does not serve. Ends the session, or this attempt of it. */
static void apply_server_failure(struct session *session, const struct engine_status *status)
{
    if (!status->committed) {
        session_try_next_server(session, status->detail);
        return;
    }
    if (status->reason == ENGINE_BACKEND_REFUSED)
        session_mark_server_failed(session, status->detail);
    session_finish(session, END_BACKEND_ERROR, status->detail);
}

/* True if the engine's status has ended the session, this attempt of it, or the cleartext before STARTTLS. */
static bool apply_engine_status(struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    switch (status->reason) {
    case ENGINE_OPEN:
        return false;
    case ENGINE_BACKEND_REFUSED:
    case ENGINE_BACKEND_ERROR:
        apply_server_failure(session, status);
        return true;
    case ENGINE_CLIENT_ERROR:
        session_finish(session, END_CLIENT_ERROR, status->detail);
        return true;
    case ENGINE_STARTTLS:
        start_tls(session);
        return true;
    case ENGINE_LOGOUT:
        session_finish(session, END_LOGOUT, status->detail);
        return true;
    case ENGINE_NO_MEMORY:
        session_close(session, END_NO_MEMORY, status->detail);
        return true;
    }
    return false;
}

static enum client_end client_end_of(const struct session *session)
{
    if (session->state == SESSION_HALF_CLOSED)
        return CLIENT_SENT_ON;
    if (!session->client_half_closed)
        return CLIENT_OPEN;
    return session->pending_input[SIDE_CLIENT].len > 0 ? CLIENT_PENDING : CLIENT_DONE;
}

static enum server_end server_end_of(const struct session *session)
{
    const struct tcp_conn *conn = &session->link->conn;
    if (conn->input_ended && session->pending_input[SIDE_BACKEND].len == 0)
        return session_backend_was_cut(session) ? SERVER_CUT : SERVER_CLOSED;
    return conn->write_failed ? SERVER_WRITE_FAILED : SERVER_OPEN;
}

static enum dialogue_stage stage_of(const struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    if (status->closing_reply_sent)
        return STAGE_CLOSING;
    if (status->ending)
        return STAGE_ENDING;
    if (status->committed)
        return STAGE_COMMITTED;
    if (session_is_in(session, SESSION_IS_IN_DIALOGUE))
        return STAGE_UNCOMMITTED;
    return session_backend_awaits_signature(session) ? STAGE_SIGNING : STAGE_UNGREETED;
}

static void half_close(struct session *session)
{
    session_move(session, SESSION_HALF_CLOSED);
    session_end_backend_output(session);
    restart_timeout(session);
}

static void apply_ends(struct session *session)
{
    /* Most events end nothing. */
    if (!session->client_half_closed && !session->link->conn.input_ended)
        return;
    switch (ends_action(client_end_of(session), server_end_of(session), stage_of(session))) {
    case ENDS_NOTHING:
        break;
    case ENDS_SEND_FIN:
        half_close(session);
        break;
    case ENDS_TRY_NEXT_SERVER:
        session_server_ended(session, session_words_for_close(session));
        break;
    case ENDS_GIVE_UP_SIGNATURE:
        session_give_up_signature(session);
        break;
    case ENDS_GOODBYE_CLOSED:
        session_lose_server(session, NULL);
        break;
    case ENDS_GOODBYE_CUT:
        session_lose_server(session, "without close_notify");
        break;
    case ENDS_FINISH_CLIENT_CLOSED:
        session_finish(session, END_CLIENT_CLOSED, NULL);
        break;
    case ENDS_FINISH_LOGOUT:
        session_finish(session, END_LOGOUT, NULL);
        break;
    }
}

/* In CLEARTEXT. */
static void apply_cleartext(struct session *session)
{
    if (!apply_engine_status(session) && session->client_half_closed &&
        session->pending_input[SIDE_CLIENT].len == 0)
        session_finish(session, END_CLIENT_CLOSED, NULL);
}

/* With a server that is connected to. */
static void apply_linked(struct session *session)
{
    session_log_warning(session);
    if (session->state == SESSION_GREETING && engine_status(session->engine)->greeted) {
        session_move(session, SESSION_RELAYING);
        start_login_timeout(session);
        session_note_greeting(session);
        session_part_late(session);
        if (session_is_in(session, SESSION_IS_ENDING))
            return;
    }
    if (session_is_in(session, SESSION_IS_IN_DIALOGUE) &&
        engine_status(session->engine)->closing_reply_sent && session->timeout != WORKER_TIMEOUT_CLOSING)
        session_set_timeout(session, WORKER_TIMEOUT_CLOSING);
    if (!apply_engine_status(session))
        apply_ends(session);
}

/*
 * Acts on what the engine and both ends have come to, when all that could be fed has been. May end the
 * session.
 */
static void apply_status(struct session *session)
{
    if (session->state == SESSION_CLEARTEXT)
        apply_cleartext(session);
    if (session_has_abandoned(session) && session->timeout != WORKER_TIMEOUT_ABANDONED)
        session_set_timeout(session, WORKER_TIMEOUT_ABANDONED);
    if (session_is_in(session, SESSION_IS_LINKED))
        apply_linked(session);
    else if (session->state == SESSION_ORPHANED)
        session_advance_orphaned(session);
}

/* Reads go into the worker's buffer: what is read is fed or copied before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct worker *worker = (struct worker *)handle->loop->data;
    *buffer = uv_buf_init((char *)worker->read_buffer, WORKER_READ_CAP);
}

static bool is_put_aside(const struct session *session)
{
    return session->state == SESSION_HANDSHAKING && handshake_is_put_aside(&session->handshake);
}

/* A handshake that is put aside has no room: on_client_read is told so, by UV_ENOBUFS, before a read. */
static void on_client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    const struct session *session = handle->data;
    on_alloc(handle, suggested, buffer);
    if (is_put_aside(session))
        *buffer = uv_buf_init(NULL, 0);
    else if (session->engine == NULL || !engine_status(session->engine)->authenticated)
        buffer->len = session->state == SESSION_HEADER ? SESSION_HEADER_READ_MAX : PREAUTH_READ_MAX;
}

static bool wants_client(const struct session *session)
{
    if (session->state == SESSION_HANDSHAKING)
        return !is_put_aside(session);
    if (session_is_in(session, STATE(SESSION_LINGERING) | STATE(SESSION_HEADER)))
        return true;
    if (session_is_in(session, SESSION_IS_NEW))
        return false;
    if (session->pending_input[SIDE_CLIENT].len > 0)
        return false;
    if (session->state == SESSION_CLEARTEXT)
        return may_feed(session, SIDE_CLIENT);
    /*
     * If the engine waits for the server, one read ahead is kept: the client's end would not be noticed
     * otherwise.
     */
    return !session_is_in(session, SESSION_IS_IN_DIALOGUE) || has_room(session, SIDE_CLIENT);
}

static void on_client_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer);
static void on_backend_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer);

void session_await_server(struct session *session)
{
    tcp_conn_set_reading(&session->link->conn, true, on_alloc, on_backend_read);
}

static void set_reading(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    tcp_conn_set_reading(&session->client, wants_client(session), on_client_alloc, on_client_read);
    if (session_is_in(session, SESSION_IS_LINKED))
        tcp_conn_set_reading(&session->link->conn,
                             session->pending_input[SIDE_BACKEND].len == 0 && may_feed(session, SIDE_BACKEND),
                             on_alloc, on_backend_read);
}

void session_advance(struct session *session)
{
    while (feed_pending(session, SIDE_BACKEND) || feed_pending(session, SIDE_CLIENT))
        ;
    apply_status(session);
    if (session->state == SESSION_LINGERING && session->client.input_ended && session->client.queued == 0)
        session_close(session, session->reason, session->detail);
    set_reading(session);
}

/* ---- events of the sockets ---- */

/*
 * The handshake with the client is done: the client has named the host that it wants, and a server is looked
 * for.
 */
static void on_secured(struct session *session)
{
    handshakes_leave(&session->worker->handshakes, &session->handshake);
    session->service = snapshot_service(session->in_worker.generation->snapshot, session->service,
                                        tls_endpoint_info(session->tls.endpoint).server_name);
    counters_add(session->service->counters, session->worker->index, COUNTER_HANDSHAKES);
    counters_add_usage(session->service->counters, session->worker->index,
                       tls_endpoint_usage(session->tls.endpoint));
    session_move(session, SESSION_CONNECTING);
    session_connect(session);
}

/*
 * What follows from `len` octets in the plaintext buffer, and from the state that the endpoint has come to.
 */
static void on_opened(struct session *session, size_t len)
{
    enum tls_state state = tls_endpoint_state(session->tls.endpoint);
    bool was_handshaking = session->state == SESSION_HANDSHAKING;
    /* Handshake flights, tickets, alerts, KeyUpdate answers. */
    if (!session_flush_client(session))
        return;
    if (state == TLS_FAILED) {
        session_finish(session, was_handshaking ? END_HANDSHAKE_FAILED : END_TLS_ERROR,
                       tls_endpoint_failure(session->tls.endpoint));
        return;
    }
    if (was_handshaking && state != TLS_HANDSHAKING)
        on_secured(session);
    /*
     * Only after on_secured: the client's last octets are not pending yet, so it would look like one that has
     * abandoned.
     */
    session->client_half_closed = session->client_half_closed || state == TLS_PEER_CLOSED;
    session_take_input(session, SIDE_CLIENT, (struct slice){session->worker->plain_buffer, len});
}

/* The key process has signed for the handshake, or has not (empty). */
static void on_signature(void *arg, struct slice signature)
{
    struct session *session = arg;
    on_opened(session, tls_side_sign(&session->tls, session->worker, signature));
}

/* A handshake that was put aside is read from again: the client's end must be noticed while it waits. */
static void await_signature(struct session *session)
{
    if (tls_side_await_signature(&session->tls, session->worker, on_signature, session))
        set_reading(session);
    else
        on_signature(session, (struct slice){NULL, 0});
}

static void take_ciphertext(struct session *session, struct slice ciphertext)
{
    size_t len = tls_side_receive(&session->tls, session->worker, ciphertext);
    if (tls_endpoint_state(session->tls.endpoint) != TLS_AWAITS_SIGNATURE)
        on_opened(session, len);
    else if (session_flush_client(session)) /* a HelloRetryRequest */
        await_signature(session);
}

void session_on_handshake(struct handshake *handshake, struct slice input)
{
    take_ciphertext(session_of_handshake(handshake), input);
}

/*
 * The input of a handshake waits for its turn if the worker has no time. Reading goes on: few clients send
 * more before they are answered, and to stop and start it costs four system calls.
 */
static void take_handshake(struct session *session, struct slice input)
{
    handshakes_take(&session->worker->handshakes, &session->handshake, input);
}

static void on_client_end(struct session *session, int error)
{
    session->client.input_ended = true;
    session->client.reading = false;
    session->client_half_closed = true;
    if (error != UV_EOF) {
        session_mark_slow_server(session);
        session_close(session, END_CLIENT_RESET, uv_strerror(error));
    } else if (session->state == SESSION_HEADER)
        session_end_header(session, END_CLIENT_CLOSED);
    else if (session->state == SESSION_HANDSHAKING)
        session_close(session, END_CLIENT_CLOSED, "during the TLS handshake");
    else
        session_advance(session);
}

/* A client that still sends after the end is not read from for long. */
static void drop_ciphertext(struct session *session, size_t len)
{
    session->dropped += (uint32_t)len; /* one read at most over the limit */
    if (session->dropped > DROPPED_MAX)
        session_close(session, session->reason, session->detail);
}

void session_receive_from_client(struct session *session, struct slice data)
{
    if (session->state == SESSION_CLEARTEXT) {
        session->has_spoken = true;
        session_take_input(session, SIDE_CLIENT, data);
    } else if (session->state == SESSION_HANDSHAKING) {
        session->has_spoken = true;
        take_handshake(session, data);
    } else if (session->state == SESSION_HEADER) {
        session_take_header(session, data);
    } else {
        take_ciphertext(session, data);
        if (!session_is_in(session, SESSION_IS_ENDING) && !session->client_half_closed)
            restart_timeout(session);
    }
}

static void on_client_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct session *session = stream->data;
    if (session->state == SESSION_CLOSED || len == 0)
        return;
    if (len == UV_ENOBUFS && is_put_aside(session))
        set_reading(session); /* one that does send more: until its turn */
    else if (len < 0)
        on_client_end(session, (int)len);
    else if (session->state == SESSION_LINGERING)
        drop_ciphertext(session, (size_t)len);
    else
        session_receive_from_client(session, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
}

static void on_backend_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct backend_link *link = stream->data;
    struct session *session = link->session;
    if (session == NULL || len == 0)
        return;
    if (len < 0) {
        /* A reset is an end as well: what came before it has been fed. */
        link->conn.input_ended = true;
        link->conn.reading = false;
        uv_read_stop(stream);
        session_advance(session);
        return;
    }
    link->last_heard = worker_now(session->worker);
    session_receive_from_server(session, (struct slice){(const uint8_t *)buffer->base, (size_t)len});
    if (!session_is_in(session, SESSION_IS_ENDING))
        restart_timeout(session);
}

void session_on_client_drained(struct tcp_conn *conn, int status)
{
    struct session *session = conn->tcp.data;
    if (status != 0) {
        session_close(session, END_CLIENT_RESET, uv_strerror(status));
        return;
    }
    session_advance(session);
    restart_timeout(session);
}
