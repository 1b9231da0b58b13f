/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_INNER_PROXY_H
#define DEEPPROXY_TESTS_INNER_PROXY_H

#include "base/bytes.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Test support: one worker of the proxy, in a thread of the test's program, with an IMAP service for TLS from
 * the first octet and one for STARTTLS, and one server that the test plays. For what Python tests don't see:
 * memory, sockets' options, a heap that fails. What can't be done fails the test.
 */
enum inner_service { INNER_TLS, INNER_STARTTLS };

struct inner_proxy;
struct snapshot;

/* certificates_open has been called. `pool`: further keys of the pool, "" for none. */
struct inner_proxy *inner_proxy_start(const char *pool);

/* Ends the worker, joins its thread and frees what there is. */
void inner_proxy_stop(struct inner_proxy **proxy);

/* Gives the worker the same configuration, read anew, and waits until it is in effect. */
void inner_proxy_reload(struct inner_proxy *proxy);

/*
 * Starts a second worker beside it, of the same configuration but without listeners, and ends it again.
 * Returns the error with which it was not started, or 0.
 */
int inner_proxy_try_another_worker(struct inner_proxy *proxy);

/* Takes the first service, and so the first address, out of the configuration: for the next reload. */
void inner_proxy_leave_out_tls(const struct inner_proxy *proxy);

/* The configuration in effect; the proxy has the reference. */
struct snapshot *inner_proxy_snapshot(const struct inner_proxy *proxy);

/* Ends the worker's sessions, each with a goodbye. For inner_proxy_talk's `at_login`. */
void inner_proxy_end(struct inner_proxy *proxy);

struct survey;
/* Has the worker make a survey, and waits until it has. False if the worker has ended. */
bool inner_proxy_survey(struct inner_proxy *proxy, struct survey *survey);

/* Has the worker left something to be freed by another thread? The end frees it. */
bool inner_proxy_has_left(const struct inner_proxy *proxy);

/* A connection to the service, non-blocking. */
int inner_proxy_connect(struct inner_proxy *proxy, enum inner_service service);

/* The port of a service. */
int inner_proxy_port(const struct inner_proxy *proxy, enum inner_service service);

/* The socket that its sessions connect to, for tests that play the server themselves; non-blocking. */
int inner_proxy_listener(const struct inner_proxy *proxy);

/* The address that its sessions connect to. */
const struct sockaddr_in *inner_proxy_server(const struct inner_proxy *proxy);

/* What came of a dialogue, in plain text; each end's output is freed by inner_dialogue_free. */
struct inner_dialogue {
    bool is_secured;  /* the TLS handshake was done */
    bool is_complete; /* greeting, login, logout and the end have all come to the client */
    bool has_ended;   /* the proxy has closed the connection */
    struct bytes to_client;
    struct bytes to_server;
};

/*
 * One client from its connection to its end, and the server that it is connected to: LOGIN with this user's
 * name, then LOGOUT. `at_login`, which may be NULL, is called when the client has logged in, with both ends
 * still open.
 */
struct inner_dialogue inner_proxy_talk(struct inner_proxy *proxy, enum inner_service service,
                                       const char *user, void (*at_login)(struct inner_proxy *proxy));
void inner_dialogue_free(struct inner_dialogue *dialogue);

#endif
