/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_END_REASON_H
#define DEEPPROXY_PROXY_SESSION_END_REASON_H

/*
 * Why a session ends: the words of the field `reason` in the log, which operators read and alert on. They
 * never change.
 */
enum end_reason {
    END_NONE, /* it has not ended */

    /* The client's side. */
    END_CLIENT_CLOSED,
    END_CLIENT_RESET, /* the connection broke */
    END_CLIENT_ERROR, /* it broke its protocol or a limit */
    END_TLS_ERROR,    /* after the handshake */
    END_HANDSHAKE_FAILED,
    END_LOGOUT,

    /* Timeouts. */
    END_HANDSHAKE_TIMEOUT,
    END_LOGIN_TIMEOUT,
    END_IDLE_TIMEOUT,

    /* The backend's side. */
    END_BACKEND_UNAVAILABLE, /* no server could be had */
    END_BACKEND_CLOSED,      /* the server closed, and nobody had asked it to */
    END_BACKEND_ERROR,       /* the server broke its protocol or a limit */
    END_SERVER_LOST,         /* checks have found the server down */
    END_SERVER_MAINTENANCE,  /* the operator has taken the server out */
    END_SERVER_DRAINED,      /* the operator has drained it within a time */

    /* The proxy itself. */
    END_NO_RESOURCES, /* no socket towards a server */
    END_NO_MEMORY,
    END_OVERLOAD, /* a limit rejected the client: limit_log.h logs it, and no line "session" does */
    END_REFUSED,  /* by address, or by its PROXY header: likewise */
    END_SHUTDOWN,
    END_KICKED, /* the operator ended it */
    END_REASONS
};

/* The word, static; NULL for END_NONE. */
const char *end_reason_name(enum end_reason reason);

#endif
