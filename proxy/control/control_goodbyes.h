/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_CONTROL_GOODBYES_H
#define DEEPPROXY_PROXY_CONTROL_CONTROL_GOODBYES_H

#include "proxy/backends/server_state.h"

/*
 * Goodbyes to the sessions of a server, spread over a time (backends/server_goodbye.h). All functions are
 * the main thread's, return at once, and allocate nothing: the workers go through their sessions by
 * themselves. A round of a server with sessions is logged as event=server-goodbyes when it begins, and if
 * it is cancelled.
 */
struct control;

/*
 * From now on the server's sessions get their goodbyes, the last one `over_ms` from now (0: all at once).
 * What is under way in a session is let finish for as long. Takes the place of a round that is under way.
 * Call it after the state or the operator's wish has changed that is the cause: as long as that stays the
 * sessions do not come back, and when it has gone control_goodbyes_review cancels what is left of the
 * round.
 */
void control_goodbyes_begin(struct control *control, struct server_state *server, uint64_t over_ms,
                            enum server_goodbye_cause cause);

/* Sessions that have not had their goodbye stay. Does nothing if there is no round. */
void control_goodbyes_cancel(struct control *control, struct server_state *server);

/*
 * Begins a round if the server's state or the operator's wish asks for one and none of that cause is
 * under way (over `spread_ms`; a drain over what is left of its time), and cancels the one under way if
 * nothing asks for it any more. Call it some times a second for each server of a pool.
 */
void control_goodbyes_review(struct control *control, struct server_state *server, uint64_t spread_ms,
                             uint64_t now_ms);

#endif
