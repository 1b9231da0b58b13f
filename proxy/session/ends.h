/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_ENDS_H
#define DEEPPROXY_PROXY_SESSION_ENDS_H

/*
 * What a session does when its client or its server has ended: a table of the client's end, the server's end
 * and the stage of the dialogue. It knows no sockets and changes nothing; session_flow.c asks it after each
 * event, when all that could be fed and sent has been.
 */

/* How far the client's input has ended: by FIN, or by close_notify. */
enum client_end {
    CLIENT_OPEN,
    CLIENT_PENDING, /* ended, and some of its input still waits for the engine */
    CLIENT_DONE,    /* ended, and all of its input has been fed */
    CLIENT_SENT_ON, /* as CLIENT_DONE, and the server has our FIN on the client's behalf */
    CLIENT_ENDS
};

/* How far the server's input has ended. */
enum server_end {
    SERVER_OPEN,
    SERVER_WRITE_FAILED, /* a write to it has failed: its end is read next */
    SERVER_CLOSED,       /* ended, and all of its input has been fed */
    SERVER_CUT,          /* as SERVER_CLOSED, but TLS ended without close_notify: somebody may have cut it */
    SERVER_ENDS
};

/* How far the dialogue with the server in use has come. */
enum dialogue_stage {
    STAGE_SIGNING,     /* our TLS handshake with the server waits for the key process */
    STAGE_UNGREETED,   /* everything else before its greeting */
    STAGE_UNCOMMITTED, /* greeted, but the client has had nothing of this server: another one can take over */
    STAGE_COMMITTED,   /* another server can't take over */
    STAGE_ENDING,      /* the client has asked to end the session */
    STAGE_CLOSING,     /* the server has sent its closing reply: it has only to close */
    STAGES
};

enum ends_action {
    ENDS_NOTHING,           /* the session continues, or what is next has still to be read */
    ENDS_SEND_FIN,          /* send FIN to the server, and wait a limited time for the rest of its replies */
    ENDS_TRY_NEXT_SERVER,   /* the client has had nothing of this one */
    ENDS_GIVE_UP_SIGNATURE, /* no server's fault: end with a goodbye */
    ENDS_GOODBYE_CLOSED,    /* end with a goodbye: backend-closed */
    ENDS_GOODBYE_CUT,       /* the same, and the log has the detail */
    ENDS_FINISH_CLIENT_CLOSED,
    ENDS_FINISH_LOGOUT /* the session was to end */
};

/* What is next. Every combination has an answer, also those that do not happen. */
enum ends_action ends_action(enum client_end client, enum server_end server, enum dialogue_stage stage);

#endif
