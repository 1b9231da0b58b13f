/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SESSION_TLS_SIDE_H
#define DEEPPROXY_PROXY_SESSION_TLS_SIDE_H

#include "base/must_check.h"
#include "proxy/common/tcp_conn.h"
#include "proxy/worker/worker.h"

/*
 * One of the two TLS ends of a session: towards its client, or towards its server. It runs an endpoint with
 * the buffers of the worker: both ends of all sessions share one tls_io, so what a call has put into the
 * output is sent (tls_side_flush) before any other endpoint is called. It never ends a session, and reads
 * from no socket.
 */
struct tls_side {
    struct tls_endpoint *endpoint;      /* NULL: no handshake has begun */
    struct key_client_handle signature; /* what was asked of the key process for its handshake */
};

/*
 * Cancels what was asked of the key process, and frees the endpoint. Does nothing for one that is all zero.
 */
void tls_side_free(struct tls_side *side, struct worker *worker);

/*
 * Takes in ciphertext. Returns how many octets of plaintext are in worker->plain_buffer; the endpoint's state
 * may have changed. The outputs of the worker's tls_io and engine must be empty.
 */
size_t tls_side_receive(struct tls_side *side, struct worker *worker, struct slice ciphertext);

/*
 * The same with the signature that the key process has made, or with none (empty): the handshake then fails.
 */
size_t tls_side_sign(struct tls_side *side, struct worker *worker, struct slice signature);

/*
 * In TLS_AWAITS_SIGNATURE: asks the key process, once, whatever else the peer sends meanwhile. `answer` is
 * called from the loop, as for key_client_sign. False if there is nobody to ask: tls_side_sign with an empty
 * signature is next.
 */
MUST_CHECK bool tls_side_await_signature(struct tls_side *side, struct worker *worker, key_client_cb answer,
                                         void *arg);

/*
 * Sends the TLS output by the connection, and empties it. Drops it if the connection takes no more. Returns
 * 0, or a libuv error as tcp_conn_write.
 */
MUST_CHECK int tls_side_flush(struct worker *worker, struct tcp_conn *conn);

#endif
