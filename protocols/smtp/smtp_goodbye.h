/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_GOODBYE_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_GOODBYE_H

#include "protocols/engine.h"

/* Sends the client the 421 with which the proxy ends a session by itself (RFC 5321 section 3.8). */
void smtp_goodbye_send(const struct engine_service *service, enum engine_goodbye_reason why,
                       struct engine_out *out);

#endif
