/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_WORKER_H
#define DEEPPROXY_PROXY_WORKER_WORKER_H

#include "base/must_check.h"
#include "base/state_machine.h"
#include "proxy/common/accept.h"
#include "proxy/common/address_rates.h"
#include "proxy/common/shared_limit.h"
#include "protocols/engine_out.h"
#include "proxy/worker/accepting.h"
#include "proxy/worker/batch.h"
#include "proxy/worker/generation.h"
#include "proxy/keyclient/key_client.h"
#include "proxy/runtime/runtime.h"
#include "proxy/worker/listeners.h"
#include "proxy/worker/handshakes.h"
#include "proxy/worker/heartbeat.h"
#include "proxy/worker/survey.h"
#include "proxy/common/log.h"
#include "proxy/worker/limit_log.h"
#include "tls/endpoint/tls_endpoint.h"

#include <uv.h>

/*
 * A worker is a thread with its own event loop, listening sockets, sessions and buffers. It shares nothing on
 * the data path with other workers, and never blocks. The main thread starts it, gives it updates, moves it
 * on to later phases, and joins it; the worker owns all that it was given in between. It calls its sessions
 * by a table, and knows nothing else of them. What takes long to free (a configuration, thousands of
 * certificates) it leaves to a list (base/disposal.h).
 */

enum {
    /*
     * One read from a socket: eight TLS records of 16 KB; twice that gains nothing, half costs system calls.
     */
    WORKER_READ_CAP = 128 * 1024,
    WORKER_PLAIN_CAP = WORKER_READ_CAP + TLS_PLAIN_SLACK
};

enum worker_phase {
    WORKER_RUNNING,
    /*
     * Its listeners leave (accepting.h). The sessions that it has, and those of clients that were waiting,
     * continue.
     */
    WORKER_DRAINING,
    WORKER_ENDING /* its sessions are shut down; the thread ends with the last one */
};

enum worker_event {
    WORKER_UPDATED,  /* an update is in effect, or was dropped because the worker no longer accepts */
    WORKER_SURVEYED, /* a survey is done, or was given up because the worker has ended */
    WORKER_ENDED     /* the last thing that the thread does */
};

/* Of all workers together. 0 is no limit. */
struct worker_limits {
    enum client_limit sessions_by; /* what limits worker_shared.sessions, for the log */
    uint32_t sessions_per_address;
    uint32_t handshakes_per_address;
    uint32_t connections_per_second; /* of an address */
};
struct worker_update;
struct worker;

/*
 * What a worker knows of a session of its own: embedded in the session, whose room includes this one. Only
 * worker_add_session and worker_remove_session change the worker's list, its count and the generation's.
 */
struct worker_session {
    struct worker_session *next;
    struct worker_session *previous;
    struct generation *generation; /* that it began under; valid until worker_remove_session */
    struct deadline deadline;      /* in a list of the generation's timeouts, or in none */
    bool has_place;                /* worker_admit_session */
};

/* How a worker calls its sessions; each in the worker's thread. */
struct worker_session_calls {
    /*
     * Accepts a connection that waits at the listener. ACCEPT_SHORT, with errno, if it could not: then it
     * still waits, for a later call. The session may have ended when this returns.
     */
    enum accept_outcome (*accept)(struct worker *worker, const struct incoming *incoming);
    /* The session's deadline has passed. The session may have ended when this returns. */
    void (*expire)(struct worker_session *session);
    /* The worker ends: the session sends a goodbye, and has ended, or is ending, when this returns. */
    void (*shut_down)(struct worker_session *session);
    /*
     * Adds the session to the survey if it is one of those that are asked for; ends it with a goodbye if the
     * survey says so. It may have ended when this returns.
     */
    void (*survey)(struct worker_session *session, struct survey *survey);
    /*
     * Servers have begun rounds of goodbyes (server_goodbye.h): a session of such a server takes part. It may
     * have ended when this returns.
     */
    void (*part)(struct worker_session *session);
    /* As in struct handshakes_events. */
    void (*continue_handshake)(struct handshake *handshake, struct slice input);
    void (*evict)(struct handshake *handshake, enum client_limit limit);
    void (*begin)(struct handshake *handshake);
    /*
     * The turn of a session has come that waits for a place at a pool. False if it still waits: there is no
     * place. The session may have ended when this returns.
     */
    bool (*take_turn)(struct waiter *waiter);
    /* The worker has no session any more, and begins none: ends what it watches. */
    void (*end_watches)(struct worker *worker);
};

/* What all workers have in common; it outlives them. The main thread sets its limits. */
struct worker_shared {
    struct address_counts *connections; /* by address */
    struct address_rates *rates;        /* of connections, by the same keys */
    struct handshakes_shared handshakes;
    struct shared_limit *sessions;
};

struct worker {
    char id[9]; /* random: the first part of its sessions' names */
    uv_loop_t loop;
    uv_thread_t thread;
    uv_sem_t begun;    /* given by the thread when `confine_error` is known */
    int confine_error; /* a libuv error: the thread is not confined, and has ended */
    uv_async_t wake;
    uv_timer_t tick;  /* runs while there are sessions, or connections that wait to be accepted */
    uv_timer_t quick; /* runs while there are deadlines of quick classes */
    uv_timer_t pulse; /* beats */
    struct heartbeat heartbeat;
    unsigned index;
    enum worker_phase phase;
    uint64_t ending_since;                  /* worker_now when WORKER_ENDING began */
    _Atomic int wanted_phase;               /* set by the main thread, before wake */
    _Atomic(struct worker_update *) update; /* likewise */
    struct generation *generation;          /* the newest, of new sessions; it links to the older ones */
    struct tls_context *tls;                /* for new handshakes */
    struct log_queue *log;
    struct disposal_list *disposals;
    void (*on_event)(void *arg, enum worker_event event);
    void *on_event_arg;
    struct accepting accepting;
    const struct worker_session_calls *calls;
    struct worker_session *sessions;        /* a list */
    struct batch expiries;                  /* of deadlines */
    struct batch goodbyes;                  /* at the end */
    struct worker_session *to_end;          /* the next that gets the goodbye */
    _Atomic(struct survey *) wanted_survey; /* set by the main thread, before wake */
    struct survey *survey;                  /* under way; NULL: none */
    struct batch surveys;
    struct worker_session *to_survey; /* the next of it */
    struct session_watch *watches;    /* the sessions' own, though none of them is one */
    _Atomic bool wanted_partings;     /* set by the main thread, before wake */
    struct batch partings;
    bool parts_again; /* another round has begun while the sessions are being gone through */
    struct worker_session *to_part;
    uint32_t parting_start; /* random: see server_goodbye_delay_ms */
    uint32_t parting_count; /* sessions that have taken part in a round */
    size_t session_count;
    size_t slowed_count; /* of these, those that wait for their turn; the sessions count */
    struct worker_limits limits;
    uint64_t next_session;
    struct handshakes handshakes;
    struct handshakes_events handshakes_events;
    struct limit_log limit_log;
    struct worker_shared shared;
    struct key_client keys;     /* to the key process, if that has the keys */
    _Atomic int wanted_channel; /* a new socket to it, set by the main thread before wake; -1: none */
    struct state_trace trace;   /* at level debug: of the session that is being served; the sessions set it */
    struct tls_io *tls_io;
    struct engine_out *out;
    uint8_t *read_buffer;  /* WORKER_READ_CAP */
    uint8_t *plain_buffer; /* WORKER_PLAIN_CAP */
};

struct worker_settings {
    unsigned index;
    const struct worker_session_calls *calls; /* static */
    struct worker_shared shared;
    struct log_queue *log;
    struct disposal_list *disposals; /* what takes long to free; it outlives the worker */
    int key_channel; /* socket to the key process, which the worker then owns; -1: keys are in this process */
    /* Called in the worker's thread. */
    void (*on_event)(void *arg, enum worker_event event);
    void *on_event_arg;
};

/* What a worker serves, from its start or from a reload on. */
struct worker_config {
    struct runtime runtime;          /* the worker takes references of its own */
    struct listener_socket *sockets; /* the worker takes new ones over: their fd becomes -1 */
    size_t socket_count;
    struct worker_limits limits;
};

/*
 * Starts the thread. Returns 0, or a libuv error: nothing was started then, and sockets may have been closed.
 */
MUST_CHECK int worker_start(struct worker *worker, const struct worker_settings *settings,
                            const struct worker_config *config);

/*
 * Makes an update in the main thread, with all the memory that it takes, so that it can't fail half-way
 * through the workers: first one for each worker, then all are given. NULL if memory is short. If
 * config->runtime.snapshot is NULL, only the other parts of the runtime take effect; the rest stays as it is.
 */
MUST_CHECK struct worker_update *worker_update_new(const struct worker_config *config);
/* Frees one that was not given, closes its sockets, and nulls the pointer, which may be NULL already. */
void worker_update_free(struct worker_update **update);
/* From the main thread. WORKER_UPDATED follows; no other update may be on its way. The worker frees it. */
void worker_give_update(struct worker *worker, struct worker_update *update);

/*
 * From the main thread: another socket to the key process, after the one before has ended. The worker owns
 * it. WORKER_NO_KEYS in its place: nobody signs any more.
 */
enum { WORKER_NO_KEYS = -2 };
void worker_set_key_channel(struct worker *worker, int channel);

/*
 * From the main thread: has the worker make a survey, which it owns until WORKER_SURVEYED; no other survey
 * may be on its way. Sessions that begin meanwhile may be missing. False if the worker has ended: nothing
 * follows.
 */
MUST_CHECK bool worker_give_survey(struct worker *worker, struct survey *survey);

/*
 * From the main thread: servers have begun rounds of goodbyes, in which their sessions take part from now on.
 * The worker goes through its sessions in pieces, once for all servers.
 */
void worker_begin_partings(struct worker *worker);

/* From the main thread: moves on to a later phase; does nothing for an earlier one. */
void worker_set_phase(struct worker *worker, enum worker_phase phase);

/* Waits for the thread's end, and frees what the worker owns. */
void worker_join(struct worker *worker);

/* ---- for sessions, in the worker's thread ---- */

/* The loop's clock, in milliseconds. */
uint64_t worker_now(const struct worker *worker);

/* A deadline of a quick class was set. */
void worker_begin_quick(struct worker *worker);

/* When the next session gets its goodbye that is to be one of many over such a time. */
uint64_t worker_parting_delay_ms(struct worker *worker, uint64_t over_ms);

/* From any thread: wakes the worker to call the sessions whose turn has come. */
void worker_wake(struct worker *worker);

/* The session now belongs to the worker, and to the generation. */
void worker_add_session(struct worker *worker, struct worker_session *session, struct generation *generation);

/*
 * Gives the session one of the places that all workers share. False if none is free: worker_limits says what
 * limits them. The place is free again with worker_remove_session.
 */
MUST_CHECK bool worker_admit_session(struct worker *worker, struct worker_session *session);

/*
 * How many clients of this worker may wait for others of their address, and as many for their turn: no more
 * than half of the worker's part of all places, so that there are always places for others.
 */
size_t worker_waiting_max(const struct worker *worker);

/* The worker may end after its last session: only the event loop may touch the worker after this. */
void worker_remove_session(struct worker *worker, struct worker_session *session);

/* ---- for accepting.c ---- */

/* A listener has been closed: the worker may have nothing left to do. */
void worker_end_if_empty(struct worker *worker);

#endif
