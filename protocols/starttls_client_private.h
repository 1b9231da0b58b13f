/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_PRIVATE_H

#include "protocols/line.h"
#include "protocols/starttls_client.h"

/*
 * The inner side of starttls_client.h: starttls_client.c has what the protocols share, and imap_starttls_client.c and its like
 * have their words. A dialect gets the server's lines one by one, and moves the request on.
 */
enum starttls_step {
    STARTTLS_STEP_GREETING, /* the server's greeting */
    STARTTLS_STEP_OFFER,    /* SMTP: the reply to EHLO */
    STARTTLS_STEP_CONSENT,  /* the answer to the command */
    STARTTLS_STEP_HANDSHAKE,
    STARTTLS_STEP_PROOF, /* the answer to the first command over TLS */
    STARTTLS_STEP_READY,
    STARTTLS_STEP_FAILED
};

struct starttls_client {
    const struct engine_service *service;
    struct line_reader lines;
    enum starttls_step step;
    unsigned line_count;
    const char *failure;
    struct bytes greeting;
    bool offered;        /* SMTP: the list has STARTTLS */
    bool in_reply;       /* SMTP: a reply of several lines is open; POP3: the list of capabilities is */
    unsigned reply_code; /* SMTP: of that reply */
};

struct starttls_client_dialect {
    void (*line)(struct starttls_client *request, const struct line *line, struct engine_out *out);
    /* The first command over TLS. */
    const char *proof;
    /* Makes the greeting where the answer has not; printf's format, with the proxy's name. */
    const char *greeting;
    /* What takes the place of its beginning for a server that is to be told who the client is; NULL: nothing does. */
    const char *greeting_before_identity;
};

/* Sends a command and expects its answer. */
void starttls_ask(struct starttls_client *request, enum starttls_step next, const char *command,
                  struct engine_out *out);

/* The end of a step: of CONSENT the handshake follows, and of PROOF the engine. */
void starttls_go_on(struct starttls_client *request);

/* The first reason stays. */
void starttls_fail(struct starttls_client *request, const char *failure);

/* Adds to the greeting. */
void starttls_add_greeting(struct starttls_client *request, struct slice text);

#endif
