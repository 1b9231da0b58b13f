/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_WORKER_H
#define DEEPPROXY_PROXY_WORKER_WORKER_H

#include "protocols/engine_out.h"
#include "proxy/worker/generation.h"
#include "proxy/keyclient/key_client.h"
#include "proxy/runtime/runtime.h"
#include "proxy/worker/listeners.h"
#include "proxy/worker/handshakes.h"
#include "proxy/common/log.h"
#include "proxy/worker/limit_log.h"
#include "tls/endpoint/tls_endpoint.h"

/*
 * A worker is a thread with its own event loop, listening sockets, sessions and buffers. It shares nothing on
 * the data path with other workers and never blocks.
 */

enum {
    /* One read from a socket: eight TLS records of 16 KB; twice that gains nothing, half costs system calls. */
    WORKER_READ_CAP = 128 * 1024,
    WORKER_PLAIN_CAP = WORKER_READ_CAP + TLS_PLAIN_SLACK
};

enum worker_phase {
    WORKER_RUNNING,
    WORKER_DRAINING, /* no new sessions; those there go on */
    WORKER_ENDING    /* those there are told goodbye; the thread ends with the last one */
};

enum worker_event {
    WORKER_UPDATED, /* an update is in effect, or came too late to be */
    WORKER_ENDED    /* the thread's last act */
};

/* 0: no limit. */
struct worker_limits {
    size_t sessions; /* at least 1 */
    size_t handshakes;
    uint32_t sessions_per_address; /* these two are for all workers together */
    uint32_t handshakes_per_address;
};
struct listener;
struct worker_update;
struct worker;

/*
 * What a worker knows of a session of its own: embedded in the session, whose room is above this one. The worker's list,
 * its count and the generation's are kept by worker_add_session and worker_remove_session alone.
 */
struct worker_session {
    struct worker_session *next;
    struct worker_session *previous;
    struct generation *generation; /* that it began under; valid until worker_remove_session */
    struct deadline deadline;      /* in a list of the generation's timeouts, or in none */
};

/* How a worker calls its sessions; each in the worker's thread. */
struct worker_session_calls {
    /* Accepts the connection that waits at the listener. False if memory is short: it still waits, for a later call. */
    bool (*accept)(struct worker *worker, struct service *service, uv_stream_t *listener);
    /* Its deadline has passed. The session may have ended when this returns. */
    void (*expire)(struct worker_session *session);
    /* The worker ends: the session is to end, in the protocol's words. It may have ended when this returns. */
    void (*shut_down)(struct worker_session *session);
    /* As in struct handshakes_events. */
    void (*go_on_with_handshake)(struct handshake *handshake, struct slice input);
    void (*evict)(struct handshake *handshake);
};

struct worker {
    char id[9]; /* random: the first part of its sessions' names */
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake;
    uv_timer_t tick; /* runs while there are sessions, or connections that wait to be accepted */
    unsigned index;
    enum worker_phase phase;
    _Atomic int wanted_phase;               /* set by the main thread, before wake */
    _Atomic(struct worker_update *) update; /* likewise */
    struct generation *generation;          /* that new sessions belong to; the older ones hang on it */
    struct tls_context *tls;                /* that new handshakes use */
    struct log_queue *log;
    void (*on_event)(void *arg, enum worker_event event);
    void *on_event_arg;
    struct listener **listeners;
    size_t listener_count;
    const struct worker_session_calls *calls;
    struct worker_session *sessions; /* a list */
    size_t session_count;
    struct worker_limits limits;
    uint64_t next_session;
    struct handshakes handshakes;
    struct handshakes_events handshakes_events;
    struct limit_log limit_log;
    struct address_counts *connections; /* by address; shared by all workers */
    struct key_client keys;             /* to the key process, where keys are there */
    _Atomic int wanted_channel;         /* a new socket to it, set by the main thread before wake; -1: none */
    struct tls_io *tls_io;
    struct engine_out *out;
    uint8_t *read_buffer;  /* WORKER_READ_CAP */
    uint8_t *plain_buffer; /* WORKER_PLAIN_CAP */
};

struct worker_settings {
    unsigned index;
    const struct worker_session_calls *calls; /* static */
    struct address_counts *connections;       /* for all workers the same; they live as long */
    struct address_counts *handshakes;        /* likewise */
    struct log_queue *log;
    int key_channel; /* socket to the key process, taken over; -1: keys are in this process */
    /* Called in the worker's thread. */
    void (*on_event)(void *arg, enum worker_event event);
    void *on_event_arg;
};

/* What a worker serves, at its start and from a reload on. */
struct worker_service {
    struct runtime runtime;          /* the worker takes references of its own */
    struct listener_socket *sockets; /* new ones are taken over: their fd becomes -1 */
    size_t socket_count;
    struct worker_limits limits;
};

/* 0, or a libuv error with nothing started. */
int worker_start(struct worker *worker, const struct worker_settings *settings,
                 const struct worker_service *service);

/*
 * An update is made by the main thread with all the memory that it takes, so that it can't fail half-way through the
 * workers: first one for each worker, then all are given out. NULL where memory is short. `runtime.snapshot` NULL: that goes on, with
 * its listeners and limits, and only the certificates, and TLS towards its pools, change.
 */
struct worker_update *worker_update_new(const struct worker *worker, const struct worker_service *service);
/* Takes it back before it was given. */
void worker_update_free(struct worker_update **update);
/* WORKER_UPDATED follows; there must be none under way. The worker frees it. */
void worker_give_update(struct worker *worker, struct worker_update *update);

/* From the main thread: another socket to the key process, taken over, as the one before has ended. */
void worker_set_key_channel(struct worker *worker, int channel);

/* From the main thread: moves on to a later phase. */
void worker_set_phase(struct worker *worker, enum worker_phase phase);

/* Waits for the thread's end and frees what the worker owns. */
void worker_join(struct worker *worker);

/* ---- for sessions, in the worker's thread ---- */

uint64_t worker_now(const struct worker *worker);
/* The session now belongs to the worker, and to its newest generation. */
void worker_add_session(struct worker *worker, struct worker_session *session);
/* The worker may end after its last session: nothing of the worker may be touched after this but by the event loop. */
void worker_remove_session(struct worker *worker, struct worker_session *session);

#endif
