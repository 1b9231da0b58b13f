/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_MANUAL_CLOCK_H
#define DEEPPROXY_TESTS_MANUAL_CLOCK_H

#include <uv.h>

/*
 * Test support: libuv's timers by a clock that stands still until the test moves it, so that a day takes no
 * time and nothing is measured. The linker puts it between the proxy and libuv (CMakeLists.txt names the
 * programs). It holds for the thread that has called manual_clock_begin; other threads have libuv's own time.
 * Timers are never started for real: a loop is kept alive by its other handles alone.
 */
void manual_clock_begin(void);

/* How long until the next timer is due, in milliseconds; UINT64_MAX if none runs. */
uint64_t manual_clock_next(void);

/* How many timers run. */
size_t manual_clock_count(void);

/* Moves the clock; what becomes due until then is called in its order, each at its own time. */
void manual_clock_advance(uint64_t ms);

#endif
