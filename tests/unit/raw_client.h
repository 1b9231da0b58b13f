/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_RAW_CLIENT_H
#define DEEPPROXY_TESTS_RAW_CLIENT_H

#include "client_pki.h"
#include "tls/endpoint/tls_endpoint.h"

#include <openssl/ssl.h>

/*
 * Test support: a TLS client of the library's own, for what an endpoint's client does not do: it shows
 * certificates, keeps sessions and resumes them, and records what the server asks for and sends. It talks to
 * a server's endpoint in memory.
 */
struct raw_client_settings {
    uint16_t version;                /* TLS_1_2 or TLS_1_3, and no other */
    const struct identity *identity; /* sent if the server asks for one; NULL: none */
    const struct identity *chain[9]; /* sent after it, NULL after the last */
    const struct identity *key_of;   /* whose key it has; NULL: its own */
    SSL_SESSION *session;            /* to resume */
    const char *server_name;
};

struct raw_client {
    SSL_CTX *ctx;
    SSL *ssl;
    bool was_asked;       /* for a certificate ... */
    size_t asked_names;   /* ... by one of so many authorities */
    int alert;            /* the fatal one that came; 0: none */
    bool open;            /* its handshake is done */
    SSL_SESSION *session; /* to be resumed later; the client's own */
};

/* Shakes hands with the endpoint, and receives what follows, until neither has more to send. */
void raw_client_run(struct raw_client *client, const struct raw_client_settings *settings,
                    struct tls_endpoint *server, struct tls_io *io);
void raw_client_close(struct raw_client *client);

#endif
