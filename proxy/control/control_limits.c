/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/control_private.h"

#include "base/ensure.h"
#include "proxy/common/accept.h"
#include "proxy/control/descriptors.h"

#include <errno.h>
#include <sys/resource.h>

/*
 * One address may have half of the handshakes: whatever it does, others get in, and neither the largest NAT
 * nor a webmail server that has just been started comes near it.
 */
#define ADDRESS_SHARE 2

static size_t count_listeners(const struct cfg *cfg)
{
    size_t count = 0;
    for (size_t i = 0; i < cfg->service_count; i++)
        count += cfg->services[i].listen_count;
    return count;
}

/* At once: a host's name may have as many addresses as checks are made at once. */
static size_t count_checks(const struct cfg *cfg)
{
    size_t count = 0;
    for (size_t i = 0; i < cfg->pool_count; i++)
        for (size_t j = 0; cfg->pools[i].check.is_on && j < cfg->pools[i].server_count; j++)
            count += cfg->pools[i].servers[j].address.address_len > 0 ? 1 : CHECKS_AT_ONCE;
    return count < CHECKS_AT_ONCE ? count : CHECKS_AT_ONCE;
}

static struct descriptors_need need_of(unsigned workers, const struct cfg *cfg)
{
    return (struct descriptors_need){.workers = workers,
                                     .listeners = count_listeners(cfg),
                                     .admin_listeners = cfg->admin.listen_count,
                                     .checks = count_checks(cfg)};
}

/* As high as the program may have it. */
static size_t raise_limit_of_open_files(void)
{
    struct rlimit limit;
    ENSURE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ENSURE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur;
}

static size_t handshake_limit(unsigned workers, const struct cfg *cfg)
{
    bool is_derived = cfg->limits.handshakes == CFG_LIMIT_DERIVED;
    return is_derived ? (size_t)HANDSHAKES_PER_WORKER * workers : cfg->limits.handshakes;
}

/* What is possible is less than what was asked for, or than what the program needs for itself. */
static void log_few_open_files(const struct control *control, const struct cfg *cfg, size_t limit, size_t own,
                               size_t possible)
{
    struct log_line line;
    log_line_begin(&line, CFG_LOG_WARNING, "few-open-files");
    if (cfg->max_connections > 0)
        log_line_add_number(&line, "max_connections", cfg->max_connections);
    log_line_add_number(&line, "possible", possible);
    log_line_add_number(&line, "open_files", limit);
    log_line_add_number(&line, "own", own);
    log_line_add_text(&line, "raise", accept_remedy(EMFILE));
    log_write(control->log, &line);
}

void control_set_limits(const struct control *control, const struct cfg *cfg)
{
    unsigned workers = control->listeners.workers;
    struct descriptors_need need = need_of(workers, cfg);
    size_t limit = raise_limit_of_open_files();
    size_t possible = descriptors_sessions(&need, limit);
    size_t own = descriptors_own(&need);
    size_t wanted = cfg->max_connections;
    if (wanted > possible || own >= limit)
        log_few_open_files(control, cfg, limit, own, possible);
    shared_limit_set_max(control->shared.sessions, wanted > 0 && wanted < possible ? wanted : possible);
    handshake_slots_set_max(control->shared.handshakes.slots, handshake_limit(workers, cfg));
}

struct worker_limits control_worker_limits(const struct control *control, const struct cfg *cfg)
{
    unsigned workers = control->listeners.workers;
    struct descriptors_need need = need_of(workers, cfg);
    size_t possible = descriptors_sessions(&need, raise_limit_of_open_files());
    bool is_set = cfg->max_connections > 0 && cfg->max_connections <= possible;
    size_t per_address = cfg->limits.handshakes_per_address;
    if (cfg->limits.handshakes_per_address == CFG_LIMIT_DERIVED)
        per_address = (handshake_limit(workers, cfg) + ADDRESS_SHARE - 1) / ADDRESS_SHARE;
    return (struct worker_limits){.sessions_by = is_set ? CLIENT_LIMIT_CONNECTIONS : CLIENT_LIMIT_OPEN_FILES,
                                  .sessions_per_address = cfg->limits.connections_per_address,
                                  .handshakes_per_address = (uint32_t)per_address,
                                  .connections_per_second = cfg->limits.connection_rate_per_address};
}
