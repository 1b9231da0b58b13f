/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_FAILING_HEAP_H
#define DEEPPROXY_TESTS_FAILING_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Test support: a heap whose n-th allocation fails. The linker puts it before the C library's (--wrap, in
 * CMakeLists.txt, for the programs that are named test_out_of_memory*), so that it counts what the proxy's
 * own code asks for; libraries have all that they want. The test's own memory does not fail: an allocation
 * counts only within the two calls of failing_heap_begin and failing_heap_end, or in a thread that
 * failing_heap_of_threads means.
 */
#define FAILING_HEAP_NEVER SIZE_MAX

/*
 * The allocation with this index fails, counted from 0 and from now, and no other. FAILING_HEAP_NEVER: none
 * does.
 */
void failing_heap_set(size_t fails_at);

/* Whether it has failed since then. */
bool failing_heap_has_failed(void);

/* From here to there the calling thread's allocations count. */
void failing_heap_begin(void);
void failing_heap_end(void);

/* In between, for what ends the program itself if memory is short: nothing of the calling thread counts. */
void failing_heap_pause(void);
void failing_heap_resume(void);

/* While true the allocations of all threads but the calling one count. */
void failing_heap_of_threads(bool counts);

#endif
