/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/visit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    free((struct visit *)handle);
}

void http_answer_release(const struct http_answer *answer)
{
    if (answer->release != NULL)
        answer->release(answer->owner);
}

static void end(struct visit *visit)
{
    http_answer_release(&visit->answer);
    visit->answer = (struct http_answer){0};
    visit->events->on_end(visit->arg, visit);
    uv_close((uv_handle_t *)&visit->poll, on_closed);
    close(visit->fd);
}

void visit_break(struct visit *visit)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(visit->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    end(visit);
}

/* ---- reading ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

/* What was received, in static memory; 0: nothing now. Negative: the client has ended, or its connection. */
static ssize_t receive(const struct visit *visit, char *into, size_t cap)
{
    ssize_t len = recv(visit->fd, into, cap, 0);
    if (len > 0)
        return len;
    return len < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void read_request(struct visit *visit)
{
    char octets[4096];
    ssize_t len = receive(visit, octets, sizeof octets);
    if (len < 0) {
        end(visit);
        return;
    }
    struct slice part = {(const uint8_t *)octets, (size_t)len};
    if (admin_request_feed(&visit->request, part) == HTTP_READING)
        return;
    visit->state = VISIT_WAITING;
    uv_poll_stop(&visit->poll);
    visit->events->on_request(visit->arg, visit);
}

static void drop_input(struct visit *visit)
{
    char octets[4096];
    ssize_t len = receive(visit, octets, sizeof octets);
    visit->dropped += len > 0 ? (size_t)len : 0;
    if (len < 0 || visit->dropped > VISIT_DROPPED_MAX)
        end(visit);
}

/* ---- sending ---- */

static size_t add_part(struct iovec *parts, size_t count, const void *data, size_t len, size_t *skip)
{
    size_t skipped = *skip < len ? *skip : len;
    *skip -= skipped;
    if (skipped == len) /* perhaps NULL */
        return count;
    parts[count] = (struct iovec){(char *)(uintptr_t)data + skipped, len - skipped};
    return count + 1;
}

static ssize_t send_rest(const struct visit *visit)
{
    struct iovec parts[3];
    size_t skip = visit->sent;
    const struct slice *body = visit->answer.body;
    size_t count = add_part(parts, 0, visit->head, visit->head_len, &skip);
    for (size_t i = 0; i < 2 && visit->request.method != HTTP_HEAD; i++)
        count = add_part(parts, count, body[i].data, body[i].len, &skip);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    return count > 0 ? sendmsg(visit->fd, &message, MSG_NOSIGNAL) : 0;
}

static size_t whole(const struct visit *visit)
{
    bool has_body = visit->request.method != HTTP_HEAD;
    return visit->head_len + (has_body ? visit->answer.body[0].len + visit->answer.body[1].len : 0);
}

static void linger(struct visit *visit)
{
    http_answer_release(&visit->answer);
    visit->answer = (struct http_answer){0};
    visit->state = VISIT_LINGERING;
    shutdown(visit->fd, SHUT_WR);
    uv_poll_start(&visit->poll, UV_READABLE, on_ready);
}

static void send_answer(struct visit *visit)
{
    ssize_t len = send_rest(visit);
    if (len < 0 && errno != EAGAIN && errno != EINTR) {
        end(visit);
        return;
    }
    visit->sent += len > 0 ? (size_t)len : 0;
    if (visit->sent == whole(visit))
        linger(visit);
    else
        uv_poll_start(&visit->poll, UV_WRITABLE, on_ready);
}

static void add_field(struct visit *visit, const char *name, const char *value)
{
    size_t left = sizeof visit->head - visit->head_len;
    int len = value != NULL ? snprintf(visit->head + visit->head_len, left, "%s: %s\r\n", name, value) : 0;
    if (len > 0 && (size_t)len < left)
        visit->head_len += (size_t)len;
}

static void write_head(struct visit *visit, const struct http_answer *answer)
{
    char length[24];
    char total[24];
    snprintf(length, sizeof length, "%zu", answer->body[0].len + answer->body[1].len);
    snprintf(total, sizeof total, "%zu", answer->total);
    visit->head_len = (size_t)snprintf(visit->head, sizeof visit->head, "HTTP/1.1 %d %s\r\n",
                                       (int)answer->status, http_status_str(answer->status));
    add_field(visit, "Content-Type", answer->type);
    add_field(visit, "Content-Length", length);
    add_field(visit, "Connection", "close");
    add_field(visit, "Allow", answer->allow[0] != '\0' ? answer->allow : NULL);
    add_field(visit, "X-Total-Count", answer->has_total ? total : NULL);
    /* add_field leaves room for it: the longest of these fields have some 200 octets in all. */
    visit->head_len += (size_t)snprintf(visit->head + visit->head_len, 3, "\r\n");
}

void visit_answer(struct visit *visit, const struct http_answer *answer)
{
    visit->answer = *answer;
    write_head(visit, answer);
    visit->state = VISIT_SENDING;
    send_answer(visit);
}

/* ---- the socket ---- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct visit *visit = (struct visit *)poll;
    (void)events;
    if (status < 0)
        end(visit);
    else if (visit->state == VISIT_READING)
        read_request(visit);
    else if (visit->state == VISIT_SENDING)
        send_answer(visit);
    else if (visit->state == VISIT_LINGERING)
        drop_input(visit);
}

struct visit *visit_new(uv_loop_t *loop, int fd, const struct visit_events *events, void *arg)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL || uv_poll_init(loop, &visit->poll, fd) != 0) {
        free(visit);
        close(fd);
        return NULL;
    }
    visit->fd = fd;
    visit->events = events;
    visit->arg = arg;
    admin_request_begin(&visit->request);
    uv_poll_start(&visit->poll, UV_READABLE, on_ready);
    return visit;
}
