/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_SERVER_STATE_H
#define DEEPPROXY_PROXY_BACKENDS_SERVER_STATE_H

#include "base/must_check.h"
#include "base/refcount.h"
#include "protocols/check_result.h"
#include "protocols/server_facts.h"
#include "proxy/backends/server_goodbye.h"
#include "proxy/backends/server_words.h"
#include "proxy/common/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * What is known of one server, apart from the configuration: its two axes of state, how many sessions it has,
 * and what they saw of it. It is counted by reference: lists of members (membership.h) and sessions
 * (reservation.h) have one each, and so has the registry (server_registry.h), by which it lives through
 * reloads. Its names and address never change.
 *
 * The control thread alone changes a state, by server_state_event and server_state_set_admin, each time with
 * a cause. Workers report by atomics what they saw (server_state_failed, server_state_served), and the
 * control thread reads that soon after (ejection.h). Until it does, a server that has failed is suspected by
 * all workers at once: it gets one session at a time (a trial). Nothing here has a clock, a lock or a log:
 * `now_ms` is any monotonic clock that all callers share (uv_hrtime, in milliseconds).
 */

enum {
    SERVER_LINE = 64, /* octets of a cache line */
    /* server_state.effective_weight of a server of weight 1 that is not warming. */
    SERVER_WEIGHT_ONE = 256,
    SERVER_WEIGHT_MAX = 1000,
    /* Even if all are suspected, one is tried no sooner than so long after its last failure. */
    SERVER_RETRY_FLOOR_MS = 100,
    /* How long a server that has just failed is avoided until the control thread has set its back-off. */
    SERVER_FIRST_AVOID_MS = 1000,
    /* Octets of the words about a check, with their NUL. */
    SERVER_CHECK_DETAIL_MAX = 160
};

/* What a server is. The texts and the address are the owner's. */
struct server_identity {
    const char *pool;
    const char *name;     /* NAME, or NAME@ADDRESS if the file has a host's name */
    const char *tls_name; /* the name that its certificate must have; NULL: there is no TLS */
    struct sockaddr_storage address;
    socklen_t address_len;
};

/* What the configuration says of it, in what concerns its states. */
struct server_rules {
    unsigned weight;          /* 0: no new sessions; at most SERVER_WEIGHT_MAX */
    unsigned max_connections; /* 0: no limit */
    unsigned rise; /* checks that pass in a row until a server that was down takes sessions; at least 1 */
    unsigned fall; /* checks that fail in a row until it takes none; at least 1 */
    uint64_t slow_start_ms; /* 0: a server that rises takes its full share at once */
    bool is_checked;        /* are there active checks? */
};

/* The last check that was made, or that could not be made. */
struct server_last_check {
    enum check_result result;
    uint64_t at_ms; /* when its result was there; 0: there was no check yet */
    uint64_t duration_ms;
    char detail[SERVER_CHECK_DETAIL_MAX]; /* printable ASCII; empty: there is nothing to add */
};

struct control_check;

struct server_state {
    /* Written when it is made. */
    struct server_identity identity; /* owned */
    uint64_t id;                     /* the registry's: no two servers ever have the same; 0: it is in none */
    size_t
        slot; /* the registry's: a small number, of no other server of the pool as long as this one lives */
    uint64_t name_hash;        /* of its name alone, so that proxies agree (policy_source_hash.c) */
    struct server_state *next; /* the registry's */

    /* The control thread writes, workers read. Read them by the functions below. */
    _Alignas(SERVER_LINE) _Atomic uint8_t health; /* enum server_health */
    _Atomic uint8_t admin;                        /* enum server_admin */
    _Atomic uint8_t access;                       /* enum server_access, from the two axes */
    _Atomic uint32_t weight;                      /* the file's, or the operator's */
    _Atomic uint32_t effective_weight; /* weight x SERVER_WEIGHT_ONE, less while it is warming; 0: none */
    _Atomic uint32_t max_connections;  /* 0: no limit */
    _Atomic uint64_t since_ms;         /* when the axis of state changed last */

    /* Workers write with each session. */
    _Alignas(SERVER_LINE) _Atomic uint32_t sessions; /* places taken: connecting, and in the dialogue */
    _Atomic uint32_t connecting;                     /* of these: not greeted yet */
    struct refcount references;
    _Atomic uint64_t connects; /* sessions that were sent to it, ever */

    /* Workers write if something fails, and if a suspected server is tried. */
    _Alignas(SERVER_LINE) _Atomic uint32_t strikes; /* failures since it served last; 0: it is trusted */
    _Atomic bool trial;                             /* a session tries it though it is suspected */
    _Atomic uint8_t last_failure;                   /* enum server_cause */
    _Atomic uint32_t failed_trials;                 /* ever */
    _Atomic uint64_t retry_at_ms;                   /* when a suspected server is due for a trial */
    _Atomic uint64_t failed_at_ms;                  /* its last failure */
    /* When the log last had a warning of it, and of what this machine lacked for it; 0: never. */
    _Atomic uint64_t warned_ms;
    _Atomic uint64_t warned_of_us_ms;
    _Atomic uint64_t failures[SERVER_FAILURES]; /* ever, by kind */

    struct histogram greetings; /* workers write: from connecting to greeting */

    /* The control thread writes, those who write metrics read. All ever. */
    _Alignas(SERVER_LINE) _Atomic uint64_t changes[SERVER_AXES];
    _Atomic uint64_t checks[CHECK_RESULTS];
    _Atomic uint64_t check_ms_total; /* that they took */

    /* Sessions that are to leave it. */
    _Alignas(SERVER_LINE) struct server_goodbye goodbye;

    /* The control thread's own. */
    _Alignas(SERVER_LINE) struct server_rules rules;
    unsigned streak;                      /* checks in a row that did not say what its state says */
    enum server_cause cause[SERVER_AXES]; /* of the last change of each axis */
    uint64_t warming_since_ms;
    bool is_configured;   /* rules have been set */
    bool awaits_check;    /* UNCHECKED, and not to be used before a check has passed, if others are there */
    unsigned ejections;   /* in a row, for the back-off */
    uint32_t seen_trials; /* of failed_trials */
    uint64_t suspected_at_ms; /* when it was last seen to be suspected */
    struct server_last_check last_check;
    struct server_facts *facts;  /* of the last check that passed and learned something; NULL: none has */
    struct control_check *check; /* how it is checked (control_checks.c); NULL: it is not */
};

/* One change of one axis, for the log and the counters. */
struct server_change {
    const struct server_state *server;
    enum server_axis axis;
    unsigned from; /* enum server_health or enum server_admin */
    unsigned to;
    enum server_cause cause;
};

/* Is told of each change, once, in the control thread. It must not change the server. */
struct server_observer {
    void (*changed)(void *arg, const struct server_change *change);
    void *arg;
};

/* What changes the axis of state. */
enum server_event {
    SERVER_EVENT_CHECK_PASSED,
    SERVER_EVENT_CHECK_FAILED,
    SERVER_EVENT_EJECT,  /* sessions have failed, and the pool's cap allows it (ejection.h calls it) */
    SERVER_EVENT_SERVED, /* a session was served that tried it (ejection.h calls it) */
    SERVER_EVENT_WARMED, /* server_state_tick calls it */
    SERVER_EVENT_NAME_GONE,
    SERVER_EVENT_NAME_FOUND,
    SERVER_EVENT_CHECKS_OFF, /* server_state_configure calls it */
    SERVER_EVENTS
};

/* May a new session go there? */
enum server_access {
    SERVER_ACCESS_SHUT,   /* no */
    SERVER_ACCESS_OPEN,   /* yes, if sessions did not fail at it (server_state_use) */
    SERVER_ACCESS_RESERVE /* if no other is left: it awaits its first check */
};

/* ---- life ---- */

/*
 * Copies the identity. UNCHECKED and READY, of weight 1. NULL if memory is short. One reference is the
 * caller's.
 */
MUST_CHECK struct server_state *server_state_new(const struct server_identity *identity);

/* The hash by which names are compared: the same in every proxy. */
uint64_t server_name_hash(const char *name);

/* Adds a reference, and returns its argument. */
struct server_state *server_state_ref(struct server_state *server);

/* Drops a reference, and nulls the pointer, which may be NULL already. Any thread. */
void server_state_unref(struct server_state **server);

/* ---- the control thread changes states ---- */

/*
 * The one table of transitions. `reached`: has the row of equal checks become as long as "rise" or "fall"
 * demands? The state that follows; `from` itself if nothing changes.
 */
enum server_health server_state_next(enum server_health from, enum server_event event, bool reached);

/*
 * Something has happened. For a check that failed `cause` is below SERVER_FAILURES, for one that passed
 * SERVER_CAUSE_CHECK_PASSED. A check that passed also ends suspicion. Returns the state that follows, and
 * tells `observer` (NULL: nobody) if it is another one than before. Results of checks are ignored in
 * SERVER_MAINTENANCE, and while the server is SERVER_UNRESOLVED.
 */
enum server_health server_state_event(struct server_state *server, enum server_event event,
                                      enum server_cause cause, uint64_t now_ms,
                                      const struct server_observer *observer);

/* The operator's wish. False if it was the same already: then there is no change, and none is told. */
bool server_state_set_admin(struct server_state *server, enum server_admin admin, enum server_cause cause,
                            uint64_t now_ms, const struct server_observer *observer);

/* The operator's weight: holds until the file's weight changes. At most SERVER_WEIGHT_MAX. */
void server_state_set_weight(struct server_state *server, unsigned weight, uint64_t now_ms);

/*
 * Applies the configuration's rules, when a list of members with this server takes effect. A weight that
 * differs from that of the rules before replaces the operator's. If there are no checks any more, a server
 * that was down becomes UNCHECKED, suspected, and due for a trial.
 */
void server_state_configure(struct server_state *server, const struct server_rules *rules, uint64_t now_ms,
                            const struct server_observer *observer);

/*
 * It must pass a check before it counts, as a name's new address must; if no other is left it is used all the
 * same.
 */
void server_state_await_check(struct server_state *server);

/*
 * A server that is new takes the place of `before`, of the same pool and name but another address: it
 * inherits what the operator set, and the change of the axis of state is told.
 */
void server_state_inherit(struct server_state *server, const struct server_state *before, uint64_t now_ms,
                          const struct server_observer *observer);

/* Time passes: a warming server's share grows, and its slow start ends. Call it some times a second. */
void server_state_tick(struct server_state *server, uint64_t now_ms, const struct server_observer *observer);

/* ---- any thread reads ---- */

static inline enum server_health server_state_health(const struct server_state *server)
{
    return (enum server_health)atomic_load_explicit(&server->health, memory_order_relaxed);
}

static inline enum server_admin server_state_admin(const struct server_state *server)
{
    return (enum server_admin)atomic_load_explicit(&server->admin, memory_order_relaxed);
}

/* The weight that the file or the operator has given. */
static inline unsigned server_state_weight(const struct server_state *server)
{
    return atomic_load_explicit(&server->weight, memory_order_relaxed);
}

/* The share of new sessions, in 1/SERVER_WEIGHT_ONE of a weight. */
static inline uint32_t server_state_effective_weight(const struct server_state *server)
{
    return atomic_load_explicit(&server->effective_weight, memory_order_relaxed);
}

/* Does it take sessions, and not just one that tries it? */
static inline bool server_state_is_available(const struct server_state *server)
{
    return atomic_load_explicit(&server->access, memory_order_relaxed) == SERVER_ACCESS_OPEN &&
           server_state_health(server) != SERVER_EJECTED;
}

static inline uint32_t server_state_sessions(const struct server_state *server)
{
    return atomic_load_explicit(&server->sessions, memory_order_relaxed);
}

/* How a new session may use a server. */
enum server_use {
    SERVER_USE_NORMAL,
    SERVER_USE_TRIAL, /* suspected, and due: one session at a time may try it */
    /* Suspected and not due, or not checked yet: one at a time, if no other is left. */
    SERVER_USE_LAST_RESORT,
    SERVER_USE_SOON, /* the last resort of the next moment: it has failed just now */
    SERVER_USE_NONE
};
enum server_use server_state_use(const struct server_state *server, uint64_t now_ms);

/* ---- workers report ---- */

/*
 * A session has failed at the server, and the server is to blame: never for what this machine lacked.
 * `was_trial` is as reservation.h has it. It is suspected from now on.
 */
void server_state_failed(struct server_state *server, enum server_cause kind, bool was_trial,
                         uint64_t now_ms);

/* It has greeted a session: nobody suspects it any more. */
void server_state_served(struct server_state *server);

#endif
