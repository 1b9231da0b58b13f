/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_H
#define DEEPPROXY_PROXY_WORKER_H

#include "protocols/engine_out.h"
#include "proxy/deadlines.h"
#include "proxy/listeners.h"
#include "proxy/log.h"
#include "proxy/snapshot.h"
#include "tls/tls_endpoint.h"

/*
 * A worker is a thread with its own event loop, listening sockets, sessions and buffers. It shares nothing on
 * the data path with other workers and never blocks.
 */

enum {
    /* One read from a socket: eight TLS records of 16 KB; twice that gains nothing, half costs system calls. */
    WORKER_READ_CAP = 128 * 1024,
    WORKER_PLAIN_CAP = WORKER_READ_CAP + TLS_PLAIN_SLACK
};

/* Classes of timeout; see struct cfg_timeouts. */
enum worker_timeout {
    WORKER_TIMEOUT_HANDSHAKE,
    WORKER_TIMEOUT_CONNECT,
    WORKER_TIMEOUT_GREETING,
    WORKER_TIMEOUT_LOGIN,
    WORKER_TIMEOUT_IDLE,
    WORKER_TIMEOUT_CLOSING,
    WORKER_TIMEOUT_ENDING, /* as CLOSING, where the worker itself ends */
    WORKER_TIMEOUTS
};

enum worker_phase {
    WORKER_RUNNING,
    WORKER_DRAINING, /* no new sessions; those there go on */
    WORKER_ENDING    /* those there are told goodbye; the thread ends with the last one */
};

struct session;

struct worker {
    char id[9]; /* random: the first part of its sessions' names */
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake;
    uv_timer_t tick; /* runs while there are sessions */
    unsigned index;
    enum worker_phase phase;
    _Atomic int wanted_phase; /* set by the main thread, before wake */
    struct snapshot *snapshot;
    struct log_queue *log;
    void (*on_end)(void *arg);
    void *on_end_arg;
    struct listener *listeners;
    size_t listener_count;
    struct session *sessions; /* a list */
    size_t session_count;
    size_t session_max;
    uint64_t next_session;
    struct deadline_list timeouts[WORKER_TIMEOUTS];
    size_t *turns; /* for balance_next, by pool */
    struct tls_io *tls_io;
    struct engine_out *out;
    uint8_t *read_buffer;  /* WORKER_READ_CAP */
    uint8_t *plain_buffer; /* WORKER_PLAIN_CAP */
};

struct worker_settings {
    unsigned index;
    struct snapshot *snapshot;       /* the worker takes a reference */
    struct listener_socket *sockets; /* taken over: their fd becomes -1 */
    size_t socket_count;
    size_t session_max;
    struct log_queue *log;
    void (*on_end)(void *arg); /* called in the worker's thread as its last act */
    void *on_end_arg;
};

/* 0, or a libuv error with nothing started. */
int worker_start(struct worker *worker, const struct worker_settings *settings);

/* From the main thread: moves on to a later phase. */
void worker_set_phase(struct worker *worker, enum worker_phase phase);

/* Waits for the thread's end and frees what the worker owns. */
void worker_join(struct worker *worker);

/* ---- for sessions, in the worker's thread ---- */

uint64_t worker_now(const struct worker *worker);
void worker_add_session(struct worker *worker, struct session *session);
void worker_remove_session(struct worker *worker, struct session *session);

#endif
