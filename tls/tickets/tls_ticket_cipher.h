/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_CIPHER_H
#define DEEPPROXY_TLS_TICKET_CIPHER_H

#include "tls/tickets/tls_ticket_keys.h"

#include <openssl/base.h>

/*
 * Ticket keys as the library asks for them (SSL_CTX_set_tlsext_ticket_key_cb). Inner to tls/, any thread.
 *
 * `sealing`: fills name and IV in and sets both contexts up for a new ticket. 1; -1 where the library fails.
 * Otherwise name and IV are a ticket's: 1 where one of the keys made it; 2 where that was a key older than the
 * one that seals now, and the client gets a new ticket; 0 where it was none of them, and a full handshake follows;
 * -1 where the library fails.
 */
int tls_ticket_cipher_set(const struct tls_ticket_keys *keys, uint8_t *name, uint8_t *iv,
                          EVP_CIPHER_CTX *cipher, HMAC_CTX *mac, bool sealing);

#endif
