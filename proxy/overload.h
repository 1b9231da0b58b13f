/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_OVERLOAD_H
#define DEEPPROXY_PROXY_OVERLOAD_H

#include "proxy/log.h"

#include <sys/socket.h>

/*
 * What a worker's log says of clients that a limit keeps out. They may come by the thousands a second: the first one of a
 * kind has a line of its own at once, those of the next OVERLOAD_LOG_MS are counted, and one line tells how many they were.
 */
enum {
    OVERLOAD_LOG_MS = 10000 /* often enough to follow an attack, and four lines at most each time */
};

/* Named after the setting that would change it. */
enum overload_limit {
    OVERLOAD_CONNECTIONS,             /* max_connections: closed */
    OVERLOAD_CONNECTIONS_PER_ADDRESS, /* closed */
    OVERLOAD_HANDSHAKES,              /* all wait in the kernel's queue until a handshake is over */
    OVERLOAD_HANDSHAKES_PER_ADDRESS,  /* closed */
    OVERLOAD_LIMITS
};

/* The setting's name, static. */
const char *overload_limit_name(enum overload_limit limit);

struct overload {
    struct log_queue *log;
    uv_timer_t timer;
    struct {
        uint64_t unsaid; /* since the last line */
        bool is_recent;  /* there was a line not long ago: the next ones are counted */
        char service[64];
        struct sockaddr_storage client;
    } kinds[OVERLOAD_LIMITS];
};

/* `loop` and `log` must live as long. The timer does not keep the loop alive; it is closed as any other handle of the loop. */
void overload_init(struct overload *overload, uv_loop_t *loop, struct log_queue *log);

/* Counts one more. `client` may be NULL. */
void overload_note(struct overload *overload, enum overload_limit limit, const char *service,
                   const struct sockaddr_storage *client);

/* Says what is unsaid, at the worker's end. */
void overload_flush(struct overload *overload);

#endif
