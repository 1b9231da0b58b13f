/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_ENGINE_OUT_H
#define DEEPPROXY_PROTOCOLS_ENGINE_OUT_H

#include "base/bytes.h"

/*
 * What an engine sends: two lanes of slices, one to the client and one to the backend, each in order. A slice
 * lies in the caller's input (passed: no copy), in the scratch memory of this value (made), or in a buffer of
 * the engine's that this value has taken over (given: for lines that are larger than the scratch). A worker
 * owns one engine_out for all its sessions. It empties it (engine_out_reset) after the lanes have been
 * written or queued; every slice in it is void from then on.
 */
enum side { SIDE_CLIENT, SIDE_BACKEND };

/* The other side. */
enum side side_opposite(enum side side);

enum {
    /*
     * Slices a lane can hold: a chunk of pipelined commands rarely needs more, and feeding goes on after a
     * flush.
     */
    ENGINE_OUT_SLICES = 128,
    /* What one step of an engine (a line, a reply, a command) may add to a lane, in slices ... */
    ENGINE_STEP_SLICES = 16,
    /*
     * ... and to the scratch, in octets: an ID command of 30 pairs with values of 1,024 (RFC 2971 3.3),
     * escaped.
     */
    ENGINE_STEP_SCRATCH = 80 * 1024,
    ENGINE_OUT_SCRATCH = 2 * ENGINE_STEP_SCRATCH,
    /* Buffers that are handed over: one in a step at most. */
    ENGINE_OUT_GIVEN = 8
};

struct engine_lane {
    struct slice slices[ENGINE_OUT_SLICES];
    size_t count;
    size_t octets; /* sum of the slices' lengths */
};

struct engine_out {
    struct engine_lane lanes[2]; /* by the side that they go to */
    struct bytes given[ENGINE_OUT_GIVEN];
    size_t given_count;
    size_t scratch_used;
    uint8_t scratch[ENGINE_OUT_SCRATCH];
};

/* An empty one on the heap, as it is large. NULL if memory is short. */
struct engine_out *engine_out_new(void);

/* Wipes the scratch memory, frees it, and sets the pointer to NULL, which it may already be. */
void engine_out_free(struct engine_out **out);

/* Empties both lanes and the scratch memory. */
void engine_out_reset(struct engine_out *out);

/*
 * Is there room for one more step in both lanes and in the scratch? An engine asks before each step, and
 * stops consuming if there is none. Within a step the functions below ENSURE that there is room.
 */
bool engine_out_has_room(const struct engine_out *out);

/* Passes octets of the caller's input. Neighbours become one slice. */
void engine_out_pass(struct engine_out *out, enum side to, struct slice s);

/* Adds a copy of octets of the engine's own. */
void engine_out_make(struct engine_out *out, enum side to, struct slice s);

/* The same for a C string, without its NUL. */
void engine_out_make_text(struct engine_out *out, enum side to, const char *text);

/*
 * Adds `octets` of a buffer, and takes the buffer over: it is empty afterwards, and views of it are valid
 * until engine_out_reset. Once in a step.
 */
void engine_out_give(struct engine_out *out, enum side to, struct bytes *buffer, struct slice octets);

/* Are both lanes empty? */
bool engine_out_is_empty(const struct engine_out *out);

#endif
