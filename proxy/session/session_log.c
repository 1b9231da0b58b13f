/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "base/array.h"
#include "proxy/common/address.h"

#include <stdio.h>

/*
 * What a session logs. Each line has session=, service=, client= and, after a server was chosen, pool=,
 * server= and, for those who know the line by it, backend=, which is the server as well.
 *
 *     level    event               fields, and when
 *     info     session             via tls cipher resumed alpn client_cert... sni in out duration reason
 *                                  detail, the client's reports: a session has ended; debug if it is a
 *                                  quiet one
 *     warning  starttls-injection  discarded: octets after STARTTLS and before the handshake were dropped
 *     warning  backend-failed      error: the server failed, and is suspected; once a second while it is
 *     warning  local-failure       error: this machine lacks what a connection to the server needs; once a
 *                                  minute for each server, which is not to blame
 *     warning  backend-warning     warning: something is odd about the server; once a minute for each server
 *
 * Level debug shows what a session does and waits for, never its content:
 *
 *     debug    move                machine from to: a state machine has moved to another state: "session", or
 *                                  one of the session's engine
 *     debug    timeout             class seconds: another timeout runs ("login", "idle" ...); one that starts
 *                                  anew with each octet is logged once
 *     debug    server-chosen       attempt: this server is tried, as the first, second ... for the session
 *     debug    backend-tls         tls cipher resumed: the TLS handshake with the server is done
 *
 * A reload that changes log_level holds for sessions that began before it, too.
 */

/* Often enough to be seen, and no flood if every session of a busy server meets the same. */
#define WARNING_INTERVAL_MS 60000

void session_format_id(const struct session *session, char into[SESSION_ID_MAX])
{
    snprintf(into, SESSION_ID_MAX, "%s-%llu", session->worker->id, (unsigned long long)session->number);
}

static void begin_line(const struct session *session, struct log_line *line, enum cfg_log_level level,
                       const char *event)
{
    char id[SESSION_ID_MAX];
    char address[ADDRESS_TEXT_MAX];
    log_line_begin(line, level, event);
    session_format_id(session, id);
    log_line_add_text(line, "session", id);
    log_line_add_text(line, "service", session->service->cfg->name);
    address_format((const struct sockaddr *)&session->address, address);
    log_line_add_text(line, "client", address);
    if (session->place.server == NULL)
        return;
    log_line_add_text(line, "pool", session->service->pool->cfg->name);
    address_format((const struct sockaddr *)&session->place.server->identity.address, address);
    log_line_add_text(line, "server", session->place.server->identity.name);
    log_line_add_text(line, "backend", address);
}

static void add_client_certificate(struct log_line *line, const struct tls_client_certificate *certificate)
{
    if (certificate == NULL)
        return;
    log_line_add_text(line, "client_cert", certificate->subject);
    log_line_add_text(line, "client_cert_serial", certificate->serial);
    log_line_add_text(line, "client_cert_fingerprint", certificate->fingerprint);
}

static void add_tls(const struct session *session, struct log_line *line)
{
    if (session->tls.endpoint == NULL)
        return;
    struct tls_info info = tls_endpoint_info(session->tls.endpoint);
    if (session->engine != NULL) { /* the handshake was done, whatever followed */
        log_line_add_text(line, "tls", info.version);
        log_line_add_text(line, "cipher", info.cipher);
        log_line_add_text(line, "resumed", info.resumed ? "yes" : "no");
        if (info.protocol.len > 0)
            log_line_add(line, "alpn", info.protocol);
        add_client_certificate(line, info.client_certificate);
    }
    log_line_add_text(line, "sni", info.server_name);
}

/* Draft section 7: by these reports the operator sees which clients would break. */
static void add_reports(const struct session *session, struct log_line *line)
{
    static const char *const keys[ENGINE_REPORT_FIELDS] = {[ENGINE_REPORT_NAME] = "client_name",
                                                           [ENGINE_REPORT_VERSION] = "client_version",
                                                           [ENGINE_REPORT_LATCH] = "latch",
                                                           [ENGINE_REPORT_LATCH_FAIL] = "latch_fail",
                                                           [ENGINE_REPORT_SECURITY_TAGS] = "security_tags"};
    for (int i = 0; session->engine != NULL && i < ENGINE_REPORT_FIELDS; i++)
        log_line_add_text(line, keys[i], engine_report(session->engine, (enum engine_report_field)i));
}

static void add_balancer(const struct session *session, struct log_line *line)
{
    struct sockaddr_storage balancer;
    char address[ADDRESS_TEXT_MAX];
    if (!session_origin_balancer(session, &balancer))
        return;
    address_format((const struct sockaddr *)&balancer, address);
    log_line_add_text(line, "via", address);
}

void session_log_end(const struct session *session)
{
    struct log_line line;
    bool is_quiet = quiet_of(session) != QUIET_NOT;
    begin_line(session, &line, is_quiet ? CFG_LOG_DEBUG : CFG_LOG_INFO, "session");
    add_balancer(session, &line);
    add_tls(session, &line);
    log_line_add_number(&line, "in", session->octets[SIDE_CLIENT]);
    log_line_add_number(&line, "out", session->octets[SIDE_BACKEND]);
    log_line_add_seconds(&line, "duration", worker_now(session->worker) - session->started);
    log_line_add_text(&line, "reason", end_reason_name(session->reason));
    log_line_add_text(&line, "detail", session->detail);
    add_reports(session, &line);
    log_queue_put(session->worker->log, &line);
}

void session_log_discarded(const struct session *session, size_t octets)
{
    struct log_line line;
    begin_line(session, &line, CFG_LOG_WARNING, "starttls-injection");
    log_line_add_number(&line, "discarded", octets);
    log_queue_put(session->worker->log, &line);
}

void session_log_server_failed(const struct session *session, const char *error)
{
    struct log_line line;
    begin_line(session, &line, CFG_LOG_WARNING, "backend-failed");
    log_line_add_text(&line, "error", error);
    log_queue_put(session->worker->log, &line);
}

/* True for one caller a minute. `warned`: when it was last so, in worker_now's time; 0: never. */
static bool is_warning_due(_Atomic uint64_t *warned, uint64_t now)
{
    uint64_t last = atomic_load_explicit(warned, memory_order_relaxed);
    if (last != 0 && now < last + WARNING_INTERVAL_MS)
        return false;
    return atomic_compare_exchange_strong_explicit(warned, &last, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void session_log_local_failure(const struct session *session, const char *error)
{
    if (!is_warning_due(&session->place.server->warned_of_us_ms, worker_now(session->worker)))
        return;
    struct log_line line;
    begin_line(session, &line, CFG_LOG_WARNING, "local-failure");
    log_line_add_text(&line, "error", error);
    log_queue_put(session->worker->log, &line);
}

void session_log_warning(struct session *session)
{
    const char *warning = engine_status(session->engine)->warning;
    if (warning == session->warning)
        return;
    session->warning = warning;
    if (warning != NULL)
        session_log_odd_server(session, warning);
}

void session_log_slow_server(const struct session *session, const char *error)
{
    if (is_warning_due(&session->place.server->warned_ms, worker_now(session->worker)))
        session_log_server_failed(session, error);
}

void session_log_odd_server(const struct session *session, const char *warning)
{
    if (!is_warning_due(&session->place.server->warned_ms, worker_now(session->worker)))
        return;
    struct log_line line;
    begin_line(session, &line, CFG_LOG_WARNING, "backend-warning");
    log_line_add_text(&line, "warning", warning);
    log_queue_put(session->worker->log, &line);
}

/* ---- level debug ---- */

static void log_move(void *arg, const struct state_machine *machine, unsigned from, unsigned to)
{
    const struct session *session = arg;
    struct log_line line;
    begin_line(session, &line, CFG_LOG_DEBUG, "move");
    log_line_add_text(&line, "machine", machine->name);
    log_line_add_text(&line, "from", machine->names[from]);
    log_line_add_text(&line, "to", machine->names[to]);
    log_queue_put(session->worker->log, &line);
}

const struct state_trace *session_trace(struct session *session)
{
    struct worker *worker = session->worker;
    if (!session_is_debugged(session))
        return NULL;
    worker->trace = (struct state_trace){log_move, session};
    return &worker->trace;
}

void session_set_engine_trace(struct session *session)
{
    const struct state_trace *trace = session_trace(session);
    session->is_traced = trace != NULL;
    engine_set_trace(session->engine, trace);
}

void session_log_timeout(const struct session *session)
{
    static const char *const classes[] = {
        [WORKER_TIMEOUT_HANDSHAKE] = "handshake", [WORKER_TIMEOUT_CONNECT] = "connect",
        [WORKER_TIMEOUT_GREETING] = "greeting",   [WORKER_TIMEOUT_ABANDONED] = "abandoned",
        [WORKER_TIMEOUT_LOGIN] = "login",         [WORKER_TIMEOUT_COMMAND] = "command",
        [WORKER_TIMEOUT_IDLE] = "idle",           [WORKER_TIMEOUT_CLOSING] = "closing",
        [WORKER_TIMEOUT_ENDING] = "ending",       [WORKER_TIMEOUT_SLOWED] = "slowed",
        [WORKER_TIMEOUT_SLOWED_2] = "slowed",     [WORKER_TIMEOUT_SLOWED_3] = "slowed",
        [WORKER_TIMEOUT_SLOWED_LAST] = "slowed",

        [WORKER_TIMEOUT_FAILOVER] = "failover",   [WORKER_TIMEOUT_QUICK] = "quick",
        [WORKER_TIMEOUT_QUICK + 1] = "quick",     [WORKER_TIMEOUT_QUICK + 2] = "quick",
        [WORKER_TIMEOUT_QUICK + 3] = "quick",     [WORKER_TIMEOUT_QUICK + 4] = "quick",
        [WORKER_TIMEOUT_QUICK + 5] = "quick",     [WORKER_TIMEOUT_PARTING] = "parting",
        [WORKER_TIMEOUT_PARTING + 1] = "parting", [WORKER_TIMEOUT_PARTING + 2] = "parting",
        [WORKER_TIMEOUT_PARTING + 3] = "parting", [WORKER_TIMEOUT_PARTING + 4] = "parting",
        [WORKER_TIMEOUT_PARTING + 5] = "parting", [WORKER_TIMEOUT_PARTING + 6] = "parting",
        [WORKER_TIMEOUT_PARTING + 7] = "parting"};
    _Static_assert(ARRAY_LEN(classes) == WORKER_TIMEOUTS, "a word for each class");
    struct log_line line;
    if (!session_is_debugged(session))
        return;
    begin_line(session, &line, CFG_LOG_DEBUG, "timeout");
    log_line_add_text(&line, "class", classes[session->timeout]);
    log_line_add_seconds(&line, "seconds", session->in_worker.generation->timeouts[session->timeout].span);
    log_queue_put(session->worker->log, &line);
}

void session_log_server_chosen(const struct session *session)
{
    struct log_line line;
    if (!session_is_debugged(session))
        return;
    begin_line(session, &line, CFG_LOG_DEBUG, "server-chosen");
    log_line_add_number(&line, "attempt", session_count_tries(session) + 1);
    log_queue_put(session->worker->log, &line);
}

void session_log_backend_tls(const struct session *session, const struct tls_endpoint *endpoint)
{
    struct log_line line;
    if (!session_is_debugged(session))
        return;
    struct tls_info info = tls_endpoint_info(endpoint);
    begin_line(session, &line, CFG_LOG_DEBUG, "backend-tls");
    log_line_add_text(&line, "tls", info.version);
    log_line_add_text(&line, "cipher", info.cipher);
    log_line_add_text(&line, "resumed", info.resumed ? "yes" : "no");
    log_queue_put(session->worker->log, &line);
}
