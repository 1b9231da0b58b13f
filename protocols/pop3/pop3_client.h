/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_CLIENT_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_CLIENT_H

#include "protocols/pop3/pop3_private.h"

/*
 * The client half of the POP3 engine: takes the client's commands and its lines of an AUTH exchange, refuses
 * what must not reach the backend, and passes all the rest.
 */

/* As engine_wants: the engine expects a line of the client, and its reply has room in the queue. */
bool pop3_client_is_wanted(const struct pop3_engine *pop3);

/* As engine_feed. */
size_t pop3_client_feed(struct pop3_engine *pop3, struct slice data, struct engine_out *out);

#endif
