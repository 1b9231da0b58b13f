/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_LISTENER_H
#define DEEPPROXY_TESTS_FUZZ_LISTENER_H

#include "protocols/engine.h"

/*
 * What a backend makes of the octets that it gets: a second, small reading of the protocol from the backend's
 * end, which knows what the backend has said, and so what is a command and what is content. It ends the
 * program (check) where a command could be a forgery or could be read in two ways:
 *   - the cipher suite in an ID or CLIENT is the proxy's; no field or command that backends trust a proxy for
 *     comes from a client; none passes that the proxy refuses;
 *   - commands have no NUL and no line end but CRLF;
 *   - nothing is sent where the backend has to speak first.
 * It must be told all in the order in which it happens, an octet of the backend's at a time.
 */
struct listener;

/* `sends_identity`: the backend trusts the proxy, and is told who the client is. */
struct listener *listener_new(const struct engine_client *client, bool sends_identity);
void listener_free(struct listener **listener);

/* The backend has sent, the backend has received. */
void listener_said(struct listener *l, struct slice octets);
void listener_heard(struct listener *l, struct slice octets);

/* Nothing follows any more. */
void listener_end(struct listener *l);

#endif
