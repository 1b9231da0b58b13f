/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_TURN_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_TURN_H

#include "protocols/engine_out.h"

/*
 * Whose turn it is to answer. SMTP has no tags: replies come in the order of the commands (RFC 2920
 * section 3.1), so for each command that is not answered yet a queue keeps one octet that says where its
 * reply comes from: from the backend (and then what is to be made of it), or from the proxy (and then what it
 * is).
 */
enum smtp_turn {
    SMTP_TURN_NONE,

    /* the backend answers ... */
    SMTP_AWAIT_GREETING,
    SMTP_AWAIT_EHLO, /* edited */
    SMTP_AWAIT_HELO,
    SMTP_AWAIT_AUTH, /* 334 asks the client for a line */
    SMTP_AWAIT_DATA, /* 354 asks it for the message */
    SMTP_AWAIT_MAIL,
    SMTP_AWAIT_MAIL_UTF8, /* with SMTPUTF8 (RFC 6531) */
    SMTP_AWAIT_MESSAGE,   /* the reply to a message */
    SMTP_AWAIT_CHUNK,     /* the reply to a part of one */
    SMTP_AWAIT_CLIENT,    /* to a client's CLIENT: goes to it as 250, whatever the backend thinks (draft
                           section 7.3) */
    SMTP_AWAIT_REPORT,    /* to the proxy's own CLIENT: swallowed */
    SMTP_AWAIT_OFFER,     /* to an EHLO that asks for XCLIENT: swallowed, a refusal shown */
    SMTP_AWAIT_XCLIENT,   /* swallowed */
    SMTP_AWAIT_OTHER,
    SMTP_UNASKED, /* never queued: a 421 that comes on its own (RFC 5321 section 3.8) */

    /* the proxy answers ... */
    SMTP_ANSWER_FIRST,
    SMTP_ANSWER_OK = SMTP_ANSWER_FIRST,
    SMTP_ANSWER_CLIENT_SYNTAX,
    SMTP_ANSWER_TLS_ACTIVE,
    SMTP_ANSWER_NOT_IMPLEMENTED,
    SMTP_ANSWER_MECHANISM,
    SMTP_ANSWER_GREET_FIRST,
    SMTP_ANSWER_SYNTAX,
    SMTP_ANSWER_RSET_SYNTAX,
    SMTP_ANSWER_IN_MESSAGE,
    SMTP_ANSWER_TOO_LONG,
    SMTP_ANSWER_CHUNK_SYNTAX,
    SMTP_ANSWER_CHUNK_TOO_BIG,
    SMTP_ANSWER_CHUNK_LOST,
    SMTP_ANSWER_AUTH_GO_AHEAD,
    SMTP_ANSWER_AUTH_DONE,
    SMTP_ANSWER_AUTH_AGAIN,
    SMTP_ANSWER_AUTH_SYNTAX,
    SMTP_ANSWER_AUTH_CANCELLED,
    SMTP_ANSWER_AUTH_OTHER,
    /* last words */
    SMTP_ANSWER_TOO_MANY_ERRORS,
    SMTP_ANSWER_NOT_SMTP,
    SMTP_ANSWER_ENDLESS,
    SMTP_ANSWER_BARE_LF,
    SMTP_ANSWER_BACKEND_FAILED, /* never queued: it takes the place of a reply */
    SMTP_TURN_LAST = SMTP_ANSWER_BACKEND_FAILED
};

enum {
    /* Commands outstanding: MAIL, 100 RCPT (RFC 5321 section 4.5.3.1.8) and DATA in one group, and some more. */
    SMTP_TURNS_MAX = 128
};

/* All zero is an empty queue. */
struct smtp_turns {
    uint8_t first;
    uint8_t count;
    uint8_t ring[SMTP_TURNS_MAX];
};

void smtp_turns_add(struct smtp_turns *turns, enum smtp_turn turn);
/* The first one, and SMTP_TURN_NONE where there is none; `take` removes it. */
enum smtp_turn smtp_turns_first(const struct smtp_turns *turns);
enum smtp_turn smtp_turns_take(struct smtp_turns *turns);
/* How many of one kind are in the queue. */
size_t smtp_turns_count(const struct smtp_turns *turns, enum smtp_turn turn);
bool smtp_turns_have_room(const struct smtp_turns *turns, size_t more);

/* Is it the proxy that answers? And does the session end with that answer? */
bool smtp_turn_is_answer(enum smtp_turn turn);
bool smtp_turn_is_last_word(enum smtp_turn turn);

/* Why it ends then: static words for the log. */
const char *smtp_turn_last_detail(enum smtp_turn turn);

/* Lets the proxy's answer out to the client. */
void smtp_turn_let_out(enum smtp_turn answer, const char *hostname, struct engine_out *out);

#endif
