/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_STATE_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_STATE_H

/*
 * What is expected next from the client:
 *
 *   --> GREETING --> COMMAND <--> REPLY <--> SASL_LINE <-- SASL_LINE_END
 *                      |  ^         '--> MESSAGE --> COMMAND
 *                      |  |
 *                      |  +--> LINE_END, CHUNK, REFUSED_CHUNK, EXTERNAL, HELD, XCLIENT, each back to COMMAND
 *                      '--> NOTHING    (also from MESSAGE and the LINE_ENDs)
 *
 * The backend's side has one state only, the slot whose reply is under way (smtp_engine.replying).
 */
enum smtp_client_state {
    SMTP_CLIENT_COMMAND,
    SMTP_CLIENT_LINE_END,      /* the rest of a command that is too long and has been answered */
    SMTP_CLIENT_SASL_LINE,     /* its line of an AUTH exchange, after 334 */
    SMTP_CLIENT_SASL_LINE_END, /* the rest of one that is too long */
    SMTP_CLIENT_EXTERNAL,      /* its line of an AUTH exchange with the proxy itself */
    SMTP_CLIENT_MESSAGE,       /* after 354 */
    SMTP_CLIENT_CHUNK,         /* `chunk_left` octets after BDAT */
    SMTP_CLIENT_REFUSED_CHUNK, /* as many, which nobody gets */
    SMTP_CLIENT_NOTHING,       /* the session is at its end: what still comes is dropped */
    /* From here on the engine wants nothing of the client. */
    SMTP_CLIENT_GREETING, /* the client has not been greeted */
    SMTP_CLIENT_REPLY,    /* the backend replies to EHLO, AUTH, CLIENT or DATA first */
    SMTP_CLIENT_HELD,     /* a command is held until the backend owes no reply */
    SMTP_CLIENT_XCLIENT   /* EHLO or HELO is held until the backend knows who the client is */
};

struct smtp_engine;

/*
 * Moves to another state. The table in smtp_state.c allows the move, or it is a mistake of ours that ends the
 * program.
 */
void smtp_move_client(struct smtp_engine *smtp, enum smtp_client_state to);

#endif
