/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/checks/check_schedule.h"

#include "base/ensure.h"

void check_schedule_init(struct check_schedule *schedule, size_t limit, uint64_t seed)
{
    ENSURE(limit > 0);
    *schedule = (struct check_schedule){.limit = limit, .random = seed};
}

/* SplitMix64: any seed will do, zero too. */
static uint64_t next_random(struct check_schedule *schedule)
{
    uint64_t z = schedule->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t with_jitter(struct check_schedule *schedule, uint64_t interval_ms)
{
    uint64_t width = interval_ms / 100 * 2 * CHECK_JITTER + interval_ms % 100 * 2 * CHECK_JITTER / 100;
    return interval_ms - width / 2 + next_random(schedule) % (width + 1);
}

/*
 * The fractions of multiples of the golden ratio: however many turns there are, their distances are much the
 * same.
 */
static uint64_t spread(uint64_t number, uint64_t interval_ms)
{
    uint64_t fraction = (number * 0x9e3779b97f4a7c15) >> 32;
    return (interval_ms >> 32) * fraction + ((interval_ms & UINT32_MAX) * fraction >> 32);
}

void check_schedule_add(struct check_schedule *schedule, struct check_turn *turn,
                        const struct check_intervals *intervals, uint64_t now_ms)
{
    *turn = (struct check_turn){.next = schedule->first, .intervals = *intervals};
    turn->due_ms = now_ms + spread(schedule->added++, intervals->interval_ms);
    if (schedule->first != NULL)
        schedule->first->previous = turn;
    schedule->first = turn;
}

static void give_place_back(struct check_schedule *schedule, struct check_turn *turn)
{
    if (!turn->under_way)
        return;
    turn->under_way = false;
    schedule->under_way--;
}

void check_schedule_remove(struct check_schedule *schedule, struct check_turn *turn)
{
    give_place_back(schedule, turn);
    if (turn->next != NULL)
        turn->next->previous = turn->previous;
    if (turn->previous != NULL)
        turn->previous->next = turn->next;
    else
        schedule->first = turn->next;
    turn->next = turn->previous = NULL;
}

/* Of those that wait, the one that is due first; NULL if there is none. */
static struct check_turn *first_due(const struct check_schedule *schedule)
{
    struct check_turn *found = NULL;
    for (struct check_turn *turn = schedule->first; turn != NULL; turn = turn->next)
        if (!turn->under_way && (found == NULL || turn->due_ms < found->due_ms))
            found = turn;
    return found;
}

struct check_turn *check_schedule_take(struct check_schedule *schedule, uint64_t now_ms)
{
    struct check_turn *turn = schedule->under_way < schedule->limit ? first_due(schedule) : NULL;
    if (turn == NULL || turn->due_ms > now_ms)
        return NULL;
    turn->under_way = true;
    schedule->under_way++;
    return turn;
}

static uint64_t interval_of(const struct check_turn *turn, enum check_pace pace)
{
    switch (pace) {
    case CHECK_PACE_FAST:
        return turn->intervals.fast_ms;
    case CHECK_PACE_SLOW:
        return turn->intervals.slow_ms;
    case CHECK_PACE_NORMAL:
        break;
    }
    return turn->intervals.interval_ms;
}

void check_schedule_done(struct check_schedule *schedule, struct check_turn *turn, enum check_pace pace,
                         uint64_t now_ms)
{
    ENSURE(turn->under_way);
    give_place_back(schedule, turn);
    turn->due_ms = now_ms + with_jitter(schedule, interval_of(turn, pace));
}

void check_schedule_change(struct check_turn *turn, const struct check_intervals *intervals, uint64_t now_ms)
{
    turn->intervals = *intervals;
    if (turn->due_ms > now_ms + intervals->interval_ms)
        turn->due_ms = now_ms + intervals->interval_ms;
}

void check_schedule_hurry(struct check_schedule *schedule, struct check_turn *turn, uint64_t now_ms)
{
    uint64_t soon = now_ms + with_jitter(schedule, turn->intervals.fast_ms);
    if (soon < turn->due_ms)
        turn->due_ms = soon;
}

uint64_t check_schedule_wait_ms(const struct check_schedule *schedule, uint64_t now_ms)
{
    const struct check_turn *turn = schedule->under_way < schedule->limit ? first_due(schedule) : NULL;
    if (turn == NULL)
        return CHECK_NEVER;
    return turn->due_ms > now_ms ? turn->due_ms - now_ms : 0;
}
