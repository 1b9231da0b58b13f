/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_ENGINE_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_ENGINE_PRIVATE_H

#include "protocols/client_identity.h"
#include "protocols/engine.h"
#include "protocols/limits.h"

/*
 * The inner side of engine.h, for the engines alone. Each engine embeds a `struct engine` as its first member
 * and brings the operations of its protocol. engine.c has the loop, the checks and the bookkeeping that all
 * of them share.
 *
 * All three protocols have the same files, and the same words for the same things:
 *   X_protocol.[ch]  the row of traits, and the parts that it leads to
 *   X_engine.c       the operations, and what both halves use
 *   X_private.h      the engine's struct, and what its files share
 *   X_state.[ch]     the states of both sides, and their moves (base/state_machine.h)
 *   X_client.[ch]    the client half: takes what the client sends
 *   X_backend.[ch]   the backend half: takes what the backend sends
 *   X_command.[ch]   reads a command line of the client
 *   X_slot.[ch]      what a reply that is outstanding will be (reply_queue.h); IMAP has tags instead
 *   X_goodbye.[ch]   the words with which the proxy ends a session
 *   X_pretls.c, X_starttls_client.c    the dialects of pretls_engine.h and starttls_client_private.h
 *   X_check.c        the dialect of check_dialogue_private.h
 */
struct engine_ops {
    /* Of the protocol's struct. */
    size_t size;
    /* Initialises the zeroed struct. False if memory is short: `release` follows. */
    bool (*init)(struct engine *engine, const struct engine_client *client);
    /* As engine_greet; NULL if it is the backend that greets. */
    void (*greet)(struct engine *engine, struct engine_out *out);
    /* As engine_feed. Called while the session is open and no goodbye has been sent. */
    size_t (*feed)(struct engine *engine, enum side from, struct slice data, struct engine_out *out);
    /* As engine_wants. Called while the session is open and no goodbye has been sent. */
    bool (*wants)(const struct engine *engine, enum side from);
    /* As engine_rests. Called while the session is open and no goodbye has been sent; NULL: never. */
    bool (*rests)(const struct engine *engine);
    /* As engine_goodbye. Called at most once, and only while the session is open. */
    void (*goodbye)(struct engine *engine, enum engine_goodbye_reason why, struct engine_out *out);
    /* Frees what the engine owns, not the engine itself. */
    void (*release)(struct engine *engine);
};

/* What all engines keep of struct engine_client. */
struct engine_known {
    const char *tls_cipher;
    char nonce[ENGINE_NONCE_LEN + 1];
    bool external;
};

struct engine {
    const struct engine_ops *ops;
    const struct engine_service *service;
    const struct state_trace *trace; /* NULL: nobody wants to see the moves */
    struct engine_known client;
    /* What the backend still has to be told of the client; NULL if it is not told, or has been. */
    struct client_identity *identity_unsent;
    struct engine_status status;
    char *refusal; /* engine_take_refusal; NULL: the backend has not refused the client */
    bool silent;   /* goodbye has been sent, or would have been: nothing more is */
    char *report[ENGINE_REPORT_FIELDS];
    char *merged_status; /* the service's DEEP status with the backend's; NULL if not merged, or not yet */
};

extern const struct engine_ops pretls_engine_ops;

/* The session goes on: no reason to end it yet. */
static inline bool engine_is_open(const struct engine *engine)
{
    return engine->status.reason == ENGINE_OPEN;
}

/* What the configuration allows of an initial response and of a line of a SASL exchange, without its end. */
static inline size_t engine_sasl_max(const struct engine *engine)
{
    return engine->service->sasl_max > 0 ? engine->service->sasl_max : SASL_MAX;
}

/* The same of an exchange's line, with its end. */
static inline size_t engine_sasl_line_max(const struct engine *engine)
{
    return engine_sasl_max(engine) + LINE_END_LEN;
}

/* What it allows of an IMAP command line after the login, with its end. */
static inline size_t engine_imap_line_max(const struct engine *engine)
{
    return engine->service->imap_line_max > 0 ? engine->service->imap_line_max : IMAP_LINE_AUTHENTICATED_MAX;
}

/*
 * May an engine take another step? A step takes a line, or a stretch of one or of a message, off the front of
 * its input; it may use the room that engine_out_has_room promises. Each half of an engine feeds so:
 *     while (engine_may_step(&pop3->base, left, out))
 *         take_step(pop3, &left, out);
 */
static inline bool engine_may_step(const struct engine *engine, struct slice left,
                                   const struct engine_out *out)
{
    return left.len > 0 && engine_is_open(engine) && engine_out_has_room(out);
}

/*
 * What an engine finds out is kept in its status by these alone, which ENSURE that it stays sound:
 * - `detail` is NULL exactly while the session is open;
 * - `closing_reply_sent` implies `ending`;
 * - `authenticated` and `serving` imply `greeted`; so does `committed`, as no engine wants a client before
 *   that.
 */

/* Ends the session for a reason; the first one stays. `detail`: static words for the log. */
void engine_fail(struct engine *engine, enum engine_reason reason, const char *detail);

/*
 * Keeps a line of a greeting that refuses the client: `head`, which ends in what is before the text, and the
 * text, in which the proxy replaces what is not printable. Lines over ENGINE_REFUSAL_MAX are left out, but
 * for the last. If memory is short nothing is kept.
 */
void engine_add_refusal(struct engine *engine, const char *head, struct slice text, bool last);

/* The client has been greeted, or its backend has greeted a client that already was. */
void engine_note_greeted(struct engine *engine);

/* The backend has accepted a login, or (false) has taken it back (RFC 8437). */
void engine_note_login(struct engine *engine, bool logged_in);

/* The backend takes a message; whether after a login or not. */
void engine_note_serving(struct engine *engine);

/* The client, or the backend, has had its turn (engine_status.turns). */
void engine_note_turn(struct engine *engine);

/* The client has asked to end the session; or (false) the backend has refused that. */
void engine_note_ending(struct engine *engine, bool ending);

/* The backend has sent a reply that ends the session: BYE, 221, 421, +OK to QUIT. */
void engine_note_last_word(struct engine *engine);

/* Warns the operator of this backend; the first warning of a session stays. A static sentence. */
void engine_warn(struct engine *engine, const char *warning);

/* The end of a warning: the backend refuses all logins because the connection to it is in clear. */
#define ENGINE_REMEDY_CLEARTEXT                                                                              \
    "set identity = proxy-v2 for its pool and a port of the server's that expects it, or tls for its pool "  \
    "and a port that has it, or let the server allow logins without TLS (README: What the server needs)"

/*
 * The DEEP status to show to the client: the service's, merged with the backend's if the service wants that.
 */
const char *engine_deep_status(const struct engine *engine);

/* Merges a DEEP status that the backend has shown, if the service wants that. */
void engine_merge_deep(struct engine *engine, struct slice backends);

/* Forgets what was merged: the backend's next list has its whole status again. */
void engine_forget_merged(struct engine *engine);

/* Keeps a copy of what the client reports, cut to ENGINE_REPORT_MAX; the last report of a field stays. */
void engine_set_report(struct engine *engine, enum engine_report_field field, struct slice value);

#endif
