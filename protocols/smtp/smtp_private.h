/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_PRIVATE_H

#include "protocols/engine_private.h"
#include "protocols/line.h"
#include "protocols/smtp/smtp_command.h"
#include "protocols/smtp/smtp_data.h"
#include "protocols/smtp/smtp_ehlo.h"
#include "protocols/smtp/smtp_received.h"
#include "protocols/smtp/smtp_slot.h"
#include "protocols/smtp/smtp_state.h"

/*
 * The submission engine (RFC 6409, 5321, 4954, 2920, 3030; draft section 7.3), for its own sources alone: the
 * state of a session, and what both halves use. Each command takes a slot in the queue of replies; each reply
 * of the backend belongs to the first slot. What the client sends next is not always known before the backend
 * has replied: after EHLO, AUTH, CLIENT and DATA, which end a group of commands (RFC 2920 section 3.1), the
 * engine takes nothing of the client until then.
 */

enum {
    /* Commands that the proxy refuses before it ends the session, without a message accepted in between. */
    SMTP_REFUSALS_MAX = 10
};

/* The Received field of the message under way. */
enum smtp_field {
    SMTP_FIELD_NONE,     /* none is due: it has been sent, or the service adds none */
    SMTP_FIELD_DUE,      /* it goes before the message's first octet, as soon as that is known */
    SMTP_FIELD_AFTER_CR, /* the first octet is a CR, held until it is known whether a LF follows */
    /*
     * It is a dot of a message sent by DATA, held as the server removes it: what follows is the first octet
     * then.
     */
    SMTP_FIELD_AFTER_DOT
};

/* Has the backend been sent the cipher suite, by CLIENT (draft section 7.3)? */
enum smtp_cipher {
    SMTP_CIPHER_UNKNOWN, /* its last reply to EHLO had no DEEP */
    SMTP_CIPHER_DUE,     /* not since that reply */
    SMTP_CIPHER_SENT,
    SMTP_CIPHER_REFUSED /* it announces DEEP and knows no CLIENT: not tried again, as servers count errors */
};

struct smtp_engine {
    struct engine base;
    struct line_reader from_client;
    struct line_reader from_backend;
    struct reply_queue replies; /* of enum smtp_slot */
    enum smtp_client_state client;
    /*
     * The slot whose reply is under way: its first line has come, its last has not. SMTP_SLOT_NONE: between
     * replies.
     */
    enum smtp_slot replying;
    unsigned reply_code;   /* of that reply */
    struct smtp_ehlo ehlo; /* what the backend's last reply to EHLO has announced */
    enum smtp_cipher cipher;
    bool extended; /* the last greeting that the backend accepted was EHLO */
    uint8_t refusals;

    /* Messages: see smtp_message.h. */
    uint64_t
        chunk_left; /* octets of a chunk still to come; of a line that is too long, octets already skipped */
    enum smtp_data_state data;
    enum smtp_field field;
    struct smtp_received *received; /* NULL if the service adds no field */
    bool chunk_lost; /* a chunk was refused: its message must not arrive with a hole (RFC 3030 section 4.2) */
    uint8_t mails_before_loss; /* unanswered MAILs before that chunk, which begin no new message */
    bool utf8;                 /* the last MAIL that the backend accepted had SMTPUTF8 */
    bool utf8_offered;         /* the last MAIL that was sent to the backend had */
    bool chunk_is_last;        /* the chunk whose BDAT is held, as its field is due */
    bool in_chunks;            /* the message's first chunk has been sent */
    uint8_t others_chunks;     /* unanswered chunks of the messages before this one */

    /* XCLIENT and EXTERNAL: see smtp_xclient.h and smtp_external.h. */
    unsigned xclient_offered; /* SMTP_CLIENT_XCLIENT: attributes (xclient.h) that the backend accepts */
    char *login;              /* the backend has accepted it by XCLIENT LOGIN; NULL: it has none */
    bool external_done;       /* and the client has asked for it by EXTERNAL */
};

_Static_assert(sizeof(struct smtp_engine) < 500, "a session is small");

/* Adds a slot for a command's reply; there is room (smtp_client_is_wanted). */
static inline void smtp_add_slot(struct smtp_engine *smtp, enum smtp_slot slot)
{
    reply_queue_add(&smtp->replies, (uint8_t)slot);
}

/* The oldest slot, which the backend's next reply belongs to; SMTP_SLOT_NONE if it owes none. */
static inline enum smtp_slot smtp_first_slot(const struct smtp_engine *smtp)
{
    return (enum smtp_slot)reply_queue_first(&smtp->replies);
}

/* No reply is outstanding or under way. */
bool smtp_is_quiet(const struct smtp_engine *smtp);

/*
 * The reply under way is not for the client: it is to the proxy's own command, or the greeting after
 * STARTTLS.
 */
bool smtp_is_swallowing(const struct smtp_engine *smtp);

/* The client has got some lines of a reply, and not its last. */
bool smtp_client_is_in_reply(const struct smtp_engine *smtp);

/*
 * Replies to a command that does not go to the backend. The reply takes its place after those that are
 * outstanding, or is sent at once if there are none. After a reply that closes, nothing more is taken from
 * the client.
 */
void smtp_reply(struct smtp_engine *smtp, enum smtp_slot slot, struct engine_out *out);

/* The same, and counts it as a refusal; SMTP_REFUSALS_MAX of them end the session. */
void smtp_reject(struct smtp_engine *smtp, enum smtp_slot slot, struct engine_out *out);

/*
 * A reply has ended: sends the proxy's own replies at the front. All that can wait together fit into a step,
 * as one slice.
 */
void smtp_send_own_replies(struct smtp_engine *smtp, struct engine_out *out);

/* Sends the backend the cipher suite by a CLIENT of the proxy's own, whose reply is swallowed. */
void smtp_send_cipher(struct smtp_engine *smtp, struct engine_out *out);

/* How many commands with this slot the backend has not answered. */
uint8_t smtp_unanswered(const struct smtp_engine *smtp, enum smtp_slot slot);

/* Keeps a command in the client's line reader. False if memory is short: the session has ended then. */
bool smtp_hold(struct smtp_engine *smtp, const struct line *line);

#endif
