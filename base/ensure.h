/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_ENSURE_H
#define DEEPPROXY_BASE_ENSURE_H

/*
 * ENSURE states what only a mistake of our own could break. It is checked in release builds too: a proxy
 * that goes on in a state nobody planned is worth less than one that a supervisor restarts.
 * Never for what a peer, the kernel or a file can cause: those have error returns.
 */
#define ENSURE(condition) ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#endif
