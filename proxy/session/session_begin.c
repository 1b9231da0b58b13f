/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/ensure.h"
#include "proxy/common/address.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A session's beginning: whether its client may come in, and when. What a client takes is taken in this
 * order, each with its end in session_close: a place among all sessions, one of its address, a token of its
 * address, a slot and one of its address.
 *
 * If the service has proxy_protocol, it is the client in the header for whom all of it is taken but the place
 * and the slot, which a connection from a balancer holds from its acceptance on: they, the time for the
 * handshake, and the eviction of those that have held a slot for too long are what limits a balancer itself.
 */

/* ---- turned down ---- */

void session_reject(struct session *session, enum client_limit limit)
{
    session_count(session, counters_of_limit(limit));
    if (limit == CLIENT_LIMIT_CONNECTION_RATE)
        session_count(session, counters_of_refusal(REFUSAL_CONNECTION_RATE));
    limit_log_note(&session->worker->limit_log, limit, session->service->cfg->name, &session->address);
    session_close(session, END_OVERLOAD, NULL);
}

void session_refuse(struct session *session, enum refusal refusal, const char *detail)
{
    session_count(session, counters_of_refusal(refusal));
    limit_log_note_refusal(&session->worker->limit_log, refusal, detail, session->service->cfg->name,
                           &session->address);
    session_close(session, END_REFUSED, detail);
}

/* ---- half open ---- */

void session_begin_handshake(struct session *session)
{
    /* A header before it counts in its time. */
    bool has_begun = session->state == SESSION_HEADER;
    session->tls.endpoint =
        tls_endpoint_new_server(session->worker->tls, session->worker->tls_io, &session->service->tls);
    if (session->tls.endpoint == NULL) {
        session_close(session, END_NO_MEMORY, NULL);
        return;
    }
    session_move(session, SESSION_HANDSHAKING);
    if (!has_begun)
        session_set_timeout(session, WORKER_TIMEOUT_HANDSHAKE);
}

static void begin_cleartext(struct session *session)
{
    session->engine = engine_new_pretls(&session->service->engine);
    if (session->engine == NULL) {
        session_close(session, END_NO_MEMORY, NULL);
        return;
    }
    session_move(session, SESSION_CLEARTEXT);
    session_set_timeout(session, session_login_timeout(session));
    session_lend_trace(session);
    engine_greet(session->engine, session->worker->out);
    if (session_send_output(session))
        session_advance(session);
}

void session_begin_half_open(struct session *session)
{
    if (session_awaits_header(session)) {
        session_begin_header(session, false);
    } else if (session->service->engine.starttls) {
        begin_cleartext(session);
    } else {
        session_begin_handshake(session);
        session_advance(session);
    }
    session_take_early(session);
}

void session_begin_after_waiting(struct handshake *handshake)
{
    session_begin_half_open(session_of_handshake(handshake));
}

/* ---- waiting ---- */

/*
 * There are enough half-open clients of its address, or, after a header or a wait for its turn, at all: it
 * waits for them, or is rejected if too many do.
 */
static void wait_for_others(struct session *session, enum client_limit limit)
{
    struct worker *worker = session->worker;
    bool is_after_header = session->state == SESSION_HEADER;
    if (!handshakes_wait(&worker->handshakes, &session->handshake, worker_waiting_max(worker))) {
        session_reject(session, limit);
        return;
    }
    session_count(session, counters_of_limit(limit));
    if (limit == CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS)
        limit_log_note_waiting(&worker->limit_log, session->service->cfg->name, &session->address);
    else
        limit_log_note(&worker->limit_log, limit, session->service->cfg->name, &session->address);
    session_move(session, SESSION_WAITING);
    if (!is_after_header)
        session_set_timeout(session, WORKER_TIMEOUT_HANDSHAKE);
}

static void enter(struct session *session)
{
    struct handshakes *handshakes = &session->worker->handshakes;
    const struct sockaddr *address = (const struct sockaddr *)&session->address;
    bool is_new = session->state == SESSION_ACCEPTED;
    bool entered = is_new ? handshakes_enter(handshakes, &session->handshake, address)
                          : handshakes_enter_late(handshakes, &session->handshake, address);
    if (entered)
        session_begin_half_open(session);
    else if (is_new || !handshakes_are_full(handshakes))
        wait_for_others(session, CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS);
    else
        wait_for_others(session, CLIENT_LIMIT_HANDSHAKES);
}

/* It waits for its turn, in whole steps, or is rejected if too many do. */
static void slow_down(struct session *session, uint32_t wait_ms)
{
    struct worker *worker = session->worker;
    unsigned steps = (wait_ms + WORKER_SLOWED_STEP_MS - 1) / WORKER_SLOWED_STEP_MS;
    ENSURE(steps > 0 && wait_ms <= WORKER_SLOWED_MAX_MS);
    if (worker->slowed_count >= worker_waiting_max(worker)) {
        session_reject(session, CLIENT_LIMIT_CONNECTION_RATE);
        return;
    }
    session_count(session, counters_of_limit(CLIENT_LIMIT_CONNECTION_RATE));
    limit_log_note_slowed(&worker->limit_log, session->service->cfg->name, &session->address);
    worker->slowed_count++;
    session->is_slowed = true;
    session_move(session, SESSION_SLOWED);
    session_set_timeout(session, (enum worker_timeout)(WORKER_TIMEOUT_SLOWED + steps - 1));
}

void session_leave_slowed(struct session *session)
{
    if (session->is_slowed)
        session->worker->slowed_count--;
    session->is_slowed = false;
}

void session_begin_after_turn(struct session *session)
{
    session_leave_slowed(session);
    enter(session);
}

/* ---- coming in ---- */

/*
 * `deny` holds in any case. What a balancer sends for itself comes from a network that proxy_protocol.from
 * has, and needs no `allow`.
 */
static bool is_welcome(const struct session *session)
{
    const struct cfg_service *cfg = session->service->cfg;
    const struct sockaddr *address = (const struct sockaddr *)&session->address;
    if (cfg->deny.count > 0 && address_is_in(address, &cfg->deny))
        return false;
    return cfg->allow.count == 0 || session_is_of_balancer(session) || address_is_in(address, &cfg->allow);
}

/* A place of its address, and one among all if it has none yet. False if there is none: it is CLOSED then. */
static bool take_places(struct session *session)
{
    struct worker *worker = session->worker;
    struct address_counts *connections = worker->shared.connections;
    session->address_key = address_counts_key(connections, (const struct sockaddr *)&session->address);
    session->is_counted =
        address_counts_add(connections, session->address_key, worker->limits.sessions_per_address);
    if (!session->in_worker.has_place && !worker_admit_session(worker, &session->in_worker))
        session_reject(session, worker->limits.sessions_by);
    else if (!session->is_counted)
        session_reject(session, CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS);
    return session->state != SESSION_CLOSED;
}

/* A token of its address. False if it has to wait for one, or gets none: SLOWED or CLOSED then. */
static bool take_token(struct session *session)
{
    struct worker *worker = session->worker;
    uint32_t rate = worker->limits.connections_per_second;
    if (rate == 0)
        return true;
    uint32_t wait_ms = address_rates_take(worker->shared.rates, session->address_key, worker_now(worker),
                                          rate, WORKER_SLOWED_MAX_MS);
    if (wait_ms == ADDRESS_RATES_REFUSED)
        session_reject(session, CLIENT_LIMIT_CONNECTION_RATE);
    else if (wait_ms > 0)
        slow_down(session, wait_ms);
    return wait_ms == 0;
}

void session_admit(struct session *session)
{
    if (!is_welcome(session))
        session_refuse(session, REFUSAL_DENIED, NULL);
    else if (take_places(session) && take_token(session))
        enter(session);
}

/* A balancer's connection: its header tells who the client is. */
static void begin_balanced(struct session *session)
{
    struct worker *worker = session->worker;
    if (!worker_admit_session(worker, &session->in_worker))
        session_reject(session, worker->limits.sessions_by);
    else if (!handshakes_enter_unnamed(&worker->handshakes, &session->handshake))
        session_reject(session, CLIENT_LIMIT_HANDSHAKES);
    else
        session_begin_header(session, true);
}

static void begin_session(struct session *session)
{
    const struct cfg_proxy_protocol *proxy = session->service->cfg->proxy_protocol;
    const struct sockaddr *address = (const struct sockaddr *)&session->address;
    int len = sizeof session->address;
    if (uv_tcp_getpeername(&session->client.tcp, (struct sockaddr *)&session->address, &len) != 0) {
        session_close(session, END_CLIENT_CLOSED, "disconnected before accept");
        return;
    }
    address_unmap(&session->address);
    if (proxy != NULL && address_is_in(address, &proxy->from))
        begin_balanced(session);
    else if (proxy == NULL || proxy->is_optional)
        session_admit(session);
    else
        session_refuse(session, REFUSAL_PROXY_UNTRUSTED, NULL);
}

static void begin_accepted(struct session *session, int fd, struct generation *generation)
{
    struct worker *worker = session->worker;
    session->timeout = WORKER_TIMEOUTS;
    session->started = worker_now(worker);
    session->number = worker->next_session++;
    session->client.on_drained = session_on_client_drained;
    ENSURE(uv_tcp_init(&worker->loop, &session->client.tcp) == 0);
    session->client.tcp.data = session;
    worker_add_session(worker, &session->in_worker, generation);
    session_count(session, COUNTER_SESSIONS);
    if (uv_tcp_open(&session->client.tcp, fd) == 0) {
        begin_session(session);
        return;
    }
    close(fd);
    session_close(session, END_CLIENT_CLOSED, "disconnected before accept");
}

/* Memory comes first: without it, the connection waits in the kernel. */
enum accept_outcome session_accept(struct worker *worker, const struct incoming *incoming)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        errno = ENOMEM;
        return ACCEPT_SHORT;
    }
    session->worker = worker;
    session->service = incoming->service;
    int fd;
    enum accept_outcome outcome = accepting_take(incoming, &fd);
    if (outcome == ACCEPT_DONE) {
        begin_accepted(session, fd, incoming->generation);
    } else {
        int error = errno;
        free(session);
        errno = error;
    }
    return outcome;
}
