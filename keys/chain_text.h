/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_CHAIN_TEXT_H
#define DEEPPROXY_KEYS_CHAIN_TEXT_H

#include "base/slice.h"

/*
 * A PEM file (RFC 7468) with a chain and its key both: the proxy is to have the one without the other.
 */

/* Is there a private key of whatever kind in it? */
bool chain_text_has_key(struct slice pem);

/* Copies the blocks of certificates, and nothing else. False where they don't fit, or one has no end or is no base64. */
bool chain_text_take(struct slice pem, uint8_t *into, size_t cap, size_t *used);

#endif
