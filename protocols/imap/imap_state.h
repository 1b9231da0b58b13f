/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_STATE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_STATE_H

/*
 * What is expected next from the client, and from the backend. The client's side:
 *
 *            .----------- tagged reply -----------.
 *            v                                    |
 *   --> COMMAND --> (HELD) --> GO_AHEAD --"+"--> LITERAL --> REST --> GO_AHEAD, REPLY or COMMAND
 *         |  ^                     |------"+"--> SASL ---> GO_AHEAD
 *         |  |                     '------"+"--> IDLE ---> COMMAND
 *         |  '------ tagged reply -- REPLY
 *         |--> ID_LITERAL <-> ID_REST --> GO_AHEAD, REPLY or COMMAND    (ID is held until it is whole)
 *         '--> SKIP_LITERAL <-> SKIP_LINE --> COMMAND             (the rest of a command that was refused)
 */
enum imap_client_state {
    IMAP_CLIENT_COMMAND,      /* the first line of a command */
    IMAP_CLIENT_HELD,         /* nothing: a held command waits for the replies to all before it, or to the
                                 proxy's own */
    IMAP_CLIENT_GO_AHEAD,     /* nothing: the backend sends "+" or the reply to the command first */
    IMAP_CLIENT_LITERAL,      /* octets of a literal, which pass */
    IMAP_CLIENT_REST,         /* the line after a literal */
    IMAP_CLIENT_REPLY,        /* nothing: the backend replies to the command first */
    IMAP_CLIENT_SASL,         /* a line of a SASL exchange */
    IMAP_CLIENT_IDLE,         /* DONE */
    IMAP_CLIENT_ID_LITERAL,   /* octets of a literal in an ID command, which are held */
    IMAP_CLIENT_ID_REST,      /* the line after it */
    IMAP_CLIENT_SKIP_LITERAL, /* octets of a literal in a refused command */
    IMAP_CLIENT_SKIP_LINE     /* the rest of a line of a refused command */
};

enum imap_backend_state {
    IMAP_BACKEND_GREETING,
    IMAP_BACKEND_RESPONSE,    /* the first octets of a response, held until it is known what it is */
    IMAP_BACKEND_DATA,        /* the rest of a line that may end in a literal */
    IMAP_BACKEND_TEXT,        /* the rest of a line that may not */
    IMAP_BACKEND_LITERAL,     /* octets of a literal */
    IMAP_BACKEND_HELD_STATUS, /* a line with a [CAPABILITY] code */
    IMAP_BACKEND_HELD_LIST,   /* a CAPABILITY response */
    IMAP_BACKEND_HELD_ID,     /* an ID response */
    IMAP_BACKEND_HELD_LITERAL /* octets of a literal in an ID response */
};

struct imap_engine;

/*
 * Moves to another state. The table in imap_state.c allows the move, or it is a mistake of ours that ends the
 * program.
 */
void imap_move_client(struct imap_engine *imap, enum imap_client_state to);

/* The same for the backend's side. */
void imap_move_backend(struct imap_engine *imap, enum imap_backend_state to);

#endif
