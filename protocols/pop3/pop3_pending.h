/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_PENDING_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_PENDING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The answers that the client still awaits, in the order of its commands: POP3 has no tags, so this order
 * alone says what a line of the backend belongs to (RFC 2449 section 6.6). One octet each; a value that owns
 * nothing. What the proxy answers itself stands in the same row, so that it takes its place between the
 * backend's answers.
 */
enum pop3_answer {
    POP3_ANSWER_LINE,       /* one line */
    POP3_ANSWER_LINES,      /* +OK and lines up to ".", or -ERR alone */
    POP3_ANSWER_CAPA,       /* the same, edited */
    POP3_ANSWER_MECHANISMS, /* the same, edited: the list behind AUTH without argument */
    POP3_ANSWER_LOGIN,      /* one line; +OK is a login */
    POP3_ANSWER_SASL,       /* any number of "+ " challenges, then one line; +OK is a login */
    POP3_ANSWER_QUIT,       /* one line, the last one where it is +OK */
    /* From here on the proxy's own: the command was not forwarded. */
    POP3_REFUSE_STLS,
    POP3_REFUSE_COMMAND,
    POP3_REFUSE_MECHANISM,
    POP3_REFUSE_EXTERNAL,
    POP3_REFUSE_SYNTAX,
    POP3_REFUSE_LENGTH,
    /* From here on the proxy's last word to this client. */
    POP3_END_LENGTH,
    POP3_END_HTTP,
    POP3_END_REFUSALS
};

/* Is it one that the proxy gives itself? And with which it ends the session? */
bool pop3_answer_is_own(enum pop3_answer answer);
bool pop3_answer_is_last(enum pop3_answer answer);

/* The line of an own answer, with its CRLF. */
const char *pop3_answer_text(enum pop3_answer answer);

enum {
    /* Commands without an answer. A client that pipelines a whole mailbox of RETRs waits a little now and then. */
    POP3_PENDING_MAX = 128
};

struct pop3_pending {
    uint8_t first;
    uint8_t count;
    uint8_t answers[POP3_PENDING_MAX];
};

bool pop3_pending_is_empty(const struct pop3_pending *pending);
bool pop3_pending_is_full(const struct pop3_pending *pending);

/* Not when full; not when empty. */
void pop3_pending_add(struct pop3_pending *pending, enum pop3_answer answer);
enum pop3_answer pop3_pending_first(const struct pop3_pending *pending);
void pop3_pending_drop(struct pop3_pending *pending);

#endif
