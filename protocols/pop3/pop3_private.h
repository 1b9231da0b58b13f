/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_PRIVATE_H

#include "protocols/engine_private.h"
#include "protocols/line.h"
#include "protocols/pop3/pop3_slot.h"
#include "protocols/pop3/pop3_state.h"

/*
 * The POP3 engine (RFC 1939, 2449, 5034; draft section 7.2), for its own sources alone: the state of a
 * session, and what both halves use. Each command that passes takes a slot in the queue of replies; each line
 * of the backend belongs to the first slot. The proxy sends the backend nothing of its own, but for XCLIENT
 * before it greets the client.
 */

enum {
    /* Commands that the proxy refuses before it ends the session. No mail client comes near it. */
    POP3_REFUSALS_MAX = 10
};

struct pop3_engine {
    struct engine base;
    struct line_reader from_client;
    struct line_reader from_backend;
    struct reply_queue replies; /* of enum pop3_slot */
    enum pop3_client_state client;
    enum pop3_backend_state backend;
    struct bytes greeting; /* POP3_BACKEND_XCLIENT: the backend's, until the client gets it */
    uint8_t end_matched;   /* POP3_BACKEND_BODY: see pop3_end_find */
    uint8_t refusals;
    bool apop;       /* the greeting had a timestamp: a login that CAPA does not name (RFC 1939 section 7) */
    bool capa_login; /* POP3_BACKEND_CAPA: the list so far names a way to log in */
};

_Static_assert(sizeof(struct pop3_engine) < 400, "a session is small");

/* The oldest slot, which the backend's next line belongs to; POP3_SLOT_NONE if it owes no reply. */
enum pop3_slot pop3_first_slot(const struct pop3_engine *pop3);

/*
 * Replies to a command that does not go to the backend. The reply takes its place after those that are
 * outstanding, or is sent at once if there are none. After a reply that closes, nothing more is taken from
 * the client.
 */
void pop3_reject(struct pop3_engine *pop3, enum pop3_slot slot, struct engine_out *out);

/*
 * The client has got the whole reply of the first slot: removes it, and sends the proxy's own replies that
 * follow it.
 */
void pop3_finish_reply(struct pop3_engine *pop3, struct engine_out *out);

#endif
