/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_ENGINE_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_ENGINE_PRIVATE_H

#include "protocols/client_identity.h"

/*
 * The inner side of engine.h, for the engines alone: each embeds a `struct engine` as its first member and
 * brings the operations of its protocol. engine.c has the checks and the bookkeeping that all three share.
 */
struct engine_ops {
    /* Initialises the zeroed memory behind `engine`, of `size` octets; false where memory is short. */
    size_t size;
    bool (*init)(struct engine *engine, const struct engine_client *client);
    /* As engine_greet; NULL where the backend greets. */
    void (*greet)(struct engine *engine, struct engine_out *out);
    /* As engine_feed and engine_wants; called only while the status is ENGINE_OPEN and no goodbye was said. */
    size_t (*feed)(struct engine *engine, enum side from, struct slice data, struct engine_out *out);
    bool (*wants)(const struct engine *engine, enum side from);
    /* As engine_goodbye; called once, and not after the status has left ENGINE_OPEN. */
    void (*goodbye)(struct engine *engine, enum engine_farewell farewell, struct engine_out *out);
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
    struct engine_known client;
    struct client_identity
        *untold; /* what the backend is to be told of the client; NULL: nothing, or it has been */
    struct engine_status status;
    bool silent; /* goodbye was said */
    char *report[ENGINE_REPORT_FIELDS];
    char *merged_status; /* the service's and the backend's; NULL where they are not merged, or not yet */
};

extern const struct engine_ops pretls_engine_ops;

/* Ends the session for a reason; the first one stays. `detail`: static words for the log. */
void engine_fail(struct engine *engine, enum engine_reason reason, const char *detail);

/* Where a backend refuses all logins, as the connection to it is in clear; the first warning of a session stays. */
#define ENGINE_REMEDY_CLEARTEXT                                                                              \
    "set identity = proxy-v2 for its pool and a port of the server's that expects it, or tls for its pool "  \
    "and a port that has it, or let the server allow logins without TLS (README: What the server needs)"
void engine_warn(struct engine *engine, const char *warning);

/* The DEEP status to show the client: the service's, with what the backend has said of its own where they are merged. */
const char *engine_deep_status(const struct engine *engine);

/* The backend has said this of its own status. Where its next list says all anew, this is forgotten before it. */
void engine_merge_deep(struct engine *engine, struct slice backends);
void engine_forget_merged(struct engine *engine);

/* Keeps a copy of what a client reported, cut to ENGINE_REPORT_MAX; the last report of a field stays. */
void engine_set_report(struct engine *engine, enum engine_report_field field, struct slice value);

#endif
