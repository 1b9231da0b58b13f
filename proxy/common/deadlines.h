/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_DEADLINES_H
#define DEEPPROXY_PROXY_COMMON_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Timeouts for very many sessions at the cost of one timer. A list for each class of timeout is in the order
 * of expiry by itself, as all its members wait equally long. Setting, moving and dropping a deadline changes
 * a few pointers. Nothing here reads a clock or allocates: times are milliseconds of the caller's clock, and
 * deadlines are part of the caller's objects.
 */
struct deadline {
    struct deadline *next;
    struct deadline *previous;
    uint64_t expires; /* 0: it is in no list */
};

struct deadline_list {
    struct deadline head; /* of a ring; must not move */
    uint64_t span;        /* how long members wait */
};

/* An empty list whose members wait for `span`. */
void deadline_list_init(struct deadline_list *list, uint64_t span);

/*
 * Sets a deadline to `now` + span; takes it out of the list that it was in. All zero is a deadline in no
 * list.
 */
void deadline_set(struct deadline_list *list, struct deadline *deadline, uint64_t now);

/* Takes a deadline out of its list; does nothing if it is in none. */
void deadline_drop(struct deadline *deadline);

/* Takes out one deadline that has expired by `now`. NULL if there is none. */
struct deadline *deadline_list_take_expired(struct deadline_list *list, uint64_t now);

/* Whether the list has no deadline. */
bool deadline_list_is_empty(const struct deadline_list *list);

#endif
