/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_PRIVATE_H

#include "protocols/line.h"
#include "protocols/starttls_client.h"

/*
 * The inner side of starttls_client.h. starttls_client.c has what the protocols share: lines, limits, and the
 * greeting. A dialect has the words of one protocol (imap_starttls_client.c and its like): it gets the
 * server's lines one by one, and says which step is next.
 */
enum starttls_step {
    STARTTLS_STEP_GREETING, /* the server's greeting */
    STARTTLS_STEP_OFFER,    /* SMTP: the reply to EHLO */
    STARTTLS_STEP_CONSENT,  /* the answer to the command */
    STARTTLS_STEP_HANDSHAKE,
    STARTTLS_STEP_PROOF, /* the answer to the first command over TLS */
    STARTTLS_STEP_READY,
    STARTTLS_STEP_FAILED,
    STARTTLS_STEP_REFUSED
};

struct starttls_client {
    const struct engine_service *service;
    struct line_reader lines;
    enum starttls_step step;
    unsigned line_count;
    const char *failure;
    struct bytes greeting;
    bool offered;        /* SMTP: the list has STARTTLS */
    bool in_reply;       /* a reply of several lines has begun: SMTP; POP3's list of capabilities */
    unsigned reply_code; /* SMTP: of that reply */
};

struct starttls_client_dialect {
    /* Takes a line of the server, in the clear or over TLS. */
    void (*line)(struct starttls_client *request, const struct line *line, struct engine_out *out);
    /* The first command over TLS. */
    const char *proof;
    /*
     * The greeting for the engine, with "%" for the proxy's name. Its beginning is left out if the dialect
     * has added one.
     */
    const char *greeting;
    /* Takes the place of its beginning if the server has to learn who the client is; NULL: nothing does. */
    const char *greeting_before_identity;
};

/* Sends a command; its reply belongs to step `next`. */
void starttls_ask(struct starttls_client *request, enum starttls_step next, const char *command,
                  struct engine_out *out);

/* The end of a step: after CONSENT the handshake follows, and after PROOF the engine. */
void starttls_go_on(struct starttls_client *request);

/* The request has failed. `failure`: static words; the first ones stay. */
void starttls_fail(struct starttls_client *request, const char *failure);

/* The server's greeting, which was added to the engine's, refuses the client. `failure`: as above. */
void starttls_refuse(struct starttls_client *request, const char *failure);

/* Adds to the greeting for the engine. */
void starttls_add_greeting(struct starttls_client *request, struct slice text);

#endif
