/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_STATE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_STATE_H

/*
 * What is expected next from the client, and from the backend. The client's side:
 *
 *            .---------- tagged answer -----------.
 *            v                                    |
 *   --> COMMAND --> (DRAIN) --> GO_AHEAD --"+"--> LITERAL --> REST --> GO_AHEAD, ANSWER or COMMAND
 *         |  ^                     |------"+"--> SASL ---> GO_AHEAD
 *         |  |                     '------"+"--> IDLE ---> COMMAND
 *         |  '------ tagged answer -- ANSWER
 *         |--> ID_LITERAL <-> ID_REST --> ANSWER or COMMAND       (ID is held until it is whole)
 *         '--> SKIP_LITERAL <-> SKIP_LINE --> COMMAND             (the rest of a command that was refused)
 */
enum imap_client_state {
    IMAP_CLIENT_COMMAND,      /* the first line of a command */
    IMAP_CLIENT_DRAIN,        /* nothing: a held command waits for the answers to all before it */
    IMAP_CLIENT_GO_AHEAD,     /* nothing: the backend says "+" or answers the command first */
    IMAP_CLIENT_LITERAL,      /* octets of a literal, which pass */
    IMAP_CLIENT_REST,         /* the line behind a literal */
    IMAP_CLIENT_ANSWER,       /* nothing: the backend answers the command first */
    IMAP_CLIENT_SASL,         /* a line of a SASL exchange */
    IMAP_CLIENT_IDLE,         /* DONE */
    IMAP_CLIENT_ID_LITERAL,   /* octets of a literal in an ID command, which are held */
    IMAP_CLIENT_ID_REST,      /* the line behind it */
    IMAP_CLIENT_SKIP_LITERAL, /* octets of a literal in a refused command */
    IMAP_CLIENT_SKIP_LINE,    /* the rest of a line of a refused command */
    IMAP_CLIENT_STATES
};

enum imap_backend_state {
    IMAP_BACKEND_GREETING,
    IMAP_BACKEND_RESPONSE,     /* the first octets of a response, held until it is known which */
    IMAP_BACKEND_DATA,         /* the rest of a line that may end in a literal */
    IMAP_BACKEND_TEXT,         /* the rest of a line that may not */
    IMAP_BACKEND_LITERAL,      /* octets of a literal */
    IMAP_BACKEND_HELD_STATUS,  /* a line with a [CAPABILITY] code */
    IMAP_BACKEND_HELD_LIST,    /* a CAPABILITY response */
    IMAP_BACKEND_HELD_ID,      /* an ID response */
    IMAP_BACKEND_HELD_LITERAL, /* octets of a literal in an ID response */
    IMAP_BACKEND_STATES
};

/* Makes a move that the table in imap_state.c allows; another one is a mistake of ours. */
void imap_client_move(enum imap_client_state *state, enum imap_client_state to);
void imap_backend_move(enum imap_backend_state *state, enum imap_backend_state to);

#endif
