/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_PROTOCOL_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_PROTOCOL_H

#include "protocols/check_dialogue_private.h"
#include "protocols/engine_private.h"
#include "protocols/pretls_engine.h"
#include "protocols/starttls_client_private.h"

/*
 * The parts of this folder that the protocol's row of traits (imap_protocol.c, protocols/protocol.h) leads
 * to.
 */
extern const struct engine_ops imap_engine_ops;
extern const struct pretls_dialect imap_pretls;
extern const struct starttls_client_dialect imap_starttls_client;
extern const struct check_dialect imap_check;

#endif
