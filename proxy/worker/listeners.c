/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/listeners.h"

#include "proxy/common/address.h"
#include "proxy/common/tcp_options.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

static bool set_options(int fd, int family, bool only_v6, bool shared)
{
    return set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
           (!shared || set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
           (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6) == 0) &&
           tcp_options_set(fd);
}

/* A bound socket, or -1 with errno. */
static int open_bound(const struct sockaddr_storage *address, socklen_t len, bool only_v6, bool shared)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (set_options(fd, address->ss_family, only_v6, shared) &&
        bind(fd, (const struct sockaddr *)address, len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* An IPv6 wildcard serves IPv4 too, unless the file gives an IPv4 address of its own for that port. */
static bool wants_only_v6(const struct cfg *cfg, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        for (size_t j = 0; j < cfg->services[i].listen_count; j++) {
            const struct cfg_endpoint *other = &cfg->services[i].listen[j];
            if (other->address.ss_family == AF_INET && other->port == endpoint->port && other->port != 0)
                return true;
        }
    return false;
}

/* Empty if nothing is to be said. */
static const char *remedy_for(int error, bool reload)
{
    switch (error) {
    case EADDRINUSE:
        return reload ? "; another program listens there, or an address of ours that covers it: that takes a "
                        "restart"
                      : "; another program listens there: stop it, or choose another port";
    case EACCES:
        return reload ? "; ports below 1024 take a restart if the program has dropped root"
                      : "; ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "; this machine has no such address";
    default:
        return "";
    }
}

static void explain(const struct cfg_endpoint *endpoint, int error, bool reload,
                    struct cfg_problems *problems)
{
    cfg_problems_add(problems, CFG_ERROR, endpoint->place, "can't listen on %s: %s%s", endpoint->text,
                     strerror(error), remedy_for(error, reload));
}

int listeners_open_single(const struct cfg_endpoint *endpoint, bool only_v6, bool reload,
                          struct cfg_problems *problems)
{
    int fd = open_bound(&endpoint->address, endpoint->address_len, only_v6, false);
    /*
     * Without this, two sockets could be bound to the address, and only the second one's listening would
     * fail.
     */
    if (fd >= 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    explain(endpoint, errno, reload, problems);
    if (fd >= 0)
        close(fd);
    return -1;
}

/*
 * With SO_REUSEPORT alone the kernel would let a second program of ours share the port without a word. So the
 * first socket is bound without it, which nobody else's can be beside, and shares the port afterwards.
 */
static bool open_for_workers(struct listeners *listeners, size_t slot, size_t service,
                             const struct cfg_endpoint *endpoint, bool only_v6)
{
    struct sockaddr_storage address = endpoint->address;
    for (unsigned worker = 0; worker < listeners->workers; worker++) {
        struct listener_socket *socket = &listeners->sockets[worker * listeners->per_worker + slot];
        socket->service = service;
        socket->reused = LISTENER_NEW;
        socket->configured = endpoint->address;
        socket->fd = open_bound(&address, endpoint->address_len, only_v6, worker > 0);
        socklen_t len = sizeof address;
        if (socket->fd < 0 || getsockname(socket->fd, (struct sockaddr *)&address, &len) != 0 ||
            set_flag(socket->fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
            return false;
        socket->address = address;
    }
    return true;
}

/* A port that the system picks stays with the service. */
static bool may_reuse(const struct listeners *previous, size_t index, const struct cfg_service *service,
                      const struct cfg_endpoint *endpoint)
{
    const struct listener_socket *socket = &previous->sockets[index];
    return memcmp(&socket->configured, &endpoint->address, sizeof endpoint->address) == 0 &&
           (endpoint->port != 0 || strcmp(previous->cfg->services[socket->service].name, service->name) == 0);
}

/*
 * Is the address served already, by a socket that no other address of the new file has got? Its index, or
 * LISTENER_NEW.
 */
static int find_reusable(const struct listeners *previous, const struct listeners *listeners, size_t slots,
                         const struct cfg_service *service, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; previous != NULL && i < previous->per_worker; i++) {
        bool taken = false;
        for (size_t j = 0; j < slots; j++)
            taken = taken || listeners->sockets[j].reused == (int)i;
        if (!taken && may_reuse(previous, i, service, endpoint))
            return (int)i;
    }
    return LISTENER_NEW;
}

static void reuse_sockets(struct listeners *listeners, size_t slot, size_t service,
                          const struct listeners *previous, int reused)
{
    for (unsigned worker = 0; worker < listeners->workers; worker++) {
        struct listener_socket *socket = &listeners->sockets[worker * listeners->per_worker + slot];
        *socket = previous->sockets[worker * previous->per_worker + (unsigned)reused];
        socket->fd = -1;
        socket->reused = reused;
        socket->service = service;
    }
}

static size_t count_addresses(const struct cfg *cfg)
{
    size_t count = 0;
    for (size_t i = 0; i < cfg->service_count; i++)
        count += cfg->services[i].listen_count;
    return count;
}

bool listeners_open(const struct cfg *cfg, unsigned workers, const struct listeners *previous,
                    struct listeners *into, struct cfg_problems *problems)
{
    *into = (struct listeners){.cfg = cfg, .per_worker = count_addresses(cfg), .workers = workers};
    into->sockets = calloc(into->per_worker * workers, sizeof into->sockets[0]);
    if (into->sockets == NULL)
        return false;
    for (size_t i = 0; i < into->per_worker * workers; i++)
        into->sockets[i] = (struct listener_socket){.fd = -1, .reused = LISTENER_NEW};
    size_t slot = 0;
    size_t errors = problems->errors;
    for (size_t i = 0; i < cfg->service_count; i++)
        for (size_t j = 0; j < cfg->services[i].listen_count; j++) {
            const struct cfg_endpoint *endpoint = &cfg->services[i].listen[j];
            int reused = find_reusable(previous, into, slot, &cfg->services[i], endpoint);
            if (reused != LISTENER_NEW)
                reuse_sockets(into, slot, i, previous, reused);
            else if (!open_for_workers(into, slot, i, endpoint, wants_only_v6(cfg, endpoint)))
                explain(endpoint, errno, previous != NULL, problems);
            slot++;
        }
    if (problems->errors > errors)
        listeners_close(into);
    return problems->errors == errors;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; listeners->sockets != NULL && i < listeners->per_worker * listeners->workers; i++)
        if (listeners->sockets[i].fd >= 0)
            close(listeners->sockets[i].fd);
    free(listeners->sockets);
    *listeners = (struct listeners){0};
}
