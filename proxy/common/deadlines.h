/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_DEADLINES_H
#define DEEPPROXY_PROXY_COMMON_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Timeouts for very many sessions at the price of one timer: a list for each class of timeout is in expiry
 * order by itself, since all its members wait equally long. Setting, moving and dropping a deadline is a few
 * pointers. Times are milliseconds of whatever clock the caller has; nothing here reads one.
 */
struct deadline {
    struct deadline *next;
    struct deadline *previous;
    uint64_t expires; /* 0: in no list */
};

struct deadline_list {
    struct deadline head; /* a ring */
    uint64_t span;        /* how long its members wait */
};

void deadline_list_init(struct deadline_list *list, uint64_t span);

/* Puts a deadline `span` from `now`, taking it from where it was before. */
void deadline_set(struct deadline_list *list, struct deadline *deadline, uint64_t now);
void deadline_drop(struct deadline *deadline);

/* Takes out one that has expired by `now`; NULL where there is none. */
struct deadline *deadline_list_take_expired(struct deadline_list *list, uint64_t now);

bool deadline_list_is_empty(const struct deadline_list *list);

#endif
