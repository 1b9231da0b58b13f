/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session.h"

#include "proxy/common/address.h"

#include <stdio.h>

/* Enough to be seen, and no flood where each session of a busy server meets the same. */
#define WARNING_INTERVAL_MS 60000

void session_format_id(const struct session *session, char into[SESSION_ID_MAX])
{
    snprintf(into, SESSION_ID_MAX, "%s-%llu", session->worker->id, (unsigned long long)session->number);
}

static void begin(const struct session *session, struct log_line *line, enum cfg_log_level level,
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
    log_line_add_text(line, "backend", session->server_name);
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
    if (session->tls == NULL)
        return;
    struct tls_info info = tls_endpoint_info(session->tls);
    if (session->engine != NULL) { /* the handshake was done, whatever became of it */
        log_line_add_text(line, "tls", info.version);
        log_line_add_text(line, "cipher", info.cipher);
        log_line_add_text(line, "resumed", info.resumed ? "yes" : "no");
        if (info.protocol.len > 0)
            log_line_add(line, "alpn", info.protocol);
        add_client_certificate(line, info.client_certificate);
    }
    log_line_add_text(line, "sni", info.server_name);
}

/* Draft section 7: reports exist so that the operator sees who would break. */
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

void session_log_end(const struct session *session)
{
    struct log_line line;
    begin(session, &line, CFG_LOG_INFO, "session");
    add_tls(session, &line);
    log_line_add_number(&line, "in", session->octets[SIDE_CLIENT]);
    log_line_add_number(&line, "out", session->octets[SIDE_BACKEND]);
    log_line_add_seconds(&line, "duration", worker_now(session->worker) - session->started);
    log_line_add_text(&line, "reason", session->reason);
    log_line_add_text(&line, "detail", session->detail);
    add_reports(session, &line);
    log_queue_put(session->worker->log, &line);
}

void session_log_discarded(const struct session *session, size_t octets)
{
    struct log_line line;
    begin(session, &line, CFG_LOG_WARNING, "starttls-injection");
    log_line_add_number(&line, "discarded", octets);
    log_queue_put(session->worker->log, &line);
}

void session_log_backend_tls(const struct session *session, const struct tls_endpoint *endpoint)
{
    struct log_line line;
    if (session->in_worker.generation->snapshot->cfg->log_level < CFG_LOG_DEBUG)
        return;
    struct tls_info info = tls_endpoint_info(endpoint);
    begin(session, &line, CFG_LOG_DEBUG, "backend-tls");
    log_line_add_text(&line, "tls", info.version);
    log_line_add_text(&line, "cipher", info.cipher);
    log_line_add_text(&line, "resumed", info.resumed ? "yes" : "no");
    log_queue_put(session->worker->log, &line);
}

void session_log_server_failed(const struct session *session, const char *error)
{
    struct log_line line;
    begin(session, &line, CFG_LOG_WARNING, "backend-failed");
    log_line_add_text(&line, "error", error);
    log_queue_put(session->worker->log, &line);
}

/* True for the one caller of a minute. */
static bool is_warning_due(struct server *server, uint64_t now)
{
    uint64_t last = atomic_load_explicit(&server->warned, memory_order_relaxed);
    if (last != 0 && now < last + WARNING_INTERVAL_MS)
        return false;
    return atomic_compare_exchange_strong_explicit(&server->warned, &last, now, memory_order_relaxed,
                                                   memory_order_relaxed);
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

void session_log_slow_server(const struct session *session, const char *words)
{
    if (is_warning_due(session->link->server, worker_now(session->worker)))
        session_log_server_failed(session, words);
}

void session_log_odd_server(const struct session *session, const char *words)
{
    if (!is_warning_due(session->link->server, worker_now(session->worker)))
        return;
    struct log_line line;
    begin(session, &line, CFG_LOG_WARNING, "backend-warning");
    log_line_add_text(&line, "warning", words);
    log_queue_put(session->worker->log, &line);
}
