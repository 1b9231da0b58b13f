/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_BACKEND_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_BACKEND_H

#include "protocols/imap/imap_private.h"

/*
 * The backend half of the IMAP engine: edits the backend's capability lists and its ID, swallows what is not
 * for the client, notices which response answers a command, and passes all the rest as it is. It holds a
 * line's first octets (IMAP_HEAD_MAX), a line with capabilities, and an ID response. A line that is only data
 * may be of any length, and a literal is counted.
 */

/* As engine_feed. */
size_t imap_backend_feed(struct imap_engine *imap, struct slice data, struct engine_out *out);

#endif
