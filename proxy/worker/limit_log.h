/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_LIMIT_LOG_H
#define DEEPPROXY_PROXY_WORKER_LIMIT_LOG_H

#include "proxy/common/client_limit.h"
#include "proxy/common/log.h"
#include "proxy/common/refusal.h"

#include <sys/socket.h>
#include <uv.h>

/*
 * Logs the clients of a worker that a limit keeps out, or that are refused, and failures to accept any. They
 * may come by the thousands a second: the first one of a kind has a line of its own at once, those of the
 * next LIMIT_LOG_MS are counted, and one line has their number. It keeps nobody out itself. Only the worker's
 * thread uses it.
 */
enum {
    /* Often enough to follow an attack, and a line of each kind at most each time. */
    LIMIT_LOG_MS = 10000,
    /* After the limits; not one of them. */
    LIMIT_LOG_ACCEPT_FAILURES = CLIENT_LIMITS,
    LIMIT_LOG_WAITING,  /* those that wait because of CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS */
    LIMIT_LOG_SLOWED,   /* the same for CLIENT_LIMIT_CONNECTION_RATE */
    LIMIT_LOG_REFUSALS, /* one for each reason */
    LIMIT_LOG_KINDS = LIMIT_LOG_REFUSALS + REFUSALS
};

struct limit_log {
    struct log_queue *log;
    uv_timer_t timer;
    struct {
        uint64_t unlogged; /* clients, or failures, since the last line */
        bool is_recent;    /* there was a line in the last LIMIT_LOG_MS: clients are only counted */
        char service[64];
        struct sockaddr_storage client;
        int error;          /* errno of the last failure */
        const char *detail; /* of the last refusal; static, or NULL */
    } kinds[LIMIT_LOG_KINDS];
};

/*
 * `loop` and `log` outlive it. The timer does not keep the loop alive; it is closed like any other handle of
 * the loop.
 */
void limit_log_init(struct limit_log *limits, uv_loop_t *loop, struct log_queue *log);

/* Counts a client, or logs it. `client` is its address, or NULL; it and `service` are copied. */
void limit_log_note(struct limit_log *limits, enum client_limit limit, const char *service,
                    const struct sockaddr_storage *client);

/* The same for a client that CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS has made wait. */
void limit_log_note_waiting(struct limit_log *limits, const char *service,
                            const struct sockaddr_storage *client);

/* The same for one that CLIENT_LIMIT_CONNECTION_RATE has made wait. */
void limit_log_note_slowed(struct limit_log *limits, const char *service,
                           const struct sockaddr_storage *client);

/* Counts a refused connection, or logs it. `detail`: more of the reason; static, or NULL. */
void limit_log_note_refusal(struct limit_log *limits, enum refusal refusal, const char *detail,
                            const char *service, const struct sockaddr_storage *client);

/* Counts a failure to accept a connection of the service, or logs it. `error` is an errno. */
void limit_log_note_failure(struct limit_log *limits, int error, const char *service);

/* Logs what has only been counted so far; for the worker's end. */
void limit_log_flush(struct limit_log *limits);

#endif
