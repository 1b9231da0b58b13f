/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/array.h"
#include "base/ensure.h"
#include "proxy/common/address.h"
#include "proxy/common/connect_failure.h"
#include "proxy/common/connecting.h"
#include "proxy/common/monotonic.h"
#include "proxy/common/tcp_options.h"
#include "proxy/runtime/client_certificates.h"
#include "proxy/session/identity.h"
#include "tls/tls_random.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- dropping ---- */

static void on_link_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop_link(struct session *session)
{
    struct backend_link *link = session->link;
    if (link == NULL)
        return;
    backend_tls_drop(link, session->worker);
    session->link = NULL;
    link->session = NULL;
    uv_close((uv_handle_t *)&link->conn.tcp, on_link_closed);
}

void session_drop_backend(struct session *session)
{
    drop_link(session);
    session_leave_queue(session);
    session_give_back_place(session);
}

/* Nothing that came from the server is left. */
static void forget_server(struct session *session)
{
    drop_link(session);
    engine_free(&session->engine);
    bytes_free(&session->pending_input[SIDE_BACKEND]);
    session->pending_start[SIDE_BACKEND] = 0;
    session_move(session, SESSION_CONNECTING);
}

/* ---- servers that fail ---- */

/* What a server had to do in a state. */
struct duty {
    const char *closed;
    const char *timed_out;
};

static const struct duty duties[] = {
    [SESSION_CONNECTING] = {NULL, "timeout while connecting"},
    [SESSION_BACKEND_STARTTLS] = {"closed the connection when asked for TLS", "timeout while asking for TLS"},
    [SESSION_BACKEND_HANDSHAKE] = {"closed the connection in the TLS handshake",
                                   "timeout in the TLS handshake"},
    [SESSION_GREETING] = {"closed the connection before its greeting",
                          "timeout while waiting for its greeting"},
    [SESSION_RELAYING] = {"closed the connection after its greeting", NULL},
};

static bool has_proxy_header(const struct session *session)
{
    enum cfg_identity identity = session->service->pool->cfg->identity;
    return identity == CFG_IDENTITY_PROXY_V1 || identity == CFG_IDENTITY_PROXY_V2;
}

#define BELIEVES_HEADER                                                                                      \
    ": does it expect a PROXY header on this port, and from this proxy's address (Dovecot: haproxy = yes "   \
    "in "                                                                                                    \
    "the inet_listener, and haproxy_trusted_networks)?"

/* Servers end without a word what a PROXY header is missing from, or is not believed. */
const char *session_words_for_close(const struct session *session)
{
    enum session_state state = session->state;
    ENSURE(state < ARRAY_LEN(duties) && duties[state].closed != NULL);
    if (state == SESSION_GREETING && has_proxy_header(session))
        return "closed the connection before its greeting" BELIEVES_HEADER;
    if (state == SESSION_BACKEND_HANDSHAKE && has_proxy_header(session))
        return "closed the connection in the TLS handshake" BELIEVES_HEADER;
    return duties[state].closed;
}

/* A port that expects the header waits for it. */
static const char *words_for_timeout(const struct session *session)
{
    if (session->state == SESSION_GREETING && !has_proxy_header(session))
        return "timeout while waiting for its greeting: does this port expect a PROXY header (identity = "
               "\"proxy-v2\" of the pool)?";
    return duties[session->state].timed_out;
}

/* How the server in use has failed, in the present state. */
static enum server_cause kind_of_failure(const struct session *session)
{
    switch (session->state) {
    case SESSION_CONNECTING:
        return SERVER_CONNECT_FAILED;
    case SESSION_BACKEND_STARTTLS:
    case SESSION_BACKEND_HANDSHAKE:
        return session_backend_is_untrusted(session) ? SERVER_TLS_UNTRUSTED : SERVER_TLS_FAILED;
    default:
        return session->link != NULL && session->link->conn.input_ended ? SERVER_CLOSED_EARLY
                                                                        : SERVER_BAD_GREETING;
    }
}

static enum server_cause kind_of_timeout(const struct session *session)
{
    if (session->state == SESSION_CONNECTING)
        return SERVER_CONNECT_TIMEOUT;
    return session->state == SESSION_GREETING ? SERVER_NO_GREETING : SERVER_TLS_TIMEOUT;
}

/* Of a Unix socket UV_ENOENT: nobody serves there. */
static enum server_cause kind_of_error(int error)
{
    return error == UV_ECONNREFUSED || error == UV_ENOENT ? SERVER_CONNECT_REFUSED
           : error == UV_ETIMEDOUT                        ? SERVER_CONNECT_TIMEOUT
                                                          : SERVER_CONNECT_FAILED;
}

/* What is suspected already is no news: if all are down, the log has it once a second. */
static bool is_failure_due(const struct session *session)
{
    bool is_new = atomic_load(&session->place.server->strikes) == 0;
    return is_new || pool_state_may_tell_down(session_members(session)->pool, monotonic_ms());
}

static void mark_failed(struct session *session, enum server_cause kind, const char *error)
{
    if (is_failure_due(session))
        session_log_server_failed(session, error);
    reservation_failed(&session->place, kind, monotonic_ms());
}

void session_mark_server_failed(struct session *session, const char *error)
{
    mark_failed(session, kind_of_failure(session), error);
}

void session_mark_slow_server(struct session *session)
{
    const struct pool_state *pool = session_members(session)->pool;
    if (!session_is_in(session, SESSION_IS_UNGREETED) || session->link == NULL ||
        session_backend_awaits_signature(session) ||
        worker_now(session->worker) - session->link->last_heard <
            pool_state_silence_ms(pool, GENERATION_SLOW_MS))
        return;
    session_log_slow_server(session, "a client gave up waiting");
    reservation_failed(&session->place, kind_of_timeout(session), monotonic_ms());
}

static void connect_to_next(struct session *session, const char *local_error, const char *refusal);

/* The server in use is not tried again. False if memory is short: the session is CLOSED then. */
MUST_CHECK static bool leave_server(struct session *session)
{
    bool ok = session_leave_server(session);
    forget_server(session);
    if (!ok)
        session_close(session, END_NO_MEMORY, NULL);
    return ok;
}

/* A server that refuses this client may serve others: it stays in the round. */
static void try_next(struct session *session, enum server_cause kind, const char *error)
{
    char *refusal = session->engine != NULL ? engine_take_refusal(session->engine) : NULL;
    if (refusal != NULL)
        session_log_server_failed(session, error);
    else
        mark_failed(session, kind, error);
    if (refusal == NULL && (kind == SERVER_NO_GREETING || kind == SERVER_TLS_TIMEOUT))
        session_watch_server(session);
    if (leave_server(session))
        connect_to_next(session, NULL, refusal);
    free(refusal);
}

void session_try_next_without_words(struct session *session, const char *error)
{
    session_log_server_failed(session, error);
    if (leave_server(session))
        connect_to_next(session, NULL, NULL);
}

void session_try_next_server(struct session *session, const char *error)
{
    try_next(session, kind_of_failure(session), error);
}

void session_server_timed_out(struct session *session)
{
    if (session->link == NULL)
        session_wait_expired(session);
    else if (session_backend_awaits_signature(session))
        session_give_up_signature(session);
    else
        try_next(session, kind_of_timeout(session), words_for_timeout(session));
}

/* ---- connecting ---- */

static void on_link_drained(struct tcp_conn *conn, int status)
{
    struct backend_link *link = conn->tcp.data;
    (void)status; /* after a failed write the server's end is read next */
    if (link->session != NULL)
        session_advance(link->session);
}

static bool send_identity(struct session *session)
{
    uint8_t header[IDENTITY_HEADER_MAX];
    size_t len = identity_header(session, header);
    struct slice slice = {header, len};
    return len == 0 || tcp_conn_write(&session->link->conn, &slice, 1) == 0;
}

static const struct sockaddr *server_address(const struct session *session)
{
    return (const struct sockaddr *)&session->place.server->identity.address;
}

/* A connection to this server could not be made. May end the session. */
static void fail_connecting(struct session *session, int error, bool has_socket)
{
    const char *words = connecting_words(error, server_address(session)->sa_family);
    switch (connect_failure_of(error, has_socket)) {
    case CONNECT_FAILURE_OF_SERVER:
        try_next(session, kind_of_error(error), words);
        break;
    case CONNECT_FAILURE_OF_ROUTE:
        session_log_local_failure(session, words);
        if (leave_server(session))
            connect_to_next(session, words, NULL);
        break;
    case CONNECT_FAILURE_OF_MACHINE:
        session_log_local_failure(session, words);
        session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE, END_NO_RESOURCES, words);
        break;
    }
}

static void finish_connecting(struct backend_link *link, int status)
{
    struct session *session = link->session;
    if (session == NULL)
        return;
    if (status != 0) {
        fail_connecting(session, status, true);
        return;
    }
    if (!send_identity(session)) {
        session_try_next_server(session, "closed the connection at once");
        return;
    }
    session_set_server_timeout(session, WORKER_TIMEOUT_GREETING);
    if (session_begin_backend_tls(session))
        session_advance(session);
    else
        session_close(session, END_NO_MEMORY, NULL);
}

static void on_connected(uv_connect_t *request, int status)
{
    finish_connecting(request->data, status);
}

static void on_unix_connected(uv_write_t *request, int status)
{
    struct backend_link *link = request->data;
    free(request);
    finish_connecting(link, status);
}

/* The session has the link from now on, whose handle libuv knows. */
static void hold_link(struct session *session, struct backend_link *link)
{
    link->conn.tcp.data = link;
    session->link = link;
}

/* A connection without options is still of use, one from another address is not. */
static int prepare_socket(const struct session *session, const uv_tcp_t *tcp)
{
    const struct cfg_pool *pool = session->service->pool->cfg;
    uint64_t turn = atomic_load(&session->place.server->connects);
    uv_os_fd_t fd;
    int error = uv_fileno((const uv_handle_t *)tcp, &fd);
    if (error != 0)
        return error;
    (void)tcp_options_set(fd);
    return connecting_bind(fd, server_address(session), pool->sources, pool->source_count, turn);
}

static int connect_tcp(struct session *session, struct backend_link *link)
{
    const struct sockaddr *address = server_address(session);
    int error = uv_tcp_init_ex(&session->worker->loop, &link->conn.tcp, address->sa_family);
    if (error != 0)
        return error;
    hold_link(session, link);
    link->connect.data = link;
    error = prepare_socket(session, &link->conn.tcp);
    if (error != 0)
        return error;
    return uv_tcp_connect(&link->connect, &link->conn.tcp, address, on_connected);
}

/*
 * To libuv it is a TCP connection, which differs in nothing that a session uses. Writing nothing calls back
 * from the loop before anything is read, as connecting does.
 */
static int adopt_unix(struct session *session, struct backend_link *link, int fd)
{
    uv_buf_t nothing = uv_buf_init(NULL, 0);
    int error = uv_tcp_init(&session->worker->loop, &link->conn.tcp);
    if (error == 0) {
        hold_link(session, link);
        error = uv_tcp_open(&link->conn.tcp, fd);
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    uv_write_t *request = malloc(sizeof *request);
    if (request == NULL)
        return UV_ENOMEM;
    request->data = link;
    error = uv_write(request, (uv_stream_t *)&link->conn.tcp, &nothing, 1, on_unix_connected);
    if (error != 0)
        free(request);
    return error;
}

/* An error of the socket is the server's, though there is no link. */
static int connect_unix(struct session *session, struct backend_link *link, bool *has_socket)
{
    int fd;
    int error = connecting_to_unix(server_address(session), session->place.server->identity.address_len, &fd,
                                   has_socket);
    return error != 0 ? error : adopt_unix(session, link, fd);
}

static int start_connecting(struct session *session, struct backend_link *link, bool *has_socket)
{
    link->conn.on_drained = on_link_drained;
    link->session = session;
    link->last_heard = worker_now(session->worker);
    int error;
    if (server_address(session)->sa_family == AF_UNIX) {
        error = connect_unix(session, link, has_socket);
    } else {
        error = connect_tcp(session, link);
        *has_socket = session->link != NULL;
    }
    if (error == 0)
        session_await_server(session);
    return error;
}

static bool make_engine(struct session *session)
{
    char address[ADDRESS_TEXT_MAX];
    char connected[ADDRESS_TEXT_MAX];
    char id[SESSION_ID_MAX];
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    if (session->service->engine.sends_identity) /* nobody else asks */
        identity_connected_address(session, &own);
    address_format_host((const struct sockaddr *)&session->address, address);
    address_format_host((const struct sockaddr *)&own, connected);
    session_format_id(session, id);
    struct tls_info tls = tls_endpoint_info(session->tls.endpoint);
    struct client_name name =
        client_certificates_name(session->service->cfg->client_certificates, tls.client_certificate,
                                 session->service->pool->cfg->identity);
    struct engine_client client = {.tls_cipher = tls.cipher,
                                   .address = address,
                                   .session_id = id,
                                   .connected_address = connected,
                                   .login = name.login,
                                   .external = name.external,
                                   .port = address_port((const struct sockaddr *)&session->address),
                                   .connected_port = address_port((const struct sockaddr *)&own)};
    tls_random_text(client.nonce, ENGINE_NONCE_LEN);
    session->engine = engine_new(&session->service->engine, &client);
    return session->engine != NULL;
}

/* False if memory is short: the session is CLOSED then. */
static bool prepare_engine(struct session *session)
{
    ENSURE(session->state == SESSION_CONNECTING);
    if (make_engine(session))
        return true;
    session_close(session, END_NO_MEMORY, NULL);
    return false;
}

void session_connect_to_place(struct session *session)
{
    session_log_server_chosen(session);
    session_forget_parting(session);
    session_set_server_timeout(session, WORKER_TIMEOUT_CONNECT);
    struct backend_link *link = calloc(1, sizeof *link);
    bool has_socket = false;
    int error = link != NULL ? start_connecting(session, link, &has_socket) : UV_ENOMEM;
    if (error == 0)
        return;
    if (session->link == NULL)
        free(link);
    fail_connecting(session, error, has_socket);
}

void session_give_up(struct session *session, const char *local_error, const char *refusal)
{
    if (refusal != NULL)
        session_send_refusal(session, refusal, END_BACKEND_UNAVAILABLE);
    else
        session_send_goodbye(session, ENGINE_GOODBYE_UNAVAILABLE,
                             local_error != NULL ? END_NO_RESOURCES : END_BACKEND_UNAVAILABLE, local_error);
}

/*
 * `local_error`: what this machine lacked for the server before, or NULL; `refusal`: the words with which
 * that server has refused the client, or NULL: the client gets them if no server is left. May end the
 * session.
 */
static void connect_to_next(struct session *session, const char *local_error, const char *refusal)
{
    if (!prepare_engine(session))
        return;
    switch (session_choose(session, local_error == NULL && refusal == NULL)) {
    case SESSION_HAS_PLACE:
        session_connect_to_place(session);
        break;
    case SESSION_WAITS:
        break;
    case SESSION_HAS_NONE:
        session_give_up(session, local_error, refusal);
    }
}

void session_connect(struct session *session)
{
    session->wanted_after_ms = (uint32_t)(worker_now(session->worker) - session->started);
    connect_to_next(session, NULL, NULL);
}

void session_server_ended(struct session *session, const char *error)
{
    if (!session_give_up_resumption(session)) {
        session_try_next_server(session, error);
        return;
    }
    session_log_odd_server(session, "ends a handshake that resumes a session: none is resumed for an hour");
    forget_server(session);
    if (prepare_engine(session))
        session_connect_to_place(session);
}
