/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_CHAIN_TEXT_H
#define DEEPPROXY_KEYS_CHAIN_TEXT_H

#include "base/must_check.h"
#include "base/slice.h"

/*
 * The text of a PEM file (RFC 7468) that has both a chain and its key: the proxy gets the chain, and never
 * the key. Nothing here decodes a certificate.
 */

/* Whether the text has a private key, of any kind. */
bool chain_text_has_key(struct slice pem);

/*
 * Copies the blocks of certificates, and nothing else, to `into`; `*used` becomes their length. False if they
 * don't fit into `cap` octets, or if one has no end or is no base64.
 */
MUST_CHECK bool chain_text_take(struct slice pem, uint8_t *into, size_t cap, size_t *used);

#endif
