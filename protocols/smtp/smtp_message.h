/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_MESSAGE_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_MESSAGE_H

#include "protocols/smtp/smtp_private.h"

/*
 * Messages on their way to the backend: sent by DATA, in chunks by BDAT (RFC 3030), fetched by BURL (RFC
 * 4468); and the Received field before each. The content passes, and is not read but for the end of DATA and
 * the message's first octet.
 */

/* The backend has replied 354: the message follows. */
void smtp_begin_message(struct smtp_engine *smtp);

/* Takes octets of a message sent by DATA off the front of `*input`. */
void smtp_take_message(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);

/* Takes BDAT with these arguments: sends it on, or refuses it and the chunk that follows. */
void smtp_take_bdat(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out);

/* Takes BURL: sends it on, or refuses it. */
void smtp_take_burl(struct smtp_engine *smtp, const struct line *line, struct slice arguments,
                    struct engine_out *out);

/* Takes octets of a chunk off the front of `*input`. */
void smtp_take_chunk(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);

/* The next chunk belongs to another message than those before. */
void smtp_end_chunks(struct smtp_engine *smtp);

/* What has come of a message is void: RSET, or a new greeting (RFC 5321 section 4.1.1.5, 4.1.4). */
void smtp_begin_anew(struct smtp_engine *smtp);

/*
 * The backend has replied to the MAIL of this slot. One that it accepts may begin a message after a chunk was
 * lost.
 */
void smtp_mail_answered(struct smtp_engine *smtp, enum smtp_slot mail, bool accepted);

#endif
