/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_SLOT_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_SLOT_H

#include "protocols/engine_out.h"
#include "protocols/reply_queue.h"

/*
 * What a slot in the queue of outstanding replies (reply_queue.h) stands for: the backend replies to the
 * command (and what the engine makes of that reply), or the proxy does (and what it replies).
 */
enum smtp_slot {
    SMTP_SLOT_NONE = REPLY_SLOT_NONE,

    /* The backend replies. */
    SMTP_AWAIT_GREETING,
    SMTP_AWAIT_EHLO, /* edited */
    SMTP_AWAIT_HELO,
    SMTP_AWAIT_AUTH, /* 334 asks the client for a line */
    SMTP_AWAIT_DATA, /* 354 asks it for the message */
    SMTP_AWAIT_MAIL,
    SMTP_AWAIT_MAIL_UTF8, /* with SMTPUTF8 (RFC 6531) */
    SMTP_AWAIT_MESSAGE,   /* to a message */
    SMTP_AWAIT_CHUNK,     /* to a part of one */
    SMTP_AWAIT_CLIENT, /* to a client's CLIENT: the client gets 250, whatever the reply (draft section 7.3) */
    SMTP_AWAIT_CIPHER, /* to the proxy's own CLIENT: swallowed */
    SMTP_AWAIT_OFFER,  /* to an EHLO that asks for XCLIENT: swallowed, a refusal shown */
    SMTP_AWAIT_XCLIENT, /* swallowed */
    SMTP_AWAIT_OTHER,
    SMTP_UNSOLICITED, /* never queued: a reply that comes by itself, such as 421 (RFC 5321 section 3.8) */

    /* The proxy replies itself: the command has not gone to the backend. */
    SMTP_OWN_FIRST,
    SMTP_OWN_OK = SMTP_OWN_FIRST,
    SMTP_OWN_CLIENT_SYNTAX,
    SMTP_OWN_TLS_ACTIVE,
    SMTP_OWN_NOT_IMPLEMENTED,
    SMTP_OWN_MECHANISM,
    SMTP_OWN_GREET_FIRST,
    SMTP_OWN_SYNTAX,
    SMTP_OWN_RSET_SYNTAX,
    SMTP_OWN_IN_MESSAGE,
    SMTP_OWN_TOO_LONG,
    SMTP_OWN_CHUNK_SYNTAX,
    SMTP_OWN_CHUNK_TOO_BIG,
    SMTP_OWN_CHUNK_LOST,
    SMTP_OWN_AUTH_GO_AHEAD,
    SMTP_OWN_AUTH_DONE,
    SMTP_OWN_AUTH_AGAIN,
    SMTP_OWN_AUTH_SYNTAX,
    SMTP_OWN_AUTH_CANCELLED,
    SMTP_OWN_AUTH_OTHER,
    /* The same, and then it ends the session. */
    SMTP_CLOSE_TOO_MANY_ERRORS,
    SMTP_CLOSE_NOT_SMTP,
    SMTP_CLOSE_ENDLESS,
    SMTP_CLOSE_BARE_LF,
    SMTP_CLOSE_BACKEND_FAILED, /* never queued: it takes the place of a reply */
    SMTP_SLOT_LAST = SMTP_CLOSE_BACKEND_FAILED
};

/* Does the proxy reply itself? */
bool smtp_slot_is_own(enum smtp_slot slot);

/* Does it end the session with that reply? */
bool smtp_slot_closes(enum smtp_slot slot);

/*
 * Why it ends the session then: static words for the log. Not of SMTP_CLOSE_BACKEND_FAILED, which has many
 * reasons.
 */
const char *smtp_slot_close_detail(enum smtp_slot slot);

/* Sends the proxy's own reply to the client. */
void smtp_slot_send(enum smtp_slot slot, const char *hostname, struct engine_out *out);

#endif
