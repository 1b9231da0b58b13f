/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_STREAM_H
#define DEEPPROXY_PROXY_STREAM_H

#include "base/slice.h"

#include <uv.h>

/*
 * One TCP connection of a session. What can be written at once is written from where it lies; what can't is
 * copied and queued, and `queued` tells the owner to read no more from the other side. Reading goes into the
 * worker's buffer.
 */
struct stream {
    uv_tcp_t tcp; /* tcp.data is the owner's */
    size_t queued;
    bool reading;
    bool input_ended;  /* the peer's FIN was seen */
    bool output_ended; /* our FIN was sent or waits behind what is queued */
    void (*on_drained)(struct stream *stream, int status); /* all that was queued is out, or it failed */
};

/* Writes slices in order; 0, or a libuv error where the connection is broken. Nothing may follow stream_end_output. */
int stream_write(struct stream *stream, const struct slice *slices, size_t count);

/* FIN, after what is queued. */
void stream_end_output(struct stream *stream);

/* Reads, or stops reading; does nothing where it is so already, and nothing after the peer's FIN. */
void stream_set_reading(struct stream *stream, bool reading, uv_alloc_cb alloc, uv_read_cb read);

#endif
