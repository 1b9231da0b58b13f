/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_WIPES_H
#define DEEPPROXY_TESTS_WIPES_H

#include <stddef.h>

/*
 * Test support: was a secret wiped before its memory was given back? The linker puts this before the C
 * library's free, malloc and realloc (--wrap, in CMakeLists.txt), and each block that the proxy's own code
 * frees, in any thread, is searched. What lies on a stack, or in a block of a library's, is not seen.
 */

/*
 * From now on blocks are searched for these octets, at most 64, which the test itself must not free. Resets
 * the count.
 */
void wipes_watch(const void *secret, size_t len);

/* How many blocks had the secret in them when they were freed. */
unsigned wipes_missed(void);

/* How many blocks have been freed since then: a test in which none was shows nothing. */
unsigned wipes_searched(void);

#endif
