/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/checks/server_check.h"

#include "base/array.h"
#include "base/state_machine.h"
#include "protocols/proxy_protocol/proxy_v1.h"
#include "protocols/proxy_protocol/proxy_v2.h"
#include "proxy/common/address.h"
#include "proxy/common/connect_failure.h"
#include "proxy/common/connecting.h"
#include "proxy/common/tcp_options.h"
#include "tls/endpoint/tls_backend.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum {
    READ_CAP = 16 * 1024,
    PLAIN_CAP = TLS_HELD_MAX + TLS_PLAIN_SLACK,
    COMMAND_MAX = 1024 /* what a dialogue says at once */
};
_Static_assert((int)READ_CAP <= (int)TLS_HELD_MAX, "the plaintext buffer has room for either");

/*
 *     CONNECTING ─► CLEAR ─► HANDSHAKE ─► SECURED ─► LINGERING ─► CLOSED
 *
 * A pool without TLS stays in CLEAR, one with implicit TLS skips it; every state may move to CLOSED.
 */
enum state { CONNECTING, CLEAR, HANDSHAKE, SECURED, LINGERING, CLOSED };

static const char *const names[] = {
    [CONNECTING] = "connecting", [CLEAR] = "clear",         [HANDSHAKE] = "handshake",
    [SECURED] = "secured",       [LINGERING] = "lingering", [CLOSED] = "closed",
};
static const unsigned moves[] = {
    [CONNECTING] = STATE(CLEAR) | STATE(CLOSED),
    [CLEAR] = STATE(HANDSHAKE) | STATE(LINGERING) | STATE(CLOSED),
    [HANDSHAKE] = STATE(SECURED) | STATE(CLOSED),
    [SECURED] = STATE(LINGERING) | STATE(CLOSED),
    [LINGERING] = STATE(CLOSED),
    [CLOSED] = 0,
};
STATE_MACHINE_ASSERT(names, moves, CLOSED);
static const struct state_machine machine = {"server-check", names, moves, ARRAY_LEN(names), NULL};

struct server_check {
    struct check_runner *runner; /* not to be used when CLOSED */
    struct server_check *next;
    struct server_check *previous;
    struct check_target target; /* its texts are owned */
    struct check_dialogue *dialogue;
    enum state state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } conn;
    bool has_conn; /* libuv knows the handle */
    uv_connect_t connect;
    uv_timer_t timer;
    unsigned open_handles;
    struct tls_endpoint *endpoint;
    struct key_client_handle signature;
    server_check_cb done;
    void *arg;
    uint64_t started_ns;
    uint64_t settled_ns; /* 0: not yet */
};

static void move(struct server_check *check, enum state to)
{
    check->state = (enum state)state_machine_move(&machine, NULL, check, check->state, to);
}

/* ---- the end ---- */

static void free_check(struct server_check *check)
{
    check_dialogue_free(&check->dialogue);
    free((char *)(uintptr_t)check->target.hostname);
    free((char *)(uintptr_t)check->target.tls_name);
    free(check);
}

static void on_closed(uv_handle_t *handle)
{
    struct server_check *check = handle->data;
    if (--check->open_handles == 0)
        free_check(check);
}

static void leave_runner(struct server_check *check)
{
    if (check->next != NULL)
        check->next->previous = check->previous;
    if (check->previous != NULL)
        check->previous->next = check->next;
    else
        check->runner->first = check->next;
}

/* Nothing more comes in. */
static void detach(struct server_check *check)
{
    move(check, CLOSED);
    leave_runner(check);
    if (check->runner->keys != NULL)
        key_client_cancel(check->runner->keys, &check->signature);
}

static void release(struct server_check *check)
{
    tls_endpoint_free(&check->endpoint);
    pool_tls_unref(&check->target.tls);
    if (check->has_conn)
        uv_close(&check->conn.handle, on_closed);
    uv_close((uv_handle_t *)&check->timer, on_closed);
}

void server_check_cancel(struct server_check **check)
{
    struct server_check *cancelled = *check;
    *check = NULL;
    if (cancelled == NULL)
        return;
    detach(cancelled);
    release(cancelled);
}

static void note_settled(struct server_check *check)
{
    if (check->settled_ns == 0 && check_dialogue_is_settled(check->dialogue))
        check->settled_ns = uv_hrtime();
}

static void report(struct server_check *check)
{
    note_settled(check);
    struct check_report found = {.result = check_dialogue_result(check->dialogue),
                                 .detail = check_dialogue_detail(check->dialogue),
                                 .duration_ms = (check->settled_ns - check->started_ns) / 1000000,
                                 .facts = check_dialogue_facts(check->dialogue)};
    check->done(check->arg, &found);
    server_facts_unref(&found.facts);
}

static void end_check(struct server_check *check)
{
    detach(check);
    report(check);
    release(check);
}

/* The result is known below the protocol. */
static void fail(struct server_check *check, enum check_result result, const char *detail)
{
    check_dialogue_fail(check->dialogue, result, detail);
    end_check(check);
}

/* ---- sending ---- */

struct queued_write {
    uv_write_t request;
    uint8_t data[];
};

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* after a failed write the server's end is read next */
    free(request);
}

/* A write that fails needs no answer: the end is read next, or the time is over. */
static void send_octets(struct server_check *check, struct slice octets)
{
    struct queued_write *write = octets.len > 0 ? malloc(sizeof *write + octets.len) : NULL;
    if (write == NULL)
        return;
    memcpy(write->data, octets.data, octets.len);
    uv_buf_t buffer = uv_buf_init((char *)write->data, (unsigned)octets.len);
    if (uv_write(&write->request, &check->conn.stream, &buffer, 1, on_written) != 0)
        free(write);
}

static void flush_tls(struct server_check *check)
{
    send_octets(check, tls_io_output(check->runner->io));
    tls_io_reset(check->runner->io);
}

/* False if the octets could not be sealed. */
static bool send_output(struct server_check *check)
{
    struct slice output = check_dialogue_output(check->dialogue);
    bool ok = true;
    if (output.len > 0 && check->state == SECURED) {
        ok = tls_endpoint_seal(check->endpoint, &output, 1);
        flush_tls(check);
    } else if (output.len > 0) {
        send_octets(check, output);
    }
    check_dialogue_sent(check->dialogue);
    return ok;
}

/* ---- after the goodbye ---- */

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

static void on_timer(uv_timer_t *timer);

/* FIN, and the server's is awaited: a connection that is closed before is reset if the server still sends. */
static void linger(struct server_check *check)
{
    if (check->endpoint != NULL) {
        tls_endpoint_close(check->endpoint);
        flush_tls(check);
    }
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request != NULL && uv_shutdown(request, &check->conn.stream, on_shutdown) != 0)
        free(request);
    move(check, LINGERING);
    uv_timer_start(&check->timer, on_timer, SERVER_CHECK_LINGER_MS, 0);
}

/* ---- TLS ---- */

static void begin_handshake(struct server_check *check)
{
    const struct protocol_traits *traits = protocol_traits(check->target.protocol);
    struct tls_backend_server server = {.name = check->target.tls_name,
                                        .protocols = traits->alpn.is_registered ? traits->alpn.list : NULL};
    check->endpoint = tls_endpoint_new_backend(check->target.tls->context, check->runner->io, &server);
    if (check->endpoint == NULL) {
        fail(check, CHECK_NOT_MADE, "no memory for TLS");
        return;
    }
    move(check, HANDSHAKE);
    tls_endpoint_start(check->endpoint);
    flush_tls(check);
    if (tls_endpoint_state(check->endpoint) == TLS_FAILED)
        fail(check, CHECK_NOT_MADE, tls_endpoint_failure(check->endpoint));
}

/* What follows from what the dialogue has made of the server's octets. May end the check. */
static void advance(struct server_check *check)
{
    note_settled(check);
    if (!send_output(check))
        fail(check, CHECK_NOT_MADE, "TLS cannot send");
    else if (check_dialogue_progress(check->dialogue) == CHECK_AGREED && check->state == CLEAR)
        begin_handshake(check);
    else if (check_dialogue_progress(check->dialogue) == CHECK_DONE)
        end_check(check);
}

/* The server has answered the goodbye, or was found wanting before. */
static void feed(struct server_check *check, struct slice plaintext)
{
    bool had_goodbye = check_dialogue_is_settled(check->dialogue);
    if (plaintext.len > 0)
        check_dialogue_feed(check->dialogue, plaintext);
    had_goodbye = had_goodbye && check_dialogue_progress(check->dialogue) == CHECK_DONE;
    if (had_goodbye)
        linger(check);
    else
        advance(check);
}

static void fail_handshake(struct server_check *check)
{
    const char *why = tls_endpoint_failure(check->endpoint);
    bool untrusted = tls_endpoint_server_is_untrusted(check->endpoint);
    if (check->state == SECURED)
        fail(check, CHECK_NO_ANSWER, why);
    else
        fail(check, untrusted ? CHECK_TLS_UNTRUSTED : CHECK_TLS_REFUSED, why);
}

static void on_signature(void *arg, struct slice signature);

static void await_signature(struct server_check *check)
{
    struct tls_sign_request wanted = tls_endpoint_sign_request(check->endpoint);
    if (key_client_handle_is_open(&check->signature))
        return;
    if (check->runner->keys == NULL ||
        !key_client_sign(check->runner->keys, &wanted, &check->signature, on_signature, check))
        fail(check, CHECK_NOT_MADE, TLS_NO_SIGNATURE);
}

static void secure(struct server_check *check)
{
    move(check, SECURED);
    if (check_dialogue_progress(check->dialogue) == CHECK_AGREED)
        check_dialogue_secured(check->dialogue);
}

/* `len` octets are in the plaintext buffer, and the endpoint may have come to another state. */
static void on_opened(struct server_check *check, size_t len)
{
    enum tls_state state = tls_endpoint_state(check->endpoint);
    flush_tls(check);
    if (state == TLS_FAILED) {
        fail_handshake(check);
        return;
    }
    if (state == TLS_AWAITS_SIGNATURE) {
        await_signature(check);
        return;
    }
    if (check->state == HANDSHAKE && state != TLS_HANDSHAKING)
        secure(check);
    if (check->state == SECURED)
        feed(check, (struct slice){check->runner->plain_buffer, len});
}

static void on_signature(void *arg, struct slice signature)
{
    struct server_check *check = arg;
    if (signature.len == 0)
        fail(check, CHECK_NOT_MADE, TLS_NO_SIGNATURE);
    else
        on_opened(check, tls_endpoint_signed(check->endpoint, signature, check->runner->plain_buffer));
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    const struct server_check *check = handle->data;
    (void)suggested;
    *buffer = uv_buf_init((char *)check->runner->read_buffer, READ_CAP);
}

static void on_end(struct server_check *check)
{
    if (check->state != LINGERING)
        check_dialogue_end(check->dialogue, false);
    end_check(check);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct server_check *check = stream->data;
    struct slice octets = {(const uint8_t *)buffer->base, len > 0 ? (size_t)len : 0};
    if (len < 0)
        on_end(check);
    else if (len > 0 && check->state == CLEAR)
        feed(check, octets);
    else if (len > 0 && (check->state == HANDSHAKE || check->state == SECURED))
        on_opened(check, tls_endpoint_receive(check->endpoint, octets, check->runner->plain_buffer));
}

/* ---- connecting ---- */

static enum check_result result_of(int error)
{
    if (connect_failure_of(error, true) != CONNECT_FAILURE_OF_SERVER)
        return CHECK_NOT_MADE;
    if (error == UV_ECONNREFUSED || error == UV_ENOENT)
        return CHECK_CONNECT_REFUSED;
    return error == UV_ETIMEDOUT ? CHECK_CONNECT_TIMEOUT : CHECK_CONNECT_FAILED;
}

static size_t write_v1(const struct server_check *check, char into[PROXY_V1_MAX + 1])
{
    struct sockaddr_storage own = {0};
    int len = sizeof own;
    char from[ADDRESS_TEXT_MAX];
    char to[ADDRESS_TEXT_MAX];
    const struct sockaddr *server = (const struct sockaddr *)&check->target.address;
    struct proxy_v1 header = {.client = NULL};
    if (server->sa_family != AF_UNIX &&
        uv_tcp_getsockname(&check->conn.tcp, (struct sockaddr *)&own, &len) == 0) {
        address_format_host((const struct sockaddr *)&own, from);
        address_format_host(server, to);
        header = (struct proxy_v1){.client = from,
                                   .proxy = to,
                                   .client_port = address_port((const struct sockaddr *)&own),
                                   .proxy_port = address_port(server)};
    }
    return proxy_v1_write(&header, into);
}

static void send_header(struct server_check *check)
{
    uint8_t header[PROXY_V2_MAX];
    size_t len = 0;
    if (check->target.identity == CFG_IDENTITY_PROXY_V2)
        len = proxy_v2_write(&(struct proxy_v2){.local = true}, header, sizeof header);
    else if (check->target.identity == CFG_IDENTITY_PROXY_V1)
        len = write_v1(check, (char *)header);
    send_octets(check, (struct slice){header, len});
}

static void on_connected(uv_connect_t *request, int status)
{
    struct server_check *check = request->data;
    if (check->state == CLOSED)
        return;
    int error = status == 0 ? uv_read_start(&check->conn.stream, on_alloc, on_read) : status;
    if (error != 0) {
        fail(check, result_of(error), connecting_words(error, check->target.address.ss_family));
        return;
    }
    move(check, CLEAR);
    send_header(check);
    if (check->target.tls_mode == CFG_POOL_TLS_IMPLICIT)
        begin_handshake(check);
}

static int connect_unix(struct server_check *check)
{
    const struct sockaddr_un *address = (const struct sockaddr_un *)(const void *)&check->target.address;
    int error = uv_pipe_init(check->runner->loop, &check->conn.pipe, 0);
    if (error != 0)
        return error;
    check->has_conn = true;
    uv_pipe_connect(&check->connect, &check->conn.pipe, address->sun_path, on_connected);
    return 0;
}

static int prepare_socket(const struct server_check *check)
{
    const struct check_target *target = &check->target;
    uv_os_fd_t fd;
    int error = uv_fileno(&check->conn.handle, &fd);
    if (error != 0)
        return error;
    (void)tcp_options_set(fd);
    return connecting_bind(fd, (const struct sockaddr *)&target->address, target->sources,
                           target->source_count, check->runner->started);
}

static int connect_tcp(struct server_check *check)
{
    const struct sockaddr *address = (const struct sockaddr *)&check->target.address;
    int error = uv_tcp_init_ex(check->runner->loop, &check->conn.tcp, address->sa_family);
    if (error != 0)
        return error;
    check->has_conn = true;
    error = prepare_socket(check);
    if (error != 0)
        return error;
    return uv_tcp_connect(&check->connect, &check->conn.tcp, address, on_connected);
}

static void begin_connecting(struct server_check *check)
{
    bool is_unix = check->target.address.ss_family == AF_UNIX;
    check->connect.data = check;
    check->conn.handle.data = check;
    int error = is_unix ? connect_unix(check) : connect_tcp(check);
    check->open_handles += check->has_conn;
    check->conn.handle.data = check;
    if (error == 0)
        return;
    check_dialogue_fail(check->dialogue, check->has_conn ? result_of(error) : CHECK_NOT_MADE,
                        connecting_words(error, check->target.address.ss_family));
    uv_timer_start(&check->timer, on_timer, 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct server_check *check = timer->data;
    if (check->state == CONNECTING)
        check_dialogue_fail(check->dialogue, CHECK_CONNECT_TIMEOUT, "timeout while connecting");
    else if (check->state == HANDSHAKE && key_client_handle_is_open(&check->signature))
        check_dialogue_fail(check->dialogue, CHECK_NOT_MADE, TLS_NO_SIGNATURE);
    else if (check->state == HANDSHAKE)
        check_dialogue_fail(check->dialogue, CHECK_TLS_TIMEOUT, "timeout in the TLS handshake");
    else if (check->state != LINGERING)
        check_dialogue_end(check->dialogue, true);
    end_check(check);
}

/* ---- the start ---- */

static bool copy_target(struct server_check *check, const struct check_target *target)
{
    check->target = *target;
    check->target.tls = NULL;
    check->target.hostname = strdup(target->hostname);
    check->target.tls_name = target->tls_name != NULL ? strdup(target->tls_name) : NULL;
    return check->target.hostname != NULL && (target->tls_name == NULL || check->target.tls_name != NULL);
}

static struct check_settings settings_of(const struct check_target *target)
{
    bool v2 = target->identity == CFG_IDENTITY_PROXY_V2;
    bool clear = target->tls_mode == CFG_POOL_TLS_NONE;
    return (struct check_settings){.protocol = target->protocol,
                                   .hostname = target->hostname,
                                   .starttls = target->tls_mode == CFG_POOL_TLS_STARTTLS,
                                   .over_tls = target->tls_mode == CFG_POOL_TLS_IMPLICIT,
                                   .proxy_header = v2 || target->identity == CFG_IDENTITY_PROXY_V1,
                                   .needs_xclient = target->identity == CFG_IDENTITY_NATIVE &&
                                                    target->protocol != PROTOCOL_IMAP,
                                   .judges_login = !(v2 && clear)};
}

static bool prepare(struct server_check *check, const struct check_target *target)
{
    if (!copy_target(check, target))
        return false;
    struct check_settings settings = settings_of(&check->target);
    check->dialogue = check_dialogue_new(&settings);
    return check->dialogue != NULL && uv_timer_init(check->runner->loop, &check->timer) == 0;
}

struct server_check *server_check_start(struct check_runner *runner, const struct check_target *target,
                                        server_check_cb done, void *arg)
{
    struct server_check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return NULL;
    check->runner = runner;
    if (!prepare(check, target)) {
        free_check(check);
        return NULL;
    }
    check->done = done;
    check->arg = arg;
    check->started_ns = uv_hrtime();
    check->timer.data = check;
    check->open_handles = 1;
    check->target.tls = target->tls != NULL ? pool_tls_ref(target->tls) : NULL;
    check->next = runner->first;
    if (runner->first != NULL)
        runner->first->previous = check;
    runner->first = check;
    uv_update_time(runner->loop); /* or what this turn of the loop has cost would be taken from the check */
    uv_timer_start(&check->timer, on_timer, target->timeout_ms, 0);
    runner->started++;
    begin_connecting(check);
    return check;
}

bool check_runner_open(struct check_runner *runner, uv_loop_t *loop, struct key_client *keys)
{
    *runner = (struct check_runner){.loop = loop, .keys = keys};
    runner->io = tls_io_new(tls_sealed_bound(COMMAND_MAX, 1));
    runner->read_buffer = malloc(READ_CAP);
    runner->plain_buffer = malloc(PLAIN_CAP);
    return runner->io != NULL && runner->read_buffer != NULL && runner->plain_buffer != NULL;
}

void check_runner_close(struct check_runner *runner)
{
    for (struct server_check *check; (check = runner->first) != NULL;)
        server_check_cancel(&check);
    tls_io_free(&runner->io);
    free(runner->read_buffer);
    free(runner->plain_buffer);
    runner->read_buffer = runner->plain_buffer = NULL;
}
