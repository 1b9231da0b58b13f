/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_SESSION_H
#define DEEPPROXY_PROXY_SESSION_SESSION_H

#include "base/bytes.h"
#include "protocols/engine.h"
#include "proxy/backends/balance.h"
#include "proxy/worker/handshakes.h"
#include "proxy/keyclient/key_client.h"
#include "proxy/common/tcp_conn.h"
#include "proxy/worker/worker.h"

/*
 * One client, from accept to the log line of its end: its TLS, the engine, and the connection to a backend. A
 * session belongs to its worker's thread. After any event session_flow.c brings it forward until nothing
 * moves, then sets what is read next.
 *
 *     (CLEARTEXT) -> HANDSHAKING -> CONNECTING <-> GREETING -> RELAYING -> LINGERING -> CLOSED
 *          |              |             |             |           |            |          ^
 *          +--------------+-------------+-------------+-----------+------------+----------+
 *
 * RELAYING goes back to CONNECTING where the client has had nothing of the server: behind STARTTLS, whose greeting is
 * not shown. CONNECTING and GREETING also go to LINGERING: with a greeting of our own, when no server is left to try; and
 * CLEARTEXT, when the client does not want TLS.
 */
enum session_state {
    SESSION_HANDSHAKING, /* the client's TLS handshake */
    SESSION_CLEARTEXT, /* a service with STARTTLS: the dialogue before the handshake; no server has part in it */
    SESSION_CONNECTING, /* TCP to a server */
    SESSION_GREETING, /* its TLS handshake, where its pool has that, and its greeting; until the client has seen it
                            another server can take over */
    SESSION_RELAYING,  /* the dialogue */
    SESSION_LINGERING, /* last words, close_notify and FIN are on their way; what the client still sends is
                            dropped */
    SESSION_CLOSED     /* libuv closes the handles; the last one frees the session */
};

/* The connection to a server. On the heap: it comes after the handshake, and another may follow it. */
struct backend_link {
    struct tcp_conn stream;
    uv_connect_t connect;
    struct session *session; /* NULL when the session has let go of it */
    struct server *server;
    struct backend_tls *tls; /* NULL: in the clear */
    uint64_t since;          /* worker_now: from then on it has been awaited, and silent */
};

struct session {
    struct tcp_conn client;
    struct worker *worker;
    struct worker_session in_worker; /* `service` points into its generation's snapshot */
    struct service *service;
    struct handshake handshake; /* holds a slot while the client is half open */
    enum session_state state;
    bool awaits_close;           /* the server has said its last word, and a time is set for it to close */
    bool is_counted;             /* in worker.connections */
    bool is_refused;             /* a limit kept it out: it has no line of its own in the log */
    bool client_ended;           /* close_notify or FIN: nothing more comes from the client */
    bool leaves;                 /* session_is_leaving, and its time is set */
    struct tls_endpoint *tls;    /* NULL in CLEARTEXT */
    struct key_ticket signature; /* HANDSHAKING: what was asked of the key process */
    struct engine *engine; /* NULL in HANDSHAKING: what came before has nothing to do with what follows */
    struct backend_link *link;
    struct balance_tries tries;
    struct bytes kept[2]; /* input that the engine does not want yet, by the side that it came from */
    size_t kept_start[2]; /* how much of it is consumed already */
    uint64_t octets[2];   /* plaintext, by the side that it came from */
    size_t unsent;        /* LINGERING: what was queued when its deadline last passed */
    size_t dropped;       /* LINGERING: octets of the client that nobody reads */
    uint64_t started;     /* worker_now */
    uint64_t address_key; /* of worker.connections */
    uint64_t number;
    const char *reason;              /* why it ends: the log's word; static */
    const char *detail;              /* static, NULL where the reason says it all */
    const char *warning;             /* the engine's, as it was last seen; static */
    const char *server_name;         /* the last server's; lives as long as the generation */
    struct sockaddr_storage address; /* the client's */
};

/* How a worker calls its sessions. */
extern const struct worker_session_calls session_calls;

struct session *session_of_handshake(struct handshake *handshake);

/* The session's name in the log and towards backends: unlike any other's, of other replicas and earlier runs too. */
enum { SESSION_ID_MAX = 48 };
void session_format_id(const struct session *session, char into[SESSION_ID_MAX]);

/* ---- between the session_*.c files ---- */

/* Moves to a state; the table of allowed moves is checked. */
void session_move(struct session *session, enum session_state to);

/* One that is leaving has no other than WORKER_TIMEOUT_LEAVING. */
void session_set_timeout(struct session *session, enum worker_timeout timeout);

/* The client has ended, and has nothing to say: all that it may still want is the greeting, which has not come yet. */
bool session_is_leaving(const struct session *session);

/* The end, for a reason of the log's vocabulary; the first one stays. Both do nothing in a later state. */
void session_finish(struct session *session, const char *reason,
                    const char *detail); /* orderly: last words arrive */
void session_close(struct session *session, const char *reason, const char *detail); /* at once */

/* The client's TLS handshake is next. */
void session_begin_handshake(struct session *session);

/* Says goodbye in the protocol's words, then finishes. */
void session_say_goodbye(struct session *session, enum engine_farewell farewell, const char *reason,
                         const char *detail);

/* session_log.c: the line of a session's end. */
void session_log_end(const struct session *session);
/* What stood behind STARTTLS and was thrown away. */
void session_log_discarded(const struct session *session, size_t octets);
/* The handshake with the server, for who looks for it (debug). */
void session_log_backend_tls(const struct session *session, const struct tls_endpoint *endpoint);
/* A server that failed, and what happens next. */
void session_log_server_failed(const struct session *session, const char *error);
/* What the engine warns of, once in a session, and once a minute for a server. */
void session_log_warning(struct session *session);
/* The server is slow: as session_log_server_failed, once a minute. */
void session_log_slow_server(const struct session *session, const char *words);
/* What is odd about the server in use, once a minute. */
void session_log_odd_server(const struct session *session, const char *words);

/* session_backend.c: connects to the next server; says goodbye where none is left. */
void session_connect(struct session *session);
/* The server in use is no good: others go before it for a while, and the log says so. */
void session_server_failed(struct session *session, const char *error);
/* The client goes. It might have waited for as long as the server's times say, and the server been found out. */
void session_blame_slow_server(struct session *session);
/* The server in use is no good, and the client has not seen anything of it. */
void session_try_next_server(struct session *session, const char *error);
/* The same where the server has ended what there was: one that does not like sessions resumed is tried again without. */
void session_server_ended(struct session *session, const char *error);
/* Lets go of the connection to the server; it closes by itself. */
void session_drop_backend(struct session *session);

/* session_backend_tls.c: between the session and its server, in the clear or by TLS. */
/* Begins TLS where the pool has it, behind what goes in the clear before it. False where memory is short. */
bool session_begin_backend_tls(struct session *session);
/* Octets as they came from the server. */
void session_take_from_backend(struct session *session, struct slice data);
/* After a write that fails its end is read next. The TLS output is empty before and after. Only if tcp_conn_can_write. */
void session_write_to_backend(struct session *session, const struct engine_lane *lane);
/* close_notify where there is TLS, and FIN. */
void session_end_backend_output(struct session *session);
/* close_notify where it can go out now; frees what there is for TLS. */
void session_drop_backend_tls(struct session *session);
/* Its connection has ended without close_notify: somebody may have cut it. */
bool session_backend_was_cut(const struct session *session);
/* Its handshake has been ended by the server because a session was to be resumed; none will be, the next time. */
bool session_give_up_resumption(struct session *session);
/* Its handshake waits for the key process. */
bool session_backend_awaits_signature(const struct session *session);
/* The end where it does not get it: no server's fault, and with the next one it would be the same. */
void session_give_up_signature(struct session *session);
/* One of three words: for the dialogue before TLS, for its handshake, and for what comes behind it, or has no TLS. */
const char *session_backend_phase(const struct session *session, const char *in_clear,
                                  const char *in_handshake, const char *otherwise);

/* session_flow.c */
/* Input of its handshake, whose turn it is. */
void session_on_handshake(struct handshake *handshake, struct slice input);
void session_take_input(struct session *session, enum side from, struct slice data);
void session_advance(struct session *session);
/* Writes what waits in the TLS output; false where the client's connection broke (the session is closed then). */
bool session_flush_client(struct session *session);
/* Writes what the engine has let out to both sides, and empties the engine_out. False where the session is closed now. */
bool session_let_out(struct session *session);
/* The key process has signed for this session's handshake, or has not (empty). */
void session_on_signature(void *session, struct slice signature);
void session_on_client_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer);
void session_on_backend_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer);
void session_on_drained(struct tcp_conn *conn, int status);

#endif
