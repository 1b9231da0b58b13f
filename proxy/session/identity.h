/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_IDENTITY_H
#define DEEPPROXY_PROXY_SESSION_IDENTITY_H

#include "protocols/proxy_protocol/proxy_v1.h"
#include "protocols/proxy_protocol/proxy_v2.h"
#include "proxy/session/session.h"

/*
 * How a server learns which client is connected to it, if its pool has `identity` proxy-v1 or proxy-v2: by a
 * header that is sent before anything else. (With native, the engine does it in its protocol's words.)
 * Nothing here sends.
 */
enum { IDENTITY_HEADER_MAX = PROXY_V2_MAX };

/*
 * Writes the header of the session's pool, and returns its length; 0 if the pool has none. The client's
 * handshake is done.
 */
size_t identity_header(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX]);

/*
 * Writes the address that the client connected to, as its balancer tells it if there is one that does. Its
 * family is AF_UNSPEC if the connection is gone already.
 */
void identity_connected_address(const struct session *session, struct sockaddr_storage *own);

#endif
