/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/identity.h"

#include "base/ensure.h"
#include "proxy/common/address.h"
#include "proxy/runtime/client_certificates.h"
#include "proxy/session/session_private.h"

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

void identity_connected_address(const struct session *session, struct sockaddr_storage *own)
{
    int len = sizeof *own;
    if (session_origin_connected(session, own))
        return;
    memset(own, 0, sizeof *own);
    if (uv_tcp_getsockname(&session->client.tcp, (struct sockaddr *)own, &len) == 0)
        address_unmap(own);
}

/*
 * The name that the client asked for, if it is one, else "". SNI is any octets of the client's choice, and a
 * server that logs it or looks something up by it may be less careful than our own log.
 */
static struct slice authority_of(const char *server_name)
{
    struct slice name = slice_of(server_name != NULL ? server_name : "");
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alpha(name.data[i]) && !ascii_is_digit(name.data[i]) && name.data[i] != '.' &&
            name.data[i] != '-' && name.data[i] != '_')
            return slice_of("");
    return name;
}

static size_t write_v1(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX])
{
    struct sockaddr_storage own;
    char client[ADDRESS_TEXT_MAX];
    char proxy[ADDRESS_TEXT_MAX];
    identity_connected_address(session, &own);
    address_format_host((const struct sockaddr *)&session->address, client);
    address_format_host((const struct sockaddr *)&own, proxy);
    bool known = own.ss_family != AF_UNSPEC;
    struct proxy_v1 header = {.client = client, .proxy = known ? proxy : NULL};
    header.client_port = address_port((const struct sockaddr *)&session->address);
    header.proxy_port = known ? address_port((const struct sockaddr *)&own) : 0;
    return proxy_v1_write(&header, (char *)into);
}

static size_t write_v2(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX])
{
    char id[SESSION_ID_MAX];
    struct sockaddr_storage own;
    struct tls_info info = tls_endpoint_info(session->tls.endpoint);
    const struct tls_client_certificate *certificate = info.client_certificate;
    struct client_name name = client_certificates_name(session->service->cfg->client_certificates,
                                                       certificate, CFG_IDENTITY_PROXY_V2);
    struct proxy_v2_tls tls = {.version = info.version,
                               .cipher = info.openssl_cipher,
                               .certificate_conn = certificate != NULL && !info.resumed,
                               .certificate_sess = certificate != NULL,
                               .certificate_verified = certificate != NULL,
                               .common_name = name.tlv};
    session_format_id(session, id);
    identity_connected_address(session, &own);
    /* Nothing of ALPN: Dovecot drops a connection with a name unknown to it, and 2.4.1 with any. */
    struct proxy_v2 header = {.client = address_of(&session->address),
                              .proxy = address_of(&own),
                              .authority = authority_of(info.server_name),
                              .unique_id = slice_of(id),
                              .tls = &tls};
    size_t len = proxy_v2_write(&header, into, IDENTITY_HEADER_MAX);
    ENSURE(len > 0);
    return len;
}

size_t identity_header(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX])
{
    switch (session->service->pool->cfg->identity) {
    case CFG_IDENTITY_NONE:
    case CFG_IDENTITY_NATIVE: /* the engine does it */
        return 0;
    case CFG_IDENTITY_PROXY_V1:
        return write_v1(session, into);
    case CFG_IDENTITY_PROXY_V2:
        return write_v2(session, into);
    }
    return 0;
}
