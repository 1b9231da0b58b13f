/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_ENSURE_H
#define DEEPPROXY_BASE_ENSURE_H

/*
 * ENSURE states a condition that only a mistake of ours could break. It is checked in release builds too, and
 * ends the program: a supervisor restarts it, which is better than a proxy that continues in a state that
 * nobody has planned. Never for what a peer, the kernel or a file can cause: such errors have return values.
 */
#define ENSURE(condition) ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

/* Prints the condition and its place on standard error, and aborts the program. */
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#endif
