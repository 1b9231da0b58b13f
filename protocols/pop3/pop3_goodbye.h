/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_GOODBYE_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_GOODBYE_H

#include "protocols/engine.h"

/* Sends the client the -ERR with which the proxy ends a session by itself (RFC 3206: [SYS/TEMP]). */
void pop3_goodbye_send(enum engine_goodbye_reason why, struct engine_out *out);

#endif
