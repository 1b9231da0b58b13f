/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/connect_failure.h"

#include "proxy/common/connecting.h"

#include <uv.h>

enum connect_failure connect_failure_of(int error, bool has_socket)
{
    switch (error) {
    case UV_EADDRNOTAVAIL: /* ports are counted for each address and port of a server */
    case UV_EAFNOSUPPORT:
    case CONNECTING_NO_SOURCE:
        return CONNECT_FAILURE_OF_ROUTE;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
        return CONNECT_FAILURE_OF_MACHINE;
    default:
        return has_socket ? CONNECT_FAILURE_OF_SERVER : CONNECT_FAILURE_OF_MACHINE;
    }
}
