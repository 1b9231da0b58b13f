/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_SERVER_GOODBYE_H
#define DEEPPROXY_PROXY_BACKENDS_SERVER_GOODBYE_H

#include "proxy/backends/server_words.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * That the sessions of one server end with the protocol's goodbye, spread over a time, so that their
 * clients do not all connect again at one moment. The control thread begins a round of goodbyes, or
 * cancels it; workers read it and end their sessions. It is a part of server_state, costs a session
 * nothing, and has no lock and no clock: `now_ms` is as in server_state.h.
 */
enum server_goodbye_cause {
    SERVER_GOODBYE_NONE,
    SERVER_GOODBYE_LOST,        /* its checks find it down */
    SERVER_GOODBYE_MAINTENANCE, /* the operator takes it out */
    SERVER_GOODBYE_DRAINED,     /* the operator drains it within a time */
    SERVER_GOODBYE_CAUSES
};

enum {
    /*
     * The longest time of a round: some days less than sessions can reckon with (32 bits of
     * milliseconds).
     */
    SERVER_GOODBYE_MAX_MS = 7 * 24 * 3600 * 1000,
    /* So many sessions that lose their connections to a server within such a time are no crowd. */
    SERVER_LOSSES_AT_ONCE = 3,
    SERVER_LOSSES_MS = 1000
};

struct server_goodbye {
    /* The control thread writes, workers read. */
    _Atomic uint8_t round;     /* the number of the one under way; 0: none is */
    _Atomic uint8_t cause;     /* enum server_goodbye_cause */
    _Atomic uint64_t until_ms; /* when the last session of it ends */
    /* Workers write when they lose connections. */
    _Atomic uint64_t losses_since_ms;
    _Atomic uint32_t losses; /* since then */
    /* The control thread's own. */
    uint8_t last_round;
    uint64_t drained_until_ms; /* 0: the operator has given no time for a drain */
};

/* "lost", "maintenance", "drained"; "none". Static. */
const char *server_goodbye_word(enum server_goodbye_cause cause);

/* ---- the control thread ---- */

/*
 * Begins a round in place of the one under way, if there is one. At most SERVER_GOODBYE_MAX_MS; 0: at
 * once.
 */
void server_goodbye_begin(struct server_goodbye *goodbye, enum server_goodbye_cause cause, uint64_t over_ms,
                          uint64_t now_ms);

/* Sessions that have not had their goodbye stay. */
void server_goodbye_cancel(struct server_goodbye *goodbye);

/*
 * The round that the two axes of a server ask for. `has_time`: the operator has given a time for a drain.
 * What serves nobody any more comes first.
 */
enum server_goodbye_cause server_goodbye_wanted(enum server_admin admin, enum server_health health,
                                                bool has_time);

/* ---- workers ---- */

/* The number of the round under way; 0: none is. */
static inline uint8_t server_goodbye_round(const struct server_goodbye *goodbye)
{
    return atomic_load_explicit(&goodbye->round, memory_order_acquire);
}

/* The cause of the round under way, or of the last one. */
static inline enum server_goodbye_cause server_goodbye_cause(const struct server_goodbye *goodbye)
{
    return (enum server_goodbye_cause)atomic_load_explicit(&goodbye->cause, memory_order_relaxed);
}

/* How long the round still takes; 0: its time is over. */
static inline uint64_t server_goodbye_left_ms(const struct server_goodbye *goodbye, uint64_t now_ms)
{
    uint64_t until_ms = atomic_load_explicit(&goodbye->until_ms, memory_order_relaxed);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/*
 * A session has lost its connection to the server. True if many have at this moment, over all workers: then
 * its goodbye is to be spread.
 */
bool server_goodbye_is_crowd(struct server_goodbye *goodbye, uint64_t now_ms);

/*
 * When the `nth` session of a row gets its goodbye: below `over_ms`, and even over that time however many
 * follow. `start` is random: by it rows of several workers, and of several proxies, do not meet.
 */
uint64_t server_goodbye_delay_ms(uint64_t over_ms, uint32_t start, uint32_t nth);

#endif
