/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_BENCH_LOAD_CLIENT_H
#define DEEPPROXY_TESTS_BENCH_LOAD_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A TLS 1.3 client on a socket that does not block, driven by edge-triggered epoll: after an event its caller
 * goes on until it hears LOAD_WAIT. It checks no certificate (the signature over the handshake it does, as
 * every client): what is measured stands at the other end.
 */

/* What all clients share. */
struct load_tls {
    SSL_CTX *context;
    BIO_METHOD *socket_bio;
    struct sockaddr_in server;
    bool keep_tickets; /* each client keeps the newest ticket it gets, for load_client_open to offer */
};

/* Ends the program with a message where something is amiss. */
void load_tls_init(struct load_tls *tls, uint16_t port, bool keep_tickets);
void load_tls_free(struct load_tls *tls);

/* All zero but for fd, which is -1: one that has not been opened. Must not move while it is open. */
struct load_client {
    int fd;
    SSL *ssl;
    SSL_SESSION *ticket;
    bool ending;      /* the server's FIN has been announced: read on until it comes */
    bool drained;     /* the socket had no more to read: no use in asking before the next event */
    bool clean_close; /* the server's close_notify came before the end (section 4.4 of the draft) */
};

enum load_result {
    LOAD_DONE, /* the handshake is over, octets were moved */
    LOAD_WAIT, /* for the next event */
    LOAD_END,  /* the server has closed, in order or not */
    LOAD_FAILED
};

/* Starts to connect, watched by `epoll` with `data` in its events. Offers the ticket where `resume`. */
bool load_client_open(struct load_client *client, struct load_tls *tls, int epoll, void *data, bool resume);

/* Call for each event of epoll, with what it says, before anything else. */
void load_client_woken(struct load_client *client, uint32_t events);

enum load_result load_client_handshake(struct load_client *client);
enum load_result load_client_write(struct load_client *client, const uint8_t *data, size_t len,
                                   size_t *written);
enum load_result load_client_read(struct load_client *client, uint8_t *data, size_t size, size_t *got);

/* Says close_notify where there is a session, and closes. The ticket stays. */
void load_client_close(struct load_client *client);

/* Gives the ticket back too. */
void load_client_free(struct load_client *client);

#endif
