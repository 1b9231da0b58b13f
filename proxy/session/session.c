/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/session/session_private.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/*
 * At the program's end a client that takes octets all the time gets so long. Containers and service managers
 * kill some seconds after timeouts.shutdown.
 */
#define ENDING_MAX_MS 5000

/* ---- states ---- */

static const char *const names[] = {
    [SESSION_ACCEPTED] = "accepted",
    [SESSION_HEADER] = "header",
    [SESSION_SLOWED] = "slowed",
    [SESSION_WAITING] = "waiting",
    [SESSION_CLEARTEXT] = "cleartext",
    [SESSION_HANDSHAKING] = "handshaking",
    [SESSION_CONNECTING] = "connecting",
    [SESSION_BACKEND_STARTTLS] = "backend-starttls",
    [SESSION_BACKEND_HANDSHAKE] = "backend-handshake",
    [SESSION_GREETING] = "greeting",
    [SESSION_RELAYING] = "relaying",
    [SESSION_HALF_CLOSED] = "half-closed",
    [SESSION_ORPHANED] = "orphaned",
    [SESSION_LINGERING] = "lingering",
    [SESSION_CLOSED] = "closed",
};

enum {
    END = SESSION_IS_ENDING,
    BEGIN = STATE(SESSION_CLEARTEXT) | STATE(SESSION_HANDSHAKING),
    WAIT = STATE(SESSION_SLOWED) | STATE(SESSION_WAITING),
    NEXT = STATE(SESSION_CONNECTING) /* the next server */
};

static const unsigned moves[] = {
    [SESSION_ACCEPTED] = STATE(SESSION_HEADER) | WAIT | BEGIN | STATE(SESSION_CLOSED),
    [SESSION_HEADER] = WAIT | BEGIN | STATE(SESSION_CLOSED),
    [SESSION_SLOWED] = STATE(SESSION_WAITING) | STATE(SESSION_HEADER) | BEGIN | STATE(SESSION_CLOSED),
    [SESSION_WAITING] = STATE(SESSION_HEADER) | BEGIN | STATE(SESSION_CLOSED),
    [SESSION_CLEARTEXT] = STATE(SESSION_HANDSHAKING) | END,
    [SESSION_HANDSHAKING] = STATE(SESSION_CONNECTING) | END,
    [SESSION_CONNECTING] = NEXT | SESSION_IS_LINKED_UNGREETED | END,
    [SESSION_BACKEND_STARTTLS] = STATE(SESSION_BACKEND_HANDSHAKE) | NEXT | END,
    [SESSION_BACKEND_HANDSHAKE] = STATE(SESSION_GREETING) | NEXT | END,
    [SESSION_GREETING] = STATE(SESSION_RELAYING) | NEXT | END,
    [SESSION_RELAYING] = STATE(SESSION_HALF_CLOSED) | STATE(SESSION_ORPHANED) | NEXT | END,
    [SESSION_HALF_CLOSED] = NEXT | END,
    [SESSION_ORPHANED] = END,
    [SESSION_LINGERING] = STATE(SESSION_CLOSED),
    [SESSION_CLOSED] = 0,
};
STATE_MACHINE_ASSERT(names, moves, SESSION_CLOSED);

/* What a state demands of the session that moves there. */
static bool keeps_invariant(const void *object, unsigned state)
{
    const struct session *session = object;
    if (state == SESSION_HEADER)
        return session->origin != NULL && session->origin->reader != NULL;
    if (state == SESSION_HANDSHAKING)
        return session->tls.endpoint != NULL && session->engine == NULL;
    if (state == SESSION_CONNECTING)
        return session->link == NULL && session->engine == NULL && session->tls.endpoint != NULL;
    if ((STATE(state) & SESSION_IS_LINKED) != 0)
        return session->link != NULL && session->engine != NULL && session->tls.endpoint != NULL;
    if (state == SESSION_ORPHANED)
        return session->link == NULL && session->engine != NULL && session->tls.endpoint != NULL;
    return state != SESSION_LINGERING || session->link == NULL;
}

const struct state_machine session_machine = {"session", names, moves, ARRAY_LEN(names), keeps_invariant};

void session_move(struct session *session, enum session_state to)
{
    session->state = (enum session_state)state_machine_move(&session_machine, session_trace(session), session,
                                                            session->state, to);
}

/* ---- timeouts ---- */

bool session_has_abandoned(const struct session *session)
{
    return session->client_half_closed && session->pending_input[SIDE_CLIENT].len == 0 &&
           session_is_in(session, SESSION_IS_UNGREETED);
}

void session_set_timeout(struct session *session, enum worker_timeout timeout)
{
    if (session_has_abandoned(session))
        timeout = WORKER_TIMEOUT_ABANDONED;
    deadline_set(&session->in_worker.generation->timeouts[timeout], &session->in_worker.deadline,
                 worker_now(session->worker));
    if (timeout >= WORKER_TIMEOUT_QUICK)
        worker_begin_quick(session->worker);
    if (timeout == session->timeout)
        return;
    session->timeout = timeout;
    session_log_timeout(session);
}

enum worker_timeout session_login_timeout(const struct session *session)
{
    bool by_turns = protocol_traits(session->service->engine.protocol)->turns_restart_login_timer;
    return by_turns ? WORKER_TIMEOUT_COMMAND : WORKER_TIMEOUT_LOGIN;
}

void session_count(const struct session *session, enum counter what)
{
    counters_add(session->service->counters, session->worker->index, what);
}

struct session *session_of_worker(struct worker_session *in_worker)
{
    return (struct session *)((char *)in_worker - offsetof(struct session, in_worker));
}

struct session *session_of_handshake(struct handshake *handshake)
{
    return (struct session *)((char *)handshake - offsetof(struct session, handshake));
}

/* ---- the end ---- */

static void on_client_closed(uv_handle_t *handle)
{
    struct session *session = handle->data;
    engine_free(&session->engine);
    tls_side_free(&session->tls, session->worker);
    session_free_origin(session);
    bytes_free(&session->pending_input[SIDE_CLIENT]);
    bytes_free(&session->pending_input[SIDE_BACKEND]);
    session_end_search(session);
    reservation_forget(&session->place);
    session_count(session, COUNTER_ENDED);
    /* Last: the configuration that all this was made from may be freed with it. */
    worker_remove_session(session->worker, &session->in_worker);
    free(session);
}

static void set_reason(struct session *session, enum end_reason reason, const char *detail)
{
    if (session->reason != END_NONE)
        return;
    session->reason = reason;
    session->detail = detail;
}

/* Why the handshake was not completed, by the session's reason. */
static enum counter counter_of_failure(const struct session *session)
{
    if (session->reason == END_HANDSHAKE_TIMEOUT)
        return COUNTER_FAILED_TIMEOUT;
    if (session->reason == END_CLIENT_CLOSED || session->reason == END_CLIENT_RESET)
        return counters_of_failure(TLS_FAILURE_CLOSED);
    enum tls_failure failure = tls_endpoint_failure_kind(session->tls.endpoint);
    return counters_of_failure(failure != TLS_FAILURE_NONE ? failure : TLS_FAILURE_OTHER);
}

/* Nobody waits any longer for what the session was about to do. A silent client has begun no handshake. */
static void drop_handshakes(struct session *session)
{
    if (session->state == SESSION_HANDSHAKING && session->has_spoken)
        session_count(session, counter_of_failure(session));
    key_client_cancel(&session->worker->keys, &session->tls.signature);
}

static void count_quiet(const struct session *session)
{
    enum quiet quiet = quiet_of(session);
    if (quiet != QUIET_NOT)
        session_count(session, quiet == QUIET_SILENT ? COUNTER_SILENT : COUNTER_PROBES);
}

void session_close(struct session *session, enum end_reason reason, const char *detail)
{
    struct worker *worker = session->worker;
    if (session->state == SESSION_CLOSED)
        return;
    set_reason(session, reason, detail);
    drop_handshakes(session);
    session_leave_slowed(session);
    session_move(session, SESSION_CLOSED);
    deadline_drop(&session->in_worker.deadline);
    handshakes_leave(&worker->handshakes, &session->handshake);
    if (session->is_counted)
        address_counts_drop(worker->shared.connections, session->address_key);
    /*
     * All sessions share the worker's buffers: what was not sent here must not be sent on another's
     * connection.
     */
    tls_io_reset(worker->tls_io);
    engine_out_reset(worker->out);
    /* Before the line of its end, so that a reader of the line finds it counted. */
    if (session->tls.endpoint != NULL && session->engine != NULL)
        client_reports_count(session->service->reports, session->engine);
    count_quiet(session);
    if (session->reason != END_OVERLOAD && session->reason != END_REFUSED)
        session_log_end(session);
    session_drop_backend(session);
    uv_close((uv_handle_t *)&session->client.tcp, on_client_closed);
}

static void linger_on(struct session *session)
{
    bool is_urgent = session->worker->phase == WORKER_ENDING;
    session_set_timeout(session, is_urgent ? WORKER_TIMEOUT_ENDING : WORKER_TIMEOUT_CLOSING);
}

/* Whatever the client has taken before, its first time is a whole one. */
static void begin_to_linger(struct session *session)
{
    session->unsent = SIZE_MAX;
    linger_on(session);
}

/* What the kernel has of the client's octets, and the client has not acknowledged. */
static size_t count_unacknowledged(const struct tcp_conn *client)
{
    uv_os_fd_t fd;
    int octets = 0;
    bool ok = uv_fileno((const uv_handle_t *)&client->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &octets) == 0;
    return ok && octets > 0 ? (size_t)octets : 0;
}

/* At the program's end what is owed is sent as well, but not to a client that makes it last. */
static bool has_time(const struct session *session)
{
    const struct worker *worker = session->worker;
    return worker->phase != WORKER_ENDING || worker_now(worker) < worker->ending_since + ENDING_MAX_MS;
}

/*
 * A slow client gets another timeout as long as something is queued, and it has taken something within each.
 * The kernel may have megabytes for it, and does not take more for as long.
 */
static bool is_still_sending(struct session *session)
{
    size_t before = session->unsent;
    size_t queued = uv_stream_get_write_queue_size((const uv_stream_t *)&session->client.tcp);
    session->unsent = queued + count_unacknowledged(&session->client);
    return queued > 0 && session->unsent < before && has_time(session);
}

void session_finish(struct session *session, enum end_reason reason, const char *detail)
{
    if (session_is_in(session, SESSION_IS_ENDING))
        return;
    set_reason(session, reason, detail);
    session_drop_backend(session);
    drop_handshakes(session);
    session_move(session, SESSION_LINGERING);
    session->dropped = 0;
    if (session->tls.endpoint != NULL)
        tls_endpoint_close(session->tls.endpoint);
    if (!session_flush_client(session))
        return;
    /* One that is closed below needs no FIN of its own. */
    if (!session->client.input_ended || session->client.queued > 0)
        tcp_conn_end_output(&session->client);
    begin_to_linger(session);
    session_advance(session);
}

void session_send_goodbye(struct session *session, enum engine_goodbye_reason why, enum end_reason reason,
                          const char *detail)
{
    set_reason(session, reason, detail);
    if (session->engine != NULL && !session_is_in(session, SESSION_IS_ENDING)) {
        session_lend_trace(session);
        session_take_last_words(session);
        engine_goodbye(session->engine, why, session->worker->out);
        if (!session_send_output(session))
            return;
    }
    session_finish(session, reason, detail);
}

void session_send_refusal(struct session *session, const char *refusal, enum end_reason reason)
{
    set_reason(session, reason, "the server's own refusal");
    engine_refuse(session->engine, refusal, session->worker->out);
    if (session_send_output(session))
        session_finish(session, reason, NULL);
}

/* ---- events from outside ---- */

static void expire_ungreeted(struct session *session)
{
    if (session_has_abandoned(session)) {
        session_mark_slow_server(session);
        session_finish(session, END_CLIENT_CLOSED, NULL);
    } else
        session_server_timed_out(session);
}

static void expire_relaying(struct session *session)
{
    const struct engine_status *status = engine_status(session->engine);
    if (status->closing_reply_sent)
        session_finish(session, END_LOGOUT, "the server sent its closing reply and did not close");
    else if (session->parting != 0)
        session_parting_expired(session);
    else if (session->client_half_closed)
        session_finish(session, END_CLIENT_CLOSED, NULL);
    else
        session_send_goodbye(session, ENGINE_GOODBYE_TIMEOUT,
                             status->authenticated ? END_IDLE_TIMEOUT : END_LOGIN_TIMEOUT, NULL);
}

static void expire(struct worker_session *in_worker)
{
    struct session *session = session_of_worker(in_worker);
    switch (session->state) {
    case SESSION_HEADER:
        session_end_header(session, END_HANDSHAKE_TIMEOUT);
        break;
    case SESSION_SLOWED:
        session_begin_after_turn(session);
        break;
    case SESSION_WAITING:
        session_reject(session, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS);
        break;
    case SESSION_CLEARTEXT:
        session_send_goodbye(session, ENGINE_GOODBYE_TIMEOUT, END_LOGIN_TIMEOUT, "before STARTTLS");
        break;
    case SESSION_HANDSHAKING:
        session_close(session, END_HANDSHAKE_TIMEOUT, NULL);
        break;
    case SESSION_CONNECTING:
    case SESSION_BACKEND_STARTTLS:
    case SESSION_BACKEND_HANDSHAKE:
    case SESSION_GREETING:
        expire_ungreeted(session);
        break;
    case SESSION_RELAYING:
    case SESSION_HALF_CLOSED:
        expire_relaying(session);
        break;
    case SESSION_ORPHANED:
        session_parting_expired(session);
        break;
    case SESSION_LINGERING:
        if (is_still_sending(session))
            linger_on(session);
        else
            session_close(session, session->reason, session->detail);
        break;
    case SESSION_ACCEPTED:
    case SESSION_CLOSED:
        break;
    }
}

static void evict(struct handshake *handshake, enum client_limit limit)
{
    struct session *session = session_of_handshake(handshake);
    bool is_of_address = limit == CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS;
    if (session->state == SESSION_CLEARTEXT)
        session_send_goodbye(
            session, ENGINE_GOODBYE_TIMEOUT, END_LOGIN_TIMEOUT,
            is_of_address
                ? "before STARTTLS, while others of its address waited (limits.handshakes_per_address)"
                : "before STARTTLS, while others waited (limits.handshakes)");
    session_close(session, END_HANDSHAKE_TIMEOUT,
                  is_of_address ? "while others of its address waited (limits.handshakes_per_address)"
                                : "while others waited (limits.handshakes)");
}

static void shut_down(struct worker_session *in_worker)
{
    struct session *session = session_of_worker(in_worker);
    if (session_is_in(session, SESSION_IS_NEW | STATE(SESSION_HANDSHAKING)))
        session_close(session, END_SHUTDOWN, NULL);
    else if (session->state == SESSION_LINGERING)
        begin_to_linger(session);
    else
        session_send_goodbye(session, ENGINE_GOODBYE_SHUTDOWN, END_SHUTDOWN, NULL);
}

const struct worker_session_calls session_calls = {
    .accept = session_accept,
    .expire = expire,
    .shut_down = shut_down,
    .survey = session_survey,
    .part = session_part,
    .continue_handshake = session_on_handshake,
    .evict = evict,
    .begin = session_begin_after_waiting,
    .take_turn = session_take_turn,
    .end_watches = session_end_watches,
};
