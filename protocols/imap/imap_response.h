/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_RESPONSE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_RESPONSE_H

#include "protocols/imap/imap_engine.h"

/*
 * The backend's half of the IMAP engine: edits its capability lists and its ID, swallows what is not the
 * client's, notices what answers a command, and passes all the rest as it is. Held are a line's first octets
 * (IMAP_HEAD_MAX), a line with capabilities, an ID response; a line that is only data may be of any length,
 * and a literal is counted.
 */

/* As engine_feed. */
size_t imap_response_feed(struct imap_engine *e, struct slice data, struct engine_out *out);

#endif
