/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_GOODBYE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_GOODBYE_H

#include "protocols/engine.h"

enum { IMAP_GOODBYE_MAX = 512 };

/* The "* BYE" of a proxy that ends a session by itself (RFC 3501 section 7.1.5, RFC 5530), with its line end. */
void imap_goodbye_text(const char *hostname, enum engine_farewell why, char text[IMAP_GOODBYE_MAX]);

#endif
