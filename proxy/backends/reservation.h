/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_RESERVATION_H
#define DEEPPROXY_PROXY_BACKENDS_RESERVATION_H

#include "proxy/backends/server_state.h"

/*
 * A session's place at a server: it counts in the server's sessions, and may be the one session that tries a
 * suspected server. All zero is none. A session has one at most, and gives it back on every path by
 * reservation_end, which is also right for one that is none. Its reference of the server's state stays until
 * reservation_forget, as the log has the server after the session has left it. All functions are called in
 * the worker that has it, and neither lock nor allocate.
 */
struct reservation {
    struct server_state *server; /* the last one; NULL: there was none */
    bool is_taken;               /* there is a place */
    bool is_trial;               /* the server is suspected, and no other session tries it meanwhile */
    bool began_as_trial;         /* it was one when it was taken */
    bool is_connecting;          /* it has not greeted */
};

/*
 * Takes a place, if the server's max_connections leaves one; and the trial, if `use` is not
 * SERVER_USE_NORMAL. False, with nothing taken, if one of them can't be had. `use` is not SERVER_USE_NONE.
 */
MUST_CHECK bool reservation_take(struct reservation *reservation, struct server_state *server,
                                 enum server_use use);

/* Its server has greeted. Ends a trial. */
void reservation_served(struct reservation *reservation);

/* Its server has failed, and is to blame. Ends a trial. The place stays taken until reservation_end. */
void reservation_failed(struct reservation *reservation, enum server_cause kind, uint64_t now_ms);

/*
 * `from` has failed: its place goes to `into`, which is none, and is a trial again. `from` still knows its
 * server, and has no place there. False, with nothing changed, if another session tries the server already.
 */
MUST_CHECK bool reservation_pass_on(struct reservation *into, struct reservation *from);

/*
 * Gives it back. A trial that neither served nor failed says nothing of the server.
 * The caller then tells the pool's queue of the place (wait_queue_place_free).
 */
void reservation_end(struct reservation *reservation);

/* Gives it back, and drops the reference: it is all zero then. */
void reservation_forget(struct reservation *reservation);

#endif
