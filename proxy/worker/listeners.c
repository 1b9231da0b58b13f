/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/listeners.h"

#include "config/cfg_endpoint.h"
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

static bool set_freebind(int fd, int family)
{
    if (family == AF_INET6)
        return set_flag(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1) == 0;
    return set_flag(fd, IPPROTO_IP, IP_FREEBIND, 1) == 0;
}

static bool set_options(int fd, int family, const struct cfg_endpoint *endpoint,
                        const struct listener_options *options)
{
    return set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
           (!options->shared || set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
           (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_v6) == 0) &&
           (!endpoint->freebind || set_freebind(fd, family)) && tcp_options_set(fd);
}

/* IPv4's wildcard, on the same port. */
static void become_ipv4(struct sockaddr_storage *address)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_port = htons(address_port((const struct sockaddr *)address))};
    memset(address, 0, sizeof *address);
    memcpy(address, &any, sizeof any);
}

/* A kernel without IPv6 has all of its addresses in 0.0.0.0. */
static int open_socket(const struct cfg_endpoint *endpoint, struct sockaddr_storage *address)
{
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->ss_family, type, 0);
    if (fd >= 0 || errno != EAFNOSUPPORT || !endpoint->is_any)
        return fd;
    become_ipv4(address);
    return socket(AF_INET, type, 0);
}

/*
 * A socket that is bound to `*address`, which is the endpoint's, perhaps with a port that the system has
 * picked; `*address` is then as bound. -1 with errno.
 */
static int open_bound(const struct cfg_endpoint *endpoint, const struct listener_options *options,
                      struct sockaddr_storage *address)
{
    int fd = open_socket(endpoint, address);
    if (fd < 0)
        return -1;
    socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    socklen_t room = sizeof *address;
    if (set_options(fd, address->ss_family, endpoint, options) &&
        bind(fd, (const struct sockaddr *)address, len) == 0 &&
        getsockname(fd, (struct sockaddr *)address, &room) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool leaves_ipv4(const struct cfg *cfg, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < cfg->service_count; i++)
        if (cfg_endpoint_leaves_ipv4(endpoint, cfg->services[i].listen, cfg->services[i].listen_count))
            return true;
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
        return "; this machine has no such address now: correct it, or, if it comes later (another machine's "
               "virtual address, an interface that is not up yet), set freebind = true beside \"listen\"";
    case EAFNOSUPPORT:
        return "; this kernel has no IPv6: write \"*\" in place of \"[::]\", which is IPv4 alone here, or an "
               "IPv4 address";
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

int listeners_open_single(const struct cfg_endpoint *endpoint, struct listener_options options,
                          struct cfg_problems *problems)
{
    struct sockaddr_storage address = endpoint->address;
    int fd = open_bound(endpoint, &options, &address);
    /*
     * Without this, two sockets could be bound to the address, and only the second one's listening would
     * fail.
     */
    if (fd >= 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    explain(endpoint, errno, options.reload, problems);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Do we listen already on an address that covers this one, or that it covers? */
static bool is_beside_ours(const struct listeners *previous, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; previous != NULL && previous->cfg != NULL && i < previous->cfg->service_count; i++)
        for (size_t j = 0; j < previous->cfg->services[i].listen_count; j++) {
            const struct cfg_endpoint *ours = &previous->cfg->services[i].listen[j];
            if (cfg_endpoint_covers(ours, endpoint) || cfg_endpoint_covers(endpoint, ours) ||
                cfg_endpoint_equals(ours, endpoint))
                return true;
        }
    return false;
}

/*
 * With SO_REUSEPORT alone the kernel would let a second program of ours share the port without a word. So the
 * first socket is bound without it, which nobody else's can be beside, and shares the port afterwards; unless
 * the port is ours already.
 */
static bool open_for_workers(struct listeners *listeners, size_t slot, size_t service,
                             const struct cfg_endpoint *endpoint, const struct listeners *previous)
{
    struct sockaddr_storage address = endpoint->address;
    struct listener_options options = {.only_v6 = leaves_ipv4(listeners->cfg, endpoint),
                                       .shared = is_beside_ours(previous, endpoint)};
    for (unsigned worker = 0; worker < listeners->workers; worker++) {
        struct listener_socket *socket = &listeners->sockets[worker * listeners->per_worker + slot];
        socket->service = service;
        socket->reused = LISTENER_NEW;
        socket->configured = endpoint->address;
        socket->leaves_ipv4 = options.only_v6;
        socket->fd = open_bound(endpoint, &options, &address);
        if (socket->fd < 0 || set_flag(socket->fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
            return false;
        socket->address = address;
        options.shared = true;
    }
    return true;
}

/* A port that the system picks stays with the service; a socket without IPv4 can't get it back. */
static bool may_reuse(const struct listeners *previous, size_t index, const struct cfg *cfg,
                      const struct cfg_service *service, const struct cfg_endpoint *endpoint)
{
    const struct listener_socket *socket = &previous->sockets[index];
    return (!socket->leaves_ipv4 || leaves_ipv4(cfg, endpoint)) &&
           memcmp(&socket->configured, &endpoint->address, sizeof endpoint->address) == 0 &&
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
        if (!taken && may_reuse(previous, i, listeners->cfg, service, endpoint))
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
            else if (!open_for_workers(into, slot, i, endpoint, previous))
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
