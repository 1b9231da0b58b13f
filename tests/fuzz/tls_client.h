/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_TLS_CLIENT_H
#define DEEPPROXY_TESTS_FUZZ_TLS_CLIENT_H

#include "base/bytes.h"

/*
 * A TLS client in memory, the library's own: what it sends goes to the end of a buffer of the caller's, and
 * what it is given it reads when it goes on. It takes any certificate, and keeps the newest ticket.
 */
struct tls_client;

/* `traits` says which versions it speaks and which protocol it offers; the rest is what the server can. */
struct tls_client *tls_client_new(uint8_t traits, uint16_t server_min, uint16_t server_max,
                                  bool server_has_protocol);
void tls_client_free(struct tls_client **client);

/* A new connection, with its ticket. All that is counted begins anew. */
void tls_client_restart(struct tls_client *client);

/* It will find these octets behind those that it has been given before. */
void tls_client_give(struct tls_client *client, struct slice octets);

/* Handshake and reading, as far as it gets. The plaintext is valid until the next call. */
struct slice tls_client_go_on(struct tls_client *client, struct bytes *sent);

/* Nothing before the handshake is done, nor after it has closed. */
void tls_client_write(struct tls_client *client, struct slice plain, struct bytes *sent);
void tls_client_close(struct tls_client *client, struct bytes *sent);
/* With its next write, and asks for the same. */
void tls_client_update_key(struct tls_client *client);

/* Plaintext since it is connected: written, and received. */
size_t tls_client_written(const struct tls_client *client);
size_t tls_client_heard(const struct tls_client *client);
bool tls_client_has_closed(const struct tls_client *client);
bool tls_client_heard_goodbye(const struct tls_client *client);

/* Do client and server have all that a session takes in common? */
bool tls_client_fits(const struct tls_client *client);
/* It has asked for more new keys than a server need bear, or has met an error of its own. */
bool tls_client_is_immoderate(const struct tls_client *client);
/* Does it see the session in the same way? */
bool tls_client_agrees(const struct tls_client *client, const char *version, bool resumed,
                       struct slice protocol);

#endif
