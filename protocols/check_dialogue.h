/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_CHECK_DIALOGUE_H
#define DEEPPROXY_PROTOCOLS_CHECK_DIALOGUE_H

#include "protocols/check_result.h"
#include "protocols/protocol.h"
#include "protocols/server_facts.h"

/*
 * What an active check says to a server, and makes of its answers. Sans-I/O: it knows neither sockets nor a
 * clock, nor what the result is for.
 *
 *   greeting - capabilities - (STARTTLS - handshake - capabilities again) - ID if it is announced - goodbye
 *
 * Nothing else is ever said, and each command waits for the answer to the one before, so that a check earns
 * no error: neither a command that the server has not announced, nor octets that it has to call pipelining.
 * The commands are CAPABILITY, ID NIL, STARTTLS, LOGOUT; CAPA, STLS, QUIT; EHLO, STARTTLS, QUIT. A server
 * that is found wanting gets its goodbye all the same, if it has greeted and goes on speaking.
 */
struct check_dialogue;

enum {
    /* A line of the server's, with its end: what sessions take of a list of capabilities. */
    CHECK_LINE_MAX = 8192,
    /* All lines of one check. */
    CHECK_LINES_MAX = 400
};

struct check_settings {
    enum protocol protocol;
    const char *hostname; /* the proxy's, for EHLO */
    bool starttls;        /* the pool asks for TLS within the dialogue */
    bool over_tls;        /* it begins over TLS */
    bool proxy_header;    /* a PROXY header has been sent before it */
    bool needs_xclient;   /* POP3, SMTP: the server learns by XCLIENT who the client is */
    /*
     * A server that offers no login would not offer one to a client either. Not so behind PROXY v2 in the
     * clear: a check has no TLS to tell of (LOCAL), and Dovecot offers logins only to those that have.
     */
    bool judges_login;
};

enum check_progress {
    CHECK_UNDER_WAY,
    CHECK_AGREED, /* the handshake is next; then check_dialogue_secured, or check_dialogue_fail */
    CHECK_DONE    /* there is nothing more to say or to read: the connection can be closed */
};

/* `hostname` outlives it. NULL if memory is short. */
MUST_CHECK struct check_dialogue *check_dialogue_new(const struct check_settings *settings);

/* Frees it, and sets the pointer to NULL, which it may already be. */
void check_dialogue_free(struct check_dialogue **dialogue);

/*
 * Feeds what the server has sent, of which all is consumed: in the clear, and over TLS after
 * check_dialogue_secured. However it is cut, the result is the same. After CHECK_DONE it does nothing. In
 * CHECK_AGREED octets in the clear are an injection (CERT VU#555316), and end the dialogue.
 */
enum check_progress check_dialogue_feed(struct check_dialogue *dialogue, struct slice data);

/* CHECK_AGREED, and the handshake is done: asks for the capabilities again. */
void check_dialogue_secured(struct check_dialogue *dialogue);

/* The server has closed the connection, or its time is over (`timed_out`). */
void check_dialogue_end(struct check_dialogue *dialogue, bool timed_out);

/*
 * Ends it for a reason that the caller has found, below the protocol. `detail` lives as long as the dialogue.
 * A result that is there already stays.
 */
void check_dialogue_fail(struct check_dialogue *dialogue, enum check_result result, const char *detail);

/* What is to be sent; valid until check_dialogue_sent, which drops it. Empty if there is nothing. */
struct slice check_dialogue_output(const struct check_dialogue *dialogue);
void check_dialogue_sent(struct check_dialogue *dialogue);

/* How far it is. */
enum check_progress check_dialogue_progress(const struct check_dialogue *dialogue);

/* Is the result known? What is left then is the goodbye. */
bool check_dialogue_is_settled(const struct check_dialogue *dialogue);

/* CHECK_DONE, or settled: what was found, and why in static words, NULL if there is nothing to add. */
enum check_result check_dialogue_result(const struct check_dialogue *dialogue);
const char *check_dialogue_detail(const struct check_dialogue *dialogue);

/*
 * What was learned, if the server has answered the question for its capabilities; NULL if not, or if memory
 * is short. The caller owns the reference.
 */
struct server_facts *check_dialogue_facts(const struct check_dialogue *dialogue);

#endif
