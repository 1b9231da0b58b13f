/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/connecting.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Without a port of its own until it connects: ports are then counted for each server, and not for all. */
static int bind_to(int fd, const struct cfg_endpoint *source)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (const struct sockaddr *)&source->address, source->address_len) == 0 ? 0 : -errno;
}

int connecting_bind(int fd, const struct sockaddr *server, const struct cfg_endpoint *sources, size_t count,
                    uint64_t turn)
{
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cfg_endpoint *source = &sources[(turn + i) % count];
        if (source->address.ss_family != server->sa_family)
            continue;
        error = bind_to(fd, source);
        if (error != UV_EADDRNOTAVAIL)
            return error;
        error = CONNECTING_NO_SOURCE;
    }
    return error;
}

int connecting_to_unix(const struct sockaddr *server, socklen_t len, int *fd, bool *has_socket)
{
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *has_socket = *fd >= 0;
    if (*fd < 0)
        return -errno;
    if (connect(*fd, server, len) == 0)
        return 0;
    int error = -errno;
    close(*fd);
    *fd = -1;
    return error;
}

const char *connecting_words(int error, int family)
{
    if (error == CONNECTING_NO_SOURCE)
        return "this machine has none of the pool's \"source\" addresses";
    if (family != AF_UNIX)
        return uv_strerror(error);
    switch (error) {
    case UV_EAGAIN:
        return "too many connections wait at the socket";
    case UV_ENOENT:
        return "there is no such socket";
    case UV_ECONNREFUSED:
        return "nobody listens at the socket";
    case UV_EACCES:
        return "no permission for the socket";
    default:
        return uv_strerror(error);
    }
}
