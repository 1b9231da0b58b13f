/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/session_private.h"

#include "proxy/common/address.h"
#include "proxy/session/identity.h"

/* What a client that says nothing may come to; all else, such as a lack of memory, is the proxy's affair. */
static bool is_by_client(enum end_reason reason)
{
    return reason == END_CLIENT_CLOSED || reason == END_CLIENT_RESET || reason == END_HANDSHAKE_TIMEOUT ||
           reason == END_LOGIN_TIMEOUT || reason == END_SHUTDOWN;
}

/*
 * `deepproxy probe` names itself by ALPN. Anybody can do that, so it counts from this machine alone: nobody
 * else hides a guessed password so.
 */
static bool is_own_probe(const struct session *session)
{
    struct sockaddr_storage own;
    if (session_origin_connected(session, &own))
        return false; /* a balancer's word */
    if (session->engine == NULL || engine_status(session->engine)->authenticated ||
        !tls_endpoint_info(session->tls.endpoint).is_probe)
        return false;
    identity_connected_address(session, &own);
    return address_is_same_host((const struct sockaddr *)&session->address, (const struct sockaddr *)&own) &&
           (session->reason == END_LOGOUT || session->reason == END_CLIENT_CLOSED);
}

enum quiet quiet_of(const struct session *session)
{
    if (!session->has_spoken && is_by_client(session->reason))
        return session_is_of_balancer(session) ? QUIET_PROBE : QUIET_SILENT;
    if (!session->has_spoken)
        return QUIET_NOT;
    if (session->tls.endpoint == NULL)
        return QUIET_NOT;
    bool is_probe = tls_endpoint_failure_kind(session->tls.endpoint) == TLS_FAILURE_PROBE;
    return is_probe || is_own_probe(session) ? QUIET_PROBE : QUIET_NOT;
}
