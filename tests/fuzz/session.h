/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FUZZ_SESSION_H
#define DEEPPROXY_TESTS_FUZZ_SESSION_H

#include "base/bytes.h"
#include "listener.h"
#include "protocols/engine.h"
#include "services.h"

/*
 * An engine under a fuzzer: fed as the program feeds it, in blocks of exactly the right size, and watched.
 * Held against it in all sessions (check ends the program):
 *   - it comes to rest, and consumes what it says that it wants;
 *   - what it holds stays under a limit, and is given back when it is freed (where the heap is counted, and
 *     by the address sanitizer);
 *   - octets that pass come from what has been fed, go to the other side, in order, and no octet twice.
 */
struct session {
    const struct fuzz_service *as;
    size_t piece; /* octets are fed in pieces of this length */
    struct engine *engine;
    struct engine_out *out;
    struct listener *listener; /* where the pieces are single octets, else NULL */
    struct bytes kept[2];      /* not consumed yet, by the side that it came from */
    struct bytes got[2];       /* by the side that it goes to */
    size_t consumed[2];        /* octets of all that a side has sent */
    size_t passed[2];          /* up to here they have been let through, or not */
    size_t held;
    bool counted; /* whether the heap is */
};

enum { PIECE_WHOLE = 1 << 30, PIECE_OCTET = 1 };

void session_begin(struct session *s, const struct fuzz_service *as, size_t piece);
void session_end(struct session *s);

/*
 * Feeds what a side sends until it is consumed or the engine waits for the other one. The other side is not
 * heard before: which is first where both have something to say is the network's choice.
 */
void session_feed(struct session *s, enum side from, struct slice octets);

/* The proxy says goodbye; nothing is let out any more, whatever comes. */
void session_goodbye(struct session *s, enum engine_goodbye_reason why);

/* Feeds both sides in turn what they have left, until nothing moves. */
void session_settle(struct session *s);

#endif
