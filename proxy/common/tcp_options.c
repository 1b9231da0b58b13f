/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/tcp_options.h"

#include "base/array.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

static const struct {
    int level;
    int name;
    int value;
} options[] = {
    {IPPROTO_TCP, TCP_NODELAY, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS},
    {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS},
    {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
};

bool tcp_options_set(int fd)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value) !=
            0)
            return false;
    return true;
}
