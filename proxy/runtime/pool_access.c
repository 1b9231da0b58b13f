/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/pool_access.h"

#include "config/cfg_endpoint.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Unknown is yes. */
static bool is_here(const struct cfg_endpoint *source)
{
    int fd = socket(source->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno != EAFNOSUPPORT;
    bool is_bound = bind(fd, (const struct sockaddr *)&source->address, source->address_len) == 0;
    bool is_missing = !is_bound && errno == EADDRNOTAVAIL;
    close(fd);
    return !is_missing;
}

static void check_source(const struct cfg_endpoint *source, struct cfg_problems *problems)
{
    if (is_here(source))
        return;
    cfg_problems_add(problems, CFG_WARNING, source->place,
                     "this machine has no address %s to connect from (\"source\"): correct it, or give it to "
                     "an interface; until then no connection begins there",
                     source->text);
}

static void check_server(const struct cfg_endpoint *server, struct cfg_problems *problems)
{
    if (!cfg_endpoint_is_unix(server) || access(server->host, W_OK) == 0 || errno != EACCES)
        return;
    cfg_problems_add(
        problems, CFG_WARNING, server->place,
        "this user may not connect to the socket %s: let it pass through the folders on the way, "
        "and write to the socket",
        server->host);
}

void pool_access_check(const struct cfg *cfg, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool *pool = &cfg->pools[i];
        for (size_t k = 0; k < pool->source_count; k++)
            check_source(&pool->sources[k], problems);
        for (size_t k = 0; k < pool->server_count; k++)
            check_server(&pool->servers[k].address, problems);
    }
}
