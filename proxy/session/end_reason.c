/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/end_reason.h"

#include "base/array.h"

static const char *const names[] = {
    [END_NONE] = NULL,
    [END_CLIENT_CLOSED] = "client-closed",
    [END_CLIENT_RESET] = "client-reset",
    [END_CLIENT_ERROR] = "client-error",
    [END_TLS_ERROR] = "tls-error",
    [END_HANDSHAKE_FAILED] = "handshake-failed",
    [END_LOGOUT] = "logout",
    [END_HANDSHAKE_TIMEOUT] = "handshake-timeout",
    [END_LOGIN_TIMEOUT] = "login-timeout",
    [END_IDLE_TIMEOUT] = "idle-timeout",
    [END_BACKEND_UNAVAILABLE] = "backend-unavailable",
    [END_BACKEND_CLOSED] = "backend-closed",
    [END_BACKEND_ERROR] = "backend-error",
    [END_SERVER_LOST] = "server-lost",
    [END_SERVER_MAINTENANCE] = "server-maintenance",
    [END_SERVER_DRAINED] = "server-drained",
    [END_NO_RESOURCES] = "no-resources",
    [END_NO_MEMORY] = "no-memory",
    [END_OVERLOAD] = "overload",
    [END_REFUSED] = "refused",
    [END_SHUTDOWN] = "shutdown",
    [END_KICKED] = "kicked",
};
_Static_assert(ARRAY_LEN(names) == END_REASONS, "a word for each reason");

const char *end_reason_name(enum end_reason reason)
{
    return names[reason];
}
