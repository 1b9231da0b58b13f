/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_SESSION_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_SESSION_H

#include "protocols/engine_private.h"
#include "protocols/line.h"
#include "protocols/smtp/smtp_command.h"
#include "protocols/smtp/smtp_data.h"
#include "protocols/smtp/smtp_ehlo.h"
#include "protocols/smtp/smtp_received.h"
#include "protocols/smtp/smtp_turn.h"

/*
 * A submission session (RFC 6409, 5321, 4954, 2920, 3030; draft section 7.3), for the sources of this engine
 * alone. Each command takes a turn in the queue of replies; the backend's reply lines belong to the first
 * turn. What the client sends next is not always known before the backend has answered: behind EHLO, AUTH,
 * CLIENT and DATA, which end a group of commands (RFC 2920 section 3.1), the client is not read until then.
 */

enum {
    /* Commands that the proxy refuses before it ends the session, without a message accepted in between. */
    SMTP_REFUSALS_MAX = 10
};

/* What is expected next from the client. In the states of the second group the engine wants nothing of it. */
enum smtp_expects {
    SMTP_EXPECTS_COMMAND,
    SMTP_EXPECTS_LINE_END,      /* of a command that was too long and has been answered */
    SMTP_EXPECTS_SASL_LINE,     /* its line of an AUTH exchange, after 334 */
    SMTP_EXPECTS_SASL_LINE_END, /* of one that was too long */
    SMTP_EXPECTS_EXTERNAL,      /* its line of an exchange that the proxy leads itself */
    SMTP_EXPECTS_MESSAGE,       /* after 354 */
    SMTP_EXPECTS_CHUNK,         /* `chunk_left` octets behind BDAT */
    SMTP_EXPECTS_REFUSED_CHUNK, /* as many, which nobody gets */
    SMTP_EXPECTS_NOTHING,       /* the session is at its end: what still comes is dropped */
    SMTP_EXPECTS_GREETING,      /* it has not been greeted */
    SMTP_EXPECTS_REPLY,         /* the backend's word on EHLO, AUTH, CLIENT or DATA is awaited */
    SMTP_EXPECTS_TURN,          /* a command is held until the backend has nothing more to answer */
    SMTP_EXPECTS_INTRODUCTION   /* its greeting is held until the backend knows who it is */
};

/* The Received field of the message under way. */
enum smtp_field {
    SMTP_FIELD_NONE,      /* none is due: it has gone, or the service adds none */
    SMTP_FIELD_DUE,       /* it goes before the message's first octet, as soon as that is known */
    SMTP_FIELD_BEHIND_CR, /* that is a CR, held until it is known whether a LF follows */
    SMTP_FIELD_BEHIND_DOT /* it is a dot behind DATA, held as the server takes it away: what follows comes first then */
};

/* The CLIENT command towards the backend (draft section 7.3). */
enum smtp_report {
    SMTP_REPORT_UNKNOWN, /* its last EHLO reply had no DEEP */
    SMTP_REPORT_DUE,     /* nothing was sent since that reply */
    SMTP_REPORT_SENT,
    SMTP_REPORT_REFUSED /* it announces DEEP and knows no CLIENT: not tried again, errors are counted */
};

struct smtp_engine {
    struct engine base;
    struct line_reader from_client;
    struct line_reader from_backend;
    uint64_t chunk_left; /* octets of a chunk, or already skipped of a line that is too long */
    struct smtp_turns turns;
    enum smtp_turn replying; /* whose reply is open: its first line has come, its last has not */
    unsigned reply_code;     /* of that reply */
    enum smtp_expects expects;
    enum smtp_report report;
    enum smtp_data_state data;
    struct smtp_received *received; /* NULL where the service adds no field */
    struct smtp_ehlo ehlo;          /* what the backend's last EHLO reply has announced */
    bool chunk_lost; /* a chunk was refused: its message must not arrive with a hole (RFC 3030 section 4.2) */
    uint8_t mails_before_loss; /* unanswered MAILs before that chunk: those do not begin anew */
    bool extended;             /* the last greeting that the backend accepted was EHLO */
    bool utf8;                 /* the last MAIL that the backend accepted had SMTPUTF8 */
    bool utf8_offered;         /* the last MAIL that has gone on had */
    enum smtp_field field;
    bool chunk_is_last;    /* the one whose BDAT is held, as its field is due */
    bool in_chunks;        /* the message's first chunk has gone on */
    uint8_t others_chunks; /* unanswered chunks of the messages before this one */
    uint8_t refusals;
    unsigned xclient_offered; /* INTRODUCTION: attributes (xclient.h) that the backend takes */
    char *login;              /* the backend has taken it from XCLIENT LOGIN; NULL: it has none */
    bool external_done;       /* and the client has asked for it by EXTERNAL */
};

_Static_assert(sizeof(struct smtp_engine) < 500, "a session is small");

/* Goes on to another state; only along the moves that make sense. */
void smtp_move(struct smtp_engine *smtp, enum smtp_expects to);

/* The session goes on: nothing has failed. */
bool smtp_is_open(const struct smtp_engine *smtp);

/* Would a step of the client's move something? */
bool smtp_wants_client(const struct smtp_engine *smtp);

/* Nobody has a reply to give. */
bool smtp_is_quiet(const struct smtp_engine *smtp);

/* The backend says what the client does not get to see: its reply to the proxy's own, its greeting behind STARTTLS. */
bool smtp_is_swallowing(const struct smtp_engine *smtp);

/* The client has seen some lines of a reply, and not its last. */
bool smtp_client_is_in_reply(const struct smtp_engine *smtp);

/*
 * Answers a command that does not go to the backend: at once, or where replies are awaited in its place
 * behind them. A refusal counters, and too many of them end the session; behind a last word nothing is taken
 * any more.
 */
void smtp_answer(struct smtp_engine *smtp, enum smtp_turn answer, struct engine_out *out);
void smtp_refuse(struct smtp_engine *smtp, enum smtp_turn answer, struct engine_out *out);

/* Lets out the proxy's answers whose turn it is. All that can wait together fit into a step, as one slice. */
void smtp_give_answers(struct smtp_engine *smtp, struct engine_out *out);

/* The proxy has refused a chunk; a message may be begun anew by RSET, a greeting, or a MAIL that is accepted. */
void smtp_lose_chunk(struct smtp_engine *smtp);
void smtp_mail_answered(struct smtp_engine *smtp, enum smtp_turn mail, bool accepted);

/* The next chunk is another message's than those before. */
void smtp_end_chunks(struct smtp_engine *smtp);

/* What has come of a message is void: RSET, or a new greeting (RFC 5321 section 4.1.1.5, 4.1.4). */
void smtp_begin_anew(struct smtp_engine *smtp);

/* Sends the backend the proxy's own CLIENT, whose reply is swallowed. */
void smtp_send_report(struct smtp_engine *smtp, struct engine_out *out);

/* The 421 by which the proxy ends a session by itself. */
void smtp_let_out_goodbye(const struct engine_service *service, enum engine_farewell farewell,
                          struct engine_out *out);

/* How many commands of a kind the backend has not answered. */
uint8_t smtp_unanswered(const struct smtp_engine *smtp, enum smtp_turn turn);
uint8_t smtp_unanswered_mails(const struct smtp_engine *smtp);

/* smtp_message.c: the parts of messages. A command, or octets off the front of `*input`. */
void smtp_begin_message(struct smtp_engine *smtp);
void smtp_take_message(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);
void smtp_take_bdat(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out);
void smtp_take_burl(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                    struct engine_out *out);
void smtp_take_chunk(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);

/* One step each: a line, or a stretch of a message, off the front of `*input`. Room in `out` is given. */
void smtp_client_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);
void smtp_backend_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);

/* Keeps a command in the client's line reader; false where memory is short. */
bool smtp_hold(struct smtp_engine *smtp, const struct line *line);

/* The command held in SMTP_EXPECTS_TURN goes on, or the report that is due before it; called when all is quiet. */
void smtp_client_resume(struct smtp_engine *smtp, struct engine_out *out);

/* The command that is held goes on. */
void smtp_client_go_on(struct smtp_engine *smtp, struct engine_out *out);

#endif
