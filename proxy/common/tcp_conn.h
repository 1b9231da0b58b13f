/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_TCP_CONN_H
#define DEEPPROXY_PROXY_COMMON_TCP_CONN_H

#include "base/slice.h"

#include <uv.h>

/*
 * One TCP connection of a session. What can be written at once is written from where it lies; what can't is
 * copied and queued, and `queued` tells the owner to read no more from the other side. Reading goes into the
 * worker's buffer.
 */
struct tcp_conn {
    uv_tcp_t tcp; /* tcp.data is the owner's */
    size_t queued;
    bool reading;
    bool input_ended;  /* the peer's FIN was seen */
    bool output_ended; /* our FIN was sent or waits behind what is queued */
    void (*on_drained)(struct tcp_conn *stream, int status); /* all that was queued is out, or it failed */
};

/* Writes slices in order; 0, or a libuv error where the connection is broken. Nothing may follow tcp_conn_end_output. */
int tcp_conn_write(struct tcp_conn *stream, const struct slice *slices, size_t count);

/* FIN, after what is queued. */
void tcp_conn_end_output(struct tcp_conn *stream);

/* Reads, or stops reading; does nothing where it is so already, and nothing after the peer's FIN. */
void tcp_conn_set_reading(struct tcp_conn *stream, bool reading, uv_alloc_cb alloc, uv_read_cb read);

#endif
