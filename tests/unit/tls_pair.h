/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_TLS_PAIR_H
#define DEEPPROXY_TESTS_TLS_PAIR_H

#include "base/bytes.h"
#include "tls/endpoint/tls_endpoint.h"

/*
 * Test support: a server's and a client's endpoint with the ciphertext between them in memory, in the hands
 * of the test: it can be delivered in any chunks, looked at, changed or lost.
 */
struct tls_pair_settings {
    const struct tls_certificate_files *certificates;
    size_t certificate_count;
    uint16_t server_min; /* 0: TLS_1_2 */
    uint16_t server_max; /* 0: TLS_1_3 */
    uint16_t client_min; /* likewise */
    uint16_t client_max;
    const char *ciphers;
    const char *server_name;
    const char *server_protocols;     /* for ALPN; see tls_endpoint.h */
    struct tls_client_trust *clients; /* of the server; NULL: it asks for no certificate */
    const char *client_protocols;
    const struct tls_key_source *keys; /* of the server; NULL: in this process */
};

struct tls_pair_end {
    struct tls_context *context;
    struct tls_io *io;
    struct tls_endpoint *endpoint;
    struct bytes incoming; /* ciphertext on its way here */
    struct bytes plain;    /* what was received here */
};

struct tls_pair {
    struct tls_service_settings service; /* the server's */
    struct tls_pair_end server;
    struct tls_pair_end client;
};

/* A server's context that must come without errors or warnings. */
struct tls_context *tls_pair_server_context(const struct tls_pair_settings *settings);

/* Both endpoints, with the client's first flight on its way. */
void tls_pair_open(struct tls_pair *pair, const struct tls_pair_settings *settings);
void tls_pair_close(struct tls_pair *pair);

/* Delivers all that is on its way, both ways, `chunk` octets at a time (0: whole), until nothing is left. */
void tls_pair_move(struct tls_pair *pair, size_t chunk);
/* The first octets of what is on its way to one end, in one call; what it answers is then on its way. */
void tls_pair_deliver(struct tls_pair *pair, struct tls_pair_end *to, size_t count);

/* Opens, and shakes hands in chunks; fails the test if either end is not open then. */
void tls_pair_connect(struct tls_pair *pair, const struct tls_pair_settings *settings, size_t chunk);

/* Seals at one end; the ciphertext is then on its way to the other. */
void tls_pair_send(struct tls_pair *pair, struct tls_pair_end *from, const struct slice *slices,
                   size_t count);
/* close_notify from one end, likewise. */
void tls_pair_send_close(struct tls_pair *pair, struct tls_pair_end *from);

/* Whole records of a type in ciphertext. */
enum { TLS_RECORD_ALERT = 21, TLS_RECORD_HANDSHAKE = 22, TLS_RECORD_DATA = 23 };
size_t tls_count_records(struct slice ciphertext, unsigned type);

#endif
