/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session/tls_side.h"

#include "base/ensure.h"

void tls_side_free(struct tls_side *side, struct worker *worker)
{
    key_client_cancel(&worker->keys, &side->signature);
    tls_endpoint_free(&side->endpoint);
}

static void ensure_buffers_are_free(const struct worker *worker)
{
    ENSURE(tls_io_output(worker->tls_io).len == 0 && engine_out_is_empty(worker->out));
}

size_t tls_side_receive(struct tls_side *side, struct worker *worker, struct slice ciphertext)
{
    ensure_buffers_are_free(worker);
    return tls_endpoint_receive(side->endpoint, ciphertext, worker->plain_buffer);
}

size_t tls_side_sign(struct tls_side *side, struct worker *worker, struct slice signature)
{
    ensure_buffers_are_free(worker);
    return tls_endpoint_signed(side->endpoint, signature, worker->plain_buffer);
}

bool tls_side_await_signature(struct tls_side *side, struct worker *worker, key_client_cb answer, void *arg)
{
    struct tls_sign_request wanted = tls_endpoint_sign_request(side->endpoint);
    return key_client_handle_is_open(&side->signature) ||
           key_client_sign(&worker->keys, &wanted, &side->signature, answer, arg);
}

int tls_side_flush(struct worker *worker, struct tcp_conn *conn)
{
    struct slice output = tls_io_output(worker->tls_io);
    int error = output.len > 0 && tcp_conn_can_write(conn) ? tcp_conn_write(conn, &output, 1) : 0;
    tls_io_reset(worker->tls_io);
    return error;
}
