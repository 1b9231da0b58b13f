/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROTOCOL_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_PROTOCOL_PRIVATE_H

#include "protocols/protocol.h"

/* The rows behind protocol_traits(), each in the folder of its protocol. */
extern const struct protocol_traits imap_protocol;
extern const struct protocol_traits pop3_protocol;
extern const struct protocol_traits submission_protocol;

#endif
