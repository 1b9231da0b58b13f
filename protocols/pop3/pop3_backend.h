/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_BACKEND_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_BACKEND_H

#include "protocols/pop3/pop3_private.h"

/*
 * The backend half of the POP3 engine: edits the backend's lists of capabilities, notes logins and the end,
 * and passes all other replies as they are. It never reads the content of a message, but looks for its end.
 */

/* As engine_feed. */
size_t pop3_backend_feed(struct pop3_engine *pop3, struct slice data, struct engine_out *out);

#endif
