/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_TCP_CONN_H
#define DEEPPROXY_PROXY_COMMON_TCP_CONN_H

#include "base/must_check.h"
#include "base/slice.h"

#include <uv.h>

/*
 * One TCP connection of a session, towards its client or its server. A write sends what the kernel takes at
 * once from where it lies. The rest is copied and queued. `queued` tells the owner to read no more from the
 * other side. Reading goes into a buffer of the owner's choice. The owner opens and closes the handle `tcp`,
 * and frees the connection after libuv has closed it. Nothing here ends a connection.
 */
struct tcp_conn {
    uv_tcp_t tcp; /* tcp.data is the owner's */
    size_t queued;
    bool reading;
    bool input_ended;  /* the peer's FIN or RST was seen, or, as the owner notes, its close_notify */
    bool output_ended; /* our FIN was sent, or is sent after what is queued */
    bool write_failed; /* no more can be sent; the end of the input is read next */
    /*
     * Called from the loop, never from within a call, when all that was queued has been sent (status 0), or
     * after a queued write has failed (a libuv error; write_failed is set).
     */
    void (*on_drained)(struct tcp_conn *conn, int status);
};

/* May octets be written? False after tcp_conn_end_output, and after a write has failed. */
static inline bool tcp_conn_can_write(const struct tcp_conn *conn)
{
    return !conn->output_ended && !conn->write_failed;
}

/*
 * Sends or queues `count` slices (at most ENGINE_OUT_SLICES) in order; they may be changed afterwards.
 * Returns 0, or a libuv error, and then write_failed is set. Only if tcp_conn_can_write.
 */
MUST_CHECK int tcp_conn_write(struct tcp_conn *conn, const struct slice *slices, size_t count);

/* Sends FIN: at once, or after what is queued. Does nothing if that was done before. */
void tcp_conn_end_output(struct tcp_conn *conn);

/*
 * Starts or stops reading. Does nothing if it is so already, and never starts after the end of the input. It
 * may start while the connection is being made: nothing is read before the owner's uv_connect_cb was called.
 * `alloc` and `read` are the same for the connection's whole life.
 */
void tcp_conn_set_reading(struct tcp_conn *conn, bool reading, uv_alloc_cb alloc, uv_read_cb read);

#endif
