/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_SESSION_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_SESSION_H

#include "protocols/engine_private.h"
#include "protocols/line.h"
#include "protocols/pop3/pop3_pending.h"

/*
 * A POP3 session (RFC 1939, 2449, 5034; draft section 7.2), for the sources of this engine alone. Each
 * command that passes leaves one octet in the row of pending answers; each line of the backend belongs to the
 * first of them. The proxy sends the backend nothing of its own, but for XCLIENT before the client is greeted.
 */

enum {
    /* Commands that the proxy refuses before it ends the session. No mail client comes near it. */
    POP3_REFUSALS_MAX = 10
};

/* What is expected next from the client. In the states of the second group the engine wants nothing of it. */
enum client_state {
    CLIENT_COMMAND,
    CLIENT_SASL_LINE, /* its line of an AUTH exchange, after a challenge */
    CLIENT_GREETING,  /* it has not been greeted */
    CLIENT_LOGIN, /* the backend's word on PASS, APOP or AUTH is awaited. What follows AUTH may be data or a command;
                         what follows any of them in the same segment is lost at Courier, where another program goes on
                         with the session. */
    CLIENT_QUIT, /* the backend's word on QUIT is awaited */
    CLIENT_DONE  /* nothing more */
};

/* What is expected next from the backend. */
enum backend_state {
    BACKEND_GREETING,
    BACKEND_XCLIENT,    /* its answer to the proxy's XCLIENT, for which the greeting is held */
    BACKEND_REPLY,      /* the first line of a reply */
    BACKEND_BODY,       /* the rest of a multi-line reply, which passes */
    BACKEND_CAPA,       /* a line of the answer to CAPA */
    BACKEND_MECHANISMS, /* a line of the answer to AUTH */
    BACKEND_DONE        /* nothing more */
};

struct pop3_engine {
    struct engine base;
    struct line_reader from_client;
    struct line_reader from_backend;
    struct pop3_pending pending;
    enum client_state client;
    enum backend_state backend;
    struct bytes greeting; /* BACKEND_XCLIENT */
    uint8_t end_matched;   /* BACKEND_BODY: as pop3_end_find has it */
    uint8_t refusals;
    bool
        apop; /* the greeting had a timestamp: there is a login that CAPA does not name (RFC 1939 section 7) */
    bool capa_login; /* BACKEND_CAPA: the list so far names a way to log in */
};

_Static_assert(sizeof(struct pop3_engine) < 400, "a session is small");

/* Goes on to another state; only along the moves that make sense. */
void pop3_move_client(struct pop3_engine *pop3, enum client_state to);
void pop3_move_backend(struct pop3_engine *pop3, enum backend_state to);

/* The session goes on: nothing has failed. */
bool pop3_is_open(const struct pop3_engine *pop3);

/* Is a line of the client expected now, and is there a place for its answer? */
bool pop3_wants_client(const struct pop3_engine *pop3);

/*
 * Answers a command that does not go to the backend: at once, or where answers are pending in its place
 * behind them. Behind a last word nothing more is taken from the client.
 */
void pop3_refuse(struct pop3_engine *pop3, enum pop3_answer answer, struct engine_out *out);

/* The first pending answer has been let out whole: those of the proxy's own behind it follow. */
void pop3_finish_answer(struct pop3_engine *pop3, struct engine_out *out);

/* The line by which the proxy ends a session by itself (RFC 3206: [SYS/TEMP]). */
const char *pop3_goodbye_text(enum engine_farewell farewell);

/* One step each: a line, or a stretch of a message, off the front of `*input`. Room in `out` is given. */
void pop3_client_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out);
void pop3_backend_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out);

#endif
