/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CHECKS_CHECK_SCHEDULE_H
#define DEEPPROXY_PROXY_CHECKS_CHECK_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whose turn it is to be checked. Pure: the clock is a parameter, any monotonic one in milliseconds, and the
 * chance comes from a seed. It never checks anything. A server has one turn, and so is never checked twice at
 * once; at most `limit` are checked at once, those first that have waited longest. The first turns of servers
 * are spread evenly over the interval, and each later one is up to a fifth sooner or later, so that neither a
 * start nor a pause makes a crowd.
 */

enum {
    /* Each interval is longer or shorter by up to so much, in percent. */
    CHECK_JITTER = 20
};

/* check_schedule_wait_ms: nothing is due until a check is done, or a server is added. */
#define CHECK_NEVER UINT64_MAX

/* Milliseconds from the end of a check to the next one of the same server. */
struct check_intervals {
    uint64_t interval_ms; /* of one that is up, or of which nothing is known */
    uint64_t fast_ms;     /* of one whose state is about to change */
    uint64_t slow_ms;     /* of one that is down */
};

enum check_pace { CHECK_PACE_NORMAL, CHECK_PACE_FAST, CHECK_PACE_SLOW };

/* A server's turn: a part of what the owner knows of it. It does not move while it is in a schedule. */
struct check_turn {
    struct check_turn *next;
    struct check_turn *previous;
    struct check_intervals intervals;
    uint64_t due_ms;
    bool under_way;
};

struct check_schedule {
    struct check_turn *first;
    size_t limit;
    size_t under_way;
    uint64_t added; /* turns, ever: by which the first ones are spread */
    uint64_t random;
};

/* An empty schedule. `limit` is at least 1; `seed` is any number. */
void check_schedule_init(struct check_schedule *schedule, size_t limit, uint64_t seed);

/* Adds a turn, which the caller owns; due within the interval. */
void check_schedule_add(struct check_schedule *schedule, struct check_turn *turn,
                        const struct check_intervals *intervals, uint64_t now_ms);

/* Removes a turn. If its check was under way, its place is free again. */
void check_schedule_remove(struct check_schedule *schedule, struct check_turn *turn);

/* The turn that is due, which is under way from now on; NULL if there is none, or as many are as may be. */
struct check_turn *check_schedule_take(struct check_schedule *schedule, uint64_t now_ms);

/* The check is done: the next one is due after the interval of `pace`. */
void check_schedule_done(struct check_schedule *schedule, struct check_turn *turn, enum check_pace pace,
                         uint64_t now_ms);

/*
 * Other intervals from now on: the next check is due within the new interval, and no later than it was. One
 * that is under way is not disturbed.
 */
void check_schedule_change(struct check_turn *turn, const struct check_intervals *intervals, uint64_t now_ms);

/* The server is suspected: the turn is due after the fast interval, if that is sooner. */
void check_schedule_hurry(struct check_schedule *schedule, struct check_turn *turn, uint64_t now_ms);

/* How long it is until check_schedule_take has something to give; 0: now; CHECK_NEVER. */
uint64_t check_schedule_wait_ms(const struct check_schedule *schedule, uint64_t now_ms);

#endif
