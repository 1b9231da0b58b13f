/* SPDX-License-Identifier: BSD-2-Clause */
#include "manual_clock.h"

#include <check.h>
#include <stdbool.h>

int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t timeout, uint64_t repeat);
int __real_uv_timer_stop(uv_timer_t *timer);
int __wrap_uv_timer_stop(uv_timer_t *timer);
uint64_t __real_uv_now(const uv_loop_t *loop);
uint64_t __wrap_uv_now(const uv_loop_t *loop);
void __real_uv_close(uv_handle_t *handle, uv_close_cb call);
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb call);

enum { TIMERS_MAX = 16 };

static _Thread_local bool is_manual;
/* Not 0, which the code under test may take for no time at all. */
static uint64_t now = 1000000;

static struct {
    uv_timer_t *timer; /* NULL: free */
    uv_timer_cb call;
    uint64_t due;
    uint64_t repeat;
} timers[TIMERS_MAX];

void manual_clock_begin(void)
{
    is_manual = true;
}

static size_t index_of(const uv_timer_t *timer)
{
    size_t i = 0;
    while (i < TIMERS_MAX && timers[i].timer != timer)
        i++;
    return i;
}

/* The index of the one that is due first; TIMERS_MAX if none runs. */
static size_t first_due(void)
{
    size_t first = TIMERS_MAX;
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (timers[i].timer != NULL && (first == TIMERS_MAX || timers[i].due < timers[first].due))
            first = i;
    return first;
}

uint64_t manual_clock_next(void)
{
    size_t first = first_due();
    return first < TIMERS_MAX ? timers[first].due - now : UINT64_MAX;
}

size_t manual_clock_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TIMERS_MAX; i++)
        count += timers[i].timer != NULL;
    return count;
}

void manual_clock_advance(uint64_t ms)
{
    uint64_t end = now + ms;
    for (size_t i = first_due(); i < TIMERS_MAX && timers[i].due <= end; i = first_due()) {
        uv_timer_t *timer = timers[i].timer;
        now = timers[i].due;
        if (timers[i].repeat > 0)
            timers[i].due += timers[i].repeat;
        else
            timers[i].timer = NULL;
        timers[i].call(timer);
    }
    now = end;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t timeout, uint64_t repeat)
{
    if (!is_manual)
        return __real_uv_timer_start(timer, call, timeout, repeat);
    size_t i = index_of(timer);
    i = i < TIMERS_MAX ? i : index_of(NULL);
    ck_assert_uint_lt(i, TIMERS_MAX);
    timers[i].timer = timer;
    timers[i].call = call;
    timers[i].due = now + timeout;
    timers[i].repeat = repeat;
    return 0;
}

static void forget(const uv_timer_t *timer)
{
    size_t i = index_of(timer);
    if (i < TIMERS_MAX)
        timers[i].timer = NULL;
}

int __wrap_uv_timer_stop(uv_timer_t *timer)
{
    if (!is_manual)
        return __real_uv_timer_stop(timer);
    forget(timer);
    return 0;
}

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
    return is_manual ? now : __real_uv_now(loop);
}

void __wrap_uv_close(uv_handle_t *handle, uv_close_cb call)
{
    if (is_manual && handle->type == UV_TIMER)
        forget((const uv_timer_t *)handle);
    __real_uv_close(handle, call);
}
