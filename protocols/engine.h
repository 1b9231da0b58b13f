/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_ENGINE_H
#define DEEPPROXY_PROTOCOLS_ENGINE_H

#include "protocols/engine_out.h"
#include "protocols/protocol.h"

/*
 * A protocol engine stands between one client and one backend that speak IMAP, POP3 or SMTP submission. The
 * caller feeds it what either side has sent, and gets what to send to either side: it edits the backend's
 * capabilities (adds DEEP; removes STARTTLS, mechanisms that cannot work and the like), puts the cipher suite
 * in, and answers commands that must not pass in the backend's place. It never touches a socket, a clock, TLS
 * or a source of randomness. The same octets cut in other ways give the same output octets.
 *
 * Words
 *   pass   send octets on as they are: slices of the caller's input
 *   make   send octets of the engine's own
 *   hold   keep octets until the engine can decide on them. Each engine names the limits. It frees what it
 *          has held as soon as it has decided, so that an idle session holds nothing
 *   greet  send the client the first octets of the session
 *
 * Life: new -> feed (and goodbye, at most once) -> free. The caller feeds the backend's greeting first: until
 * the client has been greeted the engine wants nothing from it. After every feed the caller writes or queues
 * both lanes, empties the engine_out, and feeds again as long as octets are left and the engine wants that
 * side.
 *
 * A service with STARTTLS (STLS in POP3) has two engines for each session, one after the other. The first one
 * (engine_new_pretls) speaks with the client in the clear and knows no backend. Its status becomes
 * ENGINE_STARTTLS when the handshake is to begin; the caller then frees it, and with it all that was known of
 * the client. The second one (engine_new) begins with nothing. It does not show the backend's greeting, since
 * the client has been greeted.
 */
struct engine;
struct state_trace;

/*
 * What all sessions of a service have in common. Immutable; it and its strings outlive every engine made from
 * it.
 */
struct engine_service {
    enum protocol protocol;
    /* deep-status of draft section 5.3, checked; "" is an empty one, and announced */
    const char *deep_status;
    const char *hostname; /* the proxy's name, for greetings of its own */
    bool starttls;        /* its clients begin in the clear (RFC 2595, RFC 3207) */
    /* Clients see the backend's own status merged into it, not replaced (deep_status_merge). */
    bool deep_merge;
    /* The backend learns who the client is by its protocol's own words: IMAP ID, XCLIENT. */
    bool sends_identity;
    /* Octets of lines; 0: the default of protocols/limits.h. */
    size_t imap_line_max; /* IMAP_LINE_AUTHENTICATED_MAX */
    size_t sasl_max;      /* SASL_MAX */
    /* Submission only. */
    bool adds_received;   /* a Received field goes before each message (RFC 5321 section 4.4) */
    bool refuses_bare_lf; /* a message sent by DATA that has a bare LF in it ends the session */
    int64_t (*now)(void); /* seconds since 1970, for the date of that field and nothing else */
};

enum {
    ENGINE_NONCE_LEN = 16,
    /* With the NUL: an IPv6 address, and a session's id. */
    ENGINE_ADDRESS_MAX = 48,
    ENGINE_SESSION_ID_MAX = 64
};

/* What is known about the client of one session. */
struct engine_client {
    /* Registered name, or 0x and four hexadecimal digits (draft section 6). It outlives the engine. */
    const char *tls_cipher;
    /* The strings from here on need not outlive engine_new. Numeric: "203.0.113.5", "2001:db8::1" */
    const char *address;
    const char *session_id;        /* an atom (RFC 5322 section 3.2.3) */
    const char *connected_address; /* at which the client has reached the proxy; for `sends_identity` alone */
    /*
     * NULL, or the name that the client's verified certificate stands for. Submission with `sends_identity`
     * sends it to the backend (XCLIENT LOGIN).
     */
    const char *login;
    uint16_t port;
    uint16_t connected_port;
    /*
     * The backend learns of the client's verified certificate in other ways, so that SASL EXTERNAL there
     * means this client. Otherwise EXTERNAL never passes (sasl_mechanism.h).
     */
    bool external;
    char nonce[ENGINE_NONCE_LEN + 1]; /* random letters and digits that no client can guess; NUL at the end */
};

/* Why a session cannot go on; the first one stays. */
enum engine_reason {
    ENGINE_OPEN, /* it goes on */
    /*
     * The backend does not serve: its greeting says so, or it does not accept what it has to know of the
     * client. If the client has seen nothing yet, the caller may try another backend.
     */
    ENGINE_BACKEND_REFUSED,
    ENGINE_BACKEND_ERROR, /* the backend broke the protocol or a limit */
    /* the client broke the protocol or a limit; it has been told so in its protocol's words */
    ENGINE_CLIENT_ERROR,
    ENGINE_STARTTLS, /* of engine_new_pretls: the client has been told to begin its handshake now */
    ENGINE_LOGOUT,   /* of engine_new_pretls: the client has ended the session, and got its reply */
    ENGINE_NO_MEMORY
};

/* What the engine knows of its session; engine_private.h says which of it implies what. */
struct engine_status {
    enum engine_reason reason;
    /*
     * Submission: whole commands of the client, lines of an exchange, parts of a message, and replies to
     * them, as far as they have come; it may wrap. What has come of half a command does not count.
     */
    uint32_t turns;
    const char *detail; /* a few static words for the log, never a peer's octets; NULL while ENGINE_OPEN */
    bool greeted; /* octets have gone to the client, or the backend has greeted a client that already was */
    /*
     * Octets have gone to the client, or some of its own have been consumed: the client would notice another
     * backend.
     */
    bool committed;
    bool authenticated; /* the backend has accepted a login, and has not taken it back (RFC 8437) */
    bool serving;       /* the backend takes a message without a login: submission by address */
    /*
     * The client has asked to end (LOGOUT, QUIT), or the backend has: the close that follows is an orderly
     * one.
     */
    bool ending;
    /* The backend has sent its closing reply (BYE, 221, 421): it can only close now. */
    bool closing_reply_sent;
    /*
     * ENGINE_STARTTLS: octets after the command that came before the handshake. Nobody gets them (CERT
     * VU#555316): whoever injected them wanted them to be read after it.
     */
    size_t discarded;
    /*
     * What the operator should know of this backend, though the session goes on: a static sentence with the
     * remedy. NULL if there is nothing.
     */
    const char *warning;
};

/*
 * What the client has reported of itself (draft section 7.1 and 7.3: ID, CLIENT). The octets are the client's
 * own, limited in length and otherwise unchecked: encode them before they go to a log.
 */
enum engine_report_field {
    ENGINE_REPORT_NAME,
    ENGINE_REPORT_VERSION,
    ENGINE_REPORT_LATCH,
    ENGINE_REPORT_LATCH_FAIL,
    ENGINE_REPORT_SECURITY_TAGS,
    ENGINE_REPORT_FIELDS
};

enum {
    /*
     * Octets kept of one reported field. The tags that exist take 30; a name or version of more is a prank.
     */
    ENGINE_REPORT_MAX = 256
};

enum {
    /* Octets kept of the text of a line with which a backend refuses a client, and of all such lines. */
    ENGINE_REFUSAL_TEXT_MAX = 400,
    ENGINE_REFUSAL_MAX = 1200
};

/* Why the proxy itself ends a session. */
enum engine_goodbye_reason {
    ENGINE_GOODBYE_UNAVAILABLE, /* there is no backend, or it has disconnected */
    ENGINE_GOODBYE_SHUTDOWN,    /* the proxy is being stopped */
    ENGINE_GOODBYE_KICKED,      /* the operator ends this client's session */
    ENGINE_GOODBYE_MOVED,       /* the operator takes its backend out: another one serves the client */
    ENGINE_GOODBYE_TIMEOUT      /* the client has sent nothing for too long */
};

/* An engine between a client and a backend. `service` outlives it. NULL if memory is short. */
struct engine *engine_new(const struct engine_service *service, const struct engine_client *client);

/* Wipes and frees it, and sets the pointer to NULL, which it may already be. */
void engine_free(struct engine **engine);

/*
 * An engine for what comes before the handshake of a service with STARTTLS. It serves capabilities, NOOP, the
 * end of the session and the command itself, and refuses all else (draft section 9.1). It only ever wants the
 * client, and sends to it alone. `service` outlives it. NULL if memory is short.
 */
struct engine *engine_new_pretls(const struct engine_service *service);

/* Sends the greeting of an engine_new_pretls. Called once, before the first feed. */
void engine_greet(struct engine *engine, struct engine_out *out);

/*
 * From now on shows each move of the engine's states to `trace`, which outlives the engine. NULL: to nobody.
 */
void engine_set_trace(struct engine *engine, const struct state_trace *trace);

/*
 * Feeds octets that came `from` a side. Returns how many the engine has consumed: all, or fewer
 *   if `out` has no room for another step: empty it and feed the rest;
 *   if the engine waits for the other side first: engine_wants is then false. The caller keeps the rest,
 *   reads no more from that side, and feeds it again when the engine wants it.
 * Slices in `out` may point into `data`, which must stay until the lanes have been written. After the status
 * has left ENGINE_OPEN all octets are consumed and dropped.
 */
size_t engine_feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out);

/* Would the engine consume at least one octet from this side now, given room? */
bool engine_wants(const struct engine *engine, enum side from);

/*
 * Sends goodbye to the client in its protocol's words (IMAP "* BYE", POP3 "-ERR", SMTP "421"), as a greeting
 * if it has not been greeted. Sends nothing if the client is inside a literal, a line or a multi-line reply,
 * in which it would take the words for content. The backend gets nothing: its connection just ends. Nothing
 * more is sent afterwards.
 */
void engine_goodbye(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out);

/*
 * Is nothing under way? The client has been greeted, each of its commands has its whole reply, and neither
 * side has sent a part of anything; an IMAP client may be in IDLE. A goodbye then cuts nothing off.
 */
bool engine_rests(const struct engine *engine);

/*
 * ENGINE_BACKEND_REFUSED by the backend's greeting: the words of that, one line or more with their ends, as a
 * client may get them in place of a greeting: printable ASCII, at most ENGINE_REFUSAL_MAX octets, with the
 * code that tells whether it is for good (554, [SYS/PERM]) or for now. NULL if there are none. The caller
 * owns the string from then on, and frees it.
 */
char *engine_take_refusal(struct engine *engine);

/*
 * The same as engine_goodbye, in the words of a backend that another engine had. Not after the engine
 * committed.
 */
void engine_refuse(struct engine *engine, const char *refusal, struct engine_out *out);

/* Valid as long as the engine; changed by the functions above. */
const struct engine_status *engine_status(const struct engine *engine);

/* NUL-terminated; NULL if the client has not reported it. Valid until the next feed. */
const char *engine_report(const struct engine *engine, enum engine_report_field field);

#endif
