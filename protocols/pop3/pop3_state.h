/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_STATE_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_STATE_H

/*
 * What is expected next from the client, and from the backend. The client's side:
 *
 *   --> GREETING --> COMMAND --+--> LOGIN ----- reply --------> COMMAND
 *                              |      |  ^
 *                              |      |  '-- its line -- SASL_LINE    ("+" moves LOGIN to SASL_LINE)
 *                              |      '---------"+"----------^
 *                              +--> QUIT --+-- -ERR --> COMMAND
 *                              |           '-- +OK ---> DONE
 *                              '--> DONE         (the proxy ends the session, or the backend does)
 */
enum pop3_client_state {
    POP3_CLIENT_COMMAND,
    POP3_CLIENT_SASL_LINE, /* its line of an AUTH exchange, after a challenge */
    /* From here on the engine wants nothing of the client. */
    POP3_CLIENT_GREETING, /* the client has not been greeted */
    /*
     * The backend replies to PASS, APOP or AUTH first. What follows AUTH may be data or a command. What
     * follows any of them in the same segment is lost at Courier, where another program goes on with the
     * session.
     */
    POP3_CLIENT_LOGIN,
    POP3_CLIENT_QUIT, /* the backend replies to QUIT first */
    POP3_CLIENT_DONE  /* nothing more */
};

enum pop3_backend_state {
    POP3_BACKEND_GREETING,
    POP3_BACKEND_XCLIENT,    /* its reply to the proxy's XCLIENT, for which the engine holds the greeting */
    POP3_BACKEND_REPLY,      /* the first line of a reply */
    POP3_BACKEND_BODY,       /* the rest of a multi-line reply, which passes */
    POP3_BACKEND_CAPA,       /* a line of the reply to CAPA */
    POP3_BACKEND_MECHANISMS, /* a line of the reply to AUTH without an argument */
    POP3_BACKEND_DONE        /* nothing more */
};

struct pop3_engine;

/*
 * Moves to another state. The table in pop3_state.c allows the move, or it is a mistake of ours that ends the
 * program.
 */
void pop3_move_client(struct pop3_engine *pop3, enum pop3_client_state to);

/* The same for the backend's side. */
void pop3_move_backend(struct pop3_engine *pop3, enum pop3_backend_state to);

#endif
