/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/counters.h"

#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

static const char *failure_value(size_t index)
{
    size_t failure = index + 1; /* TLS_FAILURE_NONE has no counter */
    return failure < TLS_FAILURES ? tls_failure_name((enum tls_failure)failure) : "timeout";
}

static const char *limit_value(size_t index)
{
    return client_limit_name((enum client_limit)index);
}

static const char *refusal_value(size_t index)
{
    return refusal_name((enum refusal)index);
}

const struct counter_family counter_families[COUNTER_FAMILIES] = {
    {.name = "deepproxy_sessions_total",
     .help = "Connections accepted from clients, those that a limit closed included.",
     .first = COUNTER_SESSIONS,
     .count = 1},
    {.name = "deepproxy_handshakes_total",
     .help = "TLS handshakes with clients that were completed.",
     .first = COUNTER_HANDSHAKES,
     .count = 1},
    {.name = "deepproxy_handshakes_failed_total",
     .help = "TLS handshakes with clients that were not, by what the client or the proxy found wrong.",
     .first = COUNTER_FAILED,
     .count = TLS_FAILURES,
     .label = "reason",
     .value = failure_value},
    {.name = "deepproxy_silent_connections_total",
     .help = "Connections, ended, whose client has not sent an octet.",
     .first = COUNTER_SILENT,
     .count = 1},
    {.name = "deepproxy_probes_total",
     .help = "Sessions, ended, of health checks that are known.",
     .first = COUNTER_PROBES,
     .count = 1},
    {.name = "deepproxy_overload_total",
     .help = "Connections that a limit closed, or made wait, by the setting that would change it.",
     .first = COUNTER_LIMITS,
     .count = CLIENT_LIMITS,
     .label = "limit",
     .value = limit_value},
    {.name = "deepproxy_refused_total",
     .help = "Connections refused before their session began, by reason.",
     .first = COUNTER_REFUSED,
     .count = REFUSALS,
     .label = "reason",
     .value = refusal_value},
    {.name = "deepproxy_accept_failures_total",
     .help = "Attempts to accept that failed: descriptors or memory were short.",
     .first = COUNTER_ACCEPT_FAILED,
     .count = 1},
    {.name = "deepproxy_tls_version_sessions_total",
     .help = "Completed TLS handshakes with clients, by version.",
     .first = COUNTER_TLS_VERSIONS,
     .count = TLS_USAGE_VERSIONS,
     .label = "version",
     .value = tls_usage_version_name},
    {.name = "deepproxy_tls_cipher_sessions_total",
     .help = "Completed TLS handshakes with clients, by cipher suite.",
     .first = COUNTER_TLS_CIPHERS,
     .count = TLS_USAGE_CIPHERS,
     .label = "cipher",
     .value = tls_usage_cipher_name},
    {.name = "deepproxy_tls_group_sessions_total",
     .help = "Completed TLS handshakes with clients, by key exchange group.",
     .first = COUNTER_TLS_GROUPS,
     .count = TLS_USAGE_GROUPS,
     .label = "group",
     .value = tls_usage_group_name},
};
_Static_assert(COUNTER_FAILED_TIMEOUT == COUNTER_FAILED + TLS_FAILURES - 1, "the last one of its family");

enum counter counters_of_limit(enum client_limit limit)
{
    ENSURE(limit < CLIENT_LIMITS);
    return (enum counter)(COUNTER_LIMITS + limit);
}

enum counter counters_of_refusal(enum refusal refusal)
{
    ENSURE(refusal < REFUSALS);
    return (enum counter)(COUNTER_REFUSED + refusal);
}

enum counter counters_of_failure(enum tls_failure failure)
{
    ENSURE(failure > TLS_FAILURE_NONE && failure < TLS_FAILURES);
    return (enum counter)(COUNTER_FAILED + failure - 1);
}

struct counters *counters_new(void)
{
    struct counters *counters = aligned_alloc(COUNTERS_LINE, sizeof *counters);
    if (counters == NULL)
        return NULL;
    memset(counters, 0, sizeof *counters);
    refcount_init(&counters->references);
    return counters;
}

struct counters *counters_ref(struct counters *counters)
{
    refcount_take(&counters->references);
    return counters;
}

void counters_unref(struct counters **counters)
{
    struct counters *dropped = *counters;
    *counters = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        free(dropped);
}

void counters_add(struct counters *counters, unsigned worker, enum counter what)
{
    atomic_fetch_add_explicit(&counters->shards[worker % COUNTERS_SHARDS].values[what], 1,
                              memory_order_relaxed);
}

void counters_add_usage(struct counters *counters, unsigned worker, struct tls_usage usage)
{
    counters_add(counters, worker, (enum counter)(COUNTER_TLS_VERSIONS + usage.version));
    counters_add(counters, worker, (enum counter)(COUNTER_TLS_CIPHERS + usage.cipher));
    counters_add(counters, worker, (enum counter)(COUNTER_TLS_GROUPS + usage.group));
}

uint64_t counters_sum(const struct counters *counters, enum counter what)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNTERS_SHARDS; i++)
        sum += atomic_load_explicit(&counters->shards[i].values[what], memory_order_relaxed);
    return sum;
}

/* The two are not read at one moment: if more have ended than begun, none was open a moment ago. */
uint64_t counters_open_sessions(const struct counters *counters)
{
    uint64_t ended = counters_sum(counters, COUNTER_ENDED);
    uint64_t begun = counters_sum(counters, COUNTER_SESSIONS);
    return begun > ended ? begun - ended : 0;
}

void counters_log_unlogged(const struct counters *counters, const char *service, struct log *log)
{
    struct log_line line;
    uint64_t silent = counters_sum(counters, COUNTER_SILENT);
    uint64_t probes = counters_sum(counters, COUNTER_PROBES);
    if (silent == 0 && probes == 0)
        return;
    log_line_begin(&line, CFG_LOG_INFO, "unlogged");
    log_line_add_text(&line, "service", service);
    log_line_add_number(&line, "silent", silent);
    log_line_add_number(&line, "probes", probes);
    log_write(log, &line);
}
