/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/log.h"

#include "base/bytes.h"
#include "base/ensure.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Octets for each thread: some 4,000 session lines, more than one core can cause by full handshakes in a
 * second.
 */
#define QUEUE_MAX (1024 * 1024)

struct log_queue {
    struct log *log;
    struct log_queue *next;
    uv_mutex_t mutex; /* held only to append or to take the buffer away */
    struct bytes lines;
    uint64_t dropped;
};

struct log {
    uv_async_t wake;
    _Atomic int level; /* enum cfg_log_level */
    struct log_queue *queues;
};

/* Waits for a slow reader: only for the main thread. */
static void write_all(struct slice text)
{
    while (text.len > 0) {
        ssize_t written = write(STDERR_FILENO, text.data, text.len);
        if (written > 0) {
            text = slice_from(text, (size_t)written);
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void drain(struct log_queue *queue)
{
    uv_mutex_lock(&queue->mutex);
    struct bytes lines = queue->lines;
    uint64_t dropped = queue->dropped;
    queue->lines = (struct bytes){0};
    queue->dropped = 0;
    uv_mutex_unlock(&queue->mutex);
    write_all(bytes_view(&lines));
    bytes_free(&lines);
    if (dropped > 0) {
        struct log_line line;
        log_line_begin(&line, CFG_LOG_WARNING, "log-lines-dropped");
        log_line_add_number(&line, "count", dropped);
        log_write(queue->log, &line);
    }
}

static void drain_all(struct log *log)
{
    for (struct log_queue *queue = log->queues; queue != NULL; queue = queue->next)
        drain(queue);
}

static void on_wake(uv_async_t *wake)
{
    drain_all(wake->data);
}

struct log *log_new(uv_loop_t *loop, enum cfg_log_level level)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    atomic_init(&log->level, (int)level);
    if (uv_async_init(loop, &log->wake, on_wake) != 0) {
        free(log);
        return NULL;
    }
    log->wake.data = log;
    return log;
}

static void on_closed(uv_handle_t *handle)
{
    struct log *log = handle->data;
    while (log->queues != NULL) {
        struct log_queue *queue = log->queues;
        log->queues = queue->next;
        uv_mutex_destroy(&queue->mutex);
        free(queue);
    }
    free(log);
}

void log_close(struct log *log)
{
    drain_all(log);
    uv_close((uv_handle_t *)&log->wake, on_closed);
}

struct log_queue *log_add_queue(struct log *log)
{
    struct log_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    ENSURE(uv_mutex_init(&queue->mutex) == 0);
    queue->log = log;
    queue->next = log->queues;
    log->queues = queue;
    return queue;
}

void log_set_level(struct log *log, enum cfg_log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

static bool is_above(const struct log *log, const struct log_line *line)
{
    return (int)line->level > atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_queue_put(struct log_queue *queue, struct log_line *line)
{
    if (is_above(queue->log, line))
        return;
    log_line_end(line);
    struct slice text = {(const uint8_t *)line->text, line->len};
    uv_mutex_lock(&queue->mutex);
    bool was_empty = queue->lines.len == 0;
    if (!bytes_append(&queue->lines, text, QUEUE_MAX))
        queue->dropped++;
    uv_mutex_unlock(&queue->mutex);
    if (was_empty)
        uv_async_send(&queue->log->wake);
}

void log_write(struct log *log, struct log_line *line)
{
    if (log != NULL && is_above(log, line))
        return;
    log_line_end(line);
    write_all((struct slice){(const uint8_t *)line->text, line->len});
}
