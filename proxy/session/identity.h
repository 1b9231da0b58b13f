/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_IDENTITY_H
#define DEEPPROXY_PROXY_SESSION_IDENTITY_H

#include "protocols/proxy_protocol/proxy_v1.h"
#include "protocols/proxy_protocol/proxy_v2.h"
#include "proxy/session/session.h"

enum { IDENTITY_HEADER_MAX = PROXY_V2_MAX };

/*
 * What tells the backend who the client is, to go out before anything else on its connection; the pool's
 * `identity` says in which form. The length, 0 where the pool wants none.
 */
size_t identity_header(const struct session *session, uint8_t into[IDENTITY_HEADER_MAX]);

/* The address that the client connected to; AF_UNSPEC where the connection is gone already. */
void identity_connected_address(const struct session *session, struct sockaddr_storage *own);

#endif
