/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_BACKEND_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_BACKEND_H

#include "protocols/pop3/pop3_private.h"

/*
 * The backend half of the POP3 engine: edits the backend's lists of capabilities, notes logins and the end,
 * and passes all other replies as they are. It never reads the content of a message, but looks for its end.
 */

/* As engine_ops.step: takes a line, or a stretch of a message, off the front of `*input`. */
void pop3_backend_step(struct pop3_engine *pop3, struct slice *input, struct engine_out *out);

#endif
