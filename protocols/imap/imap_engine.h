/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_ENGINE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_ENGINE_H

#include "protocols/engine_private.h"
#include "protocols/imap/imap_classify.h"
#include "protocols/imap/imap_command_line.h"
#include "protocols/imap/imap_literal.h"
#include "protocols/imap/imap_state.h"
#include "protocols/line.h"

/*
 * The IMAP engine (RFC 3501, 9051), in two halves that share this value: imap_command.c takes what the client
 * says, imap_response.c what the backend says. What both need is below. Nothing is held while the session
 * idles.
 *
 * How the two sides are kept in step. Octets of a literal, lines of a SASL exchange and DONE pass unread: if
 * the proxy took for such octets what the backend takes for commands, a client could forge an ID. So a
 * command that has them travels alone: it goes when all commands before it have been answered, and its octets
 * go when the backend itself has said "+" to it. A non-synchronising literal becomes a synchronising one on
 * the way ({n+} as {n}) for the same reason: after an error Dovecot takes the octets of a {n+} for commands.
 * It costs a round trip on the inner side. LOGIN, AUTHENTICATE, ID and UNAUTHENTICATE travel alone as well,
 * so that their answers can't be mistaken (a tag may be used twice), and because Courier loses what stands
 * behind a login.
 */
enum {
    /* RFC 7162 section 4 has clients stay below 8,192 octets in a line; Dovecot takes 65,536 of a user ... */
    IMAP_LINE_MAX = 8192,
    IMAP_LINE_AUTHENTICATED_MAX = 65536,
    /* A line of a SASL exchange, as RFC 4954 section 4 has it for SMTP */
    IMAP_SASL_LINE_MAX = 12290,
    /* An ID command of 30 pairs at their longest, with what stands between them */
    IMAP_ID_COMMAND_MAX = 40960,
    /* A greeting or a line with capabilities; Dovecot's have 520 octets */
    IMAP_HELD_LINE_MAX = 8192,
    /* An ID response, literals included: a backend's 30 pairs, escaped */
    IMAP_HELD_ID_MAX = 65536,
    /* An answer of the proxy's own that waits for the end of a response; there is one at a time */
    IMAP_ANSWER_MAX = 2048,
    /* Errors in a row before goodbye: a web browser or an attack across protocols (ALPACA) is at its second line */
    IMAP_ERRORS_MAX = 5
};

/* What is known of the backend's ID (RFC 2971). */
enum imap_id_support {
    IMAP_ID_UNKNOWN, /* no list of capabilities seen */
    IMAP_ID_ABSENT,  /* not in those that were */
    IMAP_ID_ANNOUNCED,
    IMAP_ID_REFUSED /* announced, but the proxy's own was answered NO or BAD */
};

struct imap_engine {
    struct engine base;

    enum imap_client_state client;
    struct line_reader client_line;
    struct bytes client_held;     /* an ID command so far; or a command in DRAIN */
    struct imap_tail client_tail; /* SKIP_LINE */
    uint64_t client_left;         /* octets of the literal */
    enum imap_command_kind
        command;          /* the one that travels alone, until it is sent and, where that matters, answered */
    bool silent_go_ahead; /* the client sent {n+}: it expects no "+" */
    uint8_t tag_len;
    uint8_t tag[IMAP_TAG_MAX]; /* of `command` */
    uint32_t unanswered;       /* commands of the client that the backend has not answered */
    uint32_t errors;           /* in a row */

    enum imap_backend_state backend;
    enum imap_response_kind kind; /* of the response under way */
    enum imap_status status;      /* of it */
    struct bytes backend_held;
    struct imap_tail backend_tail;
    uint64_t backend_left;
    size_t line_start; /* in `backend_held`: of the last line of an ID response */
    size_t list;       /* as in struct imap_response, of what is held */
    bool swallow;      /* the response under way is not for the client */
    bool answers;      /* it answers `command` */
    bool open;         /* the client has part of a response: nothing else may be put there */

    enum imap_id_support id;
    bool tls_told;       /* the backend has been told the cipher suite, or told it in vain */
    bool own_id_pending; /* the proxy's own ID is not answered yet */
    bool id_replied;     /* the client's ID has got its "* ID" */

    struct bytes answer; /* waits for the end of the response under way */
    bool doomed;         /* with `answer` gone the session ends: */
    const char *doom;    /* for this reason, a client's error */
};

/* ENGINE_OPEN still, and nothing decided that ends it. */
bool imap_is_live(const struct imap_engine *e);

/* Lets whole responses of the proxy's own out to the client: between two of the backend's. */
void imap_say(struct imap_engine *e, struct slice text, struct engine_out *out);

/* The same for "TAG TEXT" or, where the tag is empty, "* TEXT". `text`: status, a space and words for people. */
void imap_answer(struct imap_engine *e, struct slice tag, const char *text, struct engine_out *out);

/* "* ID" with the name of the proxy, where it speaks for itself, and the DEEP status. */
void imap_say_id(struct imap_engine *e, bool with_name, struct engine_out *out);

/* Lets out answers that had to wait: called where the backend's response has ended. */
void imap_answers_due(struct imap_engine *e, struct engine_out *out);

/* Ends the session, with "* BYE" to the client where it can be said. `detail`: static words for log and client. */
void imap_client_error(struct imap_engine *e, const char *detail, struct engine_out *out);
void imap_backend_error(struct imap_engine *e, const char *detail, struct engine_out *out);
void imap_no_memory(struct imap_engine *e);

#endif
