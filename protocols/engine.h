/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_ENGINE_H
#define DEEPPROXY_PROTOCOLS_ENGINE_H

#include "protocols/engine_out.h"
#include "protocols/protocol.h"

/*
 * A protocol engine stands between one client and one backend that speak IMAP, POP3 or SMTP submission. It is
 * fed what either side sent and says what goes to either side: capabilities edited (DEEP added; STARTTLS,
 * mechanisms that can't work and the like removed), the cipher suite put in, commands that must not pass answered in
 * their place. It never touches a socket, a clock, TLS or a source of randomness, and the same octets cut in
 * other ways give the same output octets.
 *
 * Words
 *   pass   let octets through as they are: slices of the caller's input
 *   make   let out octets of the engine's own
 *   hold   keep octets until they can be decided; bounded by the limits that each engine names, and freed when
 *          decided, so that an idle session holds nothing
 *   greet  show the client the first octets of the session
 *
 * Life: new -> feed (and goodbye, at most once) -> free. The caller feeds the backend's greeting first: until
 * the client has been greeted the engine wants nothing from it. After every feed the caller writes or queues
 * both lanes, empties the engine_out and feeds again as long as octets are left and the engine wants that
 * side.
 *
 * A service with STARTTLS (STLS in POP3) has two engines for each session, one after the other. The first one
 * (engine_new_pretls) speaks with the client in the clear and knows no backend; its status becomes
 * ENGINE_STARTTLS when the handshake is to begin. It is freed then, and with it all that was known of the
 * client; the second one, of engine_new, begins with nothing, and shows no greeting of the backend's: the client
 * has been greeted.
 */
struct engine;

/* What all sessions of a service have in common. Immutable; it and its strings outlive every engine made from it. */
struct engine_service {
    enum protocol protocol;
    const char
        *deep_status;     /* deep-status of draft section 5.3, checked; "" is an empty one, and announced */
    const char *hostname; /* the proxy's name, for greetings of its own */
    bool starttls;        /* its clients begin in the clear (RFC 2595, RFC 3207) */
    bool
        deep_merge; /* clients see the backend's own status merged into it, not replaced (deep_status_merge) */
    bool
        tells_identity; /* the backend is told who the client is in its protocol's own words: IMAP ID, XCLIENT */
    /* Submission only. */
    bool adds_received;   /* a Received field goes before each message (RFC 5321 section 4.4) */
    bool refuses_bare_lf; /* a message behind DATA with a bare LF in it ends the session */
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
    const char *tls_cipher; /* registered name, or 0x and four hexadecimal digits (draft section 6); outlives
                               the engine */
    const char *address; /* numeric: "203.0.113.5", "2001:db8::1"; from here on: needed in engine_new alone */
    const char *session_id;        /* an atom (RFC 5322 section 3.2.3) */
    const char *connected_address; /* where it has reached the proxy */
    const char *login; /* NULL, or the name that its verified certificate stands for: submission with
                          `tells_identity` tells it to the backend (XCLIENT LOGIN) */
    uint16_t port;
    uint16_t connected_port;
    bool external; /* the backend has been told of its verified certificate in other ways, so that SASL
                      EXTERNAL there means this client; otherwise it never passes (sasl_mechanism.h) */
    char nonce[ENGINE_NONCE_LEN + 1]; /* random letters and digits that no client can guess; NUL at the end */
};

/* Why a session can't go on; the first one stays. */
enum engine_reason {
    ENGINE_OPEN,            /* it goes on */
    ENGINE_BACKEND_REFUSED, /* the backend does not serve: its greeting says so, or it does not take what it is to
                               know of the client; where that has seen nothing, another backend may */
    ENGINE_BACKEND_ERROR, /* the backend broke the protocol or a limit */
    ENGINE_CLIENT_ERROR, /* the client broke the protocol or a limit; it has been told in its protocol's words
                          */
    ENGINE_STARTTLS,     /* of engine_new_pretls: the client has been told to begin its handshake now */
    ENGINE_LOGOUT,       /* of engine_new_pretls: the client has ended the session, and got its answer */
    ENGINE_NO_MEMORY
};

struct engine_status {
    enum engine_reason reason;
    const char *detail; /* a few static words for the log, never a peer's octets; NULL while ENGINE_OPEN */
    bool greeted; /* octets have gone to the client, or the backend's greeting in place of which others had */
    bool
        committed; /* octets have gone to the client, or some of its own have been consumed: another backend can't
                           take over without its notice */
    bool authenticated; /* the backend has accepted a login, and it has not been taken back (RFC 8437) */
    bool serving;       /* the backend takes a message without a login: submission by address */
    bool ending;        /* the client has asked to end (LOGOUT, QUIT), or the backend has said its last word
                           (BYE, 221, 421): the close that follows is an orderly one */
    bool last_word;     /* the backend has said it: nothing is left for it but to close */
    size_t discarded; /* ENGINE_STARTTLS: octets that stood behind the command, and came before the handshake.
                           They are nobody's (CERT VU#555316): who injected them meant them to be read after it. */
    const char
        *warning; /* what the operator should know of this backend, though the session goes on: a static
                            sentence with the remedy; NULL where there is nothing */
};

/*
 * What the client has said of itself (draft section 7.1 and 7.3: ID, CLIENT). NULL where it said nothing. The
 * octets are the client's own, bounded in length and otherwise unchecked: encode them before they go to a
 * log.
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
    /* Octets kept of one reported field. The tags that exist take 30; a name or version of more is a prank. */
    ENGINE_REPORT_MAX = 256
};

/* Why the proxy itself ends a session. */
enum engine_farewell {
    ENGINE_FAREWELL_UNAVAILABLE, /* no backend could be had, or the backend went away */
    ENGINE_FAREWELL_SHUTDOWN,    /* the proxy is being stopped */
    ENGINE_FAREWELL_TIMEOUT      /* the client said nothing for too long */
};

/* NULL where memory is short. */
struct engine *engine_new(const struct engine_service *service, const struct engine_client *client);
void engine_free(struct engine **engine);

/*
 * An engine for what comes before the handshake of a service with STARTTLS: capabilities, NOOP, the end of the
 * session and the command itself, and a refusal for all else (draft section 9.1). It only ever wants the client,
 * and lets out to it alone. NULL where memory is short.
 */
struct engine *engine_new_pretls(const struct engine_service *service);

/* Its greeting: the first thing that is asked of it, before the client is heard. */
void engine_greet(struct engine *engine, struct engine_out *out);

/*
 * Feeds octets that came `from` a side. Returns how many it has consumed: all, or fewer where `out` has no
 * room for another step (empty it and feed the rest) or where the engine waits for the other side first
 * (engine_wants is then false; the caller keeps the rest, reads no more from that side, and feeds it again
 * when the engine wants it). Slices in `out` may point into `data`, which must stay until the lanes have been
 * written. After the status has left ENGINE_OPEN all octets are consumed and dropped.
 */
size_t engine_feed(struct engine *engine, enum side from, struct slice data, struct engine_out *out);

/* Would the engine consume at least one octet from this side now (given room)? */
bool engine_wants(const struct engine *engine, enum side from);

/*
 * Says goodbye to the client in its protocol's words (IMAP "* BYE", POP3 "-ERR", SMTP "421"), as greeting
 * where it has not been greeted; nothing where the client is inside a literal, a line or a multi-line reply,
 * in which the words would be taken for content. Where a login is under way or done the backend is told
 * nothing: its connection just ends. Nothing more is let out afterwards.
 */
void engine_goodbye(struct engine *engine, enum engine_farewell farewell, struct engine_out *out);

/* Valid as long as the engine. */
const struct engine_status *engine_status(const struct engine *engine);

/* NUL-terminated, NULL where not reported; valid until the next feed. */
const char *engine_report(const struct engine *engine, enum engine_report_field field);

#endif
