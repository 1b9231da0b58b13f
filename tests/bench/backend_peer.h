/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_BENCH_BACKEND_PEER_H
#define DEEPPROXY_TESTS_BENCH_BACKEND_PEER_H

#include <stdbool.h>

/*
 * One connection to the benchmark's IMAP backend. It says yes to every login, has one message as long as
 * anybody asks for (pattern.h), and compares what is appended with it. It answers pipelined commands,
 * synchronising and other literals and a PROXY v2 header in front of everything, and does so as cheaply as it
 * can: what it uses up is taken from the load generator, which has the same core. It is no mail server:
 * nothing is stored, and a command behind a FETCH that could not be written at once ends the connection.
 */
struct peer;

/* Takes over the socket, which does not block. NULL where memory is short; the socket is closed then. */
struct peer *peer_new(int fd);

/* Closes the socket. */
void peer_free(struct peer **peer);

/* Says the greeting, reads once and answers, writes what is left. False: the connection is over, free it. */
bool peer_greet(struct peer *peer);
bool peer_on_readable(struct peer *peer);
bool peer_on_writable(struct peer *peer);

/* Does something wait to be written? It is then not to be read from. */
bool peer_wants_write(const struct peer *peer);

int peer_fd(const struct peer *peer);

#endif
