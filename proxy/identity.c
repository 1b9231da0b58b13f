/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/identity.h"

#include "base/ensure.h"
#include "proxy/address.h"

#include <netinet/in.h>
#include <string.h>

static struct proxy_v2_address address_of(const struct sockaddr_storage *from)
{
    struct proxy_v2_address to = {.family = PROXY_V2_UNSPEC};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
        to.family = PROXY_V2_IPV4;
        memcpy(to.octets, &v4->sin_addr, sizeof v4->sin_addr);
        to.port = ntohs(v4->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        to.family = PROXY_V2_IPV6;
        memcpy(to.octets, &v6->sin6_addr, sizeof v6->sin6_addr);
        to.port = ntohs(v6->sin6_port);
    }
    return to;
}

/* The address that the client connected to; UNSPEC where the connection is gone already. */
static struct proxy_v2_address own_address(const struct session *session)
{
    struct sockaddr_storage own;
    int len = sizeof own;
    memset(&own, 0, sizeof own);
    if (uv_tcp_getsockname(&session->client.tcp, (struct sockaddr *)&own, &len) == 0)
        address_unmap(&own);
    return address_of(&own);
}

size_t identity_header(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX])
{
    if (session->service->pool->cfg->identity != CFG_IDENTITY_PROXY_V2)
        return 0;
    char id[SESSION_ID_MAX];
    struct tls_info info = tls_endpoint_info(session->tls);
    struct proxy_v2_tls tls = {.version = info.version, .cipher = info.openssl_cipher};
    session_format_id(session, id);
    struct proxy_v2 header = {.client = address_of(&session->address),
                              .proxy = own_address(session),
                              .unique_id = slice_of(id),
                              .tls = &tls};
    if (info.server_name != NULL)
        header.authority = slice_of(info.server_name);
    size_t len = proxy_v2_write(&header, into, IDENTITY_HEADER_MAX);
    ENSURE(len > 0);
    return len;
}
