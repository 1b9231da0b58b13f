/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_GOODBYE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_GOODBYE_H

#include "protocols/engine.h"

/*
 * Sends the client the "* BYE" with which the proxy ends a session by itself (RFC 3501 section 7.1.5, RFC
 * 5530).
 */
void imap_goodbye_send(const struct engine_service *service, enum engine_goodbye_reason why,
                       struct engine_out *out);

#endif
