/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_SESSION_PRIVATE_H
#define DEEPPROXY_PROXY_SESSION_SESSION_PRIVATE_H

#include "base/bytes.h"
#include "base/must_check.h"
#include "base/state_machine.h"
#include "protocols/engine.h"
#include "protocols/proxy_protocol/proxy_reader.h"
#include "proxy/backends/choose.h"
#include "proxy/runtime/snapshot.h"
#include "proxy/session/end_reason.h"
#include "proxy/session/session.h"
#include "proxy/session/tls_side.h"

#include <netinet/in.h>

/*
 * What the files of this room share; no other room includes it. After any event session_advance brings the
 * session forward until nothing moves. Functions report to their callers by the session's state: each one
 * says if the session may be LINGERING or CLOSED when it returns ("may end the session").
 *
 *     ACCEPTED -> (HEADER ->) (SLOWED ->) (WAITING ->) (CLEARTEXT ->) HANDSHAKING -> CONNECTING ->
 *     (BACKEND_STARTTLS ->) (BACKEND_HANDSHAKE ->) GREETING -> RELAYING -> (HALF_CLOSED or ORPHANED ->)
 *     LINGERING -> CLOSED
 *
 * Every state but LINGERING can be followed by CLOSED at once, and every state from CLEARTEXT on by
 * LINGERING. From CONNECTING on, until the client has had anything of its server, CONNECTING follows again,
 * for the next server: after STARTTLS the client is not shown the greeting, so that can still be after
 * GREETING.
 */
enum session_state {
    /* The limits have not been checked. No session outlasts the event of its acceptance in this state. */
    SESSION_ACCEPTED,
    /*
     * A PROXY header is read, or looked for. It comes first from an address that is believed, and after
     * SLOWED and WAITING from all others: these are known to be clients of their own.
     */
    SESSION_HEADER,
    /* The client's address connects too fast: this one waits for its turn. Nothing is read from it. */
    SESSION_SLOWED,
    /*
     * The client's address has as many half-open clients as it may: this one waits for their end. Nothing is
     * read from it.
     */
    SESSION_WAITING,
    /* A service with STARTTLS: the dialogue before the handshake. No server takes part in it. */
    SESSION_CLEARTEXT,
    /*
     * The client's TLS handshake. It runs, or waits in the run queue (handshake_is_put_aside), or waits for a
     * signature (TLS_AWAITS_SIGNATURE).
     */
    SESSION_HANDSHAKING,
    /* No server: it waits for a place at one; or TCP to a server. */
    SESSION_CONNECTING,
    /* The server is asked for TLS in the clear (pools with STARTTLS). */
    SESSION_BACKEND_STARTTLS,
    /* The TLS handshake with the server (pools with TLS). It runs, or waits for a signature. */
    SESSION_BACKEND_HANDSHAKE,
    /* The server's greeting, or, after STARTTLS, its answer to the first command over TLS. */
    SESSION_GREETING,
    /* The dialogue, with both sides open. */
    SESSION_RELAYING,
    /*
     * The client has ended its input, and the server has our FIN in turn: it may send what is left. The times
     * for login and idling count as before.
     */
    SESSION_HALF_CLOSED,
    /*
     * The server has ended the connection, as it has many others at this moment, and owes the client nothing:
     * the client gets its goodbye in its turn, or as soon as it sends something. There is no link.
     */
    SESSION_ORPHANED,
    /*
     * The server is dropped. Last octets, close_notify and FIN are sent; what the client still sends is
     * dropped.
     */
    SESSION_LINGERING,
    /* libuv closes the handles; the last one frees the session. */
    SESSION_CLOSED
};

/* The states' names, the allowed moves, and what each state demands of the session. */
extern const struct state_machine session_machine;

/* The connection to a server. On the heap: it is made after the handshake, and another one may follow it. */
struct backend_link {
    struct tcp_conn conn;
    uv_connect_t connect;
    struct session *session; /* NULL when the session has dropped it */
    struct backend_tls *tls; /* NULL: in the clear */
    uint64_t last_heard;     /* worker_now: when it last sent something, or its time began */
};

/* An address without the room for those of other families. */
union packed_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/*
 * What a session has besides if its service has proxy_protocol. On the heap, so that others need no room for
 * it.
 */
struct origin {
    struct proxy_reader *reader;    /* until the header is read */
    struct bytes early;             /* what followed it, until the client may begin */
    union packed_address balancer;  /* who sent the header; AF_UNSPEC: nobody */
    union packed_address connected; /* what the client connected to; AF_UNSPEC: as the socket has it */
    bool is_trusted;                /* proxy_protocol.from has the connection's address */
    bool is_local;                  /* a connection of the balancer's own */
};

struct session {
    struct tcp_conn client;
    struct worker *worker;
    struct worker_session in_worker; /* `service` points into its generation's snapshot */
    struct service *service;
    struct handshake handshake; /* holds a slot while the client is half open */
    enum session_state state : 8;
    enum end_reason reason : 8;      /* END_NONE until it is to end; the first one stays */
    enum worker_timeout timeout : 8; /* the class that was set last; WORKER_TIMEOUTS: none */
    bool is_counted : 1;             /* in worker.connections */
    bool has_spoken : 1;             /* an octet has come from the client */
    /* The client's close_notify or FIN was seen: no more input comes from it. */
    bool client_half_closed : 1;
    bool is_traced : 1; /* the engine may have the worker's trace */
    bool is_slowed : 1; /* in worker.slowed_count */
    /* The round of its server's goodbyes in which it takes part (server_goodbye.h); 0: in none. */
    uint8_t parting;
    struct tls_side tls;       /* towards the client; its endpoint is NULL before the handshake begins */
    struct origin *origin;     /* NULL: no header was looked for */
    struct engine *engine;     /* NULL in HANDSHAKING: nothing of what came before is known after it */
    struct backend_link *link; /* NULL: no server */
    struct reservation place;  /* at the last server */
    /* For a server, if the first has failed, or none had a place; or NULL. */
    struct session_search *search;
    union {
        uint32_t turns;   /* engine_status.turns when WORKER_TIMEOUT_COMMAND last began */
        uint32_t part_at; /* `parting`, ORPHANED: when its turn comes, the low bits of worker_now */
    };
    union {
        uint32_t wanted_after_ms; /* before: when a server was looked for, from its start on */
        uint32_t dropped;         /* LINGERING: octets of the client that were dropped */
    };
    /*
     * By the side that they came from: input that the engine does not want yet, how much of it is fed, and
     * plaintext.
     */
    struct bytes pending_input[2];
    size_t pending_start[2];
    uint64_t octets[2];
    union {
        size_t unsent;  /* LINGERING: what was queued when its timeout last passed */
        uint64_t moved; /* `parting`: octets of both sides when they were last looked at */
    };
    uint64_t started;                /* worker_now */
    uint64_t address_key;            /* of worker.connections */
    uint64_t number;                 /* the second part of its name */
    const char *detail;              /* for the log, beside the reason; static, or NULL */
    const char *warning;             /* the engine's that was logged last; static */
    struct sockaddr_storage address; /* the client's */
};
/* A million idle clients are a million of these: what grows it takes a reason. */
_Static_assert(sizeof(struct session) <= 768, "a session is small");

/* Is it in a state of the set? */
static inline bool session_is_in(const struct session *session, unsigned states)
{
    return (STATE(session->state) & states) != 0;
}

/* Sets of states. */
enum {
    /* It is to end, or has. Functions that "may end the session" return in one of these if they have. */
    SESSION_IS_ENDING = STATE(SESSION_LINGERING) | STATE(SESSION_CLOSED),
    /* Nothing of what the client sends is wanted yet but a header. */
    SESSION_IS_NEW =
        STATE(SESSION_ACCEPTED) | STATE(SESSION_HEADER) | STATE(SESSION_SLOWED) | STATE(SESSION_WAITING),
    /* What the client sends first is wanted. */
    SESSION_IS_BEGUN = STATE(SESSION_CLEARTEXT) | STATE(SESSION_HANDSHAKING),
    /* A server is connected to, and has not greeted. */
    SESSION_IS_LINKED_UNGREETED =
        STATE(SESSION_BACKEND_STARTTLS) | STATE(SESSION_BACKEND_HANDSHAKE) | STATE(SESSION_GREETING),
    /* The client waits for a server's greeting. */
    SESSION_IS_UNGREETED = STATE(SESSION_CONNECTING) | SESSION_IS_LINKED_UNGREETED,
    /* The server has greeted. */
    SESSION_IS_IN_DIALOGUE = STATE(SESSION_RELAYING) | STATE(SESSION_HALF_CLOSED),
    /* There is a link, and it is connected. */
    SESSION_IS_LINKED = SESSION_IS_LINKED_UNGREETED | SESSION_IS_IN_DIALOGUE
};

/* ---- session.c ---- */

/*
 * Moves to a state that session_machine allows, and shows the move to the log at level debug. It does nothing
 * else.
 */
void session_move(struct session *session, enum session_state to);

/*
 * Has the client half-closed without a command, before its server has greeted? Most of these have
 * disconnected, so the greeting is awaited no longer than WORKER_TIMEOUT_ABANDONED.
 */
bool session_has_abandoned(const struct session *session);

/*
 * (Re)starts a timeout in place of the one before. For a client that has abandoned it is
 * WORKER_TIMEOUT_ABANDONED.
 */
void session_set_timeout(struct session *session, enum worker_timeout timeout);

/* The class of the time that a client of the service has for its login. */
enum worker_timeout session_login_timeout(const struct session *session);

/* The session that owns a handshake. */
struct session *session_of_handshake(struct handshake *handshake);

/*
 * Ends the session in good order: drops the server, sends close_notify and FIN, and lingers until the client
 * has taken what is queued. `detail` is static or NULL. Does nothing to a session that is ending. LINGERING
 * or CLOSED when it returns.
 */
void session_finish(struct session *session, enum end_reason reason, const char *detail);

/* Ends the session at once, and logs its end; does nothing to one that is CLOSED. CLOSED when it returns. */
void session_close(struct session *session, enum end_reason reason, const char *detail);

/*
 * Sends a goodbye in the protocol's words, as engine_goodbye, then finishes. LINGERING or CLOSED when it
 * returns.
 */
void session_send_goodbye(struct session *session, enum engine_goodbye_reason why, enum end_reason reason,
                          const char *detail);

/* The same in the words of a server that has refused the client (engine_refuse). */
void session_send_refusal(struct session *session, const char *refusal, enum end_reason reason);

/* Counts one of the service's events. */
void session_count(const struct session *session, enum counter what);

/* ---- session_begin.c: who may begin, and when ---- */

/* For the worker: accepts a connection, as worker_session_calls.accept. */
enum accept_outcome session_accept(struct worker *worker, const struct incoming *incoming);

/* For the worker: a client that has waited for others begins. May end the session. */
void session_begin_after_waiting(struct handshake *handshake);

/* From SLOWED: the client's turn has come. May end the session. */
void session_begin_after_turn(struct session *session);

/* The session no longer counts among those that wait for their turn, if it did. */
void session_leave_slowed(struct session *session);

/* A client whose address is known: begins, waits, or is turned down. From ACCEPTED or HEADER. */
void session_admit(struct session *session);

/* The client holds a slot: it may begin. May end the session. */
void session_begin_half_open(struct session *session);

/* Closes the connection of a client that a limit keeps out: counts it, and logs the limit. CLOSED then. */
void session_reject(struct session *session, enum client_limit limit);

/* Closes a connection that is refused, likewise. `detail`: more of the reason; static, or NULL. */
void session_refuse(struct session *session, enum refusal refusal, const char *detail);

/* Begins the client's TLS handshake. May end the session (no memory): CLOSED. */
void session_begin_handshake(struct session *session);

/* ---- session_header.c: the PROXY header before all else ---- */

/*
 * One read while a header is looked for: more than a usual ClientHello. What follows the header is kept while
 * its client waits.
 */
enum { SESSION_HEADER_READ_MAX = 2048 };

/* Has the service proxy_protocol, and was no header looked for yet? */
bool session_awaits_header(const struct session *session);

/*
 * Moves on to HEADER. `is_trusted`: the address is believed; it has a slot and a place, and is admitted when
 * the header is read. If not, the client has been admitted. May end the session.
 */
void session_begin_header(struct session *session, bool is_trusted);

/* Octets have come in HEADER. May end the session. */
void session_take_header(struct session *session, struct slice data);

/* Nothing more comes in HEADER: refuses half a header, or closes with the reason. CLOSED then. */
void session_end_header(struct session *session, enum end_reason reason);

/* The client may begin: takes what it has sent with the header. May end the session. */
void session_take_early(struct session *session);

/* Does the connection serve a balancer itself, as a check does (LOCAL)? */
bool session_is_of_balancer(const struct session *session);

/* The address that a header says the client has connected to. False if none does. */
bool session_origin_connected(const struct session *session, struct sockaddr_storage *into);

/* The address that has sent the header. False if there was none. */
bool session_origin_balancer(const struct session *session, struct sockaddr_storage *into);

/* Frees all that. */
void session_free_origin(struct session *session);

/* ---- session_survey.c ---- */

/* The worker's call: see struct worker_session_calls. */
void session_survey(struct worker_session *in_worker, struct survey *survey);

/* The session that a worker knows. */
struct session *session_of_worker(struct worker_session *in_worker);

/* ---- session_parting.c: a server's clients get their goodbyes spread over a time ---- */

/* For the worker: as worker_session_calls.part. May end the session. */
void session_part(struct worker_session *in_worker);

/* The server has greeted: it may have begun a round of goodbyes meanwhile. May end the session. */
void session_part_late(struct session *session);

/* Another server is connected to: the session takes part in no round. */
void session_forget_parting(struct session *session);

/* The timeout of a session that is `parting`, or ORPHANED, has passed. May end the session. */
void session_parting_expired(struct session *session);

/*
 * The server has ended the connection, though nobody had asked it to. Sends the goodbye at once, or moves on
 * to ORPHANED. `detail` is as in session_finish. May end the session.
 */
void session_lose_server(struct session *session, const char *detail);

/*
 * The server has sent its closing reply, though nobody had asked it to, and the worker's output has that for
 * the client. True if the reply is kept until the client's turn comes, as for session_lose_server: the output
 * is empty then, and the session ORPHANED.
 */
MUST_CHECK bool session_keep_last_words(struct session *session);

/* Gives the worker's output what was kept. */
void session_take_last_words(struct session *session);

/* In ORPHANED: the client has sent something, or has ended. May end the session. */
void session_advance_orphaned(struct session *session);

/* ---- quiet.c: sessions that nobody wants to read about one by one ---- */

enum quiet {
    QUIET_NOT,
    QUIET_SILENT, /* the client has not sent an octet: a balancer's check of TCP, or a scanner */
    QUIET_PROBE   /* a health check that is known */
};

/* Which of them is it? Call it when the session is to end, with its reason set. */
enum quiet quiet_of(const struct session *session);

/* ---- session_log.c: lines of the log; none of these changes anything in a session but `warning` ---- */

/*
 * The trace for a state machine of the session; NULL below level debug. It is the worker's, and holds until
 * the worker turns to another session.
 */
const struct state_trace *session_trace(struct session *session);

/* Whether the log has level debug: as the newest generation says, whichever the session began under. */
static inline bool session_is_debugged(const struct session *session)
{
    return session->worker->generation->snapshot->cfg->log_level >= CFG_LOG_DEBUG;
}

/* Lends the session's engine the trace, or takes it back. */
void session_set_engine_trace(struct session *session);

/* Call before each call of the session's engine that may move it. Costs one test below level debug. */
static inline void session_lend_trace(struct session *session)
{
    if (session_is_debugged(session) || session->is_traced)
        session_set_engine_trace(session);
}

/* Logs the session's end: a quiet one's at level debug. */
void session_log_end(const struct session *session);
/* Logs that octets after STARTTLS, which came before the handshake, were dropped. */
void session_log_discarded(const struct session *session, size_t octets);
/* Logs a failed server. */
void session_log_server_failed(const struct session *session, const char *error);
/* Logs a slow server as session_log_server_failed does, but once a minute for each server. */
void session_log_slow_server(const struct session *session, const char *error);
/* Logs what this machine lacked to connect to a server, once a minute for each server. */
void session_log_local_failure(const struct session *session, const char *error);
/* Logs what is odd about the server in use, once a minute for each server. */
void session_log_odd_server(const struct session *session, const char *warning);
/* Logs the engine's warning as session_log_odd_server does, if it is another one than before. */
void session_log_warning(struct session *session);

/* Level debug only: the TLS handshake with the server is done. */
void session_log_backend_tls(const struct session *session, const struct tls_endpoint *endpoint);
/* Level debug only: another timeout runs. */
void session_log_timeout(const struct session *session);
/* Level debug only: the server to try next was chosen. */
void session_log_server_chosen(const struct session *session);

/* ---- session_backend.c: the server in use, and the next one ---- */

/*
 * In CONNECTING, without a link: chooses the next server and connects to it. Sends a goodbye if none is left.
 * May end the session.
 */
void session_connect(struct session *session);

/* Marks the server in use as failed: it is suspected. Logs it, if it was not suspected before. */
void session_mark_server_failed(struct session *session, const char *error);

/*
 * Call when a client disconnects: if its server is awaited and has been silent for GENERATION_SLOW_MS,
 * this counts against the server, as the timeout that would have shown it never fires.
 */
void session_mark_slow_server(struct session *session);

/*
 * Drops the server in use, which has failed before the client had anything of it, and connects to the next
 * one. A server whose greeting has refused the client is not marked as failed; if no other is left, the
 * client gets its words. `error` may belong to the server's TLS endpoint. May end the session.
 */
void session_try_next_server(struct session *session, const char *error);

/*
 * The same for a server that has refused the client in words that it must not get, as nobody has
 * authenticated them: it is not marked as failed either.
 */
void session_try_next_without_words(struct session *session, const char *error);

/*
 * The same for a server that has ended the connection. If it has aborted the resumption of a TLS session, the
 * same server is connected to once more, without. May end the session.
 */
void session_server_ended(struct session *session, const char *error);

/* The server in use has ended the connection, in the present state: words for the log, static. */
const char *session_words_for_close(const struct session *session);

/* An awaited server's time is over: tries the next one. May end the session. */
void session_server_timed_out(struct session *session);

/*
 * Drops the connection to the server, which closes by itself, and its place there, or in the queue. Does
 * nothing if there is none.
 */
void session_drop_backend(struct session *session);

/* The session has a place: connects. May end the session. */
void session_connect_to_place(struct session *session);

/*
 * No server is left. `local_error` and `refusal` are as in session_backend.c, or NULL. Ends the session.
 */
void session_give_up(struct session *session, const char *local_error, const char *refusal);

/* ---- session_choose.c: which server, how long for, and waiting for one ---- */

/* The servers of its pool now. */
struct membership *session_members(const struct session *session);

/* Chooses a server and takes a place there. Without a place: waits for one if it may. */
enum session_choice {
    SESSION_HAS_PLACE,
    SESSION_WAITS, /* in the pool's queue */
    SESSION_HAS_NONE
};
enum session_choice session_choose(struct session *session, bool may_wait);

/*
 * The server in use has failed for this client, and is not tried again. Gives the place back. False if memory
 * is short.
 */
MUST_CHECK bool session_leave_server(struct session *session);

/* How many servers have failed for this client. */
size_t session_count_tries(const struct session *session);

/* Frees all that the search for a server took. */
void session_end_search(struct session *session);

/* For the worker: struct worker_session_calls. */
bool session_take_turn(struct waiter *waiter);

/* In CONNECTING without a link: a while has passed in the queue. May end the session. */
void session_wait_expired(struct session *session);

/* Leaves the queue; does nothing if it does not wait. */
void session_leave_queue(struct session *session);

/* Gives back the place at the server; does nothing if there is none. */
void session_give_back_place(struct session *session);

/*
 * Sets the time that the server in use has, up to the class CONNECT or GREETING: shorter while another server
 * is left.
 */
void session_set_server_timeout(struct session *session, enum worker_timeout timeout);

/* The server in use has greeted: nobody suspects it. */
void session_note_greeting(struct session *session);

/* ---- session_watch.c: servers that were too slow for a client that tried them ---- */

/*
 * The server in use has let the time of this client pass. If it was suspected, and is connected to, its
 * connection and place are taken out of the session, which has no link then, and are watched for a greeting.
 */
void session_watch_server(struct session *session);

/* For the worker, when it ends: struct worker_session_calls. */
void session_end_watches(struct worker *worker);

/* ---- session_backend_tls.c: octets between the session and its server, in the clear or by TLS ---- */

/*
 * From CONNECTING, when TCP is there: begins TLS if the pool has it, and moves on to BACKEND_STARTTLS,
 * BACKEND_HANDSHAKE or GREETING. False if memory is short: the caller closes the session.
 */
MUST_CHECK bool session_begin_backend_tls(struct session *session);

/* Octets as they came from the server. May end the session. */
void session_receive_from_server(struct session *session, struct slice data);

/*
 * Sends what the engine has for the server. A write that fails is no error here: the server's end is read
 * next. The TLS output is empty before and after.
 */
void session_send_to_server(struct session *session, const struct engine_lane *lane);

/* Sends close_notify, if there is TLS, and FIN. */
void session_end_backend_output(struct session *session);

/*
 * Sends close_notify, if nothing that is queued waits before it, and frees all that there is for TLS, if
 * there is any.
 */
void backend_tls_drop(struct backend_link *link, struct worker *worker);

/* Are the next octets of the server those of its greeting, in the clear or by TLS that is open? */
bool backend_tls_is_ready(const struct backend_link *link);

/*
 * For a connection that is ready: `data` itself in the clear, or what it says by TLS, which may be nothing
 * yet, in the worker's buffer. The outputs of the worker must be empty.
 */
struct slice backend_tls_open(struct backend_link *link, struct worker *worker, struct slice data);

/* Has the server's input ended without close_notify? */
bool session_backend_was_cut(const struct session *session);

/* Did the server end a handshake because a session was to be resumed? None is, for an hour then. */
MUST_CHECK bool session_give_up_resumption(struct session *session);

/* Has the handshake with the server failed as its certificate was rejected? */
bool session_backend_is_untrusted(const struct session *session);

/* Does the handshake with the server wait for the key process? */
bool session_backend_awaits_signature(const struct session *session);

/*
 * The key process does not sign. No server is to blame, and the next one would do no better. Ends the
 * session.
 */
void session_give_up_signature(struct session *session);

/* ---- session_flow.c: octets between both sides and the engine, and what follows from each event ---- */

/*
 * Feeds the engine with plaintext of a side, or keeps it until the engine wants it, and advances. May end the
 * session.
 */
void session_take_input(struct session *session, enum side from, struct slice data);

/* Octets as they came from the client, before the session ends. May end it. */
void session_receive_from_client(struct session *session, struct slice data);

/*
 * Feeds what waits, acts on what the engine and both ends have come to, and sets what is read next. May end
 * the session.
 */
void session_advance(struct session *session);

/* In the dialogue, after another timeout has taken its place: the usual one runs again, from its start. */
void session_resume_timeout(struct session *session);

/*
 * Reads from a server from its connection on. Call it while the connection is being made: to begin after that
 * costs two more system calls. What the server has sent is read after on_connected, never before.
 */
void session_await_server(struct session *session);

/* Sends the TLS output to the client. False if its connection broke: the session is CLOSED then. */
MUST_CHECK bool session_flush_client(struct session *session);

/*
 * Sends what the engine has for both sides, and empties the engine_out. False if the session is CLOSED now.
 */
MUST_CHECK bool session_send_output(struct session *session);

/* For the worker: input of a handshake, in its turn. May end the session. */
void session_on_handshake(struct handshake *handshake, struct slice input);

/* tcp_conn.on_drained of the client. May end the session. */
void session_on_client_drained(struct tcp_conn *conn, int status);

#endif
