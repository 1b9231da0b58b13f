/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_CLIENT_H

#include "protocols/smtp/smtp_private.h"

/*
 * The client half of the submission engine: takes the client's commands, lines of an AUTH exchange and
 * messages, refuses what must not reach the backend, sends the cipher suite before the commands that need it,
 * and passes all the rest.
 */

/*
 * As engine_wants: the engine expects something of the client, and the replies to it have room in the queue.
 */
bool smtp_client_is_wanted(const struct smtp_engine *smtp);

/* As engine_feed. */
size_t smtp_client_feed(struct smtp_engine *smtp, struct slice data, struct engine_out *out);

/*
 * SMTP_CLIENT_HELD, and no reply is outstanding: sends the cipher suite if that is still due, else the held
 * command.
 */
void smtp_client_resume(struct smtp_engine *smtp, struct engine_out *out);

/* Sends the held command on. */
void smtp_client_resume_command(struct smtp_engine *smtp, struct engine_out *out);

#endif
