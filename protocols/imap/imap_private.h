/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_PRIVATE_H

#include "protocols/engine_private.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_id.h"
#include "protocols/imap/imap_literal.h"
#include "protocols/imap/imap_response.h"
#include "protocols/imap/imap_state.h"
#include "protocols/line.h"

/*
 * The IMAP engine (RFC 3501, 9051; draft section 7.1), for its own sources alone: the state of a session, and
 * what both halves use. imap_client.c takes what the client sends, imap_backend.c what the backend sends. The
 * engine holds nothing while the session idles.
 *
 * How the two sides are kept in step. Octets of a literal, lines of a SASL exchange and DONE pass unread. If
 * the proxy took such octets for commands and the backend did not, or the other way round, a client could
 * forge an ID. So a command that has them travels alone: it goes when all commands before it have been
 * answered, and its octets go when the backend itself has sent "+" for it. A non-synchronising literal
 * becomes a synchronising one on the way ({n+} as {n}) for the same reason: after an error Dovecot takes the
 * octets of a {n+} for commands. It costs a round trip between proxy and backend. LOGIN, AUTHENTICATE, ID and
 * UNAUTHENTICATE travel alone as well: a tag may be used twice, so their replies could be mistaken, and
 * Courier loses what follows a login.
 */
enum {
    /* The first octets of a line: a tag and the longest name of a command, with spaces */
    IMAP_BEGINNING_MAX = IMAP_TAG_MAX + 16,
    /* A reply of the proxy's own that waits for the end of a response; there is one at a time */
    IMAP_ANSWER_MAX = 2048,
    /* Errors in a row before goodbye: a browser, or an attack through one (ALPACA), is at its second line */
    IMAP_ERRORS_MAX = 5
};

/* What is known of the backend's ID (RFC 2971). */
enum imap_id_support {
    IMAP_ID_UNKNOWN, /* no list of capabilities seen */
    IMAP_ID_ABSENT,  /* not in those that were, or the backend has not told when asked */
    IMAP_ID_ANNOUNCED,
    IMAP_ID_REFUSED /* the backend has replied NO or BAD to an ID */
};

/* A command of the proxy's own, under a tag that no client guesses. There is one at a time. */
enum imap_own_command {
    IMAP_OWN_NONE,
    IMAP_OWN_CAPABILITY, /* nothing of the client's goes to the backend before its reply */
    IMAP_OWN_ID
};

struct imap_engine {
    struct engine base;

    enum imap_client_state client;
    struct line_reader from_client;
    /* an ID command so far; what is still to be sent of one; or the command of IMAP_CLIENT_HELD */
    struct bytes client_held;
    struct imap_tail client_tail; /* IMAP_CLIENT_SKIP_LINE */
    uint64_t client_left;         /* octets of the literal that are still to come */
    /* The command that travels alone, until it has been sent and, if that matters, answered. */
    enum imap_command_kind command;
    bool nonsync_literal;      /* the client has sent {n+}, and expects no "+" */
    uint8_t tag_len;           /* of `command` ... */
    uint8_t tag[IMAP_TAG_MAX]; /* ... and its tag */
    uint32_t unanswered;       /* commands of the client that the backend has not answered */
    uint32_t errors;           /* of the client, in a row */

    enum imap_backend_state backend;
    enum imap_response_kind kind; /* of the response under way ... */
    enum imap_status status;      /* ... and its status */
    struct bytes backend_held;
    struct imap_tail backend_tail;
    uint64_t backend_left;    /* octets of the literal that are still to come */
    size_t line_start;        /* in `backend_held`: of the last line of an ID response */
    size_t list_offset;       /* in `backend_held`: see struct imap_response */
    bool swallow;             /* the response under way is not for the client */
    bool is_reply_to_command; /* it is the tagged reply to `command` */
    bool client_in_response;  /* the client has got a part of a response: nothing else may come in between */

    enum imap_id_support id_support;
    enum imap_own_command own; /* the one that the backend has not answered yet */
    bool cipher_sent;          /* the backend has been sent the cipher suite, whether it accepts it or not */
    bool id_replied;           /* the client's ID has got its "* ID" */

    struct bytes pending_output; /* the proxy's own, to be sent when the response under way has ended */
    const char *close_reason; /* after that the session ends, by an error of the client's; NULL: it goes on */
};

/* Nothing has ended the session, and nothing has been decided that will. */
bool imap_is_open(const struct imap_engine *imap);

/*
 * Sends whole responses of the proxy's own to the client: at once, or after the backend's response under way.
 */
void imap_send(struct imap_engine *imap, struct slice text, struct engine_out *out);

/*
 * Sends the client "TAG TEXT" with its line end, as imap_send does; "* TEXT" if the tag is empty. `text`:
 * status, a space and words for people.
 */
void imap_reply(struct imap_engine *imap, struct slice tag, const char *text, struct engine_out *out);

/*
 * Sends the client "* ID" with the DEEP status, and with the proxy's name if `with_name`, as imap_send does.
 */
void imap_send_id(struct imap_engine *imap, bool with_name, struct engine_out *out);

/*
 * The backend's response has ended: sends what had to wait for that, and ends the session if it was the last.
 */
void imap_send_pending(struct imap_engine *imap, struct engine_out *out);

/*
 * The client has made a mistake, and the session ends: at once, or after the backend's response under way.
 * `detail`: static words for the log and, in "* BYE", for the client.
 */
void imap_fail_client(struct imap_engine *imap, const char *detail, struct engine_out *out);

/* The same for the backend, at once. The client gets "* BYE" in other words, if no response is under way. */
void imap_fail_backend(struct imap_engine *imap, const char *detail, struct engine_out *out);

/* Memory is short: ends the session at once. */
void imap_fail_memory(struct imap_engine *imap);

#endif
