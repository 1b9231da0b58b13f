/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_CIPHER_H
#define DEEPPROXY_TLS_TICKET_CIPHER_H

#include "tls/tickets/tls_ticket_keys.h"

#include <openssl/base.h>

/*
 * Ticket keys in the form that the library's callback wants (SSL_CTX_set_tlsext_ticket_key_cb). Safe to use
 * from any thread. Private to tls/.
 *
 * `sealing`: writes the name and the IV of a new ticket, and sets up both contexts to encrypt it. Returns 1,
 * or -1 if the library fails.
 *
 * Otherwise the name and the IV are those of a ticket to decrypt. Returns 1 if one of the keys has made it; 2
 * if that key is older than the one that seals now, so that the client gets a new ticket; 0 if it was none of
 * them, and a full handshake follows; -1 if the library fails.
 */
int tls_ticket_cipher_set(const struct tls_ticket_keys *keys, uint8_t *name, uint8_t *iv,
                          EVP_CIPHER_CTX *cipher, HMAC_CTX *mac, bool sealing);

#endif
