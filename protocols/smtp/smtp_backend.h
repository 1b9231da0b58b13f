/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_BACKEND_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_BACKEND_H

#include "protocols/smtp/smtp_private.h"

/*
 * The backend half of the submission engine: finds the slot that a reply belongs to, edits the reply to EHLO,
 * swallows what is not for the client, and passes all other lines as they are.
 */

/* As engine_feed. */
size_t smtp_backend_feed(struct smtp_engine *smtp, struct slice data, struct engine_out *out);

#endif
