/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_SLOT_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_SLOT_H

#include "protocols/engine_out.h"
#include "protocols/reply_queue.h"

/*
 * What a slot in the queue of outstanding replies (reply_queue.h) stands for: who replies to the command, and
 * how.
 */
enum pop3_slot {
    POP3_SLOT_NONE = REPLY_SLOT_NONE,
    /* The backend replies. */
    POP3_AWAIT_LINE,       /* one line */
    POP3_AWAIT_LINES,      /* +OK and lines up to ".", or -ERR alone */
    POP3_AWAIT_CAPA,       /* the same, edited */
    POP3_AWAIT_MECHANISMS, /* the same, edited: the list that AUTH without an argument asks for */
    POP3_AWAIT_LOGIN,      /* one line; +OK is a login */
    POP3_AWAIT_SASL,       /* any number of "+ " challenges, then one line; +OK is a login */
    POP3_AWAIT_QUIT,       /* one line; +OK is the backend's last one */
    /* The proxy replies itself: the command has not gone to the backend. */
    POP3_OWN_TLS_ACTIVE,
    POP3_OWN_UNKNOWN,
    POP3_OWN_BINDS_CHANNEL,
    POP3_OWN_EXTERNAL,
    POP3_OWN_SYNTAX,
    POP3_OWN_TOO_LONG,
    /* The same, and then it ends the session. */
    POP3_CLOSE_TOO_LONG,
    POP3_CLOSE_NOT_POP3,
    POP3_CLOSE_TOO_MANY_ERRORS
};

/* Does the proxy reply itself? */
bool pop3_slot_is_own(enum pop3_slot slot);

/* Does it end the session with that reply? */
bool pop3_slot_closes(enum pop3_slot slot);

/* Why it ends the session then: static words for the log. */
const char *pop3_slot_close_detail(enum pop3_slot slot);

/* Sends the proxy's own reply to the client. */
void pop3_slot_send(enum pop3_slot slot, struct engine_out *out);

#endif
