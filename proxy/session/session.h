/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_SESSION_H
#define DEEPPROXY_PROXY_SESSION_SESSION_H

#include "proxy/worker/worker.h"

/*
 * A session is one client, from accept to the log line of its end: its TLS, the protocol engine, and the
 * connection to a server. It belongs to the thread of the worker that accepted its client, and frees itself
 * after libuv has closed its last handle. It never blocks, and shares nothing with other sessions but the
 * buffers of its worker.
 *
 * This header is for the rest of the program. A visitor begins with the states in session_private.h;
 * session_flow.c then has what follows from each event.
 */
struct session;

/* How a worker calls its sessions; for worker_start. */
extern const struct worker_session_calls session_calls;

/*
 * Writes the session's name in the log and towards servers, with its NUL. No other session has it, of other
 * replicas and earlier runs neither.
 */
enum { SESSION_ID_MAX = 48 };
void session_format_id(const struct session *session, char into[SESSION_ID_MAX]);

#endif
