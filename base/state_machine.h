/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_STATE_MACHINE_H
#define DEEPPROXY_BASE_STATE_MACHINE_H

#include "base/ensure.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A state machine as a value: the names of its states, and the moves that are allowed. The object has the
 * state itself, an enum of its own that counts from 0 and has at most 32 values, and changes it by one
 * function that calls state_machine_move. A move that the table does not have is a mistake of ours, and ends
 * the program (ensure.h). All of it is static and shared by all threads.
 *
 *     static const char *const names[] = { [DOOR_OPEN] = "open", [DOOR_SHUT] = "shut" };
 *     static const unsigned moves[] = { [DOOR_OPEN] = STATE(DOOR_SHUT), [DOOR_SHUT] = STATE(DOOR_OPEN) };
 *     static const struct state_machine door_machine = { "door", names, moves, ARRAY_LEN(names), NULL };
 *     STATE_MACHINE_ASSERT(names, moves, DOOR_SHUT);
 *
 *     door->state = (enum door_state)state_machine_move(&door_machine, door->trace, door, door->state, to);
 */
struct state_machine {
    const char *name;
    const char *const *names; /* of the states */
    const unsigned *moves;    /* by state: the STATE() of each that it may move to */
    size_t count;
    /*
     * Does the object keep what `state` demands, now that it is about to move there? NULL: nothing is
     * demanded.
     */
    bool (*invariant)(const void *object, unsigned state);
};

/* Receives the moves of one object, as the log does at level "debug". It must not change the object. */
struct state_trace {
    void (*moved)(void *arg, const struct state_machine *machine, unsigned from, unsigned to);
    void *arg;
};

/* A state as a member of a set of states. */
#define STATE(state) (1u << (state))

/* Both tables have a row for each state up to the last one. */
#define STATE_MACHINE_ASSERT(names, moves, last)                                                             \
    _Static_assert(sizeof(names) / sizeof(names)[0] == (last) + 1 &&                                         \
                       sizeof(moves) / sizeof(moves)[0] == (last) + 1,                                       \
                   "a name and a row of moves for each state")

/* Whether the move is in the table. */
static inline bool state_machine_allows(const struct state_machine *machine, unsigned from, unsigned to)
{
    return from < machine->count && to < machine->count && (machine->moves[from] & STATE(to)) != 0;
}

/*
 * Checks the move and the invariant, tells `trace` (NULL: nobody), and returns `to`, for the caller to store.
 */
static inline unsigned state_machine_move(const struct state_machine *machine,
                                          const struct state_trace *trace, const void *object, unsigned from,
                                          unsigned to)
{
    ENSURE(state_machine_allows(machine, from, to));
    ENSURE(machine->invariant == NULL || machine->invariant(object, to));
    if (trace != NULL)
        trace->moved(trace->arg, machine, from, to);
    return to;
}

#endif
