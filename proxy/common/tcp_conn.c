/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/tcp_conn.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "protocols/engine_out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel did not take, with the request that sends it. */
struct queued_write {
    uv_write_t request;
    size_t len;
    uint8_t data[];
};

static void on_written(uv_write_t *request, int status)
{
    struct tcp_conn *conn = request->data;
    struct queued_write *write = (struct queued_write *)request;
    conn->queued -= write->len;
    wipe(write->data, write->len);
    free(write);
    if (status == UV_ECANCELED)
        return;
    if (status != 0)
        conn->write_failed = true;
    if (conn->queued == 0 || status != 0)
        conn->on_drained(conn, status);
}

static int queue(struct tcp_conn *conn, const struct slice *slices, size_t count, size_t skip)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += slices[i].len;
    len -= skip;
    struct queued_write *write = malloc(sizeof *write + len);
    if (write == NULL)
        return UV_ENOMEM;
    write->len = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice rest = slice_from(slices[i], skip);
        skip -= slices[i].len - rest.len;
        if (rest.len > 0)
            memcpy(write->data + write->len, rest.data, rest.len);
        write->len += rest.len;
    }
    write->request.data = conn;
    uv_buf_t buffer = uv_buf_init((char *)write->data, (unsigned)write->len);
    int error = uv_write(&write->request, (uv_stream_t *)&conn->tcp, &buffer, 1, on_written);
    if (error != 0) {
        wipe(write->data, write->len);
        free(write);
        return error;
    }
    conn->queued += len;
    return 0;
}

static int write_or_queue(struct tcp_conn *conn, const struct slice *slices, size_t count)
{
    if (count == 0)
        return 0;
    size_t written = 0;
    size_t total = 0;
    uv_buf_t buffers[ENGINE_OUT_SLICES];
    for (size_t i = 0; i < count; i++) {
        buffers[i] = uv_buf_init((char *)(uintptr_t)slices[i].data, (unsigned)slices[i].len);
        total += slices[i].len;
    }
    if (conn->queued == 0) {
        int result = uv_try_write((uv_stream_t *)&conn->tcp, buffers, (unsigned)count);
        if (result < 0 && result != UV_EAGAIN)
            return result;
        written = result > 0 ? (size_t)result : 0;
    }
    return written < total ? queue(conn, slices, count, written) : 0;
}

int tcp_conn_write(struct tcp_conn *conn, const struct slice *slices, size_t count)
{
    ENSURE(tcp_conn_can_write(conn) && count <= ENGINE_OUT_SLICES);
    int error = write_or_queue(conn, slices, count);
    if (error != 0)
        conn->write_failed = true;
    return error;
}

static void on_output_ended(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* After what libuv has queued. */
static void end_output_later(struct tcp_conn *conn)
{
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request != NULL && uv_shutdown(request, (uv_stream_t *)&conn->tcp, on_output_ended) != 0)
        free(request);
}

/* uv_shutdown would take a turn of the loop, and have epoll told of what has not changed. */
void tcp_conn_end_output(struct tcp_conn *conn)
{
    uv_os_fd_t fd;
    if (conn->output_ended)
        return;
    conn->output_ended = true;
    if (conn->queued > 0)
        end_output_later(conn);
    else if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0)
        (void)shutdown(fd, SHUT_WR); /* it fails if the connection is gone */
}

void tcp_conn_set_reading(struct tcp_conn *conn, bool reading, uv_alloc_cb alloc, uv_read_cb read)
{
    if (conn->input_ended)
        reading = false;
    if (conn->reading == reading)
        return;
    conn->reading = reading && uv_read_start((uv_stream_t *)&conn->tcp, alloc, read) == 0;
    if (!reading)
        uv_read_stop((uv_stream_t *)&conn->tcp);
}
