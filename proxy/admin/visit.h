/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_VISIT_H
#define DEEPPROXY_PROXY_ADMIN_VISIT_H

#include "proxy/admin/admin_request.h"

#include <uv.h>

/*
 * One connection to the admin endpoint: reads the head of a request, sends an answer, and closes. It
 * allocates nothing but itself. What is answered, when a visit is over, and how many there are, the owner
 * decides. A visitor of the file begins at `visit_new`.
 */
enum {
    /* The header fields of an answer. */
    VISIT_HEAD_MAX = 512,
    /*
     * Of what a client sends after its request, such as a body, so much is read and dropped: a connection
     * that is closed with octets unread is reset, and the client may lose the answer.
     */
    VISIT_DROPPED_MAX = 64 * 1024,
    ADMIN_METHODS_MAX = 64 /* octets of a list of methods, with its NUL */
};

/* What is sent. All zero but for the status has no body. */
struct http_answer {
    enum http_status status;
    const char *type;              /* of the body; static */
    char allow[ADMIN_METHODS_MAX]; /* the methods, after 405 */
    bool has_total;                /* the body may have fewer items than there are: `total` */
    size_t total;
    struct slice body[2]; /* in turn */
    /* Called once when the body is not needed any more, with `owner`. NULL: it is static. */
    void (*release)(void *owner);
    void *owner;
};

enum visit_state {
    VISIT_READING,
    VISIT_WAITING, /* the request is there, the answer is not */
    VISIT_SENDING,
    VISIT_LINGERING /* all is sent; the client's end is awaited */
};

struct visit;

struct visit_events {
    /* The request is complete, or rejected. visit_answer follows, at once or later. */
    void (*on_request)(void *arg, struct visit *visit);
    /* The visit is over, and no pointer to it is valid after this. */
    void (*on_end)(void *arg, struct visit *visit);
};

struct visit {
    uv_poll_t poll;
    int fd;
    /* The owner's: */
    uint64_t expires;
    uint64_t number;
    uint64_t ticket; /* it waits for a page of metrics; 0: it does not */
    bool is_local;
    bool is_permitted;
    uid_t uid;
    const struct visit_events *events;
    void *arg;
    enum visit_state state;
    struct admin_request request;
    struct http_answer answer;
    char head[VISIT_HEAD_MAX];
    size_t head_len;
    size_t sent;
    size_t dropped;
};

/*
 * Begins to read from `fd`, which does not block, and which the visit owns from here on. NULL if memory is
 * short: `fd` is closed then, and nobody is told.
 */
struct visit *visit_new(uv_loop_t *loop, int fd, const struct visit_events *events, void *arg);

/*
 * Sends an answer, once, in state READING or WAITING. The visit owns what `answer` releases. The visit may be
 * over when this returns.
 */
void visit_answer(struct visit *visit, const struct http_answer *answer);

/*
 * Ends it at once, by a reset, so that the kernel keeps nothing for a client that does not read. on_end is
 * called; the loop frees it.
 */
void visit_break(struct visit *visit);

/* Releases an answer that is not to be sent. */
void http_answer_release(const struct http_answer *answer);

#endif
