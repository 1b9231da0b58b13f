/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_LIMIT_LOG_H
#define DEEPPROXY_PROXY_WORKER_LIMIT_LOG_H

#include "proxy/common/client_limit.h"
#include "proxy/common/log.h"

#include <sys/socket.h>

/*
 * What a worker's log says of clients that a limit keeps out. They may come by the thousands a second: the first one of a
 * kind has a line of its own at once, those of the next LIMIT_LOG_MS are counted, and one line tells how many they were.
 */
enum {
    LIMIT_LOG_MS = 10000 /* often enough to follow an attack, and four lines at most each time */
};

struct limit_log {
    struct log_queue *log;
    uv_timer_t timer;
    struct {
        uint64_t unsaid; /* since the last line */
        bool is_recent;  /* there was a line not long ago: the next ones are counted */
        char service[64];
        struct sockaddr_storage client;
    } kinds[CLIENT_LIMITS];
};

/* `loop` and `log` must live as long. The timer does not keep the loop alive; it is closed as any other handle of the loop. */
void limit_log_init(struct limit_log *limits, uv_loop_t *loop, struct log_queue *log);

/* Counts one more. `client` may be NULL. */
void limit_log_note(struct limit_log *limits, enum client_limit limit, const char *service,
                    const struct sockaddr_storage *client);

/* Says what is unsaid, at the worker's end. */
void limit_log_flush(struct limit_log *limits);

#endif
