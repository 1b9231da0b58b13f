/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_protocol.h"

static bool find_in_services(const struct cfg *cfg, size_t pool, enum protocol *protocol)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg->services[i].pool == pool) {
            *protocol = cfg->services[i].protocol;
            return true;
        }
    return false;
}

static bool find_in_host(const struct cfg_host *host, size_t pool, enum protocol *protocol)
{
    for (unsigned i = 0; i < PROTOCOLS; i++)
        if (host->pools[i] == (int)pool) {
            *protocol = (enum protocol)i;
            return true;
        }
    return false;
}

bool pool_protocol_find(const struct cfg *cfg, size_t pool, enum protocol *protocol)
{
    bool found = find_in_services(cfg, pool, protocol);
    for (size_t i = 0; i < cfg->host_count && !found; i++)
        found = find_in_host(&cfg->hosts[i], pool, protocol);
    return found;
}
