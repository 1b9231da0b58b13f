/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_BACKEND_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_BACKEND_H

#include "protocols/smtp/smtp_private.h"

/*
 * The backend half of the submission engine: finds the slot that a reply belongs to, edits the reply to EHLO,
 * swallows what is not for the client, and passes all other lines as they are.
 */

/* As engine_ops.step: takes a line off the front of `*input`, or all of it if the line is not complete. */
void smtp_backend_step(struct smtp_engine *smtp, struct slice *input, struct engine_out *out);

#endif
